/* Which of a name's addresses becomes a service-anchor's gateway (SA-1). */
#include "workers/way/gateway_answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct ip_address address(const char *text)
{
    struct ip_address parsed = {0};

    assert_int_equal(ip_address_parse(text, &parsed), 0);
    return parsed;
}

/* eth0 172.30.0.5/24 fd30::5/64, eth1 172.31.0.5/24 */
static struct link_table two_links(struct network_link links[2])
{
    memset(links, 0, 2 * sizeof(links[0]));
    links[0] = (struct network_link){.index = 2, .is_up = 1, .address_count = 2};
    links[0].addresses[0] = (struct link_address){.address = address("172.30.0.5"), .prefix_length = 24};
    links[0].addresses[1] = (struct link_address){.address = address("fd30::5"), .prefix_length = 64};
    links[1] = (struct network_link){.index = 3, .is_up = 1, .address_count = 1};
    links[1].addresses[0] = (struct link_address){.address = address("172.31.0.5"), .prefix_length = 24};
    return (struct link_table){.links = links, .count = 2};
}

static void assert_chosen(const char *const answers[], const char *current, const char *expected, uint32_t index,
                          size_t on_link)
{
    struct network_link links[2];
    struct link_table table = two_links(links);
    struct gateway_answers given = {0};
    struct ip_address now = current ? address(current) : (struct ip_address){0};
    struct gateway_answer answer;

    for (; answers[given.count]; given.count++)
        given.addresses[given.count] = address(answers[given.count]);
    answer = gateway_answer_choose(&given, &table, &now);
    assert_int_equal(answer.on_link, on_link);
    if (expected) {
        struct ip_address wanted = address(expected);

        assert_true(ip_address_equal(&answer.address, &wanted));
        assert_int_equal(answer.link->index, index);
    } else {
        assert_null(answer.link);
    }
}

#define ANSWERS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void only_what_is_on_link_counts(void **state)
{
    (void)state;
    assert_chosen(ANSWERS("10.0.0.1", "172.30.0.2"), NULL, "172.30.0.2", 2, 1);
    assert_chosen(ANSWERS("10.0.0.1"), NULL, NULL, 0, 0);
    assert_chosen(ANSWERS("172.30.0.5"), NULL, NULL, 0, 0); /* ourselves */
    assert_chosen(ANSWERS("fd30::2"), NULL, "fd30::2", 2, 1);
    assert_chosen(ANSWERS("172.31.0.2"), NULL, "172.31.0.2", 3, 1);
}

static void the_lowest_is_taken_in_whatever_order(void **state)
{
    (void)state;
    assert_chosen(ANSWERS("172.30.0.9", "172.30.0.2", "172.30.0.10"), NULL, "172.30.0.2", 2, 3);
    assert_chosen(ANSWERS("172.30.0.2", "172.30.0.9"), NULL, "172.30.0.2", 2, 2);
}

static void the_current_one_stays_while_it_is_among_them(void **state)
{
    (void)state;
    assert_chosen(ANSWERS("172.30.0.2", "172.30.0.9"), "172.30.0.9", "172.30.0.9", 2, 2);
    assert_chosen(ANSWERS("172.30.0.9", "172.30.0.2"), "172.30.0.9", "172.30.0.9", 2, 2);
    assert_chosen(ANSWERS("172.30.0.3", "172.30.0.2"), "172.30.0.9", "172.30.0.2", 2, 2);
    assert_chosen(ANSWERS("10.0.0.1", "172.30.0.2"), "10.0.0.1", "172.30.0.2", 2, 1);
}

static void a_link_that_is_down_is_waited_for(void **state)
{
    struct network_link links[2];
    struct link_table table = two_links(links);
    struct gateway_answers given = {.count = 1, .addresses = {address("172.30.0.2")}};
    struct gateway_answer answer;

    (void)state;
    links[0].is_up = 0;
    answer = gateway_answer_choose(&given, &table, &given.addresses[0]);
    assert_ptr_equal(answer.link, &links[0]);
}

static void of_two_links_with_one_subnet_the_first_that_is_up_leads(void **state)
{
    struct network_link links[2];
    struct link_table table = two_links(links);
    struct gateway_answers given = {.count = 1, .addresses = {address("172.30.0.2")}};

    (void)state;
    links[1].addresses[0].address = address("172.30.0.6");
    assert_ptr_equal(gateway_answer_choose(&given, &table, &given.addresses[0]).link, &links[0]);
    links[0].is_up = 0;
    assert_ptr_equal(gateway_answer_choose(&given, &table, &given.addresses[0]).link, &links[1]);
    links[1].is_up = 0;
    assert_ptr_equal(gateway_answer_choose(&given, &table, &given.addresses[0]).link, &links[0]);
}

static void what_is_behind_the_last_answer_is_none(void **state)
{
    struct network_link links[2];
    struct link_table table = two_links(links);
    struct gateway_answers given = {.count = 1, .addresses = {address("172.30.0.9"), address("172.30.0.2")}};
    const struct ip_address none = {.family = IP_FAMILY_NONE};

    (void)state;
    assert_int_equal(gateway_answer_choose(&given, &table, &none).on_link, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_is_on_link_counts),
        cmocka_unit_test(the_lowest_is_taken_in_whatever_order),
        cmocka_unit_test(the_current_one_stays_while_it_is_among_them),
        cmocka_unit_test(a_link_that_is_down_is_waited_for),
        cmocka_unit_test(of_two_links_with_one_subnet_the_first_that_is_up_leads),
        cmocka_unit_test(what_is_behind_the_last_answer_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
