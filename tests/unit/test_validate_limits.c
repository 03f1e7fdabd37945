/*
 * Unit tests of the gate (protocol/validate): how many items one message may carry, at the limit and one past it. That
 * of exposures stands in test_validate_state.c.
 */
#include "tests/unit/validate_case.h"

#include "common/cleanup.h"

#include <netinet/in.h>

static const struct wire_link link_item = {.index = 2, .name = "eth0"};
static const struct wire_held held_item = {
    .index = 2,
    .name = "eth0",
    .mac = {{2, 0, 0, 0, 0, 1}},
    .address = {.family = 4, .bytes = {10, 99, 0, 50}},
};
static const struct wire_finding finding_item = {
    .kind = FINDING_EXPOSED,
    .protocol = IPPROTO_TCP,
    .port_first = 25,
    .port_last = 25,
    .backend_port_first = 25,
    .container = "mail",
};

/* Every message with items opens with its header and their number, like message_links. */
static const struct items_case {
    enum message_direction direction;
    enum message_type type;
    size_t head_size;
    const void *item;
    size_t item_size;
    uint32_t limit;
} cases[] = {
    {DIRECTION_NETADMIN_TO_WATCHER, MESSAGE_LINKS_ITEMS, sizeof(struct message_links), &link_item, sizeof(link_item),
     LINKS_PER_MESSAGE},
    {DIRECTION_NETADMIN_TO_ANNOUNCER, MESSAGE_HELD_ITEMS, sizeof(struct message_held), &held_item, sizeof(held_item),
     HELD_PER_MESSAGE},
    {DIRECTION_WATCHER_TO_CONTROL, MESSAGE_FINDINGS_ITEMS, sizeof(struct message_findings), &finding_item,
     sizeof(finding_item), FINDINGS_PER_MESSAGE},
};

static const char *verdict_on(const struct items_case *items, uint32_t count)
{
    begin(items->type, items->head_size + count * items->item_size);
    message.links.item_count = count;
    for (uint32_t i = 0; i < count; i++)
        memcpy(message.bytes + items->head_size + i * items->item_size, items->item, items->item_size);
    return verdict(items->direction, 0);
}

static void the_number_of_items_has_a_limit(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const char *broken;

        assert_null(verdict_on(&cases[i], cases[i].limit));
        broken = verdict_on(&cases[i], cases[i].limit + 1);
        assert_non_null(broken);
        assert_string_equal(broken, "length of this type");
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(the_number_of_items_has_a_limit)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
