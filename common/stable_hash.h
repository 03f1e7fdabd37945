/*
 * A hash that is the same on every machine and in every version: FNV-1a of 128 bits (draft-eastlake-fnv). No secret
 * depends on what is made of it; it must only differ for different texts, and needs no library.
 *
 * Used by the supervisor for identifiers that outlive it. Pure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

__extension__ typedef unsigned __int128 stable_hash;

#define STABLE_HASH(high, low) (((stable_hash)UINT64_C(high) << 64) | UINT64_C(low))
#define STABLE_HASH_BASIS      STABLE_HASH(0x6c62272e07bb0142, 0x62b821756295c58d)
#define STABLE_HASH_PRIME      STABLE_HASH(0x0000000001000000, 0x000000000000013b)

static inline stable_hash stable_hash_bytes(stable_hash state, const void *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        state = (state ^ ((const uint8_t *)bytes)[i]) * STABLE_HASH_PRIME;
    return state;
}

static inline stable_hash stable_hash_text(stable_hash state, const char *text)
{
    return stable_hash_bytes(state, text, strlen(text));
}
