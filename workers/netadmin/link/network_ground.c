/* What every part of the network half stands on; see network_ground.h. Runs in anchord-netadmin, no privilege. */
#include "workers/netadmin/link/network_ground.h"

#include "common/log.h"
#include "common/text.h"

#include <stdio.h>
#include <string.h>

const struct network_link *network_ground_find(const struct network_ground *ground, enum device_side side)
{
    const struct wire_network *wire =
        side == DEVICE_SIDE_EXTERNAL ? &ground->topology.external : &ground->topology.shared;

    return ground->has_topology ? link_table_find_mac(&ground->links, &wire->mac) : NULL;
}

void network_ground_wake(struct network_ground *ground)
{
    int result = sd_event_source_set_enabled(ground->wake_source, SD_EVENT_ONESHOT);

    if (result < 0)
        log_error("cannot schedule a reading of the links", LOG_ERROR(result));
}

int network_ground_report(struct network_ground *ground, enum network_step step,
                          const struct rtnetlink_request *request, int result)
{
    char *last = ground->failures[step];
    char reason[RTNETLINK_KERNEL_TEXT_SIZE + 64];
    char text[FAILURE_TEXT_SIZE];

    if (result >= 0) {
        last[0] = '\0';
        return result;
    }
    (void)snprintf(reason, sizeof(reason), "%s%s%s", log_errno_text(result), request->kernel_text[0] ? ": " : "",
                   request->kernel_text);
    (void)snprintf(text, sizeof(text), "%s %s: %s", request->operation, request->object, reason);
    if (strcmp(text, last) == 0)
        return result;
    text_copy_cut(last, FAILURE_TEXT_SIZE, text);
    log_error("the kernel refused a network request", LOG_TEXT("operation", request->operation),
              LOG_TEXT("object", request->object), LOG_ERROR_TEXT(reason));
    return result;
}
