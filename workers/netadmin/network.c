/*
 * The rtnetlink half's facade and events; see network.h. Runs in anchord-netadmin with CAP_NET_ADMIN.
 *
 * Level-triggered: a notification only says that something differs; then links and addresses are read, and each
 * part compares what it wants with what the kernel has. Our own changes come back as notifications too, so that
 * one reading follows the last change and finds nothing left to do.
 */
#include "workers/netadmin/network.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/sandbox.h"
#include "common/text.h"
#include "protocol/event_loop.h"
#include "protocol/problems.h"
#include "protocol/state_sender.h"
#include "workers/netadmin/address/lease_taking.h"
#include "workers/netadmin/link/attached_links.h"
#include "workers/netadmin/link/claimed_addresses.h"
#include "workers/netadmin/link/link_details.h"
#include "workers/netadmin/link/neighbours.h"
#include "workers/netadmin/network_internal.h"
#include "workers/netadmin/plan/gateway_claim.h"
#include "workers/netadmin/route/route_table.h"

#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <time.h>

/* Until a gateway is claimed nothing leaves: no waiting for company. */
#define TIMER_ACCURACY (10 * MICROSECONDS_PER_MILLISECOND)

/* Seconds between retries after a failure that no notification may follow: 1, 2, 4 … 64. */
#define RETRY_SHIFT_MAX 6

/* Reads links and addresses; *ret_differs says whether they are others than before. */
static int read_links(struct network_ground *ground, bool *ret_differs)
{
    struct link_table fresh = {0};
    int result = link_table_read(ground->rtnetlink, &link_details, &fresh);

    if (network_ground_report(ground, NETWORK_STEP_LINKS, result) < 0)
        return result;
    *ret_differs = !link_table_equal(&ground->links, &fresh);
    link_table_clear(&ground->links);
    ground->links = fresh;
    if (ground->is_attached)
        subnets_behind_list(&ground->shared_links, &ground->host_addresses, &ground->via_host, &ground->next_hop,
                            &ground->behind);
    ground->links.behind = ground->behind.items;
    ground->links.behind_count = ground->behind.count;
    return 0;
}

static void set_timer(struct network *network, uint64_t seconds)
{
    uint64_t at = seconds ? clock_monotonic_microseconds() + seconds * MICROSECONDS_PER_SECOND : UINT64_MAX;
    uint64_t probe = router_watch_next_probe(&network->routers);

    event_loop_set_timer(network->timer_source, at < probe ? at : probe);
}

/*
 * The kernel does not tell when an advertisement only prolongs a route: half of the lifetime later we look. And
 * what failed is tried again.
 */
static void plan_next_reading(struct network *network, int result, uint32_t lifetime)
{
    if (result < 0) {
        set_timer(network, UINT64_C(1) << network->retries);
        if (network->retries < RETRY_SHIFT_MAX)
            network->retries++;
        return;
    }
    network->retries = 0;
    set_timer(network, lifetime == 1 ? 1 : lifetime / 2);
}

/* What is announced is what we hold, but for addresses that a router or a lease put into an inner network. */
static void announce(struct announcer_peer *announcer, const struct inner_guard *guard, bool must_send)
{
    const struct network_link *external = network_ground_find(guard->ground, DEVICE_SIDE_EXTERNAL);
    const struct network_link *shared = network_ground_find(guard->ground, DEVICE_SIDE_SHARED);
    struct network_link believed;

    if (external)
        believed = inner_guard_believed(guard, external);
    announcer_peer_tell(announcer, external ? &believed : NULL, shared, must_send);
}

/* One turn: read, bring the kernel to what is wanted, tell the other half. Returns 0 or the first failure. */
static int refresh(struct network *network, bool must_tell)
{
    struct gateway_choice router = network->families[FAMILY_INDEX_6].choice;
    bool differs = false;
    uint32_t lifetime = 0;
    int result = read_links(&network->ground, &differs);

    must_tell = must_tell || network->ground.must_tell;
    network->ground.must_tell = false;
    network->is_stale = false;
    (void)sd_event_source_set_enabled(network->ground.wake_source, SD_EVENT_OFF);
    if (result == 0 && network->ground.has_topology)
        result = network_apply(network, &lifetime);
    plan_next_reading(network, result, lifetime);
    must_tell = must_tell || !gateway_choice_equal(&router, &network->families[FAMILY_INDEX_6].choice); /* NAT-8 */
    announce(&network->announcer, &network->guard, false);
    if (differs || must_tell || external_addresses_await_element(&network->addresses))
        network->callbacks.on_changed(network->callbacks.userdata);
    return result;
}

int network_refresh(struct network *network)
{
    return refresh(network, false);
}

static int on_wake(sd_event_source *source, void *userdata)
{
    (void)source;
    (void)refresh(userdata, false); /* reported, and planned again */
    return 0;
}

static void on_probed(const struct message_probed *answer, void *userdata)
{
    struct network *network = userdata;
    const struct network_link *external = network_ground_find(&network->ground, DEVICE_SIDE_EXTERNAL);
    struct ip_address address = wire_address_to(&answer->target.address);

    /* Of one that was given and is not taken, too. */
    if (network->ground.is_attached && !mac_address_is_zero(&answer->holder) && external &&
        !network_link_find(external, &address))
        (void)duplicates_note(&network->duplicates, &address);
    duplicates_note_holder(&network->duplicates, answer);
}

static void on_advertised(const struct message_advertised *advertised, void *userdata)
{
    struct network *network = userdata;

    if (!router_watch_note(&network->routers, advertised))
        return;
    network->ground.must_tell = true;
    network_ground_wake(&network->ground);
}

int network_set_announcer(struct network *network, int descriptor)
{
    int result = announcer_peer_link(&network->announcer, descriptor);

    if (result == 0)
        announce(&network->announcer, &network->guard, true);
    (void)network_refresh(network); /* reported, and planned again */
    return result;
}

void network_forget_neighbours(struct network *network, const struct backend_list *newcomers)
{
    neighbours_forget(&network->ground, newcomers);
}

/* What advertisements bring, on-link prefixes in the kernel's name. */
static bool is_advertised_route(const struct nlmsghdr *message)
{
    const struct rtmsg *header = mnl_nlmsg_get_payload(message);

    if (mnl_nlmsg_get_payload_len(message) < sizeof(*header))
        return false;
    return header->rtm_protocol == RTPROT_RA ||
           (header->rtm_protocol == RTPROT_KERNEL && header->rtm_family == AF_INET6 &&
            header->rtm_table == RT_TABLE_MAIN && message->nlmsg_type == RTM_NEWROUTE);
}

/* The picture in `links` is still the one from before; even when the link is up again, its addresses are gone. */
static void note_link_down(struct network *network, const struct nlmsghdr *message)
{
    const struct ifinfomsg *header = mnl_nlmsg_get_payload(message);

    if (message->nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(message) < sizeof(*header) ||
        header->ifi_flags & IFF_UP)
        return;
    for (enum device_side side = DEVICE_SIDE_EXTERNAL; side <= DEVICE_SIDE_SHARED; side++) {
        const struct network_link *link = network_ground_find(&network->ground, side);

        if (link && link->is_up && link->index == (uint32_t)header->ifi_index)
            address_keeper_note(&network->kept[side], link);
        if (link && side == DEVICE_SIDE_EXTERNAL && link->index == (uint32_t)header->ifi_index)
            external_addresses_forget_serving(&network->addresses);
    }
}

/* Before it removes the address, the kernel says what it found (RFC 4862 §5.4). */
static void note_duplicate(struct network *network, const struct nlmsghdr *message)
{
    const struct network_link *external = network_ground_find(&network->ground, DEVICE_SIDE_EXTERNAL);
    struct link_address address;

    if (message->nlmsg_type == RTM_DELADDR && external && link_address_parse(message, &address) == external->index &&
        address.flags & IFA_F_DADFAILED)
        network_note_duplicate(network, external, &address);
}

static void on_notification(const struct nlmsghdr *message, void *userdata)
{
    struct network *network = userdata;

    note_duplicate(network, message);
    note_link_down(network, message);
    if (own_routes_concern(message) || is_advertised_route(message))
        network->is_stale = true;
}

static int on_monitor(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct network *network = userdata;
    int result = rtnetlink_monitor_drain(network->monitor, on_notification, network);

    (void)fd;
    (void)events;
    if (result == -ENOBUFS) {
        network->is_stale = true;
    } else if (result < 0) {
        /* Blind from here on: a successor starts with its eyes open. */
        log_error("cannot read the kernel's notifications", LOG_ERROR(result));
        return sd_event_exit(sd_event_source_get_event(source), EXIT_STATUS_CRASH);
    }
    if (network->is_stale)
        (void)refresh(network, false); /* reported, and planned again */
    return 0;
}

static int on_timer(sd_event_source *source, uint64_t at, void *userdata)
{
    (void)source;
    (void)at;
    network_refresh(userdata);
    return 0;
}

struct network *network_free(struct network *network)
{
    if (!network)
        return NULL;
    sd_event_source_disable_unref(network->monitor_source);
    sd_event_source_disable_unref(network->timer_source);
    sd_event_source_disable_unref(network->announcer.probe_timer);
    sd_event_source_disable_unref(network->addresses.timer);
    sd_event_source_disable_unref(network->ground.wake_source);
    router_watch_close(&network->routers);
    announcer_peer_close(&network->announcer);
    rtnetlink_socket_closep(&network->monitor);
    rtnetlink_freep(&network->ground.rtnetlink);
    link_table_clear(&network->ground.links);
    free(network);
    return NULL;
}

static int add_event_sources(struct network *network, sd_event *event)
{
    int result = sd_event_add_io(event, &network->monitor_source, mnl_socket_get_fd(network->monitor), EPOLLIN,
                                 on_monitor, network);

    if (result < 0)
        return result;
    result = event_loop_limit_turns(network->monitor_source);
    if (result < 0)
        return result;
    result = event_loop_add_step(event, on_wake, network, &network->ground.wake_source);
    if (result >= 0)
        result =
            event_loop_add_timer(event, CLOCK_MONOTONIC, TIMER_ACCURACY, on_timer, network, &network->timer_source);
    if (result >= 0)
        result = event_loop_add_timer(event, CLOCK_MONOTONIC, TIMER_ACCURACY, on_timer, network,
                                      &network->announcer.probe_timer);
    return result < 0 ? result
                      : event_loop_add_timer(event, CLOCK_BOOTTIME, TIMER_ACCURACY, on_timer, network,
                                             &network->addresses.timer);
}

int network_new(sd_event *event, const struct network_callbacks *callbacks, struct network **ret)
{
    CLEANUP(network_freep) struct network *network = calloc(1, sizeof(*network));
    bool differs;
    int result;

    if (!network)
        return -ENOMEM;
    network->callbacks = *callbacks;
    network->guard.ground = &network->ground;
    network->guard.witness = &network->witness;
    network->addresses.ground = &network->ground;
    network->addresses.witness = &network->witness;
    network->addresses.on_lease_applied = callbacks->on_lease_applied;
    network->addresses.userdata = callbacks->userdata;
    network->addresses.may_take = announcer_peer_may_take;
    network->addresses.asked = &network->announcer;
    network->announcer.ground = &network->ground;
    network->announcer.callbacks = (struct announcer_callbacks){on_probed, on_advertised, network};
    for (size_t i = 0; i < FAMILY_INDEX_MAX_; i++) {
        network->families[i].family = i == FAMILY_INDEX_4 ? IP_FAMILY_4 : IP_FAMILY_6;
        network->families[i].own.family = network->families[i].family;
    }
    result = rtnetlink_monitor_open(&network->monitor);
    if (result == 0)
        result = rtnetlink_new(&network->ground.rtnetlink);
    if (result == 0)
        result = add_event_sources(network, event);
    if (result >= 0)
        result =
            router_watch_open(&network->routers, &network->ground, &network->families[FAMILY_INDEX_6].choice, event);
    if (result < 0) {
        log_error("cannot open the rtnetlink sockets", LOG_ERROR(result));
        return result;
    }
    result = read_links(&network->ground, &differs);
    if (result < 0)
        return result;
    *ret = TAKE_POINTER(network);
    return 0;
}

void network_configure(struct network *network, const struct message_configure_netadmin *configuration)
{
    network->families[FAMILY_INDEX_4].pin = wire_address_to(&configuration->pinned_gateway4);
    network->families[FAMILY_INDEX_6].pin = wire_address_to(&configuration->pinned_gateway6);
    network->claims_gateway = configuration->claim_gateway != 0;
    network->ground.address_mode = (enum address_mode)configuration->address_mode;
    network->ground.is_attached = configuration->is_attached != 0;
    network->ground.next_hop = wire_address_to(&configuration->next_hop);
    network->ground.via_host.count = configuration->via_host_count;
    for (uint32_t i = 0; i < configuration->via_host_count; i++)
        network->ground.via_host.subnets[i] = (struct ip_subnet){wire_address_to(&configuration->via_host[i].address),
                                                                 configuration->via_host[i].prefix_length};
}

void network_set_shared_links(struct network *network, const struct message_shared_links *links)
{
    network->ground.shared_links = *links;
    (void)refresh(network, true); /* reported, and planned again */
}

void network_set_host_addresses(struct network *network, const struct message_host_addresses *addresses)
{
    network->ground.host_addresses = *addresses;
    (void)refresh(network, true); /* reported, and planned again */
}

const struct message_shared_links *network_shared_links(const struct network *network)
{
    return network->ground.is_attached ? &network->ground.shared_links : NULL;
}

bool network_links_are_made(const struct network *network)
{
    return network->ground.is_attached && attached_links_are_made(&network->ground);
}

bool network_holds(const struct network *network, const struct ip_address *address)
{
    const struct network_link *external = network_ground_find(&network->ground, DEVICE_SIDE_EXTERNAL);
    const struct link_address *found = external ? network_link_find(external, address) : NULL;

    return found && link_address_is_usable(found);
}

const struct wire_network *network_shared_believed(const struct network *network)
{
    return &network->witness.shared_believed;
}

static void report_refused_claims(const struct wire_network *shared)
{
    for (uint32_t i = 0; i < shared->subnet_count; i++) {
        struct ip_address address = wire_address_to(&shared->subnets[i].auxiliary_gateway);
        const char *reason = gateway_claim_check(&shared->subnets[i]);

        if (reason)
            log_error("auxiliary gateway address refused", LOG_PROBLEM(PROBLEM_AUXILIARY_GATEWAY_REFUSED),
                      LOG_TEXT("network", shared->name), LOG_TEXT("address", IP_ADDRESS_TEXT(&address)),
                      LOG_ERROR_TEXT(reason));
    }
}

int network_set_topology(struct network *network, const struct message_topology *topology)
{
    bool is_same = network->ground.has_topology &&
                   memcmp(&network->ground.topology.external, &topology->external, sizeof(topology->external)) == 0 &&
                   memcmp(&network->ground.topology.shared, &topology->shared, sizeof(topology->shared)) == 0;

    network->ground.topology = *topology;
    network->ground.has_topology = true;
    if (!is_same)
        witness_begin(&network->witness);
    if (!is_same && network->claims_gateway)
        report_refused_claims(&topology->shared);
    return refresh(network, true) == -EPERM ? -EPERM : 0;
}

int network_set_lease(struct network *network, const struct message_lease *message, char reason[REASON_SIZE])
{
    const struct known_lease *lease = &network->addresses.families[message->family == IP_FAMILY_6].lease;
    struct known_lease before = *lease;
    int result = lease_taking_set(&network->addresses, message, reason);

    if (result < 0)
        return result;
    duplicates_forget_given_up(&network->duplicates, &before, lease);
    (void)network_refresh(network); /* reported, and planned again */
    return 0;
}

size_t network_list_addresses(const struct network *network, struct ip_address ret[NETWORK_ADDRESSES_MAX])
{
    size_t count = 0;

    for (size_t i = 0; i < network->ground.links.count; i++) {
        const struct network_link *link = &network->ground.links.links[i];

        for (uint32_t j = 0; j < link->address_count; j++)
            ret[count++] = link->addresses[j].address;
    }
    for (uint32_t i = 0; i < network->ground.host_addresses.count; i++)
        ret[count++] = wire_address_to(&network->ground.host_addresses.items[i].address);
    return count;
}

static void wire_link_from(enum address_mode mode, const struct network_link *link, struct wire_link *ret)
{
    bool asks = mode == ADDRESS_MODE_DHCP_REFRESH || mode == ADDRESS_MODE_SLAAC_RA_ONLY;

    *ret = (struct wire_link){
        .index = link->index,
        .mac = link->mac,
        .ipv6_flags = (uint8_t)(link->settings.ipv6_flags | (asks ? LINK_IPV6_IS_ASKED : 0)),
    };
    text_copy_cut(ret->name, sizeof(ret->name), link->name);
    for (uint32_t i = 0; i < link->address_count; i++) {
        if (!link_address_is_usable(&link->addresses[i]))
            continue;
        ret->addresses[ret->address_count++] = (struct wire_link_address){
            .address = wire_address_from(&link->addresses[i].address),
            .prefix_length = link->addresses[i].prefix_length,
        };
    }
}

int network_send_links(const struct network *network, struct channel *watcher, uint64_t generation)
{
    static const struct state_form form = {MESSAGE_LINKS_BEGIN, MESSAGE_LINKS_ITEMS, MESSAGE_LINKS_COMMIT,
                                           LINKS_PER_MESSAGE, sizeof(struct wire_link)};
    const struct link_table *links = &network->ground.links;
    CLEANUP_FREE struct wire_link *items = calloc(links->count + 1, sizeof(*items));

    if (!items)
        return -ENOMEM;
    for (size_t i = 0; i < links->count; i++)
        wire_link_from(network->ground.address_mode, &links->links[i], &items[i]);
    return state_sender_send(watcher, &form, generation, items, links->count);
}

int network_tear_down(struct network *network)
{
    const struct network_link *shared = network_ground_find(&network->ground, DEVICE_SIDE_SHARED);
    int first = 0;
    int leases;

    (void)sd_event_source_set_enabled(network->monitor_source, SD_EVENT_OFF);
    (void)sd_event_source_set_enabled(network->ground.wake_source, SD_EVENT_OFF);
    (void)sd_event_source_set_enabled(network->timer_source, SD_EVENT_OFF);
    (void)sd_event_source_set_enabled(network->announcer.probe_timer, SD_EVENT_OFF);
    (void)sd_event_source_set_enabled(network->addresses.timer, SD_EVENT_OFF);
    announcer_peer_close(&network->announcer);
    keep_first(&first, attached_links_lower(&network->ground));
    if (shared && network->claims_gateway)
        first = claimed_addresses_remove(network->ground.rtnetlink, shared, &network->witness.shared_believed);
    (void)network_ground_report(&network->ground, NETWORK_STEP_CLAIM, first);
    leases = external_addresses_remove_leases(&network->addresses);
    keep_first(&first, leases);
    for (size_t i = 0; i < FAMILY_INDEX_MAX_; i++) {
        int result = family_routes_remove(&network->ground, &network->families[i]);

        keep_first(&first, result);
    }
    return first;
}
