#include <criterion/criterion.h>
#include <libpq-fe.h>
#include <unistd.h>

#include "base/base.h"
#include "pg/migrate.h"
#include "tests/support/pg_fixture.h"
#include "tests/support/test_folder.h"

struct folder {
    char path[128];
};

static void write_file(const struct folder *folder, const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", folder->path, name);
    FILE *file = fopen(path, "w");
    fputs(text, file);
    fclose(file);
}

static void make_folder(struct folder *folder)
{
    test_folder_template(folder->path, sizeof(folder->path), "migrate");
    cr_assert_not_null(mkdtemp(folder->path));
}

static void remove_folder(const struct folder *folder)
{
    char command[160];
    snprintf(command, sizeof(command), "rm -r '%s'", folder->path);
    cr_assert_eq(system(command), 0);
}

static void expect_applied(struct pg_fixture *server, const struct folder *folder, unsigned expected)
{
    unsigned applied = 0;
    char *error = NULL;
    bool is_good = migrate_run(server->url, folder->path, NULL, NULL, &applied, &error);
    cr_assert(is_good, "%s", error);
    cr_assert_eq(applied, expected, "%u applied, expected %u", applied, expected);
}

static void expect_refused(struct pg_fixture *server, const struct folder *folder, const char *named)
{
    unsigned applied = 0;
    char *error = NULL;
    cr_assert_not(migrate_run(server->url, folder->path, NULL, NULL, &applied, &error));
    cr_assert(strstr(error, named) != NULL, "%s", error);
    cr_assert_eq(applied, 0);
    mem_free(error);
}

static bool has_table(struct pg_fixture *server, const char *name)
{
    PGconn *connection = PQconnectdb(server->url);
    const char *const parameters[] = {name};
    PGresult *result =
        PQexecParams(connection, "SELECT 1 WHERE to_regclass($1) IS NOT NULL", 1, NULL, parameters, NULL, NULL, 0);
    bool has = PQntuples(result) == 1;
    PQclear(result);
    PQfinish(connection);
    return has;
}

Test(migrate, applies_once_in_order_and_refuses_a_changed_file)
{
    struct pg_fixture server;
    if (!pg_fixture_start(&server))
        cr_skip("PostgreSQL is not installed");
    struct folder folder;
    make_folder(&folder);
    expect_refused(&server, &folder, folder.path);
    write_file(&folder, "0002_b.sql", "ALTER TABLE a ADD COLUMN two int;");
    write_file(&folder, "0001_a.sql", "CREATE TABLE a (one int); INSERT INTO a VALUES (1);");
    write_file(&folder, "README.md", "not SQL");
    expect_applied(&server, &folder, 2);
    expect_applied(&server, &folder, 0);

    write_file(&folder, "0003_c.sql", "CREATE TABLE c (id int); CREATE TABLE a (id int);");
    expect_refused(&server, &folder, "0003_c.sql");
    cr_assert_not(has_table(&server, "c"), "a file is applied whole or not at all");
    write_file(&folder, "0003_c.sql", "CREATE TABLE c (id int);");
    expect_applied(&server, &folder, 1);
    cr_assert(has_table(&server, "c"));

    write_file(&folder, "0001_a.sql", "CREATE TABLE a (one bigint);");
    expect_refused(&server, &folder, "0001_a.sql: was changed");
    remove_folder(&folder);
    pg_fixture_stop(&server);
}

Test(migrate, the_repository_own_files_apply)
{
    struct pg_fixture server;
    if (!pg_fixture_start(&server))
        cr_skip("PostgreSQL is not installed");
    unsigned applied = 0;
    char *error = NULL;
    cr_assert(migrate_run(server.url, HANSOM_MIGRATIONS, NULL, NULL, &applied, &error), "%s", error);
    cr_assert_gt(applied, 0);
    cr_assert(has_table(&server, "bookings"));
    pg_fixture_stop(&server);
}
