/* A throw-away host on the LAN; see throwaway.h. Runs in anchord-probe as root, before its seal. */
#include "workers/commands/probe/throwaway.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "workers/netlink/rtnetlink.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <string.h>

#define LINK "anclan"
/* A link-local address is looked for as another host's for a second, then a router is asked (RFC 4862 §5.4). */
#define ROUTER_TIMEOUT (4 * MICROSECONDS_PER_SECOND)
/* And so is the address that it gives, for up to two: until then nobody is told whose it is. */
#define TENTATIVE_TIMEOUT (5 * MICROSECONDS_PER_SECOND / 2)
#define LOOK_MILLISECONDS 50

/* ip link add anclan link PARENT netns NEW type macvlan mode bridge */
static int add_link(struct rtnetlink *host, uint32_t parent, int namespace)
{
    struct nlmsghdr *message = rtnetlink_message(host);
    struct nlattr *info;
    struct nlattr *data;

    (void)rtnetlink_begin(host, "add link", RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(struct ifinfomsg));
    mnl_attr_put_strz(message, IFLA_IFNAME, LINK);
    mnl_attr_put_u32(message, IFLA_LINK, parent);
    mnl_attr_put_u32(message, IFLA_NET_NS_FD, (uint32_t) namespace);
    info = mnl_attr_nest_start(message, IFLA_LINKINFO);
    mnl_attr_put_strz(message, IFLA_INFO_KIND, "macvlan");
    data = mnl_attr_nest_start(message, IFLA_INFO_DATA);
    mnl_attr_put_u32(message, IFLA_MACVLAN_MODE, MACVLAN_MODE_BRIDGE);
    mnl_attr_nest_end(message, data);
    mnl_attr_nest_end(message, info);
    return rtnetlink_execute(host);
}

/* ip link set anclan up */
static int set_up(struct rtnetlink *inside, uint32_t index)
{
    struct ifinfomsg *header = rtnetlink_begin(inside, "set link", RTM_NEWLINK, 0, sizeof(*header));

    header->ifi_index = (int)index;
    header->ifi_flags = IFF_UP;
    header->ifi_change = IFF_UP;
    return rtnetlink_execute(inside);
}

/* ip address add ADDRESS/LENGTH dev anclan nodad */
static int add_address(struct rtnetlink *inside, uint32_t index, const struct ip_subnet *address)
{
    struct ifaddrmsg *header =
        rtnetlink_begin(inside, "add address", RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sizeof(*header));
    size_t length = ip_family_length(address->address.family);

    header->ifa_family = (uint8_t)ip_family_to_kernel(address->address.family);
    header->ifa_prefixlen = address->prefix_length;
    header->ifa_flags = address->address.family == IP_FAMILY_6 ? IFA_F_NODAD : 0;
    header->ifa_index = index;
    mnl_attr_put(rtnetlink_message(inside), IFA_LOCAL, length, address->address.bytes);
    mnl_attr_put(rtnetlink_message(inside), IFA_ADDRESS, length, address->address.bytes);
    return rtnetlink_execute(inside);
}

static bool find_global(struct ip_address *ret)
{
    struct ifaddrs *list = NULL;
    bool is_found = false;

    if (getifaddrs(&list) < 0)
        return false;
    for (const struct ifaddrs *entry = list; entry && !is_found; entry = entry->ifa_next) {
        struct sockaddr_in6 address;
        struct ip_address found;

        if (!entry->ifa_addr || entry->ifa_addr->sa_family != AF_INET6)
            continue;
        memcpy(&address, entry->ifa_addr, sizeof(address));
        found = ip_address_from_bytes(IP_FAMILY_6, &address.sin6_addr);
        is_found = !ip_address_is_loopback(&found) && !ip_address_is_link_local(&found);
        if (is_found)
            *ret = found;
    }
    freeifaddrs(list);
    return is_found;
}

/* The kernel lets nobody bind to an address that it still looks for. */
static bool is_tentative(const struct ip_address *address)
{
    struct sockaddr_in6 bound = {.sin6_family = AF_INET6};
    CLEANUP_FD int socket_fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    memcpy(&bound.sin6_addr, address->bytes, sizeof(bound.sin6_addr));
    return socket_fd >= 0 && bind(socket_fd, (const struct sockaddr *)&bound, sizeof(bound)) < 0 &&
           errno == EADDRNOTAVAIL;
}

static void await_router(struct ip_address *ret)
{
    uint64_t deadline = clock_monotonic_microseconds() + ROUTER_TIMEOUT;

    while (!find_global(ret) && clock_monotonic_microseconds() < deadline)
        (void)poll(NULL, 0, LOOK_MILLISECONDS);
    deadline = clock_monotonic_microseconds() + TENTATIVE_TIMEOUT;
    while (ret->family == IP_FAMILY_6 && is_tentative(ret) && clock_monotonic_microseconds() < deadline)
        (void)poll(NULL, 0, LOOK_MILLISECONDS);
}

int throwaway_make(const struct throwaway *throwaway, struct ip_address *ret_address6)
{
    CLEANUP(rtnetlink_freep) struct rtnetlink *host = NULL;
    CLEANUP(rtnetlink_freep) struct rtnetlink *inside = NULL;
    CLEANUP_FD int namespace = -1;
    uint32_t parent = if_nametoindex(throwaway->parent); /* while we are where it is */
    uint32_t index;
    int result = parent > 0 ? rtnetlink_new(&host) : -errno;

    if (result == 0 && unshare(CLONE_NEWNET) < 0)
        result = -errno;
    if (result < 0)
        return result;
    namespace = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (namespace < 0)
        return -errno;
    result = add_link(host, parent, namespace);
    if (result == 0)
        result = rtnetlink_new(&inside);
    if (result < 0)
        return result;
    index = if_nametoindex(LINK);
    for (size_t i = 0; i < throwaway->count && result == 0; i++) {
        result = add_address(inside, index, &throwaway->addresses[i]);
        if (throwaway->addresses[i].address.family == IP_FAMILY_6)
            *ret_address6 = throwaway->addresses[i].address;
    }
    if (result == 0)
        result = set_up(inside, index);
    if (result == 0 && throwaway->awaits_router)
        await_router(ret_address6);
    return result;
}
