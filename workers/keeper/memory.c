/* What the keeper remembers; see memory.h. Pure, no privilege. */
#include "workers/keeper/memory.h"

#include "common/clock.h"
#include "common/text.h"
#include "protocol/problems.h"

#include <string.h>

#define DELAY_FIRST MICROSECONDS_PER_SECOND /* LIFE-6: not twice within 1 s */
#define DELAY_MAX   (60 * MICROSECONDS_PER_SECOND)
/* Calm for so long after the delay that was due ends the record. */
#define CALM (60 * MICROSECONDS_PER_SECOND)

struct memory_entry *memory_see(struct memory *memory, const char *name)
{
    struct memory_entry *entry = NULL;

    HASH_FIND_STR(memory->entries, name, entry);
    if (!entry) {
        entry = calloc(1, sizeof(*entry));
        if (!entry)
            return NULL;
        text_copy_cut(entry->name, sizeof(entry->name), name);
        HASH_ADD_STR(memory->entries, name, entry);
        if (!entry->hh.tbl) {
            free(entry);
            return NULL;
        }
    }
    entry->is_seen = true;
    return entry;
}

const struct memory_entry *memory_find(const struct memory *memory, const char *name)
{
    const struct memory_entry *entry = NULL;

    HASH_FIND_STR(memory->entries, name, entry);
    return entry;
}

bool memory_note_finding(struct memory_entry *entry, const char *finding)
{
    char cut[FINDING_REASON_SIZE];

    text_copy_cut(cut, sizeof(cut), finding);
    if (strcmp(cut, entry->finding) == 0)
        return false;
    memcpy(entry->finding, cut, sizeof(cut));
    return true;
}

void memory_note_target(struct memory_entry *entry, const char *joined, const char *name)
{
    text_copy_cut(entry->joined, sizeof(entry->joined), joined);
    text_copy_cut(entry->target_name, sizeof(entry->target_name), name);
}

int memory_tell(const struct memory *memory, finding_handler handler, void *userdata)
{
    const struct memory_entry *entry, *next;
    size_t count = 0;
    int result = 0;

    HASH_ITER (hh, memory->entries, entry, next) {
        struct wire_finding finding = {.kind = FINDING_PROBLEM, .problem = PROBLEM_NOT_REPAIRED};

        if (entry->finding[0] == '\0' || count == FINDINGS_MAX || result < 0)
            continue;
        count++;
        memcpy(finding.container, entry->name, sizeof(finding.container)); /* each of the same size */
        memcpy(finding.reason, entry->finding, sizeof(finding.reason));
        result = handler(userdata, &finding);
    }
    return result;
}

void memory_sweep(struct memory *memory)
{
    struct memory_entry *entry, *next;

    HASH_ITER (hh, memory->entries, entry, next) {
        if (!entry->is_seen) {
            HASH_DEL(memory->entries, entry);
            free(entry);
            continue;
        }
        entry->is_seen = false;
    }
}

void memory_release(struct memory *memory)
{
    struct memory_entry *entry, *next;

    HASH_ITER (hh, memory->entries, entry, next) {
        HASH_DEL(memory->entries, entry);
        free(entry);
    }
}

static uint64_t delay_of(const struct memory_entry *entry)
{
    uint64_t delay = DELAY_FIRST;

    for (uint32_t i = 1; i < entry->attempts && delay < DELAY_MAX; i++)
        delay *= 2;
    return delay < DELAY_MAX ? delay : DELAY_MAX;
}

uint64_t memory_next_attempt(const struct memory_entry *entry)
{
    return entry->attempts > 0 ? entry->tried_at + delay_of(entry) : 0;
}

void memory_note_attempt(struct memory_entry *entry, uint64_t now)
{
    if (entry->attempts > 0 && now >= memory_next_attempt(entry) + CALM)
        entry->attempts = 0;
    if (entry->attempts < UINT32_MAX)
        entry->attempts++;
    entry->tried_at = now;
}
