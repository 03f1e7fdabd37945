/*
 * Follows the packets of one connection through all tables of the namespace, for `anchord explain --live` (SEE-3).
 *
 * Called by main.c in anchord-explain. The first half has CAP_NET_ADMIN and reads nothing; the second one is nobody,
 * has no capability, and is sealed.
 */
#pragma once

#include "protocol/explain_records.h"
#include "workers/netlink/rtnetlink.h"

struct trace {
    struct rtnetlink *owner;    /* of the table, which goes with it */
    struct mnl_socket *packets; /* what is told of them */
    struct mnl_socket *rules;   /* the answer to a question for all rules, which was sent */
    bool must_be_swept;
    uint8_t family; /* NFPROTO_: of the table */
};

/* Joins, asks, and makes the table. Returns 0 or a negative errno. */
int trace_begin(struct trace *trace, const struct explain_request *request) __attribute__((warn_unused_result));

/* Tells until who asked has gone. */
void trace_run(const struct trace *trace, int channel);

void trace_end(struct trace *trace);
