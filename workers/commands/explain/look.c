/* One connection as the kernel sees it; see look.h. Runs in anchord-explain with CAP_NET_ADMIN. */
#include "workers/commands/explain/look.h"

#include "common/text.h"

#include <netinet/in.h> /* before linux/netfilter.h, which then leaves its types alone */

#include <linux/neighbour.h>
#include <linux/netconf.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

/* In sets each part of a concatenated key takes whole registers. */
#define REGISTER_LENGTH 4U
#define KEY_SIZE        (2 * REGISTER_LENGTH + 16)
#define NETWORK6_LENGTH 8U /* a ban on an IPv6 address is one on its /64 */
/* Hosts that nobody has: RFC 5737's TEST-NET-2, RFC 9637's documentation prefix. */
#define FAR_HOST4 "198.51.100.1"
#define FAR_HOST6 "3fff::1"
#define NUD_GOOD  (NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE)

static bool is_v6(const struct look *look)
{
    return look->request->destinations[0].family == IP_FAMILY_6;
}

static uint8_t nfproto_of(const struct look *look)
{
    return is_v6(look) ? NFPROTO_IPV6 : NFPROTO_IPV4;
}

static const char *table_of(const struct look *look)
{
    return is_v6(look) ? "anchord_v6" : "anchord_v4";
}

static struct nlmsghdr *begin_filter(const struct look *look, uint8_t subsystem, uint16_t type)
{
    struct nfgenmsg *header =
        rtnetlink_begin(look->filter, "ask", (uint16_t)(subsystem << 8 | type), 0, sizeof(*header));

    header->nfgen_family = nfproto_of(look);
    header->version = NFNETLINK_V0;
    return rtnetlink_message(look->filter);
}

static int ask(struct rtnetlink *netlink, rtnetlink_handler handler, void *userdata)
{
    rtnetlink_message(netlink)->nlmsg_flags |= NLM_F_ACK;
    return rtnetlink_ask(netlink, rtnetlink_message(netlink), handler, userdata);
}

/* --- tables ---------------------------------------------------------------------------------------------------- */

/* Returns 1, it is there; 0; or a negative errno. */
static int has_table(const struct look *look)
{
    struct nlmsghdr *message = begin_filter(look, NFNL_SUBSYS_NFTABLES, NFT_MSG_GETTABLE);
    int result;

    mnl_attr_put_strz(message, NFTA_TABLE_NAME, table_of(look));
    result = ask(look->filter, NULL, NULL);
    return result == -ENOENT ? 0 : result < 0 ? result : 1;
}

static bool has_key(const struct look *look, const char *set, const void *key, size_t length, rtnetlink_handler handler,
                    void *userdata)
{
    struct nlmsghdr *message = begin_filter(look, NFNL_SUBSYS_NFTABLES, NFT_MSG_GETSETELEM);
    struct nlattr *list, *element, *value;

    mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_TABLE, table_of(look));
    mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_SET, set);
    list = mnl_attr_nest_start(message, NFTA_SET_ELEM_LIST_ELEMENTS);
    element = mnl_attr_nest_start(message, NFTA_LIST_ELEM);
    value = mnl_attr_nest_start(message, NFTA_SET_ELEM_KEY);
    mnl_attr_put(message, NFTA_DATA_VALUE, length, key);
    mnl_attr_nest_end(message, value);
    mnl_attr_nest_end(message, element);
    mnl_attr_nest_end(message, list);
    return ask(look->filter, handler, userdata) == 0;
}

static enum explain_ban ban_of(const struct look *look, const struct wire_address *address)
{
    static const char *const sets[][2] = {
        [EXPLAIN_BAN_NEW] = {"banned_new", "banned_new_prefixes"}, [EXPLAIN_BAN_ALL] = {"banned", "banned_prefixes"}};
    size_t length = ip_family_length(address->family);
    uint8_t network[16] = {0};

    memcpy(network, address->bytes, address->family == IP_FAMILY_6 ? NETWORK6_LENGTH : length);
    for (enum explain_ban ban = EXPLAIN_BAN_ALL; ban > EXPLAIN_BAN_NONE && length > 0; ban--) {
        if (has_key(look, sets[ban][0], address->bytes, length, NULL, NULL) ||
            has_key(look, sets[ban][0], network, length, NULL, NULL) ||
            has_key(look, sets[ban][1], address->bytes, length, NULL, NULL))
            return ban;
    }
    return EXPLAIN_BAN_NONE;
}

static void look_at_lists(const struct look *look, struct explain_facts *facts)
{
    uint8_t key[KEY_SIZE] = {look->request->protocol};
    uint16_t port = htons(look->request->port);
    size_t length = ip_family_length(look->request->source.family);

    memcpy(key + REGISTER_LENGTH, &port, sizeof(port));
    memcpy(key + 2 * REGISTER_LENGTH, look->request->source.bytes, length);
    facts->is_listed = has_key(look, "listed", key, 2 * REGISTER_LENGTH, NULL, NULL);
    facts->is_allowed = length > 0 && has_key(look, "allowed", key, 2 * REGISTER_LENGTH + length, NULL, NULL);
}

/* --- the map --------------------------------------------------------------------------------------------------- */

static void read_counter(const struct nlattr *expression, struct explain_facts *facts)
{
    const struct nlattr *parts[NFTA_EXPR_MAX + 1];
    const struct nlattr *counter[NFTA_COUNTER_MAX + 1];

    rtnetlink_nested_attributes(expression, parts, NFTA_EXPR_MAX);
    if (!parts[NFTA_EXPR_NAME] || mnl_attr_validate(parts[NFTA_EXPR_NAME], MNL_TYPE_NUL_STRING) < 0 ||
        strcmp(mnl_attr_get_str(parts[NFTA_EXPR_NAME]), "counter") != 0)
        return;
    rtnetlink_nested_attributes(parts[NFTA_EXPR_DATA], counter, NFTA_COUNTER_MAX);
    if (!counter[NFTA_COUNTER_PACKETS] || mnl_attr_validate(counter[NFTA_COUNTER_PACKETS], MNL_TYPE_U64) < 0)
        return;
    facts->has_flows = true;
    facts->flows = be64toh(mnl_attr_get_u64(counter[NFTA_COUNTER_PACKETS]));
}

static void read_element(const struct nlattr *element, const struct look *look, struct explain_facts *facts)
{
    const struct nlattr *parts[NFTA_SET_ELEM_MAX + 1];
    const struct nlattr *value[NFTA_DATA_MAX + 1];
    uint8_t family = look->request->destinations[0].family;
    size_t length = ip_family_length(family);
    struct ip_address address;
    uint16_t port;

    rtnetlink_nested_attributes(element, parts, NFTA_SET_ELEM_MAX);
    rtnetlink_nested_attributes(parts[NFTA_SET_ELEM_DATA], value, NFTA_DATA_MAX);
    if (!value[NFTA_DATA_VALUE] || mnl_attr_get_payload_len(value[NFTA_DATA_VALUE]) < length + sizeof(port))
        return;
    address = ip_address_from_bytes(family, mnl_attr_get_payload(value[NFTA_DATA_VALUE]));
    memcpy(&port, (const uint8_t *)mnl_attr_get_payload(value[NFTA_DATA_VALUE]) + length, sizeof(port));
    facts->has_element = true;
    facts->backend = wire_address_from(&address);
    facts->backend_port = ntohs(port);
    if (parts[NFTA_SET_ELEM_EXPR])
        read_counter(parts[NFTA_SET_ELEM_EXPR], facts);
}

struct reading {
    const struct look *look;
    struct explain_facts *facts;
};

static void on_element(const struct nlmsghdr *message, void *userdata)
{
    const struct reading *reading = userdata;
    const struct nlattr *attributes[NFTA_SET_ELEM_LIST_MAX + 1];
    const struct nlattr *elements[NFTA_LIST_MAX + 1];

    rtnetlink_attributes(message, sizeof(struct nfgenmsg), attributes, NFTA_SET_ELEM_LIST_MAX);
    rtnetlink_nested_attributes(attributes[NFTA_SET_ELEM_LIST_ELEMENTS], elements, NFTA_LIST_MAX);
    if (elements[NFTA_LIST_ELEM])
        read_element(elements[NFTA_LIST_ELEM], reading->look, reading->facts);
}

static void look_at_map(const struct look *look, struct explain_facts *facts)
{
    struct reading reading = {look, facts};
    uint16_t port = htons(look->request->port);
    const char *map = look->request->protocol == IPPROTO_UDP ? "dnat_udp" : "dnat_tcp";

    (void)has_key(look, map, &port, sizeof(port), on_element, &reading);
}

/* --- conntrack ------------------------------------------------------------------------------------------------- */

static bool is_bytes(const struct nlattr *attribute, const struct wire_address *address)
{
    size_t length = ip_family_length(address->family);

    return attribute && mnl_attr_get_payload_len(attribute) == length &&
           memcmp(mnl_attr_get_payload(attribute), address->bytes, length) == 0;
}

static bool is_port(const struct nlattr *attribute, uint16_t port)
{
    return attribute && mnl_attr_validate(attribute, MNL_TYPE_U16) == 0 && ntohs(mnl_attr_get_u16(attribute)) == port;
}

static void on_flow(const struct nlmsghdr *message, void *userdata)
{
    const struct reading *reading = userdata;
    const struct explain_request *request = reading->look->request;
    const struct nlattr *attributes[CTA_MAX + 1], *tuple[CTA_TUPLE_MAX + 1], *ip[CTA_IP_MAX + 1],
        *protocol[CTA_PROTO_MAX + 1];
    bool has_v6 = is_v6(reading->look);

    rtnetlink_attributes(message, sizeof(struct nfgenmsg), attributes, CTA_MAX);
    rtnetlink_nested_attributes(attributes[CTA_TUPLE_ORIG], tuple, CTA_TUPLE_MAX);
    rtnetlink_nested_attributes(tuple[CTA_TUPLE_IP], ip, CTA_IP_MAX);
    rtnetlink_nested_attributes(tuple[CTA_TUPLE_PROTO], protocol, CTA_PROTO_MAX);
    if (rtnetlink_get_u8(protocol[CTA_PROTO_NUM], 0) != request->protocol ||
        !is_port(protocol[CTA_PROTO_DST_PORT], request->port) ||
        !is_bytes(ip[has_v6 ? CTA_IP_V6_DST : CTA_IP_V4_DST], &request->destinations[0]) ||
        (request->source.family != IP_FAMILY_NONE &&
         !is_bytes(ip[has_v6 ? CTA_IP_V6_SRC : CTA_IP_V4_SRC], &request->source)))
        return;
    reading->facts->connections++;
    if (ntohl(rtnetlink_get_u32(attributes[CTA_STATUS], 0)) & IPS_SEEN_REPLY)
        reading->facts->answered++;
}

static void look_at_flows(const struct look *look, struct explain_facts *facts)
{
    struct reading reading = {look, facts};

    (void)begin_filter(look, NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET);
    facts->knows_connections = rtnetlink_dump(look->filter, on_flow, &reading) == 0;
}

/* --- routes ---------------------------------------------------------------------------------------------------- */

struct way {
    unsigned int interface;
    uint8_t type;
    struct wire_address gateway;
};

static void on_route(const struct nlmsghdr *message, void *userdata)
{
    const struct rtmsg *route = mnl_nlmsg_get_payload(message);
    const struct nlattr *attributes[RTA_MAX + 1];
    struct way *way = userdata;
    uint8_t family;

    if (message->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(message) < sizeof(*route))
        return;
    family = ip_family_from_kernel(route->rtm_family);
    rtnetlink_attributes(message, sizeof(*route), attributes, RTA_MAX);
    way->type = route->rtm_type;
    way->interface = rtnetlink_get_u32(attributes[RTA_OIF], 0);
    if (attributes[RTA_GATEWAY] && mnl_attr_get_payload_len(attributes[RTA_GATEWAY]) == ip_family_length(family)) {
        struct ip_address gateway = ip_address_from_bytes(family, mnl_attr_get_payload(attributes[RTA_GATEWAY]));

        way->gateway = wire_address_from(&gateway);
    }
}

/* As for a packet that comes by `input` (0: that begins here). Returns 0 or the kernel's errno. */
static int find_way(const struct look *look, const struct wire_address *target, const struct wire_address *source,
                    unsigned int input, struct way *ret)
{
    size_t length = ip_family_length(target->family);
    struct rtmsg *route = rtnetlink_begin(look->routes, "get route", RTM_GETROUTE, 0, sizeof(*route));
    struct nlmsghdr *message = rtnetlink_message(look->routes);

    route->rtm_family = (uint8_t)ip_family_to_kernel(target->family);
    route->rtm_dst_len = (uint8_t)(8 * length);
    mnl_attr_put(message, RTA_DST, length, target->bytes);
    if (input > 0) {
        route->rtm_src_len = (uint8_t)(8 * length);
        mnl_attr_put(message, RTA_SRC, length, source->bytes);
        mnl_attr_put_u32(message, RTA_IIF, input);
    }
    return ask(look->routes, on_route, ret);
}

static enum explain_way kind_of(const struct look *look, const struct way *way)
{
    return way->type == RTN_LOCAL             ? EXPLAIN_WAY_OURSELVES
           : way->type != RTN_UNICAST         ? EXPLAIN_WAY_NONE
           : way->interface == look->external ? EXPLAIN_WAY_EXTERNAL
                                              : EXPLAIN_WAY_INSIDE;
}

struct neighbour_look {
    const struct wire_address *address;
    unsigned int interface;
    enum explain_neighbour found;
};

static void on_neighbour(const struct nlmsghdr *message, void *userdata)
{
    const struct ndmsg *neighbour = mnl_nlmsg_get_payload(message);
    const struct nlattr *attributes[NDA_MAX + 1];
    struct neighbour_look *look = userdata;

    if (mnl_nlmsg_get_payload_len(message) < sizeof(*neighbour) || neighbour->ndm_ifindex != (int)look->interface)
        return;
    rtnetlink_attributes(message, sizeof(*neighbour), attributes, NDA_MAX);
    if (!is_bytes(attributes[NDA_DST], look->address))
        return;
    if (neighbour->ndm_state & NUD_GOOD)
        look->found = EXPLAIN_NEIGHBOUR_ANSWERS;
    else if (neighbour->ndm_state & (NUD_FAILED | NUD_INCOMPLETE))
        look->found = EXPLAIN_NEIGHBOUR_SILENT;
}

static enum explain_neighbour neighbour_of(const struct look *look, const struct wire_address *hop,
                                           unsigned int interface)
{
    struct neighbour_look found = {.address = hop, .interface = interface};
    struct ndmsg *header = rtnetlink_begin(look->routes, "list neighbours", RTM_GETNEIGH, 0, sizeof(*header));

    header->ndm_family = (uint8_t)ip_family_to_kernel(hop->family);
    return rtnetlink_dump(look->routes, on_neighbour, &found) < 0 ? EXPLAIN_NEIGHBOUR_UNKNOWN : found.found;
}

static void name_interface(const struct look *look, unsigned int index, char ret[INTERFACE_NAME_SIZE])
{
    for (const struct if_nameindex *name = look->names; name && name->if_index > 0; name++) {
        if (name->if_index == index)
            text_copy_cut(ret, INTERFACE_NAME_SIZE, name->if_name);
    }
}

static struct wire_address far_host(uint8_t family)
{
    struct ip_address address = {0};

    if (ip_address_parse(family == IP_FAMILY_6 ? FAR_HOST6 : FAR_HOST4, &address) < 0)
        return (struct wire_address){0};
    return wire_address_from(&address);
}

static void look_at_ways(const struct look *look, struct explain_facts *facts)
{
    const struct explain_request *request = look->request;
    const struct wire_address *target = facts->has_element ? &facts->backend : &request->destinations[0];
    struct wire_address source =
        request->source.family == IP_FAMILY_NONE ? far_host(request->destinations[0].family) : request->source;
    struct way way = {0}, back = {0};

    if (find_way(look, &source, NULL, 0, &back) == 0)
        facts->source_way = (uint8_t)kind_of(look, &back);
    facts->way_error = find_way(look, target, &source, look->input, &way);
    if (facts->way_error < 0)
        return;
    facts->way = (uint8_t)kind_of(look, &way);
    facts->gateway = way.gateway;
    name_interface(look, way.interface, facts->interface);
    facts->neighbour =
        (uint8_t)neighbour_of(look, way.gateway.family == IP_FAMILY_NONE ? target : &way.gateway, way.interface);
}

/* --- forwarding ------------------------------------------------------------------------------------------------ */

static void on_settings(const struct nlmsghdr *message, void *userdata)
{
    const struct nlattr *attributes[NETCONFA_MAX + 1];
    struct explain_facts *facts = userdata;

    rtnetlink_attributes(message, sizeof(struct netconfmsg), attributes, NETCONFA_MAX);
    facts->forwards = rtnetlink_get_u32(attributes[NETCONFA_FORWARDING], 0) != 0;
}

/* IPv4 asks the interface by which a packet comes, IPv6 the setting for all. */
static void look_at_forwarding(const struct look *look, struct explain_facts *facts)
{
    struct netconfmsg *header = rtnetlink_begin(look->routes, "get settings", RTM_GETNETCONF, 0, sizeof(*header));

    header->ncm_family = (uint8_t)ip_family_to_kernel(look->request->destinations[0].family);
    mnl_attr_put_u32(rtnetlink_message(look->routes), NETCONFA_IFINDEX,
                     is_v6(look) ? (uint32_t)NETCONFA_IFINDEX_ALL : look->input);
    if (ask(look->routes, on_settings, facts) < 0)
        facts->forwards = true; /* nobody knows that it does not */
}

void look_at_kernel(struct look *look, struct explain_facts *ret)
{
    int result = has_table(look);

    *ret = (struct explain_facts){0};
    if (result < 0) {
        ret->error = result;
        return;
    }
    ret->has_table = result > 0;
    ret->source_ban = (uint8_t)ban_of(look, &look->request->source);
    ret->destination_ban = (uint8_t)ban_of(look, &look->request->destinations[0]);
    look_at_lists(look, ret);
    if (look->request->is_exposable)
        look_at_map(look, ret);
    look_at_flows(look, ret);
    look_at_ways(look, ret);
    look_at_forwarding(look, ret);
}
