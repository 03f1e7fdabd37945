/*
 * The names and shapes of our nftables objects in both families: one place for builders, dump and monitor.
 *
 * Used by the ruleset half of anchord-netadmin only. The names are constants: none ever comes from a message
 * (SPEC §3).
 */
#pragma once

#include "protocol/guest_list.h"
#include "protocol/refusals.h"
#include "workers/netadmin/plan/port_ledger.h"

#include <stdbool.h>
#include <stdint.h>

/* What differs between `ip anchord_v4` and `ip6 anchord_v6`. */
struct nft_family {
    uint8_t family;   /* enum ip_family */
    uint8_t nfproto;  /* NFPROTO_IPV4, NFPROTO_IPV6 (linux/netfilter.h) */
    const char *name; /* as nft writes it: ip, ip6 */
    const char *table;
    uint32_t address_length;
    uint32_t source_offset; /* in the IP header */
    uint32_t destination_offset;
    uint32_t address_type; /* nft's number of ipv4_addr, ipv6_addr (nftables include/datatype.h) */
    uint8_t icmp_protocol;
};

/* Of both families: what keeps the namespace closed while those tables are not there (WALL-3). */
#define NFT_SKELETON_TABLE "anchord_skeleton"
/* Of anchord-explain, which owns it; a kernel before 5.12 knows no owner, and keeps it when that is killed. */
#define NFT_TRACE_TABLE "anchord_trace"

/*
 * The layout of both tables: raised with every change that a program of before would misread when it adopts them
 * (NAT-14). It stands in the userdata of the set `external`, as a type that nft passes over; 0 is what has none.
 */
#define NFT_LAYOUT      UINT32_C(2)
#define NFT_LAYOUT_TYPE UINT8_C(110) /* 'n'; nft's own types of a set's userdata are below 8 (libnftnl/udata.h) */

/* By FAMILY_INDEX_… */
extern const struct nft_family nft_families[FAMILY_INDEX_MAX_];

struct nft_chain {
    const char *name;
    const char *type; /* NULL: no base chain, and nothing of the below; rules go to it */
    uint32_t hook;    /* NF_INET_… */
    int32_t priority; /* NF_IP_PRI_… and offsets from them */
    uint32_t policy;  /* NF_ACCEPT, NF_DROP */
};

enum nft_chain_index {
    NFT_CHAIN_PREROUTING_RAW,
    NFT_CHAIN_PREROUTING_NAT,
    NFT_CHAIN_OUTPUT_NAT,
    NFT_CHAIN_POSTROUTING_NAT,
    NFT_CHAIN_PREROUTING_FILTER,
    NFT_CHAIN_FORWARD_TTL,
    NFT_CHAIN_FORWARD,
    NFT_CHAIN_INPUT,
    NFT_CHAIN_OUTPUT,
    NFT_CHAIN_REFUSE_BANNED,
    NFT_CHAIN_REFUSE_FORGED,
    NFT_CHAIN_INDEX_MAX_,
};
extern const struct nft_chain nft_chains[NFT_CHAIN_INDEX_MAX_];

/* The counters of the tables (SEE-4), which stay with their values when the rules are replaced. */
extern const char *const nft_counter_names[REFUSAL_MAX_];

enum nft_set_index {
    NFT_SET_EXTERNAL,
    NFT_SET_DNAT_TCP,
    NFT_SET_DNAT_UDP,
    NFT_SET_TRAFFIC_TCP, /* the same ports, to count what goes through them (SEE-4) */
    NFT_SET_TRAFFIC_UDP,
    NFT_SET_LISTED,  /* the ports that have lists; these two only where there are lists (GUEST-1) */
    NFT_SET_ALLOWED, /* and the sources on them */
    NFT_SET_BANNED,  /* from here on: bans; the order of enum ban_kind, singles before prefixes */
    NFT_SET_BANNED_PREFIXES,
    NFT_SET_BANNED_NEW,
    NFT_SET_BANNED_NEW_PREFIXES,
    NFT_SET_INDEX_MAX_,
};
extern const char *const nft_set_names[NFT_SET_INDEX_MAX_];

/* The set's definition in nft's numbers. */
struct nft_set_shape {
    uint32_t flags;
    uint32_t key_type;
    uint32_t key_length;
    uint32_t data_type; /* 0 for a set */
    uint32_t data_length;
    uint8_t fields[3]; /* lengths of a concatenation's, as far as intervals are concerned */
    uint8_t field_count;
    bool counts; /* its elements do, where the kernel has that: Linux 5.7 */
};
struct nft_set_shape nft_set_shape_of(const struct nft_family *family, enum nft_set_index set);

/* The set that holds the ban: the single ones in a hash table, the prefixes as intervals (GUEST-2). */
enum nft_set_index nft_set_of_ban(const struct wire_ban *ban);
/* Of the sources of one limit (GUEST-3): its name says all of it, which stands in the userdata, too. */
#define NFT_LIMIT_NAME_SIZE 48
#define NFT_LIMIT_TYPE      UINT8_C(111)
#define NFT_LIMIT_SOURCES   65536
#define NFT_LIMIT_SET_FLAGS (NFT_SET_TIMEOUT | NFT_SET_EVAL)
const char *nft_limit_name(const struct wire_guest *limit, char name[NFT_LIMIT_NAME_SIZE]);

/* A bit of ours in the mark of flows that a list has ended; other people's bits stay. */
#define NFT_ENDED_MARK UINT32_C(0x00400000)

/* The map of PROTOCOL_INDEX_… */
enum nft_set_index nft_map_of_protocol(size_t protocol_index);
/* What counts for one map of it, enum port_counter. */
enum nft_set_index nft_counting_set(size_t protocol_index, enum port_counter counter);
