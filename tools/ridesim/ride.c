#include "ride.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/ids.h"
#include "base/json_writer.h"
#include "geo.h"
#include "motion.h"
#include "retry.h"

#define HEARTBEAT_MS 4000
#define REST_RETRY_MS 1000
#define TOKEN_LIFE_S 86400
#define RECENT_MAX 64
#define FINAL_TOLERANCE_MS 2000
#define MS_PER_HOUR 3600000.0

/* When a fix was published, to be found again by its own time. */
struct published {
    int64_t fix_ms;
    uint64_t at_us;
};

struct rider {
    struct ride *ride;
    struct hansom_client *client;
    char id[ID_SIZE];
    char *token; /* kept for the next connection; NULL: none yet, or refused */
    uint64_t seen;
    bool has_last;
    struct trace_point last; /* of the track shown; a driver_online begins another */
    uint64_t last_at_us;
    int64_t newest_ms;
};

struct ride {
    struct simulation *simulation;
    size_t number;
    unsigned lap; /* demo: how often it has begun again */
    char booking_id[ID_SIZE], driver_id[ID_SIZE];
    char *driver_token; /* as a rider's */
    struct hansom_client *driver;
    struct rider *riders;
    const struct trace *trace;
    size_t next;
    int64_t offset_ms; /* added to the trace's times */
    uint64_t started_us;
    uv_timer_t step, beat;
    struct published recent[RECENT_MAX];
    size_t recent_count;
    int64_t newest_ms;
    int handles;
    bool is_driving;
};

/* --- backoffice --------------------------------------------------------------------------------------------------- */

static char *make_token(const struct simulation *simulation, const char *user, const char *role)
{
    const struct internal_session session = {.user = user, .role = role, .platform = "other", .ttl_s = TOKEN_LIFE_S};
    char *error = NULL, *token = internal_api_open_session(&simulation->api, &session, &error);
    mem_free(error); /* the client tries again */
    return token;
}

/* Connecting again costs no call to backoffice, so that it may be down meanwhile. */
static char *kept_token(char **kept, const struct simulation *simulation, const char *user, const char *role)
{
    if (*kept == NULL)
        *kept = make_token(simulation, user, role);
    return *kept != NULL ? mem_strdup(*kept) : NULL;
}

static void drop_refused(char **kept, int close_code)
{
    if (close_code != CLOSE_UNAUTHORIZED)
        return;
    mem_free(*kept);
    *kept = NULL;
}

static bool put_booking(const struct ride *ride, const char *status_text)
{
    struct strbuf body, answer;
    char path[128], *error = NULL;
    strbuf_init(&body, 256);
    strbuf_init(&answer, 512);
    snprintf(path, sizeof(path), "/v1/bookings/%s", ride->booking_id);
    strbuf_appendf(&body, "{\"client_id\":\"%s\",\"driver_id\":\"%s\",\"status\":\"%s\"}", ride->riders[0].id,
                   ride->driver_id, status_text);
    long status = internal_api_call(&ride->simulation->api, "PUT", path, body.data, &answer, &error);
    bool is_good = status == 200 || status == 201;
    if (!is_good)
        internal_api_print_failure(status, &answer, error);
    mem_free(error);
    strbuf_finish(&body);
    strbuf_finish(&answer);
    return is_good;
}

/* --- the driver --------------------------------------------------------------------------------------------------- */

static char *driver_token(void *context)
{
    struct ride *ride = context;
    return kept_token(&ride->driver_token, ride->simulation, ride->driver_id, "driver");
}

static void count_error(struct simulation *simulation, const cJSON *frame)
{
    simulation->report.errors +=
        str_equal(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(frame, "op")), "error");
}

static void driver_frame(void *context, const cJSON *frame)
{
    count_error(((struct ride *)context)->simulation, frame);
}

static void driver_closed(void *context, int code, bool will_retry)
{
    struct ride *ride = context;
    drop_refused(&ride->driver_token, code);
    ride->simulation->report.reconnects += will_retry;
}

static void send_text(struct hansom_client *client, struct strbuf *text)
{
    hansom_client_send(client, text->data, text->length);
    strbuf_finish(text);
}

static void on_beat(uv_timer_t *timer)
{
    struct ride *ride = timer->data;
    struct strbuf text;
    char now[RFC3339_SIZE];
    rfc3339_format(clock_wall_ms(), now);
    strbuf_init(&text, 256);
    strbuf_appendf(&text,
                   "{\"op\":\"publish\",\"channel\":\"driver.%s.heartbeat\",\"data\":{\"type\":\"heartbeat\","
                   "\"availability\":\"busy\",\"timestamp\":\"%s\"}}",
                   ride->driver_id, now);
    send_text(ride->driver, &text);
}

static void remember(struct ride *ride, int64_t fix_ms)
{
    ride->recent[ride->recent_count++ % RECENT_MAX] = (struct published){fix_ms, clock_monotonic_us()};
    ride->newest_ms = fix_ms;
}

static void publish(struct ride *ride, size_t index, int64_t fix_ms)
{
    const struct trace_point *point = &ride->trace->points[index];
    struct motion motion = trace_motion(ride->trace, index);
    struct strbuf text;
    struct json_writer json;
    strbuf_init(&text, 256);
    json_writer_init(&json, &text);
    json_begin_object(&json);
    json_kv_string(&json, "op", "publish");
    json_key(&json, "channel");
    struct strbuf channel;
    strbuf_init(&channel, 96);
    strbuf_appendf(&channel, "booking.%s.tracking", ride->booking_id);
    json_string(&json, channel.data);
    strbuf_finish(&channel);
    json_key(&json, "data");
    json_begin_object(&json);
    json_kv_string(&json, "type", "driver_location_update");
    json_kv_double(&json, "lat", point->lat, 7);
    json_kv_double(&json, "lng", point->lng, 7);
    json_kv_double(&json, "bearing", motion.bearing, 1);
    json_kv_double(&json, "speed_kmh", motion.speed_kmh, 1);
    json_kv_time(&json, "timestamp", fix_ms);
    json_end_object(&json);
    json_end_object(&json);
    if (hansom_client_is_open(ride->driver)) {
        remember(ride, fix_ms);
        ride->simulation->report.published++;
    }
    send_text(ride->driver, &text);
}

/* --- pacing ------------------------------------------------------------------------------------------------------- */

/* At its own times, `speed` times as fast; with a rate, one point per 1/rate seconds, and its time is then. */
static uint64_t due_us(const struct ride *ride, size_t index)
{
    const struct simulation *simulation = ride->simulation;
    if (simulation->rate_hz > 0)
        return ride->started_us + (uint64_t)((double)index / simulation->rate_hz * 1e6);
    double since_ms = (double)(ride->trace->points[index].time_ms - ride->trace->points[0].time_ms);
    return ride->started_us + (uint64_t)(since_ms / simulation->speed * 1000);
}

/* Faster than life the fixes keep their own pace and lie in the past, the last one now: nothing is ever in the future.
 */
static int64_t fix_time_ms(const struct ride *ride, size_t index)
{
    if (ride->simulation->rate_hz > 0)
        return clock_wall_ms();
    return ride->trace->points[index].time_ms + ride->offset_ms;
}

static void on_step(uv_timer_t *timer);

static void arm_step(struct ride *ride)
{
    uint64_t now_us = clock_monotonic_us(), due = due_us(ride, ride->next);
    uv_update_time(ride->simulation->loop);
    uv_timer_start(&ride->step, on_step, due > now_us ? (due - now_us + 999) / 1000 : 0, 0);
}

static void on_again(uv_timer_t *timer);

static void name_booking(struct ride *ride)
{
    snprintf(ride->booking_id, sizeof(ride->booking_id), "sim-%s-b%zu-%u", ride->simulation->run_id, ride->number,
             ride->lap);
}

static void begin(struct ride *ride)
{
    const struct trace *trace = ride->trace;
    double whole_ms = (double)(trace->points[trace->count - 1].time_ms - trace->points[0].time_ms);
    double ahead_ms = whole_ms - whole_ms / ride->simulation->speed;
    ride->next = 0;
    ride->started_us = clock_monotonic_us();
    ride->offset_ms = clock_wall_ms() - (int64_t)ahead_ms - trace->points[0].time_ms;
    arm_step(ride);
}

static void arrive(struct ride *ride)
{
    if (!ride->simulation->is_demo) {
        ride->is_driving = false;
        ride->simulation->active--;
        return;
    }
    put_booking(ride, "completed");
    ride->lap++;
    name_booking(ride);
    uv_timer_start(&ride->step, on_again, REST_RETRY_MS, 0);
}

static void subscribe(struct rider *rider);

/* Demo: the next booking of the same people on the same road. */
static void on_again(uv_timer_t *timer)
{
    struct ride *ride = timer->data;
    if (!put_booking(ride, "in_progress")) {
        uv_timer_start(&ride->step, on_again, REST_RETRY_MS, 0);
        return;
    }
    for (int i = 0; i < ride->simulation->riders_per_ride; i++) {
        ride->riders[i].has_last = false;
        subscribe(&ride->riders[i]);
    }
    begin(ride);
}

static void on_step(uv_timer_t *timer)
{
    struct ride *ride = timer->data;
    publish(ride, ride->next, fix_time_ms(ride, ride->next));
    if (++ride->next < ride->trace->count && !ride->simulation->is_over)
        arm_step(ride);
    else
        arrive(ride);
}

/* --- riders ------------------------------------------------------------------------------------------------------- */

static char *rider_token(void *context)
{
    struct rider *rider = context;
    return kept_token(&rider->token, rider->ride->simulation, rider->id, "client");
}

static void subscribe(struct rider *rider)
{
    struct strbuf text;
    strbuf_init(&text, 128);
    strbuf_appendf(&text, "{\"op\":\"subscribe\",\"id\":2,\"channel\":\"booking.%s.tracking\"",
                   rider->ride->booking_id);
    if (rider->ride->simulation->max_rate > 0)
        strbuf_appendf(&text, ",\"max_rate\":%.3f", rider->ride->simulation->max_rate);
    strbuf_append_char(&text, '}');
    send_text(rider->client, &text);
}

static void rider_opened(void *context, const cJSON *welcome)
{
    (void)welcome;
    subscribe(context);
}

static void note_latency(struct rider *rider, int64_t fix_ms, uint64_t now_us)
{
    struct ride *ride = rider->ride;
    size_t known = ride->recent_count < RECENT_MAX ? ride->recent_count : RECENT_MAX;
    for (size_t i = 0; i < known; i++)
        if (ride->recent[i].fix_ms == fix_ms) {
            report_add_latency(&ride->simulation->report, (double)(now_us - ride->recent[i].at_us) / 1000.0);
            return;
        }
}

static void check_step(struct rider *rider, const struct trace_point *point)
{
    struct report *report = &rider->ride->simulation->report;
    if (point->time_ms <= rider->last.time_ms) {
        report->out_of_order++;
        return;
    }
    double metres = geo_distance_m(rider->last.lat, rider->last.lng, point->lat, point->lng);
    double kmh = metres / 1000 * MS_PER_HOUR / (double)(point->time_ms - rider->last.time_ms);
    /* Positions have seven decimals: a centimetre is no jump. */
    if (kmh > rider->ride->simulation->max_speed_kmh * 1.001)
        report->jumps++;
    if (kmh > report->fastest_kmh)
        report->fastest_kmh = kmh;
}

static void see_position(struct rider *rider, const cJSON *data, bool is_live)
{
    struct report *report = &rider->ride->simulation->report;
    const char *time = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(data, "timestamp"));
    struct trace_point point = {cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(data, "lat")),
                                cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(data, "lng")), 0};
    if (time == NULL || !rfc3339_parse(time, strlen(time), &point.time_ms)) {
        report->errors++;
        return;
    }
    uint64_t now_us = clock_monotonic_us();
    bool is_repeat = !is_live && rider->has_last && point.time_ms == rider->last.time_ms; /* after a reconnect */
    if (is_live)
        note_latency(rider, point.time_ms, now_us);
    if (rider->has_last && !is_repeat) {
        check_step(rider, &point);
        double gap_s = (double)(now_us - rider->last_at_us) / 1e6;
        report->largest_gap_s = fmax(report->largest_gap_s, gap_s);
    }
    rider->seen++;
    report->seen++;
    rider->has_last = true;
    rider->last = point;
    rider->last_at_us = now_us;
    rider->newest_ms = point.time_ms;
}

static void see_item(struct rider *rider, const cJSON *data, bool is_live)
{
    const char *type = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(data, "type"));
    struct report *report = &rider->ride->simulation->report;
    if (str_equal(type, "driver_location_update")) {
        see_position(rider, data, is_live);
    } else if (str_equal(type, "driver_stale")) {
        report->stale++;
    } else if (str_equal(type, "driver_online")) {
        report->online++;
        rider->has_last = false; /* another track begins */
    }
}

static void rider_frame(void *context, const cJSON *frame)
{
    struct rider *rider = context;
    const char *op = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(frame, "op"));
    const cJSON *item;
    if (str_equal(op, "message"))
        see_item(rider, cJSON_GetObjectItemCaseSensitive(frame, "data"), true);
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(frame, "messages"))
        see_item(rider, cJSON_GetObjectItemCaseSensitive(item, "data"), false);
    count_error(rider->ride->simulation, frame);
}

static void rider_closed(void *context, int code, bool will_retry)
{
    struct rider *rider = context;
    drop_refused(&rider->token, code);
    rider->ride->simulation->report.reconnects += will_retry;
}

static const struct hansom_client_events driver_events = {driver_token, NULL, driver_frame, driver_closed};
static const struct hansom_client_events rider_events = {rider_token, rider_opened, rider_frame, rider_closed};

/* --- life --------------------------------------------------------------------------------------------------------- */

static void init_timer(struct ride *ride, uv_timer_t *timer)
{
    uv_timer_init(ride->simulation->loop, timer);
    timer->data = ride;
    ride->handles++;
}

static void name_people(struct ride *ride)
{
    struct simulation *simulation = ride->simulation;
    snprintf(ride->driver_id, sizeof(ride->driver_id), "sim-%s-d%zu", simulation->run_id, ride->number);
    for (int i = 0; i < simulation->riders_per_ride; i++) {
        ride->riders[i].ride = ride;
        /* All riders of a ride are one user on several devices: a booking has one client. */
        snprintf(ride->riders[i].id, sizeof(ride->riders[i].id), "sim-%s-c%zu", simulation->run_id, ride->number);
    }
}

static void free_ride(struct ride *ride)
{
    for (int i = 0; i < ride->simulation->riders_per_ride; i++)
        mem_free(ride->riders[i].token);
    mem_free(ride->driver_token);
    mem_free(ride->riders);
    mem_free(ride);
}

struct ride *ride_create(struct simulation *simulation, size_t number)
{
    struct ride *ride = mem_alloc(sizeof(*ride));
    ride->simulation = simulation;
    ride->number = number;
    ride->trace = &simulation->traces.traces[number % simulation->traces.count];
    ride->riders = mem_alloc((size_t)simulation->riders_per_ride * sizeof(*ride->riders));
    name_people(ride);
    name_booking(ride);
    if (!put_booking(ride, "in_progress")) {
        free_ride(ride);
        return NULL;
    }
    init_timer(ride, &ride->step);
    init_timer(ride, &ride->beat);
    uv_timer_start(&ride->beat, on_beat, HEARTBEAT_MS, HEARTBEAT_MS);
    ride->driver = hansom_client_create(simulation->loop, simulation->host, simulation->port, &driver_events, ride);
    for (int i = 0; i < simulation->riders_per_ride; i++)
        ride->riders[i].client =
            hansom_client_create(simulation->loop, simulation->host, simulation->port, &rider_events, &ride->riders[i]);
    simulation->report.rides++;
    return ride;
}

static void on_begin(uv_timer_t *timer)
{
    begin(timer->data);
}

void ride_drive(struct ride *ride, uint64_t delay_ms)
{
    ride->is_driving = true;
    ride->simulation->active++;
    uv_timer_start(&ride->step, on_begin, delay_ms, 0);
}

bool ride_is_watched(const struct ride *ride)
{
    if (!hansom_client_is_open(ride->driver))
        return false;
    for (int i = 0; i < ride->simulation->riders_per_ride; i++)
        if (!hansom_client_is_open(ride->riders[i].client))
            return false;
    return true;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct ride *ride = handle->data;
    if (--ride->handles > 0)
        return;
    free_ride(ride);
}

/* Was something newer published that a rider ought to have been shown? Not what no car could have reached from the
 * position shown last: such a fix is refused, and the trace may end with it. */
static bool is_final_missing(const struct ride *ride, const struct rider *rider)
{
    if (ride->simulation->rate_hz > 0 || !rider->has_last)
        return ride->newest_ms - rider->newest_ms > FINAL_TOLERANCE_MS;
    for (size_t i = 0; i < ride->next; i++) {
        const struct trace_point *point = &ride->trace->points[i];
        int64_t fix_ms = point->time_ms + ride->offset_ms;
        if (fix_ms <= rider->newest_ms + FINAL_TOLERANCE_MS || fix_ms > ride->newest_ms)
            continue;
        double metres = geo_distance_m(rider->last.lat, rider->last.lng, point->lat, point->lng);
        if (metres / 1000 * MS_PER_HOUR / (double)(fix_ms - rider->newest_ms) <= ride->simulation->max_speed_kmh)
            return true;
    }
    return false;
}

static void add_up(const struct ride *ride)
{
    struct report *report = &ride->simulation->report;
    for (int i = 0; i < ride->simulation->riders_per_ride; i++) {
        const struct rider *rider = &ride->riders[i];
        report->riders++;
        report->riders_without_positions += rider->seen == 0;
        report->finals_missing +=
            !ride->simulation->is_demo && ride->simulation->max_rate == 0 && is_final_missing(ride, rider);
    }
}

void ride_destroy(struct ride **ride_pointer)
{
    struct ride *ride = *ride_pointer;
    *ride_pointer = NULL;
    if (ride == NULL)
        return;
    add_up(ride);
    put_booking(ride, "completed");
    hansom_client_destroy(&ride->driver);
    for (int i = 0; i < ride->simulation->riders_per_ride; i++)
        hansom_client_destroy(&ride->riders[i].client);
    uv_close((uv_handle_t *)&ride->step, on_handle_closed);
    uv_close((uv_handle_t *)&ride->beat, on_handle_closed);
}
