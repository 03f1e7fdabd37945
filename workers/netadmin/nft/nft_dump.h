/*
 * What the kernel holds of our two tables: for adoption after a crash (NAT-14), for repair (NAT-15) and for the
 * report to the watcher (NAT-6).
 *
 * Called by ruleset.c inside anchord-netadmin; asks the kernel through the request socket, changes nothing.
 */
#pragma once

#include "workers/netadmin/nft/nfnl_socket.h"
#include "workers/netadmin/nft/nft_names.h"
#include "workers/netadmin/plan/map_state.h"
#include "workers/netadmin/plan/packet_count.h"

#include <linux/netfilter/nf_tables.h>

enum nft_object_kind {
    NFT_OBJECT_SET,
    NFT_OBJECT_CHAIN,
    NFT_OBJECT_STATEFUL, /* a counter of another name, quota … */
    NFT_OBJECT_FLOWTABLE,
};

/* Something in our table that is not ours, or has our name and another shape. */
struct nft_intruder {
    enum nft_object_kind kind;
    uint32_t type; /* of a stateful object: NFT_OBJECT_… of the kernel */
    char name[NFT_NAME_MAXLEN];
};

struct nft_table_content {
    bool exists;
    bool has_skeleton;   /* NFT_SKELETON_TABLE beside it */
    bool has_left_trace; /* NFT_TRACE_TABLE, which nobody owns */
    uint32_t flags;
    uint32_t layout; /* NFT_LAYOUT of whoever made the table; 0: before there was one, or no table */
    /* True for the sets that exist with our shape and layout: the others are made anew. */
    bool has_set[NFT_SET_INDEX_MAX_];
    bool counts[NFT_SET_INDEX_MAX_]; /* of those: whether their elements do */
    bool has_older_external; /* with our shape, and of an older layout, whose elements meant the same: they are read */
    struct packet_count refused[REFUSAL_MAX_]; /* zero: or not there */
    struct nft_intruder *intruders;            /* any number: what is left out could hold what shall go */
    size_t intruder_count;
    size_t intruder_capacity;
    struct map maps[PROTOCOL_INDEX_MAX_];    /* sorted */
    struct map traffic[PROTOCOL_INDEX_MAX_]; /* likewise; ports alone */
    struct port_values values;               /* what the elements of all these have counted; sorted */
    struct guest_list guests;                /* sorted */
    struct ip_address *external;             /* others may have added any number; of an older layout, too */
    size_t external_count;
    size_t external_capacity;
};

/*
 * Reads one family's table; *ret must be clear. A table that is not there is no error. Returns 0, or a negative
 * errno with *ret clear.
 */
int nft_dump_table(struct nfnl_socket *socket, const struct nft_family *family, struct nft_table_content *ret)
    __attribute__((warn_unused_result));
/* As nft_dump_table(), but only which tables there are, and their flags: an adopted map takes its time to read. */
int nft_dump_presence(struct nfnl_socket *socket, const struct nft_family *family, struct nft_table_content *ret)
    __attribute__((warn_unused_result));

/* Hands on what the elements of these ports have counted, or of all with `ports` NULL; one that is not there is no
 * error. Returns 0 or a negative errno; -EINTR: somebody's commit came between. */
int nft_dump_counted(struct nfnl_socket *socket, const struct nft_family *family, size_t protocol_index,
                     enum port_counter counter, const struct map *ports,
                     int (*on_value)(const struct port_value *value, void *userdata), void *userdata)
    __attribute__((warn_unused_result));
/* Likewise the counters of refusals. */
int nft_dump_refused(struct nfnl_socket *socket, const struct nft_family *family, struct packet_count ret[REFUSAL_MAX_])
    __attribute__((warn_unused_result));

/* Asks once for the elements of one set, for workers/nftables/set_reading.h. -EINTR: somebody's commit came between. */
int nft_dump_elements(struct nfnl_socket *socket, const struct nft_family *family, enum nft_set_index index,
                      nfnl_message_handler on_message, void *userdata) __attribute__((warn_unused_result));

void nft_table_content_clear(struct nft_table_content *content);
DEFINE_POINTER_CLEANUP(struct nft_table_content, nft_table_content_clear, nft_table_content_clearp);
