/*
 * What a line of dhcpcd's output means for us. Its script hears of leases only; that an address was declined, whose it
 * is, and which server refuses, dhcpcd says nowhere else.
 *
 * Used by dhcp_client.c in the supervisor, and by tests; pure, no privilege. Lines carry text that anybody on the LAN
 * chose: what is not exactly as expected means nothing, and is merely logged.
 */
#pragma once

#include "common/address.h"

enum dhcp_saying_kind {
    DHCP_SAYING_OTHER = 0, /* to be read by the operator */
    DHCP_SAYING_HARMLESS,  /* wanted like this by us, or said by us already */
    DHCP_SAYING_CLAIMED,   /* `mac` says that it has `address`, or wants it */
    DHCP_SAYING_DECLINED,  /* the probe found `address` in use: the server is told */
    DHCP_SAYING_REFUSED,   /* DHCPNAK of the server `address` */
    DHCP_SAYING_RELEASED,  /* the lease: the packet is on its way */
};

struct dhcp_saying {
    enum dhcp_saying_kind kind;
    struct ip_address address;
    struct mac_address mac;
};

/* `line` without its end; `interface`: the one that dhcpcd runs on. */
struct dhcp_saying dhcp_saying_parse(const char *interface, const char *line);
