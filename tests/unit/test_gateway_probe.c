/* Unit tests of when a gateway address is claimed, asked for or left alone (GW-1), with the time as a number. */
#include "workers/netadmin/plan/gateway_probe.h"

#include "common/clock.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define MILLISECOND MICROSECONDS_PER_MILLISECOND
#define START       (UINT64_C(1000) * MICROSECONDS_PER_SECOND)

static const struct ip_address address = {.family = IP_FAMILY_4, .bytes = {172, 30, 0, 2}};
static const struct mac_address nobody = {{0}};
static const struct mac_address stranger = {{0x02, 0, 0, 0, 0, 0x66}};
static const struct mac_address another = {{0x02, 0, 0, 0, 0, 0x67}};

static bool answer(struct gateway_probes *probes, const struct mac_address *holder, uint64_t now, uint32_t random)
{
    bool is_expected;
    bool is_news = gateway_probe_answered(probes, &address, holder, now, random, &is_expected);

    assert_true(is_expected);
    return is_news;
}

static void asked_first_and_claimed_when_free(void **state)
{
    struct gateway_probes probes = {0};

    (void)state;
    assert_int_equal(gateway_probe_decide(&probes, &address, START), GATEWAY_VERDICT_ASK);
    gateway_probe_asked(&probes, &address, START);
    assert_int_equal(gateway_probe_decide(&probes, &address, START), GATEWAY_VERDICT_WAIT);
    assert_false(answer(&probes, &nobody, START + 200 * MILLISECOND, 0));
    assert_int_equal(gateway_probe_decide(&probes, &address, START + 200 * MILLISECOND), GATEWAY_VERDICT_CLAIM);
    /* Ours from then on: put back without a question. */
    assert_int_equal(gateway_probe_decide(&probes, &address, UINT64_MAX), GATEWAY_VERDICT_CLAIM);
    assert_true(gateway_probe_next(&probes) == GATEWAY_PROBE_NEVER);
}

static void claimed_when_no_answer_comes(void **state)
{
    struct gateway_probes probes = {0};
    uint64_t late = START + GATEWAY_ANSWER_MILLISECONDS * MILLISECOND;

    (void)state;
    gateway_probe_asked(&probes, &address, START);
    assert_true(gateway_probe_next(&probes) == late);
    assert_int_equal(gateway_probe_decide(&probes, &address, late - 1), GATEWAY_VERDICT_WAIT);
    assert_int_equal(gateway_probe_decide(&probes, &address, late), GATEWAY_VERDICT_CLAIM);
}

static void held_address_is_asked_for_again_and_each_holder_is_news_once(void **state)
{
    struct gateway_probes probes = {0};
    uint64_t again = START + GATEWAY_RETRY_MILLISECONDS * MILLISECOND;

    (void)state;
    gateway_probe_asked(&probes, &address, START);
    assert_true(answer(&probes, &stranger, START, 0));
    assert_int_equal(gateway_probe_decide(&probes, &address, again - 1), GATEWAY_VERDICT_WAIT);
    assert_true(gateway_probe_next(&probes) == again);
    assert_int_equal(gateway_probe_decide(&probes, &address, again), GATEWAY_VERDICT_ASK);
    gateway_probe_asked(&probes, &address, again);
    assert_false(answer(&probes, &stranger, again, UINT32_MAX));
    assert_true(gateway_probe_next(&probes) >= again + GATEWAY_RETRY_MILLISECONDS * MILLISECOND);
    assert_true(gateway_probe_next(&probes) <=
                again + (GATEWAY_RETRY_MILLISECONDS + GATEWAY_SPREAD_MILLISECONDS) * MILLISECOND);
    gateway_probe_asked(&probes, &address, again);
    assert_true(answer(&probes, &another, again, 0));
}

static void unexpected_answer_changes_nothing(void **state)
{
    struct gateway_probes probes = {0};
    bool is_expected = true;

    (void)state;
    assert_false(gateway_probe_answered(&probes, &address, &stranger, START, 0, &is_expected));
    assert_false(is_expected);
    assert_int_equal(gateway_probe_decide(&probes, &address, START), GATEWAY_VERDICT_ASK);
    gateway_probe_asked(&probes, &address, START);
    assert_false(answer(&probes, &nobody, START, 0));
    assert_false(gateway_probe_answered(&probes, &address, &stranger, START, 0, &is_expected));
    assert_false(is_expected);
    assert_int_equal(gateway_probe_decide(&probes, &address, START), GATEWAY_VERDICT_CLAIM);
}

static void new_announcer_is_asked_anew(void **state)
{
    struct gateway_probes probes = {0};

    (void)state;
    gateway_probe_asked(&probes, &address, START);
    gateway_probe_forget_questions(&probes);
    assert_int_equal(gateway_probe_decide(&probes, &address, START), GATEWAY_VERDICT_ASK);
    assert_true(gateway_probe_next(&probes) == GATEWAY_PROBE_NEVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asked_first_and_claimed_when_free),
        cmocka_unit_test(claimed_when_no_answer_comes),
        cmocka_unit_test(held_address_is_asked_for_again_and_each_holder_is_news_once),
        cmocka_unit_test(unexpected_answer_changes_nothing),
        cmocka_unit_test(new_announcer_is_asked_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
