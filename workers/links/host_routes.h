/*
 * The host's routes to the project's addresses, by the link between the two (HOST-7).
 *
 * Called by identity_links.c in anchord-links. They go with that link, so nothing else has to undo them.
 */
#pragma once

#include "workers/links/host_addresses.h"

struct host_routes {
    struct message_project_addresses wanted;
    const char *said[PROJECT_ADDRESSES_MAX]; /* why there is none to each of them, as last logged (static), or NULL */
};

/* Makes what is missing and removes what is not wanted any more, of our own on the link `link`, host0. An address to
 * which there may be no route is said, and why. */
void host_routes_apply(struct rtnetlink *rtnetlink, const struct message_configure_links *configuration,
                       struct host_routes *routes, const struct address_snapshot *addresses, uint32_t parent,
                       uint32_t link);
