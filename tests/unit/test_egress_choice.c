/* Unit tests of netadmin's choice of the IPv6 egress addresses (NAT-8, ADDR-1 to ADDR-3). */
#include "workers/netadmin/plan/egress_choice.h"

#include "workers/netadmin/plan/route_plan.h"

#include <linux/if_addr.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct given {
    const char *address;
    uint32_t flags;
    uint8_t protocol;
    uint32_t created;
};

/* In bootstrap mode. */
#define EXPECT(global_, unique_local_, ...) \
    expect(&bootstrap, (global_), (unique_local_), (const struct given[]){__VA_ARGS__, {NULL, 0, 0, 0}})
/* In the modes that ask the network. */
#define EXPECT_ASKED(global_, unique_local_, ...) \
    expect(&asked, (global_), (unique_local_), (const struct given[]){__VA_ARGS__, {NULL, 0, 0, 0}})

static const struct egress_preference bootstrap = {.is_bootstrap = true};
static const struct egress_preference asked = {
    .leased = {{IP_FAMILY_6, {0x20, 0x01, 0x0d, 0xb8, [15] = 0xd6}}}, /* 2001:db8::d6 */
    .leased_count = 1,
};

static void expect(const struct egress_preference *preference, const char *global, const char *unique_local,
                   const struct given *given)
{
    struct network_link link = {.index = 2};
    struct egress_choice choice;
    char text[IP_ADDRESS_TEXT_SIZE];

    for (; given->address; given++) {
        struct link_address *address = &link.addresses[link.address_count++];

        assert_int_equal(ip_address_parse(given->address, &address->address), 0);
        address->flags = given->flags;
        address->protocol = given->protocol;
        address->created = given->created;
    }
    choice = egress_choose(&link, preference);
    assert_string_equal(ip_address_format(&choice.global, text), global);
    assert_string_equal(ip_address_format(&choice.unique_local, text), unique_local);
}

static void each_scope_has_its_own(void **state)
{
    (void)state;
    EXPECT("2001:db8::5", "fd99::5", {"fd99::5", IFA_F_PERMANENT, 0, 0}, {"2001:db8::5", IFA_F_PERMANENT, 0, 0},
           {"fe80::5", IFA_F_PERMANENT, IFAPROT_KERNEL_LL, 0}, {"10.99.0.5", IFA_F_PERMANENT, 0, 0});
    EXPECT("-", "fd99::5", {"fd99::5", IFA_F_PERMANENT, 0, 0});
    EXPECT("2001:db8::5", "-", {"2001:db8::5", IFA_F_PERMANENT, 0, 0});
    EXPECT("-", "-", {"fe80::5", IFA_F_PERMANENT, IFAPROT_KERNEL_LL, 0}, {"10.99.0.5", IFA_F_PERMANENT, 0, 0});
}

static void dockers_address_wins_over_autoconfigured_ones(void **state)
{
    (void)state;
    EXPECT("2001:db8::99", "-", {"2001:db8::2", IFA_F_MANAGETEMPADDR, IFAPROT_KERNEL_RA, 0},
           {"2001:db8::99", IFA_F_PERMANENT, 0, 0});
    /* Advertised for ever: permanent, and yet the kernel's. */
    EXPECT("2001:db8::99", "-", {"2001:db8::2", IFA_F_PERMANENT, IFAPROT_KERNEL_RA, 0},
           {"2001:db8::99", IFA_F_PERMANENT, 0, 0});
    EXPECT("2001:db8::99", "-", {"2001:db8::2", IFA_F_PERMANENT | IFA_F_MANAGETEMPADDR, 0, 0},
           {"2001:db8::99", IFA_F_PERMANENT, 0, 0});
}

static void temporary_and_deprecated_ones_are_the_last_resort(void **state)
{
    (void)state;
    EXPECT("2001:db8::7", "-", {"2001:db8::1", IFA_F_TEMPORARY, IFAPROT_KERNEL_RA, 0},
           {"2001:db8::2", IFA_F_PERMANENT | IFA_F_DEPRECATED, 0, 0}, {"2001:db8::7", 0, IFAPROT_KERNEL_RA, 0});
    EXPECT("2001:db8::1", "-", {"2001:db8::2", IFA_F_DEPRECATED, 0, 0}, {"2001:db8::1", IFA_F_TEMPORARY, 0, 0});
}

static void among_equals_the_lowest_wins_in_any_order(void **state)
{
    (void)state;
    EXPECT("2001:db8::2", "-", {"2001:db8::9", IFA_F_PERMANENT, 0, 0}, {"2001:db8::2", IFA_F_PERMANENT, 0, 0});
    EXPECT("2001:db8::2", "-", {"2001:db8::2", IFA_F_PERMANENT, 0, 0}, {"2001:db8::9", IFA_F_PERMANENT, 0, 0});
}

/* As the kernel prefers it: what came last stands first in its list. */
static void among_equals_the_youngest_wins(void **state)
{
    (void)state;
    EXPECT_ASKED("2001:db8:2::9", "-", {"2001:db8:1::9", 0, IFAPROT_KERNEL_RA, 100},
                 {"2001:db8:2::9", 0, IFAPROT_KERNEL_RA, 200});
    EXPECT_ASKED("2001:db8:2::9", "-", {"2001:db8:2::9", 0, IFAPROT_KERNEL_RA, 200},
                 {"2001:db8:1::9", 0, IFAPROT_KERNEL_RA, 100});
    EXPECT_ASKED("2001:db8:1::9", "-", {"2001:db8:1::9", 0, IFAPROT_KERNEL_RA, 5},
                 {"2001:db8:2::9", 0, IFAPROT_KERNEL_RA, UINT32_MAX - 5}); /* the clock wrapped around between them */
}

static void the_prefix_of_the_router_in_use_comes_before_the_youngest(void **state)
{
    static const struct ip_subnet prefixes[] = {
        {{IP_FAMILY_6, {0x20, 0x01, 0x0d, 0xb8, 0, 1}}, 64}, /* 2001:db8:1::/64 */
        {{IP_FAMILY_6, {0xfd, 0x01}}, 64},
    };
    const struct egress_preference preference = {.advertised = prefixes, .advertised_count = 2};
    const struct given given[] = {{"2001:db8:1::9", 0, IFAPROT_KERNEL_RA, 100},
                                  {"2001:db8:2::9", 0, IFAPROT_KERNEL_RA, 200},
                                  {"fd01::9", 0, IFAPROT_KERNEL_RA, 100},
                                  {"fd02::9", 0, IFAPROT_KERNEL_RA, 200},
                                  {NULL, 0, 0, 0}};
    const struct given deprecated[] = {{"2001:db8:1::9", IFA_F_DEPRECATED, IFAPROT_KERNEL_RA, 100},
                                       {"2001:db8:2::9", 0, IFAPROT_KERNEL_RA, 200},
                                       {NULL, 0, 0, 0}};

    (void)state;
    expect(&preference, "2001:db8:1::9", "fd01::9", given);
    expect(&preference, "2001:db8:2::9", "-", deprecated);
}

/* Before Linux 5.18 nobody says who added it, but an address with a lifetime is no one's who configured it. */
static void a_lifetime_is_enough_for_autoconfiguration(void **state)
{
    (void)state;
    EXPECT_ASKED("2001:db8::7", "-", {"2001:db8::5", IFA_F_PERMANENT, 0, 0}, {"2001:db8::7", 0, IFAPROT_UNSPEC, 0});
}

/* Behind a link's last address stands what it had once. */
static void what_is_behind_the_last_address_is_none(void **state)
{
    struct network_link link = {.index = 2, .address_count = 1};
    struct egress_choice choice;

    (void)state;
    assert_int_equal(ip_address_parse("2001:db8::9", &link.addresses[0].address), 0);
    link.addresses[0].flags = IFA_F_PERMANENT;
    link.addresses[1] = link.addresses[0];
    assert_int_equal(ip_address_parse("2001:db8::2", &link.addresses[1].address), 0);
    choice = egress_choose(&link, &bootstrap);
    assert_true(ip_address_equal(&choice.global, &link.addresses[0].address));
}

/* Of one IA_NA: the best one per scope, as the lease lists them, and not the one that was added last. */
static void among_leased_ones_the_better_one_of_the_lease_wins(void **state)
{
    const struct egress_preference two = {
        .leased = {{IP_FAMILY_6, {0x20, 0x01, 0x0d, 0xb8, [15] = 0xd6}},  /* 2001:db8::d6 */
                   {IP_FAMILY_6, {0xfd, [15] = 0xd6}},                    /* fd00::d6 */
                   {IP_FAMILY_6, {0x20, 0x01, 0x0d, 0xb8, [15] = 0x01}}}, /* 2001:db8::1 */
        .leased_count = 3,
    };
    static const struct given given[] = {
        {"2001:db8::d6", 0, 0, 100},
        {"2001:db8::1", 0, 0, 200},
        {"fd00::d6", 0, 0, 100},
        {"fd00::50", IFA_F_PERMANENT, 0, 0},
        {NULL, 0, 0, 0},
    };

    (void)state;
    expect(&two, "2001:db8::d6", "fd00::d6", given);
}

static void addresses_under_detection_do_not_count(void **state)
{
    (void)state;
    EXPECT("2001:db8::9", "-", {"2001:db8::2", IFA_F_PERMANENT | IFA_F_TENTATIVE, 0, 0},
           {"2001:db8::3", IFA_F_PERMANENT | IFA_F_DADFAILED, 0, 0}, {"2001:db8::9", 0, IFAPROT_KERNEL_RA, 0});
    EXPECT("-", "-", {"2001:db8::2", IFA_F_PERMANENT | IFA_F_TENTATIVE, 0, 0});
}

static void leased_before_slaac_before_dockers_in_the_other_modes(void **state)
{
    (void)state;
    EXPECT_ASKED("2001:db8::d6", "-", {"2001:db8::5", IFA_F_PERMANENT, 0, 0}, {"2001:db8::7", 0, IFAPROT_KERNEL_RA, 0},
                 {"2001:db8::d6", 0, 0, 0});
    EXPECT_ASKED("2001:db8::99", "-", {"2001:db8::5", IFA_F_PERMANENT, 0, 0}, {"2001:db8::99", 0, ROUTE_PROTOCOL, 0});
    EXPECT_ASKED("2001:db8::7", "fd99::8", {"2001:db8::5", IFA_F_PERMANENT, 0, 0},
                 {"2001:db8::7", 0, IFAPROT_KERNEL_RA, 0}, {"fd99::5", IFA_F_PERMANENT, 0, 0},
                 {"fd99::8", 0, IFAPROT_KERNEL_RA, 0});
    EXPECT_ASKED("2001:db8::5", "-", {"2001:db8::5", IFA_F_PERMANENT, 0, 0});
    EXPECT_ASKED("2001:db8::7", "-", {"2001:db8::d6", IFA_F_DEPRECATED, 0, 0},
                 {"2001:db8::7", 0, IFAPROT_KERNEL_RA, 0});
    EXPECT_ASKED("2001:db8::5", "-", {"2001:db8::d6", IFA_F_TENTATIVE, 0, 0}, {"2001:db8::5", IFA_F_PERMANENT, 0, 0});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_scope_has_its_own),
        cmocka_unit_test(dockers_address_wins_over_autoconfigured_ones),
        cmocka_unit_test(temporary_and_deprecated_ones_are_the_last_resort),
        cmocka_unit_test(among_equals_the_lowest_wins_in_any_order),
        cmocka_unit_test(among_equals_the_youngest_wins),
        cmocka_unit_test(the_prefix_of_the_router_in_use_comes_before_the_youngest),
        cmocka_unit_test(a_lifetime_is_enough_for_autoconfiguration),
        cmocka_unit_test(what_is_behind_the_last_address_is_none),
        cmocka_unit_test(among_leased_ones_the_better_one_of_the_lease_wins),
        cmocka_unit_test(addresses_under_detection_do_not_count),
        cmocka_unit_test(leased_before_slaac_before_dockers_in_the_other_modes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
