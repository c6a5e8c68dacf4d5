#include "user_watch.h"

#include "proto/subjects.h"
#include "session.h"

#define KEY_TOKEN 2 /* $KV.<bucket>.<key> */

typedef bool session_test(const struct session *session, const void *argument);

/* The user's first session here that fits; NULL if there is none. Closing ones are not among them any more. */
static struct session *find_session(struct gateway *gateway, const struct bus_message *message, session_test *fits,
                                    const void *argument)
{
    char user_id[ID_SIZE];
    if (!bus_subject_token(message->subject, KEY_TOKEN, user_id, sizeof(user_id)))
        return NULL;
    struct user_sessions *user = hashmap_get(gateway->users, user_id);
    if (user == NULL)
        return NULL;
    LIST_EACH(&user->sessions, node)
    {
        struct session *session = CONTAINER_OF(node, struct session, in_user);
        if (fits(session, argument))
            return session;
    }
    return NULL;
}

bool user_watch_is_revoked(const struct principal *principal, const struct bus_message *message)
{
    Hansom__SessionCutoff *cutoff = hansom__session_cutoff__unpack(NULL, message->length, message->data);
    /* iat has whole seconds: a token made in the second of the cut-off counts as older. */
    bool is_older = cutoff != NULL && principal->issued_at_ms < cutoff->not_before_ms;
    hansom__session_cutoff__free_unpacked(cutoff, NULL);
    return is_older;
}

static bool is_issued_before(const struct session *session, const void *argument)
{
    return session->principal->issued_at_ms < *(const int64_t *)argument;
}

static void on_revocation(void *context, const struct bus_message *message)
{
    Hansom__SessionCutoff *cutoff = hansom__session_cutoff__unpack(NULL, message->length, message->data);
    if (cutoff == NULL)
        return;
    /* Closing takes it out of the user's sessions, so each turn finds another one. */
    for (struct session *session;
         (session = find_session(context, message, is_issued_before, &cutoff->not_before_ms)) != NULL;)
        session_close(session, CLOSE_forbidden, 0);
    hansom__session_cutoff__free_unpacked(cutoff, NULL);
}

static bool is_driver(const struct session *session)
{
    return session->principal->role == HANSOM__ROLE__ROLE_DRIVER;
}

static bool is_this_driver_session(const struct session *session, const void *session_id)
{
    return is_driver(session) && str_equal(session->id, session_id);
}

static bool is_replaced_by(const struct session *session, const void *session_id)
{
    bool has_held_it = session_is_open(session) || session->has_seen_own_record;
    return is_driver(session) && has_held_it && !str_equal(session->id, session_id);
}

/* Records of one driver come in the order of their revisions: whoever is not the newest has been replaced. A session
 * that is still connecting is closed only by a record that comes after its own, never by the one before it. */
static void on_publisher(void *context, const struct bus_message *message)
{
    Hansom__Publisher *publisher = hansom__publisher__unpack(NULL, message->length, message->data);
    if (publisher == NULL)
        return;
    struct session *own = find_session(context, message, is_this_driver_session, publisher->session_id);
    if (own != NULL)
        own->has_seen_own_record = true;
    for (struct session *session;
         (session = find_session(context, message, is_replaced_by, publisher->session_id)) != NULL;)
        session_close(session, CLOSE_superseded, 0);
    hansom__publisher__free_unpacked(publisher, NULL);
}

static bool is_open_driver(const struct session *session, const void *argument)
{
    (void)argument;
    return session_is_open(session) && is_driver(session);
}

static void on_policy(void *context, const struct bus_message *message)
{
    struct session *session = find_session(context, message, is_open_driver, NULL);
    Hansom__DriverPolicy *policy =
        session == NULL ? NULL : hansom__driver_policy__unpack(NULL, message->length, message->data);
    if (policy == NULL)
        return;
    struct strbuf text;
    struct json_writer json;
    strbuf_init(&text, 160);
    json_writer_init(&json, &text);
    json_begin_object(&json);
    json_kv_string(&json, "op", "policy");
    policy_fields_write(&json, policy);
    json_end_object(&json);
    session_send(session, &text);
    strbuf_finish(&text);
    hansom__driver_policy__free_unpacked(policy, NULL);
}

void user_watch_start(struct gateway *gateway)
{
    gateway->revocations = bus_subscribe(gateway->bus, "$KV." BUCKET_SESSIONS ".*", NULL, on_revocation, gateway);
    gateway->policies = bus_subscribe(gateway->bus, "$KV." BUCKET_POLICY ".*", NULL, on_policy, gateway);
    gateway->publishers = bus_subscribe(gateway->bus, "$KV." BUCKET_PUBLISHERS ".*", NULL, on_publisher, gateway);
}

void user_watch_stop(struct gateway *gateway)
{
    bus_unsubscribe(&gateway->revocations);
    bus_unsubscribe(&gateway->policies);
    bus_unsubscribe(&gateway->publishers);
}
