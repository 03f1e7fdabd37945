/* Unit tests of netadmin's plan for the external interface's addresses (ADDR-1, ADDR-2, ADDR-6). */
#include "workers/netadmin/plan/address_plan.h"

#include "workers/netadmin/plan/route_plan.h"

#include <linux/if_addr.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SECOND UINT64_C(1000000)
#define NOW    (1000 * SECOND)

static struct link_address address(const char *text, uint8_t protocol, uint32_t flags)
{
    struct ip_subnet subnet;

    assert_int_equal(ip_subnet_parse(text, &subnet), 0);
    return (struct link_address){
        .address = subnet.address, .prefix_length = subnet.prefix_length, .protocol = protocol, .flags = flags};
}

struct fixture {
    struct network_link link;
    struct known_lease lease;
    struct address_inputs inputs;
    struct address_plan plan;
};

static void set_up(struct fixture *fixture, const char *bootstrap)
{
    memset(fixture, 0, sizeof(*fixture));
    fixture->inputs = (struct address_inputs){
        .link = &fixture->link,
        .takes_leases = true,
        .lease = &fixture->lease,
        .now = NOW,
    };
    if (bootstrap)
        fixture->inputs.bootstrap = address(bootstrap, 0, 0);
    fixture->inputs.family = bootstrap ? fixture->inputs.bootstrap.address.family : IP_FAMILY_4;
}

static void hold(struct fixture *fixture, const char *text, uint64_t valid_until)
{
    struct link_address leased = address(text, 0, 0);

    fixture->lease = (struct known_lease){
        .is_known = true,
        .is_held = true,
        .lease = {.address = leased.address, .prefix_length = leased.prefix_length},
        .valid_until = valid_until,
        .preferred_until = valid_until,
    };
}

static void have(struct fixture *fixture, const char *text, uint8_t protocol, uint32_t flags)
{
    fixture->link.addresses[fixture->link.address_count++] = address(text, protocol, flags);
}

static void have_leased(struct fixture *fixture, const char *text)
{
    have(fixture, text, ROUTE_PROTOCOL, 0);
}

static void have_permanent(struct fixture *fixture, const char *text)
{
    have(fixture, text, 0, IFA_F_PERMANENT);
}

/* "wanted …; surplus …", with " complete" when the plan is. */
static void expect(struct fixture *fixture, const char *wanted_text)
{
    char text[512] = "wanted";
    char address_text[IP_SUBNET_TEXT_SIZE];

    fixture->plan = address_plan_make(&fixture->inputs);
    for (size_t i = 0; i < fixture->plan.wanted_count; i++) {
        const struct link_address *wanted = &fixture->plan.wanted[i].address;
        struct ip_subnet subnet = {wanted->address, wanted->prefix_length};

        (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), " %s",
                       ip_subnet_format(&subnet, address_text));
    }
    for (size_t i = 0; i < fixture->plan.surplus_count; i++) {
        struct ip_subnet subnet = {fixture->plan.surplus[i].address, fixture->plan.surplus[i].prefix_length};

        (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s %s", i == 0 ? "; surplus" : "",
                       ip_subnet_format(&subnet, address_text));
    }
    if (fixture->plan.is_complete)
        (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "; complete");
    assert_string_equal(text, wanted_text);
}

static void without_leases_dockers_address_is_kept(void **state)
{
    struct fixture fixture;

    (void)state;
    set_up(&fixture, "10.99.0.50/24");
    fixture.inputs.takes_leases = false;
    expect(&fixture, "wanted 10.99.0.50/24");
    have_permanent(&fixture, "10.99.0.50/24");
    have(&fixture, "10.99.0.60/24", 0, 0);
    expect(&fixture, "wanted 10.99.0.50/24; complete");
    set_up(&fixture, NULL);
    expect(&fixture, "wanted; complete");
}

static void a_leased_address_is_added_before_the_other_goes(void **state)
{
    struct fixture fixture;

    (void)state;
    set_up(&fixture, "10.99.0.50/24");
    have_permanent(&fixture, "10.99.0.50/24");
    hold(&fixture, "10.99.0.77/24", NOW + 100 * SECOND);
    expect(&fixture, "wanted 10.99.0.77/24; surplus 10.99.0.50/24");
    assert_true(fixture.plan.wanted[0].is_lease);
    assert_false(fixture.plan.is_hurried);
    have_leased(&fixture, "10.99.0.77/24");
    expect(&fixture, "wanted 10.99.0.77/24; surplus 10.99.0.50/24; complete");
}

static void of_two_leases_the_newer_one_stays(void **state)
{
    struct fixture fixture;

    (void)state;
    set_up(&fixture, "10.99.0.50/24");
    have_leased(&fixture, "10.99.0.77/24");
    have_leased(&fixture, "10.99.0.78/25");
    hold(&fixture, "10.99.0.78/24", TIME_NEVER);
    expect(&fixture, "wanted 10.99.0.78/24; surplus 10.99.0.77/24 10.99.0.78/25");
    assert_true(fixture.plan.next == TIME_NEVER);
}

static void other_peoples_addresses_are_left_alone(void **state)
{
    struct fixture fixture;

    (void)state;
    set_up(&fixture, "10.99.0.50/24");
    have_permanent(&fixture, "10.99.0.60/24");
    have_permanent(&fixture, "fd99::50/64");
    hold(&fixture, "10.99.0.77/24", TIME_NEVER);
    expect(&fixture, "wanted 10.99.0.77/24");
}

static void the_bootstrap_address_is_back_before_the_lease_ends(void **state)
{
    struct fixture fixture;

    (void)state;
    set_up(&fixture, "10.99.0.50/24");
    have_leased(&fixture, "10.99.0.77/24");
    hold(&fixture, "10.99.0.77/24", NOW + LEASE_END_MARGIN + 1);
    expect(&fixture, "wanted 10.99.0.77/24; complete");
    assert_true(fixture.plan.next == NOW + 1);
    fixture.inputs.now = fixture.plan.next;
    expect(&fixture, "wanted 10.99.0.50/24; surplus 10.99.0.77/24");
    assert_true(fixture.plan.next == TIME_NEVER);
}

static void a_lost_lease_goes_in_a_hurry(void **state)
{
    struct fixture fixture;

    (void)state;
    set_up(&fixture, "10.99.0.50/24");
    have_leased(&fixture, "10.99.0.77/24");
    fixture.lease.is_known = true;
    expect(&fixture, "wanted 10.99.0.50/24; surplus 10.99.0.77/24");
    assert_true(fixture.plan.is_hurried);
    set_up(&fixture, NULL); /* even when there is nothing to go back to */
    have_leased(&fixture, "10.99.0.77/24");
    fixture.lease.is_known = true;
    expect(&fixture, "wanted; surplus 10.99.0.77/24; complete");
}

static void a_predecessors_lease_serves_until_somebody_tells(void **state)
{
    struct fixture fixture;

    (void)state;
    set_up(&fixture, "10.99.0.50/24");
    have_leased(&fixture, "10.99.0.77/24");
    expect(&fixture, "wanted; complete");
    assert_true(fixture.plan.is_adopted);
    set_up(&fixture, "10.99.0.50/24");
    have(&fixture, "10.99.0.77/24", 0, 0); /* before Linux 5.18: a lifetime, and no protocol */
    expect(&fixture, "wanted; complete");
    assert_true(fixture.plan.is_adopted);
    set_up(&fixture, "10.99.0.50/24");
    expect(&fixture, "wanted 10.99.0.50/24");
    assert_false(fixture.plan.is_adopted);
}

/* SLAAC's are /64; what stays for ever is Docker's or an operator's. */
static void before_linux_5_18_an_ipv6_lease_is_known_by_its_lifetime_and_length(void **state)
{
    struct fixture fixture;

    (void)state;
    set_up(&fixture, "fd99::50/64");
    have_permanent(&fixture, "fd99::50/64");
    have_permanent(&fixture, "fd99::51/128");
    have(&fixture, "2001:db8::7/64", 0, 0);
    expect(&fixture, "wanted fd99::50/64; complete");
    assert_false(fixture.plan.is_adopted);
    have(&fixture, "2001:db8::d5/128", 0, 0);
    expect(&fixture, "wanted fd99::50/64; complete");
    assert_true(fixture.plan.is_adopted);
    hold(&fixture, "2001:db8::d6/128", NOW + 100 * SECOND);
    expect(&fixture, "wanted fd99::50/64 2001:db8::d6/128; surplus 2001:db8::d5/128");
}

static void dockers_ipv6_address_stays_beside_the_leased_one(void **state)
{
    struct fixture fixture;

    (void)state;
    set_up(&fixture, "fd99::50/64");
    have_permanent(&fixture, "fd99::50/64");
    have(&fixture, "2001:db8::7/64", IFAPROT_KERNEL_RA, 0);
    have_leased(&fixture, "2001:db8::d5/128");
    hold(&fixture, "2001:db8::d6/128", NOW + 100 * SECOND);
    expect(&fixture, "wanted fd99::50/64 2001:db8::d6/128; surplus 2001:db8::d5/128");
    have(&fixture, "2001:db8::d6/128", ROUTE_PROTOCOL, IFA_F_TENTATIVE);
    expect(&fixture, "wanted fd99::50/64 2001:db8::d6/128; surplus 2001:db8::d5/128");
    fixture.link.addresses[3].flags = 0;
    expect(&fixture, "wanted fd99::50/64 2001:db8::d6/128; surplus 2001:db8::d5/128; complete");
}

static void hold_further(struct fixture *fixture, const char *text, uint64_t valid_until)
{
    struct lease *lease = &fixture->lease.lease;

    lease->further[lease->further_count].address = address(text, 0, 0).address;
    fixture->lease.further[lease->further_count++] =
        (struct known_further){.valid_until = valid_until, .preferred_until = valid_until};
}

/* NAT-8: all that an IA_NA gave, each for its own time; what another host has keeps nothing back. */
static void each_address_of_an_identity_has_its_time(void **state)
{
    struct fixture fixture;

    (void)state;
    set_up(&fixture, "fd99::50/64");
    hold(&fixture, "2001:db8::d6/128", NOW + 100 * SECOND);
    hold_further(&fixture, "fd99::d6/128", NOW + 50 * SECOND);
    hold_further(&fixture, "2001:db8::d7/128", TIME_NEVER);
    have_permanent(&fixture, "fd99::50/64");
    expect(&fixture, "wanted fd99::50/64 2001:db8::d6/128 fd99::d6/128 2001:db8::d7/128");
    assert_int_equal(fixture.plan.next, NOW + 50 * SECOND - LEASE_END_MARGIN);
    assert_int_equal(fixture.plan.wanted[1].number, 0);
    assert_int_equal(fixture.plan.wanted[3].number, 2);
    have_leased(&fixture, "2001:db8::d6/128");
    have_leased(&fixture, "fd99::d6/128");
    expect(&fixture, "wanted fd99::50/64 2001:db8::d6/128 fd99::d6/128 2001:db8::d7/128");
    fixture.lease.further[1].is_duplicate = true;
    expect(&fixture, "wanted fd99::50/64 2001:db8::d6/128 fd99::d6/128; complete");
    fixture.inputs.now = NOW + 60 * SECOND;
    expect(&fixture, "wanted fd99::50/64 2001:db8::d6/128; surplus fd99::d6/128; complete");
    fixture.lease.further[1].is_duplicate = false;
    fixture.inputs.now = NOW + 100 * SECOND;
    expect(&fixture, "wanted fd99::50/64 2001:db8::d7/128; surplus 2001:db8::d6/128 fd99::d6/128");
    assert_true(fixture.plan.has_lease);
    fixture.lease.lease.further_count = 0;
    expect(&fixture, "wanted fd99::50/64; surplus 2001:db8::d6/128 fd99::d6/128; complete");
    assert_false(fixture.plan.has_lease);
}

/* Behind a link's last address stands what it had once. */
static void what_is_behind_the_last_address_is_none(void **state)
{
    struct fixture fixture;

    (void)state;
    set_up(&fixture, "10.99.0.50/24"); /* neither there */
    have_permanent(&fixture, "10.99.0.50/24");
    fixture.link.address_count = 0;
    expect(&fixture, "wanted 10.99.0.50/24");
    set_up(&fixture, "10.99.0.50/24"); /* nor a predecessor's lease */
    have_permanent(&fixture, "10.99.0.50/24");
    have_leased(&fixture, "10.99.0.77/24");
    fixture.link.address_count = 1;
    expect(&fixture, "wanted 10.99.0.50/24; complete");
    assert_false(fixture.plan.is_adopted);
    hold(&fixture, "10.99.0.50/24", NOW + 100 * SECOND); /* nor one too many */
    expect(&fixture, "wanted 10.99.0.50/24; complete");
}

/* It cannot be told yet whether an unusable one is a predecessor's: without a word of a lease nothing goes. */
static void where_nothing_is_wanted_nothing_goes(void **state)
{
    struct fixture fixture;

    (void)state;
    set_up(&fixture, NULL);
    have(&fixture, "10.99.0.77/24", ROUTE_PROTOCOL, IFA_F_DADFAILED);
    expect(&fixture, "wanted; complete");
    assert_false(fixture.plan.is_adopted);
}

static void dockers_own_ipv6_address_leased_stays_dockers(void **state)
{
    struct fixture fixture;

    (void)state;
    set_up(&fixture, "fd99::50/64");
    have_permanent(&fixture, "fd99::50/64");
    hold(&fixture, "fd99::50/128", NOW + 100 * SECOND);
    expect(&fixture, "wanted fd99::50/64; complete");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_leases_dockers_address_is_kept),
        cmocka_unit_test(a_leased_address_is_added_before_the_other_goes),
        cmocka_unit_test(of_two_leases_the_newer_one_stays),
        cmocka_unit_test(other_peoples_addresses_are_left_alone),
        cmocka_unit_test(the_bootstrap_address_is_back_before_the_lease_ends),
        cmocka_unit_test(a_lost_lease_goes_in_a_hurry),
        cmocka_unit_test(a_predecessors_lease_serves_until_somebody_tells),
        cmocka_unit_test(before_linux_5_18_an_ipv6_lease_is_known_by_its_lifetime_and_length),
        cmocka_unit_test(dockers_ipv6_address_stays_beside_the_leased_one),
        cmocka_unit_test(what_is_behind_the_last_address_is_none),
        cmocka_unit_test(where_nothing_is_wanted_nothing_goes),
        cmocka_unit_test(each_address_of_an_identity_has_its_time),
        cmocka_unit_test(dockers_own_ipv6_address_leased_stays_dockers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
