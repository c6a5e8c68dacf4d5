#ifndef HANSOM_SEAL_H
#define HANSOM_SEAL_H
/* Texts that only this service can read again: AES-256-GCM with a key derived from the signing key. */
#include "base/strbuf.h"

struct sealer;

/* From the contents of a secret file. NULL with *error_r (mem_free). */
struct sealer *sealer_load(const char *secret_path, char **error_r);
void sealer_destroy(struct sealer **sealer);
/* Appends base64url text. The same context must be given to open it. */
void seal(const struct sealer *sealer, const char *context, const struct strbuf *plain, struct strbuf *out);
/* False when it was sealed with another key or context, or is damaged. */
MUST_CHECK bool seal_open(const struct sealer *sealer, const char *context, const char *sealed, struct strbuf *plain);

#endif
