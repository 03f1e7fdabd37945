/* The host's routes to the project; see host_routes.h. Runs in anchord-links with CAP_NET_ADMIN. */
#include "workers/links/host_routes.h"

#include "common/log.h"
#include "protocol/problems.h"

#include <linux/rtnetlink.h>
#include <string.h>

/* RTPROT_ of all that is ours, as in netadmin and way. */
#define ROUTE_PROTOCOL 110
#define PREFIXES_MAX   32
#define ROUTERS_MAX    64
/* Those to the project, and the one to its next hop. */
#define OWN_MAX (PROJECT_ADDRESSES_MAX + 1)

struct own_route {
    struct ip_address destination;
    struct ip_address source; /* none: of the kernel's choice */
    bool is_wanted;
};

struct survey {
    uint32_t parent, host_link;
    struct ip_subnet prefixes[PREFIXES_MAX]; /* of the parent */
    size_t prefix_count;
    struct ip_address routers[ROUTERS_MAX];
    size_t router_count;
    struct own_route own[OWN_MAX];
    size_t own_count;
};

static struct ip_address address_of(uint8_t family, const struct nlattr *attribute)
{
    if (!attribute || mnl_attr_get_payload_len(attribute) < ip_family_length(family))
        return (struct ip_address){0};
    return ip_address_from_bytes(family, mnl_attr_get_payload(attribute));
}

static void on_route(const struct nlmsghdr *message, void *userdata)
{
    struct survey *survey = userdata;
    const struct rtmsg *header = mnl_nlmsg_get_payload(message);
    const struct nlattr *attributes[RTA_MAX + 1];
    struct ip_address destination, gateway;
    uint8_t family;
    uint32_t link;

    if (message->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(message) < sizeof(*header) ||
        header->rtm_type != RTN_UNICAST || header->rtm_flags & RTM_F_CLONED)
        return;
    family = ip_family_from_kernel(header->rtm_family);
    rtnetlink_attributes(message, sizeof(*header), attributes, RTA_MAX);
    link = rtnetlink_get_u32(attributes[RTA_OIF], 0);
    destination = address_of(family, attributes[RTA_DST]);
    gateway = address_of(family, attributes[RTA_GATEWAY]);
    if (link == survey->host_link && header->rtm_protocol == ROUTE_PROTOCOL) {
        if (survey->own_count < OWN_MAX)
            survey->own[survey->own_count++] =
                (struct own_route){destination, address_of(family, attributes[RTA_PREFSRC]), false};
    } else if (gateway.family != IP_FAMILY_NONE) {
        if (survey->router_count < ROUTERS_MAX)
            survey->routers[survey->router_count++] = gateway;
    } else if (link == survey->parent && destination.family != IP_FAMILY_NONE && survey->prefix_count < PREFIXES_MAX) {
        survey->prefixes[survey->prefix_count++] = (struct ip_subnet){destination, header->rtm_dst_len};
    }
}

static int read_routes(struct rtnetlink *rtnetlink, int family, struct survey *survey)
{
    const struct survey before = *survey;
    int result = -EINTR;

    for (int i = 0; i < LINK_READ_ATTEMPTS && result == -EINTR; i++) {
        struct rtmsg *header = rtnetlink_begin(rtnetlink, "list routes", RTM_GETROUTE, 0, sizeof(*header));

        *survey = before;
        header->rtm_family = (uint8_t)family;
        header->rtm_table = RT_TABLE_MAIN;
        result = rtnetlink_dump(rtnetlink, on_route, survey);
    }
    return result == -ENOENT ? 0 : result; /* a table without a route */
}

/* NULL, or why the host gets no route to it: it must be a neighbour of the host's, and nobody yet. */
static const char *judge(const struct survey *survey, const struct address_snapshot *addresses,
                         const struct ip_address *address)
{
    bool is_inside = false;

    for (size_t i = 0; i < addresses->count; i++) {
        if (ip_address_equal(&addresses->addresses[i].subnet.address, address))
            return "it is the host's own";
    }
    if (ip_address_is_among(address, survey->routers, survey->router_count))
        return "it is a router's";
    for (size_t i = 0; i < survey->prefix_count; i++) {
        const struct ip_subnet *prefix = &survey->prefixes[i];
        struct ip_address first = ip_subnet_first(prefix), last = ip_subnet_last(prefix);

        if (prefix->prefix_length == 0 || !ip_subnet_contains(prefix, address))
            continue;
        is_inside = true;
        if (prefix->prefix_length + 1 < ip_family_bits(address->family) &&
            (ip_address_equal(address, &first) || (address->family == IP_FAMILY_4 && ip_address_equal(address, &last))))
            return "it is a network's own or its broadcast address";
    }
    return is_inside ? NULL : "it is in none of the parent's networks on the host";
}

/* The host's own on the parent, in the same network if there is one. */
static struct ip_address choose_source(const struct address_snapshot *addresses, uint32_t parent,
                                       const struct ip_address *address)
{
    struct ip_address chosen = {0};

    for (size_t i = 0; i < addresses->count; i++) {
        const struct seen_address *seen = &addresses->addresses[i];

        if (seen->index != parent || !seen->is_fit || seen->subnet.address.family != address->family)
            continue;
        if (ip_subnet_contains(&seen->subnet, address))
            return seen->subnet.address;
        if (chosen.family == IP_FAMILY_NONE)
            chosen = seen->subnet.address;
    }
    return chosen;
}

static struct rtmsg *begin(struct rtnetlink *rtnetlink, const char *operation, uint16_t type, uint16_t flags,
                           const struct ip_address *destination, uint32_t link)
{
    struct rtmsg *header = rtnetlink_begin(rtnetlink, operation, type, flags, sizeof(*header));

    header->rtm_family = (uint8_t)ip_family_to_kernel(destination->family);
    header->rtm_dst_len = ip_family_bits(destination->family);
    header->rtm_table = RT_TABLE_MAIN;
    header->rtm_protocol = ROUTE_PROTOCOL;
    header->rtm_type = RTN_UNICAST;
    mnl_attr_put(rtnetlink_message(rtnetlink), RTA_DST, ip_family_length(destination->family), destination->bytes);
    mnl_attr_put_u32(rtnetlink_message(rtnetlink), RTA_OIF, link);
    rtnetlink_describe(rtnetlink, "%s", IP_ADDRESS_TEXT(destination));
    return header;
}

static int execute(struct rtnetlink *rtnetlink)
{
    int result = rtnetlink_execute(rtnetlink);

    if (result < 0)
        log_error("the kernel refused a change of a route",
                  LOG_TEXT("operation", rtnetlink_request(rtnetlink)->operation),
                  LOG_TEXT("object", rtnetlink_request(rtnetlink)->object), LOG_ERROR(result));
    return result;
}

/* The identity's end has the link-local address of its MAC (RFC 4291, appendix A). */
static struct ip_address link_local_of(const struct mac_address *mac)
{
    const uint8_t *b = mac->bytes;

    return (struct ip_address){IP_FAMILY_6,
                               {0xfe, 0x80, 0, 0, 0, 0, 0, 0, b[0] ^ 2, b[1], b[2], 0xff, 0xfe, b[3], b[4], b[5]}};
}

/* `gateway` none: the destination is on the link itself, as the next hop, which asks for the host by it. */
static int add(struct rtnetlink *rtnetlink, const struct own_route *route, uint32_t link,
               const struct ip_address *gateway)
{
    const uint16_t flags = NLM_F_CREATE | NLM_F_EXCL; /* never in the place of somebody else's */
    struct rtmsg *header = begin(rtnetlink, "add route", RTM_NEWROUTE, flags, &route->destination, link);
    struct nlmsghdr *message = rtnetlink_message(rtnetlink);

    header->rtm_scope = gateway->family == IP_FAMILY_NONE ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
    if (gateway->family != IP_FAMILY_NONE) {
        header->rtm_flags = RTNH_F_ONLINK;
        mnl_attr_put(message, RTA_GATEWAY, ip_family_length(gateway->family), gateway->bytes);
    }
    if (route->source.family != IP_FAMILY_NONE)
        mnl_attr_put(message, RTA_PREFSRC, ip_family_length(route->source.family), route->source.bytes);
    return execute(rtnetlink);
}

static bool is_there(struct survey *survey, const struct own_route *wanted)
{
    for (size_t i = 0; i < survey->own_count; i++) {
        struct own_route *own = &survey->own[i];

        if (ip_address_equal(&own->destination, &wanted->destination) &&
            ip_address_equal(&own->source, &wanted->source))
            return own->is_wanted = true;
    }
    return false;
}

static void remove_unwanted(struct rtnetlink *rtnetlink, const struct survey *survey)
{
    for (size_t i = 0; i < survey->own_count; i++) {
        if (survey->own[i].is_wanted)
            continue;
        begin(rtnetlink, "remove route", RTM_DELROUTE, 0, &survey->own[i].destination, survey->host_link)->rtm_scope =
            RT_SCOPE_NOWHERE;
        (void)execute(rtnetlink); /* said */
    }
}

static void say(struct host_routes *routes, size_t which, const struct ip_address *address, const char *reason)
{
    if (reason && routes->said[which] != reason)
        log_warn("the host gets no route to an address of the project", LOG_PROBLEM(PROBLEM_NO_HOST_ROUTE),
                 LOG_TEXT("address", IP_ADDRESS_TEXT(address)), LOG_TEXT("reason", reason));
    routes->said[which] = reason;
}

void host_routes_apply(struct rtnetlink *rtnetlink, const struct message_configure_links *configuration,
                       struct host_routes *routes, const struct address_snapshot *addresses, uint32_t parent,
                       uint32_t link)
{
    const struct ip_address none = {0}, hop4 = wire_address_to(&configuration->next_hop),
                            hop6 = link_local_of(&configuration->inner_mac);
    struct survey survey = {.parent = parent, .host_link = link};
    struct own_route wanted[OWN_MAX] = {{.destination = hop4}};
    size_t count = 1;
    int result = read_routes(rtnetlink, AF_INET, &survey);

    if (result == 0)
        result = read_routes(rtnetlink, AF_INET6, &survey);
    if (result < 0) {
        log_error("cannot read the host's routes", LOG_ERROR(result));
        return;
    }
    for (size_t i = 0; i < routes->wanted.count; i++) {
        struct ip_address address = wire_address_to(&routes->wanted.items[i]);
        const char *reason = judge(&survey, addresses, &address);

        if (!reason)
            wanted[count++] = (struct own_route){address, choose_source(addresses, parent, &address), false};
        say(routes, i, &address, reason);
    }
    for (size_t i = 0; i < count; i++)
        wanted[i].is_wanted = is_there(&survey, &wanted[i]);
    remove_unwanted(rtnetlink, &survey); /* first: one with another source has the same destination */
    for (size_t i = 0; i < count; i++) {
        if (!wanted[i].is_wanted)
            (void)add(rtnetlink, &wanted[i], link,
                      i == 0                                        ? &none
                      : wanted[i].destination.family == IP_FAMILY_4 ? &hop4
                                                                    : &hop6); /* said */
    }
}
