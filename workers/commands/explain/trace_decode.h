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

/* Zero is empty. */
struct trace_names {
    struct trace_rule *rules;
    size_t count;
    size_t capacity;
    uint32_t packets[TRACE_PACKETS_MAX]; /* the kernel's numbers of those that were told, by ours */
    size_t packet_count;
};

void trace_names_clear(struct trace_names *names);

/* An NFT_MSG_NEWRULE; what is none is passed over. Returns 0 or -ENOMEM. */
int trace_names_take(struct trace_names *names, const struct nlmsghdr *message) __attribute__((warn_unused_result));

/* An NFT_MSG_TRACE. False: it is none, or of the table that traces, or of more packets than are told. */
bool trace_decode(struct trace_names *names, const struct nlmsghdr *message, struct explain_trace *ret);
