#ifndef HANSOM_STREAM_LIMITS_H
#define HANSOM_STREAM_LIMITS_H
/* Limits of proto/streams.def that more than the streams themselves must know. */

#define EVENTS_PER_USER_MAX 1000
#define EVENTS_MAX_AGE_S 604800
/* A conversation that is longer, or older, is read from the archive. */
#define CHAT_PER_BOOKING_MAX 10000
#define CHAT_MAX_AGE_S 1209600
/* For this long the stream itself knows a message id again; afterwards the archive does. */
#define CHAT_DUPLICATE_WINDOW_S 600

#endif
