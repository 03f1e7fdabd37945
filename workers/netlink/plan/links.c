/* Links and addresses as values; see links.h. Pure; runs in anchord-netadmin, anchord-way and their tests. */
#include "workers/netlink/plan/links.h"

#include <stdlib.h>
#include <string.h>

void link_table_clear(struct link_table *table)
{
    free(table->links);
    *table = (struct link_table){0};
}

bool link_table_equal(const struct link_table *a, const struct link_table *b)
{
    return a->count == b->count && a->left_out == b->left_out &&
           (a->count == 0 || memcmp(a->links, b->links, a->count * sizeof(*a->links)) == 0);
}

bool link_table_is_connected(const struct link_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        if (table->links[i].is_up || table->links[i].address_count > 0)
            return true;
    }
    return false;
}

const struct network_link *link_table_find_mac(const struct link_table *table, const struct mac_address *mac)
{
    const struct network_link *found = NULL;

    for (size_t i = 0; i < table->count; i++) {
        const struct network_link *link = &table->links[i];

        if (mac_address_equal(&link->mac, mac) && (!found || link->index < found->index))
            found = link;
    }
    return found;
}

const struct network_link *link_table_find_name(const struct link_table *table, const char *name)
{
    for (size_t i = 0; i < table->count; i++) {
        if (strncmp(table->links[i].name, name, INTERFACE_NAME_SIZE) == 0)
            return &table->links[i];
    }
    return NULL;
}

struct network_link *link_table_find_index(const struct link_table *table, uint32_t index)
{
    for (size_t i = 0; i < table->count; i++) {
        if (table->links[i].index == index)
            return &table->links[i];
    }
    return NULL;
}

const struct link_address *network_link_find(const struct network_link *link, const struct ip_address *address)
{
    for (uint32_t i = 0; i < link->address_count; i++) {
        if (ip_address_equal(&link->addresses[i].address, address))
            return &link->addresses[i];
    }
    return NULL;
}

bool network_link_reaches(const struct network_link *link, const struct ip_address *gateway)
{
    bool found = gateway->family == IP_FAMILY_6 && ip_address_is_link_local(gateway);

    for (uint32_t i = 0; i < link->address_count; i++) {
        const struct link_address *own = &link->addresses[i];
        struct ip_subnet subnet = {.address = own->address, .prefix_length = own->prefix_length};

        if (ip_address_equal(&own->address, gateway))
            return false; /* we are no gateway for ourselves */
        if (ip_subnet_contains(&subnet, gateway))
            found = true;
    }
    return found;
}
