/*
 * Tells control what the network is: interfaces, addresses, gateways, problems, for `anchord status` (SPEC §9).
 *
 * Embedded in netadmin and way; no privilege. It looks after every turn of the event loop and sends when something
 * differs from what was sent, so no other part has to think of it. Nothing comes back from control but the question
 * of control_link.h.
 */
#pragma once

#include "protocol/control_link.h"
#include "protocol/messages.h"

#include <stdbool.h>

/* Fills in *ret, which is zero but for the header. False: there is nothing to show yet. */
typedef bool (*network_description)(struct message_network_report *ret, void *userdata);

struct network_reporter {
    struct control_link control;
    sd_event_source *post_source;
    network_description describe;
    void *userdata;
    struct message_network_report sent; /* header.type MESSAGE_INVALID: nothing yet */
};

/* *reporter must be zero, and stay where it is. Returns 0 or a negative errno. */
int network_reporter_open(struct network_reporter *reporter, sd_event *event, network_description describe,
                          void *userdata) __attribute__((warn_unused_result));
void network_reporter_close(struct network_reporter *reporter);

/* A new control, as control_link_take(); failures are logged. */
void network_reporter_link(struct network_reporter *reporter, int fd, enum message_direction receives);
