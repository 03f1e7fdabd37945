/* Memory given back as a whole; see arena.h. Runs without any privilege. */
#include "workers/compose/arena.h"

#include "common/cleanup.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define BLOCK_SIZE ((size_t)64 * 1024)

struct arena_block {
    struct arena_block *older;
    size_t size;
    _Alignas(max_align_t) unsigned char bytes[];
};

static int add_block(struct arena *arena, size_t size)
{
    struct arena_block *block = calloc(1, sizeof(*block) + size);

    if (!block)
        return -ENOMEM;
    block->older = arena->blocks;
    block->size = size;
    arena->blocks = block;
    arena->used = 0;
    return 0;
}

void *arena_allocate(struct arena *arena, size_t count, size_t size)
{
    size_t wanted;
    void *piece;

    if (__builtin_mul_overflow(count, size, &wanted) || wanted > PTRDIFF_MAX - BLOCK_SIZE)
        return NULL;
    wanted = (wanted + _Alignof(max_align_t) - 1) / _Alignof(max_align_t) * _Alignof(max_align_t);
    if ((!arena->blocks || arena->blocks->size - arena->used < wanted) &&
        add_block(arena, wanted > BLOCK_SIZE ? wanted : BLOCK_SIZE) < 0)
        return NULL;
    piece = arena->blocks->bytes + arena->used;
    arena->used += wanted;
    return piece;
}

char *arena_copy(struct arena *arena, const void *bytes, size_t length)
{
    char *copy = arena_allocate(arena, length + 1, 1);

    if (copy && length > 0)
        memcpy(copy, bytes, length);
    return copy;
}

char *arena_format(struct arena *arena, const char *format, ...)
{
    va_list arguments;
    char *text;
    int length;

    va_start(arguments, format);
    length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0)
        return NULL;
    text = arena_allocate(arena, (size_t)length + 1, 1);
    if (!text)
        return NULL;
    va_start(arguments, format);
    (void)vsnprintf(text, (size_t)length + 1, format, arguments);
    va_end(arguments);
    return text;
}

void arena_release(struct arena *arena)
{
    while (arena->blocks) {
        struct arena_block *older = arena->blocks->older;

        free(arena->blocks);
        arena->blocks = older;
    }
    arena->used = 0;
}
