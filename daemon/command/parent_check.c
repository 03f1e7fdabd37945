/* Whether an interface can be a parent; see parent_check.h. Runs as whoever types the command. */
#include "daemon/command/parent_check.h"

#include "common/cleanup.h"
#include "common/text.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <libgen.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void free_addresses(struct ifaddrs **addresses)
{
    if (*addresses)
        freeifaddrs(*addresses);
}

static struct ip_address address_of(const struct sockaddr *address)
{
    if (address && address->sa_family == AF_INET)
        return ip_address_from_bytes(IP_FAMILY_4, &((const struct sockaddr_in *)(const void *)address)->sin_addr);
    if (address && address->sa_family == AF_INET6)
        return ip_address_from_bytes(IP_FAMILY_6, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
    return (struct ip_address){0};
}

static uint8_t prefix_length_of(const struct ip_address *mask)
{
    uint8_t length = 0;

    while (length < ip_family_bits(mask->family) && mask->bytes[length / 8] & (0x80 >> length % 8))
        length++;
    return length;
}

/* The bridge that it is a port of, or false. */
static bool find_bridge(const char *name, char bridge[IF_NAMESIZE])
{
    char path[64], target[256];
    ssize_t length;

    (void)snprintf(path, sizeof(path), "/sys/class/net/%s/brport/bridge", name);
    length = readlink(path, target, sizeof(target) - 1);
    if (length < 0)
        return false;
    target[length] = '\0';
    (void)snprintf(bridge, IF_NAMESIZE, "%s", basename(target));
    return true;
}

/* The kernel's cfg80211 makes one of them, an older driver the other (Documentation/ABI/testing/sysfs-class-net). */
static bool is_wireless(const char *name)
{
    static const char *const entries[] = {"phy80211", "wireless"};
    char path[64];

    for (size_t i = 0; i < ARRAY_LENGTH(entries); i++) {
        (void)snprintf(path, sizeof(path), "/sys/class/net/%s/%s", name, entries[i]);
        if (access(path, F_OK) == 0)
            return true;
    }
    return false;
}

/* A macvlan needs one. */
static bool is_ethernet(const char *name)
{
    CLEANUP(close_stream) FILE *file = NULL;
    char path[64];
    char type[8] = ""; /* a number of linux/if_arp.h, and the end of the line */

    (void)snprintf(path, sizeof(path), "/sys/class/net/%s/type", name);
    file = fopen(path, "re");
    return file && fgets(type, sizeof(type), file) && strtoul(type, NULL, 10) == ARPHRD_ETHER;
}

/* How many digits stand behind the prefix; none without it. */
static size_t digits_behind(const char *name, const char *prefix)
{
    return text_skip(&name, prefix) ? strspn(name, "0123456789abcdef") : 0;
}

/* By the names that Docker gives its bridges itself, and anchord its links on the host (workers/links/link_names.h). */
static bool is_made_here(const char *name)
{
    static const char ours[] = "anc01234567";
    size_t length = strlen(name);

    return strcmp(name, "docker0") == 0 || strcmp(name, "docker_gwbridge") == 0 ||
           (length == strlen("br-0123456789ab") && digits_behind(name, "br-") == 12) ||
           (length > strlen(ours) && digits_behind(name, "anc") >= 8 && strchr("bh", name[strlen(ours)]));
}

static bool can_be_parent(const char *name)
{
    char bridge[IF_NAMESIZE];

    return is_ethernet(name) && !find_bridge(name, bridge) && !is_wireless(name) && !is_made_here(name);
}

/* With the names of those that can be a parent behind it, for a person who has mistyped one. */
static void name_others(const char *name, const char *what, char text[PARENT_PROBLEM_SIZE])
{
    struct if_nameindex *interfaces = if_nameindex();
    const size_t size = PARENT_PROBLEM_SIZE;
    size_t length = (size_t)snprintf(text, size, "%s: %s", name, what);
    size_t count = 0;

    for (const struct if_nameindex *interface = interfaces; interface && interface->if_index > 0; interface++) {
        if (can_be_parent(interface->if_name) && length < size)
            length += (size_t)snprintf(text + length, size - length, "%s %s", count++ == 0 ? "; there are" : "",
                                       interface->if_name);
    }
    if (interfaces)
        if_freenameindex(interfaces);
    if (count == 0 && length < size)
        (void)snprintf(text + length, size - length, "; there is none that can be a parent");
}

bool parent_check_interface(const char *name, char problem[PARENT_PROBLEM_SIZE])
{
    CLEANUP(free_addresses) struct ifaddrs *addresses = NULL;
    char bridge[IF_NAMESIZE];
    bool is_up = false, is_loopback = false;

    if (if_nametoindex(name) == 0) {
        name_others(name, "there is no such interface", problem);
        return false;
    }
    if (find_bridge(name, bridge)) {
        (void)snprintf(problem, PARENT_PROBLEM_SIZE,
                       "%s: is a port of the bridge %s, and can have no further links: take --parent %s", name, bridge,
                       bridge);
        return false;
    }
    if (is_wireless(name)) {
        (void)snprintf(problem, PARENT_PROBLEM_SIZE,
                       "%s: is Wi-Fi, where access points answer one MAC address alone: take an interface with a cable",
                       name);
        return false;
    }
    if (getifaddrs(&addresses) < 0)
        return true; /* the host half sees it, too */
    for (const struct ifaddrs *entry = addresses; entry; entry = entry->ifa_next) {
        is_up = is_up || (strcmp(entry->ifa_name, name) == 0 && entry->ifa_flags & IFF_UP);
        is_loopback = is_loopback || (strcmp(entry->ifa_name, name) == 0 && entry->ifa_flags & IFF_LOOPBACK);
    }
    if (is_loopback)
        name_others(name, "is no interface on a LAN", problem);
    else if (!is_up)
        (void)snprintf(problem, PARENT_PROBLEM_SIZE, "%s: is down: ip link set %s up", name, name);
    return is_up && !is_loopback;
}

bool parent_check_address(const char *name, const struct ip_subnet *given, char problem[PARENT_PROBLEM_SIZE])
{
    CLEANUP(free_addresses) struct ifaddrs *addresses = NULL;
    struct ip_subnet seen = {0}, containing = {0};
    bool is_inside;

    if (getifaddrs(&addresses) < 0)
        return true;
    for (const struct ifaddrs *entry = addresses; entry; entry = entry->ifa_next) {
        struct ip_address mask = address_of(entry->ifa_netmask);
        struct ip_subnet network = {address_of(entry->ifa_addr), prefix_length_of(&mask)};

        if (ip_address_equal(&network.address, &given->address)) {
            (void)snprintf(problem, PARENT_PROBLEM_SIZE, "%s: is the host's own address, on %s: choose a free one",
                           IP_ADDRESS_TEXT(&given->address), entry->ifa_name);
            return false;
        }
        if (strcmp(entry->ifa_name, name) != 0 || network.address.family != given->address.family ||
            ip_address_is_link_local(&network.address))
            continue;
        is_inside = ip_subnet_contains(&network, &given->address);
        if (is_inside && network.prefix_length == given->prefix_length)
            return true;
        containing = is_inside ? network : containing;
        seen = network;
    }
    if (seen.address.family == IP_FAMILY_NONE)
        return true; /* a parent without an address of this family tells nothing */
    if (containing.address.family != IP_FAMILY_NONE)
        (void)snprintf(problem, PARENT_PROBLEM_SIZE, "%s: the prefix length is that of %s's network: write %s/%u",
                       IP_SUBNET_TEXT(given), name, IP_ADDRESS_TEXT(&given->address), containing.prefix_length);
    else
        (void)snprintf(problem, PARENT_PROBLEM_SIZE, "%s: is outside of the network of %s, which has %s",
                       IP_SUBNET_TEXT(given), name, IP_SUBNET_TEXT(&seen));
    return false;
}

bool parent_check_behind(const char *name, const struct ip_subnet *network, char problem[PARENT_PROBLEM_SIZE])
{
    CLEANUP(free_addresses) struct ifaddrs *addresses = NULL;

    if (getifaddrs(&addresses) < 0)
        return true; /* the lease that it would keep from being taken says it */
    for (const struct ifaddrs *entry = addresses; entry; entry = entry->ifa_next) {
        struct ip_address mask = address_of(entry->ifa_netmask);
        struct ip_subnet lan = {address_of(entry->ifa_addr), prefix_length_of(&mask)};

        if (strcmp(entry->ifa_name, name) != 0 || lan.address.family == IP_FAMILY_NONE ||
            ip_address_is_link_local(&lan.address) || !ip_subnet_overlaps(&lan, network))
            continue;
        lan.address = ip_subnet_first(&lan);
        (void)snprintf(problem, PARENT_PROBLEM_SIZE,
                       "%s: has a part of the LAN in it, which the project reaches itself; %s is on %s",
                       IP_SUBNET_TEXT(network), name, IP_SUBNET_TEXT(&lan));
        return false;
    }
    return true;
}
