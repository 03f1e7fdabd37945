/* What every part of the network half stands on; see network_ground.h. Runs in anchord-netadmin, no privilege. */
#include "workers/netadmin/link/network_ground.h"

#include "protocol/event_loop.h"

const struct network_link *network_ground_find(const struct network_ground *ground, enum device_side side)
{
    const struct wire_network *wire =
        side == DEVICE_SIDE_EXTERNAL ? &ground->topology.external : &ground->topology.shared;

    if (side == DEVICE_SIDE_SHARED && ground->is_attached)
        return NULL; /* many of them */
    return ground->has_topology ? link_table_find_mac(&ground->links, &wire->mac) : NULL;
}

void network_ground_wake(struct network_ground *ground)
{
    event_loop_wake(ground->wake_source);
}

int network_ground_report(struct network_ground *ground, enum network_step step, int result)
{
    return request_failure_report(ground->failures[step], ground->rtnetlink, result);
}
