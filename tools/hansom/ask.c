#include "ask.h"

#include <stdio.h>

#include "command.h"

bool ask(const struct internal_api *api, const char *method, const char *path, const char *body, struct strbuf *answer)
{
    char *error = NULL;
    long status = internal_api_call(api, method, path, body, answer, &error);
    bool is_good = status >= 200 && status < 300;
    if (!is_good)
        internal_api_print_failure(status, answer, error);
    mem_free(error);
    return is_good;
}

int ask_and_print(const struct internal_api *api, const char *method, const char *path, const char *body)
{
    struct strbuf answer;
    strbuf_init(&answer, 1024);
    bool is_good = ask(api, method, path, body, &answer);
    if (is_good)
        printf("%s\n", answer.data);
    strbuf_finish(&answer);
    return is_good ? EXIT_OK : EXIT_RUNTIME;
}
