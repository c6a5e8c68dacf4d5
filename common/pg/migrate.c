#include "pg/migrate.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <libpq-fe.h>
#include <openssl/sha.h>

#include "base/file.h"

#define NUMBER_DIGITS 4
/* Any constant: who takes this lock migrates. */
#define LOCK_SQL "SELECT pg_advisory_lock(7305804402)"

struct migration {
    unsigned version;
    const char *name;
    struct strbuf content;
    char sha256[2 * SHA256_DIGEST_LENGTH + 1];
};

struct run {
    PGconn *connection;
    const char *folder;
    struct dirent **entries;
    int entry_count;
    migrate_applied_cb *on_applied;
    void *context;
    unsigned applied;
    char **error_r;
};

PRINTF_LIKE(2, 3) static bool fail(struct run *run, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    text[strcspn(text, "\n")] = '\0';
    *run->error_r = mem_strdup(text);
    return false;
}

static bool execute(struct run *run, const char *sql, const char *what)
{
    PGresult *result = PQexec(run->connection, sql);
    ExecStatusType status = PQresultStatus(result);
    PQclear(result);
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK)
        return true;
    return fail(run, "%s: %s", what, PQerrorMessage(run->connection));
}

/* --- the folder --------------------------------------------------------------------------------------------------- */

static bool is_numbered(const char *name)
{
    for (int i = 0; i < NUMBER_DIGITS; i++)
        if (!isdigit((unsigned char)name[i]))
            return false;
    size_t length = strlen(name);
    return name[NUMBER_DIGITS] == '_' && length > 4 && str_equal(name + length - 4, ".sql");
}

static int is_migration(const struct dirent *entry)
{
    return is_numbered(entry->d_name) ? 1 : 0;
}

static unsigned version_of(const char *name)
{
    return (unsigned)strtoul(name, NULL, 10);
}

static bool list_folder(struct run *run)
{
    run->entry_count = scandir(run->folder, &run->entries, is_migration, alphasort);
    if (run->entry_count < 0) {
        run->entry_count = 0;
        return fail(run, "%s: %s", run->folder, strerror(errno));
    }
    if (run->entry_count == 0)
        return fail(run, "%s: holds no file like 0001_name.sql", run->folder);
    for (int i = 1; i < run->entry_count; i++)
        if (version_of(run->entries[i]->d_name) == version_of(run->entries[i - 1]->d_name))
            return fail(run, "%s: its number is taken by %s", run->entries[i]->d_name, run->entries[i - 1]->d_name);
    return true;
}

static void digest(struct migration *migration)
{
    unsigned char hash[SHA256_DIGEST_LENGTH];
    SHA256((const unsigned char *)migration->content.data, migration->content.length, hash);
    for (size_t i = 0; i < sizeof(hash); i++)
        snprintf(migration->sha256 + 2 * i, 3, "%02x", hash[i]);
}

/* --- one file ----------------------------------------------------------------------------------------------------- */

enum presence { ABSENT, PRESENT, UNKNOWN };

static enum presence is_applied(struct run *run, const struct migration *migration)
{
    char version[16];
    snprintf(version, sizeof(version), "%u", migration->version);
    const char *const parameters[] = {version};
    PGresult *result = PQexecParams(run->connection, "SELECT sha256 FROM schema_migrations WHERE version = $1", 1, NULL,
                                    parameters, NULL, NULL, 0);
    enum presence presence = ABSENT;
    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        fail(run, "schema_migrations: %s", PQerrorMessage(run->connection));
        presence = UNKNOWN;
    } else if (PQntuples(result) > 0) {
        presence = PRESENT;
        if (!str_equal(PQgetvalue(result, 0, 0), migration->sha256)) {
            fail(run, "%s: was changed after it had been applied; write a new file instead", migration->name);
            presence = UNKNOWN;
        }
    }
    PQclear(result);
    return presence;
}

static bool note_applied(struct run *run, const struct migration *migration)
{
    char version[16];
    snprintf(version, sizeof(version), "%u", migration->version);
    const char *const parameters[] = {version, migration->name, migration->sha256};
    PGresult *result =
        PQexecParams(run->connection, "INSERT INTO schema_migrations (version, name, sha256) VALUES ($1, $2, $3)", 3,
                     NULL, parameters, NULL, NULL, 0);
    bool is_noted = PQresultStatus(result) == PGRES_COMMAND_OK;
    PQclear(result);
    return is_noted || fail(run, "%s: %s", migration->name, PQerrorMessage(run->connection));
}

static bool apply(struct run *run, const struct migration *migration)
{
    if (!execute(run, "BEGIN", migration->name))
        return false;
    if (!execute(run, migration->content.data, migration->name) || !note_applied(run, migration)) {
        PQclear(PQexec(run->connection, "ROLLBACK"));
        return false;
    }
    if (!execute(run, "COMMIT", migration->name))
        return false;
    run->applied++;
    if (run->on_applied != NULL)
        run->on_applied(run->context, migration->name);
    return true;
}

static bool apply_if_new(struct run *run, struct migration *migration)
{
    struct strbuf path;
    strbuf_init(&path, 256);
    strbuf_appendf(&path, "%s/%s", run->folder, migration->name);
    bool is_good = file_read(path.data, &migration->content, run->error_r);
    strbuf_finish(&path);
    if (!is_good)
        return false;
    digest(migration);
    enum presence presence = is_applied(run, migration);
    return presence == PRESENT || (presence == ABSENT && apply(run, migration));
}

static bool run_file(struct run *run, const char *name)
{
    struct migration migration = {.version = version_of(name), .name = name};
    strbuf_init(&migration.content, 4096);
    bool is_good = apply_if_new(run, &migration);
    strbuf_finish(&migration.content);
    return is_good;
}

/* --- all of it ---------------------------------------------------------------------------------------------------- */

static bool prepare(struct run *run)
{
    if (PQstatus(run->connection) != CONNECTION_OK)
        return fail(run, "database: %s", PQerrorMessage(run->connection));
    return execute(run, "SET client_min_messages = warning; SET lock_timeout = '60s'", "database") &&
           execute(run, LOCK_SQL, "waiting for another migration") &&
           execute(run,
                   "CREATE TABLE IF NOT EXISTS schema_migrations (version integer PRIMARY KEY, name text NOT NULL, "
                   "sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())",
                   "schema_migrations");
}

static bool run_all(struct run *run)
{
    if (!list_folder(run) || !prepare(run))
        return false;
    for (int i = 0; i < run->entry_count; i++)
        if (!run_file(run, run->entries[i]->d_name))
            return false;
    return true;
}

bool migrate_run(const char *database_url, const char *folder, migrate_applied_cb *on_applied, void *context,
                 unsigned *applied_r, char **error_r)
{
    struct run run = {.folder = folder, .on_applied = on_applied, .context = context, .error_r = error_r};
    const char *const keywords[] = {"connect_timeout", "dbname", "fallback_application_name", NULL};
    const char *const values[] = {"10", database_url, "hansom-migrate", NULL};
    run.connection = PQconnectdbParams(keywords, values, 1);
    bool is_good = run_all(&run);
    *applied_r = run.applied;
    PQfinish(run.connection); /* lets the lock go */
    for (int i = 0; i < run.entry_count; i++)
        free(run.entries[i]);
    free(run.entries);
    return is_good;
}
