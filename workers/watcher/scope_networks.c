/* The Docker networks of an attached project; see scope_networks.h. Runs without any privilege. */
#include "workers/watcher/scope_networks.h"

#include "common/array.h"
#include "common/text.h"
#include "workers/watcher/return_path.h"

#include <stdio.h>

#define NETWORK_ID_LENGTH 64 /* hexadecimal digits; the host half takes no other */

enum knowledge {
    TO_BE_ASKED,
    KNOWN,
    REFUSED,
};

struct scope_network {
    UT_hash_handle hh;
    char id[DOCKER_ID_SIZE];
    enum knowledge knowledge;
    bool is_noted;  /* in the pass under way */
    bool must_look; /* at who is on it */
    int link_error;
    char link_reason[REASON_SIZE];
    char link_interface[INTERFACE_NAME_SIZE];
    struct docker_network record;
    struct ip_address *guarded; /* of containers in scope */
    size_t guarded_count, guarded_capacity;
    bool is_looked_at; /* `guarded` is of the inspection under way */
};

static struct scope_network *find(const struct scope_networks *networks, const char *id)
{
    struct scope_network *network;

    HASH_FIND_STR(networks->networks, id, network);
    return network;
}

static void remove_network(struct scope_networks *networks, struct scope_network *network)
{
    HASH_DEL(networks->networks, network);
    free(network->guarded);
    free(network);
}

void scope_networks_release(struct scope_networks *networks)
{
    struct scope_network *network, *next;

    HASH_ITER (hh, networks->networks, network, next)
        remove_network(networks, network);
}

bool scope_networks_contain(const struct scope_networks *networks, const char *id)
{
    return find(networks, id) != NULL;
}

int scope_networks_note(struct scope_networks *networks, const char *id)
{
    struct scope_network *network = find(networks, id);

    if (network) {
        network->is_noted = true;
        return 0;
    }
    if (strlen(id) != NETWORK_ID_LENGTH || HASH_COUNT(networks->networks) >= SCOPE_NETWORKS_MAX)
        return 0;
    network = calloc(1, sizeof(*network));
    if (!network)
        return -ENOMEM;
    network->is_noted = true;
    text_copy_cut(network->id, sizeof(network->id), id);
    HASH_ADD_STR(networks->networks, id, network);
    if (!network->hh.tbl) {
        free(network);
        return -ENOMEM;
    }
    return 1;
}

bool scope_networks_remove(struct scope_networks *networks, const char *id)
{
    struct scope_network *network = find(networks, id);

    if (network)
        remove_network(networks, network);
    return network != NULL;
}

const char *scope_networks_at(const struct scope_networks *networks, size_t place)
{
    const struct scope_network *network = networks->networks;

    while (network && place-- > 0)
        network = network->hh.next;
    return network ? network->id : NULL;
}

void scope_networks_begin_pass(struct scope_networks *networks)
{
    struct scope_network *network, *next;

    HASH_ITER (hh, networks->networks, network, next)
        network->is_noted = false;
}

/* --- inspections ----------------------------------------------------------------------------------------- */

static bool is_owned(const struct scope_networks *networks, const struct scope_network *network)
{
    return networks->project[0] != '\0' && strcmp(network->record.project, networks->project) == 0;
}

/* Does a link lead there? Docker keeps internal networks closed itself, and nothing leads out of them. */
static bool is_linked(const struct scope_network *network)
{
    return network->knowledge == KNOWN && !network->record.is_internal && strcmp(network->record.driver, "bridge") == 0;
}

static bool is_shared_with_others(const struct scope_networks *networks, const struct scope_network *network)
{
    return is_linked(network) && !is_owned(networks, network);
}

void scope_networks_look_at_all(struct scope_networks *networks)
{
    struct scope_network *network, *next;

    HASH_ITER (hh, networks->networks, network, next)
        network->must_look = is_shared_with_others(networks, network);
}

void scope_networks_end_pass(struct scope_networks *networks)
{
    struct scope_network *network, *next;

    HASH_ITER (hh, networks->networks, network, next) {
        if (!network->is_noted)
            remove_network(networks, network);
    }
    scope_networks_look_at_all(networks);
}

bool scope_networks_look_again(struct scope_networks *networks, const char *id)
{
    struct scope_network *network = find(networks, id);
    bool is_shared = network && is_shared_with_others(networks, network);

    if (is_shared)
        network->must_look = true;
    return is_shared;
}

const char *scope_networks_needs_inspection(struct scope_networks *networks)
{
    struct scope_network *network, *next;

    HASH_ITER (hh, networks->networks, network, next) {
        if (network->knowledge != TO_BE_ASKED && !network->must_look)
            continue;
        network->must_look = false; /* what happens from now on asks again */
        network->is_looked_at = false;
        return network->id;
    }
    return NULL;
}

static void begin_looking(struct scope_network *network)
{
    if (!network->is_looked_at)
        network->guarded_count = 0;
    network->is_looked_at = true;
}

static int add_guarded(struct scope_network *network, const struct ip_address *address)
{
    struct ip_address *grown;

    if (address->family == IP_FAMILY_NONE)
        return 0;
    grown = array_grow(network->guarded, network->guarded_count, &network->guarded_capacity, sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    network->guarded = grown;
    grown[network->guarded_count++] = *address;
    return 0;
}

int scope_networks_put_attached(struct scope_networks *networks, const char *id, const struct docker_attached *attached)
{
    struct scope_network *network = find(networks, id);
    int result;

    if (!network)
        return 0;
    begin_looking(network);
    result = add_guarded(network, &attached->address4);
    return result < 0 ? result : add_guarded(network, &attached->address6);
}

/* After an error what was known stays; what was being looked at is asked again at the next pass. */
void scope_networks_end_inspection(struct scope_networks *networks, const char *id, int error,
                                   const struct docker_network *record)
{
    struct scope_network *network = find(networks, id);

    if (!network)
        return;
    if (error == -ENOENT) {
        remove_network(networks, network);
        return;
    }
    if (error == 0) {
        begin_looking(network); /* nobody of the scope may be there */
        network->record = *record;
        network->knowledge = KNOWN;
    } else if (network->knowledge == TO_BE_ASKED) {
        network->knowledge = REFUSED;
    }
}

bool scope_networks_are_settled(const struct scope_networks *networks)
{
    struct scope_network *network, *next;

    HASH_ITER (hh, networks->networks, network, next) {
        if (network->knowledge == TO_BE_ASKED)
            return false;
    }
    return true;
}

bool scope_networks_set_link(struct scope_networks *networks, const char *id, const char *interface, int error,
                             const char *reason)
{
    struct scope_network *network = find(networks, id);

    if (!network || (network->link_error == error && strcmp(network->link_reason, reason) == 0 &&
                     strcmp(network->link_interface, interface) == 0))
        return false;
    network->link_error = error;
    text_copy_cut(network->link_reason, sizeof(network->link_reason), reason);
    text_copy_cut(network->link_interface, sizeof(network->link_interface), interface);
    return true;
}

/* --- targets --------------------------------------------------------------------------------------------- */

static const struct ip_address *address_of(const struct container_endpoint *endpoint, size_t family)
{
    return family == FAMILY_INDEX_4 ? &endpoint->address4 : &endpoint->address6;
}

/* Where Docker leads the default route. */
static struct target judge(const struct scope_network *network, const struct container_endpoint *endpoint,
                           size_t family)
{
    struct target target = {.fault = TARGET_FOUND, .network = &network->record};

    if (strcmp(network->record.driver, "bridge") != 0)
        target.fault = TARGET_NO_BRIDGE;
    else if (network->link_error < 0)
        target.fault = TARGET_NO_LINK;
    target.reason = network->link_reason;
    if (target.fault == TARGET_FOUND && ip_address_is_host(address_of(endpoint, family)))
        target.address = *address_of(endpoint, family);
    return target;
}

struct target scope_networks_find_target(const struct scope_networks *networks,
                                         const struct container_endpoint *endpoints, size_t count, size_t family)
{
    struct return_path_attachment attachments[DOCKER_ENDPOINTS_MAX];
    const struct scope_network *found[DOCKER_ENDPOINTS_MAX];
    const struct container_endpoint *at[DOCKER_ENDPOINTS_MAX];
    const struct return_path_attachment *best;
    size_t attached = 0;

    for (size_t i = 0; i < count && i < DOCKER_ENDPOINTS_MAX; i++) {
        const struct scope_network *network = find(networks, endpoints[i].network_id);

        if (endpoints[i].network_id[0] == '\0')
            continue;
        if (!network || network->knowledge != KNOWN)
            return (struct target){.fault = TARGET_NOT_KNOWN};
        found[attached] = network;
        at[attached] = &endpoints[i];
        attachments[attached++] = (struct return_path_attachment){
            .network = &network->record,
            .has_address = {endpoints[i].address4.family != IP_FAMILY_NONE,
                            endpoints[i].address6.family != IP_FAMILY_NONE},
            .gateway_priority = endpoints[i].gateway_priority,
        };
    }
    best = return_path_find_default(attachments, attached, family);
    if (!best)
        return (struct target){.fault = TARGET_NO_ROUTE};
    return judge(found[best - attachments], at[best - attachments], family);
}

/* --- for the host half ----------------------------------------------------------------------------------- */

/* It becomes a link's alias, and ends on somebody's terminal. */
static void copy_printable(char *target, size_t size, const char *text)
{
    text_copy_cut(target, size, text);
    for (char *byte = target; *byte; byte++) {
        if (*byte < 0x20 || *byte > 0x7e)
            *byte = '?';
    }
}

/* One that no interface can have would end the connection; so that network just gets no link. */
static bool name_bridge(const struct scope_network *network, char bridge[INTERFACE_NAME_SIZE])
{
    if (network->record.bridge[0] == '\0')
        (void)snprintf(bridge, INTERFACE_NAME_SIZE, "br-%.12s", network->id);
    else
        text_copy_cut(bridge, INTERFACE_NAME_SIZE, network->record.bridge);
    for (const char *byte = bridge; *byte; byte++) {
        if (*byte <= ' ' || *byte > '~' || *byte == '/' || *byte == ':')
            return false;
    }
    return strcmp(bridge, ".") != 0 && strcmp(bridge, "..") != 0;
}

/* Returns how many there was no room for. */
static size_t add_guarded_of(const struct scope_network *network, uint32_t bridge, struct message_guarded *guarded)
{
    size_t i;

    for (i = 0; i < network->guarded_count && guarded->count < GUARDED_MAX; i++)
        guarded->items[guarded->count++] =
            (struct wire_guarded){.address = wire_address_from(&network->guarded[i]), .bridge = bridge};
    return network->guarded_count - i;
}

static void leave_out(struct scope_network *network)
{
    network->link_error = -E2BIG;
    network->link_interface[0] = '\0';
    (void)snprintf(network->link_reason, sizeof(network->link_reason),
                   "the project has more networks than the %d that get a link", BRIDGES_MAX);
}

bool scope_networks_link_at(const struct scope_networks *networks, size_t place, struct scope_link *ret)
{
    const struct scope_network *network = networks->networks;

    while (network && (!is_linked(network) || place-- > 0))
        network = network->hh.next;
    if (network)
        *ret = (struct scope_link){network->record.name, network->link_interface, network->link_reason};
    return network != NULL;
}

void scope_networks_fill(struct scope_networks *networks, struct message_bridges *bridges,
                         struct message_guarded *guarded)
{
    struct scope_network *network, *next;

    networks->unguarded = 0;
    HASH_ITER (hh, networks->networks, network, next) {
        char bridge[INTERFACE_NAME_SIZE] = "";
        struct wire_bridge *item;

        if (!is_linked(network) || !name_bridge(network, bridge))
            continue;
        if (bridges->count == BRIDGES_MAX) {
            leave_out(network);
            continue;
        }
        item = &bridges->items[bridges->count];
        text_copy_cut(item->network_id, sizeof(item->network_id), network->id);
        copy_printable(item->network, sizeof(item->network), network->record.name);
        memcpy(item->bridge, bridge, sizeof(item->bridge));
        item->is_owned = is_owned(networks, network);
        if (!item->is_owned)
            networks->unguarded += add_guarded_of(network, bridges->count, guarded);
        bridges->count++;
    }
}
