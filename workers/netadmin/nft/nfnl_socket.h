/*
 * One NETLINK_NETFILTER socket for requests: dumps, single requests, and batches of nftables changes.
 *
 * Used by the ruleset half of anchord-netadmin (nftables and conntrack are two subsystems of one netlink
 * family). Needs CAP_NET_ADMIN at each send. Blocking on purpose: the kernel does the whole work inside
 * sendto() and the answer is there when it returns (measured), so there is nothing to wait for elsewhere.
 */
#pragma once

#include "common/cleanup.h"
#include "workers/netadmin/nft/nft_batch.h"

#include <libmnl/libmnl.h>
#include <stdint.h>

struct nfnl_socket;

/* A bound NETLINK_NETFILTER socket, close-on-exec, with more SOCK_… flags. Returns 0 or a negative errno. */
int nfnl_socket_open(int flags, struct mnl_socket **ret) __attribute__((warn_unused_result));

/* Opens the socket; before the sandbox is sealed. Returns 0 or a negative errno. */
int nfnl_socket_new(struct nfnl_socket **ret) __attribute__((warn_unused_result));
struct nfnl_socket *nfnl_socket_free(struct nfnl_socket *socket);
DEFINE_POINTER_CLEANUP(struct nfnl_socket, (void)nfnl_socket_free, nfnl_socket_freep);

/* The netlink port that the kernel names as the sender of our changes. */
uint32_t nfnl_socket_port(const struct nfnl_socket *socket);

/*
 * Sends one request and hands each answering message to `on_message` (which returns a negative errno to fail
 * the request, after the answer has been read to its end). Sequence number and NLM_F_ACK are set here.
 * Returns 0, or a negative errno: the kernel's, -EINTR when a dump was interrupted by a change (start over),
 * -ENOBUFS when messages were lost, -ETIMEDOUT when the kernel did not answer.
 */
typedef int (*nfnl_message_handler)(const struct nlmsghdr *message, void *userdata);
int nfnl_socket_request(struct nfnl_socket *socket, struct nlmsghdr *request, nfnl_message_handler on_message,
                        void *userdata) __attribute__((warn_unused_result));

/* Of an nftables message, its attribute `type`, one of the first three: as a string, or NULL; as a number, or 0. */
const char *nfnl_socket_read_text(const struct nlmsghdr *message, uint16_t type);
uint32_t nfnl_socket_read_u32(const struct nlmsghdr *message, uint16_t type);

/* Which operation of a batch the kernel refused: what the log and the peer are told. */
struct nft_failure {
    int error; /* negative errno */
    char operation[NFT_OPERATION_TEXT_SIZE];
};

/*
 * Commits a batch in one transaction. Only when the kernel's socket buffer cannot take it in one sendmsg, or it is in
 * pieces, it is cut at its group boundaries into several, each atomic. Returns 0, or a negative errno with *failure
 * filled; after -ENOBUFS and -ETIMEDOUT it is not known whether the batch was committed.
 */
int nfnl_socket_commit(struct nfnl_socket *socket, struct nft_batch *batch, struct nft_failure *failure)
    __attribute__((warn_unused_result));
