/* What became of each container's labels; see findings.h. Pure, runs without any privilege. */
#include "workers/watcher/findings.h"

#include "common/text.h"

#include <stdio.h>

struct collection {
    struct wire_finding *items;
    size_t count;
    size_t limit;
};

/* NULL when there is no room: what is left out is the end of a list that nobody reads that far. */
static struct wire_finding *add(struct collection *collection, enum finding_kind kind, const char *container)
{
    struct wire_finding *finding;

    if (collection->count == collection->limit)
        return NULL;
    finding = &collection->items[collection->count++];
    finding->kind = (uint8_t)kind;
    text_copy_cut(finding->container, sizeof(finding->container), container);
    return finding;
}

static const char *name_of(const struct container_entry *entry)
{
    return entry ? entry->name : "";
}

static void add_grant(struct collection *collection, const struct container_table *table,
                      const struct exposure_grant *grant)
{
    struct wire_finding *finding =
        add(collection, FINDING_EXPOSED, name_of(container_table_find(table, grant->source->id)));

    if (!finding)
        return;
    finding->protocol = grant->protocol;
    finding->port_first = grant->port_first;
    finding->port_last = grant->port_last;
    finding->backend_port_first = grant->backend_port_first;
    finding->address4 = wire_address_from(&grant->source->address4);
    finding->address6 = wire_address_from(&grant->source->address6);
}

static void add_conflict(struct collection *collection, const struct container_table *table,
                         const struct exposure_conflict *conflict)
{
    struct wire_finding *finding =
        add(collection, FINDING_CONFLICT, name_of(container_table_find_serial(table, conflict->refused)));

    if (!finding)
        return;
    finding->protocol = conflict->protocol;
    finding->port_first = conflict->port_first;
    finding->port_last = conflict->port_last;
    text_copy_cut(finding->other, sizeof(finding->other),
                  name_of(container_table_find_serial(table, conflict->holder)));
}

static void add_faults(struct collection *collection, const struct container_table *table)
{
    const struct container_entry *entry, *next;

    HASH_ITER (hh, table->entries, entry, next) {
        struct wire_finding *finding;

        if (entry->is_warned_of)
            (void)add(collection, FINDING_NO_ADDRESS, entry->name);
        if (!entry->fault.reason)
            continue;
        finding = add(collection, FINDING_MALFORMED, entry->name);
        if (finding && entry->fault.position)
            (void)snprintf(finding->reason, sizeof(finding->reason), "label %s, position %zu: %s", entry->fault.label,
                           entry->fault.position, entry->fault.reason);
        else if (finding)
            (void)snprintf(finding->reason, sizeof(finding->reason), "label %s: %s", entry->fault.label,
                           entry->fault.reason);
    }
}

int findings_collect(const struct container_table *table, const struct exposure_result *computed,
                     struct wire_finding **ret, size_t *ret_count)
{
    size_t wanted = computed->grant_count + computed->conflict_count + computed->over_limit_count +
                    2 * (size_t)HASH_COUNT(table->entries);
    struct collection collection = {.limit = wanted < FINDINGS_MAX ? wanted : FINDINGS_MAX};

    collection.items = calloc(collection.limit + 1, sizeof(*collection.items));
    if (!collection.items)
        return -ENOMEM;
    for (size_t i = 0; i < computed->conflict_count; i++)
        add_conflict(&collection, table, &computed->conflicts[i]);
    for (size_t i = 0; i < computed->over_limit_count; i++)
        (void)add(&collection, FINDING_OVER_LIMIT,
                  name_of(container_table_find_serial(table, computed->over_limit[i])));
    add_faults(&collection, table);
    for (size_t i = 0; i < computed->grant_count; i++)
        add_grant(&collection, table, &computed->grants[i]);
    *ret = collection.items;
    *ret_count = collection.count;
    return 0;
}
