/* A list of nftables messages that become one transaction; see nft_batch.h. Runs in anchord-netadmin. */
#include "workers/netadmin/nft/nft_batch.h"

#include "common/array.h"

#include <libnftnl/common.h>
#include <linux/netfilter/nf_tables.h>
#include <stdarg.h>
#include <stdio.h>

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

/* Room for one more message and its operation. */
static int make_room(struct nft_batch *batch)
{
    size_t capacity = batch->capacity ? batch->capacity : NFT_MESSAGE_ROOM;
    struct nft_operation *operations =
        array_grow(batch->operations, batch->operation_count, &batch->operation_capacity, sizeof(*operations));
    uint8_t *bytes = batch->bytes;

    if (!operations)
        return -ENOMEM;
    batch->operations = operations;
    while (capacity < batch->length + NFT_MESSAGE_ROOM)
        capacity *= 2;
    if (capacity > batch->capacity)
        bytes = realloc(batch->bytes, capacity);
    if (!bytes)
        return -ENOMEM;
    batch->bytes = bytes;
    batch->capacity = capacity;
    return 0;
}

struct nlmsghdr *nft_batch_add(struct nft_batch *batch, uint16_t type, uint8_t family, uint16_t flags,
                               const char *format, ...)
{
    static _Alignas(8) char nowhere[NFT_MESSAGE_ROOM]; /* of a batch that will not be sent */
    struct nft_operation *operation;
    va_list arguments;

    batch->length = nft_batch_offset(batch, batch->operation_count);
    if (!batch->error && make_room(batch) < 0)
        nft_batch_fail(batch, -ENOMEM);
    if (batch->error)
        return nftnl_nlmsg_build_hdr(nowhere, type, family, flags, 0);
    operation = &batch->operations[batch->operation_count++];
    operation->offset = batch->length;
    operation->starts_group = batch->next_starts_group;
    batch->next_starts_group = false;
    va_start(arguments, format);
    (void)vsnprintf(operation->text, sizeof(operation->text), format, arguments);
    va_end(arguments);
    return nftnl_nlmsg_build_hdr((char *)batch->bytes + operation->offset, type, family, flags, 0);
}
