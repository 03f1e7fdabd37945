/*
 * Memory that a short-lived command takes piece by piece and gives back as a whole.
 *
 * Used by anchord-wrap and `anchord doctor files`; no privilege. Pieces are zeroed, aligned for any type and never
 * move.
 */
#pragma once

#include <stddef.h>

struct arena_block;

struct arena {
    struct arena_block *blocks;
    size_t used; /* of the newest block */
};

/* `count` elements of `size` bytes, or NULL without memory. */
void *arena_allocate(struct arena *arena, size_t count, size_t size);

/* A copy of `length` bytes with a NUL behind them, or NULL. */
char *arena_copy(struct arena *arena, const void *bytes, size_t length);

/* printf into the arena; NULL without memory. */
char *arena_format(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Frees everything; the arena is as new. */
void arena_release(struct arena *arena);
