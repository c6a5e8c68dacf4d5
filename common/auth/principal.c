#include "auth/auth.h"

#include "wire/wire.h"

struct principal *principal_ref(struct principal *principal)
{
    principal->references++;
    return principal;
}

void principal_unref(struct principal **principal_pointer)
{
    struct principal *principal = *principal_pointer;
    *principal_pointer = NULL;
    if (principal == NULL || --principal->references > 0)
        return;
    for (size_t i = 0; i < principal->scope_count; i++)
        mem_free(principal->scopes[i]);
    mem_free(principal->scopes);
    mem_free(principal->user_id);
    mem_free(principal->platform);
    mem_free(principal->token_id);
    mem_free(principal);
}

bool principal_may(const struct principal *principal, const char *verb, const char *channel)
{
    size_t verb_length = strlen(verb);
    for (size_t i = 0; i < principal->scope_count; i++) {
        const char *scope = principal->scopes[i];
        if (strncmp(scope, verb, verb_length) == 0 && scope[verb_length] == ':' &&
            channel_matches(scope + verb_length + 1, channel))
            return true;
    }
    return false;
}
