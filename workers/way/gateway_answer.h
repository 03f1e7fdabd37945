/*
 * Which of the addresses that a name has becomes the gateway of a namespace (SA-1), as a pure function.
 *
 * Used by served_namespace.c inside anchord-way; no privilege, no side effect.
 */
#pragma once

#include "common/address.h"
#include "protocol/messages.h"
#include "workers/netlink/plan/links.h"

/* What is known of the gateway in one family: DNS answers, or the configured address alone. */
struct gateway_answers {
    bool is_pin;
    size_t count;
    struct ip_address addresses[GATEWAYS_MAX];
};

struct gateway_answer {
    struct ip_address address;       /* of no family: none is on link */
    const struct network_link *link; /* that leads there, or NULL without a gateway */
    size_t on_link;                  /* how many of the answers could be taken */
};

/* Of the answers that are on link of one of `links` the current gateway when it is among them, else the lowest. */
struct gateway_answer gateway_answer_choose(const struct gateway_answers *answers, const struct link_table *links,
                                            const struct ip_address *current);
