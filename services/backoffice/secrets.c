#include "secrets.h"

#include "auth/sign.h"
#include "base/strbuf.h"
#include "gate.h"
#include "seal.h"

static bool fail_setting(const char *setting, const char *why, char **error_r)
{
    struct strbuf text;
    strbuf_init(&text, 256);
    strbuf_appendf(&text, "%s: %s", setting, why);
    *error_r = strbuf_take(&text);
    strbuf_finish(&text);
    return false;
}

static bool load_api_keys(const struct backoffice_settings *settings, struct secrets *secrets, char **error_r)
{
    char *why = NULL;
    secrets->api_keys = api_keys_load(settings->api_key_file, &why);
    bool is_good = secrets->api_keys != NULL || fail_setting("api_key_file", why, error_r);
    mem_free(why);
    return is_good;
}

static bool load_signing_key(const struct backoffice_settings *settings, struct secrets *secrets, char **error_r)
{
    char *why = NULL;
    const char *path = settings->signing_key_file, *algorithm = signing_algorithms[settings->signing_alg];
    bool is_good = (secrets->signer = signer_load(path, settings->signing_kid, algorithm, &why)) != NULL &&
                   (secrets->sealer = sealer_load(path, &why)) != NULL;
    if (!is_good)
        fail_setting("signing_key_file", why, error_r);
    mem_free(why);
    return is_good;
}

/* A key that does not fit the algorithm is found now, not at the first request. */
static bool try_signature(const struct backoffice_settings *settings, struct secrets *secrets, char **error_r)
{
    const struct token_request request = {
        .user_id = "trial", .role = "client", .token_id = "trial", .issued_at_s = 1, .expires_at_s = 2};
    char *why = NULL, *token = token_sign(secrets->signer, &request, &why);
    bool is_good = token != NULL;
    mem_free(token);
    mem_free(why);
    char text[64];
    snprintf(text, sizeof(text), "holds no key for %s", signing_algorithms[settings->signing_alg]);
    return is_good || fail_setting("signing_key_file", text, error_r);
}

bool secrets_load(const struct backoffice_settings *settings, struct secrets *secrets_r, char **error_r)
{
    *secrets_r = (struct secrets){0};
    bool is_good = load_api_keys(settings, secrets_r, error_r) && load_signing_key(settings, secrets_r, error_r) &&
                   try_signature(settings, secrets_r, error_r);
    if (!is_good)
        secrets_finish(secrets_r);
    return is_good;
}

void secrets_finish(struct secrets *secrets)
{
    sealer_destroy(&secrets->sealer);
    signer_destroy(&secrets->signer);
    api_keys_destroy(&secrets->api_keys);
}
