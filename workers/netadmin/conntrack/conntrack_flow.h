/*
 * Conntrack entries on netlink: how one is read, asked for and deleted.
 *
 * Used by conntrack.c only, inside anchord-netadmin with CAP_NET_ADMIN.
 */
#pragma once

#include "workers/netadmin/nft/nfnl_socket.h"
#include "workers/netadmin/nft/nft_names.h"

/* Room for a raw CTA_TUPLE_ORIG: two IPv6 addresses, protocol and ports with their headers need 88 bytes. */
#define CONNTRACK_TUPLE_SIZE 128

struct conntrack_flow {
    uint8_t protocol;
    uint32_t status; /* IPS_… */
    uint32_t id;
    uint32_t mark;
    uint16_t original_port; /* destination port as the client sent it, host order */
    uint16_t reply_port;    /* source port of the answers: the backend's */
    struct ip_address original_source;
    struct ip_address original_destination;
    struct ip_address reply_source;               /* the backend */
    struct ip_address reply_destination;          /* where answers go: the client, or the address we masqueraded with */
    uint8_t original_tuple[CONNTRACK_TUPLE_SIZE]; /* as the kernel sent it: the key for deletion */
    uint16_t original_tuple_length;
};

/* Returns 0, or -EBADMSG for an entry that is neither TCP nor UDP over the family's addresses. */
int conntrack_flow_parse(const struct nlmsghdr *message, const struct nft_family *family, struct conntrack_flow *ret)
    __attribute__((warn_unused_result));

/*
 * How many entries this network namespace has, those of packets that are still on their way included. Cheap, unlike a
 * dump. Returns 0 or a negative errno.
 */
int conntrack_flow_count(struct nfnl_socket *socket, uint32_t *ret) __attribute__((warn_unused_result));

/*
 * Asks for the family's entries. With a protocol (not 0) the kernel is asked for those alone whose original
 * destination port is `port`; an older kernel sends all, so the receiver must look itself. Addresses are never
 * filtered by the kernel: it inverts the match for IPv6 (measured).
 */
int conntrack_flow_dump(struct nfnl_socket *socket, const struct nft_family *family, uint8_t protocol, uint16_t port,
                        nfnl_message_handler on_message, void *userdata) __attribute__((warn_unused_result));

/* Sets NFT_ENDED_MARK in its mark, or clears it. Returns as below. */
int conntrack_flow_mark(struct nfnl_socket *socket, const struct nft_family *family, const struct conntrack_flow *flow,
                        bool is_ended) __attribute__((warn_unused_result));

/* Deletes exactly this entry. Returns 0; -ENOENT when it has gone by itself. */
int conntrack_flow_delete(struct nfnl_socket *socket, const struct nft_family *family,
                          const struct conntrack_flow *flow) __attribute__((warn_unused_result));
