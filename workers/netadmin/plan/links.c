/* Links and addresses as values; see links.h. Pure; runs in anchord-netadmin and its tests. */
#include "workers/netadmin/plan/links.h"

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
