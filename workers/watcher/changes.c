/* The containers that Docker has to be asked about again; see changes.h. Pure, no privilege. */
#include "workers/watcher/changes.h"

#include "common/clock.h"
#include "common/text.h"

#include <string.h>

/* After each check the time to the next one. The last is within the 5 s that DISC-6 promises. */
static const uint64_t check_delays[] = {
    50 * MICROSECONDS_PER_MILLISECOND,
    500 * MICROSECONDS_PER_MILLISECOND,
    3 * MICROSECONDS_PER_SECOND,
};

/* The place of `id` in `changes`; its count when it is not there. */
static size_t find(const struct changes *changes, const char *id)
{
    size_t i = 0;

    while (i < changes->count && strcmp(changes->items[i].id, id) != 0)
        i++;
    return i;
}

static uint64_t earlier_event(uint64_t a, uint64_t b)
{
    if (a == 0 || b == 0)
        return a + b;
    return a < b ? a : b;
}

int changes_note(struct changes *changes, const char *id, uint64_t event_time, uint64_t now)
{
    size_t place = find(changes, id);
    struct change *change = &changes->items[place];

    if (place < changes->count) {
        /* One that only waits for its confirmation: what it waited for is another matter than this event. */
        change->event_time = change->checks > 0 ? event_time : earlier_event(change->event_time, event_time);
        change->checks = 0;
        change->due = now;
        return 0;
    }
    if (changes->count == CHANGES_MAX)
        return -ENOSPC;
    changes->count++;
    *change = (struct change){.event_time = event_time, .due = now};
    text_copy_cut(change->id, sizeof(change->id), id);
    return 0;
}

bool changes_contain(const struct changes *changes, const char *id)
{
    return find(changes, id) < changes->count;
}

size_t changes_take(struct changes *changes, uint64_t now, struct change *taken, size_t capacity)
{
    size_t count = 0;
    size_t kept = 0;

    for (size_t i = 0; i < changes->count; i++) {
        if (changes->items[i].due <= now && count < capacity)
            taken[count++] = changes->items[i];
        else
            changes->items[kept++] = changes->items[i];
    }
    changes->count = kept;
    return count;
}

void changes_put_back(struct changes *changes, const struct change *taken, size_t count, uint64_t now)
{
    for (size_t i = 0; i < count && changes->count < CHANGES_MAX; i++) {
        struct change *change;

        if (taken[i].checks >= ARRAY_LENGTH(check_delays) || changes_contain(changes, taken[i].id))
            continue;
        change = &changes->items[changes->count++];
        *change = taken[i];
        change->due = now + check_delays[change->checks++];
    }
}

uint64_t changes_next_due(const struct changes *changes)
{
    uint64_t next = UINT64_MAX;

    for (size_t i = 0; i < changes->count; i++) {
        if (changes->items[i].due < next)
            next = changes->items[i].due;
    }
    return next;
}
