#include <criterion/criterion.h>

#include "base/timer_wheel.h"
#include "random_sequence.h"

#define TIMERS 120
#define TICK_MS 10
#define SLOTS 8

struct probe {
    struct wheel_timer timer;
    struct timer_wheel *wheel;
    uint64_t *now_ms;
    struct probe *other;
    unsigned fired;
    uint64_t fired_ms;
};

static void note(struct wheel_timer *timer, void *context)
{
    struct probe *probe = context;
    cr_assert_eq(timer, &probe->timer);
    cr_assert_geq(*probe->now_ms, timer->deadline_ms, "fired early");
    cr_assert_not(timer_wheel_is_running(timer));
    probe->fired++;
    probe->fired_ms = *probe->now_ms;
}

static void stop_other(struct wheel_timer *timer, void *context)
{
    note(timer, context);
    struct probe *probe = context;
    timer_wheel_stop(probe->wheel, &probe->other->timer);
}

static void start_other(struct wheel_timer *timer, void *context)
{
    note(timer, context);
    struct probe *probe = context;
    timer_wheel_start(probe->wheel, &probe->other->timer, *probe->now_ms + 30, note, probe->other);
}

static void start_again(struct wheel_timer *timer, void *context)
{
    note(timer, context);
    struct probe *probe = context;
    timer_wheel_start(probe->wheel, timer, *probe->now_ms + 20, start_again, probe);
}

/* What must have fired: the deadline's tick has passed. */
static bool is_due(uint64_t deadline_ms, uint64_t now_ms)
{
    return (deadline_ms + TICK_MS - 1) / TICK_MS <= now_ms / TICK_MS;
}

struct model {
    struct probe probes[TIMERS];
    bool is_running[TIMERS];
    uint64_t now_ms;
    struct timer_wheel *wheel;
};

static void change_one(struct model *model, uint64_t *state)
{
    size_t i = sequence_below(state, TIMERS);
    struct probe *probe = &model->probes[i];
    model->is_running[i] = sequence_below(state, 4) != 0;
    if (!model->is_running[i]) {
        timer_wheel_stop(model->wheel, &probe->timer);
        return;
    }
    /* up to five revolutions ahead */
    uint64_t deadline_ms = model->now_ms + sequence_below(state, TICK_MS * SLOTS * 5);
    timer_wheel_start(model->wheel, &probe->timer, deadline_ms, note, probe);
}

static void advance(struct model *model, uint64_t by_ms)
{
    uint64_t before_ms = model->now_ms;
    model->now_ms += by_ms;
    size_t fired = timer_wheel_advance(model->wheel, model->now_ms), seen = 0, running = 0;
    bool has_tick_passed = before_ms / TICK_MS != model->now_ms / TICK_MS;
    for (size_t i = 0; i < TIMERS; i++) {
        struct probe *probe = &model->probes[i];
        bool has_fired = probe->fired > 0;
        /* started late in a tick that was served already: the next tick's end */
        bool must_fire = model->is_running[i] && has_tick_passed && is_due(probe->timer.deadline_ms, model->now_ms);
        cr_assert(model->is_running[i] || !has_fired, "a stopped timer fired");
        cr_assert(!must_fire || has_fired, "timer %zu did not fire", i);
        cr_assert_leq(probe->fired, 1);
        model->is_running[i] = model->is_running[i] && !has_fired;
        cr_assert_eq(timer_wheel_is_running(&probe->timer), model->is_running[i]);
        running += model->is_running[i];
        seen += probe->fired;
        probe->fired = 0;
    }
    cr_assert_eq(fired, seen);
    cr_assert_eq(timer_wheel_count(model->wheel), running);
}

Test(timer_wheel, fires_each_once_in_time_under_random_use)
{
    static struct model model = {.now_ms = 123456};
    uint64_t state = 2024;
    model.wheel = timer_wheel_create(model.now_ms, TICK_MS, SLOTS);
    for (size_t i = 0; i < TIMERS; i++)
        model.probes[i] = (struct probe){.wheel = model.wheel, .now_ms = &model.now_ms};
    for (unsigned step = 0; step < 5000; step++) {
        for (unsigned changes = 0; changes < 6; changes++)
            change_one(&model, &state);
        bool is_jump = sequence_below(&state, 20) == 0;
        advance(&model, sequence_below(&state, is_jump ? 100000 : 25));
    }
    timer_wheel_destroy(&model.wheel);
    cr_assert_null(model.wheel);
}

struct pair {
    uint64_t now_ms;
    struct timer_wheel *wheel;
    struct probe first, second;
};

static struct pair pair;

static void make_pair(void)
{
    pair = (struct pair){.now_ms = 1000};
    pair.wheel = timer_wheel_create(pair.now_ms, TICK_MS, SLOTS);
    pair.first = (struct probe){.wheel = pair.wheel, .now_ms = &pair.now_ms, .other = &pair.second};
    pair.second = (struct probe){.wheel = pair.wheel, .now_ms = &pair.now_ms, .other = &pair.first};
}

static void drop_pair(void)
{
    timer_wheel_destroy(&pair.wheel);
}

static size_t pair_at(uint64_t now_ms)
{
    pair.now_ms = now_ms;
    return timer_wheel_advance(pair.wheel, now_ms);
}

TestSuite(timer_wheel_pair, .init = make_pair, .fini = drop_pair);

Test(timer_wheel_pair, a_callback_stops_the_next_of_its_slot)
{
    timer_wheel_start(pair.wheel, &pair.first.timer, 1050, stop_other, &pair.first);
    timer_wheel_start(pair.wheel, &pair.second.timer, 1050, stop_other, &pair.second);
    cr_assert_eq(pair_at(1060), 1);
    cr_assert_eq(pair.first.fired + pair.second.fired, 1);
    cr_assert_eq(timer_wheel_count(pair.wheel), 0);
}

Test(timer_wheel_pair, a_callback_restarts_the_next_of_its_slot)
{
    timer_wheel_start(pair.wheel, &pair.first.timer, 1050, start_other, &pair.first);
    timer_wheel_start(pair.wheel, &pair.second.timer, 1050, note, &pair.second);
    cr_assert_eq(pair_at(1050), 1);
    cr_assert_eq(pair.second.fired, 0);
    cr_assert_eq(timer_wheel_count(pair.wheel), 1);
    cr_assert_eq(pair_at(1079), 0);
    cr_assert_eq(pair_at(1080), 1);
    cr_assert_eq(pair.second.fired, 1);
}

Test(timer_wheel_pair, a_callback_restarts_itself)
{
    timer_wheel_start(pair.wheel, &pair.first.timer, 1010, start_again, &pair.first);
    for (uint64_t now_ms = 1001; now_ms <= 1110; now_ms++)
        pair_at(now_ms);
    cr_assert_eq(pair.first.fired, 6, "at 1010, 1030, ... 1110: %u", pair.first.fired);
    cr_assert(timer_wheel_is_running(&pair.first.timer));
}

Test(timer_wheel_pair, a_deadline_of_the_past_fires_at_the_next_tick)
{
    timer_wheel_start(pair.wheel, &pair.first.timer, 5, note, &pair.first);
    cr_assert_eq(pair_at(1009), 0);
    cr_assert_eq(pair_at(1010), 1);
}

Test(timer_wheel_pair, waits_for_its_own_revolution)
{
    uint64_t deadline_ms = 1000 + TICK_MS * SLOTS * 3;
    timer_wheel_start(pair.wheel, &pair.first.timer, deadline_ms, note, &pair.first);
    for (uint64_t now_ms = 1001; now_ms < deadline_ms; now_ms++)
        cr_assert_eq(pair_at(now_ms), 0, "at %llu", (unsigned long long)now_ms);
    cr_assert_eq(pair_at(deadline_ms), 1);
}

Test(timer_wheel_pair, a_clock_that_goes_back_fires_nothing)
{
    timer_wheel_start(pair.wheel, &pair.first.timer, 1050, note, &pair.first);
    cr_assert_eq(pair_at(500), 0);
    cr_assert_eq(pair_at(1050), 1);
}
