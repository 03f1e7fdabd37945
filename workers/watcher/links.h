/*
 * The links of our network namespace, as netadmin reports them.
 *
 * Filled by netadmin_peer.c, read by own_container.c, topology.c and ipv6_advice.c. Values; no privilege.
 */
#pragma once

#include "protocol/messages.h"

struct link_table {
    size_t count;
    struct wire_link links[LINKS_MAX];
};

/* NULL when there is none. */
static inline const struct wire_link *link_table_find_mac(const struct link_table *table, const struct mac_address *mac)
{
    for (size_t i = 0; i < table->count; i++) {
        if (mac_address_equal(&table->links[i].mac, mac))
            return &table->links[i];
    }
    return NULL;
}
