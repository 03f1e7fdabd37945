/* Drops stale flows; see conntrack.h. Runs in anchord-netadmin with CAP_NET_ADMIN. */
#include "workers/netadmin/conntrack/conntrack.h"

#include "common/array.h"
#include "workers/netadmin/conntrack/conntrack_flow.h"

#include <netinet/in.h> /* before linux/netfilter.h, which then leaves its types alone */

#include <linux/netfilter/nf_conntrack_common.h>
#include <stdio.h>
#include <string.h>

/* An interrupted dump starts over, at most this often; then the second sweep has to do. */
#define ATTEMPTS_MAX 5

void conntrack_changes_clear(struct conntrack_changes *changes)
{
    free(changes->items);
    free(changes->given_up);
    *changes = (struct conntrack_changes){0};
}

static int compare_changes(const void *a, const void *b)
{
    const struct conntrack_change *first = a;
    const struct conntrack_change *second = b;

    if (first->family_index != second->family_index)
        return first->family_index - second->family_index;
    if (first->protocol_index != second->protocol_index)
        return first->protocol_index - second->protocol_index;
    return first->element.port - second->element.port;
}

static int compare_wholly(const void *a, const void *b)
{
    const struct conntrack_change *first = a;
    const struct conntrack_change *second = b;
    int order = compare_changes(first, second);

    if (order == 0)
        order = first->is_added - second->is_added;
    return order ? order : memcmp(&first->element, &second->element, sizeof(first->element));
}

/* A transaction that the kernel refuses is prepared, and its changes are noted, again and again. */
static void drop_repeated(struct conntrack_changes *changes)
{
    size_t kept = 0;

    if (changes->count > 1)
        qsort(changes->items, changes->count, sizeof(*changes->items), compare_wholly);
    for (size_t i = 0; i < changes->count; i++) {
        if (kept == 0 || compare_wholly(&changes->items[kept - 1], &changes->items[i]) != 0)
            changes->items[kept++] = changes->items[i];
    }
    changes->count = kept;
}

/* Returns 0 when there is room for one more, or -ENOMEM. */
static int make_room(struct conntrack_changes *changes)
{
    struct conntrack_change *items;

    if (changes->count < changes->capacity)
        return 0;
    drop_repeated(changes);
    if (changes->count < changes->capacity / 2)
        return 0; /* the next look for repetitions is as far away as the last one was */
    items = array_grow(changes->items, changes->capacity, &changes->capacity, sizeof(*items));
    if (!items)
        return -ENOMEM;
    changes->items = items;
    return 0;
}

static int add_change(struct conntrack_changes *changes, size_t family, size_t protocol, bool is_added,
                      const struct map_element *element)
{
    int result = make_room(changes);

    if (result < 0)
        return result;
    changes->items[changes->count++] = (struct conntrack_change){
        .family_index = (uint8_t)family,
        .protocol_index = (uint8_t)protocol,
        .is_added = is_added,
        .element = *element,
    };
    return 0;
}

/* A TCP connection that began before its element was refused and left no entry: only UDP additions matter. */
static int add_map(struct conntrack_changes *changes, size_t family, size_t protocol,
                   const struct map_difference *difference)
{
    int result = 0;

    for (size_t i = 0; i < difference->removed.count && result == 0; i++)
        result = add_change(changes, family, protocol, false, &difference->removed.elements[i]);
    for (size_t i = 0; i < difference->added.count && result == 0 && protocol == PROTOCOL_INDEX_UDP; i++)
        result = add_change(changes, family, protocol, true, &difference->added.elements[i]);
    return result;
}

int conntrack_changes_add(struct conntrack_changes *changes, const struct map_state_difference *difference)
{
    int result = 0;

    for (size_t i = 0; i < MAPS_MAX && result == 0; i++)
        result = add_map(changes, i / PROTOCOL_INDEX_MAX_, i % PROTOCOL_INDEX_MAX_, &difference->all[i]);
    return result;
}

int conntrack_changes_add_withheld(struct conntrack_changes *changes, const struct map_state_difference *difference)
{
    int result = 0;

    for (size_t family = 0; family < FAMILY_INDEX_MAX_; family++) {
        const struct map *removed = &difference->maps[family][PROTOCOL_INDEX_TCP].removed;

        for (size_t i = 0; i < removed->count && result == 0; i++)
            result = add_change(changes, family, PROTOCOL_INDEX_TCP, false, &removed->elements[i]);
    }
    return result;
}

int conntrack_changes_give_up(struct conntrack_changes *changes, const struct ip_address *address)
{
    struct ip_address *given_up;

    if (ip_address_is_among(address, changes->given_up, changes->given_up_count))
        return 0;
    if (changes->given_up_count == GIVEN_UP_MAX)
        return -ENOMEM;
    given_up = array_grow(changes->given_up, changes->given_up_count, &changes->given_up_capacity, sizeof(*given_up));
    if (!given_up)
        return -ENOMEM;
    changes->given_up = given_up;
    changes->given_up[changes->given_up_count++] = *address;
    return 0;
}

/* --- which flows ----------------------------------------------------------------------------------------- */

struct sweep {
    const struct nft_family *family;
    size_t family_index;
    const struct conntrack_changes *changes; /* sorted */
    const struct desired_state *current;
    const struct ip_address *external;
    size_t external_count;
    struct conntrack_flow *stale;
    size_t stale_count;
    size_t stale_capacity;
};

static bool goes_to(const struct conntrack_flow *flow, const struct map_element *element)
{
    return flow->reply_port == element->backend_port &&
           memcmp(flow->reply_source.bytes, element->backend, sizeof(element->backend)) == 0;
}

/* Does the flow still lead where its port leads in `state`? */
static bool is_right_by(const struct map_state *state, const struct conntrack_change *change,
                        const struct conntrack_flow *flow)
{
    const struct map_element *now =
        map_find(&state->maps[change->family_index][change->protocol_index], change->element.port);

    return now && goes_to(flow, now);
}

static bool is_stale_by_change(const struct sweep *sweep, const struct conntrack_flow *flow,
                               const struct conntrack_change *change)
{
    const struct map *map = &sweep->current->open.maps[change->family_index][change->protocol_index];

    if (change->is_added) /* pinned to no backend, although there is one now */
        return map_find(map, change->element.port) && !(flow->status & IPS_DST_NAT);
    if (change->protocol_index == PROTOCOL_INDEX_TCP && is_right_by(&sweep->current->withheld, change, flow))
        return false;
    return flow->status & IPS_DST_NAT && goes_to(flow, &change->element) &&
           !is_right_by(&sweep->current->open, change, flow);
}

/* All changes of this flow's port stand beside each other; any of them may have made it stale. */
static bool is_stale_by_port(const struct sweep *sweep, const struct conntrack_flow *flow)
{
    const struct conntrack_changes *changes = sweep->changes;
    const struct conntrack_change key = {
        .family_index = (uint8_t)sweep->family_index,
        .protocol_index = (uint8_t)protocol_index_from_protocol(flow->protocol),
        .element = {.port = flow->original_port},
    };
    const struct conntrack_change *found = NULL;

    if (changes->count > 0)
        found = bsearch(&key, changes->items, changes->count, sizeof(key), compare_changes);
    if (!found)
        return false;
    while (found > changes->items && compare_changes(found - 1, &key) == 0)
        found--;
    for (; found < changes->items + changes->count && compare_changes(found, &key) == 0; found++) {
        if (is_stale_by_change(sweep, flow, found))
            return true;
    }
    return false;
}

/* An address may have come back since. */
static bool is_given_up(const struct sweep *sweep, const struct ip_address *address)
{
    return ip_address_is_among(address, sweep->changes->given_up, sweep->changes->given_up_count) &&
           !ip_address_is_among(address, sweep->external, sweep->external_count);
}

static bool is_stale(const struct sweep *sweep, const struct conntrack_flow *flow)
{
    if (is_given_up(sweep, &flow->original_destination) ||
        (flow->status & IPS_SRC_NAT && is_given_up(sweep, &flow->reply_destination)))
        return true;
    return ip_address_is_among(&flow->original_destination, sweep->external, sweep->external_count) &&
           is_stale_by_port(sweep, flow);
}

/*
 * A flow from outside that a list refuses (GUEST-1). What our containers and we ourselves have begun is exempt: we
 * masquerade theirs. IPS_SRC_NAT would not tell: a client whose port is taken by its own flow through another of our
 * ports to the same backend has it, too.
 */
static bool is_refused(const struct sweep *sweep, const struct conntrack_flow *flow)
{
    return flow->status & IPS_DST_NAT && ip_address_equal(&flow->reply_destination, &flow->original_source) &&
           ip_address_is_among(&flow->original_destination, sweep->external, sweep->external_count) &&
           !ip_address_is_among(&flow->original_source, sweep->external, sweep->external_count) &&
           guest_list_refuses(&sweep->current->guests, flow->protocol, flow->original_port, &flow->original_source);
}

/* Ended by a list and now allowed, or the other way round. */
static bool is_wrong_by_list(const struct sweep *sweep, const struct conntrack_flow *flow)
{
    bool is_ended = flow->mark & NFT_ENDED_MARK;

    return sweep->changes->are_guests_others && is_ended != is_refused(sweep, flow);
}

static int on_flow(const struct nlmsghdr *message, void *userdata)
{
    struct sweep *sweep = userdata;
    struct conntrack_flow flow = {0};
    struct conntrack_flow *stale;

    if (conntrack_flow_parse(message, sweep->family, &flow) < 0 ||
        (flow.protocol != IPPROTO_TCP && flow.protocol != IPPROTO_UDP) ||
        (!is_stale(sweep, &flow) && !is_wrong_by_list(sweep, &flow)))
        return 0;
    stale = array_grow(sweep->stale, sweep->stale_count, &sweep->stale_capacity, sizeof(*stale));
    if (!stale)
        return -ENOMEM;
    sweep->stale = stale;
    sweep->stale[sweep->stale_count++] = flow;
    return 0;
}

/* --- one sweep ------------------------------------------------------------------------------------------- */

/* When all changes of a family concern one port the kernel can preselect: most restarts of one container. */
static int dump_flows(struct nfnl_socket *socket, struct sweep *sweep)
{
    const struct conntrack_change *only = NULL;
    bool is_one_port = sweep->changes->given_up_count == 0 && !sweep->changes->are_guests_others;

    for (size_t i = 0; i < sweep->changes->count && is_one_port; i++) {
        const struct conntrack_change *change = &sweep->changes->items[i];

        if (change->family_index != sweep->family_index)
            continue;
        is_one_port = !only || compare_changes(only, change) == 0;
        only = change;
    }
    if (only && is_one_port)
        return conntrack_flow_dump(socket, sweep->family, protocol_index_to_protocol(only->protocol_index),
                                   only->element.port, on_flow, sweep);
    return conntrack_flow_dump(socket, sweep->family, 0, 0, on_flow, sweep);
}

static void describe(struct nft_failure *failure, int error, const char *what, const struct nft_family *family)
{
    failure->error = error;
    (void)snprintf(failure->operation, sizeof(failure->operation), "%s of %s", what, family->name);
}

static int sweep_family(struct nfnl_socket *socket, struct sweep *sweep, uint32_t *flushed, struct nft_failure *failure)
{
    int result = -EINTR;

    for (int attempt = 0; attempt < ATTEMPTS_MAX && result == -EINTR; attempt++) {
        sweep->stale_count = 0;
        result = dump_flows(socket, sweep);
    }
    if (result < 0)
        describe(failure, result, "list the conntrack entries", sweep->family);
    for (size_t i = 0; i < sweep->stale_count && (result == 0 || result == -EINTR); i++) {
        const struct conntrack_flow *flow = &sweep->stale[i];
        int deleted = is_stale(sweep, flow) ? conntrack_flow_delete(socket, sweep->family, flow)
                                            : conntrack_flow_mark(socket, sweep->family, flow, is_refused(sweep, flow));

        if (deleted == 0)
            (*flushed)++;
        if (deleted == 0 || deleted == -ENOENT)
            continue;
        result = deleted;
        describe(failure, result, "delete a conntrack entry", sweep->family);
    }
    return result;
}

static bool concerns_family(const struct conntrack_changes *changes, size_t family_index)
{
    if (changes->are_guests_others)
        return true;
    for (size_t i = 0; i < changes->count; i++) {
        if (changes->items[i].family_index == family_index)
            return true;
    }
    for (size_t i = 0; i < changes->given_up_count; i++) {
        if (family_index_from_family(changes->given_up[i].family) == family_index)
            return true;
    }
    return false;
}

int conntrack_sweep(struct nfnl_socket *socket, struct conntrack_changes *changes, const struct desired_state *current,
                    const struct ip_address *external, size_t external_count, uint32_t flushed[FAMILY_INDEX_MAX_],
                    struct nft_failure *failure)
{
    uint32_t flow_count = 0;
    int last_error = 0;

    /* A dump walks the hash table of the whole machine, 10 ms (measured); a namespace without flows needs none. */
    if (conntrack_flow_count(socket, &flow_count) == 0 && flow_count == 0)
        return 0;
    if (changes->count > 1)
        qsort(changes->items, changes->count, sizeof(*changes->items), compare_changes);
    for (size_t i = 0; i < FAMILY_INDEX_MAX_; i++) {
        struct sweep sweep = {
            .family = &nft_families[i],
            .family_index = i,
            .changes = changes,
            .current = current,
            .external = external,
            .external_count = external_count,
        };
        int result = concerns_family(changes, i) ? sweep_family(socket, &sweep, &flushed[i], failure) : 0;

        free(sweep.stale);
        if (result < 0)
            last_error = result;
    }
    return last_error;
}
