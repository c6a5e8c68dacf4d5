#include "base/ids.h"

#include <ctype.h>
#include <stdio.h>
#include <sys/random.h>

bool id_is_valid(const char *text, size_t length)
{
    if (length < 1 || length > ID_LENGTH_MAX)
        return false;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        bool is_allowed =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
        if (!is_allowed)
            return false;
    }
    return true;
}

bool is_id(const char *text)
{
    return id_is_valid(text, strlen(text));
}

/* Offset basis and prime of FNV-1a, 64 bit (Fowler, Noll, Vo; draft-eastlake-fnv). */
uint64_t hash_fnv1a64(const void *bytes, size_t length)
{
    const unsigned char *at = bytes;
    uint64_t hash = 0xcbf29ce484222325ull;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ at[i]) * 0x100000001b3ull;
    return hash;
}

uint32_t partition_of(const char *id)
{
    return (uint32_t)(hash_fnv1a64(id, strlen(id)) % PARTITION_COUNT);
}

void random_bytes(void *buffer, size_t length)
{
    ASSERT(length <= 256); /* getrandom never returns less than this much once it is seeded */
    ASSERT(getrandom(buffer, length, 0) == (ssize_t)length);
}

uint64_t random_below(uint64_t bound)
{
    /* splitmix64 (S. Vigna), seeded from the kernel; the modulo's bias does not matter for jitter. */
    static _Thread_local uint64_t state;
    if (state == 0)
        random_bytes(&state, sizeof(state));
    uint64_t mixed = (state += 0x9e3779b97f4a7c15ull);
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9ull;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebull;
    return (mixed ^ (mixed >> 31)) % bound;
}

#define UUID_VERSION_4 0x40
#define UUID_VERSION_7 0x70

static void write_uuid(unsigned char raw[16], unsigned char version, char buffer[UUID_SIZE])
{
    raw[6] = (unsigned char)((raw[6] & 0x0f) | version);
    raw[8] = (unsigned char)((raw[8] & 0x3f) | 0x80);
    static const char hex[] = "0123456789abcdef";
    size_t at = 0;
    for (size_t i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            buffer[at++] = '-';
        buffer[at++] = hex[raw[i] >> 4];
        buffer[at++] = hex[raw[i] & 15];
    }
    buffer[at] = '\0';
}

void uuid_generate(char buffer[UUID_SIZE])
{
    unsigned char raw[16];
    random_bytes(raw, sizeof(raw));
    write_uuid(raw, UUID_VERSION_4, buffer);
}

void uuid7_generate(char buffer[UUID_SIZE], int64_t unix_ms)
{
    unsigned char raw[16];
    random_bytes(raw, sizeof(raw));
    for (size_t i = 0; i < 6; i++)
        raw[i] = (unsigned char)(unix_ms >> (8 * (5 - i)));
    write_uuid(raw, UUID_VERSION_7, buffer);
}

bool uuid7_time(const char *text, int64_t *unix_ms_r)
{
    int64_t value = 0;
    if (strlen(text) != UUID_SIZE - 1 || text[14] != '7' || strchr("89abAB", text[19]) == NULL)
        return false;
    for (size_t i = 0; i < UUID_SIZE - 1; i++) {
        bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (is_dash ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
            return false;
        if (i < 13 && !is_dash)
            value = value << 4 | (int64_t)(text[i] <= '9' ? text[i] - '0' : (text[i] | 0x20) - 'a' + 10);
    }
    *unix_ms_r = value;
    return true;
}
