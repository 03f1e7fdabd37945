/* Unit tests of what is inside (WALL-2): the subnets of every link but the external one. */
#include "common/text.h"
#include "workers/netadmin/plan/inner_prefixes.h"

#include <linux/if_addr.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define EXTERNAL_INDEX 2

struct fixture {
    struct network_link links[3];
    struct link_table table;
};

static struct ip_subnet parsed(const char *text)
{
    struct ip_subnet subnet;

    assert_int_equal(ip_subnet_parse(text, &subnet), 0);
    return subnet;
}

static struct link_address *add(struct network_link *link, const char *text, uint32_t flags)
{
    struct link_address *address = &link->addresses[link->address_count++];
    struct ip_subnet subnet = parsed(text);

    *address = (struct link_address){
        .address = subnet.address,
        .prefix_length = subnet.prefix_length,
        .flags = flags,
    };
    return address;
}

static void set_up(struct fixture *fixture)
{
    *fixture = (struct fixture){0};
    for (uint32_t i = 0; i < 3; i++) {
        fixture->links[i].index = EXTERNAL_INDEX + i;
        fixture->links[i].is_up = 1;
    }
    fixture->table = (struct link_table){.links = fixture->links, .count = 3};
    (void)add(&fixture->links[0], "10.99.0.50/24", IFA_F_PERMANENT);
    (void)add(&fixture->links[1], "172.30.0.3/24", IFA_F_PERMANENT);
    (void)add(&fixture->links[1], "172.30.0.2/24", IFA_F_PERMANENT | IFA_F_SECONDARY);
    (void)add(&fixture->links[1], "fd30::3/64", IFA_F_PERMANENT);
    (void)add(&fixture->links[2], "172.31.0.3/16", IFA_F_PERMANENT);
}

static void expect_list(const struct fixture *fixture, uint8_t family, size_t count, const char *const *subnets)
{
    struct inner_prefix list[INNER_PREFIXES_MAX];
    char text[IP_SUBNET_TEXT_SIZE];
    size_t left_out = 1;

    assert_int_equal(inner_prefixes_list(&fixture->table, EXTERNAL_INDEX, family, list, &left_out), count);
    assert_int_equal(left_out, 0);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(ip_subnet_format(&list[i].subnet, text), subnets[i]);
}

static void each_subnet_of_each_other_link_is_listed_once(void **state)
{
    struct fixture fixture;

    (void)state;
    set_up(&fixture);
    expect_list(&fixture, IP_FAMILY_4, 2, (const char *const[]){"172.30.0.0/24", "172.31.0.0/16"});
    expect_list(&fixture, IP_FAMILY_6, 1, (const char *const[]){"fd30::/64"});
}

/* As when a gateway is claimed: the kernel names the newest of a link's IPv6 addresses first. */
static void another_address_of_the_same_subnet_changes_nothing(void **state)
{
    struct inner_prefix before[INNER_PREFIXES_MAX], after[INNER_PREFIXES_MAX];
    struct fixture fixture;
    size_t left_out;

    (void)state;
    set_up(&fixture);
    assert_int_equal(inner_prefixes_list(&fixture.table, EXTERNAL_INDEX, IP_FAMILY_6, before, &left_out), 1);
    (void)add(&fixture.links[1], "fd30::3/64", IFA_F_PERMANENT);
    fixture.links[1].addresses[2].address = parsed("fd30::2/64").address;
    assert_int_equal(inner_prefixes_list(&fixture.table, EXTERNAL_INDEX, IP_FAMILY_6, after, &left_out), 1);
    assert_true(inner_prefix_equal(&before[0], &after[0]));
}

static void what_no_docker_gave_is_not_inside(void **state)
{
    struct fixture fixture;

    (void)state;
    set_up(&fixture);
    (void)add(&fixture.links[2], "fe80::1/64", IFA_F_PERMANENT);
    (void)add(&fixture.links[2], "2001:db8:99::7/64", 0); /* advertised by a container, with a lifetime */
    add(&fixture.links[2], "2001:db8:99::8/64", IFA_F_PERMANENT)->protocol = IFAPROT_KERNEL_RA; /* and for ever */
    (void)add(&fixture.links[2], "2001:db8:99::9/64", IFA_F_PERMANENT | IFA_F_MANAGETEMPADDR);
    (void)add(&fixture.links[2], "192.0.2.1/32", IFA_F_PERMANENT);
    (void)add(&fixture.links[2], "192.0.2.1/0", IFA_F_PERMANENT);
    expect_list(&fixture, IP_FAMILY_6, 1, (const char *const[]){"fd30::/64"});
    expect_list(&fixture, IP_FAMILY_4, 2, (const char *const[]){"172.30.0.0/24", "172.31.0.0/16"});
}

static void the_list_has_an_end(void **state)
{
    static struct network_link links[LINKS_MAX];
    struct inner_prefix list[INNER_PREFIXES_MAX];
    const struct link_table table = {.links = links, .count = LINKS_MAX};
    size_t left_out;

    (void)state;
    for (size_t i = 0; i < LINKS_MAX; i++) {
        links[i].index = (uint32_t)(EXTERNAL_INDEX + 1 + i);
        for (size_t j = 0; j < LINK_ADDRESSES_MAX; j++) {
            struct link_address *address = add(&links[i], "10.0.0.1/24", IFA_F_PERMANENT);

            address->address.bytes[1] = (uint8_t)i;
            address->address.bytes[2] = (uint8_t)j;
        }
    }
    assert_int_equal(inner_prefixes_list(&table, EXTERNAL_INDEX, IP_FAMILY_4, list, &left_out), INNER_PREFIXES_MAX);
    assert_int_equal(left_out, LINKS_MAX * LINK_ADDRESSES_MAX - INNER_PREFIXES_MAX);
}

static void what_lies_within_and_around_is_found(void **state)
{
    struct fixture fixture;
    struct ip_subnet within = parsed("172.31.128.0/17");
    struct ip_subnet equal = parsed("172.31.0.0/16");
    struct ip_subnet around = parsed("172.16.0.0/12");
    struct ip_subnet outside = parsed("10.99.0.0/24");
    struct subnet_behind behind;
    struct ip_subnet inner;

    (void)state;
    set_up(&fixture);
    assert_ptr_equal(inner_prefixes_find_around(&fixture.table, EXTERNAL_INDEX, &within, &inner), &fixture.links[2]);
    assert_int_equal(inner.prefix_length, 16);
    assert_ptr_equal(inner_prefixes_find_around(&fixture.table, EXTERNAL_INDEX, &equal, &inner), &fixture.links[2]);
    assert_null(inner_prefixes_find_around(&fixture.table, EXTERNAL_INDEX, &around, &inner));
    assert_null(inner_prefixes_find_around(&fixture.table, EXTERNAL_INDEX, &outside, &inner));
    assert_ptr_equal(inner_prefixes_find_within(&fixture.table, EXTERNAL_INDEX, &around, &inner), &fixture.links[1]);
    assert_int_equal(inner.prefix_length, 24);
    assert_null(inner_prefixes_find_within(&fixture.table, EXTERNAL_INDEX, &within, &inner));
    assert_null(inner_prefixes_find_within(&fixture.table, EXTERNAL_INDEX, &outside, &inner));

    /* HOST-7: the host is on the LAN itself; that it names that address is one thing, that it contains it another. */
    text_copy_cut(fixture.links[1].name, sizeof(fixture.links[1].name), "anchost");
    behind = (struct subnet_behind){.link = "anchost", .subnet = parsed("10.99.0.2/32")};
    fixture.table.behind = &behind;
    fixture.table.behind_count = 1;
    assert_ptr_equal(inner_prefixes_find_around(&fixture.table, EXTERNAL_INDEX, &behind.subnet, &inner),
                     &fixture.links[1]);
    assert_null(inner_prefixes_find_within(&fixture.table, EXTERNAL_INDEX, &outside, &inner));
    behind.subnet = parsed("10.99.0.2/31");
    assert_ptr_equal(inner_prefixes_find_within(&fixture.table, EXTERNAL_INDEX, &outside, &inner), &fixture.links[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_subnet_of_each_other_link_is_listed_once),
        cmocka_unit_test(another_address_of_the_same_subnet_changes_nothing),
        cmocka_unit_test(what_no_docker_gave_is_not_inside),
        cmocka_unit_test(the_list_has_an_end),
        cmocka_unit_test(what_lies_within_and_around_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
