/*
 * A worker's end of the channel to control: reports go out, and at most a question comes in.
 *
 * Embedded in findings_sender.c and in network_reporter.c. Runs in every worker that reports, no privilege.
 */
#pragma once

#include "protocol/channel.h"

struct control_link {
    struct channel *channel;                    /* NULL until LINK, and after control has gone */
    void (*on_counters_wanted)(void *userdata); /* COUNTERS_WANTED, netadmin alone; else NULL */
    void *userdata;
};

/*
 * A new control; replaces the last one and owns `fd` from now on. `receives` is the direction from control, in which
 * nothing travels but that question. *link must stay where it is while it is linked. Returns 0 or a negative errno.
 */
int control_link_take(struct control_link *link, sd_event *event, int fd, enum message_direction receives)
    __attribute__((warn_unused_result));
void control_link_end(struct control_link *link);
