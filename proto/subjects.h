#ifndef HANSOM_SUBJECTS_H
#define HANSOM_SUBJECTS_H
/*
 * Every NATS subject of the suite, as printf formats, with who publishes and what it carries (messages of bus.proto
 * unless said otherwise). Ids are checked by id_is_valid before they get here, so they never hold dots or wildcards.
 */

/* What clients send enters under in.; {p} is partition_of(id). */
#define SUBJECT_IN_TRACKING "in.%u.booking.%s.tracking" /* gateway -> throttle: LocationBatch; p of the booking */
#define SUBJECT_IN_TRACKING_PARTITION "in.%u.booking.*.tracking"
#define SUBJECT_IN_HEARTBEAT "in.%u.driver.%s.heartbeat" /* gateway -> presence: Heartbeat; p of the driver */
#define SUBJECT_IN_HEARTBEAT_PARTITION "in.%u.driver.*.heartbeat"
#define SUBJECT_IN_FIX "in.%u.driver.%s.fix" /* throttle -> presence: AcceptedFix; p of the driver */
#define SUBJECT_IN_FIX_PARTITION "in.%u.driver.*.fix"
#define SUBJECT_IN_CONNECTION "in.%u.user.%s.connection" /* gateway -> presence: Connection; p of the user */
#define SUBJECT_IN_CONNECTION_PARTITION "in.%u.user.*.connection"
#define SUBJECT_IN_VIEWERS "in.%u.driver.%s.viewers" /* gateway -> presence: Viewers; p of the driver */
#define SUBJECT_IN_VIEWERS_PARTITION "in.%u.driver.*.viewers"
#define SUBJECT_IN_EVENTS "in.user.%s.events" /* -> stream EVENTS: UserEvent */
#define SUBJECT_IN_ACK "in.user.%s.ack"       /* gateway, presence -> stream EVENT_ACKS: EventAck */
#define SUBJECT_IN_CHAT "in.booking.%s.chat"  /* gateway, backoffice -> stream CHAT: ChatItem */
#define SUBJECT_IN_MARK "in.booking.%s.mark"  /* gateway -> stream CHAT_MARKS: ChatItem of kind receipt */

/* What subscribers receive, on the channel's own name. */
#define SUBJECT_TRACKING "booking.%s.tracking"         /* throttle (fixes), presence (stale, online): TrackingItem */
#define SUBJECT_BOOKING_PRESENCE "booking.%s.presence" /* presence: ParticipantChange */
#define SUBJECT_DRIVER_PRESENCE "driver.%s.presence"   /* presence: PresenceChange */
#define SUBJECT_EVENTS "user.%s.events"                /* republished by stream EVENTS: UserEvent */
/* republished by streams CHAT and CHAT_MARKS; gateway (typing): ChatItem */
#define SUBJECT_CHAT "booking.%s.chat"
#define SUBJECT_RPC_MEMBER                                                                                             \
    "rpc.%u.user.%s.member" /* request to presence: empty -> Members of 0 or 1; p of the user                          \
                             */
#define SUBJECT_RPC_MEMBER_PARTITION "rpc.%u.user.*.member"
#define SUBJECT_RPC_DRIVER_BOOKINGS                                                                                    \
    "rpc.%u.driver.%s.bookings" /* request to presence: empty -> DriverBookings; p of the driver */
#define SUBJECT_RPC_DRIVER_BOOKINGS_PARTITION "rpc.%u.driver.*.bookings"

/* Last values. The stream holds one message per subject. */
#define SUBJECT_POSITION_LAST SUBJECT_TRACKING /* stream POSITION listens to it */

/* Between gateways and presence. */
#define SUBJECT_GATEWAY_ALIVE "gateway.%s.alive" /* each second: GatewayAlive */
#define SUBJECT_GATEWAY_ALIVE_ALL "gateway.*.alive"
#define SUBJECT_PRESENCE_SYNC "presence.sync.%u" /* presence -> gateways: announce all of partition p again */
#define SUBJECT_PRESENCE_SYNC_ALL "presence.sync.*"

#define SUBJECT_AUDIT_ACCESS "audit.access" /* gateway -> stream AUDIT: AuditRecord */

/* Requests to backoffice (queue group "backoffice"). */
#define SUBJECT_RPC_TOKEN_REFRESH "rpc.backoffice.token.refresh" /* TokenRefreshRequest -> TokenRefreshReply */

/* Requests to chat-store (queue group "chat-store"). */
#define SUBJECT_RPC_CHAT_FIND "rpc.chat.find"       /* ChatFindRequest -> ChatFindReply */
#define SUBJECT_RPC_CHAT_OPEN "rpc.chat.open"       /* ChatOpenRequest -> ChatOpenReply */
#define SUBJECT_RPC_CHAT_HISTORY "rpc.chat.history" /* ChatHistoryRequest -> ChatHistoryReply */
#define SUBJECT_RPC_CHAT_LIST "rpc.chat.list"       /* ChatListRequest -> ChatListReply */
#define SUBJECT_RPC_CHAT_ERASE "rpc.chat.erase"     /* ChatEraseRequest -> ChatEraseReply */

/* Requests to notifier (queue group "notifier"); each answers NotifyReply unless said otherwise. */
#define SUBJECT_RPC_NOTIFY_DEVICE_PUT "rpc.notify.device.put"       /* DevicePut */
#define SUBJECT_RPC_NOTIFY_DEVICE_DELETE "rpc.notify.device.delete" /* DeviceDelete */
#define SUBJECT_RPC_NOTIFY_CONTACTS_PUT "rpc.notify.contacts.put"   /* ContactsPut */
#define SUBJECT_RPC_NOTIFY_ERASE "rpc.notify.erase"                 /* NotifyEraseRequest */
#define SUBJECT_RPC_NOTIFY_SMS_STATUS "rpc.notify.sms_status" /* SmsStatus; `forbidden`: not signed by the provider */
#define SUBJECT_RPC_NOTIFY_LEDGER "rpc.notify.ledger"         /* LedgerRequest -> LedgerReply */
#define SUBJECT_RPC_NOTIFY_DEAD "rpc.notify.dead"             /* DeadRequest -> DeadReply */
#define SUBJECT_RPC_NOTIFY_REPLAY "rpc.notify.replay"         /* ReplayRequest -> ReplayReply */

/* Key-value buckets: the subject of a key is $KV.<bucket>.<key>. */
#define BUCKET_BOOKINGS "bookings"     /* key booking id: Booking; written by backoffice only */
#define BUCKET_SESSIONS "sessions"     /* key user id: SessionCutoff; written by backoffice only */
#define BUCKET_LEASES "leases"         /* keys <service>.<p>, <service>.member.<instance> */
#define BUCKET_POLICY "policy"         /* key driver id, or "default": DriverPolicy; written by presence only */
#define BUCKET_PUBLISHERS "publishers" /* key driver id: Publisher; last writer speaks for the driver */
#define SUBJECT_KV_BOOKING "$KV." BUCKET_BOOKINGS ".%s"
#define SUBJECT_KV_POLICY "$KV." BUCKET_POLICY ".%s"
#define SUBJECT_KV_PUBLISHER "$KV." BUCKET_PUBLISHERS ".%s"
#define SUBJECT_KV_SESSION "$KV." BUCKET_SESSIONS ".%s"

#define SUBJECT_SIZE 192

#endif
