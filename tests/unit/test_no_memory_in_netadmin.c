/*
 * Unit tests of what netadmin does when an allocation fails, against a kernel that answers from a tape: -ENOMEM, the
 * old state unchanged, nothing sent that is only half of what is wanted, nothing leaked (the sanitizers look).
 */
#include "tests/fuzz/fake_kernel.h"
#include "tests/unit/failing_memory.h"
#include "workers/netadmin/conntrack/conntrack.h"
#include "workers/netadmin/link/link_details.h"
#include "workers/netadmin/network.h"
#include "workers/netadmin/nft/nft_dump.h"
#include "workers/netadmin/nft/nft_table.h"
#include "workers/netadmin/plan/exposure_state.h"
#include "workers/netadmin/plan/map_difference.h"
#include "workers/netlink/plan/links.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char *corpus; /* of the fuzz targets: recorded answers of a kernel */

/* Reads the tape of one corpus file; its first byte is the fuzz target's choice. */
static size_t read_tape(const char *name, uint8_t tape[UINT16_MAX])
{
    char path[512];
    FILE *file;
    size_t length;

    (void)snprintf(path, sizeof(path), "%s/%s", corpus, name);
    file = fopen(path, "rbe");
    assert_non_null(file);
    (void)fgetc(file);
    length = fread(tape, 1, UINT16_MAX, file);
    (void)fclose(file);
    return length;
}

/* --- what the kernel holds ----------------------------------------------------------------------------- */

struct recorded {
    uint8_t bytes[UINT16_MAX];
    size_t length;
};

static int dump_table(void *context)
{
    static const struct nft_table_content empty;
    const struct recorded *recorded = context;
    CLEANUP(nfnl_socket_freep) struct nfnl_socket *socket = NULL;
    struct nft_table_content content = {0};
    int result;

    fake_kernel_start(recorded->bytes, recorded->length);
    result = nfnl_socket_new(&socket);
    if (result == 0)
        result = nft_dump_table(socket, &nft_families[FAMILY_INDEX_4], &content);
    if (result < 0)
        assert_memory_equal(&content, &empty, sizeof(empty));
    else
        assert_int_equal(content.maps[PROTOCOL_INDEX_UDP].count, 4);
    nft_table_content_clear(&content);
    return result;
}

static void reading_a_table(void **state)
{
    static struct recorded recorded;

    (void)state;
    recorded.length = read_tape("fuzz_nftables/table-v4", recorded.bytes);
    assert_true(failing_memory_try_each(dump_table, &recorded) > 10);
}

static int read_links(void *context)
{
    const struct recorded *recorded = context;
    CLEANUP(rtnetlink_freep) struct rtnetlink *rtnetlink = NULL;
    struct link_table links = {0};
    int result;

    fake_kernel_start(recorded->bytes, recorded->length);
    result = rtnetlink_new(&rtnetlink);
    if (result == 0)
        result = link_table_read(rtnetlink, &link_details, &links);
    assert_true(result < 0 ? !links.links && links.count == 0 : links.count == 3);
    link_table_clear(&links);
    return result;
}

static void reading_links_and_addresses(void **state)
{
    static struct recorded recorded;

    (void)state;
    recorded.length = read_tape("fuzz_rtnetlink/links-of-an-anchor", recorded.bytes);
    assert_true(failing_memory_try_each(read_links, &recorded) >= 4);
}

static int sweep(void *context)
{
    const struct recorded *recorded = context;
    const struct ip_address given_up = {.family = IP_FAMILY_4, .bytes = {10, 99, 0, 50}};
    CLEANUP(nfnl_socket_freep) struct nfnl_socket *socket = NULL;
    struct conntrack_changes changes = {0};
    const struct desired_state current = {0};
    uint32_t flushed[FAMILY_INDEX_MAX_] = {0};
    struct nft_failure failure;
    int result;

    fake_kernel_start(recorded->bytes, recorded->length);
    result = nfnl_socket_new(&socket);
    if (result == 0)
        result = conntrack_changes_give_up(&changes, &given_up);
    if (result == 0)
        result = conntrack_sweep(socket, &changes, &current, NULL, 0, flushed, &failure);
    conntrack_changes_clear(&changes);
    assert_true(result < 0 || flushed[FAMILY_INDEX_4] > 0);
    return result;
}

static void dropping_flows(void **state)
{
    static struct recorded recorded;

    (void)state;
    recorded.length = read_tape("fuzz_nftables/flows-v4", recorded.bytes);
    assert_true(failing_memory_try_each(sweep, &recorded) >= 2);
}

/* --- what is wanted ------------------------------------------------------------------------------------ */

static int build_ruleset(void *context)
{
    static const struct nft_table_content nothing;
    const struct network_view view = {
        .external_name = "eth0",
        .shared_name = "eth1",
        .external = {{.family = IP_FAMILY_6, .bytes = {0x20, 0x01, [15] = 1}}},
        .external_count = 1,
        .egress6_global = {.family = IP_FAMILY_6, .bytes = {0x20, 0x01, [15] = 1}},
    };
    struct map_element element = {.port = 80, .backend_port = 8080, .backend = {0xfd, [15] = 2}};
    struct map_state_difference differences[PORT_COUNTER_MAX_] = {0};
    struct port_value value = {{7, 420}, 80, 0, PORT_FLOWS};
    const struct port_values carried = {.items = &value, .count = 1};
    struct wire_guest guests[] = {{.kind = GUEST_PORTS, .protocol = IPPROTO_TCP, .port_first = 80, .port_last = 80},
                                  {.kind = GUEST_LIMIT, .protocol = IPPROTO_TCP, .port_first = 80, .rate = 1}};
    const struct guest_list lists = {.items = guests, .count = ARRAY_LENGTH(guests)};
    static const struct packet_count refused[REFUSAL_MAX_];
    struct nft_batch batch = {0};
    int result;

    for (size_t i = 0; i < PORT_COUNTER_MAX_; i++)
        differences[i].maps[FAMILY_INDEX_4][PROTOCOL_INDEX_TCP].added = (struct map){.elements = &element, .count = 1};
    nft_table_install(&batch, context, &nothing, &(struct nft_table_wish){&view, &lists, true}, differences, &carried,
                      refused);
    result = batch.error;
    nft_batch_clear(&batch);
    return result;
}

/* A batch with an error is never sent (nfnl_socket_commit). */
static void building_the_ruleset(void **state)
{
    struct nft_family families[FAMILY_INDEX_MAX_];

    (void)state;
    memcpy(families, nft_families, sizeof(families));
    for (size_t i = 0; i < FAMILY_INDEX_MAX_; i++)
        assert_true(failing_memory_try_each(build_ruleset, &families[i]) > 100);
}

static void a_spoilt_batch_is_not_sent(void **state)
{
    CLEANUP(nfnl_socket_freep) struct nfnl_socket *socket = NULL;
    struct nft_batch batch = {0};
    struct nft_failure failure = {0};

    (void)state;
    fake_kernel_start(NULL, 0);
    assert_int_equal(nfnl_socket_new(&socket), 0);
    (void)nft_batch_add(&batch, 0, 0, 0, "add table ip x");
    nft_batch_fail(&batch, -ENOMEM);
    assert_int_equal(nfnl_socket_commit(socket, &batch, &failure), -ENOMEM);
    assert_int_equal(failure.error, -ENOMEM);
    assert_int_equal(fake_kernel_requests(), 0);
    nft_batch_clear(&batch);
}

/* --- desired states ------------------------------------------------------------------------------------ */

static struct wire_exposure make_exposure(uint8_t family, uint8_t protocol, uint16_t port_last)
{
    return (struct wire_exposure){.family = family,
                                  .protocol = protocol,
                                  .port_first = 1,
                                  .port_last = port_last,
                                  .backend_port_first = 1,
                                  .backend = {172, 30, 0, 5},
                                  .access = EXPOSURE_OPEN};
}

static int build_and_compare(void *context)
{
    const struct map_state *have = context;
    struct map_state built = {0};
    struct map_state_difference difference = {0};
    const struct wire_exposure same = make_exposure(IP_FAMILY_4, IPPROTO_TCP, 1000);
    const struct wire_exposure more = make_exposure(IP_FAMILY_6, IPPROTO_UDP, 500);
    struct wire_exposure *exposures = NULL;
    size_t count = 0;
    int result = map_state_expand(&built, &same);

    assert_int_equal(map_state_count(&built), result < 0 ? 0 : map_state_count(have));
    if (result == 0)
        result = map_state_expand(&built, &more);
    if (result == 0)
        result = map_state_difference_compute(have, &built, &difference);
    if (result == 0)
        result = map_state_to_exposures(&built, EXPOSURE_OPEN, &exposures, &count);
    assert_true(result < 0 || count == 2);
    free(exposures);
    map_state_difference_clear(&difference);
    map_state_clear(&built);
    return result;
}

static void states_of_the_maps(void **state)
{
    const struct wire_exposure wanted = make_exposure(IP_FAMILY_4, IPPROTO_TCP, 1000);
    struct map_state have = {0};

    (void)state;
    assert_int_equal(map_state_expand(&have, &wanted), 0);
    assert_true(failing_memory_try_each(build_and_compare, &have) >= 4);
    assert_int_equal(map_state_count(&have), 1000);
    map_state_clear(&have);
}

/* A state that did not fit is refused whole at its end, and the next one is taken. */
static int offer_state(void *context)
{
    union {
        struct message_exposures message;
        uint8_t bytes[sizeof(struct message_exposures) + sizeof(struct wire_exposure)];
    } items = {.bytes = {0}};
    const struct message_commit commit = {message_header_make(MESSAGE_EXPOSURES_COMMIT, sizeof(commit), 1), 1, 0};
    struct exposure_state *incoming = context;
    struct desired_state committed = {0};
    char reason[REASON_SIZE];
    int result;

    items.message.header = message_header_make(MESSAGE_EXPOSURES_ITEMS, sizeof(items), 1);
    items.message.item_count = 1;
    items.message.items[0] = make_exposure(IP_FAMILY_4, IPPROTO_TCP, 1000);
    exposure_state_begin(incoming, 1);
    assert_int_equal(exposure_state_add(incoming, &items.message), 0);
    result = exposure_state_commit(incoming, &commit, &committed, reason);
    assert_int_equal(map_state_count(&committed.open), result < 0 ? 0 : 1000);
    assert_true(result == 0 || strcmp(reason, "out of memory") == 0);
    desired_state_clear(&committed);
    return result;
}

static void a_state_of_the_watcher(void **state)
{
    struct exposure_state incoming = {0};

    (void)state;
    assert_true(failing_memory_try_each(offer_state, &incoming) >= 1);
    exposure_state_clear(&incoming);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading_a_table),
        cmocka_unit_test(reading_links_and_addresses),
        cmocka_unit_test(dropping_flows),
        cmocka_unit_test(building_the_ruleset),
        cmocka_unit_test(a_spoilt_batch_is_not_sent),
        cmocka_unit_test(states_of_the_maps),
        cmocka_unit_test(a_state_of_the_watcher),
    };

    if (argc != 2)
        return EXIT_FAILURE;
    corpus = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
