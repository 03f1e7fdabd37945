/* Conntrack entries on netlink; see conntrack_flow.h. Runs in anchord-netadmin with CAP_NET_ADMIN. */
#include "workers/netadmin/conntrack/conntrack_flow.h"

#include "workers/netlink/rtnetlink.h"

#include <netinet/in.h> /* before linux/netfilter.h, which then leaves its types alone */

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <string.h>

/* Bits of CTA_FILTER_ORIG_FLAGS; not in the kernel's user headers (net/netfilter/nf_conntrack_core.h,
 * CTA_FILTER_FLAG: include/net/netfilter/nf_conntrack_tuple.h in Linux >= 5.8). */
#define FILTER_PROTOCOL         8U
#define FILTER_DESTINATION_PORT 32U
/* With version 0 the kernel ignores the family of a deletion (measured): "flush IPv6" empties IPv4 too. */
#define CTNETLINK_VERSION 1
#define REQUEST_SIZE      512

/* One direction of an entry: addresses and ports. */
struct tuple {
    const struct nlattr *addresses[CTA_IP_MAX + 1];
    const struct nlattr *protocol[CTA_PROTO_MAX + 1];
};

static struct tuple tuple_open(const struct nlattr *nest)
{
    const struct nlattr *parts[CTA_TUPLE_MAX + 1];
    struct tuple tuple;

    rtnetlink_nested_attributes(nest, parts, CTA_TUPLE_MAX);
    rtnetlink_nested_attributes(parts[CTA_TUPLE_IP], tuple.addresses, CTA_IP_MAX);
    rtnetlink_nested_attributes(parts[CTA_TUPLE_PROTO], tuple.protocol, CTA_PROTO_MAX);
    return tuple;
}

static bool read_address(const struct tuple *tuple, const struct nft_family *family, bool source,
                         struct ip_address *ret)
{
    uint16_t type4 = source ? CTA_IP_V4_SRC : CTA_IP_V4_DST;
    uint16_t type6 = source ? CTA_IP_V6_SRC : CTA_IP_V6_DST;
    const struct nlattr *address = tuple->addresses[family->family == IP_FAMILY_4 ? type4 : type6];

    if (!address || mnl_attr_get_payload_len(address) != family->address_length)
        return false;
    *ret = ip_address_from_bytes(family->family, mnl_attr_get_payload(address));
    return true;
}

static bool read_port(const struct tuple *tuple, uint16_t type, uint16_t *ret)
{
    const struct nlattr *port = tuple->protocol[type];

    if (!port || mnl_attr_validate(port, MNL_TYPE_U16) < 0)
        return false;
    *ret = ntohs(mnl_attr_get_u16(port));
    return true;
}

static bool read_tuples(const struct nlattr *original_nest, const struct nlattr *reply_nest,
                        const struct nft_family *family, struct conntrack_flow *flow)
{
    const struct tuple original = tuple_open(original_nest);
    const struct tuple reply = tuple_open(reply_nest);

    flow->protocol = rtnetlink_get_u8(original.protocol[CTA_PROTO_NUM], IPPROTO_IP);
    return read_address(&original, family, true, &flow->original_source) &&
           read_address(&original, family, false, &flow->original_destination) &&
           read_port(&original, CTA_PROTO_DST_PORT, &flow->original_port) &&
           read_address(&reply, family, true, &flow->reply_source) &&
           read_address(&reply, family, false, &flow->reply_destination) &&
           read_port(&reply, CTA_PROTO_SRC_PORT, &flow->reply_port);
}

int conntrack_flow_parse(const struct nlmsghdr *message, const struct nft_family *family, struct conntrack_flow *ret)
{
    const struct nlattr *attributes[CTA_MAX + 1];

    rtnetlink_attributes(message, sizeof(struct nfgenmsg), attributes, CTA_MAX);
    if (!attributes[CTA_TUPLE_ORIG] || !attributes[CTA_TUPLE_REPLY] || !attributes[CTA_ID] || !attributes[CTA_STATUS] ||
        mnl_attr_validate(attributes[CTA_ID], MNL_TYPE_U32) < 0 ||
        mnl_attr_validate(attributes[CTA_STATUS], MNL_TYPE_U32) < 0 ||
        mnl_attr_get_payload_len(attributes[CTA_TUPLE_ORIG]) > CONNTRACK_TUPLE_SIZE)
        return -EBADMSG;
    if (!read_tuples(attributes[CTA_TUPLE_ORIG], attributes[CTA_TUPLE_REPLY], family, ret))
        return -EBADMSG;
    ret->id = mnl_attr_get_u32(attributes[CTA_ID]);
    ret->mark = ntohl(rtnetlink_get_u32(attributes[CTA_MARK], 0)); /* a kernel may be built without marks */
    ret->status = ntohl(mnl_attr_get_u32(attributes[CTA_STATUS]));
    ret->original_tuple_length = mnl_attr_get_payload_len(attributes[CTA_TUPLE_ORIG]);
    memcpy(ret->original_tuple, mnl_attr_get_payload(attributes[CTA_TUPLE_ORIG]), ret->original_tuple_length);
    return 0;
}

static struct nlmsghdr *build_request(void *buffer, uint16_t type, uint16_t flags, const struct nft_family *family)
{
    struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
    struct nfgenmsg *header = mnl_nlmsg_put_extra_header(request, sizeof(*header));

    request->nlmsg_type = (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | type);
    request->nlmsg_flags = flags;
    header->nfgen_family = family->nfproto;
    header->version = CTNETLINK_VERSION;
    return request;
}

static int on_statistics(const struct nlmsghdr *message, void *userdata)
{
    const struct nlattr *attributes[CTA_STATS_GLOBAL_MAX + 1];
    uint32_t *count = userdata;

    rtnetlink_attributes(message, sizeof(struct nfgenmsg), attributes, CTA_STATS_GLOBAL_MAX);
    *count = ntohl(rtnetlink_get_u32(attributes[CTA_STATS_GLOBAL_ENTRIES], htonl(UINT32_MAX)));
    return 0;
}

/* nf_conntrack_netlink.c, ctnetlink_stat_ct(): the namespace's own counter. */
int conntrack_flow_count(struct nfnl_socket *socket, uint32_t *ret)
{
    _Alignas(8) char buffer[REQUEST_SIZE];
    struct nlmsghdr *request = build_request(buffer, IPCTNL_MSG_CT_GET_STATS, 0, &nft_families[FAMILY_INDEX_4]);

    *ret = UINT32_MAX;
    return nfnl_socket_request(socket, request, on_statistics, ret);
}

int conntrack_flow_dump(struct nfnl_socket *socket, const struct nft_family *family, uint8_t protocol, uint16_t port,
                        nfnl_message_handler on_message, void *userdata)
{
    _Alignas(8) char buffer[REQUEST_SIZE];
    struct nlmsghdr *request = build_request(buffer, IPCTNL_MSG_CT_GET, NLM_F_DUMP, family);

    if (protocol) {
        struct nlattr *tuple = mnl_attr_nest_start(request, CTA_TUPLE_ORIG);
        struct nlattr *nest = mnl_attr_nest_start(request, CTA_TUPLE_PROTO);

        mnl_attr_put_u8(request, CTA_PROTO_NUM, protocol);
        mnl_attr_put_u16(request, CTA_PROTO_DST_PORT, htons(port));
        mnl_attr_nest_end(request, nest);
        mnl_attr_nest_end(request, tuple);
        nest = mnl_attr_nest_start(request, CTA_FILTER);
        mnl_attr_put_u32(request, CTA_FILTER_ORIG_FLAGS, FILTER_PROTOCOL | FILTER_DESTINATION_PORT);
        mnl_attr_nest_end(request, nest);
    }
    return nfnl_socket_request(socket, request, on_message, userdata);
}

int conntrack_flow_mark(struct nfnl_socket *socket, const struct nft_family *family, const struct conntrack_flow *flow,
                        bool is_ended)
{
    _Alignas(8) char buffer[REQUEST_SIZE];
    struct nlmsghdr *request = build_request(buffer, IPCTNL_MSG_CT_NEW, 0, family); /* of one that is there */

    mnl_attr_put(request, CTA_TUPLE_ORIG | NLA_F_NESTED, flow->original_tuple_length, flow->original_tuple);
    mnl_attr_put_u32(request, CTA_MARK, htonl(is_ended ? NFT_ENDED_MARK : 0));
    mnl_attr_put_u32(request, CTA_MARK_MASK, htonl(NFT_ENDED_MARK));
    return nfnl_socket_request(socket, request, NULL, NULL);
}

int conntrack_flow_delete(struct nfnl_socket *socket, const struct nft_family *family,
                          const struct conntrack_flow *flow)
{
    _Alignas(8) char buffer[REQUEST_SIZE];
    struct nlmsghdr *request = build_request(buffer, IPCTNL_MSG_CT_DELETE, 0, family);

    mnl_attr_put(request, CTA_TUPLE_ORIG | NLA_F_NESTED, flow->original_tuple_length, flow->original_tuple);
    mnl_attr_put_u32(request, CTA_ID, flow->id);
    return nfnl_socket_request(socket, request, NULL, NULL);
}
