/*
 * What `anchord explain` asks anchord-explain of the kernel in an anchor's network namespace, and what that tells
 * (SEE-3): records of one size, a datagram each, over a socketpair of SOCK_SEQPACKET that is its standard input.
 *
 * One request, which comes first. A look is answered by one record of facts; a trace by records of what rules did to a
 * packet, until who asked has gone.
 */
#pragma once

#include "protocol/messages_parts.h"

#include <string.h>

#define EXPLAIN_DESTINATIONS_MAX 16

enum explain_kind {
    EXPLAIN_LOOK = 1,
    EXPLAIN_TRACE,
    EXPLAIN_SWEEP, /* takes away what a trace has left, on a kernel before 5.12; no answer */
    EXPLAIN_KIND_MAX_,
};

struct explain_request {
    uint32_t kind;    /* enum explain_kind */
    uint8_t protocol; /* IPPROTO_TCP or IPPROTO_UDP */
    uint8_t destination_count;
    uint16_t port;
    uint8_t is_exposable; /* a look: the destination is the project's own, to which the maps apply */
    uint8_t reserved[3];
    struct wire_address source; /* none: a trace takes everybody's, a look supposes some host far away */
    struct wire_address destinations[EXPLAIN_DESTINATIONS_MAX]; /* of one family; a look takes the first */
    char input[INTERFACE_NAME_SIZE];                            /* by which the packet comes */
    char external[INTERFACE_NAME_SIZE];                         /* that on the LAN */
};

/* Which of the two sets of bans has an address. */
enum explain_ban { EXPLAIN_BAN_NONE, EXPLAIN_BAN_NEW, EXPLAIN_BAN_ALL, EXPLAIN_BAN_MAX_ };

/* Where a packet is sent to. */
enum explain_way {
    EXPLAIN_WAY_NONE, /* error says why */
    EXPLAIN_WAY_EXTERNAL,
    EXPLAIN_WAY_INSIDE,
    EXPLAIN_WAY_OURSELVES,
    EXPLAIN_WAY_MAX_,
};

enum explain_neighbour {
    EXPLAIN_NEIGHBOUR_UNKNOWN,
    EXPLAIN_NEIGHBOUR_ANSWERS,
    EXPLAIN_NEIGHBOUR_SILENT,
    EXPLAIN_NEIGHBOUR_MAX_
};

struct explain_facts {
    int32_t error; /* 0, or why nothing could be looked at: the rest is nothing then */
    uint8_t has_table;
    uint8_t has_element; /* the map's, of the port */
    uint8_t has_flows;   /* the element counts */
    uint8_t source_ban;  /* enum explain_ban */
    uint8_t destination_ban;
    uint8_t is_listed;  /* the port has a list */
    uint8_t is_allowed; /* which the source is on */
    uint8_t forwards;   /* what comes by that interface */
    uint8_t way;        /* enum explain_way: to the backend, or else to the destination */
    uint8_t source_way;
    uint8_t neighbour; /* enum explain_neighbour: the next hop of `way` */
    uint8_t knows_connections;
    uint16_t backend_port;
    uint16_t reserved2;
    int32_t way_error;
    uint32_t connections;        /* entries of conntrack */
    uint32_t answered;           /* of those */
    struct wire_address backend; /* of the element */
    struct wire_address gateway; /* of the way; none: it is on link */
    uint64_t flows;
    char interface[INTERFACE_NAME_SIZE]; /* of the way */
};

enum explain_trace_kind {
    EXPLAIN_TRACE_BEGUN = 1, /* the table is there: from now on packets are followed; verdict: it has to be swept */
    EXPLAIN_TRACE_RULE,      /* a rule that applied, and what it says */
    EXPLAIN_TRACE_RETURN,
    EXPLAIN_TRACE_POLICY, /* a chain that no rule decided */
    EXPLAIN_TRACE_OVER,   /* the last one: error */
    EXPLAIN_TRACE_KIND_MAX_,
};

enum explain_verdict {
    EXPLAIN_GOES_ON,
    EXPLAIN_ACCEPTED, /* by this chain */
    EXPLAIN_DROPPED,
    EXPLAIN_JUMPED,
    EXPLAIN_VERDICT_MAX_,
};

#define EXPLAIN_NAME_SIZE    64
#define EXPLAIN_COMMENT_SIZE 128

struct explain_trace {
    uint32_t kind; /* enum explain_trace_kind */
    int32_t error;
    uint32_t packet;  /* its number in this trace, from 0 */
    uint32_t verdict; /* enum explain_verdict */
    uint64_t handle;  /* of the rule */
    uint16_t port;    /* the source's, of the packet as it came; 0: not told */
    uint8_t is_ours;  /* the table is one of anchord's */
    uint8_t rejects;  /* the rule answers with a refusal */
    uint32_t reserved;
    struct wire_address source;
    struct wire_address destination;
    char family[8]; /* as nft(8) says it */
    char table[EXPLAIN_NAME_SIZE];
    char chain[EXPLAIN_NAME_SIZE];
    char comment[EXPLAIN_COMMENT_SIZE]; /* of the rule; may be empty */
};

static_assert(sizeof(struct explain_request) == 12 + 20 + EXPLAIN_DESTINATIONS_MAX * 20 + 32, "wire layout");
static_assert(sizeof(struct explain_facts) == 32 + 40 + 8 + 16, "wire layout");
static_assert(sizeof(struct explain_trace) == 32 + 40 + 8 + 128 + 128, "wire layout");

static inline bool explain_address_is_valid(const struct wire_address *address)
{
    return address->family == IP_FAMILY_NONE || address->family == IP_FAMILY_4 || address->family == IP_FAMILY_6;
}

static inline bool explain_facts_are_valid(const struct explain_facts *facts)
{
    return facts->error <= 0 && facts->error > -4096 && facts->way_error <= 0 && facts->way_error > -4096 &&
           facts->source_ban < EXPLAIN_BAN_MAX_ && facts->destination_ban < EXPLAIN_BAN_MAX_ &&
           facts->way < EXPLAIN_WAY_MAX_ && facts->source_way < EXPLAIN_WAY_MAX_ &&
           facts->neighbour < EXPLAIN_NEIGHBOUR_MAX_ && explain_address_is_valid(&facts->backend) &&
           explain_address_is_valid(&facts->gateway) && memchr(facts->interface, '\0', sizeof(facts->interface));
}

static inline bool explain_trace_is_valid(const struct explain_trace *trace)
{
    return trace->kind > 0 && trace->kind < EXPLAIN_TRACE_KIND_MAX_ && trace->error <= 0 && trace->error > -4096 &&
           trace->verdict < EXPLAIN_VERDICT_MAX_ && explain_address_is_valid(&trace->source) &&
           explain_address_is_valid(&trace->destination) && memchr(trace->family, '\0', sizeof(trace->family)) &&
           memchr(trace->table, '\0', sizeof(trace->table)) && memchr(trace->chain, '\0', sizeof(trace->chain)) &&
           memchr(trace->comment, '\0', sizeof(trace->comment));
}
