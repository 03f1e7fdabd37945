/* Unit tests of workers/netadmin/plan/exposure_state: a state is complete or it is nothing. */
#include "workers/netadmin/plan/exposure_state.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* A message with two items. */
union items {
    struct message_exposures message;
    uint8_t bytes[sizeof(struct message_exposures) + 2 * sizeof(struct wire_exposure)];
};

static union items make_items(uint64_t generation, uint16_t first_port, uint16_t second_port)
{
    union items items = {.bytes = {0}};
    const uint16_t ports[] = {first_port, second_port};

    items.message.header = message_header_make(MESSAGE_EXPOSURES_ITEMS, sizeof(items), generation);
    items.message.item_count = 2;
    for (size_t i = 0; i < 2; i++)
        items.message.items[i] = (struct wire_exposure){.family = 4,
                                                        .protocol = IPPROTO_TCP,
                                                        .port_first = ports[i],
                                                        .port_last = ports[i],
                                                        .backend_port_first = 80,
                                                        .backend = {172, 30, 0, 5},
                                                        .access = EXPOSURE_OPEN};
    return items;
}

static int commit(struct exposure_state *incoming, uint64_t generation, uint32_t count, struct desired_state *ret,
                  char reason[REASON_SIZE])
{
    const struct message_commit message = {
        .header = message_header_make(MESSAGE_EXPOSURES_COMMIT, sizeof(message), generation),
        .item_count = count,
    };

    return exposure_state_commit(incoming, &message, ret, reason);
}

static void complete_state_comes_out_sorted(void **state)
{
    struct exposure_state incoming = {0};
    struct desired_state committed = {0};
    const union items items = make_items(3, 443, 25);
    char reason[REASON_SIZE] = "";
    const struct map *map = &committed.open.maps[FAMILY_INDEX_4][PROTOCOL_INDEX_TCP];

    (void)state;
    exposure_state_begin(&incoming, 3);
    assert_int_equal(exposure_state_add(&incoming, &items.message), 0);
    assert_int_equal(commit(&incoming, 3, 2, &committed, reason), 0);
    assert_int_equal(map->count, 2);
    assert_int_equal(map->elements[0].port, 25);
    assert_int_equal(map->elements[1].port, 443);
    assert_false(incoming.is_open);
    desired_state_clear(&committed);
}

static void withheld_items_are_kept_apart(void **state)
{
    struct exposure_state incoming = {0};
    struct desired_state committed = {0};
    union items items = make_items(3, 443, 25);
    char reason[REASON_SIZE] = "";

    (void)state;
    items.message.items[1].access = EXPOSURE_WITHHELD;
    exposure_state_begin(&incoming, 3);
    assert_int_equal(exposure_state_add(&incoming, &items.message), 0);
    assert_int_equal(commit(&incoming, 3, 2, &committed, reason), 0);
    assert_int_equal(map_state_count(&committed.open), 1);
    assert_int_equal(map_state_count(&committed.withheld), 1);
    assert_int_equal(committed.withheld.maps[FAMILY_INDEX_4][PROTOCOL_INDEX_TCP].elements[0].port, 25);
    desired_state_clear(&committed);
    items = make_items(4, 25, 25);
    items.message.items[0].access = items.message.items[1].access = EXPOSURE_WITHHELD;
    exposure_state_begin(&incoming, 4);
    assert_int_equal(exposure_state_add(&incoming, &items.message), 0);
    assert_int_equal(commit(&incoming, 4, 2, &committed, reason), -EEXIST);
}

static void empty_state_is_a_state(void **state)
{
    struct exposure_state incoming = {0};
    struct desired_state committed = {0};
    char reason[REASON_SIZE] = "";

    (void)state;
    exposure_state_begin(&incoming, 1);
    assert_int_equal(commit(&incoming, 1, 0, &committed, reason), 0);
    assert_int_equal(map_state_count(&committed.open), 0);
}

static void messages_out_of_order_are_no_protocol(void **state)
{
    struct exposure_state incoming = {0};
    struct desired_state committed = {0};
    const union items items = make_items(3, 443, 25);
    char reason[REASON_SIZE] = "";

    (void)state;
    assert_int_equal(exposure_state_add(&incoming, &items.message), -EPROTO);
    assert_int_equal(commit(&incoming, 3, 0, &committed, reason), -EPROTO);
    exposure_state_begin(&incoming, 4);
    assert_int_equal(exposure_state_add(&incoming, &items.message), -EPROTO);
    assert_int_equal(commit(&incoming, 5, 0, &committed, reason), -EPROTO);
    exposure_state_clear(&incoming);
}

static void wrong_count_is_refused_and_leaves_nothing(void **state)
{
    struct exposure_state incoming = {0};
    struct desired_state committed = {0};
    const union items items = make_items(3, 443, 25);
    char reason[REASON_SIZE] = "";

    (void)state;
    exposure_state_begin(&incoming, 3);
    assert_int_equal(exposure_state_add(&incoming, &items.message), 0);
    assert_int_equal(commit(&incoming, 3, 1, &committed, reason), -EBADMSG);
    assert_string_not_equal(reason, "");
    assert_int_equal(map_state_count(&committed.open), 0);
    assert_int_equal(commit(&incoming, 3, 2, &committed, reason), -EPROTO);
}

static void new_begin_drops_the_half_before(void **state)
{
    struct exposure_state incoming = {0};
    struct desired_state committed = {0};
    const union items half = make_items(3, 443, 25);
    const union items whole = make_items(4, 80, 81);
    char reason[REASON_SIZE] = "";

    (void)state;
    exposure_state_begin(&incoming, 3);
    assert_int_equal(exposure_state_add(&incoming, &half.message), 0);
    exposure_state_begin(&incoming, 4);
    assert_int_equal(exposure_state_add(&incoming, &whole.message), 0);
    assert_int_equal(commit(&incoming, 4, 2, &committed, reason), 0);
    assert_int_equal(map_state_count(&committed.open), 2);
    assert_null(map_find(&committed.open.maps[FAMILY_INDEX_4][PROTOCOL_INDEX_TCP], 443));
    desired_state_clear(&committed);
}

static void port_twice_is_named(void **state)
{
    struct exposure_state incoming = {0};
    struct desired_state committed = {0};
    const union items items = make_items(3, 443, 443);
    char reason[REASON_SIZE] = "";

    (void)state;
    exposure_state_begin(&incoming, 3);
    assert_int_equal(exposure_state_add(&incoming, &items.message), 0);
    assert_int_equal(commit(&incoming, 3, 2, &committed, reason), -EEXIST);
    assert_string_equal(reason, "tcp/443 twice for v4");
    assert_int_equal(map_state_count(&committed.open), 0);
}

static void port_twice_is_named_in_each_map(void **state)
{
    static const uint8_t families[] = {IP_FAMILY_4, IP_FAMILY_6};
    static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP};
    static const char *const reasons[2][2] = {{"tcp/443 twice for v4", "udp/443 twice for v4"},
                                              {"tcp/443 twice for v6", "udp/443 twice for v6"}};

    (void)state;
    for (size_t family = 0; family < 2; family++) {
        for (size_t protocol = 0; protocol < 2; protocol++) {
            struct exposure_state incoming = {0};
            struct desired_state committed = {0};
            union items items = make_items(3, 443, 443);
            char reason[REASON_SIZE] = "";

            for (size_t i = 0; i < 2; i++) {
                items.message.items[i].family = families[family];
                items.message.items[i].protocol = protocols[protocol];
            }
            exposure_state_begin(&incoming, 3);
            assert_int_equal(exposure_state_add(&incoming, &items.message), 0);
            assert_int_equal(commit(&incoming, 3, 2, &committed, reason), -EEXIST);
            assert_string_equal(reason, reasons[family][protocol]);
        }
    }
}

static void as_many_as_are_allowed_are_taken(void **state)
{
    struct exposure_state incoming = {0};
    struct desired_state committed = {0};
    union items items = make_items(3, 1, 40000);
    char reason[REASON_SIZE] = "";

    (void)state;
    items.message.items[0].port_last = UINT16_MAX;
    items.message.items[1].family = IP_FAMILY_6;
    assert_int_equal(MAP_ELEMENTS_MAX, UINT16_MAX + 1);
    exposure_state_begin(&incoming, 3);
    assert_int_equal(exposure_state_add(&incoming, &items.message), 0);
    assert_int_equal(commit(&incoming, 3, 2, &committed, reason), 0);
    assert_int_equal(map_state_count(&committed.open), MAP_ELEMENTS_MAX);
    desired_state_clear(&committed);
}

/* The number of items is what COMMIT is compared with: it does not wrap around. */
static void more_items_than_can_be_counted_are_no_protocol(void **state)
{
    struct exposure_state incoming = {0};
    const union items items = make_items(3, 1, 2);

    (void)state;
    exposure_state_begin(&incoming, 3);
    incoming.item_count = UINT32_MAX - 2;
    assert_int_equal(exposure_state_add(&incoming, &items.message), 0);
    assert_int_equal(exposure_state_add(&incoming, &items.message), -EPROTO);
    exposure_state_clear(&incoming);
}

static void too_many_are_refused_at_commit(void **state)
{
    struct exposure_state incoming = {0};
    struct desired_state committed = {0};
    union items items = make_items(3, 1, 1);
    char reason[REASON_SIZE] = "";

    (void)state;
    items.message.items[0].port_last = UINT16_MAX - 79;
    items.message.items[1] = items.message.items[0];
    items.message.items[1].family = IP_FAMILY_6;
    exposure_state_begin(&incoming, 3);
    assert_int_equal(exposure_state_add(&incoming, &items.message), 0);
    assert_int_equal(exposure_state_add(&incoming, &items.message), 0); /* the rest is not even kept */
    assert_int_equal(map_state_count(&incoming.collected.open), 0);
    assert_int_equal(commit(&incoming, 3, 4, &committed, reason), -E2BIG);
    assert_int_equal(map_state_count(&committed.open), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(complete_state_comes_out_sorted),
        cmocka_unit_test(withheld_items_are_kept_apart),
        cmocka_unit_test(empty_state_is_a_state),
        cmocka_unit_test(messages_out_of_order_are_no_protocol),
        cmocka_unit_test(wrong_count_is_refused_and_leaves_nothing),
        cmocka_unit_test(new_begin_drops_the_half_before),
        cmocka_unit_test(port_twice_is_named),
        cmocka_unit_test(port_twice_is_named_in_each_map),
        cmocka_unit_test(as_many_as_are_allowed_are_taken),
        cmocka_unit_test(more_items_than_can_be_counted_are_no_protocol),
        cmocka_unit_test(too_many_are_refused_at_commit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
