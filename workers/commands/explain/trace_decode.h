/*
 * What the kernel tells of traced packets, as records; and the names of the rules that it tells by their handles.
 *
 * Called by trace.c in anchord-explain, without any privilege: what stands in a packet others have chosen, and names
 * and comments of tables whoever may write them. Pure; a fuzz target.
 */
#pragma once

#include "protocol/explain_records.h"

#include <libmnl/libmnl.h>

#define TRACE_RULES_MAX   8192
#define TRACE_PACKETS_MAX 64

struct trace_rule {
    uint64_t handle;
    uint8_t family;
    bool rejects;
    char table[EXPLAIN_NAME_SIZE];
    char chain[EXPLAIN_NAME_SIZE];
    char comment[EXPLAIN_COMMENT_SIZE];
};

/* As it came. Headers are told once a chain, and later chains see them translated. */
struct trace_packet {
    uint32_t id; /* the kernel's */
    struct wire_address source;
    struct wire_address destination;
    uint16_t port; /* the source's */
};

/* Zero is empty; `family` is set before the first trace. */
struct trace_names {
    struct trace_rule *rules;
    size_t count;
    size_t capacity;
    uint8_t family;                                 /* NFPROTO_: of the table that traces */
    struct trace_packet packets[TRACE_PACKETS_MAX]; /* those that were told, by our numbers */
    size_t packet_count;
};

void trace_names_clear(struct trace_names *names);

/* An NFT_MSG_NEWRULE; what is none is passed over. Returns 0 or -ENOMEM. */
int trace_names_take(struct trace_names *names, const struct nlmsghdr *message) __attribute__((warn_unused_result));

/*
 * An NFT_MSG_TRACE. The kernel tells every reader of a namespace of all packets that anybody traces there: those are
 * meant that the table of this reader's family was the first to follow. False: it is none, or of another packet, or
 * that table's own, or of more packets than are told.
 */
bool trace_decode(struct trace_names *names, const struct nlmsghdr *message, struct explain_trace *ret);
