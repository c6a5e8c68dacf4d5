#include "base/ids.h"

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

void uuid_generate(char buffer[UUID_SIZE])
{
    unsigned char raw[16];
    random_bytes(raw, sizeof(raw));
    raw[6] = (unsigned char)((raw[6] & 0x0f) | 0x40);
    raw[8] = (unsigned char)((raw[8] & 0x3f) | 0x80);
    static const char hex[] = "0123456789abcdef";
    size_t at = 0;
    for (size_t i = 0; i < sizeof(raw); i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            buffer[at++] = '-';
        buffer[at++] = hex[raw[i] >> 4];
        buffer[at++] = hex[raw[i] & 15];
    }
    buffer[at] = '\0';
}
