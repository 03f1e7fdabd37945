/* The managed service-anchors; see managed.h. Pure, no privilege. */
#include "workers/keeper/managed.h"

#include <errno.h>
#include <string.h>

int managed_set_add(struct managed_set *set, const struct managed_target *configured, bool is_compared)
{
    if (set->count == MANAGED_TARGETS_MAX)
        return -ENOSPC;
    if (managed_set_find(set, configured->name))
        return -EEXIST;
    set->items[set->count++] = (struct managed){.configured = *configured, .is_compared = is_compared};
    return 0;
}

struct managed *managed_set_find(struct managed_set *set, const char *name)
{
    for (size_t i = 0; i < set->count; i++) {
        if (strcmp(set->items[i].configured.name, name) == 0)
            return &set->items[i];
    }
    return NULL;
}

struct managed *managed_set_find_replaced(struct managed_set *set, const char *id)
{
    if (!set->repairs_dependents || id[0] == '\0')
        return NULL;
    for (size_t i = 0; i < set->count; i++) {
        if (strcmp(set->items[i].replaced_id, id) == 0)
            return &set->items[i];
    }
    return NULL;
}
