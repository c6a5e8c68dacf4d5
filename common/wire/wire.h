#ifndef HANSOM_WIRE_H
#define HANSOM_WIRE_H
/*
 * What is said to clients: error and close codes, channel names, frames and payloads (PROTOCOL sections 3 to 6). Pure:
 * bytes in, structs out. The structs of payloads are those of proto/bus.proto, so a payload has one shape.
 *
 * Decoders answer false with a text for the client that names the field ("data.lat: must be a number from -90 to 90").
 * The text never repeats what the client sent.
 */
#include "base/ids.h"
#include "base/json_writer.h"
#include "proto/bus.pb-c.h"

/* --- codes ------------------------------------------------------------------------------------------------------ */

enum error_code {
    ERROR_NONE,
#define ERROR_CODE(name, http_status, may_retry, title) ERROR_##name,
#include "wire/errors.def"
#undef ERROR_CODE
};
const char *error_code_name(enum error_code code);
int error_code_http_status(enum error_code code);
/* ERROR_NONE if it is no code's name. */
enum error_code error_code_from_name(const char *name);

enum close_reason {
#define CLOSE_CODE(name, code, reconnect, is_error) CLOSE_##name,
#include "wire/close_codes.def"
#undef CLOSE_CODE
    CLOSE_REASON_COUNT
};
const char *close_reason_name(enum close_reason reason);
int close_reason_code(enum close_reason reason);
bool close_reason_reconnects(enum close_reason reason);
/* NULL-terminated list of the names, for a metric's label. */
extern const char *const close_reason_names[];

/* RFC 9457 body: type, title, status, detail, code, and request_id and retry_after_ms where given (NULL, 0). status: of
 * the answer, 0: the code's own. */
void problem_write(struct strbuf *out, enum error_code code, int status, const char *detail, const char *request_id,
                   uint64_t retry_after_ms);

/* --- enums <-> texts ---------------------------------------------------------------------------------------------- */
/* The text of PROTOCOL, e.g. "driver_arrived"; NULL for UNSPECIFIED and unknown values. From text: 0 if unknown. */
const char *booking_status_text(Hansom__BookingStatus status);
Hansom__BookingStatus booking_status_from_text(const char *text);
/* completed or cancelled */
bool booking_status_is_ended(Hansom__BookingStatus status);
/* assigned up to in_progress: a driver is on it */
bool booking_status_has_driver(Hansom__BookingStatus status);
/* en route, arrived, in progress: the driver may publish its location */
bool booking_status_is_tracked(Hansom__BookingStatus status);
const char *role_text(Hansom__Role role);
Hansom__Role role_from_text(const char *text);
const char *availability_text(Hansom__Availability availability);
Hansom__Availability availability_from_text(const char *text);
const char *power_mode_text(Hansom__PowerMode mode);
Hansom__PowerMode power_mode_from_text(const char *text);
const char *app_state_text(Hansom__AppState state);
Hansom__AppState app_state_from_text(const char *text);
const char *push_provider_text(Hansom__PushProvider provider);
Hansom__PushProvider push_provider_from_text(const char *text);
const char *stale_cause_text(Hansom__StaleCause cause);
const char *presence_status_text(Hansom__PresenceStatus status);
const char *presence_reason_text(Hansom__PresenceReason reason);
const char *policy_why_text(Hansom__PolicyWhy why);
const char *receipt_kind_text(Hansom__ReceiptKind kind);
Hansom__ReceiptKind receipt_kind_from_text(const char *text);
const char *chat_event_text(Hansom__ChatEvent event);

/* --- channels ------------------------------------------------------------------------------------------------------
 */

enum channel_kind {
    CHANNEL_TRACKING,         /* booking.{id}.tracking */
    CHANNEL_CHAT,             /* booking.{id}.chat */
    CHANNEL_BOOKING_PRESENCE, /* booking.{id}.presence */
    CHANNEL_EVENTS,           /* user.{id}.events */
    CHANNEL_HEARTBEAT,        /* driver.{id}.heartbeat */
    CHANNEL_DRIVER_PRESENCE,  /* driver.{id}.presence */
    CHANNEL_KIND_COUNT
};
#define CHANNEL_NAME_SIZE (ID_SIZE + 24)
struct channel_name {
    enum channel_kind kind;
    char id[ID_SIZE];
    char text[CHANNEL_NAME_SIZE]; /* also the NATS subject of the channel */
};
MUST_CHECK bool channel_parse(const char *text, size_t length, struct channel_name *channel_r);
/* Does a scope's pattern ("booking.*.tracking", "user.U.>") cover the channel? `*` one segment, final `>` the rest. */
bool channel_matches(const char *pattern, const char *channel);

/* --- frames from clients ---------------------------------------------------------------------------------------------
 */

enum client_op {
#define CLIENT_OP(name) OP_##name,
#include "wire/client_ops.def"
#undef CLIENT_OP
    OP_COUNT
};
const char *client_op_name(enum client_op op);

struct cJSON;
/* One JSON object and nothing else, no NUL in it or in its strings; else NULL. cJSON_Delete. */
struct cJSON *json_object_parse(const char *text, size_t length);

/* One frame. Strings point into `root`; absent ones are NULL. Free with client_frame_finish. */
struct client_frame {
    enum client_op op;
    uint32_t id; /* 0: none was given */
    const char *channel, *token, *platform, *client, *reason;
    const struct cJSON *data; /* publish: an object or an array */
    bool has_max_rate, has_since, has_t;
    double max_rate;         /* updates per second, 0 or more */
    uint64_t since_seq, seq; /* seq: of ack */
    const char *since_epoch;
    double t; /* ping */
    struct cJSON *root;
};
/* Parses and checks the envelope: op, id, and for each op the fields that it needs, with their types and ranges.
 * On failure the frame's id is still given if it could be read, and error text names the field. Nothing to free then.
 */
MUST_CHECK bool client_frame_parse(const char *text, size_t length, struct client_frame *frame_r, char *error,
                                   size_t error_size);
void client_frame_finish(struct client_frame *frame);

/* --- payloads from clients
 * ---------------------------------------------------------------------------------------------- */

#define LOCATION_BATCH_MAX 60
/*
 * One location object or an array of 1..LOCATION_BATCH_MAX. type must be "driver_location_update"; booking_id and
 * driver_id may be absent or must match; lat, lng, timestamp are required; bearing 0..360, speed_kmh 0..1500,
 * accuracy_m 0..100000 may be absent or null. Fixes come out sorted by time, oldest first; unknown fields are dropped.
 * The batch's fixes are allocated: free with location_batch_finish.
 */
MUST_CHECK bool location_decode(const struct cJSON *data, const char *booking_id, const char *driver_id,
                                Hansom__LocationBatch *batch_r, char *error, size_t error_size);
void location_batch_finish(Hansom__LocationBatch *batch);
/* type must be "heartbeat"; availability and timestamp are required. Strings of beat_r are the caller's driver_id and,
 * if it is given, wake_id of `data`. */
MUST_CHECK bool heartbeat_decode(const struct cJSON *data, const char *driver_id, Hansom__Heartbeat *beat_r,
                                 char *error, size_t error_size);

#define DEVICE_TOKEN_MAX 4096
#define DEVICE_PLATFORM_MAX 32
#define DEVICE_LOCALE_MAX 35
#define DEVICE_TIMEZONE_MAX 64
/*
 * Body of PUT /v1/me/devices/{id}: provider (fcm, apns, webpush), token, platform?, locale? (shape of BCP 47),
 * timezone? (shape of an IANA name). A webpush token is a PushSubscription, as an object or as its JSON in a string:
 * endpoint (https), keys.p256dh, keys.auth; it comes out as JSON of just these. Strings of put_r are the caller's ids,
 * those of `data`, and the token, which is its own: free with device_put_finish.
 */
MUST_CHECK bool device_put_decode(const struct cJSON *data, const char *user_id, const char *device_id,
                                  Hansom__DevicePut *put_r, char *error, size_t error_size);
void device_put_finish(Hansom__DevicePut *put);
/* {"device_id","provider","platform","locale","timezone"}, null where not given; never the token. */
void device_put_write(struct json_writer *json, const Hansom__DevicePut *put);
/* Body of POST /v1/me/events/ack: seq from 1, epoch? (0: not given). */
MUST_CHECK bool event_ack_decode(const struct cJSON *data, uint64_t *epoch_r, uint64_t *seq_r, char *error,
                                 size_t error_size);

#define CHAT_ITEM_ID_SIZE 81
#define CHAT_CONTENT_MAX 16384
#define CHAT_ATTACHMENTS_MAX 10
/*
 * chat_message {content, message_id?, reply_to?, attachments?: [{url, content_type, size_bytes, name?}]},
 * chat_edit {message_id, content}, chat_delete {message_id}, chat_receipt {kind, up_to_seq}, chat_typing {typing}.
 * booking_id may be absent or must match; from_id, from_role and sent_at are not looked at. The id that an edit or a
 * deletion names comes out in target_id, reply_to too. content is well-formed but not checked otherwise; it may be
 * empty only beside attachments. Strings of item_r belong to `data`; free with chat_item_finish. Unset: from_*,
 * sent_at_ms, the booking's fields.
 */
MUST_CHECK bool chat_item_decode(const struct cJSON *data, const char *booking_id, Hansom__ChatItem *item_r,
                                 char *error, size_t error_size);
void chat_item_finish(Hansom__ChatItem *item);

/* --- payloads to clients
 * -------------------------------------------------------------------------------------------------- */
/* Each writes one JSON object with exactly the fields of PROTOCOL section 4. */
void tracking_item_write(struct json_writer *json, const Hansom__TrackingItem *item);
/* driver_location_update of a position, for "last known location". */
void location_write(struct json_writer *json, const char *booking_id, const char *driver_id, const Hansom__Fix *fix);
void presence_change_write(struct json_writer *json, const Hansom__PresenceChange *change);
/* {"type":"participant_joined"|"participant_left","booking_id","user_id","role","at","reason"?} */
void participant_change_write(struct json_writer *json, const Hansom__ParticipantChange *change);
/* [{"user_id","role","since","status"?}] */
void members_write(struct json_writer *json, const Hansom__Members *members);
/* {"type",…the event's data fields…,"event_id","created_at","expires_at"?} */
void user_event_write(struct json_writer *json, const Hansom__UserEvent *event);
/* What is told of an event that has expired: {"type":"expired","event_id","expired_type","expires_at"} */
void user_event_tombstone_write(struct json_writer *json, const Hansom__UserEvent *event);
/* Any kind; a message as it stands now: edited_at and deleted_at where they apply. */
void chat_item_write(struct json_writer *json, const Hansom__ChatItem *item);
void stored_chat_item_write(struct json_writer *json, const Hansom__StoredChatItem *stored);
/* Epochs on the wire: lower-case hexadecimal. */
#define EPOCH_TEXT_SIZE 17
void epoch_format(uint64_t epoch, char text[EPOCH_TEXT_SIZE]);
/* 0 if it is none. */
uint64_t epoch_parse(const char *text);
/* The fields of a policy after what the caller has begun: heartbeat_interval_ms, max_updates_per_second, … */
void policy_fields_write(struct json_writer *json, const Hansom__DriverPolicy *policy);

/* --- protobuf
 * ---------------------------------------------------------------------------------------------------------------- */
/* Packs any generated message to the end of the buffer. */
void message_pack(struct strbuf *out, const ProtobufCMessage *message);
#define MESSAGE_PACK(out, pointer) message_pack(out, &(pointer)->base)

#endif
