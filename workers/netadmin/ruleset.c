/* Our two nftables tables; see ruleset.h. Runs in anchord-netadmin with CAP_NET_ADMIN. */
#include "workers/netadmin/ruleset.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"
#include "protocol/metrics.h"
#include "workers/netadmin/nft/nft_dump.h"
#include "workers/netadmin/nft/nft_elements.h"
#include "workers/netadmin/nft/nft_table.h"
#include "workers/netadmin/plan/guest_rules.h"
#include "workers/netadmin/ruleset_internal.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

/* Somebody may commit between our dump and our transaction: read again and try again, this often. */
#define ATTEMPTS_MAX 5
/*
 * A sweep walks the kernel's whole hash table: 10 ms with the usual 262,144 buckets (measured). Changes that come
 * one by one are swept at once; in a storm of them sweeps compute at most a fifth of the time, so that they cannot
 * hold up the maps, and what is left waits for the second sweep.
 */
#define SWEEP_SHARE         5
#define SWEEP_ALLOWANCE_MAX (200 * MICROSECONDS_PER_MILLISECOND)
/* No more changes than these wait. */
#define RECENT_CHANGES_MAX ((size_t)2 * MAP_ELEMENTS_MAX)

/* A prepared transition of the four maps. */
struct transition {
    struct desired_state *next;                                 /* becomes what is held; NULL: that stays as it is */
    struct map_state_difference differences[PORT_COUNTER_MAX_]; /* of the maps, and of the sets of traffic */
    struct map_state_difference withheld_difference;
    struct port_values values;  /* what the elements that go have counted */
    struct port_values carried; /* and what those that come begin with */
    struct backend_list newcomers[FAMILY_INDEX_MAX_];
};

static void clear_newcomers(struct backend_list newcomers[FAMILY_INDEX_MAX_])
{
    for (size_t i = 0; i < FAMILY_INDEX_MAX_; i++)
        backend_list_clear(&newcomers[i]);
}

static void transition_clear(struct transition *transition)
{
    for (size_t i = 0; i < PORT_COUNTER_MAX_; i++)
        map_state_difference_clear(&transition->differences[i]);
    port_values_clear(&transition->values);
    port_values_clear(&transition->carried);
    map_state_difference_clear(&transition->withheld_difference);
    clear_newcomers(transition->newcomers);
}

int ruleset_fail(struct nft_failure *failure, int error, const char *operation)
{
    failure->error = error;
    text_copy_cut(failure->operation, sizeof(failure->operation), operation);
    return error;
}

/* --- reading --------------------------------------------------------------------------------------------- */

/* What both families' tables hold. */
struct content {
    struct nft_table_content tables[FAMILY_INDEX_MAX_];
};

static void content_clear(struct content *content)
{
    for (size_t i = 0; i < FAMILY_INDEX_MAX_; i++)
        nft_table_content_clear(&content->tables[i]);
}

static int read_content(struct ruleset *ruleset, struct content *content, struct nft_failure *failure)
{
    for (size_t i = 0; i < FAMILY_INDEX_MAX_; i++) {
        int result = 0;

        if (!ruleset->lacks_family[i])
            result = nft_dump_table(ruleset->socket, &nft_families[i], &content->tables[i]);
        if (result < 0)
            return ruleset_fail(failure, result, i == FAMILY_INDEX_4 ? "read table ip" : "read table ip6");
        ruleset_note_refused(ruleset, i, content->tables[i].refused);
    }
    return 0;
}

/* What a program of a later layout left is not ours to judge, and not to remove: it says what it may not. */
static int check_layout(const struct content *content, struct nft_failure *failure)
{
    for (size_t i = 0; i < FAMILY_INDEX_MAX_; i++) {
        uint32_t layout = content->tables[i].layout;

        if (layout <= NFT_LAYOUT)
            continue;
        failure->error = -EPROTONOSUPPORT;
        (void)snprintf(failure->operation, sizeof(failure->operation), "adopt table %s %s of layout %u, known up to %u",
                       nft_families[i].name, nft_families[i].table, layout, NFT_LAYOUT);
        return failure->error;
    }
    return 0;
}

/* Moves the maps out of a dump. */
static void take_maps(struct content *content, struct map_state *ret)
{
    for (size_t i = 0; i < MAPS_MAX; i++) {
        struct map *map = &content->tables[i / PROTOCOL_INDEX_MAX_].maps[i % PROTOCOL_INDEX_MAX_];

        ret->all[i] = *map;
        *map = (struct map){0};
    }
}

/* Lists and limits out of a dump; ports and limits are the same in both tables. */
static int take_guests(struct content *content, struct guest_list *ret)
{
    size_t first = content->tables[FAMILY_INDEX_4].exists ? FAMILY_INDEX_4 : FAMILY_INDEX_6;
    int result = 0;

    for (size_t i = 0; i < FAMILY_INDEX_MAX_; i++) {
        const struct guest_list *guests = &content->tables[i].guests;

        for (size_t j = 0; j < guests->count && result == 0; j++) {
            if (i == first || guests->items[j].kind == GUEST_SOURCE)
                result = guest_list_add(ret, &guests->items[j]);
        }
    }
    guest_list_sort(ret);
    return result;
}

/* --- construction ---------------------------------------------------------------------------------------- */

struct ruleset *ruleset_free(struct ruleset *ruleset)
{
    if (!ruleset)
        return NULL;
    (void)nfnl_socket_free(ruleset->socket);
    map_state_clear(&ruleset->held);
    map_state_clear(&ruleset->withheld);
    guest_list_clear(&ruleset->guests);
    port_ledger_clear(&ruleset->ledger);
    clear_newcomers(ruleset->newcomers);
    ban_list_clear(&ruleset->bans);
    conntrack_changes_clear(&ruleset->recent);
    free(ruleset);
    return NULL;
}

int ruleset_new(struct ruleset **ret, struct nft_failure *failure)
{
    CLEANUP(ruleset_freep) struct ruleset *ruleset = calloc(1, sizeof(*ruleset));
    CLEANUP(content_clear) struct content content = {0};
    int result;

    if (!ruleset)
        return ruleset_fail(failure, -ENOMEM, "allocate");
    result = nfnl_socket_new(&ruleset->socket);
    if (result < 0)
        return ruleset_fail(failure, result, "open netfilter netlink socket");
    result = read_content(ruleset, &content, failure);
    if (result == 0)
        result = check_layout(&content, failure);
    if (result < 0)
        return result;
    take_maps(&content, &ruleset->held);
    if (take_guests(&content, &ruleset->guests) < 0)
        return ruleset_fail(failure, -ENOMEM, "allocate");
    *ret = TAKE_POINTER(ruleset);
    return 0;
}

static int probe(struct ruleset *ruleset, size_t family_index, const struct guest_list *guests, bool counts_ports,
                 struct nft_failure *failure)
{
    CLEANUP(nft_batch_clear) struct nft_batch batch = {0};

    nft_table_probe(&batch, &nft_families[family_index], guests, counts_ports);
    return nfnl_socket_commit(ruleset->socket, &batch, failure);
}

int ruleset_check_kernel(struct ruleset *ruleset, size_t family_index, struct nft_failure *failure)
{
    struct wire_guest samples[] = {{.kind = GUEST_PORTS}, {.kind = GUEST_LIMIT, .protocol = IPPROTO_TCP, .rate = 1}};
    struct nft_failure unsaid;
    int result = probe(ruleset, family_index, &(struct guest_list){0}, false, failure);

    ruleset->lacks_family[family_index] = result < 0;
    for (size_t i = 0; i < ARRAY_LENGTH(samples) && result == 0; i++) {
        const struct guest_list guests = {.items = &samples[i], .count = 1};

        if (probe(ruleset, family_index, &guests, false, &unsaid) < 0)
            ruleset->lacks_kind[samples[i].kind] = true;
    }
    if (result == 0 && probe(ruleset, family_index, &(struct guest_list){0}, true, &unsaid) < 0)
        ruleset->lacks_counting = true;
    return result;
}

bool ruleset_lacks_counting(const struct ruleset *ruleset)
{
    return ruleset->lacks_counting;
}

bool ruleset_lacks(const struct ruleset *ruleset, enum guest_kind kind)
{
    return ruleset->lacks_kind[kind];
}

uint32_t ruleset_port(const struct ruleset *ruleset)
{
    return nfnl_socket_port(ruleset->socket);
}

const struct map_state *ruleset_held(const struct ruleset *ruleset)
{
    return &ruleset->held;
}

const struct map_state *ruleset_withheld(const struct ruleset *ruleset)
{
    return &ruleset->withheld;
}

void ruleset_invalidate(struct ruleset *ruleset)
{
    ruleset->is_installed = false;
}

/* --- applying -------------------------------------------------------------------------------------------- */

/*
 * From `have`, what the maps hold, to `want`, or NULL: to what they held as far as we knew; without the families that
 * the kernel lacks. The changes are noted for the sweeps here, where memory may still lack; should the transaction fail
 * they harm nothing.
 */
static int prepare(struct ruleset *ruleset, const struct map_state *have, struct desired_state *want,
                   struct transition *transition)
{
    struct map_state *next = want ? &want->open : &ruleset->held;
    int result;

    for (size_t i = 0; i < MAPS_MAX; i++) {
        if (ruleset->lacks_family[i / PROTOCOL_INDEX_MAX_])
            next->all[i].count = 0;
    }
    transition->next = want;
    if (want)
        guest_rules_leave_out(want, ruleset->lacks_kind);
    result = map_state_difference_compute(have, next, &transition->differences[PORT_FLOWS]);
    if (result == 0 && want)
        result = map_state_difference_compute(&ruleset->withheld, &want->withheld, &transition->withheld_difference);
    for (size_t i = 0; i < FAMILY_INDEX_MAX_ && result == 0; i++)
        result = newcomers_list(&ruleset->held, &transition->differences[PORT_FLOWS], i, &transition->newcomers[i]);
    if (result == 0)
        result = conntrack_changes_add(&ruleset->recent, &transition->differences[PORT_FLOWS]);
    return result < 0 ? result : conntrack_changes_add_withheld(&ruleset->recent, &transition->withheld_difference);
}

/* The addresses that were external before: our own last view, or what a predecessor left in the set. What
 * others put into the set since then was never our address. */
static int note_given_up(struct ruleset *ruleset, const struct content *content, const struct network_view *view)
{
    int result = 0;

    for (size_t i = 0; ruleset->was_installed && i < ruleset->view.external_count && result == 0; i++) {
        if (!ip_address_is_among(&ruleset->view.external[i], view->external, view->external_count))
            result = conntrack_changes_give_up(&ruleset->recent, &ruleset->view.external[i]);
    }
    for (size_t family = 0; !ruleset->was_installed && family < FAMILY_INDEX_MAX_; family++) {
        const struct nft_table_content *table = &content->tables[family];

        for (size_t i = 0; i < table->external_count && result == 0; i++) {
            if (!ip_address_is_among(&table->external[i], view->external, view->external_count))
                result = conntrack_changes_give_up(&ruleset->recent, &table->external[i]);
        }
    }
    return result;
}

static int sweep(struct ruleset *ruleset, struct nft_failure *failure)
{
    uint64_t start = clock_processor_microseconds();
    uint32_t before[FAMILY_INDEX_MAX_] = {ruleset->flushed[FAMILY_INDEX_4], ruleset->flushed[FAMILY_INDEX_6]};
    int result = conntrack_sweep(ruleset->socket, &ruleset->recent,
                                 &(struct desired_state){ruleset->held, ruleset->withheld, ruleset->guests, {0}},
                                 ruleset->view.external, ruleset->view.external_count, ruleset->flushed, failure);

    for (size_t family = 0; family < FAMILY_INDEX_MAX_; family++)
        metrics_add(METRIC_CONNTRACK_FLUSHES, family, ruleset->flushed[family] - before[family]);
    ruleset->sweep_allowance -= (int64_t)(clock_processor_microseconds() - start);
    return result;
}

static bool may_sweep(struct ruleset *ruleset)
{
    uint64_t now = clock_monotonic_microseconds();
    uint64_t gained = (now - ruleset->allowance_time) / SWEEP_SHARE;

    ruleset->sweep_allowance += (int64_t)(gained < SWEEP_ALLOWANCE_MAX ? gained : SWEEP_ALLOWANCE_MAX);
    if (ruleset->sweep_allowance > (int64_t)SWEEP_ALLOWANCE_MAX)
        ruleset->sweep_allowance = SWEEP_ALLOWANCE_MAX;
    ruleset->allowance_time = now;
    return ruleset->sweep_allowance > 0;
}

/* The transaction is committed: what it held is what holds. A sweep that fails is made good, or reported, by
 * the second one. */
static void finish(struct ruleset *ruleset, const struct network_view *view, struct transition *transition)
{
    struct nft_failure unsaid;
    bool is_full;

    port_ledger_carried(&ruleset->ledger, transition->differences, &transition->values,
                        transition->next ? &transition->next->ranges : NULL);
    if (transition->next) {
        map_state_clear(&ruleset->held);
        map_state_clear(&ruleset->withheld);
        ruleset->held = transition->next->open;
        ruleset->withheld = transition->next->withheld;
        ruleset->recent.are_guests_others |= !guest_list_equal(&ruleset->guests, &transition->next->guests);
        guest_list_clear(&ruleset->guests);
        ruleset->guests = transition->next->guests;
        port_ranges_clear(&transition->next->ranges);
        *transition->next = (struct desired_state){0};
    }
    memcpy(ruleset->newcomers, transition->newcomers, sizeof(ruleset->newcomers));
    memset(transition->newcomers, 0, sizeof(transition->newcomers));
    ruleset->view = *view;
    ruleset->is_installed = true;
    ruleset->was_installed = true;
    if (!ruleset_wants_second_sweep(ruleset))
        return;
    is_full = ruleset->recent.count > RECENT_CHANGES_MAX;
    if ((may_sweep(ruleset) || is_full) && sweep(ruleset, &unsaid) == 0 && is_full)
        conntrack_changes_clear(&ruleset->recent);
}

/* The sets of traffic have the maps' ports. */
static int prepare_counting(struct ruleset *ruleset, struct transition *transition)
{
    int result = 0;

    for (size_t i = 0; i < MAPS_MAX && result == 0 && !ruleset->lacks_counting; i++)
        result = map_difference_of_ports(&transition->differences[PORT_FLOWS].all[i],
                                         &transition->differences[PORT_TRAFFIC].all[i]);
    if (result == 0)
        result = ruleset_read_removed(ruleset, transition->differences, &transition->values);
    return result < 0 ? result
                      : ruleset_carry(ruleset, transition->next, transition->differences, &transition->values,
                                      &transition->carried);
}

/* Only elements differ. */
static int update(struct ruleset *ruleset, const struct network_view *view, struct desired_state *want,
                  struct nft_failure *failure)
{
    CLEANUP(transition_clear) struct transition transition = {0};
    CLEANUP(nft_batch_clear) struct nft_batch batch = {0};
    int result = prepare(ruleset, &ruleset->held, want, &transition);

    if (result == 0)
        result = prepare_counting(ruleset, &transition);
    if (result < 0)
        return ruleset_fail(failure, result, "allocate");
    if (map_state_difference_is_empty(&transition.differences[PORT_FLOWS]) &&
        (!want || guest_list_equal(&ruleset->guests, &want->guests))) {
        if (!map_state_difference_is_empty(&transition.withheld_difference))
            finish(ruleset, view, &transition);
        else if (want)
            port_ledger_carried(&ruleset->ledger, transition.differences, &transition.values, &want->ranges);
        return 0;
    }
    for (size_t i = 0; i < FAMILY_INDEX_MAX_ && want; i++) {
        if (!ruleset->lacks_family[i])
            nft_elements_change_guests(&batch, &nft_families[i], &ruleset->guests, &want->guests);
    }
    for (size_t i = 0; i < MAPS_MAX; i++)
        nft_elements_change_map(&batch, &nft_families[i / PROTOCOL_INDEX_MAX_], i % PROTOCOL_INDEX_MAX_,
                                transition.differences, &transition.carried);
    result = nfnl_socket_commit(ruleset->socket, &batch, failure);
    if (result < 0) {
        ruleset->is_installed = false;
        return result;
    }
    finish(ruleset, view, &transition);
    return 0;
}

static int wake_tables(struct ruleset *ruleset, const struct content *content, struct nft_failure *failure)
{
    CLEANUP(nft_batch_clear) struct nft_batch batch = {0};

    for (size_t i = 0; i < FAMILY_INDEX_MAX_; i++) {
        if (content->tables[i].flags & NFT_TABLE_F_DORMANT)
            nft_table_wake(&batch, &nft_families[i]);
    }
    return nfnl_socket_commit(ruleset->socket, &batch, failure);
}

/* KEEP-1: tables that this process finds at its first transaction are a predecessor's. */
static void count_adopted(const struct ruleset *ruleset, const struct content *content)
{
    for (size_t i = 0; i < FAMILY_INDEX_MAX_; i++)
        metrics_add(METRIC_ADOPTED, i, !ruleset->was_installed && content->tables[i].exists);
}

/* To a map that is made anew all elements are added, which is no change of what it says. */
static int refill(const struct map *want, struct map_difference *difference)
{
    map_difference_clear(difference);
    return map_difference_compute(&(const struct map){0}, want, difference);
}

/* The sets of traffic, which others may have changed, get the ports of the maps. */
static int prepare_install(struct ruleset *ruleset, const struct content *content, const struct nft_table_wish *wish,
                           struct transition *transition)
{
    const struct map_state *next = transition->next ? &transition->next->open : &ruleset->held;
    int result = 0;

    for (size_t i = 0; i < MAPS_MAX && result == 0; i++) {
        const struct nft_table_content *table = &content->tables[i / PROTOCOL_INDEX_MAX_];

        if (!nft_table_keeps_map(table, wish, nft_map_of_protocol(i % PROTOCOL_INDEX_MAX_)))
            result = refill(&next->all[i], &transition->differences[PORT_FLOWS].all[i]);
    }
    for (size_t i = 0; i < MAPS_MAX && result == 0 && !ruleset->lacks_counting; i++) {
        const struct nft_table_content *table = &content->tables[i / PROTOCOL_INDEX_MAX_];
        CLEANUP(map_clear) struct map ports = {0};

        result = map_copy_ports(&next->all[i], &ports);
        if (result == 0)
            result = map_difference_compute(&table->traffic[i % PROTOCOL_INDEX_MAX_], &ports,
                                            &transition->differences[PORT_TRAFFIC].all[i]);
    }
    for (size_t i = 0; i < FAMILY_INDEX_MAX_ && result == 0; i++)
        result = port_values_add_all(&transition->values, &content->tables[i].values);
    port_values_sort(&transition->values);
    return result < 0 ? result
                      : ruleset_carry(ruleset, transition->next, transition->differences, &transition->values,
                                      &transition->carried);
}

/* Reads what is there and makes everything right in one transaction, but for many bans. */
static int install(struct ruleset *ruleset, const struct network_view *view, struct desired_state *want,
                   struct nft_failure *failure)
{
    CLEANUP(transition_clear) struct transition transition = {0};
    CLEANUP(nft_batch_clear) struct nft_batch batch = {0};
    CLEANUP(content_clear) struct content content = {0};
    CLEANUP(map_state_clear) struct map_state have = {0};
    const struct nft_table_wish wish = {view, want ? &want->guests : &ruleset->guests, !ruleset->lacks_counting};
    int result = read_content(ruleset, &content, failure);

    if (result == 0)
        result = wake_tables(ruleset, &content, failure);
    if (result < 0)
        return result;
    result = ruleset_settle(ruleset, content.tables);
    take_maps(&content, &have);
    if (result == 0)
        result = prepare(ruleset, &have, want, &transition);
    if (result == 0)
        result = prepare_install(ruleset, &content, &wish, &transition);
    if (result < 0)
        return ruleset_fail(failure, result, "allocate");
    for (size_t i = 0; i < FAMILY_INDEX_MAX_; i++) {
        if (ruleset->lacks_family[i])
            continue;
        nft_table_install(&batch, &nft_families[i], &content.tables[i], &wish, transition.differences,
                          &transition.carried, ruleset->refused[i]);
        if (ruleset_must_add_bans(ruleset, &content.tables[i]) && !ruleset_fill_bans(ruleset, &nft_families[i]))
            nft_elements_replace_bans(&batch, &nft_families[i], &ruleset->bans);
    }
    result = nfnl_socket_commit(ruleset->socket, &batch, failure);
    if (result < 0)
        return result;
    /* What could not be noted keeps its flows, as after a crash: no reason to keep the addresses. */
    if (note_given_up(ruleset, &content, view) < 0)
        log_error("flows of addresses that were given up stay", LOG_ERROR_TEXT("too many, or out of memory"));
    count_adopted(ruleset, &content);
    ruleset->recent.are_guests_others |= !ruleset->was_installed && ruleset->guests.count > 0; /* whoever died midway */
    finish(ruleset, view, &transition);
    return 0;
}

static int apply(struct ruleset *ruleset, const struct network_view *view, struct desired_state *want,
                 struct nft_failure *failure)
{
    int result;

    if (ruleset->is_installed && memcmp(&ruleset->view, view, sizeof(*view)) == 0 &&
        !(want && guest_rules_need_others(&ruleset->guests, &want->guests))) {
        result = want ? update(ruleset, view, want, failure) : 0;
        if (ruleset->is_installed)
            return result;
    }
    for (int attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
        result = install(ruleset, view, want, failure);
        /* What a change between dump and transaction looks like: an object that is gone, there or in use. */
        if (result != -ENOENT && result != -EEXIST && result != -EBUSY)
            return result;
    }
    return result;
}

int ruleset_apply(struct ruleset *ruleset, const struct network_view *view, struct desired_state *want,
                  uint32_t flushed[FAMILY_INDEX_MAX_], struct nft_failure *failure)
{
    int result;

    clear_newcomers(ruleset->newcomers);
    result = apply(ruleset, view, want, failure);
    if (result < 0)
        return result;
    memcpy(flushed, ruleset->flushed, sizeof(ruleset->flushed));
    memset(ruleset->flushed, 0, sizeof(ruleset->flushed));
    return 0;
}

bool ruleset_wants_second_sweep(const struct ruleset *ruleset)
{
    return ruleset->recent.count > 0 || ruleset->recent.given_up_count > 0 || ruleset->recent.are_guests_others;
}

const struct backend_list *ruleset_newcomers(const struct ruleset *ruleset)
{
    return ruleset->newcomers;
}

int ruleset_sweep_again(struct ruleset *ruleset, struct nft_failure *failure)
{
    int result = sweep(ruleset, failure);

    if (result == 0)
        conntrack_changes_clear(&ruleset->recent);
    return result;
}

/* --- closing and going ----------------------------------------------------------------------------------- */

/* Only which tables there are. */
static int read_presence(struct ruleset *ruleset, struct content *content, struct nft_failure *failure)
{
    for (size_t i = 0; i < FAMILY_INDEX_MAX_; i++) {
        int result = nft_dump_presence(ruleset->socket, &nft_families[i], &content->tables[i]);

        if (result < 0)
            return ruleset_fail(failure, result, i == FAMILY_INDEX_4 ? "list tables ip" : "list tables ip6");
    }
    return 0;
}

int ruleset_close(struct ruleset *ruleset, size_t family_index, struct nft_failure *failure)
{
    CLEANUP(content_clear) struct content content = {0};
    CLEANUP(nft_batch_clear) struct nft_batch batch = {0};
    const struct nft_table_content *table = &content.tables[family_index];
    int result = read_presence(ruleset, &content, failure);

    if (result < 0)
        return result;
    if (table->exists && !(table->flags & NFT_TABLE_F_DORMANT))
        return 0;
    nft_table_add_skeleton(&batch, &nft_families[family_index], table->has_skeleton);
    result = nfnl_socket_commit(ruleset->socket, &batch, failure);
    return result < 0 ? result : 1;
}

int ruleset_remove(struct ruleset *ruleset, bool is_left_closed, struct nft_failure *failure)
{
    CLEANUP(content_clear) struct content content = {0};
    CLEANUP(nft_batch_clear) struct nft_batch batch = {0};
    int result = read_presence(ruleset, &content, failure);

    if (result < 0)
        return result;
    for (size_t i = 0; i < FAMILY_INDEX_MAX_; i++) {
        const struct nft_table_content *table = &content.tables[i];

        if (is_left_closed && (!ruleset->lacks_family[i] || table->has_skeleton))
            nft_table_add_skeleton(&batch, &nft_families[i], table->has_skeleton);
        if (table->exists)
            nft_table_remove(&batch, &nft_families[i]);
        if (!is_left_closed && table->has_skeleton)
            nft_table_remove_skeleton(&batch, &nft_families[i]);
    }
    ruleset->is_installed = false;
    return nfnl_socket_commit(ruleset->socket, &batch, failure);
}
