/*
 * What about the external network, or our address on it, costs connections now or after a recreation, and the line of
 * Compose that mends it (ADDR-1, ADDR-11).
 *
 * Docker's answers tell all but the interface's IPv6 settings (ipv6_advice.h).
 * Called by discovery.c, told by findings.c. Pure; runs without any privilege.
 */
#pragma once

#include "common/log.h"
#include "protocol/problems.h"
#include "workers/watcher/own_container.h"

#define EXTERNAL_REMEDY_SIZE 256

enum external_fault {
    EXTERNAL_FAULT_NO_GATEWAY,    /* nobody names an IPv4 router: nothing leaves */
    EXTERNAL_FAULT_FIRST_ADDRESS, /* Docker gave us what is mostly the router's: Engine 29 keeps it for nobody */
    EXTERNAL_FAULT_POOL_ADDRESS,  /* Docker chose our address: after a recreation it may be another */
    EXTERNAL_FAULT_COUNT_,
};

struct external_advice {
    bool is_given[EXTERNAL_FAULT_COUNT_];
    char container[NAME_SIZE]; /* ours */
    char network[NAME_SIZE];
    char remedies[EXTERNAL_FAULT_COUNT_][EXTERNAL_REMEDY_SIZE];
    enum problem missing;      /* NO_SHARED_NETWORK, NO_BACKEND_NETWORK or none: discovery.c knows it */
    enum problem ipv6_problem; /* ipv6_advice.h's, and below what it is and its remedy; empty without one */
    char ipv6[FINDING_REASON_SIZE];
};

/*
 * `own` is our place on the network, `inspected` the network. `tells_fixed`: this engine says which addresses somebody
 * chose; Podman does not, and what cannot be known is not claimed. `ipv6` stays as it is.
 */
void external_advice_find(const struct message_configure_watcher *configuration, const struct own_network *own,
                          const struct docker_network *inspected, bool tells_fixed, struct external_advice *ret);

/* What to log and to show: static storage. */
const char *external_fault_message(enum external_fault fault);
enum problem external_fault_problem(enum external_fault fault);
enum log_level external_fault_level(enum external_fault fault);
