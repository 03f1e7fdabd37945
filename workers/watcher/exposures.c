/* Which container gets which port; see exposures.h. Pure, runs without any privilege. */
#include "workers/watcher/exposures.h"

#include "common/array.h"

#include <netinet/in.h>
#include <string.h>

/* Who holds a port, as of which distribution. An old epoch means: nobody. So no table is ever cleared. */
struct port_holder {
    uint32_t serial;
    uint32_t epoch;
};

struct port_table {
    uint32_t epoch;
    struct port_holder holders[PROTOCOL_INDEX_MAX_][UINT16_MAX + 1];
};

struct claim {
    const struct exposure_source *source;
    bool is_incumbent; /* held a port before */
    bool is_over_limit;
};

struct exposures {
    struct port_table *held; /* by the last computation that succeeded; one that fails must not move it (NAT-6) */
    struct port_table *next; /* by the computation under way */
    struct claim *claims;    /* sorted by created, ID */
    size_t claim_capacity;
    struct claim **by_admission;
    struct wire_exposure *items;
    size_t item_count, item_capacity;
    struct wire_exposure *spare; /* sort_items() works between the two */
    size_t spare_capacity;
    struct exposure_grant *grants;
    size_t grant_count, grant_capacity;
    bool leaves_out_grants;
    struct exposure_conflict *conflicts;
    size_t conflict_count, conflict_capacity;
    uint32_t *over_limit;
    size_t over_limit_count;
    struct port_table tables[2]; /* which of them is which changes */
};

int exposures_new(struct exposures **ret)
{
    struct exposures *exposures = calloc(1, sizeof(*exposures));

    if (!exposures)
        return -ENOMEM;
    exposures->held = &exposures->tables[0];
    exposures->next = &exposures->tables[1];
    exposures->held->epoch = 1;
    *ret = exposures;
    return 0;
}

void exposures_leave_out_grants(struct exposures *exposures, bool are_left_out)
{
    exposures->leaves_out_grants = are_left_out;
    if (!are_left_out)
        return;
    free_pointer(&exposures->grants);
    exposures->grant_capacity = 0;
}

struct exposures *exposures_free(struct exposures *exposures)
{
    if (!exposures)
        return NULL;
    free(exposures->claims);
    free(exposures->by_admission);
    free(exposures->items);
    free(exposures->spare);
    free(exposures->grants);
    free(exposures->conflicts);
    free(exposures->over_limit);
    free(exposures);
    return NULL;
}

static size_t protocol_index(uint8_t protocol)
{
    return protocol == IPPROTO_TCP ? PROTOCOL_INDEX_TCP : PROTOCOL_INDEX_UDP;
}

static struct port_holder *holder_of(struct port_table *table, uint8_t protocol, unsigned int port)
{
    return &table->holders[protocol_index(protocol)][port];
}

/* --- who claims what, the oldest first ------------------------------------------------------------------ */

static int compare_claims(const void *a, const void *b)
{
    const struct exposure_source *first = ((const struct claim *)a)->source;
    const struct exposure_source *second = ((const struct claim *)b)->source;

    if (first->created != second->created)
        return first->created < second->created ? -1 : 1;
    return strcmp(first->id, second->id);
}

/* The table of containers is sorted already, but nobody has to rely on that. */
static bool is_sorted(const struct claim *claims, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        if (compare_claims(&claims[i - 1], &claims[i]) > 0)
            return false;
    }
    return true;
}

static int prepare_claims(struct exposures *exposures, const struct exposure_source *sources, size_t count)
{
    if (count > exposures->claim_capacity) {
        struct claim *claims = reallocarray(exposures->claims, count, sizeof(*claims));
        struct claim **by_admission;
        uint32_t *over_limit;

        if (!claims)
            return -ENOMEM;
        exposures->claims = claims;
        by_admission = reallocarray(exposures->by_admission, count, sizeof(struct claim *));
        if (!by_admission)
            return -ENOMEM;
        exposures->by_admission = by_admission;
        over_limit = reallocarray(exposures->over_limit, count, sizeof(*over_limit));
        if (!over_limit)
            return -ENOMEM;
        exposures->over_limit = over_limit;
        exposures->claim_capacity = count;
    }
    for (size_t i = 0; i < count; i++)
        exposures->claims[i] = (struct claim){.source = &sources[i]};
    if (!is_sorted(exposures->claims, count))
        qsort(exposures->claims, count, sizeof(*exposures->claims), compare_claims);
    return 0;
}

/* --- incumbents at the start --------------------------------------------------------------------------- */

/* The kernel's maps, and how well the best claimant of each port matches them. */
struct adoption {
    const struct wire_exposure *entries[FAMILY_INDEX_MAX_][PROTOCOL_INDEX_MAX_][UINT16_MAX + 1];
    uint8_t matches[PROTOCOL_INDEX_MAX_][UINT16_MAX + 1];
};

/* What an entry shares with its container, in the order of how telling that is. Only the label never changes. */
enum {
    MATCH_ACCESS = 1,   /* withheld or not */
    MATCH_FAMILIES = 2, /* there are entries in just the families in which it has an address */
    MATCH_PORTS = 4,    /* the backend port */
    MATCH_ADDRESS = 8,  /* without that the entry is not its own */
};

/* Does the container answer at the range's ports in this family? */
static bool is_in_family(const struct exposure_source *source, const struct expose_range *range, unsigned int family)
{
    const struct ip_address *address = family == FAMILY_INDEX_4 ? &source->address4 : &source->address6;

    return address->family != IP_FAMILY_NONE && !(range->missing_families & (1U << family));
}

static bool is_exposed(const struct exposure_source *source, const struct expose_range *range)
{
    return is_in_family(source, range, FAMILY_INDEX_4) || is_in_family(source, range, FAMILY_INDEX_6);
}

static bool leads_to(const struct wire_exposure *entry, const struct ip_address *address)
{
    return entry->family == address->family &&
           memcmp(entry->backend, address->bytes, ip_family_length(address->family)) == 0;
}

/* 0: no entry of this port leads to the container. */
static unsigned int match(const struct adoption *adoption, const struct exposure_source *source,
                          const struct expose_range *range, unsigned int port)
{
    const struct ip_address *addresses[FAMILY_INDEX_MAX_] = {&source->address4, &source->address6};
    unsigned int backend_port = range->backend_port_first + (port - range->port_first);
    enum exposure_access access = source->is_withheld ? EXPOSURE_WITHHELD : EXPOSURE_OPEN;
    unsigned int result = MATCH_ACCESS | MATCH_FAMILIES | MATCH_PORTS;

    for (unsigned int family = 0; family < FAMILY_INDEX_MAX_; family++) {
        const struct wire_exposure *entry = adoption->entries[family][protocol_index(range->protocol)][port];

        if ((entry != NULL) != is_in_family(source, range, family))
            result &= ~(unsigned int)MATCH_FAMILIES;
        if (!entry || !leads_to(entry, addresses[family]))
            continue;
        result |= MATCH_ADDRESS;
        if (entry->backend_port_first + (port - entry->port_first) != backend_port)
            result &= ~(unsigned int)MATCH_PORTS;
        if (entry->access != access)
            result &= ~(unsigned int)MATCH_ACCESS;
    }
    return result & MATCH_ADDRESS ? result : 0;
}

static void adopt_entries(struct adoption *adoption, const struct wire_exposure *map, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t family = map[i].family == IP_FAMILY_4 ? FAMILY_INDEX_4 : FAMILY_INDEX_6;

        for (unsigned int port = map[i].port_first; port <= map[i].port_last; port++)
            adoption->entries[family][protocol_index(map[i].protocol)][port] = &map[i];
    }
}

/* Of those that match equally well the oldest, as claims are sorted: the same entries come of either. */
static void adopt_claim(struct exposures *exposures, struct adoption *adoption, const struct exposure_source *source)
{
    for (size_t i = 0; i < source->range_count; i++) {
        const struct expose_range *range = &source->ranges[i];

        for (unsigned int port = range->port_first; port <= range->port_last; port++) {
            unsigned int found = match(adoption, source, range, port);
            uint8_t *best = &adoption->matches[protocol_index(range->protocol)][port];

            if (found <= *best)
                continue;
            *best = (uint8_t)found;
            *holder_of(exposures->held, range->protocol, port) =
                (struct port_holder){.serial = source->serial, .epoch = exposures->held->epoch};
        }
    }
}

int exposures_adopt(struct exposures *exposures, const struct wire_exposure *map, size_t map_count,
                    const struct exposure_source *sources, size_t source_count)
{
    CLEANUP_FREE struct adoption *adoption = map_count > 0 ? calloc(1, sizeof(*adoption)) : NULL;
    int result;

    if (map_count == 0)
        return 0;
    if (!adoption)
        return -ENOMEM;
    result = prepare_claims(exposures, sources, source_count);
    if (result < 0)
        return result;
    adopt_entries(adoption, map, map_count);
    for (size_t i = 0; i < source_count; i++)
        adopt_claim(exposures, adoption, exposures->claims[i].source);
    return 0;
}

/* --- who holds what ------------------------------------------------------------------------------------ */

static bool has_address(const struct exposure_source *source)
{
    return source->address4.family != IP_FAMILY_NONE || source->address6.family != IP_FAMILY_NONE;
}

static bool takes_part(const struct claim *claim)
{
    return !claim->is_over_limit && has_address(claim->source);
}

/* Who holds a port and still claims it keeps it. Returns whether there was one. */
static bool keep_ports(struct exposures *exposures, const struct claim *claim)
{
    bool has_kept = false;

    for (size_t i = 0; i < claim->source->range_count; i++) {
        const struct expose_range *range = &claim->source->ranges[i];

        if (!is_exposed(claim->source, range))
            continue;
        for (unsigned int port = range->port_first; port <= range->port_last; port++) {
            const struct port_holder *held = holder_of(exposures->held, range->protocol, port);

            if (held->epoch != exposures->held->epoch || held->serial != claim->source->serial)
                continue;
            *holder_of(exposures->next, range->protocol, port) =
                (struct port_holder){.serial = held->serial, .epoch = exposures->next->epoch};
            has_kept = true;
        }
    }
    return has_kept;
}

static void take_free_ports(struct port_table *table, const struct claim *claim)
{
    for (size_t i = 0; i < claim->source->range_count; i++) {
        const struct expose_range *range = &claim->source->ranges[i];

        if (!is_exposed(claim->source, range))
            continue;
        for (unsigned int port = range->port_first; port <= range->port_last; port++) {
            struct port_holder *holder = holder_of(table, range->protocol, port);

            if (holder->epoch != table->epoch)
                *holder = (struct port_holder){.serial = claim->source->serial, .epoch = table->epoch};
        }
    }
}

/* May be done again and again: each time from what was held before this computation. */
static void distribute_ports(struct exposures *exposures, size_t count)
{
    exposures->next->epoch++;
    for (size_t i = 0; i < count; i++) {
        struct claim *claim = &exposures->claims[i];

        claim->is_incumbent = takes_part(claim) && keep_ports(exposures, claim);
    }
    for (size_t i = 0; i < count; i++) {
        if (takes_part(&exposures->claims[i]))
            take_free_ports(exposures->next, &exposures->claims[i]);
    }
}

/* --- the limit of the maps ----------------------------------------------------------------------------- */

static size_t count_elements(struct exposures *exposures, const struct claim *claim)
{
    const struct exposure_source *source = claim->source;
    size_t elements = 0;

    for (size_t i = 0; i < source->range_count; i++) {
        const struct expose_range *range = &source->ranges[i];
        size_t families = (is_in_family(source, range, FAMILY_INDEX_4) ? 1U : 0U) +
                          (is_in_family(source, range, FAMILY_INDEX_6) ? 1U : 0U);

        for (unsigned int port = range->port_first; port <= range->port_last; port++)
            elements += holder_of(exposures->next, range->protocol, port)->serial == source->serial ? families : 0;
    }
    return elements;
}

static bool is_above_limit(struct exposures *exposures, size_t count)
{
    size_t total = 0;

    for (size_t i = 0; i < count && total <= MAP_ELEMENTS_MAX; i++)
        total += takes_part(&exposures->claims[i]) ? count_elements(exposures, &exposures->claims[i]) : 0;
    return total > MAP_ELEMENTS_MAX;
}

/* Those that have something go before those that want something; else by age. Claims are sorted by age. */
static int compare_admission(const void *a, const void *b)
{
    const struct claim *first = *(struct claim *const *)a;
    const struct claim *second = *(struct claim *const *)b;

    if (first->is_incumbent != second->is_incumbent)
        return first->is_incumbent ? -1 : 1;
    return first < second ? -1 : 1;
}

/* Leaves out who does not fit any more; true when there was one: what it held is free for others then. */
static bool enforce_limit(struct exposures *exposures, size_t count)
{
    size_t total = 0;
    bool has_changed = false;

    if (!is_above_limit(exposures, count))
        return false;
    for (size_t i = 0; i < count; i++)
        exposures->by_admission[i] = &exposures->claims[i];
    qsort(exposures->by_admission, count, sizeof(struct claim *), compare_admission);
    for (size_t i = 0; i < count; i++) {
        struct claim *claim = exposures->by_admission[i];
        size_t elements = takes_part(claim) ? count_elements(exposures, claim) : 0;

        if (total + elements <= MAP_ELEMENTS_MAX) {
            total += elements;
            continue;
        }
        claim->is_over_limit = true;
        has_changed = true;
    }
    return has_changed;
}

/* --- the result ---------------------------------------------------------------------------------------- */

static int add_item(struct exposures *exposures, const struct ip_address *address, uint8_t protocol,
                    const struct wire_exposure *ports)
{
    struct wire_exposure *items =
        array_grow(exposures->items, exposures->item_count, &exposures->item_capacity, sizeof(*items));
    struct wire_exposure *item;

    if (!items)
        return -ENOMEM;
    exposures->items = items;
    item = &items[exposures->item_count++];
    *item = *ports;
    item->family = address->family;
    item->protocol = protocol;
    memcpy(item->backend, address->bytes, ip_family_length(address->family));
    return 0;
}

static int add_grant(struct exposures *exposures, const struct exposure_grant *grant)
{
    struct exposure_grant *grants;

    if (exposures->leaves_out_grants)
        return 0;
    grants = array_grow(exposures->grants, exposures->grant_count, &exposures->grant_capacity, sizeof(*grants));
    if (!grants)
        return -ENOMEM;
    exposures->grants = grants;
    grants[exposures->grant_count++] = *grant;
    return 0;
}

static int add_conflict(struct exposures *exposures, const struct exposure_conflict *conflict)
{
    struct exposure_conflict *conflicts =
        array_grow(exposures->conflicts, exposures->conflict_count, &exposures->conflict_capacity, sizeof(*conflicts));

    if (!conflicts)
        return -ENOMEM;
    exposures->conflicts = conflicts;
    conflicts[exposures->conflict_count++] = *conflict;
    return 0;
}

/* The ports first … last of `range` all belong to `holder`: entries, or a conflict when that is another one. */
static int add_run(struct exposures *exposures, const struct claim *claim, const struct expose_range *range,
                   unsigned int first, unsigned int last, uint32_t holder)
{
    const struct exposure_source *source = claim->source;
    const struct wire_exposure ports = {
        .port_first = (uint16_t)first,
        .port_last = (uint16_t)last,
        .backend_port_first = (uint16_t)(range->backend_port_first + (first - range->port_first)),
        .access = source->is_withheld ? EXPOSURE_WITHHELD : EXPOSURE_OPEN,
    };
    int result;

    if (holder != source->serial)
        return add_conflict(exposures, &(struct exposure_conflict){source->serial, holder, range->protocol,
                                                                   (uint16_t)first, (uint16_t)last});
    result = add_grant(exposures, &(struct exposure_grant){source, range->protocol, ports.port_first, ports.port_last,
                                                           ports.backend_port_first, range->missing_families});
    if (result == 0 && is_in_family(source, range, FAMILY_INDEX_4))
        result = add_item(exposures, &source->address4, range->protocol, &ports);
    if (result == 0 && is_in_family(source, range, FAMILY_INDEX_6))
        result = add_item(exposures, &source->address6, range->protocol, &ports);
    return result;
}

static int add_range(struct exposures *exposures, const struct claim *claim, const struct expose_range *range)
{
    unsigned int first = range->port_first;

    while (first <= range->port_last && is_exposed(claim->source, range)) {
        uint32_t holder = holder_of(exposures->next, range->protocol, first)->serial;
        unsigned int last = first;
        int result;

        while (last < range->port_last && holder_of(exposures->next, range->protocol, last + 1)->serial == holder)
            last++;
        result = add_run(exposures, claim, range, first, last, holder);
        if (result < 0)
            return result;
        first = last + 1;
    }
    return 0;
}

/* The digits of an item's place, the least significant one first: port, then protocol and family. */
#define SORT_DIGITS 3

static unsigned int sort_digit(const struct wire_exposure *item, unsigned int digit)
{
    if (digit == 0)
        return item->port_first & UINT8_MAX;
    if (digit == 1)
        return item->port_first >> 8;
    return (item->family == IP_FAMILY_6 ? 2U : 0U) + (item->protocol == IPPROTO_UDP ? 1U : 0U);
}

/* Moves the items, stable, to `spare`, which then becomes `items`. */
static void sort_by_digit(struct exposures *exposures, unsigned int digit)
{
    size_t next[UINT8_MAX + 1] = {0};
    struct wire_exposure *sorted = exposures->spare;
    size_t capacity = exposures->spare_capacity;
    size_t place = 0;

    for (size_t i = 0; i < exposures->item_count; i++)
        next[sort_digit(&exposures->items[i], digit)]++;
    for (size_t value = 0; value < ARRAY_LENGTH(next); value++) {
        size_t count = next[value];

        next[value] = place;
        place += count;
    }
    for (size_t i = 0; i < exposures->item_count; i++)
        sorted[next[sort_digit(&exposures->items[i], digit)]++] = exposures->items[i];
    exposures->spare = exposures->items;
    exposures->spare_capacity = exposures->item_capacity;
    exposures->items = sorted;
    exposures->item_capacity = capacity;
}

/* By family, protocol and port. A radix sort: its cost per item is the same with two items and with 65,536. */
static int sort_items(struct exposures *exposures)
{
    if (exposures->spare_capacity < exposures->item_count) {
        struct wire_exposure *spare = reallocarray(exposures->spare, exposures->item_capacity, sizeof(*spare));

        if (!spare)
            return -ENOMEM;
        exposures->spare = spare;
        exposures->spare_capacity = exposures->item_capacity;
    }
    for (unsigned int digit = 0; digit < SORT_DIGITS && exposures->item_count > 1; digit++)
        sort_by_digit(exposures, digit);
    return 0;
}

static int compare_conflicts(const void *a, const void *b)
{
    const struct exposure_conflict *first = a;
    const struct exposure_conflict *second = b;

    if (first->refused != second->refused)
        return first->refused < second->refused ? -1 : 1;
    if (first->protocol != second->protocol)
        return (int)first->protocol - second->protocol;
    return (int)first->port_first - second->port_first;
}

static int collect(struct exposures *exposures, size_t count, struct exposure_result *ret)
{
    exposures->item_count = 0;
    exposures->conflict_count = 0;
    exposures->grant_count = 0;
    exposures->over_limit_count = 0;
    for (size_t i = 0; i < count; i++) {
        const struct claim *claim = &exposures->claims[i];
        size_t items_before = exposures->item_count;

        if (claim->is_over_limit)
            exposures->over_limit[exposures->over_limit_count++] = claim->source->serial;
        for (size_t j = 0; j < claim->source->range_count && takes_part(claim); j++) {
            int result = add_range(exposures, claim, &claim->source->ranges[j]);

            if (result < 0)
                return result;
        }
        ret->backend_count += exposures->item_count > items_before;
    }
    if (exposures->conflict_count > 0)
        qsort(exposures->conflicts, exposures->conflict_count, sizeof(*exposures->conflicts), compare_conflicts);
    return sort_items(exposures);
}

static void swap_tables(struct exposures *exposures)
{
    struct port_table *held = exposures->next;

    exposures->next = exposures->held;
    exposures->held = held;
}

int exposures_compute(struct exposures *exposures, const struct exposure_source *sources, size_t source_count,
                      struct exposure_result *ret)
{
    struct exposure_result computed = {0};
    int result = prepare_claims(exposures, sources, source_count);

    if (result < 0)
        return result;
    do {
        distribute_ports(exposures, source_count);
    } while (enforce_limit(exposures, source_count));
    result = collect(exposures, source_count, &computed);
    if (result < 0)
        return result;
    swap_tables(exposures);
    computed.items = exposures->items;
    computed.item_count = exposures->item_count;
    computed.grants = exposures->grants;
    computed.grant_count = exposures->grant_count;
    computed.conflicts = exposures->conflicts;
    computed.conflict_count = exposures->conflict_count;
    computed.over_limit = exposures->over_limit;
    computed.over_limit_count = exposures->over_limit_count;
    *ret = computed;
    return 0;
}
