/*
 * The rules of both tables; see nft_rules.h. Runs in anchord-netadmin.
 *
 * Above each builder stands its chain as `nft list ruleset` prints it in the ip table; ip6 differs in
 * `ip6 daddr`, `ip6 hoplimit` and in what is said beside. EXT and SHARED stand for the interfaces' names.
 */
#include "workers/netadmin/nft/nft_rules.h"

#include "workers/netadmin/nft/nft_statement.h"
#include "workers/netadmin/plan/map_state.h"

#include <netinet/in.h> /* before linux/netfilter.h, which then leaves its types alone */

#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/rtnetlink.h>
#include <netinet/tcp.h>

/* What this machine sends with (net.ipv4.ip_default_ttl, RFC 1700), and what a router in it leaves of that. */
#define OWN_TIME_TO_LIVE       64
#define FORWARDED_TIME_TO_LIVE 63
/* bit of a conntrack state in `ct state` (linux/netfilter/nf_tables.h has no names; net/netfilter/nft_ct.c) */
#define STATE_BIT(state)  (UINT32_C(1) << ((state) + 1))
#define STATE_INVALID     UINT32_C(1) /* NF_CT_STATE_INVALID_BIT */
#define STATE_ESTABLISHED STATE_BIT(IP_CT_ESTABLISHED)
#define STATE_RELATED     STATE_BIT(IP_CT_RELATED)
#define STATE_NEW         STATE_BIT(IP_CT_NEW)
/* RFC 2131 §4.1, RFC 8415 §7.2 */
#define DHCP4_SERVER_PORT 67
#define DHCP4_CLIENT_PORT 68
#define DHCP6_SERVER_PORT 547
#define DHCP6_CLIENT_PORT 546
/* RFC 2710 §3, RFC 4861 §4: MLD query, report and done are 130 … 132, neighbour discovery 133 … 137 */
#define MLD_TYPE_FIRST               130
#define NEIGHBOUR_SOLICITATION_TYPE  135
#define NEIGHBOUR_REDIRECT_TYPE      137
#define ROUTER_SOLICITATION_TYPE     133
#define NEIGHBOUR_ADVERTISEMENT_TYPE 136
#define ON_LINK_HOP_LIMIT            255

struct rules_context {
    struct nft_batch *batch;
    const struct nft_family *family;
    const char *table;
    const struct network_view *view;
};

static struct rule begin(const struct rules_context *context, enum nft_chain_index chain)
{
    struct rule rule;

    rule_begin(&rule, context->batch, context->family, context->table, chain);
    return rule;
}

/*
 * chain prerouting_nat / output_nat {
 *     ip daddr @external dnat ip to tcp dport map @dnat_tcp comment "exposed tcp ports"
 *     ip daddr @external dnat ip to udp dport map @dnat_udp comment "exposed udp ports"
 * }
 * NAT-1, NAT-9: only what is addressed to the project's own address; from outside, from a container of the
 * project (hairpin), and in `output` from the anchor itself.
 */
static void add_dnat(const struct rules_context *context, enum nft_chain_index chain)
{
    for (size_t protocol = 0; protocol < PROTOCOL_INDEX_MAX_; protocol++) {
        struct rule rule = begin(context, chain);

        rule_match_external(&rule);
        rule_dnat_by_map(&rule, protocol);
        rule_end(&rule, protocol == PROTOCOL_INDEX_TCP ? "exposed tcp ports" : "exposed udp ports");
    }
}

/*
 * ip6 only, NAT-8: one source address per scope; masquerade would pick it by destination.
 *     oifname EXT ip6 saddr != fe80::/10 ip6 daddr fc00::/7 snat to <ULA> comment "egress to unique local"
 *     oifname EXT ip6 saddr != fe80::/10 snat to <global> comment "egress"
 * Link-local sources are this machine's own neighbour discovery and DHCPv6. When only one of the two addresses
 * exists it serves every destination.
 */
static void add_snat6(const struct rules_context *context)
{
    static const struct ip_subnet link_local = {{IP_FAMILY_6, {0xfe, 0x80}}, 10};
    static const struct ip_subnet unique_local = {{IP_FAMILY_6, {0xfc}}, 7};
    const struct ip_address *global = &context->view->egress6_global;
    const struct ip_address *local = &context->view->egress6_unique_local;
    struct rule rule;

    if (global->family && local->family) {
        rule = begin(context, NFT_CHAIN_POSTROUTING_NAT);
        rule_match_output(&rule, context->view->external_name);
        rule_match_prefix(&rule, RULE_SOURCE, NFT_CMP_NEQ, &link_local);
        rule_match_prefix(&rule, RULE_DESTINATION, NFT_CMP_EQ, &unique_local);
        rule_snat(&rule, local);
        rule_end(&rule, "egress to unique local");
    }
    if (!global->family && !local->family)
        return;
    rule = begin(context, NFT_CHAIN_POSTROUTING_NAT);
    rule_match_output(&rule, context->view->external_name);
    rule_match_prefix(&rule, RULE_SOURCE, NFT_CMP_NEQ, &link_local);
    rule_snat(&rule, global->family ? global : local);
    rule_end(&rule, "egress");
}

/*
 * chain postrouting_nat {
 *     iifname SHARED oifname SHARED ct status dnat ct original ip daddr @external masquerade comment "hairpin"
 *     oifname EXT masquerade comment "egress"
 * }
 * NAT-9: a hairpin flow must come back through us; it is ours only if our maps translated it (Docker's own DNS
 * is DNATed in this namespace too). NAT-2: inbound flows keep their source. NAT-8: egress.
 */
static void add_postrouting(const struct rules_context *context)
{
    struct rule rule = begin(context, NFT_CHAIN_POSTROUTING_NAT);

    rule_match_input(&rule, context->view->shared_name);
    rule_match_output(&rule, context->view->shared_name);
    rule_match_status(&rule, IPS_DST_NAT);
    rule_match_original_external(&rule);
    rule_masquerade(&rule);
    rule_end(&rule, "hairpin");
    if (context->family->family == IP_FAMILY_6) {
        add_snat6(context);
        return;
    }
    rule = begin(context, NFT_CHAIN_POSTROUTING_NAT);
    rule_match_output(&rule, context->view->external_name);
    rule_masquerade(&rule);
    rule_end(&rule, "egress");
}

/*
 * ip:
 *     iifname EXT ip saddr 0.0.0.0 udp dport 67 accept comment "DHCP clients"
 */
static void add_raw_exceptions4(const struct rules_context *context)
{
    static const struct ip_subnet unspecified = {{IP_FAMILY_4, {0}}, 32};
    struct rule rule = begin(context, NFT_CHAIN_PREROUTING_RAW);

    rule_match_input(&rule, context->view->external_name);
    rule_match_prefix(&rule, RULE_SOURCE, NFT_CMP_EQ, &unspecified);
    rule_match_udp_destination(&rule, DHCP4_SERVER_PORT);
    rule_verdict(&rule, NF_ACCEPT);
    rule_end(&rule, "DHCP clients");
}

/*
 * ip6:
 *     iifname EXT ip6 saddr :: accept comment "hosts without an address"
 *     iifname EXT ip6 saddr ::ffff:0.0.0.0/96 drop comment "no IPv4 address in an IPv6 packet"
 *     iifname EXT icmpv6 type 133-137 ip6 hoplimit 255 accept comment "neighbours on the link"
 * A socket for both families shows an IPv4 peer as such an address: what came from the LAN with one looked like a
 * sibling, or like 127.0.0.1 (measured); RFC 6890 §2.2.3 allows none as a source. Who has our address tells us so with
 * that address as its source (RFC 4862 §5.4): dropped, the duplicate went unnoticed (measured). Hop limit 255 says that
 * no router passed it on (RFC 4861 §3.1).
 */
static void add_raw_exceptions6(const struct rules_context *context)
{
    static const struct ip_subnet unspecified = {{IP_FAMILY_6, {0}}, 128};
    static const struct ip_subnet mapped = {{IP_FAMILY_6, {[10] = 0xff, [11] = 0xff}}, 96};
    struct rule rule = begin(context, NFT_CHAIN_PREROUTING_RAW);

    rule_match_input(&rule, context->view->external_name);
    rule_match_prefix(&rule, RULE_SOURCE, NFT_CMP_EQ, &unspecified);
    rule_verdict(&rule, NF_ACCEPT);
    rule_end(&rule, "hosts without an address");

    rule = begin(context, NFT_CHAIN_PREROUTING_RAW);
    rule_match_input(&rule, context->view->external_name);
    rule_match_prefix(&rule, RULE_SOURCE, NFT_CMP_EQ, &mapped);
    rule_verdict(&rule, NF_DROP);
    rule_end(&rule, "no IPv4 address in an IPv6 packet");

    rule = begin(context, NFT_CHAIN_PREROUTING_RAW);
    rule_match_input(&rule, context->view->external_name);
    rule_match_icmp_types(&rule, ROUTER_SOLICITATION_TYPE, NEIGHBOUR_REDIRECT_TYPE);
    rule_match_time_to_live(&rule, ON_LINK_HOP_LIMIT);
    rule_verdict(&rule, NF_ACCEPT);
    rule_end(&rule, "neighbours on the link");
}

/*
 * chain prerouting_raw {
 *     iifname EXT fib saddr type local drop comment "our own address comes from nobody else"
 *     iifname EXT ip saddr 172.30.0.0/24 drop comment "inner sources come from inside"   (one for each inner subnet)
 * }
 * WALL-1, RFC 2827: a datagram from the LAN with a sibling's address as its source was delivered to the backend, which
 * answered the sibling; rp_filter of Docker's containers is 0 or 2, and IPv6 has none. Before conntrack, so that it
 * leaves no entry; by the source in each packet, so also of fragments.
 */
static void add_prerouting_raw(const struct rules_context *context)
{
    size_t family = family_index_from_family(context->family->family);
    struct rule rule;

    if (context->family->family == IP_FAMILY_4)
        add_raw_exceptions4(context);
    else
        add_raw_exceptions6(context);
    rule = begin(context, NFT_CHAIN_PREROUTING_RAW);
    rule_match_input(&rule, context->view->external_name);
    rule_match_source_type(&rule, RTN_LOCAL);
    rule_verdict(&rule, NF_DROP);
    rule_end(&rule, "our own address comes from nobody else");
    for (size_t i = 0; i < context->view->inner_count[family]; i++) {
        rule = begin(context, NFT_CHAIN_PREROUTING_RAW);
        rule_match_input(&rule, context->view->external_name);
        rule_match_prefix(&rule, RULE_SOURCE, NFT_CMP_EQ, &context->view->inner[family][i]);
        rule_verdict(&rule, NF_DROP);
        rule_end(&rule, "inner sources come from inside");
    }
}

static void drop_foreign(const struct rules_context *context, uint32_t destination_type)
{
    struct rule rule = begin(context, NFT_CHAIN_PREROUTING_FILTER);

    rule_match_input(&rule, context->view->external_name);
    rule_match_destination_type(&rule, destination_type);
    rule_verdict(&rule, NF_DROP);
    rule_end(&rule, "one machine is no router");
}

/*
 * chain prerouting_filter {
 *     iifname EXT ct status snat,dnat ip ttl set 64 accept comment "one machine is one hop"
 *     iifname EXT fib daddr type unicast drop comment "one machine is no router"
 *     iifname EXT fib daddr type unreachable drop comment "one machine is no router"   (ip6)
 * }
 * chain forward_ttl {
 *     iifname SHARED oifname EXT ct direction reply ip ttl set 64 comment "replies leave like our own"
 *     iifname SHARED oifname EXT ip ttl 63 ip ttl set 64 comment "egress leaves like our own"
 * }
 * NAT-16, SPEC §0: our router is no hop that an outsider can see. What arrives with its last hop is delivered,
 * as one machine would; it stays between our own two interfaces, so nothing can loop. The kernel has counted
 * the hop down before `forward` (net/ipv4/ip_forward.c). Only the usual 64 of a container is restored:
 * traceroute's small values must go on working. What is neither ours nor translated is dropped before the kernel
 * routes it: it would tell a host that sends us foreign packets of redirects, of hops and of networks behind us.
 * (ip asks the local table alone, everything else is unicast; ip6 asks all: net/ipv{4,6}/netfilter/nft_fib_ipv{4,6}.c.)
 */
static void add_time_to_live(const struct rules_context *context)
{
    struct rule rule = begin(context, NFT_CHAIN_PREROUTING_FILTER);

    rule_match_input(&rule, context->view->external_name);
    rule_match_status(&rule, IPS_SRC_NAT | IPS_DST_NAT);
    rule_set_time_to_live(&rule, OWN_TIME_TO_LIVE);
    rule_verdict(&rule, NF_ACCEPT);
    rule_end(&rule, "one machine is one hop");
    drop_foreign(context, RTN_UNICAST);
    if (context->family->family == IP_FAMILY_6)
        drop_foreign(context, RTN_UNREACHABLE);

    rule = begin(context, NFT_CHAIN_FORWARD_TTL);
    rule_match_input(&rule, context->view->shared_name);
    rule_match_output(&rule, context->view->external_name);
    rule_match_reply(&rule);
    rule_set_time_to_live(&rule, OWN_TIME_TO_LIVE);
    rule_end(&rule, "replies leave like our own");

    rule = begin(context, NFT_CHAIN_FORWARD_TTL);
    rule_match_input(&rule, context->view->shared_name);
    rule_match_output(&rule, context->view->external_name);
    rule_match_time_to_live(&rule, FORWARDED_TIME_TO_LIVE);
    rule_set_time_to_live(&rule, OWN_TIME_TO_LIVE);
    rule_end(&rule, "egress leaves like our own");
}

/* Whether new flows may leave: v6 without an address to leave with would show inner addresses outside. */
static bool has_egress(const struct rules_context *context)
{
    return context->family->family == IP_FAMILY_4 || context->view->egress6_global.family ||
           context->view->egress6_unique_local.family;
}

/*
 * chain forward { policy drop;
 *     tcp flags syn / syn,rst tcp option maxseg size set rt mtu comment "segments fit the path"
 *     iifname EXT oifname SHARED ct state established,related accept comment "replies to egress"
 *     iifname EXT oifname SHARED ct status dnat accept comment "inbound to exposed ports"
 *     iifname SHARED oifname EXT ct state established,related,new accept comment "egress"
 *     iifname SHARED oifname SHARED ct status dnat accept comment "hairpin"
 * }
 * NAT-12: a host on the side with the larger MTU would send what does not fit the other, and depend on ICMP. `rt mtu`
 * is the smaller one of both ways: of the links, of routes, of a router advertisement (RFC 4861 §4.6.4), as it is at
 * the moment; it makes no segment larger. NAT-10: the accept list ends in drop. Invalid packets are in none of these:
 * they would leave without NAT, showing an inner address.
 */
static void add_forward(const struct rules_context *context)
{
    const char *external = context->view->external_name;
    const char *shared = context->view->shared_name;
    uint32_t established = STATE_ESTABLISHED | STATE_RELATED;
    struct rule rule;

    rule = begin(context, NFT_CHAIN_FORWARD);
    rule_match_tcp_syn(&rule);
    rule_clamp_segments(&rule);
    rule_end(&rule, "segments fit the path");

    rule = begin(context, NFT_CHAIN_FORWARD);
    rule_match_input(&rule, external);
    rule_match_output(&rule, shared);
    rule_match_state(&rule, established);
    rule_verdict(&rule, NF_ACCEPT);
    rule_end(&rule, "replies to egress");

    rule = begin(context, NFT_CHAIN_FORWARD);
    rule_match_input(&rule, external);
    rule_match_output(&rule, shared);
    rule_match_status(&rule, IPS_DST_NAT);
    rule_verdict(&rule, NF_ACCEPT);
    rule_end(&rule, "inbound to exposed ports");

    rule = begin(context, NFT_CHAIN_FORWARD);
    rule_match_input(&rule, shared);
    rule_match_output(&rule, external);
    rule_match_state(&rule, has_egress(context) ? established | STATE_NEW : established);
    rule_verdict(&rule, NF_ACCEPT);
    rule_end(&rule, "egress");

    rule = begin(context, NFT_CHAIN_FORWARD);
    rule_match_input(&rule, shared);
    rule_match_output(&rule, shared);
    rule_match_status(&rule, IPS_DST_NAT);
    rule_verdict(&rule, NF_ACCEPT);
    rule_end(&rule, "hairpin");
}

/*
 *     iifname "lo" accept comment "ourselves"
 *     ct state established,related accept comment "replies and errors"
 */
static void add_input_own(const struct rules_context *context)
{
    struct rule rule = begin(context, NFT_CHAIN_INPUT);

    rule_match_input(&rule, "lo");
    rule_verdict(&rule, NF_ACCEPT);
    rule_end(&rule, "ourselves");

    rule = begin(context, NFT_CHAIN_INPUT);
    rule_match_state(&rule, STATE_ESTABLISHED | STATE_RELATED);
    rule_verdict(&rule, NF_ACCEPT);
    rule_end(&rule, "replies and errors");
}

/*
 *     ct state invalid tcp flags rst,ack drop comment "stray segments"
 * WALL-4: a segment outside the window of a connection belongs, for conntrack, to none: it is not translated and ends
 * here, where a reset would end the connection at its other side, inbound and egress. A host would answer with an ACK.
 * What carries neither ACK nor RST (FIN, NULL, Xmas) can be no segment of an open connection: as a probe of a closed
 * port it gets its reset below. In conntrack's eyes a SYN-ACK and a FIN-ACK without a connection are invalid, too: a
 * host would reset them, we are silent.
 */
static void add_input_stray(const struct rules_context *context)
{
    struct rule rule = begin(context, NFT_CHAIN_INPUT);

    rule_match_state(&rule, STATE_INVALID);
    rule_match_tcp_flags(&rule, TH_RST | TH_ACK);
    rule_verdict(&rule, NF_DROP);
    rule_end(&rule, "stray segments");
}

static void accept_from_external(const struct rules_context *context, uint16_t dhcp_server_port,
                                 uint16_t dhcp_client_port)
{
    struct rule rule = begin(context, NFT_CHAIN_INPUT);

    rule_match_input(&rule, context->view->external_name);
    rule_match_protocol(&rule, IPPROTO_UDP);
    rule_match_ports(&rule, dhcp_server_port, dhcp_client_port);
    rule_verdict(&rule, NF_ACCEPT);
    rule_end(&rule, "DHCP");
}

/*
 * ip:
 *     iifname EXT udp sport 67 udp dport 68 accept comment "DHCP"
 *     iifname EXT ip daddr 224.0.0.0/4 meta l4proto igmp accept comment "multicast membership"
 * NAT-10's exceptions: what a host on a LAN hears besides its own address.
 */
static void add_input_link4(const struct rules_context *context)
{
    static const struct ip_subnet multicast = {{IP_FAMILY_4, {224}}, 4};
    struct rule rule;

    accept_from_external(context, DHCP4_SERVER_PORT, DHCP4_CLIENT_PORT);
    rule = begin(context, NFT_CHAIN_INPUT);
    rule_match_input(&rule, context->view->external_name);
    rule_match_prefix(&rule, RULE_DESTINATION, NFT_CMP_EQ, &multicast);
    rule_match_protocol(&rule, IPPROTO_IGMP);
    rule_verdict(&rule, NF_ACCEPT);
    rule_end(&rule, "multicast membership");
}

/*
 * ip6:
 *     iifname EXT udp sport 547 udp dport 546 accept comment "DHCP"
 *     iifname EXT icmpv6 type mld-listener-query-nd-redirect accept comment "neighbours and routers"
 *     iifname EXT ip6 daddr ff00::/8 meta l4proto ipv6-icmp accept comment "multicast"
 *     iifname != EXT icmpv6 type mld-listener-query-nd-router-solicit accept comment "inner multicast"
 *     iifname != EXT icmpv6 type nd-neighbor-solicit-nd-neighbor-advert accept comment "inner neighbours"
 * ADDR-14: router advertisements from inner interfaces are dropped (the policy).
 */
static void add_input_link6(const struct rules_context *context)
{
    static const struct ip_subnet multicast = {{IP_FAMILY_6, {0xff}}, 8};
    const char *external = context->view->external_name;
    struct rule rule;

    accept_from_external(context, DHCP6_SERVER_PORT, DHCP6_CLIENT_PORT);
    rule = begin(context, NFT_CHAIN_INPUT);
    rule_match_input(&rule, external);
    rule_match_icmp_types(&rule, MLD_TYPE_FIRST, NEIGHBOUR_REDIRECT_TYPE);
    rule_verdict(&rule, NF_ACCEPT);
    rule_end(&rule, "neighbours and routers");

    rule = begin(context, NFT_CHAIN_INPUT);
    rule_match_input(&rule, external);
    rule_match_prefix(&rule, RULE_DESTINATION, NFT_CMP_EQ, &multicast);
    rule_match_protocol(&rule, IPPROTO_ICMPV6);
    rule_verdict(&rule, NF_ACCEPT);
    rule_end(&rule, "multicast");

    rule = begin(context, NFT_CHAIN_INPUT);
    rule_match_not_input(&rule, external);
    rule_match_icmp_types(&rule, MLD_TYPE_FIRST, ROUTER_SOLICITATION_TYPE);
    rule_verdict(&rule, NF_ACCEPT);
    rule_end(&rule, "inner multicast");

    rule = begin(context, NFT_CHAIN_INPUT);
    rule_match_not_input(&rule, external);
    rule_match_icmp_types(&rule, NEIGHBOUR_SOLICITATION_TYPE, NEIGHBOUR_ADVERTISEMENT_TYPE);
    rule_verdict(&rule, NF_ACCEPT);
    rule_end(&rule, "inner neighbours");
}

/*
 *     ip daddr @external meta l4proto icmp accept comment "ping"
 *     ip daddr @external reject with tcp reset comment "closed tcp ports"
 *     ip daddr @external meta l4proto udp reject comment "closed udp ports"
 *     ip daddr @external reject with icmp prot-unreachable comment "no such protocol"   (ip6: reject)
 * NAT-11: like one machine's closed ports, for outsiders and for the project's own containers. Rejected here,
 * a flow leaves no conntrack entry behind that would pin a UDP client before its service comes.
 */
static void add_input_closed(const struct rules_context *context)
{
    bool is_v4 = context->family->family == IP_FAMILY_4;
    uint8_t port_unreachable = is_v4 ? ICMP_PORT_UNREACH : ICMPV6_PORT_UNREACH;
    struct rule rule = begin(context, NFT_CHAIN_INPUT);

    rule_match_external(&rule);
    rule_match_protocol(&rule, context->family->icmp_protocol);
    rule_verdict(&rule, NF_ACCEPT);
    rule_end(&rule, "ping");

    rule = begin(context, NFT_CHAIN_INPUT);
    rule_match_external(&rule);
    rule_match_protocol(&rule, IPPROTO_TCP);
    rule_reject_with_reset(&rule);
    rule_end(&rule, "closed tcp ports");

    rule = begin(context, NFT_CHAIN_INPUT);
    rule_match_external(&rule);
    rule_match_protocol(&rule, IPPROTO_UDP);
    rule_reject(&rule, port_unreachable);
    rule_end(&rule, "closed udp ports");

    rule = begin(context, NFT_CHAIN_INPUT);
    rule_match_external(&rule);
    rule_reject(&rule, is_v4 ? ICMP_PROT_UNREACH : port_unreachable);
    rule_end(&rule, "no such protocol");
}

/*
 *     iifname != EXT fib daddr . iif type local accept comment "inner address on its own network"
 * NAT-10, the strong host model: an inner address answers only on the network that it belongs to, and from
 * outside not at all. What is left is dropped by the policy.
 */
static void add_input_inner(const struct rules_context *context)
{
    struct rule rule = begin(context, NFT_CHAIN_INPUT);

    rule_match_not_input(&rule, context->view->external_name);
    rule_match_local_on_input(&rule);
    rule_verdict(&rule, NF_ACCEPT);
    rule_end(&rule, "inner address on its own network");
}

/*
 * chain output {
 *     icmp type redirect drop comment "one machine is no router"   (ip6: icmpv6 type nd-redirect)
 * }
 * NAT-9: a hairpin flow leaves where it came in, and the kernel tells the container of the shorter way, around the NAT.
 * IPv6 has no setting against it. NAT itself drops redirects about what it translated, but not about a flow's first
 * packet, which conntrack does not know yet when the redirect is made (net/ipv6/ip6_output.c: before the hook
 * `forward`).
 */
static void add_output(const struct rules_context *context)
{
    uint8_t redirect = context->family->family == IP_FAMILY_4 ? ICMP_REDIRECT : NEIGHBOUR_REDIRECT_TYPE;
    struct rule rule = begin(context, NFT_CHAIN_OUTPUT);

    rule_match_icmp_types(&rule, redirect, redirect);
    rule_verdict(&rule, NF_DROP);
    rule_end(&rule, "one machine is no router");
}

void nft_rules_add(struct nft_batch *batch, const struct nft_family *family, const char *table,
                   const struct network_view *view)
{
    const struct rules_context context = {.batch = batch, .family = family, .table = table, .view = view};

    add_prerouting_raw(&context);
    add_dnat(&context, NFT_CHAIN_PREROUTING_NAT);
    add_dnat(&context, NFT_CHAIN_OUTPUT_NAT);
    add_postrouting(&context);
    add_time_to_live(&context);
    add_forward(&context);
    add_input_own(&context);
    add_input_stray(&context);
    if (family->family == IP_FAMILY_4)
        add_input_link4(&context);
    else
        add_input_link6(&context);
    add_input_closed(&context);
    add_input_inner(&context);
    add_output(&context);
}

/*
 * chain forward { policy drop; }
 * chain input { policy drop;
 *     iifname "lo" accept comment "ourselves"
 *     ct state established,related accept comment "replies and errors"
 *     udp sport 67 udp dport 68 accept comment "DHCP"   (ip6: sport 547, dport 546)
 *     icmpv6 type 130-137 accept comment "neighbours and routers"   (ip6)
 * }
 * WALL-3. Which interface is which only Docker can tell, so none is named: the first rules are what Docker's resolver
 * on 127.0.0.11 and a Docker API behind TCP need, the others what an interface needs to have addresses.
 */
void nft_rules_add_skeleton(struct nft_batch *batch, const struct nft_family *family)
{
    const struct rules_context context = {.batch = batch, .family = family, .table = NFT_SKELETON_TABLE};
    bool is_v4 = family->family == IP_FAMILY_4;
    struct rule rule;

    add_input_own(&context);
    rule = begin(&context, NFT_CHAIN_INPUT);
    rule_match_protocol(&rule, IPPROTO_UDP);
    rule_match_ports(&rule, is_v4 ? DHCP4_SERVER_PORT : DHCP6_SERVER_PORT,
                     is_v4 ? DHCP4_CLIENT_PORT : DHCP6_CLIENT_PORT);
    rule_verdict(&rule, NF_ACCEPT);
    rule_end(&rule, "DHCP");
    if (is_v4)
        return;
    rule = begin(&context, NFT_CHAIN_INPUT);
    rule_match_icmp_types(&rule, MLD_TYPE_FIRST, NEIGHBOUR_REDIRECT_TYPE);
    rule_verdict(&rule, NF_ACCEPT);
    rule_end(&rule, "neighbours and routers");
}
