#include "base/clock.h"
#include "base/file.h"
#include "base/list.h"
#include "core/fcm_message.h"
#include "core/header_list.h"
#include "core/outcome.h"
#include "notifier_settings.h"
#include "providers/sender.h"

#define TOKEN_MARGIN_MS (5u * 60u * 1000u) /* a token is not used in its last five minutes */
#define WAITING_MAX 20000

/* An attempt that waits for a token. */
struct waiting {
    struct list_node node;
    const struct notice *notice;
    struct attempt *attempt;
};

struct fcm {
    struct sender *sender;
    struct transfer_client *transfers;
    uint32_t timeout_ms;
    struct fcm_account account;
    char *url;
    struct strbuf authorization; /* the header line; "" when there is no token */
    uint64_t token_until_ms;     /* monotonic */
    uint64_t token_number;       /* which one it is, from 1 */
    struct transfer *fetch;      /* of a token, NULL: none under way */
    struct list_node waiting;
    size_t waiting_count;
    struct strbuf body;
};

static void post(struct fcm *fcm, const struct notice *notice, struct attempt *attempt);

static bool fcm_is_configured(const struct notifier_settings *settings)
{
    return settings->fcm_service_account_file[0] != '\0';
}

static bool has_token(const struct fcm *fcm)
{
    return fcm->authorization.length > 0 && clock_monotonic_ms() < fcm->token_until_ms;
}

/* --- the token --- */

static struct waiting *take_waiting(struct fcm *fcm)
{
    struct waiting *waiting = CONTAINER_OF(fcm->waiting.next, struct waiting, node);
    list_remove(&waiting->node);
    fcm->waiting_count--;
    return waiting;
}

static void send_waiting(struct fcm *fcm)
{
    while (!list_is_empty(&fcm->waiting)) {
        struct waiting *waiting = take_waiting(fcm);
        post(fcm, waiting->notice, waiting->attempt);
        mem_free(waiting);
    }
}

/* The message itself was not sent, whatever became of the token's request. */
static void fail_waiting(struct fcm *fcm, struct outcome *outcome)
{
    outcome->is_uncertain = false;
    while (!list_is_empty(&fcm->waiting)) {
        struct waiting *waiting = take_waiting(fcm);
        sender_end_later(fcm->sender, waiting->attempt, outcome);
        mem_free(waiting);
    }
}

static bool take_token(struct fcm *fcm, const char *body)
{
    uint64_t life_ms;
    char *token = fcm_token_parse(body, &life_ms);
    bool is_good = token != NULL && header_value_is_sane(token);
    if (is_good) {
        strbuf_clear(&fcm->authorization);
        strbuf_appendf(&fcm->authorization, "authorization: Bearer %s", token);
        fcm->token_until_ms =
            clock_monotonic_ms() + (life_ms > 2 * TOKEN_MARGIN_MS ? life_ms - TOKEN_MARGIN_MS : life_ms / 2);
        fcm->token_number++;
    }
    mem_free(token);
    return is_good;
}

static void on_token(void *context, const struct transfer *transfer, const struct transfer_reply *reply)
{
    struct fcm *fcm = context;
    struct outcome outcome;
    fcm->fetch = NULL;
    if (reply->failure != TRANSFER_OK)
        sender_judge_failure(&outcome, reply, false);
    else if (reply->status == 200 && take_token(fcm, reply->body)) {
        send_waiting(fcm);
        return;
    } else if (reply->status >= 400 && reply->status < 500 && reply->status != 429) /* invalid_grant and the like */
        outcome_retry(&outcome, reply->status, FAILURE_unauthorized, transfer_retry_after_ms(transfer));
    else
        outcome_retry(&outcome, reply->status, FAILURE_unavailable, transfer_retry_after_ms(transfer));
    fail_waiting(fcm, &outcome);
}

static void fetch_token(struct fcm *fcm)
{
    static const char *const headers[] = {"content-type: application/x-www-form-urlencoded"};
    struct strbuf form;
    strbuf_init(&form, 1024);
    ASSERT(fcm_token_form_build(&form, &fcm->account, clock_wall_ms())); /* it did in fcm_create */
    struct transfer_request request = {.method = "POST",
                                       .url = fcm->account.token_uri,
                                       .headers = headers,
                                       .header_count = ARRAY_LEN(headers),
                                       .body = form.data,
                                       .body_length = form.length,
                                       .timeout_ms = fcm->timeout_ms};
    fcm->fetch = transfer_start(fcm->transfers, &request, on_token, fcm);
    strbuf_finish(&form);
}

/* --- messages --- */

static void on_answer(void *state, uint64_t tag, const struct transfer *transfer, const struct transfer_reply *reply,
                      struct outcome *outcome)
{
    struct fcm *fcm = state;
    fcm_judge(outcome, reply->status, reply->body, transfer_retry_after_ms(transfer));
    if (reply->status == 401 && tag == fcm->token_number)
        strbuf_clear(&fcm->authorization);
}

static void post(struct fcm *fcm, const struct notice *notice, struct attempt *attempt)
{
    struct outcome outcome;
    const char *headers[] = {fcm->authorization.data, "content-type: application/json"};
    struct transfer_request request = {
        .method = "POST", .url = fcm->url, .headers = headers, .header_count = ARRAY_LEN(headers)};
    strbuf_clear(&fcm->body);
    if (!fcm_message_build(&fcm->body, notice, clock_wall_ms())) {
        outcome_reject(&outcome, 0, FAILURE_too_large);
        sender_end_later(fcm->sender, attempt, &outcome);
        return;
    }
    request.body = fcm->body.data;
    request.body_length = fcm->body.length;
    request.starts_until_ms = notice->expires_ms;
    sender_send(fcm->sender, &request, attempt, on_answer, fcm, fcm->token_number);
}

static void wait_for_token(struct fcm *fcm, const struct notice *notice, struct attempt *attempt)
{
    if (fcm->waiting_count >= WAITING_MAX) {
        struct outcome outcome;
        outcome_retry(&outcome, 0, FAILURE_unavailable, 0);
        sender_end_later(fcm->sender, attempt, &outcome);
        return;
    }
    struct waiting *waiting = mem_alloc(sizeof(*waiting));
    waiting->notice = notice;
    waiting->attempt = attempt;
    list_append(&fcm->waiting, &waiting->node);
    fcm->waiting_count++;
    if (fcm->fetch == NULL)
        fetch_token(fcm);
}

static void fcm_send(void *state, const struct notice *notice, struct attempt *attempt)
{
    struct fcm *fcm = state;
    if (has_token(fcm))
        post(fcm, notice, attempt);
    else
        wait_for_token(fcm, notice, attempt);
}

/* --- life --- */

static void fcm_destroy(void **state)
{
    struct fcm *fcm = *state;
    *state = NULL;
    if (fcm == NULL)
        return;
    transfer_cancel(&fcm->fetch);
    while (!list_is_empty(&fcm->waiting))
        mem_free(take_waiting(fcm));
    sender_destroy(&fcm->sender);
    fcm_account_finish(&fcm->account);
    explicit_bzero(fcm->authorization.data, fcm->authorization.capacity);
    strbuf_finish(&fcm->authorization);
    strbuf_finish(&fcm->body);
    mem_free(fcm->url);
    mem_free(fcm);
}

static bool read_account(struct fcm_account *account, const char *path, struct strbuf *error)
{
    struct strbuf content, why;
    char *read_error = NULL;
    strbuf_init(&content, 4096);
    strbuf_init(&why, 0);
    bool is_good = file_read(path, &content, &read_error);
    if (!is_good)
        strbuf_append_string(&why, read_error);
    else
        is_good = fcm_account_parse(account, content.data, &why);
    if (is_good) {
        struct strbuf form;
        strbuf_init(&form, 0);
        is_good = fcm_token_form_build(&form, account, clock_wall_ms());
        strbuf_finish(&form);
        if (!is_good)
            strbuf_append_string(&why, "private_key is no RSA key in PEM");
    }
    if (!is_good)
        strbuf_appendf(error, "fcm_service_account_file: %s\n", why.data);
    explicit_bzero(content.data, content.capacity);
    strbuf_finish(&content);
    strbuf_finish(&why);
    mem_free(read_error);
    return is_good;
}

static void *fcm_create(const struct provider_env *env, struct strbuf *error)
{
    struct fcm_account account = {0};
    if (!read_account(&account, env->settings->fcm_service_account_file, error)) {
        fcm_account_finish(&account);
        return NULL;
    }
    struct fcm *fcm = mem_alloc(sizeof(*fcm));
    struct strbuf url;
    strbuf_init(&url, 256);
    strbuf_appendf(&url, "%s/v1/projects/%s/messages:send", env->settings->fcm_url, account.project_id);
    fcm->url = strbuf_take(&url);
    strbuf_finish(&url);
    fcm->account = account;
    fcm->sender = sender_create(env);
    fcm->transfers = env->transfers;
    fcm->timeout_ms = (uint32_t)env->settings->transfer_timeout_ms;
    list_init(&fcm->waiting);
    strbuf_init(&fcm->authorization, 2048);
    strbuf_init(&fcm->body, FCM_MESSAGE_MAX);
    return fcm;
}

const struct provider fcm_provider = {.channel = CHANNEL_FCM,
                                      .is_configured = fcm_is_configured,
                                      .create = fcm_create,
                                      .destroy = fcm_destroy,
                                      .send = fcm_send};
