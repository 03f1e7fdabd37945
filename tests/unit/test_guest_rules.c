/* Unit tests of what lists and limits ask of the rules, and of a kernel that has none (GUEST-1). */
#include "workers/netadmin/plan/guest_rules.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define PORTS(first_, last_)                                                                       \
    {                                                                                              \
        .kind = GUEST_PORTS, .protocol = IPPROTO_TCP, .port_first = (first_), .port_last = (last_) \
    }
#define LIMIT(port_, rate_)                                                                                         \
    {                                                                                                               \
        .kind = GUEST_LIMIT, .protocol = IPPROTO_TCP, .port_first = (port_), .port_last = (port_), .rate = (rate_), \
        .burst = 5                                                                                                  \
    }

static void a_kernel_without_a_kind_closes_what_wants_it(void **state)
{
    static const struct {
        enum guest_kind lacks;
        uint16_t left; /* of 22 with a limit, 80 with a list, 443 with neither */
    } rows[] = {{GUEST_PORTS, 80}, {GUEST_LIMIT, 22}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct desired_state want = {0};
        const struct wire_guest guests[] = {PORTS(80, 90), LIMIT(22, 1)};
        struct map *tcp = &want.open.maps[FAMILY_INDEX_6][PROTOCOL_INDEX_TCP];
        struct map *udp = &want.withheld.maps[FAMILY_INDEX_4][PROTOCOL_INDEX_UDP];
        bool lacks[GUEST_KIND_MAX_] = {false};

        lacks[rows[i].lacks] = true;
        for (size_t j = 0; j < ARRAY_LENGTH(guests); j++)
            assert_int_equal(guest_list_add(&want.guests, &guests[j]), 0);
        assert_int_equal(map_add(tcp, &(struct map_element){.port = 22}), 0);
        assert_int_equal(map_add(tcp, &(struct map_element){.port = 80}), 0);
        assert_int_equal(map_add(tcp, &(struct map_element){.port = 443}), 0);
        assert_int_equal(map_add(udp, &(struct map_element){.port = 80}), 0);
        guest_rules_leave_out(&want, lacks);
        assert_int_equal(tcp->count, 2);
        assert_null(map_find(tcp, rows[i].left));
        assert_non_null(map_find(tcp, 443));
        assert_int_equal(udp->count, 1); /* of another protocol */
        assert_int_equal(want.guests.count, 1);
        desired_state_clear(&want);
    }
}

static void only_limits_and_the_first_list_need_other_rules(void **state)
{
    struct wire_guest one[] = {PORTS(80, 80)}, other[] = {PORTS(81, 81)}, limited[] = {PORTS(80, 80), LIMIT(22, 1)},
                      faster[] = {PORTS(80, 80), LIMIT(22, 2)};
    const struct guest_list none = {0}, a = {one, 1, 1}, b = {other, 1, 1}, c = {limited, 2, 2}, d = {faster, 2, 2};

    (void)state;
    assert_false(guest_rules_need_others(&none, &none));
    assert_true(guest_rules_need_others(&none, &a));
    assert_true(guest_rules_need_others(&a, &none));
    assert_false(guest_rules_need_others(&a, &b));
    assert_true(guest_rules_need_others(&a, &c));
    assert_true(guest_rules_need_others(&c, &a));
    assert_false(guest_rules_need_others(&c, &c));
    assert_true(guest_rules_need_others(&c, &d));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kernel_without_a_kind_closes_what_wants_it),
        cmocka_unit_test(only_limits_and_the_first_list_need_other_rules),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
