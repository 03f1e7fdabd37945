/* Unit tests of common/text: fixed strings and numbers in text. */
#include "common/text.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void copies_what_fits_and_clears_the_rest(void **state)
{
    char target[8];

    (void)state;
    memset(target, 'x', sizeof(target));
    assert_int_equal(text_copy(target, sizeof(target), "abc"), 0);
    assert_memory_equal(target, "abc\0\0\0\0\0", 8);
    assert_int_equal(text_copy(target, sizeof(target), "1234567"), 0);
}

static void refuses_what_does_not_fit(void **state)
{
    char target[8] = "old";

    (void)state;
    assert_int_equal(text_copy(target, sizeof(target), "12345678"), -ENAMETOOLONG);
    assert_memory_equal(target, "\0\0\0\0\0\0\0\0", 8);
}

static void cuts_texts_for_people(void **state)
{
    char target[4];

    (void)state;
    text_copy_cut(target, sizeof(target), "abcdef");
    assert_string_equal(target, "abc");
}

static void parses_numbers_to_the_limit(void **state)
{
    static const struct {
        const char *text;
        uint64_t maximum;
        int result;
        uint64_t number;
    } cases[] = {
        {"0", 10, 0, 0},
        {"65535", 65535, 0, 65535},
        {"65536", 65535, -ERANGE, 0},
        {"18446744073709551615", UINT64_MAX, 0, UINT64_MAX},
        {"18446744073709551616", UINT64_MAX, -ERANGE, 0},
        {"99999999999999999999999", UINT64_MAX, -ERANGE, 0},
        {"", 10, -EINVAL, 0},
        {"-1", 10, -EINVAL, 0},
        {"+1", 10, -EINVAL, 0},
        {" 1", 10, -EINVAL, 0},
        {"1 ", 10, -EINVAL, 0},
        {"0x10", 100, -EINVAL, 0},
        {"99999999999999999999999x", UINT64_MAX, -EINVAL, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t number = 4711;

        assert_int_equal(text_to_number(cases[i].text, strlen(cases[i].text), cases[i].maximum, &number),
                         cases[i].result);
        assert_int_equal(number, cases[i].result == 0 ? cases[i].number : 4711);
    }
}

static void distance_counts_wrong_letters(void **state)
{
    (void)state;
    assert_int_equal(text_edit_distance("", ""), 0);
    assert_int_equal(text_edit_distance("expose", "expose"), 0);
    assert_int_equal(text_edit_distance("expose", "expos"), 1);
    assert_int_equal(text_edit_distance("exopse", "expose"), 2);
    assert_int_equal(text_edit_distance("", "abc"), 3);
    assert_int_equal(text_edit_distance("kitten", "sitting"), 3);
}

static void escapes_what_a_terminal_obeys(void **state)
{
    static const struct {
        const char *text;
        const char *escaped;
        size_t length; /* of the first character */
    } cases[] = {
        {"ab", "a", 1},
        {"\"", "\"", 1},
        {"\\", "\\", 1},
        {"\x01", "\\u0001", 1},
        {"\033[31m", "\\u001b", 1},
        {"\n", "\\u000a", 1},
        {"\x7f", "\\u007f", 1},
        {"\xc2\x80", "\\u0080", 2},
        {"\xc2\x9f", "\\u009f", 2},
        {"\xc2\xa0", "\xc2\xa0", 2},
        {"\xc3\xa4x", "\xc3\xa4", 2},
        {"\xe2\x82\xac", "\xe2\x82\xac", 3},
        {"\xf0\x9f\x90\xb3", "\xf0\x9f\x90\xb3", 4},
        {"\xd8\x9c", "\\u061c", 2},
        {"\xd8\x9d", "\xd8\x9d", 2},
        {"\xe2\x80\x8d", "\xe2\x80\x8d", 3}, /* joins letters of Arabic, and emoji */
        {"\xe2\x80\x8e", "\\u200e", 3},
        {"\xe2\x80\x8f", "\\u200f", 3},
        {"\xe2\x80\xa8", "\\u2028", 3},
        {"\xe2\x80\xae", "\\u202e", 3},
        {"\xe2\x80\xaf", "\xe2\x80\xaf", 3},
        {"\xe2\x81\xa6", "\\u2066", 3},
        {"\xe2\x81\xa9", "\\u2069", 3},
        {"\xe2\x81\xaa", "\xe2\x81\xaa", 3},
        {"\xf0\x80\x80\x80", "\\ufffd", 1},
        {"\xe2\x82", "\\ufffd", 1},
        {"\xff", "\\ufffd", 1},
        {"\xc0\xaf", "\\ufffd", 1},
        {"\xed\xa0\x80", "\\ufffd", 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char escaped[TEXT_ESCAPED_SIZE];

        assert_ptr_equal(text_escape_first(cases[i].text, escaped), cases[i].text + cases[i].length);
        assert_string_equal(escaped, cases[i].escaped);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distance_counts_wrong_letters), cmocka_unit_test(copies_what_fits_and_clears_the_rest),
        cmocka_unit_test(refuses_what_does_not_fit),     cmocka_unit_test(cuts_texts_for_people),
        cmocka_unit_test(parses_numbers_to_the_limit),   cmocka_unit_test(escapes_what_a_terminal_obeys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
