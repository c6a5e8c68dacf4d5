#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/ids.h"
#include "chatbench.h"
#include "on_bus.h"
#include "proto/bus.pb-c.h"
#include "proto/subjects.h"
#include "samples.h"
#include "wire/wire.h"

#define TIMEOUT_MS 10000

static const char usage[] = "usage: HANSOM_NATS_URL=nats://... chatbench ask [--limit N] <CHATS\n\n"
                            "Asks chat-store for a page (50) before a place in each chat, one after the other.\n"
                            "A line of CHATS: booking id, when it was made (ms), epoch, sequence.\n";

static const struct option long_options[] = {
    {"limit", required_argument, NULL, 'l'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

struct ask {
    struct on_bus on_bus;
    double limit;
    uint64_t sent_us;
    size_t items, failed;
    struct samples delay;
};

static void ask_next(struct ask *ask);

static void on_page(void *context, enum bus_status status, const struct bus_message *reply)
{
    struct ask *ask = context;
    Hansom__ChatHistoryReply *page =
        status == BUS_OK ? hansom__chat_history_reply__unpack(NULL, reply->length, reply->data) : NULL;
    if (page == NULL || *page->error_code != '\0') {
        ask->failed++;
    } else {
        samples_add(&ask->delay, clock_monotonic_us() - ask->sent_us);
        ask->items += page->n_items;
    }
    hansom__chat_history_reply__free_unpacked(page, NULL);
    ask_next(ask);
}

static void ask_next(struct ask *ask)
{
    char booking_id[ID_SIZE];
    Hansom__ChatHistoryRequest request = HANSOM__CHAT_HISTORY_REQUEST__INIT;
    Hansom__ChatCursor cursor = HANSOM__CHAT_CURSOR__INIT;
    if (scanf("%64s %" SCNd64 " %" SCNu64 " %" SCNu64, booking_id, &request.booking_created_at_ms, &cursor.epoch,
              &cursor.seq) != 4) {
        uv_stop(&ask->on_bus.loop);
        return;
    }
    request.booking_id = booking_id;
    request.before = &cursor;
    request.limit = (uint32_t)ask->limit;
    struct strbuf bytes;
    strbuf_init(&bytes, 128);
    MESSAGE_PACK(&bytes, &request);
    ask->sent_us = clock_monotonic_us();
    bus_request(ask->on_bus.bus, SUBJECT_RPC_CHAT_HISTORY, bytes.data, bytes.length, TIMEOUT_MS, on_page, ask);
    strbuf_finish(&bytes);
}

static void begin(void *context)
{
    ask_next(context);
}

static int report(struct ask *ask)
{
    struct strbuf out;
    struct json_writer json;
    strbuf_init(&out, 256);
    json_writer_init(&json, &out);
    json_begin_object(&json);
    json_kv_uint(&json, "items", ask->items);
    json_kv_uint(&json, "failed", ask->failed);
    samples_write(&ask->delay, &json, "answer_ms");
    json_end_object(&json);
    puts(out.data);
    strbuf_finish(&out);
    samples_finish(&ask->delay);
    return ask->failed == 0 ? EXIT_GOOD : EXIT_BAD;
}

int command_ask(int argc, char **argv)
{
    struct ask ask = {.limit = 50};
    for (int option; (option = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
        if (option == 'h') {
            fputs(usage, stdout);
            return EXIT_GOOD;
        }
        if (option != 'l' || !take_number("limit", 1, 200, &ask.limit))
            return EXIT_USAGE;
    }
    return on_bus_run(&ask.on_bus, begin, &ask) ? report(&ask) : EXIT_USAGE;
}
