#include <getopt.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/ids.h"
#include "base/json_writer.h"
#include "chatbench.h"
#include "on_bus.h"
#include "proto/bus.pb-c.h"
#include "proto/subjects.h"
#include "wire/wire.h"

#define IN_FLIGHT_MAX 2000
#define TIMEOUT_MS 10000

static const char usage[] = "usage: HANSOM_NATS_URL=nats://... chatbench fill [options]\n\n"
                            "  --items N   messages (100000)\n"
                            "  --chats N   bookings that they belong to, in turn (1000)\n"
                            "  --bytes N   length of each content (100)\n";

static const struct option long_options[] = {
    {"items", required_argument, NULL, 'n'},
    {"chats", required_argument, NULL, 'c'},
    {"bytes", required_argument, NULL, 'b'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

struct fill {
    struct on_bus on_bus;
    double items, chats, bytes;
    char run_id[16], *content;
    int64_t created_at_ms;
    size_t asked, stored, failed;
    uint64_t began_us, ended_us;
};

static void send_more(struct fill *fill);

static void on_stored(void *context, enum bus_status status, const struct bus_ack *ack)
{
    struct fill *fill = context;
    (void)ack;
    fill->stored += status == BUS_OK;
    fill->failed += status != BUS_OK;
    if (fill->stored + fill->failed >= (size_t)fill->items) {
        fill->ended_us = clock_monotonic_us();
        uv_stop(&fill->on_bus.loop);
        return;
    }
    send_more(fill);
}

static void send_one(struct fill *fill)
{
    char booking_id[ID_SIZE], client_id[ID_SIZE], driver_id[ID_SIZE], message_id[UUID_SIZE], subject[SUBJECT_SIZE],
        key[192];
    size_t chat = fill->asked % (size_t)fill->chats;
    bool is_driver = fill->asked / (size_t)fill->chats % 2 == 1;
    snprintf(booking_id, sizeof(booking_id), "b-%s-%zu", fill->run_id, chat);
    snprintf(client_id, sizeof(client_id), "c-%s-%zu", fill->run_id, chat);
    snprintf(driver_id, sizeof(driver_id), "d-%s-%zu", fill->run_id, chat);
    uuid_generate(message_id);
    Hansom__ChatItem item = HANSOM__CHAT_ITEM__INIT;
    item.booking_id = booking_id;
    item.booking_created_at_ms = fill->created_at_ms;
    item.kind = HANSOM__CHAT_KIND__CHAT_KIND_MESSAGE;
    item.message_id = message_id;
    item.from_id = is_driver ? driver_id : client_id;
    item.from_role = is_driver ? HANSOM__ROLE__ROLE_DRIVER : HANSOM__ROLE__ROLE_CLIENT;
    item.sent_at_ms = clock_wall_ms();
    item.content = fill->content;
    item.client_id = client_id;
    item.driver_id = driver_id;
    struct strbuf bytes;
    strbuf_init(&bytes, 512);
    MESSAGE_PACK(&bytes, &item);
    snprintf(subject, sizeof(subject), SUBJECT_IN_CHAT, booking_id);
    snprintf(key, sizeof(key), "%s.%s", booking_id, message_id);
    bus_store(fill->on_bus.bus, subject, key, BUS_ANY_REVISION, bytes.data, bytes.length, TIMEOUT_MS, on_stored, fill);
    strbuf_finish(&bytes);
}

static void send_more(struct fill *fill)
{
    while (fill->asked < (size_t)fill->items && fill->asked - fill->stored - fill->failed < IN_FLIGHT_MAX) {
        send_one(fill);
        fill->asked++;
    }
}

static void begin(void *context)
{
    struct fill *fill = context;
    fill->began_us = clock_monotonic_us();
    send_more(fill);
}

static int report(const struct fill *fill)
{
    struct strbuf out;
    struct json_writer json;
    strbuf_init(&out, 256);
    json_writer_init(&json, &out);
    json_begin_object(&json);
    json_kv_uint(&json, "stored", fill->stored);
    json_kv_uint(&json, "failed", fill->failed);
    json_kv_double(&json, "seconds", (double)(fill->ended_us - fill->began_us) / 1e6, 3);
    json_end_object(&json);
    puts(out.data);
    strbuf_finish(&out);
    return fill->failed == 0 ? EXIT_GOOD : EXIT_BAD;
}

static bool take_option(struct fill *fill, int option)
{
    switch (option) {
    case 'n':
        return take_number("items", 1, 1e9, &fill->items);
    case 'c':
        return take_number("chats", 1, 1e9, &fill->chats);
    case 'b':
        return take_number("bytes", 1, 16384, &fill->bytes);
    default:
        return false;
    }
}

int command_fill(int argc, char **argv)
{
    struct fill fill = {.items = 100000, .chats = 1000, .bytes = 100};
    for (int option; (option = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
        if (option == 'h') {
            fputs(usage, stdout);
            return EXIT_GOOD;
        }
        if (!take_option(&fill, option))
            return EXIT_USAGE;
    }
    fill.content = mem_alloc((size_t)fill.bytes + 1);
    memset(fill.content, 'x', (size_t)fill.bytes);
    snprintf(fill.run_id, sizeof(fill.run_id), "%08x", (unsigned)random_below(UINT32_MAX));
    fill.created_at_ms = clock_wall_ms();
    bool is_good = on_bus_run(&fill.on_bus, begin, &fill);
    mem_free(fill.content);
    return is_good ? report(&fill) : EXIT_USAGE;
}
