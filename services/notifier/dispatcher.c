#include "dispatcher.h"

#include "attempt.h"
#include "base/clock.h"
#include "core/breaker.h"
#include "log/log.h"
#include "outcome_recorder.h"
#include "pg/pg_array.h"
#include "provider.h"

/* When the database has been away, outcomes that were waiting for it go before new claims: those of other replicas too,
 * which try again within two seconds (pg_batch). */
#define SETTLE_MS 2500

/* One way out: a provider, and how it is doing. */
struct lane {
    const struct provider *provider; /* NULL: not configured, and nothing is dropped instead */
    void *state;
    struct breaker breaker;
    size_t in_flight;
};

/* What is claimed by one statement: of the lanes that work, or of one that is being probed. */
struct claim {
    enum priority priority;
    unsigned channels; /* bits */
    bool is_probe;     /* of one delivery; else as much as there is room for */
};
#define CLAIMS_MAX (PRIORITY_COUNT * (1 + CHANNEL_END))

struct dispatcher {
    struct notifier *app;
    struct lane lanes[CHANNEL_END];
    struct outcome_recorder *recorder;
    struct list_node open; /* struct attempt, with their providers */
    struct list_node held; /* struct attempt, claimed and not recorded */
    size_t in_flight;      /* claimed, and not recorded */
    uv_timer_t timer;
    bool is_busy, is_draining;
    bool is_woken;      /* since the last look began, or it left something behind */
    bool has_full_lane; /* the last look left one out: it is looked again when an attempt has ended */
    struct claim claims[CLAIMS_MAX];
    size_t claim_count, next_claim;
    size_t asked;        /* by the claim under way */
    uint64_t claimed_ms; /* when it was sent; 0: none ever was */
    uint64_t settled_ms; /* nothing is claimed before */
};

static void look(struct dispatcher *dispatcher);
static void claim_next(struct dispatcher *dispatcher);

/* --- attempts ----------------------------------------------------------------------------------------------------- */

static struct lane *lane_of(const struct attempt *attempt)
{
    return &attempt->dispatcher->lanes[attempt->notice.channel];
}

static void note_in_flight(struct dispatcher *dispatcher)
{
    metrics_gauge_set(dispatcher->app->metrics, METRIC_NOTIFY_IN_FLIGHT, 0, 0, (int64_t)dispatcher->in_flight);
}

static void end_attempt(struct attempt *attempt, const struct outcome *outcome)
{
    struct dispatcher *dispatcher = attempt->dispatcher;
    const struct notifier_settings *settings = dispatcher->app->settings;
    const struct retry_settings retry = {(uint64_t)settings->retry_base_ms, (uint64_t)settings->retry_cap_ms};
    const struct retry_facts facts = {attempt->notice.attempt, attempt->limit, attempt->notice.created_ms,
                                      attempt->notice.expires_ms};
    attempt->outcome = *outcome;
    attempt->ended_ms = clock_wall_ms();
    attempt->decision = retry_decide(outcome, &facts, &retry, attempt->ended_ms);
    list_remove(&attempt->node);
    outcome_recorder_add(dispatcher->recorder, attempt);
}

/* Without a status the provider has not been asked, unless it took the message. */
static enum breaker_word word_of(const struct outcome *outcome)
{
    if (outcome->is_provider_fault)
        return BREAKER_FAILED;
    bool is_heard = outcome->verdict == VERDICT_ACCEPTED || outcome->status != 0;
    return is_heard && !outcome->is_strangers ? BREAKER_WORKS : BREAKER_SAYS_NOTHING;
}

void attempt_done(struct attempt *attempt, const struct outcome *outcome)
{
    struct dispatcher *dispatcher = attempt->dispatcher;
    struct lane *lane = lane_of(attempt);
    unsigned channel = attempt->notice.channel;
    enum breaker_state before = lane->breaker.state;
    breaker_note_end(&lane->breaker, word_of(outcome), clock_monotonic_ms());
    if (lane->breaker.state != before)
        LOG_WARN("breaker_changed", LOG_STR("channel", channel_names[channel]), LOG_INT("from", before),
                 LOG_INT("to", lane->breaker.state), LOG_STR("failure", failure_names[outcome->failure]));
    metrics_gauge_set(dispatcher->app->metrics, METRIC_NOTIFY_BREAKER, channel, 0, lane->breaker.state);
    if (outcome->verdict != VERDICT_LATER)
        metrics_observe(dispatcher->app->metrics, METRIC_NOTIFY_ATTEMPT_SECONDS, channel, 0,
                        (double)(clock_monotonic_us() - attempt->begun_us) / 1e6);
    end_attempt(attempt, outcome);
}

static void fail_unsent(struct attempt *attempt, enum verdict verdict, enum failure failure)
{
    const struct outcome outcome = {.verdict = verdict, .failure = failure, .is_uncertain = failure == FAILURE_lost};
    end_attempt(attempt, &outcome);
}

static void begin(struct attempt *attempt)
{
    struct dispatcher *dispatcher = attempt->dispatcher;
    struct lane *lane = lane_of(attempt);
    list_append(&dispatcher->open, &attempt->node);
    list_append(&dispatcher->held, &attempt->held);
    attempt->claimed_ms = dispatcher->claimed_ms;
    lane->in_flight++;
    if (attempt->is_acknowledged) {
        fail_unsent(attempt, VERDICT_LATER, FAILURE_none); /* it is not: the recorder stops it */
    } else if (attempt->notice.attempt > attempt->limit) {
        fail_unsent(attempt, VERDICT_RETRY, FAILURE_lost); /* its last one was lost */
    } else if (attempt->notice.expires_ms <= clock_wall_ms()) {
        fail_unsent(attempt, VERDICT_REJECTED, FAILURE_expired);
    } else if (*attempt->notice.target == '\0' && attempt->notice.channel != CHANNEL_WEBHOOK) {
        fail_unsent(attempt, VERDICT_REJECTED, FAILURE_dead_target); /* it has been signed off */
    } else if (lane->provider == NULL) {
        fail_unsent(attempt, VERDICT_REJECTED, FAILURE_not_configured);
    } else {
        attempt->begun_us = clock_monotonic_us();
        breaker_note_begin(&lane->breaker);
        lane->provider->send(lane->state, &attempt->notice, attempt);
    }
}

/* --- claims ------------------------------------------------------------------------------------------------------- */

static void add_claims(struct dispatcher *dispatcher, unsigned channels, bool is_probe)
{
    for (int priority = 0; channels != 0 && priority < PRIORITY_COUNT; priority++)
        dispatcher->claims[dispatcher->claim_count++] = (struct claim){(enum priority)priority, channels, is_probe};
}

static size_t places(const struct dispatcher *dispatcher)
{
    return (size_t)dispatcher->app->settings->in_flight_max;
}

/* No way out takes more than three quarters of all places: endpoints that hang must not stand in everybody's way. */
static size_t lane_room(const struct dispatcher *dispatcher, const struct lane *lane)
{
    size_t most = places(dispatcher) - places(dispatcher) / 4;
    return most > lane->in_flight ? most - lane->in_flight : 0;
}

static void plan_claims(struct dispatcher *dispatcher)
{
    unsigned working = 0;
    uint64_t now_ms = clock_monotonic_ms();
    dispatcher->claim_count = dispatcher->next_claim = 0;
    dispatcher->has_full_lane = false;
    for (unsigned channel = CHANNEL_NONE + 1; channel < CHANNEL_END; channel++) {
        if (breaker_allowance(&dispatcher->lanes[channel].breaker, now_ms) <= 1)
            continue;
        if (lane_room(dispatcher, &dispatcher->lanes[channel]) > places(dispatcher) / 8)
            working |= 1u << channel;
        else
            dispatcher->has_full_lane = true;
    }
    add_claims(dispatcher, working, false);
    for (unsigned channel = CHANNEL_NONE + 1; channel < CHANNEL_END; channel++)
        if (breaker_allowance(&dispatcher->lanes[channel].breaker, now_ms) == 1)
            add_claims(dispatcher, 1u << channel, true);
}

static size_t room(const struct dispatcher *dispatcher)
{
    size_t batch = (size_t)dispatcher->app->settings->batch;
    size_t free_places = places(dispatcher) > dispatcher->in_flight ? places(dispatcher) - dispatcher->in_flight : 0;
    return free_places < batch ? free_places : batch;
}

/* Few large claims are cheaper than many small ones. */
static bool has_room_for_a_claim(const struct dispatcher *dispatcher)
{
    size_t batch = (size_t)dispatcher->app->settings->batch, half = (places(dispatcher) + 1) / 2;
    return room(dispatcher) >= (batch < half ? batch : half);
}

static size_t lane_limit(struct dispatcher *dispatcher, struct lane *lane, bool is_probe)
{
    size_t most = lane_room(dispatcher, lane);
    /* The claim before this one may have begun the probe. */
    return is_probe && most > 0 ? breaker_allowance(&lane->breaker, clock_monotonic_ms()) : most;
}

/* As much as any of its lanes can still take. */
static size_t claim_limit(struct dispatcher *dispatcher, const struct claim *claim)
{
    size_t limit = claim->is_probe ? 1 : room(dispatcher);
    for (int channel = CHANNEL_NONE + 1; channel < CHANNEL_END; channel++) {
        if ((claim->channels & 1u << channel) == 0)
            continue;
        size_t most = lane_limit(dispatcher, &dispatcher->lanes[channel], claim->is_probe);
        limit = most < limit ? most : limit;
    }
    return limit;
}

static void end_look(struct dispatcher *dispatcher)
{
    dispatcher->is_busy = false;
    if (dispatcher->is_woken)
        look(dispatcher);
}

/* This process was stopped, or the database slow: when the lease ends somebody else makes these attempts. */
static bool is_claim_old(const struct dispatcher *dispatcher)
{
    uint64_t lease_ms = (uint64_t)dispatcher->app->settings->claim_lease_ms;
    return clock_monotonic_ms() - dispatcher->claimed_ms > lease_ms / 2;
}

/* A claim would take what is under way here, or known to have arrived, for lost. */
static bool holds_what_is_claimable(const struct dispatcher *dispatcher)
{
    uint64_t lease_ms = (uint64_t)dispatcher->app->settings->claim_lease_ms;
    if (list_is_empty(&dispatcher->held))
        return false;
    const struct attempt *oldest = CONTAINER_OF(dispatcher->held.next, const struct attempt, held);
    return clock_monotonic_ms() - oldest->claimed_ms >= lease_ms;
}

static bool may_claim(const struct dispatcher *dispatcher)
{
    return !dispatcher->is_draining && clock_monotonic_ms() >= dispatcher->settled_ms &&
           pg_is_connected(dispatcher->app->pg) && !holds_what_is_claimable(dispatcher);
}

static void on_claimed(void *context, enum pg_status status, const struct pg_result *result)
{
    struct dispatcher *dispatcher = context;
    if (status == PG_FAILED)
        LOG_WARN("deliveries_not_claimed", LOG_STR("sqlstate", pg_sqlstate(result)));
    if (status != PG_OK || is_claim_old(dispatcher)) {
        end_look(dispatcher);
        return;
    }
    size_t count = pg_row_count(result);
    dispatcher->in_flight += count;
    note_in_flight(dispatcher);
    for (size_t row = 0; row < count; row++)
        begin(attempt_from_row(dispatcher->app, result, row));
    if (count == dispatcher->asked && !dispatcher->claims[dispatcher->next_claim - 1].is_probe)
        dispatcher->is_woken = true; /* there may be more of what is more urgent than the next claim */
    if (dispatcher->is_woken)
        end_look(dispatcher);
    else
        claim_next(dispatcher);
}

static void send_claim(struct dispatcher *dispatcher, const struct claim *claim)
{
    struct notifier *app = dispatcher->app;
    char priority[NUMBER_SIZE], limit[NUMBER_SIZE], now[NUMBER_SIZE], lease[NUMBER_SIZE];
    struct pg_array channels;
    int64_t now_ms = clock_wall_ms();
    dispatcher->claimed_ms = clock_monotonic_ms();
    dispatcher->asked = claim_limit(dispatcher, claim);
    pg_array_begin(&channels);
    for (int channel = CHANNEL_NONE + 1; channel < CHANNEL_END; channel++)
        if ((claim->channels & 1u << channel) != 0)
            pg_array_int(&channels, channel);
    const char *const parameters[] = {
        number_text(priority, claim->priority),
        number_text(limit, (int64_t)dispatcher->asked),
        number_text(now, now_ms),
        number_text(lease, now_ms + app->settings->claim_lease_ms),
        pg_array_end(&channels),
    };
    pg_query_prepared(app->pg, attempt_claim_sql, ARRAY_LEN(parameters), parameters, query_timeout_ms(app), on_claimed,
                      dispatcher);
    pg_array_finish(&channels);
}

static void claim_next(struct dispatcher *dispatcher)
{
    while (dispatcher->next_claim < dispatcher->claim_count && room(dispatcher) > 0 && may_claim(dispatcher)) {
        const struct claim *claim = &dispatcher->claims[dispatcher->next_claim++];
        if (claim_limit(dispatcher, claim) > 0) {
            send_claim(dispatcher, claim);
            return;
        }
    }
    end_look(dispatcher);
}

static void look(struct dispatcher *dispatcher)
{
    if (dispatcher->is_busy || !may_claim(dispatcher) || !has_room_for_a_claim(dispatcher))
        return;
    dispatcher->is_busy = true;
    dispatcher->is_woken = false;
    plan_claims(dispatcher);
    claim_next(dispatcher);
}

static void on_recorded(struct dispatcher *dispatcher, const struct attempt *attempt, bool is_recorded)
{
    (void)is_recorded;
    lane_of(attempt)->in_flight--;
    dispatcher->in_flight--;
    note_in_flight(dispatcher);
    if (dispatcher->is_woken || dispatcher->has_full_lane)
        look(dispatcher);
}

void dispatcher_wake(struct dispatcher *dispatcher)
{
    dispatcher->is_woken = true;
    look(dispatcher);
}

void dispatcher_database_is_back(struct dispatcher *dispatcher)
{
    if (dispatcher->claimed_ms != 0)
        dispatcher->settled_ms = clock_monotonic_ms() + SETTLE_MS;
    dispatcher_wake(dispatcher);
}

static void on_timer(uv_timer_t *timer)
{
    look(timer->data);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static bool start_lane(struct dispatcher *dispatcher, enum channel channel, struct strbuf *error)
{
    struct notifier *app = dispatcher->app;
    struct lane *lane = &dispatcher->lanes[channel];
    const struct provider_env env = {service_loop(app->service), app->settings, app->transfers, app->shared_tokens};
    breaker_init(&lane->breaker, (unsigned)app->settings->breaker_failures, (uint64_t)app->settings->breaker_open_ms);
    lane->provider = providers[channel];
    if (lane->provider == NULL || !lane->provider->is_configured(app->settings)) {
        bool is_dropped = app->settings->unconfigured_providers == UNCONFIGURED_DROP;
        lane->provider = is_dropped ? &drop_provider : NULL;
        LOG_INFO("provider_not_configured", LOG_STR("channel", channel_names[channel]),
                 LOG_BOOL("dropped", is_dropped));
    }
    if (lane->provider == NULL)
        return true;
    lane->state = lane->provider->create(&env, error);
    return lane->state != NULL;
}

struct dispatcher *dispatcher_create(struct notifier *app, struct strbuf *error)
{
    struct dispatcher *dispatcher = mem_alloc(sizeof(*dispatcher));
    dispatcher->app = app;
    list_init(&dispatcher->open);
    list_init(&dispatcher->held);
    uv_timer_init(service_loop(app->service), &dispatcher->timer);
    dispatcher->timer.data = dispatcher;
    dispatcher->recorder = outcome_recorder_create(app, on_recorded);
    for (int channel = CHANNEL_NONE + 1; channel < CHANNEL_END; channel++) {
        if (!start_lane(dispatcher, (enum channel)channel, error)) {
            dispatcher_destroy(&dispatcher);
            return NULL;
        }
    }
    uint64_t poll_ms = (uint64_t)app->settings->poll_ms;
    uv_timer_start(&dispatcher->timer, on_timer, poll_ms, poll_ms);
    return dispatcher;
}

void dispatcher_drain(struct dispatcher *dispatcher)
{
    dispatcher->is_draining = true;
}

bool dispatcher_is_idle(const struct dispatcher *dispatcher)
{
    return dispatcher->in_flight == 0 && !dispatcher->is_busy;
}

static void on_closed(uv_handle_t *handle)
{
    mem_free(handle->data);
}

void dispatcher_destroy(struct dispatcher **dispatcher_pointer)
{
    struct dispatcher *dispatcher = *dispatcher_pointer;
    *dispatcher_pointer = NULL;
    if (dispatcher == NULL)
        return;
    dispatcher->is_draining = true;
    for (int channel = CHANNEL_NONE + 1; channel < CHANNEL_END; channel++)
        if (dispatcher->lanes[channel].state != NULL)
            dispatcher->lanes[channel].provider->destroy(&dispatcher->lanes[channel].state);
    while (!list_is_empty(&dispatcher->open)) {
        struct attempt *attempt = CONTAINER_OF(dispatcher->open.next, struct attempt, node);
        attempt_destroy(&attempt);
    }
    outcome_recorder_destroy(&dispatcher->recorder);
    uv_close((uv_handle_t *)&dispatcher->timer, on_closed);
}
