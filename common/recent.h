/*
 * Where the next thing goes in a table of the last ones: a free place, or that of the oldest when there is none.
 *
 * Used by every process that remembers what comes from outside; no privilege, no side effect.
 */
#pragma once

#include <stddef.h>

/* Zero is an empty table. */
struct recent {
    size_t count;
    size_t oldest; /* is the next to be replaced when the table is full */
};

/* The place of the next one in a table of `size`. */
static inline size_t recent_next(struct recent *recent, size_t size)
{
    size_t oldest = recent->oldest;

    if (recent->count < size)
        return recent->count++;
    recent->oldest = (oldest + 1) % size;
    return oldest;
}
