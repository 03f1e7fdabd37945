/* What was offered and what of it counts; see offered_state.h. Runs in anchord-netadmin, no privilege. */
#include "workers/netadmin/offered_state.h"

#include "common/log.h"
#include "common/text.h"
#include "workers/netadmin/plan/backend_policy.h"

#include <string.h>

void offered_state_clear(struct offered_state *offered)
{
    desired_state_clear(&offered->state);
    offered->is_there = false;
}

void offered_state_take(struct offered_state *offered, const struct desired_state *state)
{
    offered_state_clear(offered);
    offered->state = *state;
    offered->is_there = true;
}

int offered_state_select(struct offered_state *offered, const struct network *network, struct desired_state *ret)
{
    const struct message_shared_links *links = network_shared_links(network);
    struct ip_address own[NETWORK_ADDRESSES_MAX];
    const struct backend_policy policy = {NULL, links, own, network_list_addresses(network, own)};
    char reason[REASON_SIZE];
    int result;

    if (!offered->is_there || !links || links->header.type == MESSAGE_INVALID)
        return 0;
    result = backend_policy_select(&policy, &offered->state, ret, reason);
    if (result == 0)
        result = guest_list_add_all(&ret->guests, &offered->state.guests);
    if (result == 0)
        result = port_ranges_add_all(&ret->ranges, &offered->state.ranges);
    if (result < 0) {
        desired_state_clear(ret);
        return result;
    }
    if (reason[0] && strcmp(reason, offered->left_out) != 0)
        log_warn("not exposed for now", LOG_TEXT("reason", reason));
    text_copy_cut(offered->left_out, sizeof(offered->left_out), reason);
    return 1;
}
