/*
 * Unit tests of the gate (protocol/validate_lease): the messages of DHCP, one bad case per rule. A guard that is
 * removed from there makes one of these fail.
 */
#include "tests/unit/validate_case.h"

static const struct wire_address leased = {.family = IP_FAMILY_4, .bytes = {10, 99, 0, 50}};
static const struct wire_address router = {.family = IP_FAMILY_4, .bytes = {10, 99, 0, 1}};
static const struct wire_address other_family = {.family = IP_FAMILY_6, .bytes = {0xfd}};

static struct wire_lease good_lease(void)
{
    return (struct wire_lease){
        .address = leased,
        .prefix_length = 24,
        .valid_seconds = 120,
        .preferred_seconds = 120,
        .router_count = 1,
        .route_count = 1,
        .routers = {router},
        .routes = {{.destination = {.family = IP_FAMILY_4}, .gateway = router}},
    };
}

/* Sets a field of a good lease, expects the rule, and takes the field back. */
#define EXPECT_BROKEN_WITH(lease_, field_, value_, rule_)         \
    do {                                                          \
        *(lease_) = good_lease();                                 \
        (lease_)->field_ = (value_);                              \
        EXPECT_BROKEN(DIRECTION_SUPERVISOR_TO_NETADMIN, (rule_)); \
        *(lease_) = good_lease();                                 \
    } while (0)

static void a_held_lease_is_checked_field_by_field(void **state)
{
    struct wire_lease *lease = &message.lease.lease;

    (void)state;
    begin(MESSAGE_LEASE, sizeof(struct message_lease));
    message.lease.family = IP_FAMILY_4;
    message.lease.is_held = 1;
    *lease = good_lease();
    assert_null(verdict(DIRECTION_SUPERVISOR_TO_NETADMIN, 0));
    EXPECT_BROKEN_WITH(lease, address.family, 5, "address family");
    EXPECT_BROKEN_WITH(lease, address, other_family, "lease of another family");
    EXPECT_BROKEN_WITH(lease, server.reserved[0], 1, "address padding not zero");
    EXPECT_BROKEN_WITH(lease, prefix_length, 0, "lease prefix length");
    EXPECT_BROKEN_WITH(lease, prefix_length, 33, "lease prefix length");
    EXPECT_BROKEN_WITH(lease, ignores_routers, 2, "option 121");
    EXPECT_BROKEN_WITH(lease, mtu, LEASE_MTU_MIN - 1, "lease MTU");
    EXPECT_BROKEN_WITH(lease, valid_seconds, 0, "lease lifetimes");
    EXPECT_BROKEN_WITH(lease, preferred_seconds, 121, "lease lifetimes");
    EXPECT_BROKEN_WITH(lease, router_count, LEASE_ROUTERS_MAX + 1, "router count");
    EXPECT_BROKEN_WITH(lease, router_count, 0, "router address family");
    EXPECT_BROKEN_WITH(lease, routers[0], other_family, "router address family");
    EXPECT_BROKEN_WITH(lease, routers[0].family, 7, "address family");
    EXPECT_BROKEN_WITH(lease, route_count, LEASE_ROUTES_MAX + 1, "route count");
    EXPECT_BROKEN_WITH(lease, route_count, 0, "unused route not zero");
    EXPECT_BROKEN_WITH(lease, routes[0].destination, other_family, "route family");
    EXPECT_BROKEN_WITH(lease, routes[0].gateway.family, IP_FAMILY_NONE, "address family");
    EXPECT_BROKEN_WITH(lease, routes[0].reserved[2], 1, "route padding not zero");
    EXPECT_BROKEN_WITH(lease, routes[0].prefix_length, 33, "route prefix length");
}

/* ADDR-2: the further addresses of an IA_NA. */
static void further_addresses_are_checked_each(void **state)
{
    const enum message_direction direction = DIRECTION_SUPERVISOR_TO_NETADMIN;
    const struct wire_leased_address good = {{.family = IP_FAMILY_6, .bytes = {0xfd, [15] = 2}}, 120, 60};
    struct wire_lease *lease = &message.lease.lease;

    (void)state;
    begin(MESSAGE_LEASE, sizeof(struct message_lease));
    message.lease.family = IP_FAMILY_4;
    message.lease.is_held = 1;
    *lease = good_lease();
    lease->further_count = 1;
    lease->further[0] = good;
    EXPECT_BROKEN(direction, "count of further addresses");
    message.lease.family = IP_FAMILY_6;
    *lease = (struct wire_lease){.address = {.family = IP_FAMILY_6, .bytes = {0xfd, [15] = 1}},
                                 .prefix_length = 128,
                                 .valid_seconds = 1,
                                 .further_count = 1,
                                 .further = {good}};
    assert_null(verdict(direction, 0));
    lease->further_count = LEASE_FURTHER_MAX + 1;
    EXPECT_BROKEN(direction, "count of further addresses");
    lease->further_count = 0;
    EXPECT_BROKEN(direction, "unused further address not zero");
    lease->further_count = 2;
    EXPECT_BROKEN(direction, "address family");
    lease->further[1] = good;
    EXPECT_BROKEN(direction, "leased address twice");
    lease->further[1].address = lease->address;
    EXPECT_BROKEN(direction, "leased address twice");
    lease->further[1].address = (struct wire_address){.family = IP_FAMILY_4, .bytes = {10, 0, 0, 1}};
    EXPECT_BROKEN(direction, "further address of another family");
    lease->further[1] = (struct wire_leased_address){.valid_seconds = 0};
    lease->further_count = 1;
    lease->further[0].valid_seconds = 0;
    EXPECT_BROKEN(direction, "lifetimes of a further address");
    lease->further[0].valid_seconds = 59;
    EXPECT_BROKEN(direction, "lifetimes of a further address");
    lease->further[0].valid_seconds = 60;
    assert_null(verdict(direction, 0));
}

static void a_lease_message_says_whose_it_is(void **state)
{
    const enum message_direction direction = DIRECTION_SUPERVISOR_TO_NETADMIN;

    (void)state;
    begin(MESSAGE_LEASE, sizeof(struct message_lease));
    EXPECT_BROKEN(direction, "lease family");
    message.lease.family = IP_FAMILY_6;
    assert_null(verdict(direction, 0)); /* none is held */
    message.lease.lease.valid_seconds = 1;
    EXPECT_BROKEN(direction, "lease without being held");
    message.lease.is_held = 2;
    EXPECT_BROKEN(direction, "lease state");
    assert_string_equal(verdict(DIRECTION_WATCHER_TO_NETADMIN, 0), "type not allowed in this direction");
}

static void what_the_hook_reports_is_checked(void **state)
{
    const enum message_direction direction = DIRECTION_LEASE_TO_SUPERVISOR;
    struct message_lease_event *event = &message.lease_event;

    (void)state;
    begin(MESSAGE_LEASE_EVENT, sizeof(struct message_lease_event));
    EXPECT_BROKEN(direction, "kind of lease event");
    event->kind = LEASE_EVENT_MAX_;
    EXPECT_BROKEN(direction, "kind of lease event");
    event->kind = LEASE_EVENT_LOST;
    EXPECT_BROKEN(direction, "lease event family");
    event->family = IP_FAMILY_4;
    EXPECT_BROKEN(direction, "string not terminated");
    event->interface[0] = 'e';
    event->reason[0] = 'N';
    assert_null(verdict(direction, 0));
    event->is_carrier_down = 2;
    EXPECT_BROKEN(direction, "carrier");
    event->is_carrier_down = 1;
    event->problem[0] = 'p';
    EXPECT_BROKEN(direction, "problem of a lease event");
    event->kind = LEASE_EVENT_UNUSABLE;
    assert_null(verdict(direction, 0));
    event->family = IP_FAMILY_NONE;
    EXPECT_BROKEN(direction, "lease event family");
    event->family = IP_FAMILY_4;
    event->problem[0] = '\0';
    EXPECT_BROKEN(direction, "problem of a lease event");
    event->kind = LEASE_EVENT_LOST;
    event->lease = good_lease();
    EXPECT_BROKEN(direction, "lease without being held");
    event->kind = LEASE_EVENT_HELD;
    assert_null(verdict(direction, 0));
    event->family = IP_FAMILY_6;
    EXPECT_BROKEN(direction, "lease of another family");
    memset(event->reason, 'x', sizeof(event->reason));
    EXPECT_BROKEN(direction, "string not terminated");
}

static void what_netadmin_answers_is_checked(void **state)
{
    const enum message_direction direction = DIRECTION_NETADMIN_TO_SUPERVISOR;

    (void)state;
    begin(MESSAGE_LEASE_APPLIED, sizeof(struct message_lease_applied));
    EXPECT_BROKEN(direction, "lease family");
    message.lease_applied.family = IP_FAMILY_4;
    message.lease_applied.error = -EINVAL;
    assert_null(verdict(direction, 0));
    message.lease_applied.error = 1;
    EXPECT_BROKEN(direction, "error is no negative errno");
    message.lease_applied.error = 0;
    memset(message.lease_applied.reason, 'x', REASON_SIZE);
    EXPECT_BROKEN(direction, "reason not terminated");

    begin(MESSAGE_EXTERNAL_LINK, sizeof(struct message_external_link));
    assert_null(verdict(direction, 0)); /* there is none */
    message.external_link.is_running = 1;
    EXPECT_BROKEN(direction, "no link with properties");
    message.external_link.index = 2;
    EXPECT_BROKEN(direction, "external link");
    message.external_link.name[0] = 'e';
    assert_null(verdict(direction, 0));
    message.external_link.is_running = 2;
    EXPECT_BROKEN(direction, "external link");
    memset(message.external_link.name, 'x', INTERFACE_NAME_SIZE);
    EXPECT_BROKEN(direction, "string not terminated");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_held_lease_is_checked_field_by_field), cmocka_unit_test(further_addresses_are_checked_each),
        cmocka_unit_test(a_lease_message_says_whose_it_is),       cmocka_unit_test(what_the_hook_reports_is_checked),
        cmocka_unit_test(what_netadmin_answers_is_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
