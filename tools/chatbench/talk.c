#include "talk.h"

#include <getopt.h>
#include <stdio.h>

#include "base/clock.h"
#include "chatbench.h"

#define TICK_MS 1
#define CONNECT_PATIENCE_MS 60000
#define SETTLE_MS 10000 /* for the last words */
#define WARM_UP_S 2

static const char usage[] =
    "usage: chatbench talk --public URL --internal URL --api-key-file F [options]\n\n"
    "  --conversations N   bookings with a client and a driver that talk (250)\n"
    "  --rate R            messages per second, of all together (1000)\n"
    "  --duration S        without the two seconds of warming up (20)\n"
    "  --ids 4|7           UUIDs of this version: those of 7 tell their age (4)\n"
    "  --bytes N           of each message besides its number (100)\n\n"
    "Times go from the client's write to its reading of the acknowledgement, and of the other side's frame.\n"
    "Exit status 0: everything was acknowledged, and seen once and in order by the other side.\n";

static const struct option long_options[] = {
    {"public", required_argument, NULL, 'p'},
    {"internal", required_argument, NULL, 'i'},
    {"api-key-file", required_argument, NULL, 'k'},
    {"conversations", required_argument, NULL, 'c'},
    {"rate", required_argument, NULL, 'r'},
    {"duration", required_argument, NULL, 'd'},
    {"ids", required_argument, NULL, 'v'},
    {"bytes", required_argument, NULL, 'b'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

struct run {
    struct talk talk;
    uv_loop_t loop;
    uv_timer_t tick;
    double rate, duration_s, conversations;
    uint64_t began_us, ended_us, connecting_us;
    uint64_t late_us_max; /* how far the sender itself was behind */
    bool is_talking;
};

/* --- the course --------------------------------------------------------------------------------------------------- */

static void begin(struct run *run)
{
    run->is_talking = true;
    run->began_us = clock_monotonic_us();
}

static void say_what_is_due(struct run *run)
{
    struct talk *talk = &run->talk;
    uint64_t now_us = clock_monotonic_us();
    for (; talk->sent < talk->word_count; talk->sent++) {
        uint64_t due_us = run->began_us + (uint64_t)((double)talk->sent * 1e6 / run->rate);
        if (due_us > now_us)
            return;
        if (talk->sent >= talk->measured_from && now_us - due_us > run->late_us_max)
            run->late_us_max = now_us - due_us;
        talker_say(talk->talkers[talk->sent % talk->talker_count], talk->sent);
    }
    if (run->ended_us == 0)
        run->ended_us = now_us;
}

static bool is_over(const struct run *run)
{
    const struct talk *talk = &run->talk;
    bool is_complete = talk->acknowledged + talk->refused >= talk->word_count && talk->seen >= talk->acknowledged;
    return run->ended_us > 0 && (is_complete || clock_monotonic_us() - run->ended_us > SETTLE_MS * 1000ull);
}

static void on_tick(uv_timer_t *timer)
{
    struct run *run = timer->data;
    uint64_t waited_us = clock_monotonic_us() - run->connecting_us;
    if (run->is_talking)
        say_what_is_due(run);
    else if (run->talk.live_count == run->talk.talker_count)
        begin(run);
    if (is_over(run) || (!run->is_talking && waited_us > CONNECT_PATIENCE_MS * 1000ull))
        uv_stop(&run->loop);
}

static bool create_talkers(struct run *run)
{
    struct talk *talk = &run->talk;
    for (size_t i = 0; i < talk->talker_count; i++) {
        talk->talkers[i] = talker_create(talk, i);
        if (talk->talkers[i] == NULL)
            return false;
        uv_run(&run->loop, UV_RUN_NOWAIT);
    }
    return true;
}

/* --- the outcome -------------------------------------------------------------------------------------------------- */

static size_t count_lost(const struct talk *talk)
{
    size_t lost = 0;
    for (size_t i = 0; i < talk->word_count; i++)
        lost += talk->words[i].sequence > 0 && !talk->words[i].is_seen;
    return lost;
}

static int report(struct run *run)
{
    struct talk *talk = &run->talk;
    size_t lost = count_lost(talk);
    struct strbuf out;
    struct json_writer json;
    strbuf_init(&out, 512);
    json_writer_init(&json, &out);
    json_begin_object(&json);
    json_kv_uint(&json, "connections", talk->live_count);
    json_kv_uint(&json, "sent", talk->sent);
    json_kv_uint(&json, "acknowledged", talk->acknowledged);
    json_kv_uint(&json, "seen", talk->seen);
    json_kv_uint(&json, "lost", lost);
    json_kv_uint(&json, "doubled", talk->doubled);
    json_kv_uint(&json, "disordered", talk->disordered);
    json_kv_uint(&json, "refused", talk->refused);
    json_kv_uint(&json, "closed", talk->closed);
    json_kv_double(&json, "sender_late_ms_max", (double)run->late_us_max / 1000, 3);
    samples_write(&talk->ack, &json, "acknowledgement_ms");
    samples_write(&talk->delivery, &json, "delivery_ms");
    json_end_object(&json);
    puts(out.data);
    strbuf_finish(&out);
    bool is_complete = run->is_talking && talk->acknowledged == talk->word_count && lost == 0;
    return is_complete && talk->doubled == 0 && talk->disordered == 0 ? EXIT_GOOD : EXIT_BAD;
}

static int carry_out(struct run *run)
{
    struct talk *talk = &run->talk;
    uv_loop_init(&run->loop);
    uv_timer_init(&run->loop, &run->tick);
    run->tick.data = run;
    talk->loop = &run->loop;
    snprintf(talk->run_id, sizeof(talk->run_id), "%08x", (unsigned)random_below(UINT32_MAX));
    talk->talker_count = (size_t)run->conversations * 2;
    talk->measured_from = (size_t)(run->rate * WARM_UP_S);
    talk->word_count = talk->measured_from + (size_t)(run->rate * run->duration_s);
    talk->talkers = mem_alloc(talk->talker_count * sizeof(*talk->talkers));
    talk->words = mem_alloc(talk->word_count * sizeof(*talk->words));
    int status = EXIT_BAD;
    if (create_talkers(run)) {
        run->connecting_us = clock_monotonic_us();
        uv_timer_start(&run->tick, on_tick, 0, TICK_MS);
        uv_run(&run->loop, UV_RUN_DEFAULT);
        status = report(run);
    }
    uv_close((uv_handle_t *)&run->tick, NULL);
    for (size_t i = 0; i < talk->talker_count; i++)
        talker_destroy(&talk->talkers[i]);
    uv_run(&run->loop, UV_RUN_DEFAULT);
    uv_loop_close(&run->loop);
    mem_free(talk->talkers);
    mem_free(talk->words);
    samples_finish(&talk->ack);
    samples_finish(&talk->delivery);
    return status;
}

static bool take_option(struct run *run, int option, const char **public_url)
{
    struct talk *talk = &run->talk;
    double value = 0;
    switch (option) {
    case 'p':
        *public_url = optarg;
        return true;
    case 'i':
        talk->api.url = optarg;
        return true;
    case 'k':
        talk->api.api_key_file = optarg;
        return true;
    case 'c':
        return take_number("conversations", 1, 100000, &run->conversations);
    case 'r':
        return take_number("rate", 1, 1000000, &run->rate);
    case 'd':
        return take_number("duration", 1, 3600, &run->duration_s);
    case 'v':
        talk->has_fresh_ids = str_equal(optarg, "7");
        return true;
    case 'b':
        if (!take_number("bytes", 0, 1000, &value))
            return false;
        talk->payload_bytes = (size_t)value;
        return true;
    default:
        return false;
    }
}

int command_talk(int argc, char **argv)
{
    struct run run = {.talk = {.payload_bytes = 100}, .rate = 1000, .duration_s = 20, .conversations = 250};
    const char *public_url = NULL;
    internal_api_defaults(&run.talk.api);
    for (int option; (option = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
        if (option == 'h') {
            fputs(usage, stdout);
            return EXIT_GOOD;
        }
        if (!take_option(&run, option, &public_url))
            return EXIT_USAGE;
    }
    if (public_url == NULL || !hansom_client_parse_url(public_url, run.talk.host, &run.talk.port)) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    return carry_out(&run);
}
