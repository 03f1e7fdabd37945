/* Unit tests of the list of bans (GUEST-2): workers/bans/ban_store, and protocol/ban_list, which tells netadmin. */
#include "protocol/ban_list.h"
#include "workers/bans/ban_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct wire_ban ban_of(const char *text, enum ban_kind kind)
{
    struct wire_ban ban = {.kind = (uint8_t)kind};
    struct ip_subnet subnet;

    assert_int_equal(ip_subnet_parse(text, &subnet), 0);
    ban.family = subnet.address.family;
    ban.prefix_length = subnet.prefix_length;
    memcpy(ban.bytes, subnet.address.bytes, sizeof(ban.bytes));
    return ban;
}

static int put(struct ban_store *store, const char *text, enum ban_kind kind, uint64_t until)
{
    struct stored_ban ban = {.ban = ban_of(text, kind), .until = until, .reason = (char[]){"why"}};
    const char *reason;

    return ban_store_put(store, &ban, &reason);
}

/* What netadmin is told says `texts`, in this order. */
static void expect_reduced(const struct ban_store *store, const char *const *texts, size_t count)
{
    CLEANUP(ban_list_clear) struct ban_list reduced = {0};
    struct ban_list list = {0};
    const struct ban_list none = {0};
    const char *reason;

    assert_int_equal(ban_store_reduce(store, &reduced), 0);
    assert_int_equal(reduced.count, count);
    for (size_t i = 0; i < count; i++) {
        struct ip_subnet subnet = wire_ban_subnet(&reduced.items[i]);

        assert_string_equal(IP_SUBNET_TEXT(&subnet), texts[i]);
    }
    assert_int_equal(ban_list_merge(&none, &(struct ban_list){reduced.items, reduced.count}, &list, &reason), 0);
    ban_list_clear(&list);
}
#define EXPECT_REDUCED(store_, ...) \
    expect_reduced((store_), (const char *const[]){__VA_ARGS__}, ARRAY_LENGTH(((const char *const[]){__VA_ARGS__})))

static void overlaps_are_merged_and_come_back(void **state)
{
    CLEANUP(ban_store_clear) struct ban_store store = {0};
    struct wire_ban outer = ban_of("10.1.0.0/16", BAN_ALL);

    (void)state;
    assert_int_equal(put(&store, "10.1.2.3/32", BAN_ALL, 0), 0);
    assert_int_equal(put(&store, "10.1.2.0/24", BAN_ALL, 0), 0);
    assert_int_equal(put(&store, "10.1.0.0/16", BAN_ALL, 0), 0);
    assert_int_equal(put(&store, "10.0.0.0/16", BAN_ALL, 0), 0);
    assert_int_equal(put(&store, "10.1.2.9/32", BAN_NEW_ONLY, 0), 0);
    assert_int_equal(put(&store, "2001:db8::/64", BAN_ALL, 0), 0);
    assert_int_equal(put(&store, "2001:db8::5/128", BAN_ALL, 0), 0);
    EXPECT_REDUCED(&store, "10.0.0.0/16", "10.1.0.0/16", "2001:db8::/64", "10.1.2.9/32");
    assert_true(ban_store_remove(&store, &outer));
    assert_false(ban_store_remove(&store, &outer));
    EXPECT_REDUCED(&store, "10.0.0.0/16", "10.1.2.0/24", "2001:db8::/64", "10.1.2.9/32");
    assert_int_equal(store.prefix_count, 2);
}

static void a_ban_ends_when_it_says(void **state)
{
    CLEANUP(ban_store_clear) struct ban_store store = {0};

    (void)state;
    assert_int_equal(ban_store_next_end(&store), 0);
    assert_int_equal(put(&store, "192.0.2.1/32", BAN_ALL, 0), 0);
    assert_int_equal(put(&store, "192.0.2.2/32", BAN_ALL, 200), 0);
    assert_int_equal(put(&store, "192.0.2.0/30", BAN_ALL, 100), 0);
    assert_int_equal(ban_store_next_end(&store), 100);
    assert_int_equal(ban_store_expire(&store, 99), 0);
    assert_int_equal(ban_store_expire(&store, 100), 1);
    assert_int_equal(store.prefix_count, 0);
    assert_int_equal(ban_store_next_end(&store), 200);
    EXPECT_REDUCED(&store, "192.0.2.1/32", "192.0.2.2/32");
    assert_int_equal(put(&store, "192.0.2.2/32", BAN_NEW_ONLY, 0), 0); /* the same one, changed */
    assert_int_equal(store.count, 2);
    assert_int_equal(ban_store_next_end(&store), 0);
}

static void a_page_begins_behind_the_last_one(void **state)
{
    CLEANUP(ban_store_clear) struct ban_store store = {0};
    struct wire_ban none = {0};
    struct wire_ban between = ban_of("192.0.2.2/32", BAN_ALL);

    (void)state;
    assert_int_equal(put(&store, "192.0.2.1/32", BAN_NEW_ONLY, 0), 0);
    assert_int_equal(put(&store, "192.0.2.3/32", BAN_ALL, 0), 0);
    assert_int_equal(ban_store_position_behind(&store, &none), 0);
    assert_int_equal(ban_store_position_behind(&store, &store.items[0].ban), 1);
    assert_int_equal(ban_store_position_behind(&store, &between), 1);
    assert_int_equal(ban_store_position_behind(&store, &store.items[1].ban), 2);
}

static void more_prefixes_than_an_interval_set_bears_are_refused(void **state)
{
    CLEANUP(ban_store_clear) struct ban_store store = {0};
    char text[IP_SUBNET_TEXT_SIZE];

    (void)state;
    for (int i = 0; i < BAN_PREFIXES_MAX; i++) {
        (void)snprintf(text, sizeof(text), "10.%d.%d.0/24", i / 256, i % 256);
        assert_int_equal(put(&store, text, BAN_ALL, 0), 0);
    }
    assert_int_equal(put(&store, "192.0.2.0/24", BAN_ALL, 0), -E2BIG);
    assert_int_equal(put(&store, "192.0.2.1/32", BAN_ALL, 0), 0);
    assert_int_equal(put(&store, "2001:db8::/64", BAN_ALL, 0), 0);
    assert_int_equal(put(&store, "10.0.0.0/24", BAN_NEW_ONLY, 0), 0);
    assert_int_equal(store.count, BAN_PREFIXES_MAX + 2);
}

static void what_looks_like_a_networks_first_address_is_a_prefix(void **state)
{
    struct wire_ban first = ban_of("2001:db8::/128", BAN_ALL);
    struct wire_ban second = ban_of("2001:db8::1/128", BAN_ALL);
    struct wire_ban network = ban_of("2001:db8::/64", BAN_ALL);
    struct wire_ban wider = ban_of("2001:db8::/63", BAN_ALL);

    (void)state;
    assert_false(wire_ban_is_single(&first));
    assert_true(wire_ban_is_single(&second));
    assert_true(wire_ban_is_single(&network));
    assert_false(wire_ban_is_single(&wider));
}

static void differences_lead_from_one_list_to_the_next(void **state)
{
    CLEANUP(ban_store_clear) struct ban_store store = {0};
    CLEANUP(ban_list_clear) struct ban_list first = {0};
    CLEANUP(ban_list_clear) struct ban_list second = {0};
    CLEANUP(ban_list_clear) struct ban_list changes = {0};
    CLEANUP(ban_list_clear) struct ban_list merged = {0};
    struct ban_list wrong = {0};
    struct wire_ban gone = ban_of("192.0.2.1/32", BAN_ALL);
    const char *reason;

    (void)state;
    assert_int_equal(put(&store, "192.0.2.1/32", BAN_ALL, 0), 0);
    assert_int_equal(put(&store, "192.0.2.2/32", BAN_ALL, 0), 0);
    assert_int_equal(ban_store_reduce(&store, &first), 0);
    assert_true(ban_store_remove(&store, &gone));
    assert_int_equal(put(&store, "192.0.2.2/32", BAN_NEW_ONLY, 0), 0);
    assert_int_equal(put(&store, "198.51.100.0/24", BAN_ALL, 0), 0);
    assert_int_equal(ban_store_reduce(&store, &second), 0);
    assert_int_equal(ban_list_compare(&first, &second, &changes), 0);
    assert_int_equal(changes.count, 4);
    assert_int_equal(ban_list_merge(&(struct ban_list){first.items, first.count},
                                    &(struct ban_list){changes.items, changes.count}, &merged, &reason),
                     0);
    assert_int_equal(merged.count, second.count);
    assert_memory_equal(merged.items, second.items, second.count * sizeof(*second.items));
    /* Not twice: it is another list by now. */
    assert_int_equal(ban_list_merge(&merged, &(struct ban_list){changes.items, changes.count}, &wrong, &reason),
                     -EBADMSG);
    assert_null(wrong.items);
}

/* What was flushed and what was banned meanwhile are one difference: only what comes of it is counted. */
static void more_bans_than_are_allowed_are_refused_and_more_changes_are_not(void **state)
{
    CLEANUP(ban_list_clear) struct ban_list items = {calloc(BANS_MAX + 1, sizeof(struct wire_ban)), BANS_MAX};
    CLEANUP(ban_list_clear) struct ban_list full = {0};
    CLEANUP(ban_list_clear) struct ban_list last = {0};
    const struct ban_list none = {0};
    const char *reason;

    (void)state;
    assert_non_null(items.items);
    for (uint32_t i = 0; i <= BANS_MAX; i++)
        items.items[i] = (struct wire_ban){.kind = BAN_ALL,
                                           .family = IP_FAMILY_4,
                                           .bytes = {10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i},
                                           .prefix_length = 32};
    assert_int_equal(ban_list_merge(&none, &items, &full, &reason), 0);
    items.count = BANS_MAX + 1;
    assert_int_equal(ban_list_merge(&none, &items, &last, &reason), -E2BIG);
    for (uint32_t i = 0; i < BANS_MAX; i++)
        items.items[i].is_removed = 1;
    assert_int_equal(ban_list_merge(&full, &items, &last, &reason), 0);
    assert_int_equal(last.count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(overlaps_are_merged_and_come_back),
        cmocka_unit_test(a_ban_ends_when_it_says),
        cmocka_unit_test(a_page_begins_behind_the_last_one),
        cmocka_unit_test(more_prefixes_than_an_interval_set_bears_are_refused),
        cmocka_unit_test(what_looks_like_a_networks_first_address_is_a_prefix),
        cmocka_unit_test(more_bans_than_are_allowed_are_refused_and_more_changes_are_not),
        cmocka_unit_test(differences_lead_from_one_list_to_the_next),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
