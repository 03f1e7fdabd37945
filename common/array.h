/*
 * Arrays that grow.
 *
 * Used by every process; header only, no privilege.
 */
#pragma once

#include <stddef.h>
#include <stdlib.h>

/* Elements of the first allocation. */
#define ARRAY_FIRST_CAPACITY 16

/* Makes room behind `count` elements of `size` bytes for one more; *capacity is in elements, 0 for NULL. Returns the
 * array, or NULL without memory: the old one stays valid then. */
static inline void *array_grow(void *array, size_t count, size_t *capacity, size_t size)
{
    size_t wanted = *capacity ? *capacity * 2 : ARRAY_FIRST_CAPACITY;
    void *grown;

    if (count < *capacity)
        return array;
    grown = reallocarray(array, wanted, size);
    if (grown)
        *capacity = wanted;
    return grown;
}
