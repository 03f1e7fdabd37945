/*
 * The containers in scope that carry `anchord.expose`, with what of them matters to the maps.
 *
 * Filled by watch_scope.c from Docker's answers, read by reconcile.c, discovery.c, path_survey.c and findings.c. In
 * memory only; no privilege.
 */
#pragma once

#include "protocol/guest_list.h"
#include "workers/docker/records.h"
#include "workers/watcher/published.h"

/* uthash's default falls through a switch without saying so, which clang refuses; IDs are hashes anyway. */
#define HASH_FUNCTION HASH_OAT
/* Without memory an entry is not added; its default ends the process. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/* The places of these labels in the list that the Docker client is asked for. */
enum watched_label {
    WATCHED_LABEL_PROJECT,
    WATCHED_LABEL_EXPOSE,
    WATCHED_LABEL_EXPOSE_V6,
    WATCHED_LABEL_EXPOSE_WHEN,
    WATCHED_LABEL_ALLOW,
    WATCHED_LABEL_LIMIT,
    WATCHED_LABEL_SERVICE,
    WATCHED_LABEL_MAX_,
};

extern const struct docker_label_names watched_labels;

/* Which one a label that is none of these was meant to be; empty: nobody knows. */
const char *watched_label_nearest(const char *label);

struct container_endpoint {
    char network_id[DOCKER_ID_SIZE];
    struct ip_address address4;
    struct ip_address address6;
    int32_t gateway_priority;
};

/* What is wrong with a container's label (DISC-3, NAT-7, DISC-7, GUEST-1). */
struct label_fault {
    const char *label;
    size_t position;    /* counted from 1; 0: the whole value */
    const char *reason; /* NULL: nothing; static storage, as the label */
};

/* Whose network namespace a container is in, at the end of the chain of those that joined. */
struct container_owner {
    char id[DOCKER_ID_SIZE];
    char name[NAME_SIZE];
    bool may_be_service_anchor;
    enum docker_health health;
};

/* What of a container's exposures comes from what it publishes (HOST-3). */
struct container_publication {
    struct published_binding *bindings;
    size_t binding_count;
    struct published_withheld *withheld; /* with the parent's addresses of now */
    size_t withheld_count;
};

/* There may be thousands: the members stand in an order that leaves no holes. */
struct container_entry {
    UT_hash_handle hh;
    char id[DOCKER_ID_SIZE];
    bool mirrors_to_v6;
    bool waits_for_health;
    bool is_service_anchor;
    bool may_be_service_anchor; /* as of docker_container */
    bool tells_network_mode;    /* likewise */
    bool is_warned_of;          /* `no usable IP for container` was logged */
    bool is_said_to_lack_health_check;
    bool has_too_many_guests; /* its lists do not fit beside those of others: it is not exposed (GUEST-1) */
    bool is_said_to_have_too_many_guests;
    bool is_said_to_have_idle_guests;
    bool is_owner_known;
    bool is_in_special_network; /* network_mode: host or none */
    bool must_be_inspected;     /* no list tells all that matters: see container_table_find_to_ask_about() */
    enum docker_health health;
    uint32_t serial; /* counts up from 1 with each new container (exposures.h) */
    uint32_t pass;   /* the last one that saw it */
    uint32_t range_count;
    uint32_t endpoint_count;
    uint64_t created;
    char *name;
    struct expose_range *ranges;               /* none when the label is invalid */
    struct container_publication *publication; /* NULL: its label decides */
    struct container_endpoint *endpoints;
    struct guest_list guests; /* whom its ports answer, and how often; none: everybody */
    struct label_fault fault;
    char *unknown_label; /* one of anchord's that it does not know, or NULL */
    char *joined_id;     /* the container whose network namespace it has joined, or NULL (DISC-5) */
    /* Of one that has joined another; NULL until namespace_owners_resolve() sets it, and the endpoints with it. */
    struct container_owner *owner;
};

/* One of which Docker says what is not understood: left out, or as it was before. */
struct odd_container {
    char id[DOCKER_ID_SIZE];
    char name[NAME_SIZE];
    const char *reason; /* static storage; NULL: a free place */
    uint32_t pass;      /* the last one that saw it */
};

#define ODD_CONTAINERS_MAX 16 /* more are left out of what status tells */

struct container_table {
    struct container_entry *entries; /* in the order of their creation, ties by ID */
    bool has_joined; /* one of them, perhaps of those that have gone, is or was in another one's namespace */
    uint32_t last_serial;
    uint32_t pass;
    uint32_t expose_from;      /* bits of enum expose_from; 0: labels, and who has none is not put in */
    struct ip_address *parent; /* addresses of the parent; owned */
    size_t parent_count;
    char *guest_texts[GUEST_TEXT_MAX_]; /* ANCHORD_ALLOW, ANCHORD_LIMIT (GUEST-5); NULL: not set; owned */
    bool lacks_lists;                   /* the kernel has none: ports with one are not exposed */
    char refusal[REASON_SIZE];          /* why netadmin refused the last state; empty: it did not */
    struct odd_container odd[ODD_CONTAINERS_MAX];
};

void container_table_release(struct container_table *table);

/* The endpoints of Docker's record, in memory that the caller frees. Returns 0 or -ENOMEM. */
int container_endpoints_copy(const struct docker_container *container, struct container_endpoint **ret)
    __attribute__((warn_unused_result));

/* The parent has other addresses: what is published there is exposed anew. Returns 0 or -ENOMEM. */
int container_table_set_parent(struct container_table *table, const struct ip_address *addresses, size_t count)
    __attribute__((warn_unused_result));

/* Starts a pass over Docker's answer. */
void container_table_begin_pass(struct container_table *table);

/*
 * Adds or updates a container and marks it as seen in this pass. A new one's labels are read (they never change
 * while it lives): *ret_fault says what is wrong with them. Returns 0 or -ENOMEM (nothing changed).
 */
int container_table_put(struct container_table *table, const struct docker_container *container,
                        struct label_fault *ret_fault) __attribute__((warn_unused_result));

/* Marks a container that cannot be read just now as seen, so that what is known of it stays. */
void container_table_keep(struct container_table *table, const char *id);
/* Remembers in this pass why it cannot be read, for findings; `reason` in static storage. */
void container_table_put_odd(struct container_table *table, const char *id, const char *name, const char *reason);

/* After a complete list: whoever this pass has not seen is gone. */
void container_table_end_pass(struct container_table *table);
/* After a list filtered by IDs: the container is gone if this pass has not seen it. */
void container_table_end_pass_for(struct container_table *table, const char *id);

/*
 * The first container of which the list of those in scope does not tell enough, or NULL: it was paused when it came,
 * and its health is not known (DISC-7), or it is Podman's.
 */
struct container_entry *container_table_find_to_ask_about(const struct container_table *table);
/*
 * Takes what the list did not tell: the health, and whose namespace the container has joined. *ret_has_changed says
 * whether there is something new. Returns 0 or -ENOMEM.
 */
int container_entry_take_inspection(struct container_entry *entry, const struct docker_inspection *inspection,
                                    bool *ret_has_changed) __attribute__((warn_unused_result));

/* NULL when there is none. */
struct container_entry *container_table_find(const struct container_table *table, const char *id);
struct container_entry *container_table_find_serial(const struct container_table *table, uint32_t serial);
/* It can never be healthy: Docker runs no health check for it (DISC-7). False while that is not known. */
bool container_entry_lacks_health_check(const struct container_entry *entry);

/* Nothing new may go to it: it wants to be healthy for that and is not (DISC-7). */
bool container_entry_is_withheld(const struct container_entry *entry);
const struct container_endpoint *container_entry_endpoint(const struct container_entry *entry, const char *network_id);
size_t container_table_count_on(const struct container_table *table, const char *network_id);
