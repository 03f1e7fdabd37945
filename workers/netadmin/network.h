/*
 * The rtnetlink half of anchord-netadmin, seen from the other half: links, addresses, device settings, our
 * routes and rules, and the gateway addresses that we claim.
 *
 * Called by the state machine, netadmin.c, and by closing.c and lease_exchange.c beside
 * it, all in anchord-netadmin with CAP_NET_ADMIN alone. It opens its netlink sockets in
 * network_new(), before the sandbox is sealed, and afterwards needs nothing but them. It stays current by the kernel's
 * notifications and puts back by itself, within one turn of the event loop, what somebody else removed or changed
 * (ADDR-11, GW-1, NAT-13). It logs its own decisions.
 */
#pragma once

#include "common/address.h"
#include "common/cleanup.h"
#include "protocol/channel.h"
#include "protocol/messages.h"
#include "workers/netadmin/plan/network_view.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

struct network;

struct network_callbacks {
    /*
     * Links, addresses or the view differ from what they were; once per drained burst of notifications and
     * at the end of network_set_topology(). Called from the event loop or from network_set_topology(). The
     * handler may call network_get_view() and network_send_links(), and must not free the network.
     */
    void (*on_changed)(void *userdata);
    /* What became of a lease that network_set_lease() took. Called from the event loop or from network_set_lease(). */
    void (*on_lease_applied)(const struct message_lease_applied *answer, void *userdata);
    void *userdata;
};

/*
 * Opens the sockets, reads links and addresses, and joins `event`. Nothing is changed in the kernel before
 * network_set_topology(). Returns 0, or a negative errno (logged) with *ret untouched.
 */
int network_new(sd_event *event, const struct network_callbacks *callbacks, struct network **ret)
    __attribute__((warn_unused_result));

/* Frees; leaves the kernel as it is (NAT-14). NULL is fine. Returns NULL. */
struct network *network_free(struct network *network);
DEFINE_POINTER_CLEANUP(struct network, (void)network_free, network_freep);

/* Pinned gateways and whether gateway addresses are claimed; before network_set_topology(). */
void network_configure(struct network *network, const struct message_configure_netadmin *configuration);

/* Under attach (HOST-2, HOST-7): which links there are into Docker networks, and what of the host is reached by its
 * own; the complete state each. Installs what follows from it. */
void network_set_shared_links(struct network *network, const struct message_shared_links *links);
void network_set_host_addresses(struct network *network, const struct message_host_addresses *addresses);

/* The former as last told, of type MESSAGE_INVALID before; NULL unless attached. */
const struct message_shared_links *network_shared_links(const struct network *network);
/* Whether all of them are there and ready; false unless attached (HOST-12). */
bool network_links_are_made(const struct network *network);

/*
 * Says which interfaces are external and shared, and installs settings, claimed addresses, rules and routes on
 * what is found of them; the rest follows when they appear. The same topology again is fine (a restarted
 * supervisor). Adopts what a predecessor left. Returns 0, or a negative errno (logged) when the kernel refused
 * something without which the anchor cannot work: -EPERM above all.
 */
int network_set_topology(struct network *network, const struct message_topology *topology)
    __attribute__((warn_unused_result));

/* False while the external or the shared interface is not found; *ret is untouched then. */
bool network_get_view(const struct network *network, struct network_view *ret) __attribute__((warn_unused_result));

/* The ruleset holds `view` now: addresses that waited for their element are added. */
void network_view_applied(struct network *network, const struct network_view *view);

struct backend_list;
/* By family: backends came that no element named before: the kernel asks anew who they are (link/neighbours.h). */
void network_forget_neighbours(struct network *network, const struct backend_list *newcomers);

/*
 * The lease of a family, or that there is none. Checked by the policy; what was there stays until the new address can
 * be used, and on_lease_applied() tells when that is. Returns 0, or a negative errno with `reason`: refused whole.
 */
int network_set_lease(struct network *network, const struct message_lease *message, char reason[REASON_SIZE])
    __attribute__((warn_unused_result));

/* Fills in the link on which a DHCP client may run: in dhcp-refresh mode, found, up, and with promote_secondaries set,
 * without which dhcpcd gives up; *ret must be zero but for the header. */
void network_describe_external_link(const struct network *network, struct message_external_link *ret);

/* The shared network of the topology with those of its subnets that the interface itself has (WALL-5). */
const struct wire_network *network_shared_believed(const struct network *network);

/* Whether the external link has the address, and no other host is found to have it. */
bool network_holds(const struct network *network, const struct ip_address *address);

#define NETWORK_ADDRESSES_MAX (LINKS_MAX * LINK_ADDRESSES_MAX + HOST_ADDRESSES_MAX)

/* Every address that an interface of this namespace holds, and under attach of the host: never a target of DNAT
 * (DESIGN §1). Returns how many. */
size_t network_list_addresses(const struct network *network, struct ip_address ret[NETWORK_ADDRESSES_MAX]);

/*
 * Sends LINKS_BEGIN, ITEMS and COMMIT to the watcher: every link but loopback, with its addresses that can be
 * used and its IPv6 settings. Returns 0 or channel_send()'s error.
 */
int network_send_links(const struct network *network, struct channel *watcher, uint64_t generation)
    __attribute__((warn_unused_result));

/*
 * Talks to the announcer at the other end of `descriptor`, which is ours from now on, instead of an earlier one. It
 * hears which addresses we hold, now and after each change (ADDR-12), and is asked before a gateway address is
 * claimed (GW-1). Without an announcer gateways are claimed unasked. Returns 0 or a negative errno: no announcer.
 */
int network_set_announcer(struct network *network, int descriptor) __attribute__((warn_unused_result));

/* Fills in what status shows: both links with their addresses, the gateways; *ret must be zero but for the header. */
void network_describe(const struct network *network, struct message_network_report *ret);

/*
 * The ordered stop: removes our rules, our routes, the claimed gateway addresses and leased ones, with Docker's back in
 * their place (NAT-14, ADDR-8: they were released before); device settings stay. Goes on after an error; returns the
 * first one (logged), or 0. Repairs nothing from now on.
 */
int network_tear_down(struct network *network) __attribute__((warn_unused_result));
