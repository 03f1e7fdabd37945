/* The rules for the host half of attach; see validate_attach.h. Runs on both sides of the wall, without any privilege.
 */
#include "protocol/validate_attach.h"

#include "common/log.h"
#include "common/text.h"
#include "protocol/validate_parts.h"

/* pid_max at most (linux/threads.h: PID_MAX_LIMIT). */
#define PID_LIMIT (4U * 1024 * 1024)

const char *check_configure_namespaces(const void *message)
{
    const struct message_configure_namespaces *configuration = message;

    return configuration->log_level >= LOG_LEVEL_MAX_ || configuration->reserved ? "log level" : NULL;
}

const char *check_namespace_wanted(const void *message)
{
    const struct message_container *container = message;

    if (!is_container_id(container->id))
        return "ID of a container";
    return container->pid > PID_LIMIT || container->reserved ? "process" : NULL;
}

const char *check_namespace_left(const void *message)
{
    const struct message_container *container = message;

    return container->pid ? "process" : check_namespace_wanted(message);
}

const char *check_namespace_answer(const void *message)
{
    const struct message_namespace_answer *answer = message;

    if (!is_container_id(answer->id))
        return "ID of a container";
    if (answer->number >= WAY_NAMESPACES_MAX || answer->error > 0 || (answer->inode == 0) != (answer->error < 0) ||
        (answer->error < 0 && answer->number))
        return "namespace";
    return text_is_terminated(answer->reason, sizeof(answer->reason)) ? NULL : "string not terminated";
}

const char *check_namespace_gone(const void *message)
{
    const struct message_namespace_gone *gone = message;

    return gone->number >= WAY_NAMESPACES_MAX || gone->reserved ? "number of the namespace" : NULL;
}

/* As the kernel takes it (net/core/dev.c, dev_valid_name), and plain ASCII. */
static bool is_interface_name(const char name[INTERFACE_NAME_SIZE])
{
    size_t length = strnlen(name, INTERFACE_NAME_SIZE);

    if (length == 0 || length == INTERFACE_NAME_SIZE || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
        !is_zero((const uint8_t *)name + length, INTERFACE_NAME_SIZE - length))
        return false;
    for (size_t i = 0; i < length; i++) {
        if (name[i] <= ' ' || name[i] > '~' || name[i] == '/' || name[i] == ':')
            return false;
    }
    return true;
}

static bool is_no_interface(const char name[INTERFACE_NAME_SIZE])
{
    return is_zero((const uint8_t *)name, INTERFACE_NAME_SIZE);
}

/* A link-local one of IPv4. */
static bool is_next_hop(const struct wire_address *address)
{
    return check_address(address, false) == NULL && address->family == IP_FAMILY_4 && address->bytes[0] == 169 &&
           address->bytes[1] == 254;
}

const char *check_configure_links(const void *message)
{
    const struct message_configure_links *configuration = message;

    if (!text_is_terminated(configuration->project, NAME_SIZE) || configuration->project[0] == '\0')
        return "project";
    if (!is_interface_name(configuration->parent))
        return "parent";
    for (size_t i = 0; i < NAMED_BRIDGES_MAX; i++) {
        if (!is_no_interface(configuration->named_bridges[i]) && !is_interface_name(configuration->named_bridges[i]))
            return "bridge";
    }
    if (!mac_address_is_host(&configuration->external_mac) || !mac_address_is_host(&configuration->inner_mac))
        return "MAC address";
    if (!is_next_hop(&configuration->next_hop))
        return "next hop";
    if (configuration->is_guarded > 1)
        return "guard";
    return configuration->log_level >= LOG_LEVEL_MAX_ || configuration->reserved ? "log level" : NULL;
}

const char *check_identity(const void *message)
{
    const struct message_identity *identity = message;

    return identity->kind == 0 || identity->kind >= IDENTITY_DESCRIPTOR_MAX_ || identity->reserved
               ? "kind of descriptor"
               : NULL;
}

/* It becomes a link's alias, which other programs print on the terminal of whoever is root. */
static bool is_printable(const char *text)
{
    for (; *text; text++) {
        if (*text < 0x20 || *text > 0x7e)
            return false;
    }
    return true;
}

static const char *check_bridge(const struct wire_bridge *item)
{
    if (!is_container_id(item->network_id))
        return "ID of a network";
    if (!text_is_terminated(item->network, sizeof(item->network)))
        return "string not terminated";
    if (!is_printable(item->network))
        return "name of a network";
    return is_interface_name(item->bridge) && item->is_owned <= 1 ? NULL : "bridge";
}

const char *check_bridges(const void *message)
{
    const struct message_bridges *bridges = message;

    if (bridges->count > BRIDGES_MAX || bridges->reserved)
        return "number of bridges";
    for (uint32_t i = 0; i < bridges->count; i++) {
        const char *broken = check_bridge(&bridges->items[i]);

        if (broken)
            return broken;
    }
    return is_zero((const uint8_t *)&bridges->items[bridges->count],
                   (BRIDGES_MAX - bridges->count) * sizeof(bridges->items[0]))
               ? NULL
               : "padding not zero";
}

const char *check_link_answer(const void *message)
{
    const struct message_link_answer *answer = message;

    if (!is_zero((const uint8_t *)answer->network_id, CONTAINER_ID_SIZE) && !is_container_id(answer->network_id))
        return "ID of a network";
    if (answer->error > 0 || answer->reserved ||
        (answer->error < 0 ? !is_no_interface(answer->name) : !is_interface_name(answer->name)))
        return "link";
    return text_is_terminated(answer->reason, sizeof(answer->reason)) ? NULL : "string not terminated";
}

/* --- guard and meeting -------------------------------------------------------------------------------------- */

const char *check_guarded(const void *message)
{
    const struct message_guarded *guarded = message;

    if (guarded->count > GUARDED_MAX || guarded->reserved)
        return "number of addresses";
    for (uint32_t i = 0; i < guarded->count; i++) {
        const char *broken = check_address(&guarded->items[i].address, false);

        if (broken)
            return broken;
        if (guarded->items[i].bridge >= BRIDGES_MAX)
            return "bridge";
    }
    return is_zero((const uint8_t *)&guarded->items[guarded->count],
                   (GUARDED_MAX - guarded->count) * sizeof(guarded->items[0]))
               ? NULL
               : "padding not zero";
}

const char *check_welcome(const void *message)
{
    const struct message_welcome *welcome = message;

    if (!text_is_terminated(welcome->project, NAME_SIZE) || welcome->project[0] == '\0')
        return "project";
    if (!is_interface_name(welcome->parent))
        return "parent";
    if (!mac_address_is_host(&welcome->external_mac) || !mac_address_is_host(&welcome->inner_mac) ||
        mac_address_equal(&welcome->external_mac, &welcome->inner_mac))
        return "MAC address";
    return is_next_hop(&welcome->next_hop) && !welcome->reserved ? NULL : "next hop";
}

static bool is_host_worker(uint32_t worker)
{
    return worker > 0 && worker < HOST_WORKER_MAX_;
}

const char *check_host_worker_started(const void *message)
{
    const struct message_host_worker_started *started = message;

    return is_host_worker(started->worker) && !started->reserved ? NULL : "worker";
}

const char *check_meeting_link(const void *message)
{
    const struct message_meeting_link *link = message;

    if (!is_host_worker(link->worker))
        return "worker";
    return link->peer == LINK_PEER_WATCHER || (link->peer == LINK_PEER_WAY && link->worker == HOST_WORKER_NAMESPACES)
               ? NULL
               : "peer";
}

const char *check_subnets(const struct wire_link_address *subnets, uint32_t count, uint32_t maximum)
{
    if (count > maximum)
        return "number of subnets";
    for (uint32_t i = 0; i < count; i++) {
        const struct wire_link_address *subnet = &subnets[i];
        const char *broken = check_address(&subnet->address, false);

        if (broken)
            return broken;
        if (subnet->prefix_length > ip_family_bits(subnet->address.family) ||
            !is_zero(subnet->reserved, sizeof(subnet->reserved)))
            return "prefix length";
    }
    return is_zero((const uint8_t *)&subnets[count], (maximum - count) * sizeof(*subnets)) ? NULL : "padding not zero";
}

static const char *check_shared_link(const struct wire_shared_link *item)
{
    if (item->number >= SHARED_LINKS_MAX || !is_interface_name(item->name) || !is_container_id(item->network_id))
        return "link";
    return check_subnets(item->subnets, item->subnet_count, SUBNETS_MAX);
}

const char *check_shared_links(const void *message)
{
    const struct message_shared_links *links = message;
    uint64_t numbers = 0;

    if (links->count > SHARED_LINKS_MAX || links->reserved)
        return "number of links";
    for (uint32_t i = 0; i < links->count; i++) {
        const char *broken = check_shared_link(&links->items[i]);

        if (broken)
            return broken;
        if (numbers & UINT64_C(1) << links->items[i].number)
            return "link twice";
        numbers |= UINT64_C(1) << links->items[i].number;
    }
    return is_zero((const uint8_t *)&links->items[links->count],
                   (SHARED_LINKS_MAX - links->count) * sizeof(links->items[0]))
               ? NULL
               : "padding not zero";
}

const char *check_host_addresses(const void *message)
{
    const struct message_host_addresses *addresses = message;

    if (addresses->count > HOST_ADDRESSES_MAX)
        return "number of addresses";
    if (!is_zero(addresses->reserved, sizeof(addresses->reserved)) ||
        (!mac_address_is_zero(&addresses->host_mac) && !mac_address_is_host(&addresses->host_mac)))
        return "MAC address";
    for (uint32_t i = 0; i < addresses->count; i++) {
        const struct wire_host_address *item = &addresses->items[i];
        const char *broken = check_address(&item->address, false);

        if (broken)
            return broken;
        if (item->is_on_parent > 1 || !is_zero(item->reserved, sizeof(item->reserved)))
            return "parent";
    }
    return is_zero((const uint8_t *)&addresses->items[addresses->count],
                   (HOST_ADDRESSES_MAX - addresses->count) * sizeof(addresses->items[0]))
               ? NULL
               : "padding not zero";
}

const char *check_project_addresses(const void *message)
{
    const struct message_project_addresses *addresses = message;

    if (addresses->count > PROJECT_ADDRESSES_MAX || addresses->reserved)
        return "number of addresses";
    for (uint32_t i = 0; i < addresses->count; i++) {
        const char *broken = check_address(&addresses->items[i], false);

        if (broken)
            return broken;
    }
    return is_zero((const uint8_t *)&addresses->items[addresses->count],
                   (PROJECT_ADDRESSES_MAX - addresses->count) * sizeof(addresses->items[0]))
               ? NULL
               : "padding not zero";
}
