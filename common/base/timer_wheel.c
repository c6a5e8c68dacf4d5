#include "base/timer_wheel.h"

struct timer_wheel {
    uint32_t tick_ms, mask;
    uint64_t done_tick; /* every tick up to this one has been served */
    size_t count;
    struct list_node *slots;
};

struct timer_wheel *timer_wheel_create(uint64_t now_ms, uint32_t tick_ms, uint32_t slots)
{
    ASSERT(tick_ms >= 1 && tick_ms <= 10000 && slots >= 2 && (slots & (slots - 1)) == 0);
    struct timer_wheel *wheel = mem_alloc(sizeof(*wheel));
    wheel->tick_ms = tick_ms;
    wheel->mask = slots - 1;
    wheel->done_tick = now_ms / tick_ms;
    wheel->slots = mem_alloc(slots * sizeof(*wheel->slots));
    for (uint32_t i = 0; i < slots; i++)
        list_init(&wheel->slots[i]);
    return wheel;
}

void timer_wheel_destroy(struct timer_wheel **wheel_pointer)
{
    struct timer_wheel *wheel = *wheel_pointer;
    *wheel_pointer = NULL;
    if (wheel == NULL)
        return;
    for (uint32_t i = 0; i <= wheel->mask; i++)
        while (!list_is_empty(&wheel->slots[i]))
            list_remove(wheel->slots[i].next);
    mem_free(wheel->slots);
    mem_free(wheel);
}

/* The tick at whose end a deadline has passed. */
static uint64_t due_tick(const struct timer_wheel *wheel, uint64_t deadline_ms)
{
    uint64_t tick = (deadline_ms + wheel->tick_ms - 1) / wheel->tick_ms;
    return tick > wheel->done_tick ? tick : wheel->done_tick + 1;
}

void timer_wheel_start(struct timer_wheel *wheel, struct wheel_timer *timer, uint64_t deadline_ms,
                       wheel_timer_cb *callback, void *context)
{
    timer_wheel_stop(wheel, timer);
    timer->deadline_ms = deadline_ms;
    timer->callback = callback;
    timer->context = context;
    list_append(&wheel->slots[due_tick(wheel, deadline_ms) & wheel->mask], &timer->node);
    wheel->count++;
}

void timer_wheel_stop(struct timer_wheel *wheel, struct wheel_timer *timer)
{
    if (!timer_wheel_is_running(timer))
        return;
    list_remove(&timer->node);
    wheel->count--;
}

bool timer_wheel_is_running(const struct wheel_timer *timer)
{
    return list_is_linked(&timer->node);
}

static size_t fire_slot(struct timer_wheel *wheel, struct list_node *slot, uint64_t now_ms)
{
    /* Onto a list of its own: what callbacks start lands in the slots, what they stop leaves this list. */
    struct list_node due;
    list_init(&due);
    LIST_EACH_SAFE(slot, node, following)
    {
        if (CONTAINER_OF(node, struct wheel_timer, node)->deadline_ms <= now_ms) {
            list_remove(node);
            list_append(&due, node);
        }
    }
    size_t fired = 0;
    while (!list_is_empty(&due)) {
        struct wheel_timer *timer = CONTAINER_OF(due.next, struct wheel_timer, node);
        list_remove(&timer->node);
        wheel->count--;
        fired++;
        timer->callback(timer, timer->context);
    }
    return fired;
}

size_t timer_wheel_advance(struct timer_wheel *wheel, uint64_t now_ms)
{
    uint64_t target = now_ms / wheel->tick_ms;
    size_t fired = 0;
    uint64_t first = wheel->done_tick + 1;
    if (target > wheel->mask && first < target - wheel->mask)
        first = target - wheel->mask; /* a long jump: once round is every slot */
    for (uint64_t tick = first; tick <= target; tick++) {
        wheel->done_tick = tick;
        fired += fire_slot(wheel, &wheel->slots[tick & wheel->mask], now_ms);
    }
    return fired;
}

size_t timer_wheel_count(const struct timer_wheel *wheel)
{
    return wheel->count;
}
