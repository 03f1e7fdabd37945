/* The words that nft writes; see symbols.h. Runs in anchord-ruleset. */
#include "workers/commands/ruleset/symbols.h"

#include "common/cleanup.h"

#include <netinet/in.h> /* before linux/netfilter.h, which then leaves its types alone */

#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/rtnetlink.h>
#include <stdio.h>

/* nft names a priority that is at most this far from one with a name (nftables src/rule.c). */
#define PRIORITY_REACH 10

const char *symbol_protocol(uint8_t protocol)
{
    switch (protocol) {
    case IPPROTO_ICMP:
        return "icmp";
    case IPPROTO_IGMP:
        return "igmp";
    case IPPROTO_TCP:
        return "tcp";
    case IPPROTO_UDP:
        return "udp";
    case IPPROTO_ICMPV6:
        return "ipv6-icmp";
    default:
        return NULL;
    }
}

static const char *format_bits(uint32_t mask, const char *const names[], size_t count, char text[SYMBOL_BITS_SIZE])
{
    size_t length = 0;

    for (size_t bit = 0; bit < 32; bit++) {
        if (!(mask & UINT32_C(1) << bit))
            continue;
        if (bit >= count || !names[bit])
            return NULL;
        length += (size_t)snprintf(text + length, SYMBOL_BITS_SIZE - length, "%s%s", length > 0 ? "," : "", names[bit]);
    }
    return length > 0 ? text : NULL;
}

const char *symbol_ct_status(uint32_t mask, char text[SYMBOL_BITS_SIZE])
{
    /* linux/netfilter/nf_conntrack_common.h: IPS_…_BIT */
    static const char *const names[] = {
        "expected", "seen-reply", "assured", "confirmed", "snat", "dnat", NULL, NULL, NULL, "dying",
    };

    return format_bits(mask, names, ARRAY_LENGTH(names), text);
}

const char *symbol_ct_state(uint32_t mask, char text[SYMBOL_BITS_SIZE])
{
    /* NF_CT_STATE_BIT() of net/netfilter/nft_ct.c */
    static const char *const names[] = {"invalid", "established", "related", "new", NULL, NULL, "untracked"};

    return format_bits(mask, names, ARRAY_LENGTH(names), text);
}

const char *symbol_tcp_flags(uint8_t mask, char text[SYMBOL_BITS_SIZE])
{
    /* RFC 9293 §3.1, RFC 3168 §6.1 */
    static const char *const names[] = {"fin", "syn", "rst", "psh", "ack", "urg", "ecn", "cwr"};

    return format_bits(mask, names, ARRAY_LENGTH(names), text);
}

const char *symbol_icmp_type(uint8_t type)
{
    /* IANA's ICMP types; nftables src/proto.c has these names */
    static const char *const names[] = {
        [0] = "echo-reply",           [3] = "destination-unreachable",
        [4] = "source-quench",        [5] = "redirect",
        [8] = "echo-request",         [9] = "router-advertisement",
        [10] = "router-solicitation", [11] = "time-exceeded",
        [12] = "parameter-problem",   [13] = "timestamp-request",
        [14] = "timestamp-reply",     [15] = "info-request",
        [16] = "info-reply",          [17] = "address-mask-request",
        [18] = "address-mask-reply",
    };

    return type < ARRAY_LENGTH(names) ? names[type] : NULL;
}

const char *symbol_icmpv6_type(uint8_t type)
{
    /* IANA's ICMPv6 types; nftables src/proto.c has these names */
    static const char *const names[] = {
        [1] = "destination-unreachable", [2] = "packet-too-big",        [3] = "time-exceeded",
        [4] = "parameter-problem",       [128] = "echo-request",        [129] = "echo-reply",
        [130] = "mld-listener-query",    [131] = "mld-listener-report", [132] = "mld-listener-done",
        [133] = "nd-router-solicit",     [134] = "nd-router-advert",    [135] = "nd-neighbor-solicit",
        [136] = "nd-neighbor-advert",    [137] = "nd-redirect",         [138] = "router-renumbering",
        [141] = "ind-neighbor-solicit",  [142] = "ind-neighbor-advert", [143] = "mld2-listener-report",
    };

    return type < ARRAY_LENGTH(names) ? names[type] : NULL;
}

const char *symbol_reject(uint8_t nfproto, uint8_t code)
{
    /* RFC 792, RFC 1812 §5.2.7.1; RFC 4443 §3.1 */
    static const char *const icmp[] = {
        " with icmp net-unreachable",
        " with icmp host-unreachable",
        " with icmp prot-unreachable",
        "",
        NULL,
        NULL,
        NULL,
        NULL,
        NULL,
        " with icmp net-prohibited",
        " with icmp host-prohibited",
        NULL,
        NULL,
        " with icmp admin-prohibited",
    };
    static const char *const icmpv6[] = {
        " with icmpv6 no-route", " with icmpv6 admin-prohibited", NULL, " with icmpv6 addr-unreachable", "",
    };

    if (nfproto == NFPROTO_IPV4)
        return code < ARRAY_LENGTH(icmp) ? icmp[code] : NULL;
    return code < ARRAY_LENGTH(icmpv6) ? icmpv6[code] : NULL;
}

const char *symbol_hook(uint32_t hook)
{
    static const char *const names[] = {
        [NF_INET_PRE_ROUTING] = "prerouting", [NF_INET_LOCAL_IN] = "input",           [NF_INET_FORWARD] = "forward",
        [NF_INET_LOCAL_OUT] = "output",       [NF_INET_POST_ROUTING] = "postrouting",
    };

    return hook < ARRAY_LENGTH(names) ? names[hook] : NULL;
}

const char *symbol_priority(uint32_t hook, int32_t priority, char text[SYMBOL_PRIORITY_SIZE])
{
    static const struct {
        const char *name;
        int32_t priority;
        int32_t only_hook; /* or -1 */
    } names[] = {
        {"raw", NF_IP_PRI_RAW, -1},
        {"mangle", NF_IP_PRI_MANGLE, -1},
        {"dstnat", NF_IP_PRI_NAT_DST, NF_INET_PRE_ROUTING},
        {"filter", NF_IP_PRI_FILTER, -1},
        {"security", NF_IP_PRI_SECURITY, -1},
        {"srcnat", NF_IP_PRI_NAT_SRC, NF_INET_POST_ROUTING},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        int64_t offset = (int64_t)priority - names[i].priority;

        if (offset > PRIORITY_REACH || offset < -PRIORITY_REACH ||
            (names[i].only_hook >= 0 && names[i].only_hook != (int32_t)hook))
            continue;
        if (offset == 0)
            (void)snprintf(text, SYMBOL_PRIORITY_SIZE, "%s", names[i].name);
        else
            (void)snprintf(text, SYMBOL_PRIORITY_SIZE, "%s %c %d", names[i].name, offset > 0 ? '+' : '-',
                           (int)(offset > 0 ? offset : -offset));
        return text;
    }
    (void)snprintf(text, SYMBOL_PRIORITY_SIZE, "%d", priority);
    return text;
}

const char *symbol_address_type(uint32_t type)
{
    static const char *const names[] = {
        [RTN_UNICAST] = "unicast",         [RTN_LOCAL] = "local",         [RTN_BROADCAST] = "broadcast",
        [RTN_ANYCAST] = "anycast",         [RTN_MULTICAST] = "multicast", [RTN_BLACKHOLE] = "blackhole",
        [RTN_UNREACHABLE] = "unreachable", [RTN_PROHIBIT] = "prohibit",
    };

    return type < ARRAY_LENGTH(names) ? names[type] : NULL;
}
