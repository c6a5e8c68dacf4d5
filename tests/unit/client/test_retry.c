#include <criterion/criterion.h>

#include "hansom_client.h"
#include "retry.h"

Test(client_retry, named_codes)
{
    cr_expect(!retry_is_allowed(4400, 0));
    cr_expect(!retry_is_allowed(4403, 0));
    cr_expect(retry_is_allowed(4408, 0));
    cr_expect(!retry_is_allowed(4409, 0));
    cr_expect(retry_is_allowed(4429, 0));
    cr_expect(retry_is_allowed(4500, 0));
    cr_expect(retry_is_allowed(4503, 0));
    cr_expect(retry_is_allowed(4508, 0));
    cr_expect(retry_is_allowed(4512, 0));
    cr_expect(retry_is_allowed(0, 0), "a cut");
    cr_expect(retry_is_allowed(1001, 0));
}

Test(client_retry, unknown_codes_go_by_their_range)
{
    cr_expect(!retry_is_allowed(4499, 0));
    cr_expect(!retry_is_allowed(4450, 0));
    cr_expect(retry_is_allowed(4599, 0));
}

Test(client_retry, a_second_unauthorized_stops)
{
    cr_expect(retry_is_allowed(4401, 1));
    cr_expect(!retry_is_allowed(4401, 2));
    cr_expect(retry_is_allowed(4503, 2), "only 4401 itself is counted");
}

Test(client_retry, refused_upgrades)
{
    cr_expect_eq(retry_code_of_http(401), 4401);
    cr_expect_eq(retry_code_of_http(403), 4403);
    cr_expect_eq(retry_code_of_http(503), 0);
    cr_expect_eq(retry_code_of_http(0), 0);
}

Test(client_url, strict)
{
    char host[64];
    int port;
    cr_assert(hansom_client_parse_url("http://127.0.0.1:8080", host, &port));
    cr_expect_str_eq(host, "127.0.0.1");
    cr_expect_eq(port, 8080);
    cr_expect(hansom_client_parse_url("http://127.0.0.1:1/", host, &port));
    static const char *const bad[] = {"",
                                      "https://127.0.0.1:8080",
                                      "http://127.0.0.1",
                                      "http://:8080",
                                      "http://127.0.0.1:0",
                                      "http://127.0.0.1:65536",
                                      "http://127.0.0.1:80x",
                                      "http://name:80"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        cr_expect(!hansom_client_parse_url(bad[i], host, &port), "%s", bad[i]);
}
