/*
 * Who is banned (GUEST-2): the part of messages.h about anchord-bans. Included by messages.h, which is the one to
 * include.
 *
 * Two conversations. With whoever bans, over the ban sockets: one request, one answer. With netadmin: at LINK it says
 * what it holds, the whole list answers, and differences from then on; the next one travels when APPLIED has answered
 * the last. With each change it says (PROJECT_ADDRESSES) which addresses nobody should ban: the gateways', and our own.
 */
#pragma once

#include "protocol/messages_parts.h"

#define BANS_MAX           131072
#define BAN_PREFIXES_MAX   1024 /* what is neither one IPv4 address, one IPv6 address, nor a /64 */
#define BANS_PER_MESSAGE   512
#define BAN_REASON_SIZE    64
#define BANS_LISTED_MAX    128 /* per message */
#define BAN_PREFIX4_LEAST  8   /* a shorter one would ban a good part of the world: nobody means that */
#define BAN_PREFIX6_LEAST  16
#define BAN_NETWORK6       64 /* what one IPv6 address bans */
#define BAN_SECONDS_MAX    (UINT64_C(10) * 366 * 24 * 3600)
#define BAN_DIRECTORY_SIZE 256

enum ban_kind {
    BAN_ALL = 1,  /* every packet, so that open flows end */
    BAN_NEW_ONLY, /* what begins from now on */
    BAN_KIND_MAX_,
};

/* Host bits are zero. In lists sorted by kind, family, bytes, prefix length; none twice. */
struct wire_ban {
    uint8_t kind;   /* enum ban_kind */
    uint8_t family; /* enum ip_family */
    uint8_t bytes[16];
    uint8_t prefix_length;
    uint8_t is_removed; /* 0 or 1; 0 in a whole list */
};

struct message_bans { /* BANS_ITEMS, between BANS_BEGIN or BAN_CHANGES_BEGIN and BANS_COMMIT */
    struct message_header header;
    uint32_t item_count; /* 1 … BANS_PER_MESSAGE */
    uint32_t reserved;
    struct wire_ban items[];
};

struct message_bans_applied { /* header.generation: that of the COMMIT */
    struct message_header header;
    int32_t error; /* 0, or a negative errno: it is not in the kernel */
    uint32_t reserved;
    char reason[REASON_SIZE]; /* empty without an error */
};

struct message_configure_bans {
    struct message_header header;
    uint32_t log_level;  /* enum log_level */
    uint32_t is_lasting; /* 0 or 1: the directory outlives the container */
};

struct message_ban_listener { /* BAN_LISTENER; one descriptor travels with it: a listening unix socket */
    struct message_header header;
    uint32_t is_roots; /* 0 or 1: nobody but root may open it */
    uint32_t reserved;
};

enum ban_operation {
    BAN_OPERATION_ADD = 1,
    BAN_OPERATION_DELETE,
    BAN_OPERATION_FLUSH,
    BAN_OPERATION_LIST, /* those behind `ban`, or from the first on without one; ordered by family, bytes, prefix */
    BAN_OPERATION_ADD_FORCED, /* also what has the gateway or an address of ours in it; over root's socket alone */
    BAN_OPERATION_MAX_,
};

struct message_ban_request {
    struct message_header header;
    uint32_t operation; /* enum ban_operation */
    struct wire_ban ban;
    uint64_t seconds; /* from now on; 0: for good */
    char reason[BAN_REASON_SIZE];
};

struct message_ban_answer {
    struct message_header header;
    int32_t error;       /* 0, or a negative errno */
    uint32_t count;      /* bans that were added, changed, removed */
    uint32_t is_lasting; /* 0 or 1: they outlive the container */
    uint32_t reserved;
    char reason[REASON_SIZE]; /* empty without an error */
};

struct wire_listed_ban {
    struct wire_ban ban;
    uint32_t reserved;
    uint64_t until; /* seconds since 1970; 0: for good */
    uint64_t added;
    char reason[BAN_REASON_SIZE];
};

struct message_bans_listed { /* the answer to LIST, while there are more; then BAN_ANSWER */
    struct message_header header;
    uint32_t item_count; /* 1 … BANS_LISTED_MAX */
    uint32_t reserved;
    struct wire_listed_ban items[];
};

static_assert(sizeof(struct wire_ban) == 20, "wire layout");
static_assert(offsetof(struct message_bans, items) == 32, "wire layout");
static_assert(sizeof(struct message_bans_applied) == 32 + REASON_SIZE, "wire layout");
static_assert(sizeof(struct message_ban_listener) == 32, "wire layout");
static_assert(sizeof(struct message_ban_request) == 24 + 24 + 8 + BAN_REASON_SIZE, "wire layout");
static_assert(sizeof(struct message_ban_answer) == 40 + REASON_SIZE, "wire layout");
static_assert(sizeof(struct wire_listed_ban) == 24 + 16 + BAN_REASON_SIZE, "wire layout");
static_assert(sizeof(struct message_bans) + BANS_PER_MESSAGE * sizeof(struct wire_ban) <= MESSAGE_LENGTH_MAX,
              "a full message of bans fits");
static_assert(sizeof(struct message_bans_listed) + BANS_LISTED_MAX * sizeof(struct wire_listed_ban) <=
                  MESSAGE_LENGTH_MAX,
              "a full message of listed bans fits");

/* Orders by kind, family, bytes, prefix length: <0, 0, >0. */
int wire_ban_compare(const struct wire_ban *a, const struct wire_ban *b);

struct ip_subnet wire_ban_subnet(const struct wire_ban *ban);

/* Whether `outer` has all addresses of `inner`; the kind is another question. */
bool wire_ban_contains(const struct wire_ban *outer, const struct wire_ban *inner);

/*
 * Whether a table of single keys holds it: one IPv4 address, a /64, and one IPv6 address unless it looks like a /64's
 * first address. The others are prefixes, of which there are BAN_PREFIXES_MAX at most.
 */
bool wire_ban_is_single(const struct wire_ban *ban);
