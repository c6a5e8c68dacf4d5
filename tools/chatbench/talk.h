#ifndef HANSOM_TALK_H
#define HANSOM_TALK_H
/* A run of `chatbench talk`: conversations of two, each message counted and timed by its number. */
#include "hansom_client.h"
#include "base/ids.h"
#include "internal_api.h"
#include "samples.h"

struct talker;

/* One message, from its publish on. */
struct word {
    uint64_t sent_us;
    uint64_t sequence; /* as acknowledged; 0: not yet */
    bool is_seen;      /* by the other side */
};

struct talk {
    struct internal_api api;
    char host[64];
    int port;
    uv_loop_t *loop;
    char run_id[16];
    bool has_fresh_ids; /* version 7, else 4 */
    size_t payload_bytes;
    struct talker **talkers; /* two by two */
    size_t talker_count, live_count;
    struct word *words;
    size_t word_count, sent, acknowledged, seen;
    size_t measured_from; /* the words before it only warm up */
    uint64_t doubled, disordered, refused, closed;
    struct samples ack, delivery;
};

/* NULL: backoffice does not answer; it has been said. Even ones are clients, odd ones the drivers of the same booking.
 */
struct talker *talker_create(struct talk *talk, size_t number);
void talker_destroy(struct talker **talker);
/* Sends the word of this number now. */
void talker_say(struct talker *talker, size_t word);

#endif
