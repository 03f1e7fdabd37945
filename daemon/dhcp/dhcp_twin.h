/*
 * Listens for another DHCPv4 client with our identifier: the same name on another host. A server takes both for one,
 * gives both one address, and each takes the other's away.
 *
 * Opened by daemon/role/raw_sockets.c, as root with CAP_NET_RAW, before the supervisor is limited; used by dhcp.c in
 * the supervisor. The kernel looks for the option and compares (a filter with our identifier in it); of a frame that
 * fits, the sender's MAC alone is ever looked at.
 */
#pragma once

#include "common/address.h"
#include "common/cleanup.h"

#include <linux/filter.h>
#include <systemd/sd-event.h>

#define DHCP_TWIN_FILTER_MAX 192

struct dhcp_twin_filter {
    struct sock_filter instructions[DHCP_TWIN_FILTER_MAX];
    unsigned short length;
};

/* For packets to DHCP servers with the identifier of `host_name`; pure. */
void dhcp_twin_filter_make(const char *host_name, struct dhcp_twin_filter *ret);

/* A packet socket with that filter, which receives nothing yet. Returns 0 or a negative errno. */
int dhcp_twin_open(const char *host_name, int *ret) __attribute__((warn_unused_result));

struct dhcp_twin;

typedef void (*dhcp_twin_handler)(const struct mac_address *mac, void *userdata);

/* `fd` stays the caller's. Returns 0 or a negative errno. */
int dhcp_twin_new(sd_event *event, int fd, dhcp_twin_handler on_heard, void *userdata, struct dhcp_twin **ret)
    __attribute__((warn_unused_result));
struct dhcp_twin *dhcp_twin_free(struct dhcp_twin *twin);
DEFINE_POINTER_CLEANUP(struct dhcp_twin, (void)dhcp_twin_free, dhcp_twin_freep);

/* Listens on the link `index`; 0: on none. NULL is fine. */
void dhcp_twin_set_link(struct dhcp_twin *twin, uint32_t index);
