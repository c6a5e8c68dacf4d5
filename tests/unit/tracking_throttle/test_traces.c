/* Whole drives with glitches: what a rider is shown never jumps, and every drive is shown to its end. */
#include <criterion/criterion.h>

#include "geo.h"
#include "throttle_world.h"
#include "trace.h"

static struct throttle_world world;

/* The times of the trace become the clock: one point is received when it was recorded. */
static void replay(const struct trace *trace)
{
    world_open(&world);
    world.received_ms = trace->points[0].time_ms;
    for (size_t i = 0; i < trace->count; i++) {
        world_advance(&world, (uint64_t)(trace->points[i].time_ms - world.received_ms));
        world_offer(&world, trace->points[i].lat, trace->points[i].lng, trace->points[i].time_ms);
    }
    world_advance(&world, 1000);
}

static void check_no_jump(void)
{
    for (size_t i = 1; i < world.shown_count; i++) {
        const struct throttle_position *from = &world.shown[i - 1].position, *to = &world.shown[i].position;
        cr_assert_gt(to->timestamp_ms, from->timestamp_ms, "order");
        if (world.shown[i].kind == THROTTLE_BREAK)
            continue;
        double kmh = geo_distance_m(from->lat, from->lng, to->lat, to->lng) * 3600 /
                     (double)(to->timestamp_ms - from->timestamp_ms);
        cr_assert_leq(kmh, world.rules.max_speed_kmh * 1.000001, "shown position %zu: %.1f km/h", i, kmh);
    }
}

static void check_newest(const struct trace *trace)
{
    int64_t last_ms = trace->points[trace->count - 1].time_ms;
    int64_t shown_ms = world.shown[world.shown_count - 1].position.timestamp_ms;
    /* The trace may end in refused fixes, but in no more than it takes to believe. */
    size_t after = 0;
    for (size_t i = 0; i < trace->count; i++)
        after += trace->points[i].time_ms > shown_ms;
    cr_assert_leq(after, world.rules.believe_after + 1, "%lld ms behind", (long long)(last_ms - shown_ms));
}

static void check_file(const char *path)
{
    struct trace_list list = {0};
    struct strbuf error;
    strbuf_init(&error, 64);
    cr_assert(trace_read_file(path, &list, &error), "%s", error.data);
    cr_assert_gt(list.count, 0);
    for (size_t i = 0; i < list.count; i++) {
        replay(&list.traces[i]);
        cr_assert_gt(world.shown_count, 10);
        check_no_jump();
        check_newest(&list.traces[i]);
        world_close(&world);
    }
    trace_list_finish(&list);
    strbuf_finish(&error);
}

Test(traces, made_up_glitches)
{
    check_file(TRACE_FOLDER "/glitches.csv");
}

/* Real recordings, where somebody has them: HANSOM_TRACES names a CSV file. */
Test(traces, recorded)
{
    const char *path = getenv("HANSOM_TRACES");
    if (path == NULL)
        cr_skip("HANSOM_TRACES names no file");
    check_file(path);
}
