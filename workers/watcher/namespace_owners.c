/* Whose network namespace others have joined; see namespace_owners.h. Runs without any privilege. */
#include "workers/watcher/namespace_owners.h"

#include "common/text.h"

#include <string.h>

/* X has joined Y, Y has joined Z …: Docker allows it. A longer chain is no chain that somebody wrote. */
#define CHAIN_MAX 8

enum knowledge {
    UNKNOWN,    /* Docker is to be asked about it */
    NOT_LISTED, /* it is not in scope, or does not run */
    KNOWN,
};

struct namespace_owner {
    UT_hash_handle hh;
    char id[DOCKER_ID_SIZE];
    enum knowledge knowledge;
    bool is_asked_for; /* in the pass under way, and has not come yet */
    bool is_searched;  /* in the search under way */
    bool is_wanted;    /* in the resolution under way */
    char joined_id[DOCKER_ID_SIZE];
    char name[NAME_SIZE];
    bool may_be_service_anchor;
    enum docker_health health;
    struct container_endpoint *endpoints;
    uint32_t endpoint_count;
    struct container_endpoint *found; /* by the search; NULL: nothing yet */
    uint32_t found_count;
};

static struct namespace_owner *find(const struct namespace_owners *owners, const char *id)
{
    struct namespace_owner *owner;

    HASH_FIND_STR(owners->owners, id, owner);
    return owner;
}

static void remove_owner(struct namespace_owners *owners, struct namespace_owner *owner)
{
    HASH_DEL(owners->owners, owner);
    free(owner->endpoints);
    free(owner->found);
    free(owner);
}

void namespace_owners_release(struct namespace_owners *owners)
{
    struct namespace_owner *owner, *next;

    HASH_ITER (hh, owners->owners, owner, next)
        remove_owner(owners, owner);
}

bool namespace_owners_contain(const struct namespace_owners *owners, const char *id)
{
    return find(owners, id) != NULL;
}

size_t namespace_owners_unknown(const struct namespace_owners *owners, const char *ids[], size_t capacity)
{
    struct namespace_owner *owner, *next;
    size_t count = 0;

    HASH_ITER (hh, owners->owners, owner, next) {
        if (owner->knowledge == UNKNOWN && count < capacity)
            ids[count++] = owner->id;
    }
    return count;
}

void namespace_owners_doubt(struct namespace_owners *owners)
{
    struct namespace_owner *owner, *next;

    HASH_ITER (hh, owners->owners, owner, next)
        owner->knowledge = UNKNOWN;
}

void namespace_owners_begin_pass(struct namespace_owners *owners, const char *const *ids, size_t count)
{
    struct namespace_owner *owner, *next;

    HASH_ITER (hh, owners->owners, owner, next)
        owner->is_asked_for = false;
    for (size_t i = 0; i < count; i++) {
        owner = find(owners, ids[i]);
        if (owner)
            owner->is_asked_for = true;
    }
}

/* It is where `endpoints` say, and nothing else is known of it. Takes them over. */
static void place(struct namespace_owner *owner, struct container_endpoint *endpoints, uint32_t count)
{
    free(owner->endpoints);
    owner->endpoints = endpoints;
    owner->endpoint_count = count;
    owner->joined_id[0] = '\0';
    owner->may_be_service_anchor = false;
    owner->knowledge = KNOWN;
}

void namespace_owners_end_pass(struct namespace_owners *owners, bool is_of_scope)
{
    struct namespace_owner *owner, *next;

    HASH_ITER (hh, owners->owners, owner, next) {
        if (!owner->is_asked_for)
            continue;
        owner->is_asked_for = owner->is_searched = false; /* a search that began before may have looked too early */
        if (is_of_scope)
            owner->knowledge = NOT_LISTED;
        else
            place(owner, NULL, 0);
    }
}

bool namespace_owners_begin_search(struct namespace_owners *owners)
{
    struct namespace_owner *owner, *next;
    bool is_needed = false;

    HASH_ITER (hh, owners->owners, owner, next) {
        owner->is_searched = owner->knowledge == NOT_LISTED;
        owner->found_count = 0;
        is_needed |= owner->is_searched;
    }
    return is_needed;
}

int namespace_owners_put_attached(struct namespace_owners *owners, const char *network_id,
                                  const struct docker_attached *attached)
{
    struct namespace_owner *owner = find(owners, attached->id);
    struct container_endpoint *endpoint;

    if (!owner || !owner->is_searched || owner->found_count == DOCKER_ENDPOINTS_MAX)
        return 0;
    if (!owner->found)
        owner->found = calloc(DOCKER_ENDPOINTS_MAX, sizeof(*owner->found));
    if (!owner->found)
        return -ENOMEM;
    endpoint = &owner->found[owner->found_count++];
    *endpoint = (struct container_endpoint){.address4 = attached->address4, .address6 = attached->address6};
    text_copy_cut(endpoint->network_id, sizeof(endpoint->network_id), network_id);
    text_copy_cut(owner->name, sizeof(owner->name), attached->name);
    return 0;
}

void namespace_owners_end_search(struct namespace_owners *owners)
{
    struct namespace_owner *owner, *next;

    HASH_ITER (hh, owners->owners, owner, next) {
        if (owner->is_searched && owner->knowledge == NOT_LISTED)
            place(owner, TAKE_POINTER(owner->found), owner->found_count);
        owner->is_searched = false;
    }
}

int namespace_owners_put(struct namespace_owners *owners, const struct docker_container *container)
{
    struct namespace_owner *owner = find(owners, container->id);
    struct container_endpoint *endpoints = NULL;
    int result;

    if (!owner || !container->is_running)
        return 0;
    result = container_endpoints_copy(container, &endpoints);
    if (result < 0)
        return result;
    free(owner->endpoints);
    owner->endpoints = endpoints;
    owner->endpoint_count = (uint32_t)container->endpoint_count; /* at most DOCKER_ENDPOINTS_MAX */
    owner->knowledge = KNOWN;
    owner->is_asked_for = false;
    owner->may_be_service_anchor = container->may_be_service_anchor;
    owner->health = container->health;
    text_copy_cut(owner->joined_id, sizeof(owner->joined_id), container->joined_id);
    text_copy_cut(owner->name, sizeof(owner->name), container->name);
    return 0;
}

static struct namespace_owner *want(struct namespace_owners *owners, const char *id)
{
    struct namespace_owner *owner = find(owners, id);

    if (!owner) {
        owner = calloc(1, sizeof(*owner));
        if (!owner)
            return NULL;
        text_copy_cut(owner->id, sizeof(owner->id), id);
        HASH_ADD_STR(owners->owners, id, owner);
    }
    owner->is_wanted = true;
    return owner;
}

static int adopt_endpoints(struct container_entry *entry, const struct namespace_owner *owner)
{
    struct container_endpoint *endpoints;

    if (!entry->owner)
        entry->owner = calloc(1, sizeof(*entry->owner));
    endpoints = entry->owner ? calloc(owner->endpoint_count + 1, sizeof(*endpoints)) : NULL;
    if (!endpoints)
        return -ENOMEM;
    if (owner->endpoint_count > 0)
        memcpy(endpoints, owner->endpoints, owner->endpoint_count * sizeof(*endpoints));
    free(entry->endpoints);
    entry->endpoints = endpoints;
    entry->endpoint_count = owner->endpoint_count;
    text_copy_cut(entry->owner->id, sizeof(entry->owner->id), owner->id);
    text_copy_cut(entry->owner->name, sizeof(entry->owner->name), owner->name);
    entry->owner->may_be_service_anchor = owner->may_be_service_anchor;
    entry->owner->health = owner->health;
    return 0;
}

static int resolve_entry(struct namespace_owners *owners, struct container_entry *entry)
{
    struct namespace_owner *owner = want(owners, entry->joined_id);

    for (unsigned int length = 1; owner && owner->joined_id[0] != '\0' && length < CHAIN_MAX; length++)
        owner = want(owners, owner->joined_id);
    if (!owner)
        return -ENOMEM;
    entry->is_owner_known = owner->knowledge == KNOWN;
    /* Podman lists a guest with its owner's endpoints: it keeps them until the owner is known. */
    if (owner->knowledge != KNOWN && !entry->owner && entry->endpoint_count > 0)
        return 0;
    return adopt_endpoints(entry, owner);
}

int namespace_owners_resolve(struct namespace_owners *owners, struct container_table *table)
{
    struct container_entry *entry, *next_entry;
    struct namespace_owner *owner, *next;
    int result = 0;

    if (!table->has_joined && !owners->owners) /* with thousands of containers the look at each is noticed */
        return 0;
    HASH_ITER (hh, owners->owners, owner, next)
        owner->is_wanted = false;
    HASH_ITER (hh, table->entries, entry, next_entry) {
        if (result == 0 && entry->joined_id && entry->range_count > 0)
            result = resolve_entry(owners, entry);
    }
    HASH_ITER (hh, owners->owners, owner, next) {
        if (result == 0 && !owner->is_wanted)
            remove_owner(owners, owner);
    }
    return result;
}
