/* Which of our networks is which (ADDR-9, DISC-4); see topology.h. Pure, runs without any privilege. */
#include "workers/watcher/topology.h"

#include "common/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int find_network(const struct own_container *own, const char *name)
{
    for (size_t i = 0; i < own->network_count; i++) {
        if (strcmp(own->networks[i].name, name) == 0)
            return (int)i;
    }
    return -ENOENT;
}

static int find_by_network(const struct own_container *own, const struct link_table *links, const char *name,
                           struct topology_external *ret)
{
    int index = find_network(own, name);
    const struct wire_link *link;

    if (index < 0)
        return index;
    link = link_table_find_mac(links, &own->networks[index].mac);
    if (!link)
        return -ENOENT;
    *ret = (struct topology_external){.mac = link->mac, .network = index};
    text_copy_cut(ret->interface, sizeof(ret->interface), link->name);
    return 0;
}

static int find_by_interface(const struct own_container *own, const struct link_table *links, const char *name,
                             struct topology_external *ret)
{
    for (size_t i = 0; i < links->count; i++) {
        const struct wire_link *link = &links->links[i];

        if (strcmp(link->name, name) != 0 || mac_address_is_zero(&link->mac))
            continue;
        *ret = (struct topology_external){.mac = link->mac, .network = -1};
        text_copy_cut(ret->interface, sizeof(ret->interface), link->name);
        for (size_t j = 0; j < own->network_count; j++) {
            if (mac_address_equal(&own->networks[j].mac, &link->mac))
                ret->network = (int)j;
        }
        return 0;
    }
    return -ENOENT;
}

int topology_find_external(const struct message_configure_watcher *configuration, const struct own_container *own,
                           const struct link_table *links, struct topology_external *ret)
{
    if (configuration->external_network[0] != '\0')
        return find_by_network(own, links, configuration->external_network, ret);
    return find_by_interface(own, links, configuration->external_interface, ret);
}

bool topology_is_candidate(const struct own_container *own, const struct topology_external *external,
                           const struct link_table *links, size_t index)
{
    return (int)index != external->network && !mac_address_equal(&own->networks[index].mac, &external->mac) &&
           link_table_find_mac(links, &own->networks[index].mac);
}

static bool is_preferred(const struct own_container *own, const size_t *backends, size_t a, size_t b)
{
    bool a_is_transit = strcasestr(own->networks[a].name, "transit") != NULL;
    bool b_is_transit = strcasestr(own->networks[b].name, "transit") != NULL;

    if (backends[a] != backends[b])
        return backends[a] > backends[b];
    if (a_is_transit != b_is_transit)
        return a_is_transit;
    return strcmp(own->networks[a].name, own->networks[b].name) < 0;
}

int topology_choose_shared(const struct own_container *own, const struct topology_external *external,
                           const struct link_table *links, const char *pinned, const size_t *backends)
{
    int best = -ENOENT;

    for (size_t i = 0; i < own->network_count; i++) {
        if (!topology_is_candidate(own, external, links, i))
            continue;
        if (pinned[0] != '\0' && strcmp(own->networks[i].name, pinned) != 0)
            continue;
        if (best < 0 || is_preferred(own, backends, i, (size_t)best))
            best = (int)i;
    }
    return best;
}

static void fill_subnet(struct wire_subnet *wire, const struct docker_subnet *subnet)
{
    *wire = (struct wire_subnet){
        .address = wire_address_from(&subnet->subnet.address),
        .gateway = wire_address_from(&subnet->gateway),
        .auxiliary_gateway = wire_address_from(&subnet->auxiliary_gateway),
        .prefix_length = subnet->subnet.prefix_length,
    };
}

void topology_fill_network(struct wire_network *wire, const struct mac_address *mac, const struct own_network *own,
                           const struct docker_network *inspected)
{
    *wire = (struct wire_network){.mac = *mac};
    if (!own || !inspected)
        return;
    wire->own4 = wire_address_from(&own->address4);
    wire->own6 = wire_address_from(&own->address6);
    text_copy_cut(wire->name, sizeof(wire->name), inspected->name);
    wire->subnet_count = (uint32_t)inspected->subnet_count;
    for (size_t i = 0; i < inspected->subnet_count; i++)
        fill_subnet(&wire->subnets[i], &inspected->subnets[i]);
}

void topology_work_out_bridge(struct wire_network *shared, const struct docker_network *inspected)
{
    for (size_t i = 0; i < inspected->subnet_count; i++) {
        const struct docker_subnet *subnet = &inspected->subnets[i];
        struct ip_address address = subnet->range.address;

        if (subnet->gateway.family != IP_FAMILY_NONE || address.family == IP_FAMILY_NONE)
            continue;
        if (ip_address_equal(&address, &subnet->subnet.address))
            address.bytes[ip_family_length(address.family) - 1] |= 1;
        shared->subnets[i].gateway = wire_address_from(&address);
    }
}

const char *topology_network_names(const struct own_container *own, char text[NETWORK_NAMES_SIZE])
{
    size_t length = 0;

    text_copy_cut(text, NETWORK_NAMES_SIZE, own->network_count > 0 ? "" : "none");
    for (size_t i = 0; i < own->network_count && length < NETWORK_NAMES_SIZE; i++) {
        int added =
            snprintf(text + length, NETWORK_NAMES_SIZE - length, "%s%s", i > 0 ? ", " : "", own->networks[i].name);

        if (added < 0)
            break;
        length += (size_t)added;
    }
    return text;
}
