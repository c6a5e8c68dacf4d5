/* The provider on a real loop; transfers are noted and answered by hand. */
#include "bytes.h"

#include <openssl/pem.h>
#include <unistd.h>

#include "notifier_settings.h"
#include "provider.h"
#include "transfer.h"
#include "tests/support/test_folder.h"

struct transfer {
    transfer_done_cb *callback;
    void *context;
    const char *location;
    bool is_cancelled;
};
static struct transfer transfers[16];
static size_t transfer_total;
static char last_url[256], last_authorization[1024];

struct transfer *transfer_start(struct transfer_client *client, const struct transfer_request *request,
                                transfer_done_cb *callback, void *context)
{
    (void)client;
    cr_assert(request->is_foreign);
    str_copy(last_url, sizeof(last_url), request->url);
    for (size_t i = 0; i < request->header_count; i++)
        if (strncmp(request->headers[i], "Authorization: ", 15) == 0)
            str_copy(last_authorization, sizeof(last_authorization), request->headers[i] + 15);
    struct transfer *transfer = &transfers[transfer_total++];
    *transfer = (struct transfer){.callback = callback, .context = context};
    return transfer;
}

void transfer_cancel(struct transfer **transfer)
{
    if (*transfer != NULL)
        (*transfer)->is_cancelled = true;
    *transfer = NULL;
}

const char *transfer_header(const struct transfer *transfer, const char *name)
{
    return str_equal(name, "Location") ? transfer->location : NULL;
}

uint64_t transfer_retry_after_ms(const struct transfer *transfer)
{
    (void)transfer;
    return 5000;
}

struct attempt {
    size_t done;
    struct outcome outcome;
};

void attempt_done(struct attempt *attempt, const struct outcome *outcome)
{
    attempt->done++;
    attempt->outcome = *outcome;
}

static char key_file[128];
static uv_loop_t loop;
static void *state;

static void open_world(void)
{
    test_folder_template(key_file, sizeof(key_file), "vapid");
    FILE *stream = fdopen(mkstemp(key_file), "w");
    EVP_PKEY *key = EVP_EC_gen("P-256");
    PEM_write_PrivateKey(stream, key, NULL, NULL, 0, NULL, NULL);
    EVP_PKEY_free(key);
    fclose(stream);
    static char subject[] = "mailto:a@example.org";
    struct notifier_settings settings = {.webpush_vapid_key_file = key_file,
                                         .webpush_subject = subject,
                                         .transfer_timeout_ms = 1000,
                                         .webpush_per_host_max = 2,
                                         .in_flight_max = 10};
    struct strbuf error;
    strbuf_init(&error, 64);
    uv_loop_init(&loop);
    cr_assert(webpush_provider.is_configured(&settings));
    state = webpush_provider.create(&(struct provider_env){.loop = &loop, .settings = &settings}, &error);
    cr_assert_not_null(state, "%s", error.data);
    strbuf_finish(&error);
}

static void close_world(void)
{
    webpush_provider.destroy(&state);
    cr_expect_null(state);
    uv_run(&loop, UV_RUN_DEFAULT);
    cr_expect_eq(uv_loop_close(&loop), 0, "nothing is left on the loop");
    unlink(key_file);
}

TestSuite(webpush_provider, .init = open_world, .fini = close_world);

static void send_to(const char *target, struct attempt *attempt)
{
    struct notice notice = {.channel = CHANNEL_WEBPUSH,
                            .target = target,
                            .title = "t",
                            .body = "b",
                            .event_id = "e",
                            .type = "x",
                            .data_json = "{}",
                            .collapse_key = ""};
    webpush_provider.send(state, &notice, attempt);
    cr_assert_eq(attempt->done, 0, "never before send returns");
}

#define TARGET "{\"endpoint\":\"https://fcm.googleapis.com/x\"," EXAMPLE_KEYS "}"

static void answer(size_t index, int status, const char *location)
{
    transfers[index].location = location;
    struct transfer_reply reply = {.failure = TRANSFER_OK, .status = status, .body = "", .problem = ""};
    transfers[index].callback(transfers[index].context, &transfers[index], &reply);
}

Test(webpush_provider, sends_and_judges)
{
    struct attempt first = {0}, second = {0};
    send_to(TARGET, &first);
    cr_expect_str_eq(last_url, "https://fcm.googleapis.com/x");
    cr_expect_eq(strncmp(last_authorization, "vapid t=", 8), 0);
    send_to(TARGET, &second);
    answer(1, 503, NULL);
    answer(0, 201, "https://fcm.googleapis.com/m/1");
    cr_expect_eq(first.done, 1);
    cr_expect_eq(first.outcome.verdict, VERDICT_ACCEPTED);
    cr_expect_str_eq(first.outcome.provider_id, "https://fcm.googleapis.com/m/1");
    cr_expect_eq(second.done, 1);
    cr_expect_eq(second.outcome.verdict, VERDICT_RETRY);
    cr_expect_eq(second.outcome.retry_after_ms, 5000);
    cr_expect(second.outcome.is_provider_fault);
    cr_expect_not(transfers[0].is_cancelled);
}

Test(webpush_provider, a_target_that_is_none_is_dead)
{
    static const char *const targets[] = {"", "{}", "{\"endpoint\":\"https://10.0.0.1/\"," EXAMPLE_KEYS "}"};
    for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
        struct attempt attempt = {0};
        send_to(targets[i], &attempt);
        uv_run(&loop, UV_RUN_DEFAULT);
        cr_expect_eq(attempt.done, 1);
        cr_expect_eq(attempt.outcome.verdict, VERDICT_DEAD);
        cr_expect_eq(attempt.outcome.failure, FAILURE_dead_target);
    }
    cr_expect_eq(transfer_total, 0);
}

Test(webpush_provider, no_word_after_the_end)
{
    struct attempt under_way = {0}, settled = {0};
    send_to(TARGET, &under_way);
    send_to("", &settled);
    webpush_provider.destroy(&state);
    uv_run(&loop, UV_RUN_DEFAULT);
    cr_expect(transfers[0].is_cancelled);
    cr_expect_eq(under_way.done, 0);
    cr_expect_eq(settled.done, 0);
}

#define STRANGER(host) "{\"endpoint\":\"https://" host "/x\"," EXAMPLE_KEYS "}"

static bool is_put_off(const char *target)
{
    struct attempt attempt = {0};
    size_t before = transfer_total;
    send_to(target, &attempt);
    if (transfer_total > before)
        return false; /* its attempt gets no word: the provider is destroyed first */
    while (attempt.done == 0)
        uv_run(&loop, UV_RUN_ONCE);
    cr_expect_eq(attempt.outcome.verdict, VERDICT_LATER);
    cr_expect_eq(attempt.outcome.failure, FAILURE_host_busy);
    return true;
}

Test(webpush_provider, a_host_has_so_many_places)
{
    struct attempt first = {0};
    send_to(STRANGER("slow.example.com"), &first);
    cr_expect_not(is_put_off(STRANGER("slow.example.com:8443")));
    cr_expect(is_put_off(STRANGER("SLOW.example.com")), "in whatever way it is written");
    cr_expect_not(is_put_off(STRANGER("other.example.com")));
    answer(0, 201, NULL);
    cr_expect_eq(first.done, 1);
    cr_expect_not(is_put_off(STRANGER("slow.example.com")), "a place is free again");
    cr_expect(is_put_off(STRANGER("slow.example.com")));
    for (int i = 0; i < 5; i++)
        cr_expect_not(is_put_off(TARGET), "a known service has no such limit");
}

Test(webpush_provider, strangers_together_have_half_of_all_places)
{
    cr_expect_not(is_put_off(STRANGER("a.example.com")));
    cr_expect_not(is_put_off(STRANGER("b.example.com")));
    cr_expect_not(is_put_off(STRANGER("c.example.com")));
    cr_expect_not(is_put_off(STRANGER("d.example.com")));
    cr_expect_not(is_put_off(STRANGER("e.example.com")));
    cr_expect(is_put_off(STRANGER("f.example.com")));
    cr_expect_not(is_put_off(TARGET));
}
