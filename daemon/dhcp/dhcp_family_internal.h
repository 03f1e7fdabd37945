/*
 * What dhcp_family.c (the lease and its end) and dhcp_setbacks.c (what comes in its way) share of one family's lease.
 * Both run in the supervisor, as root; nobody else includes this.
 */
#pragma once

#include "daemon/dhcp/dhcp_family.h"
#include "daemon/supervise/timer.h"
#include "protocol/metrics.h"

/* After a lease that was refused or declined, then it doubles, up to ANCHORD_DHCP_BACKOFF_MAX: RFC 2131 §3.1 (5) wants
 * 10 s at least before a client that turned an address down begins anew, lest the two go round in circles. */
#define DHCP_FIRST_RETRY (10 * MICROSECONDS_PER_SECOND)

/* What dhcpcd's output tells, and nothing else does. */
struct dhcp_setbacks {
    struct ip_address claimed; /* last, by `holder` */
    struct mac_address holder;
    unsigned int declines;     /* since a lease last served for longer than ANCHORD_DHCP_BACKOFF_MAX */
    uint64_t begun;            /* that one; microseconds of CLOCK_BOOTTIME; 0: declined since */
    unsigned int denials;      /* DHCPNAK since something was renewed */
    bool is_foreign;           /* the last one came from a server that was not asked */
    struct ip_address ignored; /* a server that only says no; none: all are heard */
    struct ip_address named;   /* the one that was told of last */
    struct mac_address twin;   /* another client with our identifier */
    uint64_t twin_heard;       /* microseconds of CLOCK_BOOTTIME; 0: there is none */
    uint64_t twin_said;        /* in the log */
};

/* What was refused last; no reason: nothing, or it was asked again since. */
struct refusal {
    struct wire_address address; /* none: it could not be read */
    uint8_t prefix_length;
    char reason[REASON_SIZE];
    uint64_t retry; /* microseconds of CLOCK_BOOTTIME; 0: the host's dhcpcd asks when it likes */
};

struct dhcp_family {
    const struct configuration *configuration;
    uint8_t family; /* enum ip_family */
    struct dhcp_family_callbacks callbacks;
    struct dhcp_client *client;
    char interface[INTERFACE_NAME_SIZE]; /* of the leases */
    struct message_lease lease;          /* the last one sent; header.type MESSAGE_INVALID: none ever was */
    uint64_t expires;                    /* microseconds of CLOCK_BOOTTIME; UINT64_MAX: never */
    bool is_applied;                     /* netadmin has taken it */
    bool is_in_use;                      /* it, or one before it, and netadmin was not told that it is over */
    bool is_answered;                    /* or has refused it */
    bool is_confirmed;  /* an applied lease was counted and told: a successor of netadmin answers, too */
    bool is_another;    /* not only a renewal of the one before */
    bool wants_renewal; /* once netadmin has the address: see confirm() */
    bool is_bound;      /* what dhcpcd believes of itself */
    bool is_granted;    /* by a server, to this client: not a lease of before that nobody has confirmed */
    bool is_stopping;
    unsigned int silences; /* in a row */
    unsigned int refusals; /* in a row */
    struct dhcp_setbacks setbacks;
    struct refusal refusal;
    sd_event_source *expiry_timer;
    sd_event_source *attention_timer;
};

/* --- dhcp_family.c, for dhcp_setbacks.c --- */

const char *dhcp_family_name(const struct dhcp_family *family);
void dhcp_family_count(const struct dhcp_family *family, size_t outcome);
/* `first`, doubled `times` times, but never longer than was asked for (ADDR-6). */
uint64_t dhcp_family_back_off(const struct dhcp_family *family, uint64_t first, unsigned int times);
/* There is none: netadmin brings the bootstrap address back. */
void dhcp_family_forget_lease(struct dhcp_family *family);

/* --- dhcp_setbacks.c, for dhcp_family.c --- */

/* The lease that dhcpcd holds cannot be used: `what` and `why`; `error` is netadmin's, or -EBADMSG. */
void dhcp_setbacks_refuse(struct dhcp_family *family, const char *what, const char *why, int error);
/* From dhcpcd's output. */
void dhcp_setbacks_take(struct dhcp_family *family, const struct dhcp_saying *saying);
/* A lease that netadmin applied, other than the one before. */
void dhcp_setbacks_begin(struct dhcp_family *family);
/* A lease was lost, because its server wants it so. */
void dhcp_setbacks_deny(struct dhcp_family *family);
/* Nobody has answered for a while. True: the client starts over, because there was a server that it did not hear. */
bool dhcp_setbacks_hear_everybody(struct dhcp_family *family);
