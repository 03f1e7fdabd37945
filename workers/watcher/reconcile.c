/* From the containers to netadmin; see reconcile.h. Runs without any privilege. */
#include "workers/watcher/reconcile.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"
#include "protocol/metrics.h"
#include "protocol/problems.h"
#include "workers/watcher/guests.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

struct reconciler {
    struct exposures *exposures;
    char shared_name[NAME_SIZE];
    struct {
        struct ip_subnet subnet;
        struct ip_address gateway;
    } subnets[SUBNETS_MAX]; /* of the shared network */
    size_t subnet_count;
    char shared_id[DOCKER_ID_SIZE];        /* empty: not known yet */
    const struct scope_networks *attached; /* NULL: the shared network decides */
    struct wire_exposure *incumbents;
    size_t incumbent_count;
    bool has_computed;
    struct exposure_source *sources;
    size_t source_capacity;
    /* The last state that was sent. */
    struct wire_exposure *sent;
    size_t sent_count, sent_capacity;
    struct guest_list sent_guests;
    size_t sent_backends;
    uint64_t generation;
    uint64_t sent_at; /* monotonic microseconds */
    bool must_send;
    /* What was logged, so that it is logged once. */
    struct exposure_conflict *conflicts;
    size_t conflict_count;
    uint32_t *over_limit;
    size_t over_limit_count;
};

int reconciler_new(struct reconciler **ret)
{
    CLEANUP(reconciler_freep) struct reconciler *reconciler = calloc(1, sizeof(*reconciler));
    int result;

    if (!reconciler)
        return -ENOMEM;
    reconciler->must_send = true;
    result = exposures_new(&reconciler->exposures);
    if (result < 0)
        return result;
    exposures_leave_out_grants(reconciler->exposures, true);
    *ret = TAKE_POINTER(reconciler);
    return 0;
}

struct reconciler *reconciler_free(struct reconciler *reconciler)
{
    if (!reconciler)
        return NULL;
    (void)exposures_free(reconciler->exposures);
    free(reconciler->incumbents);
    free(reconciler->sources);
    free(reconciler->sent);
    guest_list_clear(&reconciler->sent_guests);
    free(reconciler->conflicts);
    free(reconciler->over_limit);
    free(reconciler);
    return NULL;
}

void reconciler_set_shared(struct reconciler *reconciler, const struct wire_network *shared, const char *network_id)
{
    reconciler->subnet_count = 0;
    for (uint32_t i = 0; i < shared->subnet_count && i < SUBNETS_MAX; i++) {
        const struct wire_subnet *wire = &shared->subnets[i];

        reconciler->subnets[i].subnet = (struct ip_subnet){wire_address_to(&wire->address), wire->prefix_length};
        reconciler->subnets[i].gateway = wire_address_to(&wire->gateway);
        reconciler->subnet_count++;
    }
    text_copy_cut(reconciler->shared_name, sizeof(reconciler->shared_name), shared->name);
    text_copy_cut(reconciler->shared_id, sizeof(reconciler->shared_id), network_id);
}

void reconciler_set_attached(struct reconciler *reconciler, const struct scope_networks *networks)
{
    reconciler->attached = networks;
}

/* Copies an array; NULL of no elements is fine. */
static int duplicate(const void *array, size_t count, size_t size, void *ret)
{
    void *copy = calloc(count + 1, size);

    if (!copy)
        return -ENOMEM;
    if (count > 0)
        memcpy(copy, array, count * size);
    memcpy(ret, &copy, sizeof(copy));
    return 0;
}

int reconciler_set_incumbents(struct reconciler *reconciler, const struct wire_exposure *entries, size_t count)
{
    struct wire_exposure *incumbents;
    int result;

    if (reconciler->has_computed)
        return 0;
    result = duplicate(entries, count, sizeof(*entries), &incumbents);
    if (result < 0)
        return result;
    free(reconciler->incumbents);
    reconciler->incumbents = incumbents;
    reconciler->incumbent_count = count;
    return 0;
}

void reconciler_resend(struct reconciler *reconciler)
{
    reconciler->must_send = true;
}

/* An address that netadmin's policy accepts as a target: a host of the shared network, not its gateway. */
static struct ip_address usable_address(const struct reconciler *reconciler, const struct ip_address *address)
{
    const struct ip_address none = {.family = IP_FAMILY_NONE};

    for (size_t i = 0; i < reconciler->subnet_count; i++) {
        if (ip_subnet_contains(&reconciler->subnets[i].subnet, address) && ip_address_is_host(address) &&
            !ip_address_equal(address, &reconciler->subnets[i].gateway))
            return *address;
    }
    return none;
}

static void fill_attached_source(const struct reconciler *reconciler, const struct container_entry *entry,
                                 struct exposure_source *source)
{
    if (entry->range_count == 0)
        return;
    source->address4 =
        scope_networks_find_target(reconciler->attached, entry->endpoints, entry->endpoint_count, FAMILY_INDEX_4)
            .address;
    if (entry->mirrors_to_v6)
        source->address6 =
            scope_networks_find_target(reconciler->attached, entry->endpoints, entry->endpoint_count, FAMILY_INDEX_6)
                .address;
}

static void fill_source(const struct reconciler *reconciler, struct container_entry *entry,
                        struct exposure_source *source)
{
    const struct container_endpoint *endpoint = container_entry_endpoint(entry, reconciler->shared_id);

    *source = (struct exposure_source){
        .serial = entry->serial,
        .created = entry->created,
        .id = entry->id,
        .is_withheld = container_entry_is_withheld(entry),
        .ranges = entry->ranges,
        .range_count = entry->has_too_many_guests ? 0 : entry->range_count,
        .guests = entry->guests.count > 0 ? &entry->guests : NULL,
    };
    if (reconciler->attached) { /* where nothing leads to, attachment_findings.c says so */
        fill_attached_source(reconciler, entry, source);
        return;
    }
    if (endpoint) {
        source->address4 = usable_address(reconciler, &endpoint->address4);
        if (entry->mirrors_to_v6)
            source->address6 = usable_address(reconciler, &endpoint->address6);
    }
    if (source->address4.family || source->address6.family) {
        entry->is_warned_of = false;
    } else if (!entry->is_warned_of && entry->range_count > 0 && (!entry->joined_id || entry->is_owner_known)) {
        entry->is_warned_of = true;
        log_warn("no usable IP for container", LOG_PROBLEM(PROBLEM_NO_ADDRESS), LOG_TEXT("container", entry->name),
                 LOG_TEXT("id", entry->id), LOG_TEXT("network", reconciler->shared_name));
    }
}

static int fill_sources(struct reconciler *reconciler, const struct container_table *table, size_t *ret_count)
{
    size_t wanted = HASH_COUNT(table->entries);
    struct container_entry *entry, *next;
    size_t count = 0;

    if (wanted > reconciler->source_capacity) {
        size_t capacity = wanted + wanted / 2;
        struct exposure_source *sources = reallocarray(reconciler->sources, capacity, sizeof(*sources));

        if (!sources)
            return -ENOMEM;
        reconciler->sources = sources;
        reconciler->source_capacity = capacity;
    }
    HASH_ITER (hh, table->entries, entry, next)
        fill_source(reconciler, entry, &reconciler->sources[count++]);
    *ret_count = count;
    return 0;
}

/* --- what people must know ----------------------------------------------------------------------------- */

static const char *container_name(const struct container_table *table, uint32_t serial)
{
    const struct container_entry *entry = container_table_find_serial(table, serial);

    return entry ? entry->name : "";
}

static bool is_same_conflict(const struct exposure_conflict *a, const struct exposure_conflict *b)
{
    return a->refused == b->refused && a->holder == b->holder && a->protocol == b->protocol &&
           a->port_first == b->port_first && a->port_last == b->port_last;
}

static void log_conflict(const struct container_table *table, const struct exposure_conflict *conflict)
{
    char ports[16];

    (void)snprintf(ports, sizeof(ports), conflict->port_last > conflict->port_first ? "%u-%u" : "%u",
                   (unsigned int)conflict->port_first, (unsigned int)conflict->port_last);
    log_error("port is exposed twice: refused until the other container goes", LOG_PROBLEM(PROBLEM_PORT_CONFLICT),
              LOG_TEXT("container", container_name(table, conflict->refused)),
              LOG_TEXT("holder", container_name(table, conflict->holder)),
              LOG_TEXT("proto", conflict->protocol == IPPROTO_TCP ? "tcp" : "udp"), LOG_TEXT("port", ports));
}

static int log_conflicts(struct reconciler *reconciler, const struct container_table *table,
                         const struct exposure_result *computed)
{
    struct exposure_conflict *conflicts;
    int result = duplicate(computed->conflicts, computed->conflict_count, sizeof(*conflicts), &conflicts);

    if (result < 0)
        return result;
    for (size_t i = 0; i < computed->conflict_count; i++) {
        bool is_known = false;

        for (size_t j = 0; j < reconciler->conflict_count && !is_known; j++)
            is_known = is_same_conflict(&conflicts[i], &reconciler->conflicts[j]);
        if (!is_known)
            log_conflict(table, &conflicts[i]);
    }
    free(reconciler->conflicts);
    reconciler->conflicts = conflicts;
    reconciler->conflict_count = computed->conflict_count;
    metrics_set(METRIC_PORT_CONFLICTS, 0, computed->conflict_count);
    return 0;
}

static int log_over_limit(struct reconciler *reconciler, const struct container_table *table,
                          const struct exposure_result *computed)
{
    uint32_t *over_limit;
    int result = duplicate(computed->over_limit, computed->over_limit_count, sizeof(*over_limit), &over_limit);

    if (result < 0)
        return result;
    for (size_t i = 0; i < computed->over_limit_count; i++) {
        bool is_known = false;

        for (size_t j = 0; j < reconciler->over_limit_count && !is_known; j++)
            is_known = over_limit[i] == reconciler->over_limit[j];
        if (!is_known)
            log_error("container exposes more ports than the maps may still take: none of them is exposed",
                      LOG_PROBLEM(PROBLEM_TOO_MANY_PORTS), LOG_TEXT("container", container_name(table, over_limit[i])),
                      LOG_NUMBER("limit", MAP_ELEMENTS_MAX));
    }
    free(reconciler->over_limit);
    reconciler->over_limit = over_limit;
    reconciler->over_limit_count = computed->over_limit_count;
    return 0;
}

/* --- sending ------------------------------------------------------------------------------------------- */

static bool differs_from_sent(const struct reconciler *reconciler, const struct exposure_result *computed,
                              const struct guest_list *guests)
{
    return reconciler->must_send || !guest_list_equal(guests, &reconciler->sent_guests) ||
           computed->item_count != reconciler->sent_count ||
           (computed->item_count > 0 &&
            memcmp(computed->items, reconciler->sent, computed->item_count * sizeof(*computed->items)) != 0);
}

static int keep_sent(struct reconciler *reconciler, const struct exposure_result *computed)
{
    if (computed->item_count > reconciler->sent_capacity) {
        struct wire_exposure *sent = reallocarray(reconciler->sent, computed->item_count, sizeof(*sent));

        if (!sent)
            return -ENOMEM;
        reconciler->sent = sent;
        reconciler->sent_capacity = computed->item_count;
    }
    if (computed->item_count > 0)
        memcpy(reconciler->sent, computed->items, computed->item_count * sizeof(*computed->items));
    reconciler->sent_count = computed->item_count;
    return 0;
}

static int send_state(struct reconciler *reconciler, const struct exposure_result *computed, struct guest_list *guests,
                      struct netadmin_peer *peer, uint64_t event_time)
{
    int result = keep_sent(reconciler, computed);

    if (result < 0)
        return result;
    guest_list_clear(&reconciler->sent_guests);
    reconciler->sent_guests = *guests;
    *guests = (struct guest_list){0};
    reconciler->sent_backends = computed->backend_count;
    reconciler->sent_at = clock_monotonic_microseconds();
    result = netadmin_peer_send_exposures(peer, ++reconciler->generation, reconciler->sent, reconciler->sent_count,
                                          &reconciler->sent_guests, event_time);
    reconciler->must_send = result < 0;
    return result;
}

static void leave_out(struct container_entry *entry)
{
    entry->has_too_many_guests = true;
    if (!entry->is_said_to_have_too_many_guests)
        log_error("lists and limits of all containers are too long: container is not exposed",
                  LOG_PROBLEM(PROBLEM_LISTS_TOO_LONG), LOG_TEXT("container", entry->name),
                  LOG_NUMBER("sources", GUEST_SOURCES_MAX), LOG_NUMBER("limits", GUEST_LIMITS_MAX));
    entry->is_said_to_have_too_many_guests = true;
}

/* Who writes the container's own port where that of its clients belongs leaves the latter open, and does not know. */
static void warn_of_idle_guests(struct container_entry *entry)
{
    const struct wire_guest *idle = entry->guests.count > 0 && entry->range_count > 0
                                        ? guests_find_idle(&entry->guests, entry->ranges, entry->range_count)
                                        : NULL;

    if (idle && !entry->is_said_to_have_idle_guests)
        log_warn("a list or limit names a port that the container does not expose: it closes nothing",
                 LOG_PROBLEM(PROBLEM_LIST_IN_VAIN), LOG_TEXT("container", entry->name),
                 LOG_TEXT("proto", idle->protocol == IPPROTO_TCP ? "tcp" : "udp"),
                 LOG_NUMBER("port", idle->port_first));
    entry->is_said_to_have_idle_guests = idle;
}

/* What of the sources has room for its lists, the oldest first, and those lists. */
static int compute_guests(struct reconciler *reconciler, struct container_table *table, size_t source_count,
                          struct exposure_result *computed, struct guest_list *guests)
{
    uint32_t over = 0;
    bool has_guests = false;
    int result;

    for (size_t i = 0; i < source_count && !has_guests; i++)
        has_guests = reconciler->sources[i].guests;
    exposures_leave_out_grants(reconciler->exposures, !has_guests);
    do {
        struct container_entry *entry;

        result = exposures_compute(reconciler->exposures, reconciler->sources, source_count, computed);
        if (result == 0)
            result = guests_collect(computed, guests, &over);
        entry = result == 0 && over ? container_table_find_serial(table, over) : NULL;
        if (entry) {
            leave_out(entry);
            result = fill_sources(reconciler, table, &source_count);
        }
    } while (result == 0 && over);
    exposures_leave_out_grants(reconciler->exposures, true);
    return result;
}

int reconciler_run(struct reconciler *reconciler, struct container_table *table, struct netadmin_peer *peer,
                   uint64_t event_time)
{
    CLEANUP(guest_list_clear) struct guest_list guests = {0};
    struct container_entry *entry, *next;
    struct exposure_result computed = {0};
    size_t source_count;
    int result;

    if ((reconciler->shared_id[0] == '\0' && !reconciler->attached) || !peer)
        return 0;
    HASH_ITER (hh, table->entries, entry, next) {
        entry->has_too_many_guests = false;
        warn_of_idle_guests(entry);
    }
    result = fill_sources(reconciler, table, &source_count);
    if (result < 0)
        return result;
    if (!reconciler->has_computed)
        result = exposures_adopt(reconciler->exposures, reconciler->incumbents, reconciler->incumbent_count,
                                 reconciler->sources, source_count);
    if (result == 0)
        result = compute_guests(reconciler, table, source_count, &computed, &guests);
    if (result < 0)
        return result;
    reconciler->has_computed = true;
    free(reconciler->incumbents);
    reconciler->incumbents = NULL;
    if (differs_from_sent(reconciler, &computed, &guests))
        result = send_state(reconciler, &computed, &guests, peer, event_time);
    if (result == 0)
        result = log_conflicts(reconciler, table, &computed);
    if (result == 0)
        result = log_over_limit(reconciler, table, &computed);
    return result;
}

static void count_answer(const struct reconciler *reconciler, const struct message_applied *applied)
{
    metrics_add(METRIC_RECONCILE, applied->error ? METRIC_ERROR : METRIC_OK, 1);
    /* When the state that is answered was replaced meanwhile, its time is forgotten. */
    if (applied->header.generation == reconciler->generation)
        metrics_observe(METRIC_RECONCILE_DURATION, clock_monotonic_microseconds() - reconciler->sent_at);
}

int reconciler_compute(struct reconciler *reconciler, struct container_table *table, struct exposure_result *ret)
{
    size_t source_count;
    int result;

    if (!reconciler->has_computed)
        return -EAGAIN;
    result = fill_sources(reconciler, table, &source_count);
    if (result < 0)
        return result;
    exposures_leave_out_grants(reconciler->exposures, false);
    return exposures_compute(reconciler->exposures, reconciler->sources, source_count, ret);
}

void reconciler_forget_computed(struct reconciler *reconciler)
{
    exposures_leave_out_grants(reconciler->exposures, true);
}

void reconciler_on_applied(struct reconciler *reconciler, const struct message_applied *applied, uint64_t event_time)
{
    uint64_t now = clock_real_nanoseconds();
    uint32_t entries = 0;
    uint32_t flushed = 0;

    count_answer(reconciler, applied);
    if (applied->error) {
        log_error("netadmin refused the desired state", LOG_PROBLEM(PROBLEM_STATE_REFUSED),
                  LOG_NUMBER("generation", applied->header.generation), LOG_TEXT("reason", applied->reason),
                  LOG_ERROR(applied->error));
        reconciler->must_send = true; /* the next poll tries again */
        return;
    }
    for (size_t family = 0; family < FAMILY_INDEX_MAX_; family++) {
        flushed += applied->flushed[family];
        for (size_t protocol = 0; protocol < PROTOCOL_INDEX_MAX_; protocol++)
            entries += applied->entries[family][protocol];
    }
    /* The backends of a state that was replaced meanwhile are not told: the newest one's line follows. */
    if (event_time > 0 && event_time <= now) {
        metrics_observe(METRIC_EVENT_TO_MAP, (now - event_time) / 1000);
        log_info("reconciled", LOG_NUMBER("backends", reconciler->sent_backends), LOG_NUMBER("entries", entries),
                 LOG_NUMBER("conntrack_flushed", flushed), LOG_NUMBER("event_to_map_us", (now - event_time) / 1000));
    } else {
        log_info("reconciled", LOG_NUMBER("backends", reconciler->sent_backends), LOG_NUMBER("entries", entries),
                 LOG_NUMBER("conntrack_flushed", flushed));
    }
}
