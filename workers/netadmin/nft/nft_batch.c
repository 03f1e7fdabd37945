/* A list of nftables messages that become one transaction; see nft_batch.h. Runs in anchord-netadmin. */
#include "workers/netadmin/nft/nft_batch.h"

#include <libnftnl/common.h>
#include <linux/netfilter/nf_tables.h>
#include <stdarg.h>
#include <stdio.h>

int nft_batch_initialise(struct nft_batch *batch)
{
    batch->bytes = malloc(NFT_MESSAGE_ROOM);
    batch->operations = calloc(64, sizeof(*batch->operations));
    if (!batch->bytes || !batch->operations) {
        nft_batch_clear(batch);
        return -ENOMEM;
    }
    batch->capacity = NFT_MESSAGE_ROOM;
    batch->operation_capacity = 64;
    return 0;
}

void nft_batch_clear(struct nft_batch *batch)
{
    free(batch->bytes);
    free(batch->operations);
    *batch = (struct nft_batch){0};
}

void nft_batch_fail(struct nft_batch *batch, int error)
{
    if (!batch->error)
        batch->error = error;
}

void nft_batch_start_group(struct nft_batch *batch)
{
    batch->next_starts_group = true;
}

size_t nft_batch_offset(const struct nft_batch *batch, size_t index)
{
    const struct nft_operation *last;

    if (index < batch->operation_count)
        return batch->operations[index].offset;
    if (batch->operation_count == 0)
        return 0;
    last = &batch->operations[batch->operation_count - 1];
    return last->offset + NLMSG_ALIGN(((const struct nlmsghdr *)(batch->bytes + last->offset))->nlmsg_len);
}

/* After a failure messages are still built, into the room that is there: the batch will not be sent. */
static void make_room(struct nft_batch *batch)
{
    size_t capacity = batch->capacity;
    uint8_t *bytes;

    while (capacity < batch->length + NFT_MESSAGE_ROOM)
        capacity *= 2;
    if (capacity == batch->capacity)
        return;
    bytes = realloc(batch->bytes, capacity);
    if (!bytes) {
        nft_batch_fail(batch, -ENOMEM);
        batch->length = 0;
        return;
    }
    batch->bytes = bytes;
    batch->capacity = capacity;
}

static struct nft_operation *add_operation(struct nft_batch *batch)
{
    if (batch->operation_count == batch->operation_capacity) {
        size_t capacity = batch->operation_capacity * 2 + 1;
        struct nft_operation *operations = realloc(batch->operations, capacity * sizeof(*operations));

        if (!operations) {
            nft_batch_fail(batch, -ENOMEM);
            batch->operation_count = 0;
        } else {
            batch->operations = operations;
            batch->operation_capacity = capacity;
        }
    }
    return &batch->operations[batch->operation_count++];
}

struct nlmsghdr *nft_batch_add(struct nft_batch *batch, uint16_t type, uint8_t family, uint16_t flags,
                               const char *format, ...)
{
    struct nft_operation *operation;
    va_list arguments;

    batch->length = nft_batch_offset(batch, batch->operation_count);
    make_room(batch);
    operation = add_operation(batch);
    operation->offset = batch->length;
    operation->starts_group = batch->next_starts_group;
    batch->next_starts_group = false;
    va_start(arguments, format);
    (void)vsnprintf(operation->text, sizeof(operation->text), format, arguments);
    va_end(arguments);
    return nftnl_nlmsg_build_hdr((char *)batch->bytes + operation->offset, type, family, flags, 0);
}
