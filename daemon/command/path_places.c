/* Network namespaces of this host; see path_places.h. Runs as root. */
#include "daemon/command/path_places.h"

#include "common/array.h"
#include "common/cleanup.h"
#include "common/text.h"

#include <dirent.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/if_link.h>
#include <linux/net_namespace.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>

#define PLACES_MAX     1024
#define ANSWER_SECONDS 2

DEFINE_POINTER_CLEANUP(DIR, (void)closedir, close_directory);
DEFINE_POINTER_CLEANUP(struct ifaddrs, freeifaddrs, release_addresses);

void path_places_release(struct path_places *places)
{
    for (size_t i = 0; i < places->count; i++)
        close_fd(&places->places[i].namespace);
    free(places->places);
    *places = (struct path_places){0};
}

int path_places_open(uint32_t pid)
{
    char path[32];

    (void)snprintf(path, sizeof(path), "/proc/%u/ns/net", (unsigned int)pid);
    return open(path, O_RDONLY | O_CLOEXEC);
}

static size_t read_addresses(struct ip_address ret[PLACE_ADDRESSES_MAX])
{
    CLEANUP(release_addresses) struct ifaddrs *list = NULL;
    size_t count = 0;

    if (getifaddrs(&list) < 0)
        return 0;
    for (const struct ifaddrs *entry = list; entry && count < PLACE_ADDRESSES_MAX; entry = entry->ifa_next) {
        struct ip_address address = {0};
        struct sockaddr_in6 v6;
        struct sockaddr_in v4;

        if (!entry->ifa_addr)
            continue;
        if (entry->ifa_addr->sa_family == AF_INET) {
            memcpy(&v4, entry->ifa_addr, sizeof(v4));
            address = ip_address_from_bytes(IP_FAMILY_4, &v4.sin_addr);
        } else if (entry->ifa_addr->sa_family == AF_INET6) {
            memcpy(&v6, entry->ifa_addr, sizeof(v6));
            address = ip_address_from_bytes(IP_FAMILY_6, &v6.sin6_addr);
        }
        if (address.family != IP_FAMILY_NONE && !ip_address_is_loopback(&address))
            ret[count++] = address;
    }
    return count;
}

size_t path_places_addresses(int namespace, struct ip_address ret[PLACE_ADDRESSES_MAX])
{
    CLEANUP_FD int home = -1;
    size_t count;

    if (namespace < 0)
        return read_addresses(ret);
    home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (home < 0 || setns(namespace, CLONE_NEWNET) < 0)
        return 0;
    count = read_addresses(ret);
    if (setns(home, CLONE_NEWNET) < 0)
        abort(); /* nothing that follows may happen in somebody else's namespace */
    return count;
}

/* Whether the kernel has a number for it here: it gives one to whom a link leads to (ip-netns(8), list-id). */
static bool is_linked(int socket_fd, int namespace)
{
    struct {
        struct nlmsghdr header;
        struct rtgenmsg family;
        struct nlattr attribute __attribute__((aligned(NLMSG_ALIGNTO)));
        int32_t namespace;
    } request = {
        .header = {.nlmsg_len = sizeof(request), .nlmsg_type = RTM_GETNSID, .nlmsg_flags = NLM_F_REQUEST},
        .attribute = {.nla_len = sizeof(request.attribute) + sizeof(request.namespace), .nla_type = NETNSA_FD},
        .namespace = namespace,
    };
    struct {
        struct nlmsghdr header;
        struct rtgenmsg family;
        struct nlattr attribute __attribute__((aligned(NLMSG_ALIGNTO)));
        int32_t id;
        uint8_t rest[256];
    } answer = {.id = -1};

    if (send(socket_fd, &request, sizeof(request), 0) < 0 || recv(socket_fd, &answer, sizeof(answer), 0) < 0)
        return false;
    return answer.header.nlmsg_type == RTM_NEWNSID && answer.attribute.nla_type == NETNSA_NSID && answer.id >= 0;
}

/* Of the process `name` below /proc; 0: it cannot be looked at. */
static ino_t inode_of(const char *name)
{
    char path[32];
    struct stat status;

    (void)snprintf(path, sizeof(path), "/proc/%s/ns/net", name);
    return stat(path, &status) < 0 ? 0 : status.st_ino;
}

static bool is_listed(const struct path_places *places, ino_t inode)
{
    for (size_t i = 0; i < places->count; i++) {
        if (places->places[i].inode == inode)
            return true;
    }
    return false;
}

/* What cannot be opened is none: the process has gone, or it is not ours to look at. */
static int add_place(struct path_places *places, int socket_fd, uint32_t pid, const ino_t hosts[2])
{
    CLEANUP_FD int namespace = path_places_open(pid);
    struct path_place *grown;
    struct path_place place = {0};
    struct stat status;

    if (namespace < 0 || fstat(namespace, &status) < 0 || status.st_ino == hosts[0] || status.st_ino == hosts[1] ||
        is_listed(places, status.st_ino) || places->count == PLACES_MAX)
        return 0;
    grown = array_grow(places->places, places->count, &places->capacity, sizeof(place));
    if (!grown)
        return -ENOMEM;
    places->places = grown;
    place.inode = status.st_ino;
    place.address_count = path_places_addresses(namespace, place.addresses);
    place.is_known = is_linked(socket_fd, namespace);
    place.namespace = TAKE_FD(namespace);
    places->places[places->count++] = place;
    return 0;
}

int path_places_read(struct path_places *ret)
{
    const struct timeval limit = {.tv_sec = ANSWER_SECONDS};
    CLEANUP_FD int socket_fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    CLEANUP(close_directory) DIR *processes = opendir("/proc");
    const ino_t hosts[] = {inode_of("self"), inode_of("1")};
    const struct dirent *entry;
    int result = 0;

    if (!processes || socket_fd < 0 || setsockopt(socket_fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0)
        return -errno;
    while (result == 0 && (entry = readdir(processes))) {
        uint64_t pid;

        if (text_to_number(entry->d_name, strlen(entry->d_name), INT32_MAX, &pid) == 0)
            result = add_place(ret, socket_fd, (uint32_t)pid, hosts);
    }
    return result;
}

const struct path_place *path_places_find(const struct path_places *places, const struct ip_address *address)
{
    const struct path_place *found = NULL;
    const struct path_place *known = NULL;
    size_t found_count = 0, known_count = 0;

    for (size_t i = 0; i < places->count; i++) {
        const struct path_place *place = &places->places[i];

        if (!ip_address_is_among(address, place->addresses, place->address_count))
            continue;
        found = place;
        found_count++;
        if (place->is_known) {
            known = place;
            known_count++;
        }
    }
    if (known_count == 1)
        return known;
    return found_count == 1 ? found : NULL;
}

/* --- a link's parent ------------------------------------------------------------------------------------------- */

static bool is_macvlan(struct rtattr *information)
{
    int length = (int)RTA_PAYLOAD(information);

    for (struct rtattr *part = RTA_DATA(information); RTA_OK(part, length); part = RTA_NEXT(part, length)) {
        if (part->rta_type == IFLA_INFO_KIND && RTA_PAYLOAD(part) == sizeof("macvlan"))
            return memcmp(RTA_DATA(part), "macvlan", sizeof("macvlan")) == 0;
    }
    return false;
}

/* In the link's own namespace. Returns the number of its parent, 0: it has none elsewhere. */
static unsigned int ask_for_parent(const char *link)
{
    const struct timeval limit = {.tv_sec = ANSWER_SECONDS};
    CLEANUP_FD int socket_fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    struct {
        struct nlmsghdr header;
        struct ifinfomsg link;
    } request = {
        .header = {.nlmsg_len = sizeof(request), .nlmsg_type = RTM_GETLINK, .nlmsg_flags = NLM_F_REQUEST},
        .link = {.ifi_index = (int)if_nametoindex(link)},
    };
    _Alignas(struct nlmsghdr) uint8_t answer[16384];
    struct nlmsghdr *header = (struct nlmsghdr *)answer;
    bool is_of_kind = false, is_elsewhere = false;
    uint32_t parent = 0;
    ssize_t length;
    int rest;

    if (socket_fd < 0 || setsockopt(socket_fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0 ||
        send(socket_fd, &request, sizeof(request), 0) < 0)
        return 0;
    length = recv(socket_fd, answer, sizeof(answer), 0);
    if (length < 0 || !NLMSG_OK(header, (uint32_t)length) || header->nlmsg_type != RTM_NEWLINK)
        return 0;
    rest = (int)IFLA_PAYLOAD(header);
    for (struct rtattr *part = IFLA_RTA(NLMSG_DATA(header)); RTA_OK(part, rest); part = RTA_NEXT(part, rest)) {
        if (part->rta_type == IFLA_LINK && RTA_PAYLOAD(part) == sizeof(parent))
            memcpy(&parent, RTA_DATA(part), sizeof(parent));
        is_of_kind = is_of_kind || (part->rta_type == IFLA_LINKINFO && is_macvlan(part));
        is_elsewhere = is_elsewhere || part->rta_type == IFLA_LINK_NETNSID;
    }
    return is_of_kind && is_elsewhere ? parent : 0;
}

int path_places_parent(int namespace, const char *link, char ret[IF_NAMESIZE])
{
    CLEANUP_FD int home = -1;
    unsigned int parent;

    if (namespace < 0)
        return -ENODEV;
    home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (home < 0 || setns(namespace, CLONE_NEWNET) < 0)
        return -errno;
    parent = ask_for_parent(link);
    if (setns(home, CLONE_NEWNET) < 0)
        abort();
    return parent > 0 && if_indextoname(parent, ret) ? 0 : -ENODEV;
}
