/*
 * The rules of both tables as a table of statements; see nft_rules.h. Runs in anchord-netadmin.
 *
 * Above each rule stands what `nft list ruleset` prints of it in the ip table; ip6 differs in `ip6 daddr`,
 * `ip6 hoplimit` and in what is said beside. EXT and SHARED stand for the interfaces' names.
 */
#include "workers/netadmin/nft/nft_rules.h"

#include "workers/netadmin/nft/nft_rule_words.h"
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
#define REPLIES           (STATE_ESTABLISHED | STATE_RELATED)
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
#define ROUTER_ADVERTISEMENT_TYPE    134
#define NEIGHBOUR_ADVERTISEMENT_TYPE 136
#define ON_LINK_HOP_LIMIT            255

/* When a rule is there. */
enum {
    ALWAYS,
    IP,           /* in the ip table alone */
    IP6,          /* in the ip6 table alone */
    EGRESS,       /* new flows may leave: v6 without an address to leave with would show inner addresses outside */
    NO_EGRESS,    /* they may not */
    IP6_EGRESS,   /* ip6 with one address of either scope */
    IP6_EGRESSES, /* ip6 with both */
    COUNTED,      /* where the kernel counts by port */
    EACH_INNER,   /* once for each inner subnet */
    LISTS,        /* where a port has a list of sources */
    EACH_LIMIT,   /* once for each limit */
    EACH_TCP_LIMIT,
    EACH_UDP_LIMIT,
    /* Beside one of these: with a link to the host, and an address to show it (HOST-7). */
    HOST = 1 << 8,
    GUESTS = 1 << 9, /* likewise: where a port has a list, or a limit */
};

static const struct ip_subnet unspecified4 = {{IP_FAMILY_4, {0}}, 32};
static const struct ip_subnet multicast4 = {{IP_FAMILY_4, {224}}, 4};
static const struct ip_subnet unspecified6 = {{IP_FAMILY_6, {0}}, 128};
static const struct ip_subnet mapped6 = {{IP_FAMILY_6, {[10] = 0xff, [11] = 0xff}}, 96};
static const struct ip_subnet link_local6 = {{IP_FAMILY_6, {0xfe, 0x80}}, 10};
static const struct ip_subnet unique_local6 = {{IP_FAMILY_6, {0xfc}}, 7};
static const struct ip_subnet multicast6 = {{IP_FAMILY_6, {0xff}}, 8};

/* What `input` begins with in both tables and in the skeleton. */
static const struct nft_rule_text own_rules[] = {
    /* iifname "lo" accept */
    {NFT_CHAIN_INPUT, ALWAYS, "ourselves", {IIF(LOOPBACK), ACCEPT}},
    /* ct state established,related accept */
    {NFT_CHAIN_INPUT, ALWAYS, "replies and errors", {CT_STATE(REPLIES), ACCEPT}},
};

static const struct nft_rule_text table_rules[] = {
    /*
     * chain prerouting_raw
     * WALL-1, RFC 2827: a datagram from the LAN with a sibling's address as its source was delivered to the backend,
     * which answered the sibling; rp_filter of Docker's containers is 0 or 2, and IPv6 has none. Before conntrack, so
     * that it leaves no entry; by the source in each packet, so also of fragments.
     */
    /* iifname EXT ip saddr 0.0.0.0 udp dport 67 accept */
    {NFT_CHAIN_PREROUTING_RAW,
     IP,
     "DHCP clients",
     {IIF(EXTERNAL), FROM(unspecified4), UDP_TO(DHCP4_SERVER_PORT), ACCEPT}},
    /*
     * iifname EXT ip6 saddr :: accept
     * Who has our address tells us so with that address as its source (RFC 4862 §5.4): dropped, the duplicate went
     * unnoticed (measured).
     */
    {NFT_CHAIN_PREROUTING_RAW, IP6, "hosts without an address", {IIF(EXTERNAL), FROM(unspecified6), ACCEPT}},
    /*
     * iifname EXT ip6 saddr ::ffff:0.0.0.0/96 goto refuse_forged
     * A socket for both families shows an IPv4 peer as such an address: what came from the LAN with one looked like a
     * sibling, or like 127.0.0.1 (measured); RFC 6890 §2.2.3 allows none as a source.
     */
    {NFT_CHAIN_PREROUTING_RAW,
     IP6,
     "no IPv4 address in an IPv6 packet",
     {IIF(EXTERNAL), FROM(mapped6), GO_TO(REFUSE_FORGED)}},
    /* iifname EXT icmpv6 type 133-137 ip6 hoplimit 255 accept: no router passed it on (RFC 4861 §3.1) */
    {NFT_CHAIN_PREROUTING_RAW,
     IP6,
     "neighbours on the link",
     {IIF(EXTERNAL), ICMP_TYPES(ROUTER_SOLICITATION_TYPE, NEIGHBOUR_REDIRECT_TYPE), TTL(ON_LINK_HOP_LIMIT), ACCEPT}},
    /* iifname EXT fib saddr type local goto refuse_forged */
    {NFT_CHAIN_PREROUTING_RAW,
     ALWAYS,
     "our own address comes from nobody else",
     {IIF(EXTERNAL), FROM_TYPE(RTN_LOCAL), GO_TO(REFUSE_FORGED)}},
    /* iifname EXT ip saddr 172.30.0.0/24 goto refuse_forged */
    {NFT_CHAIN_PREROUTING_RAW,
     EACH_INNER,
     "inner sources come from inside",
     {IIF(EXTERNAL), FROM_INNER, GO_TO(REFUSE_FORGED)}},
    /*
     * Under attach each shared link is another Docker network's, and what the host routes to us may come from anybody:
     * a source is believed where its answer would go.
     */
    /* iifname "ancin*" fib saddr . iif oif missing goto refuse_forged */
    {NFT_CHAIN_PREROUTING_RAW,
     HOST | ALWAYS,
     "each network by its own link",
     {IIF(SHARED), NO_WAY_BACK, GO_TO(REFUSE_FORGED)}},
    /* iifname "anchost" fib saddr . iif oif missing goto refuse_forged */
    {NFT_CHAIN_PREROUTING_RAW,
     HOST | ALWAYS,
     "the host alone comes from the host",
     {IIF(HOST), NO_WAY_BACK, GO_TO(REFUSE_FORGED)}},
    /*
     * GUEST-2: nothing comes from who is banned. In IPv6 one client has a whole /64, and both keys stand in the same
     * set. Who is inside is no guest.
     */
    /* iifname != SHARED ip saddr @banned goto refuse_banned */
    {NFT_CHAIN_PREROUTING_RAW, ALWAYS, "banned", {IIF_NOT(SHARED), FROM_SET(BANNED), GO_TO(REFUSE_BANNED)}},
    /* iifname != SHARED ip6 saddr & ffff:ffff:ffff:ffff:: == @banned goto refuse_banned */
    {NFT_CHAIN_PREROUTING_RAW, IP6, "banned", {IIF_NOT(SHARED), FROM_NETWORK_IN(BANNED), GO_TO(REFUSE_BANNED)}},
    /* iifname != SHARED ip saddr @banned_prefixes goto refuse_banned */
    {NFT_CHAIN_PREROUTING_RAW, ALWAYS, "banned", {IIF_NOT(SHARED), FROM_SET(BANNED_PREFIXES), GO_TO(REFUSE_BANNED)}},

    /*
     * chain prerouting_nat, chain output_nat
     * NAT-1, NAT-9: only what is addressed to the project's own address; from outside, from a container of the
     * project (hairpin), and in `output` from the anchor itself.
     */
    /* GUEST-2, --new-only: this chain sees the first packet of each flow alone. */
    /* iifname != SHARED ip saddr @banned_new goto refuse_banned */
    {NFT_CHAIN_PREROUTING_NAT, ALWAYS, "banned", {IIF_NOT(SHARED), FROM_SET(BANNED_NEW), GO_TO(REFUSE_BANNED)}},
    /* iifname != SHARED ip6 saddr & ffff:ffff:ffff:ffff:: == @banned_new goto refuse_banned */
    {NFT_CHAIN_PREROUTING_NAT, IP6, "banned", {IIF_NOT(SHARED), FROM_NETWORK_IN(BANNED_NEW), GO_TO(REFUSE_BANNED)}},
    /* iifname != SHARED ip saddr @banned_new_prefixes goto refuse_banned */
    {NFT_CHAIN_PREROUTING_NAT,
     ALWAYS,
     "banned",
     {IIF_NOT(SHARED), FROM_SET(BANNED_NEW_PREFIXES), GO_TO(REFUSE_BANNED)}},
    /*
     * GUEST-1, GUEST-3: whoever is not translated meets a closed port, in its very answer; the project's own containers
     * are exempt. The mark tells `input` that it is counted already. A limit lets pass by translating: a source that
     * its set has no room for is refused like one that comes too often.
     */
    /*
     * iifname != SHARED ip daddr @external meta l4proto . th dport @listed
     *     meta l4proto . th dport . ip saddr != @allowed counter name "refused_list" ct mark set ct mark | 0x00400000
     *     accept
     */
    {NFT_CHAIN_PREROUTING_NAT,
     LISTS,
     "not on the port's list",
     {IIF_NOT(SHARED), TO_EXTERNAL, LISTED, NOT_ALLOWED, COUNT(LIST), END, ACCEPT}},
    /*
     * iifname != SHARED ip daddr @external tcp dport 22
     *     update @limit_tcp_22_10_minute_5 { ip saddr limit rate 10/minute }
     *     dnat ip to tcp dport map @dnat_tcp
     * ip6: … { ip6 saddr & ffff:ffff:ffff:ffff:: limit rate … }
     */
    {NFT_CHAIN_PREROUTING_NAT,
     EACH_TCP_LIMIT,
     "within the port's limit",
     {IIF_NOT(SHARED), TO_EXTERNAL, LIMITED_PORT, WITHIN_LIMIT, DNAT(TCP)}},
    {NFT_CHAIN_PREROUTING_NAT,
     EACH_UDP_LIMIT,
     "within the port's limit",
     {IIF_NOT(SHARED), TO_EXTERNAL, LIMITED_PORT, WITHIN_LIMIT, DNAT(UDP)}},
    /*
     * iifname != SHARED ip daddr @external tcp dport 22 counter name "refused_limit" ct mark set ct mark | 0x00400000
     *     accept
     */
    {NFT_CHAIN_PREROUTING_NAT,
     EACH_LIMIT,
     "above the port's limit",
     {IIF_NOT(SHARED), TO_EXTERNAL, LIMITED_PORT, COUNT(LIMIT), END, ACCEPT}},
    /* ip daddr @external dnat ip to tcp dport map @dnat_tcp */
    {NFT_CHAIN_PREROUTING_NAT, ALWAYS, "exposed tcp ports", {TO_EXTERNAL, DNAT(TCP)}},
    /* ip daddr @external dnat ip to udp dport map @dnat_udp */
    {NFT_CHAIN_PREROUTING_NAT, ALWAYS, "exposed udp ports", {TO_EXTERNAL, DNAT(UDP)}},
    {NFT_CHAIN_OUTPUT_NAT, ALWAYS, "exposed tcp ports", {TO_EXTERNAL, DNAT(TCP)}},
    {NFT_CHAIN_OUTPUT_NAT, ALWAYS, "exposed udp ports", {TO_EXTERNAL, DNAT(UDP)}},

    /*
     * chain postrouting_nat
     * NAT-9: a hairpin flow must come back through us; it is ours only if our maps translated it (Docker's own DNS
     * is DNATed in this namespace too). NAT-2: inbound flows keep their source. NAT-8: egress, in ip6 from one source
     * address per scope, which masquerade would pick by destination; link-local sources are this machine's own
     * neighbour discovery and DHCPv6. When only one of the two addresses exists it serves every destination.
     */
    /* iifname SHARED oifname SHARED ct status dnat ct original ip daddr @external masquerade */
    {NFT_CHAIN_POSTROUTING_NAT,
     ALWAYS,
     "hairpin",
     {IIF(SHARED), OIF(SHARED), CT_STATUS(IPS_DST_NAT), TO_EXTERNAL_AT_FIRST, MASQUERADE}},
    /* oifname EXT masquerade */
    {NFT_CHAIN_POSTROUTING_NAT, IP, "egress", {OIF(EXTERNAL), MASQUERADE}},
    /* oifname EXT ip6 saddr != fe80::/10 ip6 daddr fc00::/7 snat to <ULA> */
    {NFT_CHAIN_POSTROUTING_NAT,
     IP6_EGRESSES,
     "egress to unique local",
     {OIF(EXTERNAL), FROM_NOT(link_local6), TO(unique_local6), SNAT(UNIQUE_LOCAL)}},
    /* oifname EXT ip6 saddr != fe80::/10 snat to <global> */
    {NFT_CHAIN_POSTROUTING_NAT, IP6_EGRESS, "egress", {OIF(EXTERNAL), FROM_NOT(link_local6), SNAT(GLOBAL)}},
    /*
     * HOST-7: and the host sees the project as others do. What is routed there are the host's addresses and what
     * ANCHORD_VIA_HOST names, nothing else (table 24943).
     */
    /* oifname "anchost" snat to <address> */
    {NFT_CHAIN_POSTROUTING_NAT, HOST | IP, "egress to the host", {OIF(HOST), SNAT(GLOBAL)}},
    /* oifname "anchost" ip6 saddr != fe80::/10 ip6 daddr fc00::/7 snat to <ULA> */
    {NFT_CHAIN_POSTROUTING_NAT,
     HOST | IP6_EGRESSES,
     "egress to the host by unique local",
     {OIF(HOST), FROM_NOT(link_local6), TO(unique_local6), SNAT(UNIQUE_LOCAL)}},
    /* oifname "anchost" ip6 saddr != fe80::/10 snat to <global> */
    {NFT_CHAIN_POSTROUTING_NAT,
     HOST | IP6_EGRESS,
     "egress to the host",
     {OIF(HOST), FROM_NOT(link_local6), SNAT(GLOBAL)}},

    /*
     * chain prerouting_filter, chain forward_ttl
     * NAT-16, SPEC §0: our router is no hop that an outsider can see. What arrives with its last hop is delivered,
     * as one machine would; it stays between our own two interfaces, so nothing can loop. The kernel has counted
     * the hop down before `forward` (net/ipv4/ip_forward.c). Only the usual 64 of a container is restored:
     * traceroute's small values must go on working. What is neither ours nor translated is dropped before the kernel
     * routes it: it would tell a host that sends us foreign packets of redirects, of hops and of networks behind us.
     * (ip asks the local table alone, everything else is unicast; ip6 asks all:
     * net/ipv{4,6}/netfilter/nft_fib_ipv{4,6}.c.)
     */
    /* iifname EXT ct status snat,dnat ip ttl set 64 accept */
    {NFT_CHAIN_PREROUTING_FILTER,
     ALWAYS,
     "one machine is one hop",
     {IIF(EXTERNAL), CT_STATUS(IPS_SRC_NAT | IPS_DST_NAT), SET_TTL(OWN_TIME_TO_LIVE), ACCEPT}},
    /* iifname EXT fib daddr type unicast counter name "refused_isolation" drop */
    {NFT_CHAIN_PREROUTING_FILTER,
     ALWAYS,
     "one machine is no router",
     {IIF(EXTERNAL), TO_TYPE(RTN_UNICAST), COUNT(ISOLATION), DROP}},
    /* iifname EXT fib daddr type unreachable counter name "refused_isolation" drop */
    {NFT_CHAIN_PREROUTING_FILTER,
     IP6,
     "one machine is no router",
     {IIF(EXTERNAL), TO_TYPE(RTN_UNREACHABLE), COUNT(ISOLATION), DROP}},
    /* iifname SHARED oifname EXT ct direction reply ip ttl set 64 */
    {NFT_CHAIN_FORWARD_TTL,
     ALWAYS,
     "replies leave like our own",
     {IIF(SHARED), OIF(EXTERNAL), CT_REPLY, SET_TTL(OWN_TIME_TO_LIVE)}},
    /* iifname SHARED oifname EXT ip ttl 63 ip ttl set 64 */
    {NFT_CHAIN_FORWARD_TTL,
     ALWAYS,
     "egress leaves like our own",
     {IIF(SHARED), OIF(EXTERNAL), TTL(FORWARDED_TIME_TO_LIVE), SET_TTL(OWN_TIME_TO_LIVE)}},

    /*
     * chain forward, policy drop
     * NAT-12: a host on the side with the larger MTU would send what does not fit the other, and depend on ICMP.
     * `rt mtu` is the smaller one of both ways: of the links, of routes, of a router advertisement (RFC 4861 §4.6.4),
     * as it is at the moment; it makes no segment larger. NAT-10: the accept list ends in drop. Invalid packets are in
     * none of these: they would leave without NAT, showing an inner address.
     */
    /*
     * GUEST-2: and what backends go on sending to who is banned goes nowhere, so that open flows end in both
     * directions: a backend would keep its flow, or open it again as egress (measured).
     */
    /* iifname SHARED oifname != SHARED ip daddr @banned drop */
    {NFT_CHAIN_FORWARD, ALWAYS, "to the banned", {IIF(SHARED), OIF_NOT(SHARED), TO_SET(BANNED), DROP}},
    /* iifname SHARED oifname != SHARED ip6 daddr & ffff:ffff:ffff:ffff:: == @banned drop */
    {NFT_CHAIN_FORWARD, IP6, "to the banned", {IIF(SHARED), OIF_NOT(SHARED), TO_NETWORK_IN(BANNED), DROP}},
    /* iifname SHARED oifname != SHARED ip daddr @banned_prefixes drop */
    {NFT_CHAIN_FORWARD, ALWAYS, "to the banned", {IIF(SHARED), OIF_NOT(SHARED), TO_SET(BANNED_PREFIXES), DROP}},
    /*
     * GUEST-1: a list was tightened. Without its entry the flow would begin anew as egress with the backend's next
     * packet; so the entry stays, marked.
     */
    /* ct mark & 0x00400000 != 0x00000000 meta l4proto tcp reject with tcp reset */
    {NFT_CHAIN_FORWARD, LISTS, "connections that a list ended", {ENDED, PROTOCOL(IPPROTO_TCP), RESET}},
    /* ct mark & 0x00400000 != 0x00000000 drop */
    {NFT_CHAIN_FORWARD, LISTS, "flows that a list ended", {ENDED, DROP}},
    /*
     * A reset of the client's and its next SYN make conntrack forget the entry with its mark: what the backend sends
     * then, in the middle of a connection, would begin an egress flow.
     */
    /* iifname SHARED oifname != SHARED ct state new tcp flags ack reject with tcp reset */
    {NFT_CHAIN_FORWARD,
     LISTS,
     "no connection begins in its middle",
     {IIF(SHARED), OIF_NOT(SHARED), CT_STATE(STATE_NEW), TCP_FLAGS(TH_ACK), RESET}},
    /* tcp flags syn / syn,rst tcp option maxseg size set rt mtu */
    {NFT_CHAIN_FORWARD, ALWAYS, "segments fit the path", {TCP_SYN, CLAMP_SEGMENTS}},
    /*
     * SEE-4: in both directions, by the port that was asked for. Nobody but our maps translates what is forwarded
     * here. These end nothing, and errors about a flow (related) are no traffic of it.
     */
    /* meta l4proto tcp ct status dnat ct original proto-dst @traffic_tcp */
    {NFT_CHAIN_FORWARD,
     COUNTED,
     "traffic of exposed tcp ports",
     {PROTOCOL(IPPROTO_TCP), CT_STATUS(IPS_DST_NAT), ORIGINAL_PORT_IN(TRAFFIC_TCP)}},
    /* meta l4proto udp ct status dnat ct original proto-dst @traffic_udp */
    {NFT_CHAIN_FORWARD,
     COUNTED,
     "traffic of exposed udp ports",
     {PROTOCOL(IPPROTO_UDP), CT_STATUS(IPS_DST_NAT), ORIGINAL_PORT_IN(TRAFFIC_UDP)}},
    /* iifname EXT oifname SHARED ct state established,related accept */
    {NFT_CHAIN_FORWARD, ALWAYS, "replies to egress", {IIF(EXTERNAL), OIF(SHARED), CT_STATE(REPLIES), ACCEPT}},
    /* iifname EXT oifname SHARED ct status dnat accept */
    {NFT_CHAIN_FORWARD,
     ALWAYS,
     "inbound to exposed ports",
     {IIF(EXTERNAL), OIF(SHARED), CT_STATUS(IPS_DST_NAT), ACCEPT}},
    /* iifname SHARED oifname EXT ct state established,related,new accept */
    {NFT_CHAIN_FORWARD, EGRESS, "egress", {IIF(SHARED), OIF(EXTERNAL), CT_STATE(REPLIES | STATE_NEW), ACCEPT}},
    {NFT_CHAIN_FORWARD, NO_EGRESS, "egress", {IIF(SHARED), OIF(EXTERNAL), CT_STATE(REPLIES), ACCEPT}},
    /* iifname SHARED oifname SHARED ct status dnat accept */
    {NFT_CHAIN_FORWARD, ALWAYS, "hairpin", {IIF(SHARED), OIF(SHARED), CT_STATUS(IPS_DST_NAT), ACCEPT}},
    /* HOST-7; between the host and the LAN nothing passes. */
    /* iifname "anchost" oifname SHARED ct state established,related accept */
    {NFT_CHAIN_FORWARD, HOST | ALWAYS, "replies of the host", {IIF(HOST), OIF(SHARED), CT_STATE(REPLIES), ACCEPT}},
    /* iifname "anchost" oifname SHARED ct status dnat accept */
    {NFT_CHAIN_FORWARD,
     HOST | ALWAYS,
     "the host to exposed ports",
     {IIF(HOST), OIF(SHARED), CT_STATUS(IPS_DST_NAT), ACCEPT}},
    /* iifname SHARED oifname "anchost" ct state established,related,new accept */
    {NFT_CHAIN_FORWARD,
     HOST | EGRESS,
     "egress to the host",
     {IIF(SHARED), OIF(HOST), CT_STATE(REPLIES | STATE_NEW), ACCEPT}},
    {NFT_CHAIN_FORWARD, HOST | NO_EGRESS, "egress to the host", {IIF(SHARED), OIF(HOST), CT_STATE(REPLIES), ACCEPT}},
    /* What begins and is in none of these: segments of no connection are no news. */
    /* iifname SHARED oifname != SHARED ct state new counter name "refused_egress" drop */
    {NFT_CHAIN_FORWARD,
     NO_EGRESS,
     "no address to leave with",
     {IIF(SHARED), OIF_NOT(SHARED), CT_STATE(STATE_NEW), COUNT(EGRESS), DROP}},
    /* ct state new counter name "refused_isolation" */
    {NFT_CHAIN_FORWARD, ALWAYS, "no way of ours", {CT_STATE(STATE_NEW), COUNT(ISOLATION)}},

    /* chain input, policy drop, behind own_rules */
    /*
     * ct state invalid tcp flags rst,ack counter name "refused_stray" drop
     * WALL-4: a segment outside the window of a connection belongs, for conntrack, to none: it is not translated and
     * ends here, where a reset would end the connection at its other side, inbound and egress. A host would answer
     * with an ACK. What carries neither ACK nor RST (FIN, NULL, Xmas) can be no segment of an open connection: as a
     * probe of a closed port it gets its reset below. In conntrack's eyes a SYN-ACK and a FIN-ACK without a connection
     * are invalid, too: a host would reset them, we are silent.
     */
    {NFT_CHAIN_INPUT,
     ALWAYS,
     "stray segments",
     {CT_STATE(STATE_INVALID), TCP_FLAGS(TH_RST | TH_ACK), COUNT(STRAY), DROP}},
    /*
     * NAT-10's exceptions: what a host on a LAN hears besides its own address. ADDR-14: router advertisements from
     * inner interfaces are dropped (the policy).
     */
    /* iifname EXT udp sport 67 udp dport 68 accept */
    {NFT_CHAIN_INPUT, IP, "DHCP", {IIF(EXTERNAL), UDP_PORTS(DHCP4_SERVER_PORT, DHCP4_CLIENT_PORT), ACCEPT}},
    /* iifname EXT ip daddr 224.0.0.0/4 meta l4proto igmp accept */
    {NFT_CHAIN_INPUT, IP, "multicast membership", {IIF(EXTERNAL), TO(multicast4), PROTOCOL(IPPROTO_IGMP), ACCEPT}},
    /* iifname EXT udp sport 547 udp dport 546 accept */
    {NFT_CHAIN_INPUT, IP6, "DHCP", {IIF(EXTERNAL), UDP_PORTS(DHCP6_SERVER_PORT, DHCP6_CLIENT_PORT), ACCEPT}},
    /* iifname EXT icmpv6 type mld-listener-query-nd-redirect accept */
    {NFT_CHAIN_INPUT,
     IP6,
     "neighbours and routers",
     {IIF(EXTERNAL), ICMP_TYPES(MLD_TYPE_FIRST, NEIGHBOUR_REDIRECT_TYPE), ACCEPT}},
    /* iifname EXT ip6 daddr ff00::/8 meta l4proto ipv6-icmp accept */
    {NFT_CHAIN_INPUT, IP6, "multicast", {IIF(EXTERNAL), TO(multicast6), ICMP, ACCEPT}},
    /* iifname != EXT icmpv6 type mld-listener-query-nd-router-solicit accept */
    {NFT_CHAIN_INPUT,
     IP6,
     "inner multicast",
     {IIF_NOT(EXTERNAL), ICMP_TYPES(MLD_TYPE_FIRST, ROUTER_SOLICITATION_TYPE), ACCEPT}},
    /* iifname != EXT icmpv6 type nd-neighbor-solicit-nd-neighbor-advert accept */
    {NFT_CHAIN_INPUT,
     IP6,
     "inner neighbours",
     {IIF_NOT(EXTERNAL), ICMP_TYPES(NEIGHBOUR_SOLICITATION_TYPE, NEIGHBOUR_ADVERTISEMENT_TYPE), ACCEPT}},
    /*
     * iifname != EXT icmpv6 type nd-router-advert drop
     * ADDR-14: a router inside is none. RFC 4861 lets one advertise to a single host, and what is addressed to us on
     * its own network would be let in below.
     */
    {NFT_CHAIN_INPUT,
     IP6,
     "no router inside",
     {IIF_NOT(EXTERNAL), ICMP_TYPES(ROUTER_ADVERTISEMENT_TYPE, ROUTER_ADVERTISEMENT_TYPE), DROP}},
    /* iifname != EXT icmpv6 type nd-redirect drop */
    {NFT_CHAIN_INPUT,
     IP6,
     "no router inside",
     {IIF_NOT(EXTERNAL), ICMP_TYPES(NEIGHBOUR_REDIRECT_TYPE, NEIGHBOUR_REDIRECT_TYPE), DROP}},
    /*
     * NAT-11: like one machine's closed ports, for outsiders and for the project's own containers. Rejected here,
     * a flow leaves no conntrack entry behind that would pin a UDP client before its service comes.
     */
    /* ip daddr @external meta l4proto icmp accept */
    {NFT_CHAIN_INPUT, ALWAYS, "ping", {TO_EXTERNAL, ICMP, ACCEPT}},
    /* ip daddr @external ct mark & 0x00400000 != 0x00000000 reject with tcp reset: what a list or a limit counted */
    {NFT_CHAIN_INPUT, GUESTS, "refused guests", {TO_EXTERNAL, ENDED, PROTOCOL(IPPROTO_TCP), RESET}},
    /* ip daddr @external ct mark & 0x00400000 != 0x00000000 reject */
    {NFT_CHAIN_INPUT, GUESTS | IP, "refused guests", {TO_EXTERNAL, ENDED, REJECT(ICMP_PORT_UNREACH)}},
    {NFT_CHAIN_INPUT, GUESTS | IP6, "refused guests", {TO_EXTERNAL, ENDED, REJECT(ICMPV6_PORT_UNREACH)}},
    /* ip daddr @external meta l4proto tcp counter name "refused_closed" reject with tcp reset */
    {NFT_CHAIN_INPUT, ALWAYS, "closed tcp ports", {TO_EXTERNAL, PROTOCOL(IPPROTO_TCP), COUNT(CLOSED), RESET}},
    /* ip daddr @external meta l4proto udp counter name "refused_closed" reject */
    {NFT_CHAIN_INPUT,
     IP,
     "closed udp ports",
     {TO_EXTERNAL, PROTOCOL(IPPROTO_UDP), COUNT(CLOSED), REJECT(ICMP_PORT_UNREACH)}},
    {NFT_CHAIN_INPUT,
     IP6,
     "closed udp ports",
     {TO_EXTERNAL, PROTOCOL(IPPROTO_UDP), COUNT(CLOSED), REJECT(ICMPV6_PORT_UNREACH)}},
    /* ip daddr @external reject with icmp prot-unreachable */
    {NFT_CHAIN_INPUT, IP, "no such protocol", {TO_EXTERNAL, REJECT(ICMP_PROT_UNREACH)}},
    /* ip6 daddr @external reject */
    {NFT_CHAIN_INPUT, IP6, "no such protocol", {TO_EXTERNAL, REJECT(ICMPV6_PORT_UNREACH)}},
    /*
     * iifname != EXT fib daddr . iif type local accept
     * NAT-10, the strong host model: an inner address answers only on the network that it belongs to, and from
     * outside not at all. What is left is dropped by the policy.
     */
    {NFT_CHAIN_INPUT, ALWAYS, "inner address on its own network", {IIF_NOT(EXTERNAL), TO_LOCAL_ON_IIF, ACCEPT}},

    /*
     * chain output
     * NAT-9: a hairpin flow leaves where it came in, and the kernel tells the container of the shorter way, around the
     * NAT. IPv6 has no setting against it. NAT itself drops redirects about what it translated, but not about a flow's
     * first packet, which conntrack does not know yet when the redirect is made (net/ipv6/ip6_output.c: before the
     * hook `forward`).
     */
    /* icmp type redirect drop */
    {NFT_CHAIN_OUTPUT, IP, "one machine is no router", {ICMP_TYPES(ICMP_REDIRECT, ICMP_REDIRECT), DROP}},
    /* icmpv6 type nd-redirect drop */
    {NFT_CHAIN_OUTPUT,
     IP6,
     "one machine is no router",
     {ICMP_TYPES(NEIGHBOUR_REDIRECT_TYPE, NEIGHBOUR_REDIRECT_TYPE), DROP}},

    /* chain refuse_banned, chain refuse_forged: what was not for the project is not counted (SEE-4) */
    /* ip daddr @external counter name "refused_ban" */
    {NFT_CHAIN_REFUSE_BANNED, ALWAYS, "of the project", {TO_EXTERNAL, COUNT(BAN)}},
    {NFT_CHAIN_REFUSE_BANNED, ALWAYS, "nothing comes in", {DROP}},
    /* ip daddr @external counter name "refused_forged" */
    {NFT_CHAIN_REFUSE_FORGED, ALWAYS, "of the project", {TO_EXTERNAL, COUNT(FORGED)}},
    {NFT_CHAIN_REFUSE_FORGED, ALWAYS, "nothing comes in", {DROP}},
};

/*
 * WALL-3. Beside these, chain forward { policy drop; }. Which interface is which only Docker can tell, so none is
 * named: the first rules are what Docker's resolver on 127.0.0.11 and a Docker API behind TCP need, the others what an
 * interface needs to have addresses.
 */
static const struct nft_rule_text skeleton_rules[] = {
    /* udp sport 67 udp dport 68 accept */
    {NFT_CHAIN_INPUT, IP, "DHCP", {UDP_PORTS(DHCP4_SERVER_PORT, DHCP4_CLIENT_PORT), ACCEPT}},
    /* udp sport 547 udp dport 546 accept */
    {NFT_CHAIN_INPUT, IP6, "DHCP", {UDP_PORTS(DHCP6_SERVER_PORT, DHCP6_CLIENT_PORT), ACCEPT}},
    /* icmpv6 type 130-137 accept */
    {NFT_CHAIN_INPUT, IP6, "neighbours and routers", {ICMP_TYPES(MLD_TYPE_FIRST, NEIGHBOUR_REDIRECT_TYPE), ACCEPT}},
};

static bool is_there(const struct nft_rule_context *context, uint32_t when)
{
    bool is_v4 = context->family->family == IP_FAMILY_4;
    bool has_global = context->view->egress6_global.family;
    bool has_unique_local = context->view->egress6_unique_local.family;

    if (when & HOST && (context->view->host_name[0] == '\0' || (is_v4 && !context->view->egress4.family)))
        return false;
    if (when & GUESTS && context->guests->count == 0)
        return false;
    switch (when & ~(uint32_t)(HOST | GUESTS)) {
    case IP:
        return is_v4;
    case IP6:
        return !is_v4;
    case EGRESS:
        return is_v4 || has_global || has_unique_local;
    case NO_EGRESS:
        return !is_v4 && !has_global && !has_unique_local;
    case IP6_EGRESS:
        return !is_v4 && (has_global || has_unique_local);
    case IP6_EGRESSES:
        return !is_v4 && has_global && has_unique_local;
    case COUNTED:
        return context->counts_ports;
    case LISTS:
        return guest_list_count(context->guests, GUEST_PORTS) > 0;
    default: /* ALWAYS, EACH_… */
        return true;
    }
}

static void add_limit_rules(const struct nft_rule_context *context, const struct nft_rule_text *rule)
{
    for (size_t i = 0; i < context->guests->count; i++) {
        const struct wire_guest *limit = &context->guests->items[i];
        uint32_t when = limit->protocol == IPPROTO_TCP ? EACH_TCP_LIMIT : EACH_UDP_LIMIT;

        if (limit->kind == GUEST_LIMIT && (rule->when == EACH_LIMIT || rule->when == when))
            nft_statement_add_rule(context, rule, NULL, limit);
    }
}

static void add_rules(const struct nft_rule_context *context, const struct nft_rule_text *rules, size_t count)
{
    size_t index = family_index_from_family(context->family->family);

    for (size_t i = 0; i < count; i++) {
        if (rules[i].when == EACH_LIMIT || rules[i].when == EACH_TCP_LIMIT || rules[i].when == EACH_UDP_LIMIT)
            add_limit_rules(context, &rules[i]);
        else if (rules[i].when != EACH_INNER && is_there(context, rules[i].when))
            nft_statement_add_rule(context, &rules[i], NULL, NULL);
        for (size_t j = 0; rules[i].when == EACH_INNER && j < context->view->inner_count[index]; j++)
            nft_statement_add_rule(context, &rules[i], &context->view->inner[index][j], NULL);
    }
}

void nft_rules_add(struct nft_batch *batch, const struct nft_family *family, const char *table,
                   const struct network_view *view, const struct guest_list *guests, bool counts_ports)
{
    const struct nft_rule_context context = {batch, family, table, view, guests, counts_ports};

    add_rules(&context, own_rules, ARRAY_LENGTH(own_rules));
    add_rules(&context, table_rules, ARRAY_LENGTH(table_rules));
}

void nft_rules_add_skeleton(struct nft_batch *batch, const struct nft_family *family)
{
    static const struct network_view nothing;
    static const struct guest_list nobody;
    const struct nft_rule_context context = {batch, family, NFT_SKELETON_TABLE, &nothing, &nobody, false};

    add_rules(&context, own_rules, ARRAY_LENGTH(own_rules));
    add_rules(&context, skeleton_rules, ARRAY_LENGTH(skeleton_rules));
}
