/*
 * What anchord-hold sends to the kernel is what anchord-netadmin would send (KEEP-2, WALL-3): the skeleton of both
 * families, anew if it is there, as one transaction. `test_hold make` prints workers/hold/skeleton.c.
 */
#include "workers/hold/skeleton.h"
#include "workers/netadmin/nft/nft_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <libnftnl/common.h>

#define BYTES_PER_LINE 20
#define BATCH_ROOM     (4 * (size_t)NFT_MESSAGE_ROOM)
#define EDGE_SIZE      20 /* of the messages that begin and end a transaction */

static void add_family(struct nft_batch *batch, const struct nft_family *family)
{
    size_t first = batch->operation_count;

    nft_table_add_skeleton(batch, family, false);
    nft_table_remove_skeleton(batch, family); /* now it is there, whether it was or not */
    assert_true(batch->operation_count > first);
    nft_table_add_skeleton(batch, family, false);
}

static void build(struct nft_batch *batch)
{
    size_t last;
    struct nlmsghdr *message;

    free(batch->bytes); /* what libraries leave between attributes is nothing of ours: zero */
    batch->bytes = calloc(1, BATCH_ROOM);
    batch->capacity = BATCH_ROOM;
    assert_non_null(batch->bytes);
    for (size_t i = 0; i < FAMILY_INDEX_MAX_; i++)
        add_family(batch, &nft_families[i]);
    assert_int_equal(batch->error, 0);
    last = batch->operations[batch->operation_count - 1].offset;
    message = (struct nlmsghdr *)(batch->bytes + last);
    message->nlmsg_flags |= NLM_F_ACK; /* one answer for all */
}

static void print_bytes(const char *text, const unsigned char *bytes, size_t size)
{
    (void)printf("    /* %s */\n   ", text);
    for (size_t i = 0; i < size; i++)
        (void)printf("%s %u,", i > 0 && i % BYTES_PER_LINE == 0 ? "\n   " : "", bytes[i]);
    (void)printf("\n");
}

static int make(void)
{
    struct nft_batch batch = {0};
    char begin[EDGE_SIZE], end[EDGE_SIZE];

    build(&batch);
    (void)nftnl_batch_begin(begin, 0);
    (void)nftnl_batch_end(end, 0);
    (void)printf("/* The transaction of skeleton.h. Made by `tests/unit/test_hold make`, which also compares. */\n"
                 "#include \"workers/hold/skeleton.h\"\n\n"
                 "/* clang-format off */\n"
                 "_Alignas(4) const unsigned char skeleton_batch[] = {\n");
    print_bytes("begin", (const unsigned char *)begin, sizeof(begin));
    for (size_t i = 0; i < batch.operation_count; i++)
        print_bytes(batch.operations[i].text, batch.bytes + batch.operations[i].offset,
                    nft_batch_offset(&batch, i + 1) - batch.operations[i].offset);
    print_bytes("end", (const unsigned char *)end, sizeof(end));
    (void)printf("};\n/* clang-format on */\n\n"
                 "const size_t skeleton_batch_size = sizeof(skeleton_batch);\n");
    nft_batch_clear(&batch);
    return 0;
}

static void sends_what_netadmin_would_send(void **state)
{
    struct nft_batch batch = {0};
    char edge[EDGE_SIZE];
    size_t size;

    (void)state;
    build(&batch);
    size = nft_batch_offset(&batch, batch.operation_count);
    assert_int_equal(skeleton_batch_size, size + (2 * (size_t)EDGE_SIZE));
    (void)nftnl_batch_begin(edge, 0);
    assert_memory_equal(skeleton_batch, edge, EDGE_SIZE);
    assert_memory_equal(skeleton_batch + EDGE_SIZE, batch.bytes, size);
    (void)nftnl_batch_end(edge, 0);
    assert_memory_equal(skeleton_batch + EDGE_SIZE + size, edge, EDGE_SIZE);
    nft_batch_clear(&batch);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sends_what_netadmin_would_send)};

    if (argc == 2 && strcmp(argv[1], "make") == 0)
        return make();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
