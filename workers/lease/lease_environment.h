/*
 * What dhcpcd tells its script in the environment (dhcpcd-run-hooks(8), and measured: the reasons EXPIRED and RELEASE6
 * are in no manual), as one LEASE_EVENT.
 *
 * Used by anchord-lease's main() and by tests; pure, no allocation. A DHCP server chose most of the values: whatever is
 * malformed makes the whole lease UNUSABLE, so that nothing half understood travels on. But an MTU, without which the
 * lease is worth the same, is left out.
 */
#pragma once

#include "protocol/messages.h"

#include <stdbool.h>
#include <stddef.h>

/* dhcpcd numbers the addresses of our one IA_NA from 1; these are looked at. */
#define LEASE_IDENTITY_READ_MAX 16

struct lease_problem {
    const char *variable; /* static */
    const char *reason;   /* static */
};

/* What does not travel on with the rest of a lease. */
struct lease_omissions {
    size_t routes;
    size_t address_count; /* of an IA_NA with more than LEASE_ADDRESSES_MAX */
    struct ip_address addresses[LEASE_IDENTITY_READ_MAX];
    bool is_identity_longer; /* there are more than were read */
    bool mtu;                /* new_interface_mtu is none */
};

/*
 * Fills *ret, a message that message_validate() accepts. `environment`: NAME=value strings, NULL-terminated; of a name
 * that occurs twice the first counts. Routes that do not fit are left out, but never a default route, and addresses
 * that are too many, but never the best of its scope; *ret_omissions says what was. Returns 0, or -EBADMSG with
 * *ret_problem if not even reason and interface can be told; then *ret is untouched.
 */
int lease_environment_parse(const char *const environment[], struct message_lease_event *ret,
                            struct lease_omissions *ret_omissions, struct lease_problem *ret_problem)
    __attribute__((warn_unused_result));

#define LEASE_AGE_UNKNOWN UINT64_MAX

/*
 * Of a lease that nobody has confirmed (TIMEOUT: no server answers, and dhcpcd goes on with the last one) the variables
 * tell the times of its first day. Takes `age` off, the seconds since it was given. One that is over, or of which
 * nobody knows the age, is lost as at its end (KEEP-1: the address stays until its *original* expiry). Any other event
 * stays as it is.
 */
void lease_environment_age(struct message_lease_event *event, uint64_t age);
