/* Unit tests of the protocol's gate for lists of sources and limits: one case per rule (GUEST-1, GUEST-3, GUEST-5). */
#include "tests/unit/validate_case.h"

#include <netinet/in.h>

static void begin_guests(void)
{
    begin(MESSAGE_EXPOSURES_GUESTS, sizeof(struct message_guests) + GUESTS_PER_MESSAGE * sizeof(struct wire_guest));
    message.guests.item_count = GUESTS_PER_MESSAGE;
    for (size_t i = 0; i < GUESTS_PER_MESSAGE; i++)
        message.guests.items[i] =
            (struct wire_guest){.kind = GUEST_PORTS, .protocol = IPPROTO_TCP, .port_first = 8000, .port_last = 8010};
    message.guests.items[1] = (struct wire_guest){.kind = GUEST_SOURCE,
                                                  .protocol = IPPROTO_UDP,
                                                  .port_first = 1,
                                                  .port_last = 65535,
                                                  .family = IP_FAMILY_4,
                                                  .prefix_length = 8,
                                                  .source = {10}};
    message.guests.items[2] = (struct wire_guest){
        .kind = GUEST_LIMIT, .protocol = IPPROTO_TCP, .port_first = 22, .port_last = 22, .rate = 1, .burst = 5};
}

static const struct rule_case guests_rules[] = {
    BREAKS("reserved field not zero", SET(guests.reserved, 1)),
    BREAKS("guest kind", SET(guests.items[0].kind, 0)),
    BREAKS("guest kind", SET(guests.items[GUESTS_PER_MESSAGE - 1].kind, GUEST_KIND_MAX_)),
    PASSES(SET(guests.items[0].protocol, IPPROTO_UDP)),
    BREAKS("guest protocol", SET(guests.items[0].protocol, IPPROTO_SCTP)),
    BREAKS("guest ports", SET(guests.items[0].port_first, 0)),
    BREAKS("guest ports", SET(guests.items[0].port_last, 7999)),
    BREAKS("guest padding not zero", SET(guests.items[0].reserved[2], 1)),
    BREAKS("guest source", SET(guests.items[0].family, IP_FAMILY_4)),
    BREAKS("guest source", SET(guests.items[0].prefix_length, 1)),
    BREAKS("guest source", SET(guests.items[0].source[15], 1)),
    BREAKS("guest source", SET(guests.items[1].family, 0)),
    BREAKS("guest source", SET(guests.items[1].prefix_length, 33)),
    BREAKS("guest source", SET(guests.items[1].source[4], 1)),
    BREAKS("host bits of a guest source", SET(guests.items[1].source[1], 1)),
    PASSES(SET(guests.items[1].source[1], 1), SET(guests.items[1].prefix_length, 16)),
    PASSES(SET(guests.items[1].source[0], 0), SET(guests.items[1].prefix_length, 0)),
    BREAKS("guest limit", SET(guests.items[0].rate, 1)),
    BREAKS("guest limit", SET(guests.items[0].burst, 1)),
    BREAKS("guest limit", SET(guests.items[0].is_per_minute, 1)),
    BREAKS("guest limit", SET(guests.items[2].rate, 0)),
    BREAKS("guest limit", SET(guests.items[2].burst, 0)),
    PASSES(SET(guests.items[2].is_per_minute, 1)),
    BREAKS("guest limit", SET(guests.items[2].is_per_minute, 2)),
    BREAKS("guest limit", SET(guests.items[2].port_last, 23)),
};

static void guests_are_checked_item_by_item(void **state)
{
    (void)state;
    EXPECT_EACH(WATCHER_TO_NETADMIN, 0, begin_guests, guests_rules);
}

static void begin_guest_text(void)
{
    begin(MESSAGE_GUEST_TEXT, sizeof(struct message_guest_text));
    message.guest_text.which = GUEST_TEXT_LIMIT;
}

static const struct rule_case guest_text_rules[] = {
    BREAKS("which text", SET(guest_text.which, 0)),
    BREAKS("which text", SET(guest_text.which, GUEST_TEXT_MAX_)),
    BREAKS("which text", SET(guest_text.reserved, 1)),
    BREAKS("string not terminated", FILL(guest_text.text)),
};

static void guest_texts_are_checked(void **state)
{
    (void)state;
    EXPECT_EACH(SUPERVISOR_TO_WATCHER, 0, begin_guest_text, guest_text_rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guests_are_checked_item_by_item),
        cmocka_unit_test(guest_texts_are_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
