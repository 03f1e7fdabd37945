/* Unit tests of ANCHORD_LABEL_SELECTOR's grammar (DISC-2). */
#include "protocol/label_selector.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct label_selector selector;
static struct label_selector_error error;

static uint32_t match(const char *key, const char *value)
{
    return label_selector_match(&selector, key, value, strlen(value));
}

static void entries_may_have_white_space(void **state)
{
    (void)state;
    assert_int_equal(label_selector_parse(" anchord.identity = mail ,\n tier=\tfront=end ", &selector, &error), 0);
    assert_int_equal(selector.count, 2);
    assert_string_equal(label_selector_key(&selector, 0), "anchord.identity");
    assert_string_equal(label_selector_value(&selector, 0), "mail");
    assert_string_equal(label_selector_key(&selector, 1), "tier");
    assert_string_equal(label_selector_value(&selector, 1), "front=end");
    assert_int_equal(match("anchord.identity", "mail") | match("tier", "front=end"), label_selector_all(&selector));
    assert_int_equal(match("tier", "front"), 0);
    assert_int_equal(match("tier", "front=end "), 0);
    assert_int_equal(match("Tier", "front=end"), 0);
    assert_int_equal(match("other", "mail"), 0);
}

static void an_empty_value_matches_only_itself(void **state)
{
    (void)state;
    assert_int_equal(label_selector_parse("a=,b = ", &selector, &error), 0);
    assert_int_equal(match("a", "") | match("b", ""), label_selector_all(&selector));
    assert_int_equal(match("a", "x"), 0);
}

static void the_same_pair_twice_counts_once(void **state)
{
    (void)state;
    assert_int_equal(label_selector_parse("a=1,b=2, a = 1", &selector, &error), 0);
    assert_int_equal(selector.count, 2);
}

static void expect_fault(const char *text, const char *entry, const char *reason)
{
    assert_int_equal(label_selector_parse(text, &selector, &error), -EINVAL);
    assert_string_equal(error.entry, entry);
    assert_string_equal(error.reason, reason);
    assert_int_equal(selector.count, 0);
}

static void faults_name_the_entry(void **state)
{
    (void)state;
    expect_fault("a=1,b", "b", "no `=`: an entry is key=value");
    expect_fault("a=1,", "", "no `=`: an entry is key=value");
    expect_fault(" ", " ", "no `=`: an entry is key=value");
    expect_fault("a=1, =2,c=3", " =2", "the key is empty");
    expect_fault("a=1,b=2,a=3", "a=3", "the key has another value before");
    expect_fault("a=1,a=", "a=", "the key has another value before");
}

static void there_are_limits(void **state)
{
    char text[LABEL_SELECTOR_SIZE + 1] = "";
    size_t length = 0;

    (void)state;
    for (unsigned int i = 0; i < LABEL_SELECTOR_PAIRS_MAX; i++)
        length += (size_t)snprintf(text + length, sizeof(text) - length, "%sk%u=v", i > 0 ? "," : "", i);
    assert_int_equal(label_selector_parse(text, &selector, &error), 0);
    assert_int_equal(selector.count, LABEL_SELECTOR_PAIRS_MAX);
    assert_int_equal(label_selector_all(&selector), 0xffff);
    (void)snprintf(text + length, sizeof(text) - length, ",one=more");
    expect_fault(text, "one=more", "more than 16 labels");
    memset(text, 'v', sizeof(text) - 1);
    text[1] = '=';
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(label_selector_parse(text, &selector, &error), -EINVAL);
    assert_string_equal(error.reason, "longer than 1023 characters");
    text[sizeof(text) - 2] = '\0';
    assert_int_equal(label_selector_parse(text, &selector, &error), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_may_have_white_space),
        cmocka_unit_test(an_empty_value_matches_only_itself),
        cmocka_unit_test(the_same_pair_twice_counts_once),
        cmocka_unit_test(faults_name_the_entry),
        cmocka_unit_test(there_are_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
