/*
 * What control is told: the part of messages.h that `anchord status` shows. Included by messages.h, which is the one to
 * include.
 */
#pragma once

#include "protocol/messages_parts.h"
#include "protocol/refusals.h"

/* --- control: what `anchord status` shows --------------------------------------------------------------- */

struct message_configure_control { /* one descriptor travels with it */
    struct message_header header;
    char project[NAME_SIZE]; /* may be empty */
    uint32_t role;           /* enum anchor_role */
    uint32_t log_level;      /* enum log_level */
};

enum worker_state {
    WORKER_STATE_STOPPED = 1, /* not started in this configuration, or for good */
    WORKER_STATE_RUNNING,
    WORKER_STATE_RESTARTING,
    WORKER_STATE_MAX_,
};

struct wire_worker {
    char name[INTERFACE_NAME_SIZE];
    uint32_t state;    /* enum worker_state */
    uint32_t pid;      /* 0 unless it runs */
    uint64_t restarts; /* since the supervisor started */
    uint64_t since;    /* real time of the last change of state, nanoseconds since 1970 */
};

enum lease_state {
    LEASE_STATE_OFF,       /* no client is to run for this family */
    LEASE_STATE_SEARCHING, /* it runs, or will be restarted, and holds nothing */
    LEASE_STATE_HELD,
    LEASE_STATE_REFUSED, /* what the server gave last is not taken, and it has not been asked again yet */
    LEASE_STATE_MAX_,
};

struct wire_lease_status {
    uint32_t state;              /* enum lease_state; all below is zero unless it is HELD or REFUSED */
    struct wire_address address; /* what the server gave; of REFUSED it may be none */
    struct wire_address server;  /* may be none */
    uint8_t prefix_length;
    uint8_t reserved[3];
    uint64_t expires;         /* of HELD: microseconds of CLOCK_BOOTTIME; UINT64_MAX: never */
    uint64_t retry;           /* of REFUSED: when the server is asked again; 0: not by us */
    char reason[REASON_SIZE]; /* of REFUSED, else empty */
};

/* What the supervisor itself cannot do; control has the words. */
enum supervisor_fault {
    SUPERVISOR_FAULT_NOT_ANNOUNCED = 1 << 0, /* no raw sockets */
    SUPERVISOR_FAULT_NO_BANS = 1 << 1,       /* no socket to ban somebody by */
    SUPERVISOR_FAULT_NO_METRICS = 1 << 2,    /* no listener yet */
    SUPERVISOR_FAULT_NO_HOST_HALF = 1 << 3,  /* under attach */
    SUPERVISOR_FAULT_ALL_ = (1 << 4) - 1,
};

struct message_supervision { /* complete; again at each change */
    struct message_header header;
    uint32_t conditions; /* enum readiness_condition: those that hold */
    uint32_t required;   /* those that must, to be ready */
    uint32_t worker_count;
    uint32_t faults;                         /* enum supervisor_fault */
    struct wire_worker workers[WORKERS_MAX]; /* unused ones all zero */
    struct wire_lease_status leases[FAMILY_INDEX_MAX_];
};

enum finding_kind {
    FINDING_EXPOSED = 1, /* `container` has these ports */
    FINDING_CONFLICT,    /* `container` was refused them: `other` has them (NAT-6) */
    FINDING_PROBLEM,     /* what `reason` says of `container`, which may also be Docker or a network */
    FINDING_LINK, /* attach: to the network `container` leads our interface `other`; empty: not made yet, or why not */
    FINDING_KIND_MAX_,
};

struct wire_finding {
    uint8_t kind;     /* enum finding_kind */
    uint8_t protocol; /* of EXPOSED and CONFLICT: IPPROTO_TCP or IPPROTO_UDP; else 0, and so are the ports */
    uint16_t port_first;
    uint16_t port_last;
    uint16_t backend_port_first; /* of EXPOSED, else 0 */
    uint16_t problem;            /* enum problem; of EXPOSED 0 */
    uint16_t reserved;
    struct wire_address address4; /* of EXPOSED: where its ports lead to; may be none */
    struct wire_address address6;
    char container[NAME_SIZE];
    char other[NAME_SIZE]; /* of CONFLICT and LINK, else empty */
    /* Of EXPOSED whom the ports answer, and how often (GUEST-1); of PROBLEM what exactly, or empty: as in its title;
     * of a LINK why it could not be made, or empty. */
    char reason[FINDING_REASON_SIZE];
};

struct message_findings { /* FINDINGS_ITEMS */
    struct message_header header;
    uint32_t item_count; /* 1 … FINDINGS_PER_MESSAGE */
    uint32_t reserved;
    struct wire_finding items[];
};

enum gateway_source {
    GATEWAY_SOURCE_NONE,
    GATEWAY_SOURCE_PIN,           /* ANCHORD_EXT_GATEWAY_IP, of a service-anchor ANCHORD_GATEWAY_IP */
    GATEWAY_SOURCE_IPAM,          /* the Docker network's IPAM.Config[].Gateway */
    GATEWAY_SOURCE_ADVERTISEMENT, /* router advertisements (RFC 4861), IPv6 only */
    GATEWAY_SOURCE_LEASE,         /* DHCP options 3 or 121, IPv4 only */
    GATEWAY_SOURCE_DNS,           /* ANCHORD_GATEWAY_HOSTNAME's address, of a service-anchor */
    GATEWAY_SOURCE_MAX_,
};

enum address_origin {
    ADDRESS_ORIGIN_DOCKER = 1, /* permanent: Docker's, or an operator's */
    ADDRESS_ORIGIN_SLAAC,      /* with a lifetime from router advertisements */
    ADDRESS_ORIGIN_LEASE,      /* a DHCP server's, with the lease's lifetime */
    ADDRESS_ORIGIN_CLAIMED,    /* ours: a gateway address of the shared network (GW-1) */
    ADDRESS_ORIGIN_MAX_,
};

struct wire_reported_address {
    struct wire_address address;
    uint8_t prefix_length;
    uint8_t origin; /* enum address_origin */
    uint8_t reserved[2];
};

struct wire_reported_link {
    char network[NAME_SIZE];        /* Docker's name; empty: not known */
    char name[INTERFACE_NAME_SIZE]; /* of the interface; empty: not there */
    struct mac_address mac;         /* that it is looked for by; zero: it is not looked for */
    uint8_t reserved[2];
    uint32_t index; /* the interface's, 0 without one, as the two below */
    uint32_t mtu;
    uint32_t left_out; /* addresses beyond LINK_ADDRESSES_MAX */
    uint32_t address_count;
    struct wire_reported_address addresses[LINK_ADDRESSES_MAX]; /* unused ones all zero */
};

struct wire_reported_gateway {
    struct wire_address address; /* may be none: nothing leaves */
    uint32_t source;             /* enum gateway_source */
    /* Of netadmin alone: */
    uint32_t decision; /* another number with each decision; 0: none yet */
    uint8_t router_count;
    uint8_t is_expected; /* 0 or 1: to have none is worth a warning */
    uint8_t is_link_up;  /* 0 or 1 */
    uint8_t reserved;
};

/* What does not work as it should, as facts: control has the words. */
enum network_problem_kind {
    NETWORK_PROBLEM_DUPLICATE = 1,  /* another host has `address`, and `mac`, zero: not known */
    NETWORK_PROBLEM_ROUTES,         /* router `address` advertises routes of `number` bits; `limit` are taken */
    NETWORK_PROBLEM_INNER,          /* `address` from the LAN lies in `inner`, a network of link `name` */
    NETWORK_PROBLEM_OVERLAP,        /* the LAN, `address`, contains `inner`, a network of link `name` */
    NETWORK_PROBLEM_LINKS,          /* `number` links are not looked at */
    NETWORK_PROBLEM_LINK_ADDRESSES, /* `number` addresses of inner link `name` are not looked at */
    NETWORK_PROBLEM_INNER_NETWORKS, /* `number` inner networks of `family` are not guarded, `limit` are */
    NETWORK_PROBLEM_FORWARDING6,    /* net.ipv6.conf.all.forwarding is off, and is needed */
    NETWORK_PROBLEM_VIA_HOST,       /* `address` of ANCHORD_VIA_HOST lies in `inner`, the network of link `name` */
    NETWORK_PROBLEM_CONTESTED,      /* another host, `mac`, has `address`, which is used on link `name` all the same */
    NETWORK_PROBLEM_KIND_MAX_,
};

struct wire_network_problem {
    uint8_t kind; /* enum network_problem_kind */
    uint8_t family;
    uint8_t prefix_length; /* of `address` */
    uint8_t inner_length;  /* of `inner` */
    uint32_t number;
    uint32_t limit;
    struct mac_address mac;
    uint8_t reserved[2];
    struct wire_address address;
    struct wire_address inner;
    char name[INTERFACE_NAME_SIZE];
};

#define NETWORK_PROBLEMS_MAX 64 /* more of them at once are cut */

struct message_network_report { /* complete; again at each change */
    struct message_header header;
    struct wire_reported_link external;
    struct wire_reported_link shared;
    struct wire_reported_gateway gateways[FAMILY_INDEX_MAX_];
    uint32_t entries[FAMILY_INDEX_MAX_][PROTOCOL_INDEX_MAX_]; /* map elements in the kernel */
    uint32_t problem_count;
    uint32_t repairs; /* how often what somebody else changed in our tables was put back */
    struct wire_network_problem problems[NETWORK_PROBLEMS_MAX]; /* unused ones all zero */
};

/* What went through one exposed port or range, or what was refused for one reason. */
struct wire_counter {
    uint8_t protocol;    /* IPPROTO_TCP, IPPROTO_UDP; 0: refusals */
    uint8_t refusal;     /* enum refusal_reason, of these; else 0 */
    uint16_t port_first; /* of a port; else 0, as the last, flows and bytes */
    uint16_t port_last;
    uint16_t reserved;
    uint64_t flows;
    uint64_t packets;
    uint64_t bytes;
};

struct message_counters { /* COUNTERS_ITEMS; every refusal first, then the ports in order */
    struct message_header header;
    uint32_t item_count; /* 1 … COUNTERS_PER_MESSAGE */
    uint32_t reserved;
    struct wire_counter items[];
};

static_assert(sizeof(struct wire_counter) == 32, "wire layout");
static_assert(sizeof(struct message_counters) + COUNTERS_PER_MESSAGE * sizeof(struct wire_counter) <=
                  MESSAGE_LENGTH_MAX,
              "a full message of counters fits");
static_assert(sizeof(struct message_configure_control) == 24 + 128 + 8, "wire layout");
static_assert(sizeof(struct wire_worker) == 40, "wire layout");
static_assert(sizeof(struct wire_lease_status) == 64 + REASON_SIZE, "wire layout");
static_assert(sizeof(struct message_supervision) == 24 + 16 + 40 * WORKERS_MAX + 2 * (64 + REASON_SIZE), "wire layout");
static_assert(sizeof(struct wire_finding) == 12 + 40 + 2 * 128 + FINDING_REASON_SIZE, "wire layout");
static_assert(sizeof(struct wire_reported_link) == 128 + 16 + 24 + 24 * LINK_ADDRESSES_MAX, "wire layout");
static_assert(sizeof(struct wire_network_problem) == 76, "wire layout");
static_assert(sizeof(struct message_network_report) == 24 + 2 * 552 + 2 * 32 + 16 + 8 + NETWORK_PROBLEMS_MAX * 76,
              "wire layout");
static_assert(sizeof(struct message_findings) + FINDINGS_PER_MESSAGE * sizeof(struct wire_finding) <=
                  MESSAGE_LENGTH_MAX,
              "a full message of findings fits");
