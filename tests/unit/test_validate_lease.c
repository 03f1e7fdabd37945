/*
 * Unit tests of the gate (protocol/validate_lease): the messages of DHCP, a row per rule. A guard that is removed from
 * there makes one of these fail.
 */
#include "tests/unit/validate_case.h"

#define LEASED         .family = IP_FAMILY_4, .bytes = {10, 99, 0, 50}
#define ROUTER         .family = IP_FAMILY_4, .bytes = {10, 99, 0, 1}
#define OTHER_FAMILY   .family = IP_FAMILY_6, .bytes = {0xfd}
#define SIX_OF(last_)  .family = IP_FAMILY_6, .bytes = {0xfd, [15] = (last_)}
#define ROUTE          .destination = {.family = IP_FAMILY_4}, .gateway = {ROUTER}
#define FURTHER(last_) .address = {SIX_OF(last_)}, .valid_seconds = 120, .preferred_seconds = 60

static const struct wire_lease four = {
    .address = {LEASED},
    .prefix_length = 24,
    .valid_seconds = 120,
    .preferred_seconds = 120,
    .router_count = 1,
    .route_count = 1,
    .routers = {{ROUTER}},
    .routes = {{ROUTE}},
};

static void begin_lease(void)
{
    begin(MESSAGE_LEASE, sizeof(struct message_lease));
    message.lease.family = IP_FAMILY_4;
    message.lease.is_held = 1;
    message.lease.lease = four;
}

static const struct rule_case lease_rules[] = {
    BREAKS("lease family", SET(lease.family, 0)),
    BREAKS("lease family", SET(lease.family, 5)),
    BREAKS("lease of another family", SET(lease.family, IP_FAMILY_6)),
    BREAKS("lease state", SET(lease.is_held, 2)),
    BREAKS("lease state", SET(lease.reserved, 1)),
    BREAKS("lease without being held", SET(lease.is_held, 0)),
    BREAKS("address family", SET(lease.lease.address.family, 5)),
    BREAKS("lease of another family", SET(lease.lease.address, OTHER_FAMILY)),
    BREAKS("address padding not zero", SET(lease.lease.server.reserved[0], 1)),
    BREAKS("lease prefix length", SET(lease.lease.prefix_length, 0)),
    BREAKS("lease prefix length", SET(lease.lease.prefix_length, 33)),
    PASSES(SET(lease.lease.prefix_length, 32)),
    PASSES(SET(lease.lease.ignores_routers, 1)),
    BREAKS("option 121", SET(lease.lease.ignores_routers, 2)),
    BREAKS("lease MTU", SET(lease.lease.mtu, LEASE_MTU_MIN - 1)),
    PASSES(SET(lease.lease.mtu, LEASE_MTU_MIN)),
    BREAKS("lease lifetimes", SET(lease.lease.valid_seconds, 0), SET(lease.lease.preferred_seconds, 0)),
    BREAKS("lease lifetimes", SET(lease.lease.preferred_seconds, 121)),
    BREAKS("router count", SET(lease.lease.router_count, LEASE_ROUTERS_MAX + 1)),
    BREAKS("router address family", SET(lease.lease.router_count, 0)),
    BREAKS("router address family", SET(lease.lease.router_count, 2)),
    BREAKS("router address family", SET(lease.lease.routers[0], OTHER_FAMILY)),
    BREAKS("router address family", SET(lease.lease.routers[LEASE_ROUTERS_MAX - 1], ROUTER)),
    BREAKS("address family", SET(lease.lease.routers[0].family, 7)),
    BREAKS("route count", SET(lease.lease.route_count, LEASE_ROUTES_MAX + 1)),
    BREAKS("unused route not zero", SET(lease.lease.route_count, 0)),
    BREAKS("unused route not zero", SET(lease.lease.routes[LEASE_ROUTES_MAX - 1].prefix_length, 1)),
    BREAKS("address family", SET(lease.lease.route_count, 2)),
    BREAKS("route family", SET(lease.lease.routes[0].destination, OTHER_FAMILY)),
    BREAKS("route family", SET(lease.lease.routes[0].gateway, OTHER_FAMILY)),
    BREAKS("address family", SET(lease.lease.routes[0].gateway, 0)),
    BREAKS("route padding not zero", SET(lease.lease.routes[0].reserved[2], 1)),
    BREAKS("route prefix length", SET(lease.lease.routes[0].prefix_length, 33)),
    PASSES(SET(lease.lease.routes[0].prefix_length, 32)),
    BREAKS("count of further addresses", SET(lease.lease.further_count, 1), SET(lease.lease.further[0], FURTHER(2))),
    BREAKS("unused further address not zero", SET(lease.lease.further[0].valid_seconds, 1)),
};

static void begin_full_lease(void)
{
    begin_lease();
    message.lease.lease.router_count = LEASE_ROUTERS_MAX;
    for (size_t i = 0; i < LEASE_ROUTERS_MAX; i++)
        message.lease.lease.routers[i] = (struct wire_address){ROUTER};
    message.lease.lease.route_count = LEASE_ROUTES_MAX;
    for (size_t i = 0; i < LEASE_ROUTES_MAX; i++)
        message.lease.lease.routes[i] = (struct wire_route){ROUTE};
}

static const struct rule_case full_lease_rules[] = {
    BREAKS("router count", SET(lease.lease.router_count, LEASE_ROUTERS_MAX + 1)),
    BREAKS("router address family", SET(lease.lease.router_count, LEASE_ROUTERS_MAX - 1)),
    BREAKS("address family", SET(lease.lease.routers[LEASE_ROUTERS_MAX - 1].family, 7)),
    BREAKS("unused route not zero", SET(lease.lease.route_count, LEASE_ROUTES_MAX - 1)),
    BREAKS("route prefix length", SET(lease.lease.routes[LEASE_ROUTES_MAX - 1].prefix_length, 33)),
};

/* ADDR-2: the further addresses of an IA_NA. */
static void begin_lease6(void)
{
    begin(MESSAGE_LEASE, sizeof(struct message_lease));
    message.lease.family = IP_FAMILY_6;
    message.lease.is_held = 1;
    message.lease.lease = (struct wire_lease){
        .address = {SIX_OF(1)}, .prefix_length = 128, .valid_seconds = 1, .further_count = LEASE_FURTHER_MAX};
    for (uint8_t i = 0; i < LEASE_FURTHER_MAX; i++)
        message.lease.lease.further[i] = (struct wire_leased_address){FURTHER(2 + i)};
}

static const struct rule_case further_rules[] = {
    BREAKS("lease MTU", SET(lease.lease.mtu, 1280)),
    BREAKS("lease prefix length", SET(lease.lease.prefix_length, 129)),
    BREAKS("count of further addresses", SET(lease.lease.further_count, LEASE_FURTHER_MAX + 1)),
    BREAKS("unused further address not zero", SET(lease.lease.further_count, LEASE_FURTHER_MAX - 1)),
    BREAKS("unused further address not zero", SET(lease.lease.further_count, 0)),
    BREAKS("address family", SET(lease.lease.further[LEASE_FURTHER_MAX - 1].address, 0)),
    BREAKS("leased address twice", SET(lease.lease.further[1].address, SIX_OF(2))),
    BREAKS("leased address twice", SET(lease.lease.further[LEASE_FURTHER_MAX - 1].address, SIX_OF(3))),
    BREAKS("leased address twice", SET(lease.lease.further[LEASE_FURTHER_MAX - 1].address, SIX_OF(1))),
    BREAKS("further address of another family", SET(lease.lease.further[1].address, LEASED)),
    BREAKS("lifetimes of a further address", SET(lease.lease.further[0].valid_seconds, 59)),
    BREAKS("lifetimes of a further address", SET(lease.lease.further[0].valid_seconds, 0),
           SET(lease.lease.further[0].preferred_seconds, 0)),
    PASSES(SET(lease.lease.further[0].valid_seconds, 60)),
};

static void a_held_lease_is_checked_field_by_field(void **state)
{
    (void)state;
    EXPECT_EACH(SUPERVISOR_TO_NETADMIN, 0, begin_lease, lease_rules);
    EXPECT_EACH(SUPERVISOR_TO_NETADMIN, 0, begin_full_lease, full_lease_rules);
    EXPECT_EACH(SUPERVISOR_TO_NETADMIN, 0, begin_lease6, further_rules);
}

static void begin_no_lease(void)
{
    begin(MESSAGE_LEASE, sizeof(struct message_lease));
    message.lease.family = IP_FAMILY_6;
}

static const struct rule_case no_lease_rules[] = {
    PASSES(SET(lease.family, IP_FAMILY_4)),
    PASSES(SET(lease.received, 1)),
    BREAKS("lease without being held", SET(lease.lease.valid_seconds, 1)),
    BREAKS("address family", SET(lease.is_held, 1)),
};

static void a_lease_message_says_whose_it_is(void **state)
{
    (void)state;
    EXPECT_EACH(SUPERVISOR_TO_NETADMIN, 0, begin_no_lease, no_lease_rules);
}

static void begin_lost(void)
{
    begin(MESSAGE_LEASE_EVENT, sizeof(struct message_lease_event));
    message.lease_event.kind = LEASE_EVENT_LOST;
    message.lease_event.family = IP_FAMILY_4;
    message.lease_event.interface[0] = 'e';
    message.lease_event.reason[0] = 'N';
}

static const struct rule_case event_rules[] = {
    BREAKS("kind of lease event", SET(lease_event.kind, 0)),
    BREAKS("kind of lease event", SET(lease_event.kind, LEASE_EVENT_MAX_)),
    BREAKS("lease event family", SET(lease_event.family, IP_FAMILY_NONE)),
    BREAKS("lease event family", SET(lease_event.family, 5)),
    BREAKS("lease event family", SET(lease_event.kind, LEASE_EVENT_HELD), SET(lease_event.family, IP_FAMILY_NONE)),
    PASSES(SET(lease_event.kind, LEASE_EVENT_PROGRESS), SET(lease_event.family, IP_FAMILY_NONE)),
    BREAKS("lease event family", SET(lease_event.kind, LEASE_EVENT_PROGRESS), SET(lease_event.family, 5)),
    BREAKS("string not terminated", SET(lease_event.interface[0], '\0')),
    BREAKS("string not terminated", FILL(lease_event.interface)),
    BREAKS("string not terminated", SET(lease_event.reason[0], '\0')),
    BREAKS("string not terminated", FILL(lease_event.reason)),
    PASSES(SET(lease_event.is_carrier_down, 1)),
    BREAKS("carrier", SET(lease_event.is_carrier_down, 2)),
    BREAKS("problem of a lease event", SET(lease_event.problem[0], 'p')),
    BREAKS("problem of a lease event", SET(lease_event.kind, LEASE_EVENT_UNUSABLE)),
    BREAKS("problem of a lease event", SET(lease_event.kind, LEASE_EVENT_UNUSABLE), FILL(lease_event.problem)),
    PASSES(SET(lease_event.kind, LEASE_EVENT_UNUSABLE), SET(lease_event.problem[0], 'p')),
    BREAKS("lease event family", SET(lease_event.kind, LEASE_EVENT_UNUSABLE), SET(lease_event.problem[0], 'p'),
           SET(lease_event.family, IP_FAMILY_NONE)),
    BREAKS("lease without being held", SET(lease_event.lease.valid_seconds, 1)),
    BREAKS("address family", SET(lease_event.kind, LEASE_EVENT_HELD)),
};

static void begin_held_event(void)
{
    begin_lost();
    message.lease_event.kind = LEASE_EVENT_HELD;
    message.lease_event.lease = four;
}

static const struct rule_case held_event_rules[] = {
    BREAKS("lease of another family", SET(lease_event.family, IP_FAMILY_6)),
    BREAKS("lease without being held", SET(lease_event.kind, LEASE_EVENT_LOST)),
    BREAKS("problem of a lease event", SET(lease_event.problem[0], 'p')),
    BREAKS("route padding not zero", SET(lease_event.lease.routes[0].reserved[0], 1)),
};

static void what_the_hook_reports_is_checked(void **state)
{
    (void)state;
    EXPECT_EACH(LEASE_TO_SUPERVISOR, 0, begin_lost, event_rules);
    EXPECT_EACH(LEASE_TO_SUPERVISOR, 0, begin_held_event, held_event_rules);
}

static void begin_lease_applied(void)
{
    begin(MESSAGE_LEASE_APPLIED, sizeof(struct message_lease_applied));
    message.lease_applied.family = IP_FAMILY_4;
}

static const struct rule_case applied_rules[] = {
    BREAKS("lease family", SET(lease_applied.family, 0)),
    PASSES(SET(lease_applied.family, IP_FAMILY_6)),
    PASSES(SET(lease_applied.error, -EINVAL)),
    BREAKS("error is no negative errno", SET(lease_applied.error, 1)),
    BREAKS("reason not terminated", FILL(lease_applied.reason)),
};

static void begin_no_link(void)
{
    begin(MESSAGE_EXTERNAL_LINK, sizeof(struct message_external_link));
}

static const struct rule_case link_rules[] = {
    BREAKS("no link with properties", SET(external_link.is_running, 1)),
    BREAKS("no link with properties", SET(external_link.name[0], 'e')),
    BREAKS("external link", SET(external_link.index, 2)),
    PASSES(SET(external_link.index, 2), SET(external_link.name[0], 'e')),
    PASSES(SET(external_link.index, INT32_MAX), SET(external_link.name[0], 'e'), SET(external_link.is_running, 1)),
    BREAKS("external link", SET(external_link.index, UINT32_C(1) << 31), SET(external_link.name[0], 'e')),
    BREAKS("external link", SET(external_link.index, 2), SET(external_link.name[0], 'e'),
           SET(external_link.is_running, 2)),
    PASSES(SET(external_link.has_links, 1)),
    BREAKS("external link", SET(external_link.has_links, 2)),
    BREAKS("string not terminated", FILL(external_link.name)),
};

static void what_netadmin_answers_is_checked(void **state)
{
    (void)state;
    EXPECT_EACH(NETADMIN_TO_SUPERVISOR, 0, begin_lease_applied, applied_rules);
    EXPECT_EACH(NETADMIN_TO_SUPERVISOR, 0, begin_no_link, link_rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_held_lease_is_checked_field_by_field),
        cmocka_unit_test(a_lease_message_says_whose_it_is),
        cmocka_unit_test(what_the_hook_reports_is_checked),
        cmocka_unit_test(what_netadmin_answers_is_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
