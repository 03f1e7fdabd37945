/*
 * The lease of one family: what dhcpcd says of it, what netadmin makes of it, and when it ends (ADDR-2 to ADDR-8).
 *
 * Used by dhcp.c, twice, and the two know nothing of each other (ADDR-4); runs in the supervisor, as root. All times
 * count on CLOCK_BOOTTIME: no clock that somebody sets matters, and a lease ages while the machine sleeps.
 *
 *   dhcpcd says                          what becomes of the lease
 *   BOUND RENEW REBIND REBOOT …          held: sent to netadmin, with the time that it counts from
 *   TIMEOUT                              the same for the last lease of a predecessor, until its original end: nobody
 *                                        answers (RFC 2131 §3.2)
 *   NAK, EXPIRED (ARP defence)           gone at once: the bootstrap address comes back
 *   EXPIRE EXPIRE6                       stays until its own end: dhcpcd says so too when the link went down, when it
 *                                        was restarted and the server is silent, and when somebody removed the address
 *   nothing, until the lease's end       gone
 *   STOPPED, after a release             gone: the host's dhcpcd, by its operator
 *
 * A lease that cannot be read, or that netadmin refuses, changes nothing. While an earlier one serves, the client keeps
 * what it has and asks again; else it gives back what it got and starts over. Both ever more slowly (ADDR-6).
 */
#pragma once

#include "daemon/dhcp/dhcp_client.h"

struct dhcp_family;

struct dhcp_family_callbacks {
    void (*send)(const struct message_header *message, void *userdata); /* to netadmin */
    void (*on_changed)(void *userdata);                                 /* what status shows is another */
    void (*on_ended)(void *userdata);                                   /* the client has, after dhcp_family_stop() */
    void *userdata;
};

/* `configuration` must outlive it. Returns 0 or a negative errno. */
int dhcp_family_new(sd_event *event, const struct configuration *configuration, uint8_t family,
                    const struct dhcp_family_callbacks *callbacks, struct dhcp_family **ret)
    __attribute__((warn_unused_result));
struct dhcp_family *dhcp_family_free(struct dhcp_family *family);
DEFINE_POINTER_CLEANUP(struct dhcp_family, (void)dhcp_family_free, dhcp_family_freep);

struct dhcp_client *dhcp_family_client(const struct dhcp_family *family);

/* The link that netadmin names, or "": none. The client of ours, if there is to be one, runs there. */
void dhcp_family_set_interface(struct dhcp_family *family, const char *interface);

/* Of this family, from dhcpcd's script. One that does not fit to what runs is refused and logged. */
void dhcp_family_take_event(struct dhcp_family *family, const struct message_lease_event *event);

/* A DHCPv4 client with our identifier and the MAC `mac` was heard. */
void dhcp_family_take_twin(struct dhcp_family *family, const struct mac_address *mac);

/* netadmin's answer to the lease that was sent last, or to an older one; or that what it took cannot serve any more. */
void dhcp_family_take_answer(struct dhcp_family *family, const struct message_lease_applied *answer);

/* A new netadmin knows nothing: tells it again. */
void dhcp_family_send_again(struct dhcp_family *family);

/* Ends the client, which releases the lease unless it is kept; on_ended follows if it runs. */
void dhcp_family_stop(struct dhcp_family *family, bool keeps_lease, uint64_t deadline);

void dhcp_family_describe(const struct dhcp_family *family, struct wire_lease_status *ret);
