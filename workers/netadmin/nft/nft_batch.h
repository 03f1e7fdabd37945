/*
 * A growing list of nftables messages that become one transaction.
 *
 * Built by nft_table.c and nft_elements.c, sent by nfnl_socket.c; no system call here. An error while
 * building (memory) sticks to the batch, so that builders need no checks of their own; it fails at commit.
 */
#pragma once

#include "common/cleanup.h"

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "add rule ip anchord_v4 postrouting_nat: …" */
#define NFT_OPERATION_TEXT_SIZE 128

/* Room that every message has for its payload: libnftnl writes without a bound. The largest one that is built
 * here, NFT_ELEMENTS_PER_MESSAGE elements of 44 bytes, needs 22 kB. */
#define NFT_MESSAGE_ROOM 32768

/*
 * How long each transaction of a batch in pieces is: some 3,000 elements. While a transaction is committed the kernel
 * holds a message about each element of it, 8 kB each, if anybody listens in any namespace: 850 MB for 100,000 of them,
 * which take two to four times as long as in pieces (measured).
 */
#define NFT_PIECE_LENGTH 65536

struct nft_operation {
    size_t offset; /* of the message in `bytes` */
    bool starts_group;
    char text[NFT_OPERATION_TEXT_SIZE];
};

/* Zero is empty. */
struct nft_batch {
    uint8_t *bytes;
    size_t capacity;
    size_t length; /* without the last message, which may still grow */
    struct nft_operation *operations;
    size_t operation_count;
    size_t operation_capacity;
    bool next_starts_group;
    bool is_in_pieces; /* nobody minds when its groups become several transactions: see NFT_PIECE_LENGTH */
    int error;
};

void nft_batch_clear(struct nft_batch *batch);

/*
 * Starts a message: `type` is NFT_MSG_…, `family` NFPROTO_…, `flags` NLM_F_… besides NLM_F_REQUEST. The text
 * names operation and object for errors. The caller appends the payload before it calls anything else.
 */
struct nlmsghdr *nft_batch_add(struct nft_batch *batch, uint16_t type, uint8_t family, uint16_t flags,
                               const char *format, ...) __attribute__((format(printf, 5, 6)));

/* The messages from here on may go into another transaction than those before, if all do not fit into one. */
void nft_batch_start_group(struct nft_batch *batch);

/* The first error sticks. */
void nft_batch_fail(struct nft_batch *batch, int error);

/* Where the payload of operation `index` ends; index == operation_count is the end of the batch. */
size_t nft_batch_offset(const struct nft_batch *batch, size_t index);
