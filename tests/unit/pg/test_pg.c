#include <criterion/criterion.h>
#include <libpq-fe.h>
#include <time.h>

#include "base/clock.h"
#include "pg/pg.h"
#include "pg/pg_array.h"
#include "pg/pg_batch.h"
#include "pg/pg_job.h"
#include "tests/support/pg_fixture.h"

struct world {
    struct pg_fixture server;
    uv_loop_t loop;
    struct pg *pg;
    unsigned ups, downs;
};

struct answer {
    bool is_done;
    unsigned count, order;
    enum pg_status status;
    size_t rows, affected;
    bool has_result;
    char value[128], sqlstate[8];
};

static unsigned answers_seen;

static void note_answer(void *context, enum pg_status status, const struct pg_result *result)
{
    struct answer *answer = context;
    answer->is_done = true;
    answer->count++;
    answer->order = ++answers_seen;
    answer->status = status;
    answer->has_result = result != NULL;
    answer->rows = pg_row_count(result);
    answer->affected = pg_affected(result);
    snprintf(answer->sqlstate, sizeof(answer->sqlstate), "%s", pg_sqlstate(result));
    if (answer->rows > 0)
        snprintf(answer->value, sizeof(answer->value), "%s",
                 pg_value(result, 0, 0) == NULL ? "(null)" : pg_value(result, 0, 0));
}

static void note_state(void *context, bool is_connected)
{
    struct world *world = context;
    *(is_connected ? &world->ups : &world->downs) += 1;
}

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

static void wait_until(struct world *world, bool (*condition)(void *), void *context)
{
    uv_timer_t tick;
    uv_timer_init(&world->loop, &tick);
    uv_timer_start(&tick, on_tick, 5, 5);
    uint64_t end_ms = clock_monotonic_ms() + 60000;
    while (!condition(context) && clock_monotonic_ms() < end_ms)
        uv_run(&world->loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&tick, NULL);
    uv_run(&world->loop, UV_RUN_NOWAIT);
    cr_assert(condition(context), "waited in vain");
}

static bool is_up(void *context)
{
    return pg_is_connected(context);
}

static bool is_down(void *context)
{
    return !pg_is_connected(context);
}

static bool is_answered(void *context)
{
    return ((struct answer *)context)->is_done;
}

static void open_world(struct world *world, unsigned connections)
{
    *world = (struct world){0};
    if (!pg_fixture_start(&world->server))
        cr_skip("PostgreSQL is not installed");
    uv_loop_init(&world->loop);
    char *error = NULL;
    world->pg = pg_create(&world->loop, world->server.url, connections, &error);
    cr_assert_not_null(world->pg, "%s", error);
    pg_on_state(world->pg, note_state, world);
    wait_until(world, is_up, world->pg);
}

static void close_world(struct world *world)
{
    pg_destroy(&world->pg);
    for (int i = 0; i < 5; i++)
        uv_run(&world->loop, UV_RUN_NOWAIT);
    cr_assert_eq(uv_loop_close(&world->loop), 0, "a handle is still open");
    pg_fixture_stop(&world->server);
}

static void send_query(struct world *world, struct answer *answer, const char *sql)
{
    *answer = (struct answer){0};
    pg_query(world->pg, sql, 0, NULL, 60000, note_answer, answer);
    cr_assert_not(answer->is_done, "never before it returns");
}

static struct answer ask(struct world *world, const char *sql)
{
    struct answer answer;
    send_query(world, &answer, sql);
    wait_until(world, is_answered, &answer);
    return answer;
}

Test(pg, answers_with_rows_parameters_and_nulls)
{
    struct world world;
    open_world(&world, 1);
    struct answer answer = {0};
    const char *const parameters[] = {"a'b", NULL};
    pg_query(world.pg, "SELECT $1::text || '!', $2::text, 42", 2, parameters, 60000, note_answer, &answer);
    wait_until(&world, is_answered, &answer);
    cr_assert_eq(answer.status, PG_OK);
    cr_assert_str_eq(answer.value, "a'b!");
    answer = (struct answer){0};
    pg_query(world.pg, "SELECT $2::text, $1::text", 2, parameters, 60000, note_answer, &answer);
    wait_until(&world, is_answered, &answer);
    cr_assert_str_eq(answer.value, "(null)");

    cr_assert_eq(ask(&world, "CREATE TABLE t (id int PRIMARY KEY)").status, PG_OK);
    cr_assert_eq(ask(&world, "INSERT INTO t SELECT generate_series(1, 7)").affected, 7);
    cr_assert_eq(ask(&world, "SELECT id FROM t WHERE id > 100").rows, 0);
    close_world(&world);
}

Test(pg, many_are_in_flight_and_answered_in_order_and_a_failure_stays_alone)
{
    struct world world;
    open_world(&world, 1);
    ask(&world, "CREATE TABLE t (id int PRIMARY KEY)");
    enum { COUNT = 200, BAD = 77 };
    static struct answer answers[COUNT];
    answers_seen = 0;
    for (int i = 0; i < COUNT; i++) {
        char sql[64];
        snprintf(sql, sizeof(sql), "INSERT INTO t VALUES (%d)", i == BAD ? BAD - 1 : i);
        send_query(&world, &answers[i], sql);
    }
    wait_until(&world, is_answered, &answers[COUNT - 1]);
    for (int i = 0; i < COUNT; i++) {
        cr_assert_eq(answers[i].order, (unsigned)i + 1);
        cr_assert_eq(answers[i].count, 1);
        cr_assert_eq(answers[i].status, i == BAD ? PG_FAILED : PG_OK);
    }
    cr_assert_str_eq(answers[BAD].sqlstate, "23505");
    cr_assert_str_eq(ask(&world, "SELECT count(*) FROM t").value, "199", "the others are kept");
    close_world(&world);
}

struct bytes {
    bool is_done;
    char data[8];
    size_t length;
};

static void note_bytes(void *context, enum pg_status status, const struct pg_result *result)
{
    struct bytes *bytes = context;
    cr_assert_eq(status, PG_OK);
    void *value = pg_value_bytes(result, 0, 0, &bytes->length);
    memcpy(bytes->data, value, bytes->length);
    mem_free(value);
    bytes->is_done = true;
}

static bool has_bytes(void *context)
{
    return ((struct bytes *)context)->is_done;
}

Test(pg, arrays_carry_anything)
{
    struct world world;
    struct pg_array texts, numbers, bytes, flags;
    open_world(&world, 1);
    struct pg_array *const arrays[] = {&texts, &numbers, &bytes, &flags};
    for (size_t i = 0; i < ARRAY_LEN(arrays); i++)
        pg_array_begin(arrays[i]);
    static const char *const awkward[] = {"", "a,b", "{x}", "say \"no\"", "back\\slash", "NULL", "é\n", NULL};
    for (size_t i = 0; i < ARRAY_LEN(awkward); i++)
        pg_array_text(&texts, awkward[i]);
    pg_array_int(&numbers, INT64_MIN);
    pg_array_bytes(&bytes, "\0\xff\\", 3);
    pg_array_bool(&flags, true);
    const char *const parameters[] = {pg_array_end(&texts), pg_array_end(&numbers), pg_array_end(&bytes),
                                      pg_array_end(&flags)};
    struct answer answer = {0};
    pg_query(world.pg,
             "SELECT string_agg(coalesce(t, '(null)'), '|' ORDER BY n) || ($2::bigint[])[1] || ($4::boolean[])[1] "
             "FROM unnest($1::text[]) WITH ORDINALITY AS u (t, n) WHERE $3::bytea[] IS NOT NULL",
             ARRAY_LEN(parameters), parameters, 60000, note_answer, &answer);
    wait_until(&world, is_answered, &answer);
    cr_assert_str_eq(answer.value, "|a,b|{x}|say \"no\"|back\\slash|NULL|é\n|(null)-9223372036854775808true");
    struct bytes read = {0};
    pg_query(world.pg, "SELECT ($1::bytea[])[1]", 1, &parameters[2], 60000, note_bytes, &read);
    wait_until(&world, has_bytes, &read);
    cr_assert_eq(read.length, 3);
    cr_assert_arr_eq(read.data, "\0\xff\\", 3);
    for (size_t i = 0; i < ARRAY_LEN(arrays); i++)
        pg_array_finish(arrays[i]);
    close_world(&world);
}

Test(pg, failures_carry_their_state)
{
    struct world world;
    open_world(&world, 1);
    struct answer syntax = ask(&world, "SELEC 1");
    cr_assert_eq(syntax.status, PG_FAILED);
    cr_assert_str_eq(syntax.sqlstate, "42601");
    struct answer division = ask(&world, "SELECT 1 / 0");
    cr_assert_eq(division.status, PG_FAILED);
    cr_assert_str_eq(division.sqlstate, "22012");
    cr_assert_eq(ask(&world, "SELECT 1").status, PG_OK);
    char *error = NULL;
    cr_assert_null(pg_create(&world.loop, "postgresql://h:notaport/x?nosuch=1", 1, &error));
    cr_assert_not_null(error);
    mem_free(error);
    close_world(&world);
}

static struct answer ask_prepared(struct world *world, const char *sql, const char *parameter)
{
    const char *const parameters[] = {parameter};
    struct answer answer = {0};
    pg_query_prepared(world->pg, sql, 1, parameters, 60000, note_answer, &answer);
    wait_until(world, is_answered, &answer);
    return answer;
}

Test(pg, a_prepared_statement_survives_its_failures)
{
    static const char division[] = "SELECT 10 / $1::int", later[] = "SELECT count(*) FROM later WHERE $1::int = 1";
    struct world world;
    open_world(&world, 1);
    cr_assert_str_eq(ask_prepared(&world, division, "2").value, "5");
    cr_assert_str_eq(ask_prepared(&world, division, "0").sqlstate, "22012");
    cr_assert_str_eq(ask_prepared(&world, division, "5").value, "2");
    struct answer refused = ask_prepared(&world, later, "1");
    cr_assert_eq(refused.status, PG_FAILED);
    cr_assert_str_eq(refused.sqlstate, "42P01", "why it could not be prepared, got %s", refused.sqlstate);
    ask(&world, "CREATE TABLE later (x int)");
    cr_assert_str_eq(ask_prepared(&world, later, "1").value, "0");
    cr_assert_str_eq(ask(&world, "SELECT count(*) FROM pg_prepared_statements").value, "2");
    close_world(&world);
}

/* From a connection of its own, as an administrator does. */
static void terminate_sleeper(struct world *world)
{
    PGconn *connection = PQconnectdb(world->server.url);
    int killed = 0;
    for (int tries = 0; killed == 0 && tries < 6000; tries++) {
        nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
        PGresult *result = PQexec(connection, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                                              "WHERE query LIKE '%sleep(300)%' AND pid <> pg_backend_pid()");
        killed = PQntuples(result);
        PQclear(result);
    }
    PQfinish(connection);
    cr_assert_eq(killed, 1);
}

Test(pg, a_query_cut_in_flight_is_uncertain_and_the_connection_comes_back)
{
    struct world world;
    open_world(&world, 2);
    struct answer slow, behind[2];
    send_query(&world, &slow, "SELECT pg_sleep(300)");
    uv_run(&world.loop, UV_RUN_NOWAIT);
    terminate_sleeper(&world);
    wait_until(&world, is_answered, &slow);
    cr_assert_eq(slow.status, PG_UNCERTAIN);
    cr_assert_not(slow.has_result);
    wait_until(&world, is_up, world.pg);
    world.ups = world.downs = 0;

    send_query(&world, &slow, "SELECT pg_sleep(300)");
    send_query(&world, &behind[0], "SELECT pg_sleep(300)");
    pg_fixture_kill(&world.server);
    wait_until(&world, is_answered, &slow);
    wait_until(&world, is_answered, &behind[0]);
    cr_assert_eq(slow.status, PG_UNCERTAIN);
    cr_assert_eq(behind[0].status, PG_UNCERTAIN);
    wait_until(&world, is_down, world.pg);
    uint64_t asked_ms = clock_monotonic_ms();
    cr_assert_eq(ask(&world, "SELECT 1").status, PG_UNAVAILABLE);
    cr_assert_lt(clock_monotonic_ms() - asked_ms, 30000, "refused at once, long before its deadline");

    pg_fixture_restart(&world.server);
    wait_until(&world, is_up, world.pg);
    cr_assert_eq(ask(&world, "SELECT 1").status, PG_OK);
    cr_assert_eq(world.ups, 1);
    cr_assert_eq(world.downs, 1);
    close_world(&world);
}

Test(pg, a_passed_deadline_is_uncertain_and_a_stuck_connection_is_replaced)
{
    struct world world;
    open_world(&world, 1);
    struct answer late = {0};
    pg_query(world.pg, "SELECT pg_sleep(0.3)", 0, NULL, 100, note_answer, &late);
    struct answer behind;
    send_query(&world, &behind, "SELECT 'behind'");
    wait_until(&world, is_answered, &late);
    cr_assert_eq(late.status, PG_UNCERTAIN);
    wait_until(&world, is_answered, &behind);
    cr_assert_lt(late.order, behind.order);
    cr_assert_str_eq(behind.value, "behind", "a late answer is not taken for the next one's");
    cr_assert_eq(late.count, 1);

    late = (struct answer){0};
    pg_query(world.pg, "SELECT pg_sleep(600)", 0, NULL, 100, note_answer, &late);
    wait_until(&world, is_answered, &late);
    wait_until(&world, is_down, world.pg);
    wait_until(&world, is_up, world.pg);
    cr_assert_eq(ask(&world, "SELECT 1").status, PG_OK);
    close_world(&world);
}

static void destroy_in_callback(void *context, enum pg_status status, const struct pg_result *result)
{
    (void)result;
    struct world *world = context;
    cr_assert_eq(status, PG_OK);
    pg_destroy(&world->pg);
}

static bool is_destroyed(void *context)
{
    return ((struct world *)context)->pg == NULL;
}

Test(pg, may_be_destroyed_with_queries_under_way)
{
    struct world world;
    open_world(&world, 2);
    struct answer never[8];
    pg_query(world.pg, "SELECT 1", 0, NULL, 60000, destroy_in_callback, &world);
    for (int i = 0; i < 8; i++)
        send_query(&world, &never[i], "SELECT pg_sleep(300)");
    wait_until(&world, is_destroyed, &world);
    for (int i = 0; i < 8; i++)
        cr_assert_not(never[i].is_done);
    close_world(&world);
}

/* --- batches ------------------------------------------------------------------------------------------------------ */

#define ITEMS 5000
struct batch_item {
    struct list_node node;
    int number, ended, committed;
};

struct batch_world {
    struct world *world;
    struct pg_batch *batch;
    struct batch_item items[ITEMS];
    int statements;
};

static void note_written(void *context, enum pg_status status, const struct pg_result *result)
{
    pg_batch_written(((struct batch_world *)context)->batch, status, result);
}

static void write_items(void *context, const struct list_node *items)
{
    struct batch_world *batches = context;
    struct pg_array numbers;
    const char *parameter;
    pg_arrays_begin(&numbers, 1);
    LIST_EACH(items, node)
    pg_array_int(&numbers, CONTAINER_OF(node, const struct batch_item, node)->number);
    pg_arrays_end(&numbers, 1, &parameter);
    cr_assert_leq(numbers.count, 100);
    batches->statements++;
    pg_query(batches->world->pg, "INSERT INTO batch_items SELECT unnest($1::int[]) ON CONFLICT DO NOTHING", 1,
             &parameter, 2000, note_written, batches);
    pg_arrays_finish(&numbers, 1);
}

static void end_item(void *context, struct list_node *node, bool is_committed)
{
    (void)context;
    struct batch_item *item = CONTAINER_OF(node, struct batch_item, node);
    item->ended++;
    item->committed += is_committed;
}

static bool is_written(void *context)
{
    return pg_batch_count(((struct batch_world *)context)->batch) == 0;
}

static bool has_begun(void *context)
{
    return ((struct batch_world *)context)->items[150].committed;
}

static struct pg_batch *make_batch(struct batch_world *batches, struct world *world)
{
    const struct pg_batch_config config = {.loop = &world->loop,
                                           .name = "test",
                                           .limit = 100,
                                           .linger_ms = 1,
                                           .write = write_items,
                                           .end = end_item,
                                           .context = batches};
    return pg_batch_create(&config);
}

Test(pg, a_batch_is_written_again_until_it_is_certain)
{
    struct world world;
    static struct batch_world batches;
    open_world(&world, 1);
    cr_assert_eq(ask(&world, "CREATE TABLE batch_items (number int PRIMARY KEY)").status, PG_OK);
    batches.world = &world;
    batches.batch = make_batch(&batches, &world);
    for (int i = 0; i < ITEMS; i++) {
        batches.items[i].number = i;
        pg_batch_add(batches.batch, &batches.items[i].node);
    }
    wait_until(&world, has_begun, &batches);
    pg_fixture_kill(&world.server);
    pg_fixture_restart(&world.server);
    wait_until(&world, is_written, &batches);
    for (int i = 0; i < ITEMS; i++)
        cr_assert(batches.items[i].ended == 1 && batches.items[i].committed == 1);
    cr_assert_str_eq(ask(&world, "SELECT count(*) FROM batch_items").value, "5000");
    cr_assert_geq(batches.statements, ITEMS / 100);
    pg_batch_destroy(&batches.batch);
    close_world(&world);
}

Test(pg, a_batch_that_is_destroyed_ends_its_items_uncommitted)
{
    struct world world;
    static struct batch_world batches;
    open_world(&world, 1);
    batches.world = &world;
    batches.batch = make_batch(&batches, &world);
    for (int i = 0; i < 150; i++)
        pg_batch_add(batches.batch, &batches.items[i].node);
    pg_destroy(&world.pg);
    pg_batch_destroy(&batches.batch);
    for (int i = 0; i < 150; i++)
        cr_assert(batches.items[i].ended == 1 && batches.items[i].committed == 0);
    close_world(&world);
}

/* --- jobs --------------------------------------------------------------------------------------------------------- */

struct job_world {
    struct pg *pg;
    unsigned runs, wanted;
};

static void count_run(void *context)
{
    struct job_world *jobs = context;
    cr_assert(pg_is_connected(jobs->pg));
    jobs->runs++;
}

static bool has_run(void *context)
{
    return ((struct job_world *)context)->runs >= ((struct job_world *)context)->wanted;
}

Test(pg, a_job_comes_back_while_the_database_is_there)
{
    struct world world;
    open_world(&world, 1);
    struct job_world jobs = {.pg = world.pg, .wanted = 3};
    struct pg_job *job = pg_job_create(&world.loop, world.pg, 1, count_run, &jobs);
    cr_assert_eq(jobs.runs, 0);
    wait_until(&world, has_run, &jobs);
    pg_fixture_kill(&world.server);
    wait_until(&world, is_down, world.pg);
    pg_fixture_restart(&world.server);
    wait_until(&world, is_up, world.pg);
    jobs.wanted = jobs.runs + 2;
    wait_until(&world, has_run, &jobs);
    pg_destroy(&world.pg);
    pg_job_destroy(&job);
    cr_assert_null(job);
    pg_job_destroy(&job);
    close_world(&world);
}

Test(pg, a_job_that_is_woken_runs_at_once)
{
    struct world world;
    open_world(&world, 1);
    struct job_world jobs = {.pg = world.pg, .wanted = 1};
    struct pg_job *job = pg_job_create(&world.loop, world.pg, 3600000, count_run, &jobs);
    pg_job_wake(job);
    cr_assert_eq(jobs.runs, 0, "never before it returns");
    wait_until(&world, has_run, &jobs);
    cr_assert_eq(jobs.runs, 1);
    pg_job_destroy(&job);
    close_world(&world);
}
