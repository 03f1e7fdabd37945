/* Names and shapes of our nftables objects; see nft_names.h. Runs in anchord-netadmin. */
#include "workers/netadmin/nft/nft_names.h"

#include <netinet/in.h> /* before linux/netfilter.h, which then leaves its types alone */

#include <assert.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_ipv4.h>
#include <stdio.h>

/* nftables include/datatype.h: enum datatypes; a concatenation shifts by TYPE_BITS. */
#define TYPE_IPV4_ADDRESS  7U
#define TYPE_IPV6_ADDRESS  8U
#define TYPE_INET_PROTOCOL 12U
#define TYPE_INET_SERVICE  13U
#define TYPE_BITS          6U
/* Each component of a concatenation takes whole 32-bit registers. */
#define PORT_REGISTER_LENGTH 4U

const struct nft_family nft_families[FAMILY_INDEX_MAX_] = {
    [FAMILY_INDEX_4] = {IP_FAMILY_4, NFPROTO_IPV4, "ip", "anchord_v4", 4, 12, 16, TYPE_IPV4_ADDRESS, IPPROTO_ICMP},
    [FAMILY_INDEX_6] = {IP_FAMILY_6, NFPROTO_IPV6, "ip6", "anchord_v6", 16, 8, 24, TYPE_IPV6_ADDRESS, IPPROTO_ICMPV6},
};

/* The priorities of both families are equal: NF_IP_PRI_… = NF_IP6_PRI_… */
const struct nft_chain nft_chains[NFT_CHAIN_INDEX_MAX_] = {
    [NFT_CHAIN_PREROUTING_RAW] = {"prerouting_raw", "filter", NF_INET_PRE_ROUTING, NF_IP_PRI_RAW, NF_ACCEPT},
    [NFT_CHAIN_PREROUTING_NAT] = {"prerouting_nat", "nat", NF_INET_PRE_ROUTING, NF_IP_PRI_NAT_DST, NF_ACCEPT},
    [NFT_CHAIN_OUTPUT_NAT] = {"output_nat", "nat", NF_INET_LOCAL_OUT, NF_IP_PRI_NAT_DST, NF_ACCEPT},
    [NFT_CHAIN_POSTROUTING_NAT] = {"postrouting_nat", "nat", NF_INET_POST_ROUTING, NF_IP_PRI_NAT_SRC, NF_ACCEPT},
    [NFT_CHAIN_PREROUTING_FILTER] = {"prerouting_filter", "filter", NF_INET_PRE_ROUTING, NF_IP_PRI_NAT_DST + 10,
                                     NF_ACCEPT},
    [NFT_CHAIN_FORWARD_TTL] = {"forward_ttl", "filter", NF_INET_FORWARD, NF_IP_PRI_MANGLE, NF_ACCEPT},
    [NFT_CHAIN_FORWARD] = {"forward", "filter", NF_INET_FORWARD, NF_IP_PRI_FILTER, NF_DROP},
    [NFT_CHAIN_INPUT] = {"input", "filter", NF_INET_LOCAL_IN, NF_IP_PRI_FILTER, NF_DROP},
    [NFT_CHAIN_OUTPUT] = {"output", "filter", NF_INET_LOCAL_OUT, NF_IP_PRI_FILTER, NF_ACCEPT},
    [NFT_CHAIN_REFUSE_BANNED] = {.name = "refuse_banned"},
    [NFT_CHAIN_REFUSE_FORGED] = {.name = "refuse_forged"},
};

const char *const nft_counter_names[REFUSAL_MAX_] = {
    [REFUSAL_CLOSED] = "refused_closed",       [REFUSAL_LIST] = "refused_list",
    [REFUSAL_LIMIT] = "refused_limit",         [REFUSAL_BAN] = "refused_ban",
    [REFUSAL_FORGED] = "refused_forged",       [REFUSAL_STRAY] = "refused_stray",
    [REFUSAL_ISOLATION] = "refused_isolation", [REFUSAL_EGRESS] = "refused_egress",
};

const char *const nft_set_names[NFT_SET_INDEX_MAX_] = {
    [NFT_SET_EXTERNAL] = "external",
    [NFT_SET_DNAT_TCP] = "dnat_tcp",
    [NFT_SET_DNAT_UDP] = "dnat_udp",
    [NFT_SET_TRAFFIC_TCP] = "traffic_tcp",
    [NFT_SET_TRAFFIC_UDP] = "traffic_udp",
    [NFT_SET_BANNED] = "banned",
    [NFT_SET_BANNED_PREFIXES] = "banned_prefixes",
    [NFT_SET_BANNED_NEW] = "banned_new",
    [NFT_SET_BANNED_NEW_PREFIXES] = "banned_new_prefixes",
    [NFT_SET_LISTED] = "listed",
    [NFT_SET_ALLOWED] = "allowed",
};

/* inet_proto . inet_service, and . ipv4_addr */
static struct nft_set_shape guest_shape(const struct nft_family *family, bool has_source)
{
    const uint32_t ports = TYPE_INET_PROTOCOL << TYPE_BITS | TYPE_INET_SERVICE;

    return (struct nft_set_shape){
        .flags = NFT_SET_INTERVAL | NFT_SET_CONCAT,
        .key_type = has_source ? ports << TYPE_BITS | family->address_type : ports,
        .key_length = 2 * PORT_REGISTER_LENGTH + (has_source ? family->address_length : 0),
        .fields = {sizeof(uint8_t), sizeof(uint16_t), (uint8_t)family->address_length},
        .field_count = has_source ? 3 : 2,
    };
}

struct nft_set_shape nft_set_shape_of(const struct nft_family *family, enum nft_set_index set)
{
    bool has_intervals = set == NFT_SET_BANNED_PREFIXES || set == NFT_SET_BANNED_NEW_PREFIXES;

    if (set == NFT_SET_LISTED || set == NFT_SET_ALLOWED)
        return guest_shape(family, set == NFT_SET_ALLOWED);
    if (set == NFT_SET_EXTERNAL || set >= NFT_SET_BANNED)
        return (struct nft_set_shape){
            .flags = has_intervals ? NFT_SET_INTERVAL : 0,
            .key_type = family->address_type,
            .key_length = family->address_length,
        };
    if (set == NFT_SET_TRAFFIC_TCP || set == NFT_SET_TRAFFIC_UDP)
        return (struct nft_set_shape){.key_type = TYPE_INET_SERVICE, .key_length = sizeof(uint16_t), .counts = true};
    return (struct nft_set_shape){
        .counts = true,
        .flags = NFT_SET_MAP,
        .key_type = TYPE_INET_SERVICE,
        .key_length = sizeof(uint16_t),
        .data_type = family->address_type << TYPE_BITS | TYPE_INET_SERVICE,
        .data_length = family->address_length + PORT_REGISTER_LENGTH,
    };
}

enum nft_set_index nft_set_of_ban(const struct wire_ban *ban)
{
    if (wire_ban_is_single(ban))
        return ban->kind == BAN_ALL ? NFT_SET_BANNED : NFT_SET_BANNED_NEW;
    return ban->kind == BAN_ALL ? NFT_SET_BANNED_PREFIXES : NFT_SET_BANNED_NEW_PREFIXES;
}

const char *nft_limit_name(const struct wire_guest *limit, char name[NFT_LIMIT_NAME_SIZE])
{
    (void)snprintf(name, NFT_LIMIT_NAME_SIZE, "limit_%s_%u_%u_%s_%u", limit->protocol == IPPROTO_TCP ? "tcp" : "udp",
                   (unsigned int)limit->port_first, (unsigned int)limit->rate,
                   limit->is_per_minute ? "minute" : "second", (unsigned int)limit->burst);
    return name;
}

enum nft_set_index nft_map_of_protocol(size_t protocol_index)
{
    return protocol_index == PROTOCOL_INDEX_TCP ? NFT_SET_DNAT_TCP : NFT_SET_DNAT_UDP;
}

enum nft_set_index nft_counting_set(size_t protocol_index, enum port_counter counter)
{
    if (counter == PORT_FLOWS)
        return nft_map_of_protocol(protocol_index);
    return protocol_index == PROTOCOL_INDEX_TCP ? NFT_SET_TRAFFIC_TCP : NFT_SET_TRAFFIC_UDP;
}
