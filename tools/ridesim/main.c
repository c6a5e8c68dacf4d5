#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/ids.h"
#include "ride.h"

#define CONNECT_PATIENCE_MS 60000
#define LOOK_MS 100
#define SETTLE_MS 3000 /* for the last positions */
#define STATUS_MS 10000

static const char usage[] =
    "usage: ridesim --public URL --internal URL --api-key-file F --trace FILE... [options]\n\n"
    "Replays recorded drives through the public protocol as drivers, with riders watching, and reports what they "
    "saw.\n\n"
    "  --trace FILE         CSV (trip,lat,lng,unix_time) or GPX; may be given several times\n"
    "  --drivers N          rides at once (default: one per trip)\n"
    "  --riders-per-ride N  watching connections per ride (1)\n"
    "  --speed F            times as fast as recorded (1)\n"
    "  --rate HZ            instead: so many points per second, stamped when sent\n"
    "  --duration S         stop driving after (0: when the trips are over)\n"
    "  --ramp S             spread the starts over (1)\n"
    "  --max-rate R         updates per second that riders ask for (none)\n"
    "  --max-speed-kmh V    a faster step between two shown positions is a jump (200)\n"
    "  --report json|text   (text)\n"
    "  --demo               for ever, trip after trip\n\n"
    "Exit status 0: no jump, nothing out of order, everybody saw the newest position in the end.\n";

struct app {
    struct simulation simulation;
    uv_loop_t loop;
    uv_signal_t interrupt, terminate;
    uv_timer_t look, duration, status;
    struct ride **rides;
    size_t ride_count, created;
    double duration_s, ramp_s;
    uint64_t waited_ms, settled_ms;
    const char *public_url;
    bool as_json, is_driving, is_ended;
};

enum {
    OPT_PUBLIC,
    OPT_INTERNAL,
    OPT_KEY,
    OPT_TRACE,
    OPT_DRIVERS,
    OPT_RIDERS,
    OPT_SPEED,
    OPT_RATE,
    OPT_DURATION,
    OPT_RAMP,
    OPT_MAX_RATE,
    OPT_MAX_SPEED,
    OPT_REPORT,
    OPT_DEMO,
    OPT_HELP
};

static const struct option long_options[] = {
    {"public", required_argument, NULL, OPT_PUBLIC},
    {"internal", required_argument, NULL, OPT_INTERNAL},
    {"api-key-file", required_argument, NULL, OPT_KEY},
    {"trace", required_argument, NULL, OPT_TRACE},
    {"drivers", required_argument, NULL, OPT_DRIVERS},
    {"riders-per-ride", required_argument, NULL, OPT_RIDERS},
    {"speed", required_argument, NULL, OPT_SPEED},
    {"rate", required_argument, NULL, OPT_RATE},
    {"duration", required_argument, NULL, OPT_DURATION},
    {"ramp", required_argument, NULL, OPT_RAMP},
    {"max-rate", required_argument, NULL, OPT_MAX_RATE},
    {"max-speed-kmh", required_argument, NULL, OPT_MAX_SPEED},
    {"report", required_argument, NULL, OPT_REPORT},
    {"demo", no_argument, NULL, OPT_DEMO},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

static bool number(const char *name, double min, double max, double *value_r)
{
    char *stop;
    *value_r = strtod(optarg, &stop);
    if (*stop == '\0' && stop != optarg && *value_r >= min && *value_r <= max)
        return true;
    fprintf(stderr, "--%s: must be a number from %g to %g\n", name, min, max);
    return false;
}

static bool take_trace(struct simulation *simulation)
{
    struct strbuf error;
    strbuf_init(&error, 128);
    bool is_good = trace_read_file(optarg, &simulation->traces, &error);
    if (!is_good)
        fprintf(stderr, "--trace: %s\n", error.data);
    strbuf_finish(&error);
    return is_good;
}

static bool take_option(struct app *app, int option)
{
    struct simulation *simulation = &app->simulation;
    double value = 0;
    bool is_good = true;
    switch (option) {
    case OPT_PUBLIC:
        app->public_url = optarg;
        break;
    case OPT_INTERNAL:
        simulation->api.url = optarg;
        break;
    case OPT_KEY:
        simulation->api.api_key_file = optarg;
        break;
    case OPT_TRACE:
        return take_trace(simulation);
    case OPT_DRIVERS:
        is_good = number("drivers", 1, 100000, &value);
        app->ride_count = (size_t)value;
        break;
    case OPT_RIDERS:
        is_good = number("riders-per-ride", 1, 1000, &value);
        simulation->riders_per_ride = (int)value;
        break;
    case OPT_SPEED:
        return number("speed", 0.1, 1000, &simulation->speed);
    case OPT_RATE:
        return number("rate", 0.01, 100, &simulation->rate_hz);
    case OPT_DURATION:
        return number("duration", 0, 86400, &app->duration_s);
    case OPT_RAMP:
        return number("ramp", 0, 3600, &app->ramp_s);
    case OPT_MAX_RATE:
        return number("max-rate", 0.01, 100, &simulation->max_rate);
    case OPT_MAX_SPEED:
        return number("max-speed-kmh", 1, 10000, &simulation->max_speed_kmh);
    case OPT_REPORT:
        app->as_json = str_equal(optarg, "json");
        break;
    case OPT_DEMO:
        simulation->is_demo = true;
        break;
    default:
        return false;
    }
    return is_good;
}

/* -1: go on; else the exit code. */
static int parse(struct app *app, int argc, char **argv)
{
    for (int option; (option = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
        if (option == OPT_HELP) {
            fputs(usage, stdout);
            return 0;
        }
        if (!take_option(app, option))
            return 2;
    }
    struct simulation *simulation = &app->simulation;
    if (app->public_url == NULL || !hansom_client_parse_url(app->public_url, simulation->host, &simulation->port) ||
        simulation->traces.count == 0) {
        fputs(usage, stderr);
        return 2;
    }
    if (app->ride_count == 0)
        app->ride_count = simulation->traces.count;
    return -1;
}

/* --- the course of a run ------------------------------------------------------------------------------------------ */

static void end_run(struct app *app)
{
    app->is_ended = true;
    uv_stop(&app->loop);
}

static bool all_watched(const struct app *app)
{
    for (size_t i = 0; i < app->ride_count; i++)
        if (!ride_is_watched(app->rides[i]))
            return false;
    return true;
}

/* One ride a turn, so that the clients of those before get on meanwhile. False: backoffice does not answer. */
static bool create_next(struct app *app)
{
    struct ride *ride = ride_create(&app->simulation, app->created);
    if (ride != NULL)
        app->rides[app->created++] = ride;
    return ride != NULL;
}

static void on_duration(uv_timer_t *timer)
{
    struct app *app = timer->data;
    app->simulation.is_over = true;
}

static void start_driving(struct app *app)
{
    app->is_driving = true;
    for (size_t i = 0; i < app->ride_count; i++)
        ride_drive(app->rides[i], (uint64_t)(app->ramp_s * 1000 * (double)i / (double)app->ride_count));
    if (app->duration_s > 0)
        uv_timer_start(&app->duration, on_duration, (uint64_t)(app->duration_s * 1000), 0);
}

static void on_look(uv_timer_t *timer)
{
    struct app *app = timer->data;
    for (int i = 0; i < 20 && app->created < app->ride_count; i++) {
        if (!create_next(app) && !app->simulation.is_demo) {
            end_run(app);
            return;
        }
    }
    if (app->created < app->ride_count)
        return;
    app->waited_ms += LOOK_MS;
    if (!app->is_driving) {
        if (all_watched(app) || app->waited_ms > CONNECT_PATIENCE_MS)
            start_driving(app);
        return;
    }
    if (app->simulation.active == 0 && (app->settled_ms += LOOK_MS) >= SETTLE_MS)
        end_run(app);
}

static void on_status(uv_timer_t *timer)
{
    const struct report *report = &((struct app *)timer->data)->simulation.report;
    fprintf(stderr, "ridesim: %zu rides, %llu published, %llu seen, %llu jumps, %llu reconnects\n", report->rides,
            (unsigned long long)report->published, (unsigned long long)report->seen, (unsigned long long)report->jumps,
            (unsigned long long)report->reconnects);
}

static void on_signal(uv_signal_t *handle, int signal_number)
{
    struct app *app = handle->data;
    (void)signal_number;
    if (app->is_ended)
        _exit(1);
    end_run(app);
}

static void init_handles(struct app *app)
{
    uv_loop_init(&app->loop);
    uv_signal_init(&app->loop, &app->interrupt);
    uv_signal_init(&app->loop, &app->terminate);
    uv_timer_init(&app->loop, &app->look);
    uv_timer_init(&app->loop, &app->duration);
    uv_timer_init(&app->loop, &app->status);
    app->interrupt.data = app->terminate.data = app;
    app->look.data = app->duration.data = app->status.data = app;
    uv_signal_start(&app->interrupt, on_signal, SIGINT);
    uv_signal_start(&app->terminate, on_signal, SIGTERM);
    uv_timer_start(&app->look, on_look, 0, LOOK_MS);
    uv_timer_start(&app->status, on_status, STATUS_MS, STATUS_MS);
}

static void close_handles(struct app *app)
{
    uv_close((uv_handle_t *)&app->interrupt, NULL);
    uv_close((uv_handle_t *)&app->terminate, NULL);
    uv_close((uv_handle_t *)&app->look, NULL);
    uv_close((uv_handle_t *)&app->duration, NULL);
    uv_close((uv_handle_t *)&app->status, NULL);
    uv_run(&app->loop, UV_RUN_DEFAULT);
    uv_loop_close(&app->loop);
}

static int run(struct app *app)
{
    app->rides = mem_alloc(app->ride_count * sizeof(struct ride *));
    snprintf(app->simulation.run_id, sizeof(app->simulation.run_id), "%08x", (unsigned)random_below(UINT32_MAX));
    init_handles(app);
    app->simulation.loop = &app->loop;
    uv_run(&app->loop, UV_RUN_DEFAULT);
    app->simulation.is_over = true;
    for (size_t i = 0; i < app->created; i++)
        ride_destroy(&app->rides[i]);
    close_handles(app);
    struct strbuf out;
    strbuf_init(&out, 1024);
    report_write(&app->simulation.report, app->as_json, &out);
    fputs(out.data, stdout);
    strbuf_finish(&out);
    mem_free(app->rides);
    return report_is_good(&app->simulation.report) || app->simulation.is_demo ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct app app = {.simulation = {.speed = 1, .max_speed_kmh = 200, .riders_per_ride = 1}, .ramp_s = 1};
    internal_api_defaults(&app.simulation.api);
    signal(SIGPIPE, SIG_IGN);
    int code = parse(&app, argc, argv);
    if (code < 0)
        code = run(&app);
    trace_list_finish(&app.simulation.traces);
    report_finish(&app.simulation.report);
    return code;
}
