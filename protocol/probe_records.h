/*
 * What the group `path` of anchord doctor asks anchord-probe, and what that tells (SEE-2): records of one size, a
 * datagram each, over a socketpair of SOCK_SEQPACKET that is the prober's standard input.
 *
 * A prober runs in one network namespace, that of the network-anchor, a container or a throw-away host on the LAN,
 * and without any privilege. The director, which runs as root, reads nothing of what came from a network but these.
 */
#pragma once

#include "protocol/messages_parts.h"

#include <string.h>

#define PROBES_MAX 1024 /* of one prober */

enum probe_kind {
    PROBE_TCP = 1,   /* connects; what is open stays so for as long as it might have taken */
    PROBE_UDP,       /* a datagram of `size` bytes of IP, 0: a short one; hop_limit 0: the usual one */
    PROBE_DNS,       /* a question that nobody but the resolver asked can answer, by UDP */
    PROBE_ACCEPT,    /* a TCP listener at `target`: who connects */
    PROBE_PEER,      /* whether a TCP socket here has `target` as its peer, and `port` as its own: tells what it sees */
    PROBE_LISTENERS, /* who listens at `port` (0: any) for what comes to `target`; `protocol` */
    PROBE_ROUTE,     /* by which gateway `target` is reached from `source` */
    PROBE_KIND_MAX_,
};

struct probe_request {
    uint32_t kind;   /* enum probe_kind */
    uint32_t number; /* that the answer has, too */
    uint32_t milliseconds;
    uint16_t port;
    uint16_t size;
    uint8_t hop_limit;
    uint8_t protocol;           /* of PROBE_LISTENERS: IPPROTO_TCP or IPPROTO_UDP */
    uint16_t delay;             /* milliseconds before it is begun */
    struct wire_address source; /* none: the kernel's choice; of PROBE_DNS: whose name is asked for, v4 */
    struct wire_address target;
};

enum probe_outcome {
    PROBE_ANSWERED = 1, /* also: found, accepted, a route */
    PROBE_REFUSED,      /* RST, or ICMP port unreachable; also: nobody listens */
    PROBE_SILENT,       /* nothing in time; also: not found */
    PROBE_UNREACHABLE,  /* another ICMP error, or what TCP makes of one: error, icmp_type, icmp_code, address */
    PROBE_TOO_BIG,      /* mtu, address */
    PROBE_EXPIRED,      /* ICMP time exceeded, by address */
    PROBE_LOOPBACK,     /* PROBE_LISTENERS: on the loopback alone */
    PROBE_ELSEWHERE,    /* PROBE_LISTENERS: on another address alone, which is told */
    PROBE_HALF_OPEN,    /* PROBE_PEER: the first packet has come, and its answer was not confirmed */
    PROBE_FAILED,       /* it could not even be tried: error */
    PROBE_OUTCOME_MAX_,
};

#define PROBE_OTHERS_MAX 6

struct probe_result {
    uint32_t number;
    uint32_t outcome; /* enum probe_outcome */
    int32_t error;    /* 0 or a negative errno */
    uint32_t mtu;
    uint8_t icmp_type;
    uint8_t icmp_code;
    uint16_t port;                     /* PROBE_TCP: our own; PROBE_ACCEPT, PROBE_PEER: the peer's */
    struct wire_address address;       /* who said so; PROBE_ACCEPT, PROBE_PEER: the peer; PROBE_ROUTE: the gateway */
    uint16_t others[PROBE_OTHERS_MAX]; /* PROBE_LISTENERS: the lowest other ports at which `target` is heard; 0: none */
};

static_assert(sizeof(struct probe_request) == 60, "wire layout");
static_assert(sizeof(struct probe_result) == 52, "wire layout");

/* What `anchord-probe walls` tells of the firewall of a namespace, a datagram each; nothing of our own tables. */
enum probe_wall_kind {
    PROBE_WALL_POLICY = 1,   /* a chain of a hook whose policy is drop */
    PROBE_WALL_RULE,         /* a chain with a rule that drops */
    PROBE_WALL_REVERSE_PATH, /* a chain with a rule that drops by the reverse path of IPv6 */
    PROBE_WALL_END,          /* the last one; without it not everything was read */
    PROBE_WALL_KIND_MAX_,
};

#define PROBE_WALL_NAME_SIZE 64

struct probe_wall {
    uint32_t kind;  /* enum probe_wall_kind */
    char family[8]; /* as nft(8) says it */
    char table[PROBE_WALL_NAME_SIZE];
    char chain[PROBE_WALL_NAME_SIZE];
};

static_assert(sizeof(struct probe_wall) == 140, "wire layout");

static inline bool probe_wall_is_valid(const struct probe_wall *wall)
{
    return wall->kind > 0 && wall->kind < PROBE_WALL_KIND_MAX_ && memchr(wall->family, '\0', sizeof(wall->family)) &&
           memchr(wall->table, '\0', sizeof(wall->table)) && memchr(wall->chain, '\0', sizeof(wall->chain));
}

static inline bool probe_address_is_valid(const struct wire_address *address)
{
    return address->family == IP_FAMILY_NONE || address->family == IP_FAMILY_4 || address->family == IP_FAMILY_6;
}

static inline bool probe_request_is_valid(const struct probe_request *request)
{
    return request->kind > 0 && request->kind < PROBE_KIND_MAX_ && request->number < PROBES_MAX &&
           request->milliseconds <= 20000 && request->delay <= 20000 && probe_address_is_valid(&request->source) &&
           probe_address_is_valid(&request->target) && request->target.family != IP_FAMILY_NONE &&
           (request->source.family == IP_FAMILY_NONE || request->source.family == request->target.family);
}

static inline bool probe_result_is_valid(const struct probe_result *result)
{
    return result->number < PROBES_MAX && result->outcome > 0 && result->outcome < PROBE_OUTCOME_MAX_ &&
           result->error <= 0 && result->error > -4096 && probe_address_is_valid(&result->address);
}
