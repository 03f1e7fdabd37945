/*
 * Links as the kernel has them, and the few requests that change them.
 *
 * Called by links.c in anchord-links, with CAP_NET_ADMIN on the host, by two sockets: the host's and the identity's.
 */
#pragma once

#include "workers/links/link_names.h"
#include "workers/netlink/rtnetlink.h"

/* A dump that another change interrupted is read again at once, this often. */
#define LINK_READ_ATTEMPTS 8

struct seen_link {
    uint32_t index;
    uint32_t master; /* index of the bridge, or 0 */
    uint32_t lower;  /* IFLA_LINK: index of a macvlan's parent, or of a pair's other end */
    uint32_t mtu;
    bool is_up;
    bool is_bridge;
    bool is_bridge_port;
    struct mac_address mac;
    char name[INTERFACE_NAME_SIZE];
    char alias[LINK_ALIAS_SIZE];
};

/* The pairs with that to the host, the bridges and the parent. */
#define SEEN_LINKS_MAX (2 * BRIDGES_MAX + 2)

struct link_snapshot {
    struct seen_link links[SEEN_LINKS_MAX];
    size_t count;
};

/* Whether a link of this name is to be looked at. */
typedef bool (*link_filter)(const char *name, const void *userdata);

/* Reads those links of a namespace that pass. Returns 0 or a negative errno. */
int link_requests_read(struct rtnetlink *rtnetlink, link_filter filter, const void *userdata,
                       struct link_snapshot *snapshot) __attribute__((warn_unused_result));
const struct seen_link *link_snapshot_find(const struct link_snapshot *snapshot, const char *name);

/* ip link add link PARENT name ancext address MAC netns NAMESPACE type macvlan mode bridge */
void link_requests_add_external(struct rtnetlink *rtnetlink, const struct seen_link *parent, int namespace,
                                const struct mac_address *mac);

/* One end of a pair. */
struct link_end {
    char name[INTERFACE_NAME_SIZE];
    struct mac_address mac;
};

/* ip link add OUTER address MAC mtu MTU master BRIDGE type veth peer name INNER address MAC mtu MTU netns NAMESPACE
 * The MTU before the master: a bridge takes the smallest of its ports' (measured). */
void link_requests_add_pair(struct rtnetlink *rtnetlink, const struct seen_link *bridge, const struct link_end *outer,
                            const struct link_end *inner, int namespace);

/* ip link set dev OUTER addrgenmode eui64: before it is up, whatever the host's default is */
void link_requests_set_eui64(struct rtnetlink *rtnetlink, const char *outer);

/* ip link set dev OUTER alias ALIAS; and up, with its master */
void link_requests_dress(struct rtnetlink *rtnetlink, const char *outer, const char *alias);
void link_requests_enslave(struct rtnetlink *rtnetlink, const struct seen_link *outer, const struct seen_link *bridge);
void link_requests_set_mtu(struct rtnetlink *rtnetlink, const struct seen_link *link, uint32_t mtu);
void link_requests_delete(struct rtnetlink *rtnetlink, const struct seen_link *link);
