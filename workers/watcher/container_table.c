/* The containers in scope; see container_table.h. In memory only, runs without any privilege. */
#include "workers/watcher/container_table.h"

#include "common/array.h"
#include "common/text.h"
#include "protocol/guest_label.h"
#include "protocol/managed_target.h"

#include <string.h>

/* SPEC §6: written by us, or read by others of our roles. */
static const char *const other_labels[] = {LABEL_MANAGED_BY, LABEL_TARGET, NULL};

const struct docker_label_names watched_labels = {
    .names =
        {
            [WATCHED_LABEL_PROJECT] = "com.docker.compose.project",
            [WATCHED_LABEL_EXPOSE] = "anchord.expose",
            [WATCHED_LABEL_EXPOSE_V6] = "anchord.expose.v6",
            [WATCHED_LABEL_EXPOSE_WHEN] = "anchord.expose.when",
            [WATCHED_LABEL_ALLOW] = "anchord.allow",
            [WATCHED_LABEL_LIMIT] = "anchord.limit",
            [WATCHED_LABEL_SERVICE] = "com.docker.compose.service",
        },
    .count = WATCHED_LABEL_MAX_,
    .own_prefix = "anchord.",
    .other_names = other_labels,
};

const char *watched_label_nearest(const char *label)
{
    const char *const *all[] = {watched_labels.names, watched_labels.other_names};
    const size_t counts[] = {watched_labels.count, SIZE_MAX};
    size_t nearest_distance = TEXT_MISSPELT_LETTERS_MAX + 1;
    const char *nearest = "";

    for (size_t list = 0; list < ARRAY_LENGTH(all); list++) {
        for (size_t i = 0; i < counts[list] && all[list][i]; i++) {
            size_t distance = text_edit_distance(label, all[list][i]);

            if (distance < nearest_distance) {
                nearest_distance = distance;
                nearest = all[list][i];
            }
        }
    }
    return nearest;
}

static void free_publication(struct container_publication *publication)
{
    if (!publication)
        return;
    free(publication->bindings);
    free(publication->withheld);
    free(publication);
}

static void free_entry(struct container_entry *entry)
{
    free_publication(entry->publication);
    guest_list_clear(&entry->guests);
    free(entry->name);
    free(entry->ranges);
    free(entry->endpoints);
    free(entry->unknown_label);
    free(entry->joined_id);
    free(entry->owner);
    free(entry);
}

DEFINE_POINTER_CLEANUP(struct container_entry, free_entry, container_entry_freep);

static void remove_entry(struct container_table *table, struct container_entry *entry)
{
    HASH_DEL(table->entries, entry);
    free_entry(entry);
}

void container_table_release(struct container_table *table)
{
    struct container_entry *entry, *next;

    HASH_ITER (hh, table->entries, entry, next)
        remove_entry(table, entry);
    free_pointer(&table->parent);
    for (size_t i = 0; i < ARRAY_LENGTH(table->guest_texts); i++)
        free_pointer(&table->guest_texts[i]);
}

void container_table_begin_pass(struct container_table *table)
{
    table->pass++;
}

struct container_entry *container_table_find(const struct container_table *table, const char *id)
{
    struct container_entry *entry;

    HASH_FIND_STR(table->entries, id, entry);
    return entry;
}

struct container_entry *container_table_find_serial(const struct container_table *table, uint32_t serial)
{
    struct container_entry *entry, *next;

    HASH_ITER (hh, table->entries, entry, next) {
        if (entry->serial == serial)
            return entry;
    }
    return NULL;
}

struct container_entry *container_table_find_to_ask_about(const struct container_table *table)
{
    struct container_entry *entry, *next;

    HASH_ITER (hh, table->entries, entry, next) {
        if (entry->must_be_inspected)
            return entry;
    }
    return NULL;
}

/* The value of a label of one word; absent is as good as empty. */
static int read_word(const struct docker_container *container, enum watched_label label, int (*parse)(const char *),
                     const char *reason, struct label_fault *ret_fault)
{
    const struct docker_label *read = &container->labels[label];
    int word = parse(read->is_present ? read->text : "");

    if (word < 0 && !ret_fault->reason)
        *ret_fault = (struct label_fault){watched_labels.names[label], 0, reason};
    return word;
}

/* A variable decides about the services that it names; the label about the others (GUEST-5). */
static int read_guests(const struct container_table *table, const struct docker_container *container,
                       enum guest_text which, struct guest_list *ret, struct label_fault *ret_fault)
{
    static const enum watched_label labels[] = {
        [GUEST_TEXT_ALLOW] = WATCHED_LABEL_ALLOW, [GUEST_TEXT_LIMIT] = WATCHED_LABEL_LIMIT};
    static const char *const variables[] = {[GUEST_TEXT_ALLOW] = "ANCHORD_ALLOW", [GUEST_TEXT_LIMIT] = "ANCHORD_LIMIT"};
    const struct docker_label *service = &container->labels[WATCHED_LABEL_SERVICE];
    const struct docker_label *label = &container->labels[labels[which]];
    const char *variable = table->guest_texts[which];
    bool is_told = variable && service->is_present && guest_label_names_service(variable, service->text);
    struct guest_list read = {0};
    struct guest_error error;
    int result = 0;

    if (is_told)
        result = guest_label_parse(variable, which, service->text, &read, &error);
    else if (label->is_present)
        result = guest_label_parse(label->text, which, NULL, &read, &error);
    if (result == -EINVAL && !ret_fault->reason)
        *ret_fault = (struct label_fault){is_told ? variables[which] : watched_labels.names[labels[which]],
                                          error.position, error.reason};
    if (result == 0)
        result = guest_list_add_all(ret, &read);
    guest_list_clear(&read);
    return result == -EINVAL ? 0 : result;
}

static int read_labels(const struct container_table *table, struct container_entry *entry,
                       const struct docker_container *container, struct label_fault *ret_fault)
{
    const struct docker_label *expose = &container->labels[WATCHED_LABEL_EXPOSE];
    struct expose_error error;
    int count;

    entry->mirrors_to_v6 = read_word(container, WATCHED_LABEL_EXPOSE_V6, expose_v6_label_parse,
                                     "the value is neither auto nor off", ret_fault) > 0;
    entry->waits_for_health = read_word(container, WATCHED_LABEL_EXPOSE_WHEN, expose_when_label_parse,
                                        "the value is neither started nor healthy", ret_fault) > 0;
    count = read_guests(table, container, GUEST_TEXT_ALLOW, &entry->guests, ret_fault);
    if (count == 0)
        count = read_guests(table, container, GUEST_TEXT_LIMIT, &entry->guests, ret_fault);
    if (count < 0)
        return count;
    guest_list_sort(&entry->guests);
    if (ret_fault->reason || (table->expose_from && !(table->expose_from & EXPOSE_FROM_LABELS)))
        return 0;
    count = expose->is_present ? expose_label_parse(expose->text, &entry->ranges, &error) : 0;
    if (count == -EINVAL)
        *ret_fault = (struct label_fault){watched_labels.names[WATCHED_LABEL_EXPOSE], error.position, error.reason};
    else if (count < 0)
        return count;
    else
        entry->range_count = (uint32_t)count;
    return 0;
}

/* --- what is published ----------------------------------------------------------------------------------- */

/* A container with a label counts by its label alone. */
static bool counts_by_publication(const struct container_table *table, const struct docker_container *container)
{
    bool has_label = container->labels[WATCHED_LABEL_EXPOSE].is_present && table->expose_from & EXPOSE_FROM_LABELS;

    return table->expose_from & EXPOSE_FROM_PUBLISHED && !has_label;
}

/* Nothing is exposed of a container whose other labels are invalid. */
static int expose_publication(const struct container_table *table, struct container_entry *entry)
{
    struct container_publication *publication = entry->publication;
    struct published published;
    int result;

    if (entry->fault.reason)
        return 0;
    result = published_expose(publication->bindings, publication->binding_count, table->parent, table->parent_count,
                              &published);
    if (result < 0)
        return result;
    free(entry->ranges);
    free(publication->withheld);
    entry->ranges = published.ranges;
    entry->range_count = (uint32_t)published.range_count;
    publication->withheld = published.withheld;
    publication->withheld_count = published.withheld_count;
    return 0;
}

static bool has_bindings(const struct container_publication *known, const struct published_binding *bindings,
                         size_t count)
{
    if (known->binding_count != count)
        return false;
    return !bindings || !known->bindings || memcmp(bindings, known->bindings, count * sizeof(*bindings)) == 0;
}

/* Ports that Docker chooses are others after a restart. */
static int update_publication(const struct container_table *table, struct container_entry *entry,
                              const struct docker_container *container)
{
    CLEANUP_FREE struct published_binding *bindings = NULL;
    int count = published_bindings_make(container->ports, container->port_count, &bindings);

    if (count < 0)
        return count;
    if (!entry->publication)
        entry->publication = calloc(1, sizeof(*entry->publication));
    if (!entry->publication)
        return -ENOMEM;
    if (has_bindings(entry->publication, bindings, (size_t)count))
        return 0;
    free(entry->publication->bindings);
    entry->publication->bindings = TAKE_POINTER(bindings);
    entry->publication->binding_count = (size_t)count;
    count = expose_publication(table, entry);
    if (count < 0)
        entry->publication->binding_count = 0; /* the next pass tries again */
    return count;
}

int container_table_set_parent(struct container_table *table, const struct ip_address *addresses, size_t count)
{
    struct ip_address *parent = calloc(count + 1, sizeof(*parent));
    struct container_entry *entry, *next;
    int result = 0;

    if (!parent)
        return -ENOMEM;
    if (count > 0)
        memcpy(parent, addresses, count * sizeof(*parent));
    free(table->parent);
    table->parent = parent;
    table->parent_count = count;
    HASH_ITER (hh, table->entries, entry, next) {
        if (entry->publication && result == 0)
            result = expose_publication(table, entry);
    }
    return result;
}

/* --- entries --------------------------------------------------------------------------------------------- */

int container_endpoints_copy(const struct docker_container *container, struct container_endpoint **ret)
{
    struct container_endpoint *endpoints =
        calloc(container->endpoint_count ? container->endpoint_count : 1, sizeof(*endpoints));

    if (!endpoints)
        return -ENOMEM;
    for (size_t i = 0; i < container->endpoint_count; i++) {
        memcpy(endpoints[i].network_id, container->endpoints[i].network_id, sizeof(endpoints[i].network_id));
        endpoints[i].address4 = container->endpoints[i].address4;
        endpoints[i].address6 = container->endpoints[i].address6;
        endpoints[i].gateway_priority = container->endpoints[i].gateway_priority;
    }
    *ret = endpoints;
    return 0;
}

/*
 * Everything that may change while a container lives: its name, its addresses, its health. Those of a container that
 * has joined another one's namespace are that one's.
 */
static int update_entry(struct container_entry *entry, const struct docker_container *container)
{
    CLEANUP_FREE char *name = strdup(container->name);
    struct container_endpoint *endpoints = NULL;
    int result = name ? 0 : -ENOMEM;

    if (result == 0 && !entry->joined_id)
        result = container_endpoints_copy(container, &endpoints);
    if (result < 0)
        return result;
    free(entry->name);
    entry->name = TAKE_POINTER(name);
    if (!entry->joined_id) {
        free(entry->endpoints);
        entry->endpoints = endpoints;
        entry->endpoint_count = (uint32_t)container->endpoint_count; /* at most DOCKER_ENDPOINTS_MAX */
    }
    entry->is_in_special_network = container->is_in_host_network || container->is_without_network;
    entry->created = container->created;
    entry->is_service_anchor = container->is_service_anchor;
    entry->may_be_service_anchor |= container->may_be_service_anchor; /* Podman's inspection said so */
    entry->tells_network_mode = container->tells_network_mode;
    /* Docker's list does not tell the health of a paused container: it keeps its entry as it was (DISC-6). */
    if (container->tells_network_mode && !container->is_paused) {
        entry->health = container->health;
        entry->must_be_inspected = false;
    }
    /* Podman's tells nobody's: the health may have changed whenever there is a reason to list. */
    if (!container->tells_network_mode && entry->waits_for_health)
        entry->must_be_inspected = true;
    return 0;
}

int container_entry_take_inspection(struct container_entry *entry, const struct docker_inspection *inspection,
                                    bool *ret_has_changed)
{
    bool has_joined = !entry->joined_id && inspection->joined_id[0] != '\0';

    *ret_has_changed = has_joined || entry->health != inspection->health;
    entry->must_be_inspected = false;
    entry->health = inspection->health;
    entry->may_be_service_anchor |= inspection->is_service_anchor;
    if (has_joined)
        entry->joined_id = strdup(inspection->joined_id);
    return has_joined && !entry->joined_id ? -ENOMEM : 0;
}

/* As exposures.c wants them (NAT-6). */
static int compare_age(const struct container_entry *a, const struct container_entry *b)
{
    if (a->created != b->created)
        return a->created < b->created ? -1 : 1;
    return strcmp(a->id, b->id);
}

/* Docker lists the newest first, and a container that starts is mostly the newest: its place is at one of the ends. */
static int insert_entry(struct container_table *table, struct container_entry *entry)
{
    const struct container_entry *last =
        table->entries ? ELMT_FROM_HH(table->entries->hh.tbl, table->entries->hh.tbl->tail) : NULL;

    if (last && compare_age(last, entry) <= 0)
        HASH_ADD_STR(table->entries, id, entry);
    else
        HASH_ADD_INORDER(hh, table->entries, id[0], strlen(entry->id), entry, compare_age);
    return entry->hh.tbl ? 0 : -ENOMEM;
}

static int add_entry(struct container_table *table, const struct docker_container *container,
                     struct label_fault *ret_fault)
{
    CLEANUP(container_entry_freep) struct container_entry *entry = calloc(1, sizeof(*entry));
    int result;

    if (!entry)
        return -ENOMEM;
    memcpy(entry->id, container->id, sizeof(entry->id));
    if (container->joined_id[0] != '\0') {
        entry->joined_id = strdup(container->joined_id);
        if (!entry->joined_id)
            return -ENOMEM;
        table->has_joined = true;
    }
    if (container->unknown_label[0] != '\0') {
        entry->unknown_label = strdup(container->unknown_label);
        if (!entry->unknown_label)
            return -ENOMEM;
    }
    result = read_labels(table, entry, container, ret_fault);
    entry->fault = *ret_fault;
    if (result == 0)
        result = update_entry(entry, container);
    if (result == 0 && counts_by_publication(table, container))
        result = update_publication(table, entry, container);
    if (result < 0)
        return result;
    if (!container->tells_network_mode || (container->is_paused && entry->waits_for_health))
        entry->must_be_inspected = true;
    entry->serial = ++table->last_serial;
    entry->pass = table->pass;
    result = insert_entry(table, entry);
    if (result == 0)
        TAKE_POINTER(entry);
    return result;
}

int container_table_put(struct container_table *table, const struct docker_container *container,
                        struct label_fault *ret_fault)
{
    struct container_entry *entry = container_table_find(table, container->id);
    int result;

    *ret_fault = (struct label_fault){0};
    if (!entry)
        return add_entry(table, container, ret_fault);
    result = update_entry(entry, container);
    if (result == 0 && entry->publication)
        result = update_publication(table, entry, container);
    if (result == 0)
        entry->pass = table->pass;
    return result;
}

void container_table_keep(struct container_table *table, const char *id)
{
    struct container_entry *entry = container_table_find(table, id);

    if (entry)
        entry->pass = table->pass;
}

void container_table_put_odd(struct container_table *table, const char *id, const char *name, const char *reason)
{
    struct odd_container *place = NULL;

    for (size_t i = 0; i < ARRAY_LENGTH(table->odd); i++) {
        struct odd_container *odd = &table->odd[i];

        if (odd->reason && strcmp(odd->id, id) == 0) {
            place = odd;
            break;
        }
        if (!place && !odd->reason)
            place = odd;
    }
    if (!place)
        return;
    text_copy_cut(place->id, sizeof(place->id), id);
    text_copy_cut(place->name, sizeof(place->name), name);
    place->reason = reason;
    place->pass = table->pass;
}

/* Without an ID all that this pass has not seen; they are gone, or understood by now. */
static void forget_odd(struct container_table *table, const char *id)
{
    for (size_t i = 0; i < ARRAY_LENGTH(table->odd); i++) {
        struct odd_container *odd = &table->odd[i];

        if (odd->pass != table->pass && (!id || strcmp(odd->id, id) == 0))
            odd->reason = NULL;
    }
}

void container_table_end_pass(struct container_table *table)
{
    struct container_entry *entry, *next;

    forget_odd(table, NULL);
    HASH_ITER (hh, table->entries, entry, next) {
        if (entry->pass != table->pass)
            remove_entry(table, entry);
    }
}

void container_table_end_pass_for(struct container_table *table, const char *id)
{
    struct container_entry *entry = container_table_find(table, id);

    forget_odd(table, id);
    if (entry && entry->pass != table->pass)
        remove_entry(table, entry);
}

bool container_entry_lacks_health_check(const struct container_entry *entry)
{
    return entry->waits_for_health && !entry->must_be_inspected && entry->health == DOCKER_HEALTH_NONE;
}

bool container_entry_is_withheld(const struct container_entry *entry)
{
    return entry->waits_for_health && entry->health != DOCKER_HEALTH_HEALTHY;
}

const struct container_endpoint *container_entry_endpoint(const struct container_entry *entry, const char *network_id)
{
    for (size_t i = 0; i < entry->endpoint_count; i++) {
        if (strcmp(entry->endpoints[i].network_id, network_id) == 0)
            return &entry->endpoints[i];
    }
    return NULL;
}

size_t container_table_count_on(const struct container_table *table, const char *network_id)
{
    struct container_entry *entry, *next;
    size_t count = 0;

    HASH_ITER (hh, table->entries, entry, next)
        count += entry->range_count > 0 && container_entry_endpoint(entry, network_id);
    return count;
}
