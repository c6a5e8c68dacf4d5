#ifndef HANSOM_SECRETS_H
#define HANSOM_SECRETS_H
/* The files that the service cannot do without: API keys and the signing key. */
#include "backoffice_settings.h"

struct secrets {
    struct api_keys *api_keys;
    struct signer *signer;
    struct sealer *sealer;
};

/* Reads them and makes a trial signature. False with *error_r (mem_free) that names the setting and the file; nothing
 * is to be freed then. */
MUST_CHECK bool secrets_load(const struct backoffice_settings *settings, struct secrets *secrets_r, char **error_r);
/* Forgets them. May be called with zeroed memory. */
void secrets_finish(struct secrets *secrets);

#endif
