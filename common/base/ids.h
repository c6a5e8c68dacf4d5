#ifndef HANSOM_IDS_H
#define HANSOM_IDS_H
/* Identifiers, hashes and partitions. */
#include "base/base.h"

#define ID_LENGTH_MAX 64
#define ID_SIZE (ID_LENGTH_MAX + 1)
#define UUID_SIZE 37
#define PARTITION_COUNT 64

/* [A-Za-z0-9_-]{1,64}, PROTOCOL section 4. */
bool id_is_valid(const char *text, size_t length);
/* The same, of a string. */
bool is_id(const char *text);
/* FNV-1a, 64 bit. */
uint64_t hash_fnv1a64(const void *bytes, size_t length);
/* 0..PARTITION_COUNT-1; part of the bus contract: every service must agree. */
uint32_t partition_of(const char *id);
/* Random version 4 UUID (getrandom), lower case. */
void uuid_generate(char buffer[UUID_SIZE]);
/* RFC 9562 version 7: sorts by its time. */
void uuid7_generate(char buffer[UUID_SIZE], int64_t unix_ms);
/* False: it is no version 7 UUID. */
MUST_CHECK bool uuid7_time(const char *text, int64_t *unix_ms_r);
/* Random bytes from the kernel; ends the process if there are none. */
void random_bytes(void *buffer, size_t length);
/* Uniform in [0, bound); bound > 0. Not for secrets. */
uint64_t random_below(uint64_t bound);

#endif
