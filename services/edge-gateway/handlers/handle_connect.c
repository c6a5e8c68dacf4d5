/*
 * connect: verify the token, read the user's cut-off, for drivers take the publisher's place and read the policy, then
 * open. Each step ends in the next or in refuse().
 */
#include "base/clock.h"
#include "dispatch.h"
#include "log/log.h"
#include "proto/subjects.h"
#include "user_watch.h"

#define RESUME_WINDOW_MS 120000

struct connect_flow {
    struct flow flow;
    struct session *session;
    uint32_t id;
    struct bus_request *request;
    Hansom__DriverPolicy *policy; /* drivers */
};

static void flow_free(struct connect_flow *flow)
{
    list_remove(&flow->flow.node);
    bus_request_cancel(&flow->request);
    hansom__driver_policy__free_unpacked(flow->policy, NULL);
    mem_free(flow);
}

static void flow_cancel(struct flow *flow)
{
    flow_free(CONTAINER_OF(flow, struct connect_flow, flow));
}

static void count(struct session *session, enum connect_outcome outcome)
{
    metrics_add(session->gateway->metrics, METRIC_GATEWAY_CONNECTS, session->platform, outcome, 1);
}

static void refuse(struct connect_flow *flow, enum connect_outcome outcome, enum error_code code, const char *message,
                   enum close_reason reason)
{
    struct session *session = flow->session;
    count(session, outcome);
    session_send_error(session, flow->id, code, message, outcome == CONNECT_UNAVAILABLE ? GATEWAY_RETRY_AFTER_MS : 0);
    session_close(session, reason, 0); /* frees the flow */
}

static void unavailable(struct connect_flow *flow)
{
    refuse(flow, CONNECT_UNAVAILABLE, ERROR_unavailable, "the message bus did not answer", CLOSE_internal);
}

/* --- the answer --------------------------------------------------------------------------------------------------- */

static void write_limits(struct json_writer *json, const struct gateway_settings *settings)
{
    json_key(json, "limits");
    json_begin_object(json);
    json_kv_int(json, "max_frame_bytes", settings->max_frame_bytes);
    json_kv_int(json, "max_subscriptions", settings->max_subscriptions);
    json_kv_double(json, "max_publishes_per_second", settings->max_publishes_per_second, 3);
    json_kv_double(json, "max_ops_per_second", settings->max_ops_per_second, 3);
    json_kv_int(json, "max_positions_per_publish", LOCATION_BATCH_MAX);
    json_end_object(json);
}

static void welcome(struct connect_flow *flow)
{
    struct session *session = flow->session;
    const struct gateway_settings *settings = session->gateway->settings;
    struct reply reply;
    reply_begin(&reply, flow->id);
    json_kv_string(&reply.json, "session", session->id);
    json_kv_string(&reply.json, "user", session->principal->user_id);
    json_kv_string(&reply.json, "role", role_text((Hansom__Role)session->principal->role));
    json_kv_int(&reply.json, "expires_in_ms", session->principal->expires_at_ms - clock_wall_ms());
    json_kv_int(&reply.json, "ping_interval_ms", settings->ping_interval_ms);
    json_kv_int(&reply.json, "resume_window_ms", RESUME_WINDOW_MS);
    write_limits(&reply.json, settings);
    if (flow->policy != NULL) {
        json_key(&reply.json, "policy");
        json_begin_object(&reply.json);
        policy_fields_write(&reply.json, flow->policy);
        json_end_object(&reply.json);
    }
    flow_free(flow);
    reply_send(&reply, session);
    if (session->state >= SESSION_CLOSING)
        return;
    count(session, CONNECT_OK);
    session_open(session);
}

/* --- drivers ------------------------------------------------------------------------------------------------------ */

static void on_default_policy(void *context, enum bus_status status, const struct bus_message *reply)
{
    struct connect_flow *flow = context;
    flow->request = NULL;
    if (status != BUS_OK && status != BUS_NOT_FOUND) {
        unavailable(flow);
        return;
    }
    /* Not found: presence has not run yet; the policy follows as a frame once it does. */
    if (status == BUS_OK)
        flow->policy = hansom__driver_policy__unpack(NULL, reply->length, reply->data);
    welcome(flow);
}

static void on_policy(void *context, enum bus_status status, const struct bus_message *reply)
{
    struct connect_flow *flow = context;
    flow->request = NULL;
    if (status == BUS_NOT_FOUND) {
        flow->request = bus_kv_get(flow->session->gateway->bus, BUCKET_POLICY, "default", GATEWAY_REQUEST_TIMEOUT_MS,
                                   on_default_policy, flow);
        return;
    }
    on_default_policy(flow, status, reply);
}

static void on_publisher_stored(void *context, enum bus_status status, const struct bus_ack *ack)
{
    struct connect_flow *flow = context;
    flow->request = NULL;
    if (status != BUS_OK) {
        unavailable(flow);
        return;
    }
    flow->session->publisher_revision = ack->sequence;
    flow->request = bus_kv_get(flow->session->gateway->bus, BUCKET_POLICY, flow->session->principal->user_id,
                               GATEWAY_REQUEST_TIMEOUT_MS, on_policy, flow);
}

/* The last connection of a driver speaks for it; every gateway sees this and closes the older ones (4409). */
static void take_publisher(struct connect_flow *flow)
{
    struct session *session = flow->session;
    Hansom__Publisher publisher = HANSOM__PUBLISHER__INIT;
    publisher.driver_id = session->principal->user_id;
    publisher.session_id = session->id;
    publisher.gateway_id = session->gateway->id;
    publisher.at_ms = clock_wall_ms();
    struct strbuf bytes;
    strbuf_init(&bytes, 256);
    MESSAGE_PACK(&bytes, &publisher);
    char subject[SUBJECT_SIZE];
    snprintf(subject, sizeof(subject), SUBJECT_KV_PUBLISHER, session->principal->user_id);
    flow->request = bus_store(session->gateway->bus, subject, NULL, BUS_ANY_REVISION, bytes.data, bytes.length,
                              GATEWAY_REQUEST_TIMEOUT_MS, on_publisher_stored, flow);
    strbuf_finish(&bytes);
}

/* --- everybody ---------------------------------------------------------------------------------------------------- */

static void on_cutoff(void *context, enum bus_status status, const struct bus_message *reply)
{
    struct connect_flow *flow = context;
    struct session *session = flow->session;
    flow->request = NULL;
    if (status != BUS_OK && status != BUS_NOT_FOUND)
        unavailable(flow);
    else if (status == BUS_OK && user_watch_is_revoked(session->principal, reply))
        refuse(flow, CONNECT_REVOKED, ERROR_forbidden, "the session was revoked", CLOSE_forbidden);
    else if (session->principal->role == HANSOM__ROLE__ROLE_DRIVER)
        take_publisher(flow);
    else
        welcome(flow);
}

static struct connect_flow *flow_create(struct session *session, uint32_t id)
{
    struct connect_flow *flow = mem_alloc(sizeof(*flow));
    flow->flow.cancel = flow_cancel;
    flow->session = session;
    flow->id = id;
    list_append(&session->flows, &flow->flow.node);
    return flow;
}

void handle_connect(struct session *session, const struct client_frame *frame)
{
    struct gateway *gateway = session->gateway;
    if (session->state != SESSION_AWAITING_CONNECT) {
        session_send_error(session, frame->id, ERROR_bad_request, "op: connected already", 0);
        return;
    }
    struct connect_flow *flow = flow_create(session, frame->id);
    const char *token = frame->token != NULL ? frame->token : session->handshake_token;
    const char *why = "no_token";
    struct principal *principal =
        token == NULL ? NULL
                      : token_cache_verify(gateway->tokens, gateway->keys, token, strlen(token), clock_wall_ms(), &why);
    session->platform = platform_label(frame->platform != NULL ? frame->platform
                                       : principal != NULL     ? principal->platform
                                                               : NULL);
    if (principal == NULL) {
        LOG_INFO("token_refused", LOG_STR("session", session->id), LOG_STR("why", why));
        refuse(flow, CONNECT_UNAUTHORIZED, ERROR_unauthorized, "a valid token is needed", CLOSE_unauthorized);
        return;
    }
    session_authenticated(session, principal);
    flow->request =
        bus_kv_get(gateway->bus, BUCKET_SESSIONS, principal->user_id, GATEWAY_REQUEST_TIMEOUT_MS, on_cutoff, flow);
}
