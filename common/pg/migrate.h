#ifndef HANSOM_MIGRATE_H
#define HANSOM_MIGRATE_H
/*
 * Brings a database's tables up to date from a folder of numbered files (0001_name.sql). Forward only: what was applied
 * stands in table schema_migrations with its SHA-256, and a file that was changed afterwards is refused. Each file is
 * one transaction; an advisory lock keeps two runs apart. Blocks: for start-up and for tools.
 */
#include "base/base.h"

typedef void migrate_applied_cb(void *context, const char *file_name);

/* Calls on_applied (may be NULL) after each file. False with *error_r (mem_free) that names the file; the files before
 * it stay applied. */
MUST_CHECK bool migrate_run(const char *database_url, const char *folder, migrate_applied_cb *on_applied, void *context,
                            unsigned *applied_r, char **error_r);

#endif
