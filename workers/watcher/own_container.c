/* Which container are we (ADDR-10)? See own_container.h. Pure, runs without any privilege. */
#include "workers/watcher/own_container.h"

#include <string.h>

/* How many of the container's MACs are ours; 0 as soon as one is not. */
static size_t count_matches(const struct docker_container *container, const struct link_table *links)
{
    size_t matches = 0;

    for (size_t i = 0; i < container->endpoint_count; i++) {
        const struct mac_address *mac = &container->endpoints[i].mac;

        if (mac_address_is_zero(mac))
            continue;
        if (!link_table_find_mac(links, mac))
            return 0;
        matches++;
    }
    return matches;
}

static void copy_container(struct own_container *own, const struct docker_container *container)
{
    *own = (struct own_container){0};
    memcpy(own->id, container->id, sizeof(own->id));
    memcpy(own->name, container->name, sizeof(own->name));
    for (size_t i = 0; i < container->endpoint_count; i++) {
        const struct docker_endpoint *endpoint = &container->endpoints[i];
        struct own_network *network = &own->networks[own->network_count];

        if (mac_address_is_zero(&endpoint->mac) || endpoint->network_id[0] == '\0')
            continue;
        memcpy(network->name, endpoint->network, sizeof(network->name));
        memcpy(network->id, endpoint->network_id, sizeof(network->id));
        network->mac = endpoint->mac;
        network->address4 = endpoint->address4;
        network->address6 = endpoint->address6;
        network->has_fixed_address4 = endpoint->has_fixed_address4;
        network->has_fixed_address6 = endpoint->has_fixed_address6;
        own->network_count++;
    }
}

void own_container_consider(struct own_container_search *search, const struct docker_container *container,
                            const struct link_table *links)
{
    size_t matches = container->is_running ? count_matches(container, links) : 0;

    if (matches == 0 || matches < search->best_matches)
        return;
    search->is_ambiguous = matches == search->best_matches;
    search->best_matches = matches;
    copy_container(&search->best, container);
}
