/* Web Push: RFC 8030 with the encryption of RFC 8291 and the identification of RFC 8292. */
#include "base/clock.h"
#include "base/list.h"
#include "core/vapid.h"
#include "log/log.h"
#include "notifier_settings.h"
#include "provider.h"
#include "providers/host_limit.h"
#include "providers/webpush_message.h"

struct webpush {
    uv_timer_t soon; /* for verdicts that need no answer: they may not come before send returns */
    struct transfer_client *transfers;
    struct vapid *vapid;
    uint32_t timeout_ms;
    bool allows_private;
    struct host_limit *limit;            /* of hosts that are no known service */
    struct list_node under_way, settled; /* settled: the outcome is known, attempt_done not yet called */
};

struct sending {
    struct list_node node;
    struct webpush *webpush;
    struct attempt *attempt;
    struct transfer *transfer; /* NULL when settled */
    struct outcome outcome;
    bool is_known_service;
    char *host; /* NULL: it takes no place of webpush->limit */
};

static bool is_configured(const struct notifier_settings *settings)
{
    return *settings->webpush_vapid_key_file != '\0';
}

static void *create(const struct provider_env *env, struct strbuf *error)
{
    const struct notifier_settings *settings = env->settings;
    struct vapid *vapid = vapid_create(settings->webpush_vapid_key_file, settings->webpush_subject, error);
    if (vapid == NULL)
        return NULL;
    struct webpush *webpush = mem_alloc(sizeof(*webpush));
    webpush->vapid = vapid;
    webpush->transfers = env->transfers;
    webpush->timeout_ms = (uint32_t)settings->transfer_timeout_ms;
    webpush->allows_private = settings->allow_private_targets;
    webpush->limit = host_limit_create((size_t)settings->webpush_per_host_max, (size_t)settings->in_flight_max / 2);
    list_init(&webpush->under_way);
    list_init(&webpush->settled);
    uv_timer_init(env->loop, &webpush->soon);
    webpush->soon.data = webpush;
    return webpush;
}

static void on_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

static void sending_free(struct sending *sending)
{
    transfer_cancel(&sending->transfer);
    if (sending->host != NULL)
        host_limit_leave(sending->webpush->limit, sending->host);
    mem_free(sending->host);
    list_remove(&sending->node);
    mem_free(sending);
}

static void forget_all(struct list_node *sendings)
{
    while (!list_is_empty(sendings))
        sending_free(CONTAINER_OF(sendings->next, struct sending, node));
}

static void destroy(void **state)
{
    struct webpush *webpush = *state;
    *state = NULL;
    if (webpush == NULL)
        return;
    forget_all(&webpush->under_way);
    forget_all(&webpush->settled);
    host_limit_destroy(&webpush->limit);
    vapid_destroy(&webpush->vapid);
    uv_close((uv_handle_t *)&webpush->soon, on_closed);
}

static void finish(struct sending *sending)
{
    struct attempt *attempt = sending->attempt;
    struct outcome outcome = sending->outcome;
    sending_free(sending);
    attempt_done(attempt, &outcome);
}

static void on_answer(void *context, const struct transfer *transfer, const struct transfer_reply *reply)
{
    struct sending *sending = context;
    struct webpush_answer answer = {.failure = reply->failure,
                                    .status = reply->status,
                                    .location = transfer_header(transfer, "Location"),
                                    .retry_after_ms = transfer_retry_after_ms(transfer),
                                    .is_known_service = sending->is_known_service};
    sending->transfer = NULL;
    webpush_judge(&answer, &sending->outcome);
    finish(sending);
}

/* attempt_done may settle more: that is for the next turn. */
static void on_soon(uv_timer_t *timer)
{
    struct webpush *webpush = timer->data;
    size_t count = 0;
    LIST_EACH(&webpush->settled, node)
    count++;
    for (; count > 0 && !list_is_empty(&webpush->settled); count--)
        finish(CONTAINER_OF(webpush->settled.next, struct sending, node));
}

static void settle(struct sending *sending, enum verdict verdict, enum failure failure)
{
    struct webpush *webpush = sending->webpush;
    sending->outcome = (struct outcome){.verdict = verdict, .failure = failure};
    list_remove(&sending->node);
    list_append(&webpush->settled, &sending->node);
    uv_timer_start(&webpush->soon, on_soon, 0, 0);
}

/* problem names a field or what OpenSSL said, never the endpoint. */
static void log_not_sent(const struct notice *notice, const char *problem)
{
    static struct log_throttle throttle;
    uint32_t suppressed = 0;
    if (log_throttle_allow(&throttle, clock_monotonic_ms(), 60000, 5, &suppressed))
        LOG_WARN("webpush_not_sent", LOG_INT("delivery_id", notice->delivery_id), LOG_STR("problem", problem),
                 LOG_INT("suppressed", suppressed));
}

static void start(struct sending *sending, const struct notice *notice, const struct subscription *subscription,
                  const char *authorization)
{
    struct webpush *webpush = sending->webpush;
    struct webpush_message message;
    enum webpush_result result =
        webpush_message_init(&message, notice, subscription, authorization, clock_wall_ms(), webpush->timeout_ms);
    if (result == WEBPUSH_OK)
        sending->transfer = transfer_start(webpush->transfers, &message.request, on_answer, sending);
    else if (result == WEBPUSH_FAILED) /* our own OpenSSL */
        settle(sending, VERDICT_RETRY, FAILURE_unavailable);
    else
        settle(sending, VERDICT_REJECTED, result == WEBPUSH_TOO_LARGE ? FAILURE_too_large : FAILURE_bad_request);
    webpush_message_finish(&message);
}

/* False: what waits there already is enough. */
static bool take_place(struct sending *sending, const char *endpoint)
{
    struct strbuf host;
    if (endpoint_is_known_service(endpoint))
        return true;
    strbuf_init(&host, 64);
    endpoint_host(endpoint, &host);
    bool has_place = host_limit_enter(sending->webpush->limit, host.data);
    if (has_place)
        sending->host = strbuf_take(&host);
    strbuf_finish(&host);
    return has_place;
}

static void send_notice(void *state, const struct notice *notice, struct attempt *attempt)
{
    struct webpush *webpush = state;
    struct subscription subscription;
    struct strbuf error;
    struct sending *sending = mem_alloc(sizeof(*sending));
    sending->webpush = webpush;
    sending->attempt = attempt;
    list_append(&webpush->under_way, &sending->node);
    strbuf_init(&error, 128);
    bool is_good =
        subscription_parse(notice->target, strlen(notice->target), webpush->allows_private, &subscription, &error);
    const char *authorization =
        is_good ? vapid_authorization(webpush->vapid, subscription.endpoint, clock_wall_ms(), &error) : NULL;
    sending->is_known_service =
        is_good && (webpush->allows_private || endpoint_is_known_service(subscription.endpoint));
    if (error.length > 0)
        log_not_sent(notice, error.data);
    if (!is_good)
        settle(sending, VERDICT_DEAD, FAILURE_dead_target);
    else if (authorization == NULL)
        settle(sending, VERDICT_RETRY, FAILURE_unauthorized);
    else if (!take_place(sending, subscription.endpoint))
        settle(sending, VERDICT_LATER, FAILURE_host_busy);
    else
        start(sending, notice, &subscription, authorization);
    strbuf_finish(&error);
}

const struct provider webpush_provider = {
    .channel = CHANNEL_WEBPUSH,
    .is_configured = is_configured,
    .create = create,
    .destroy = destroy,
    .send = send_notice,
};
