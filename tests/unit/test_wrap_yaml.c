/* Unit tests of workers/commands/wrap/yaml: strings from outside as double-quoted scalars (SPEC §9). */
#include "common/cleanup.h"
#include "workers/commands/wrap/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void check(void (*write_text)(FILE *stream, const char *text), const char *text, const char *expected)
{
    CLEANUP_FREE char *written = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&written, &length);

    assert_non_null(stream);
    write_text(stream, text);
    assert_int_equal(fclose(stream), 0);
    assert_string_equal(written, expected);
}

static void test_plain_text_is_only_quoted(void **state)
{
    (void)state;
    check(yaml_write_quoted, "", "\"\"");
    check(yaml_write_quoted, "tcp/80, tcp/443", "\"tcp/80, tcp/443\"");
    check(yaml_write_quoted, "yes", "\"yes\"");
    check(yaml_write_quoted, "$${NOT_A_VARIABLE}", "\"$${NOT_A_VARIABLE}\"");
    check(yaml_write_quoted, "- {a: [b]} # !c &d *e |>%@`'", "\"- {a: [b]} # !c &d *e |>%@`'\"");
}

static void test_what_ends_a_scalar_is_escaped(void **state)
{
    (void)state;
    check(yaml_write_quoted, "\"", "\"\\\"\"");
    check(yaml_write_quoted, "\\", "\"\\\\\"");
    check(yaml_write_quoted, "\\\"\n", "\"\\\\\\\"\\x0a\"");
    check(yaml_write_quoted, "a\tb\r\x1b[0m\x7f", "\"a\\x09b\\x0d\\x1b[0m\\x7f\"");
}

static void test_other_characters_keep_their_value(void **state)
{
    (void)state;
    check(yaml_write_quoted, "\xc3\xa9", "\"\\xe9\"");
    check(yaml_write_quoted, "\xc2\x85", "\"\\x85\"");               /* next line: a line break in YAML 1.1 */
    check(yaml_write_quoted, "\xe2\x80\xa8", "\"\\u2028\"");         /* line separator */
    check(yaml_write_quoted, "\xef\xbb\xbf", "\"\\ufeff\"");         /* byte order mark */
    check(yaml_write_quoted, "\xf0\x9f\x98\x80", "\"\\U0001f600\""); /* beyond 16 bits */
    check(yaml_write_quoted, "\xf4\x8f\xbf\xbf", "\"\\U0010ffff\""); /* the last */
}

static void test_what_is_no_utf8_is_replaced(void **state)
{
    (void)state;
    check(yaml_write_quoted, "\xff", "\"\\ufffd\"");
    check(yaml_write_quoted, "\xc3", "\"\\ufffd\""); /* ends too early */
    check(yaml_write_quoted, "\xc3(", "\"\\ufffd(\"");
    check(yaml_write_quoted, "\xc0\x80", "\"\\ufffd\\ufffd\""); /* an overlong NUL */
    check(yaml_write_quoted, "\xe0\x80\x80", "\"\\ufffd\\ufffd\\ufffd\"");
    check(yaml_write_quoted, "\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\""); /* a surrogate */
    check(yaml_write_quoted, "\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"");
}

static void test_a_comment_stays_on_its_line(void **state)
{
    (void)state;
    check(yaml_write_plain, "web: a\nservices: \x1b\xc3\xa9", "web: a?services: ???");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_text_is_only_quoted),         cmocka_unit_test(test_what_ends_a_scalar_is_escaped),
        cmocka_unit_test(test_other_characters_keep_their_value), cmocka_unit_test(test_what_is_no_utf8_is_replaced),
        cmocka_unit_test(test_a_comment_stays_on_its_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
