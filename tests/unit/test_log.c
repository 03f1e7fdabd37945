/* Unit tests of common/log: each line is one JSON object that foreign text cannot break or forge (SPEC §10).
 */
#include "common/log.h"

#include "tests/unit/log_capture.h"

#include <stdbool.h>

static void a_line_has_the_fields_of_the_contract(void **state)
{
    struct capture capture;
    const char *line;

    (void)state;
    capture_begin(&capture);
    log_info("reconciled", LOG_NUMBER("backends", 3), LOG_BOOLEAN("first", true), LOG_TEXT("network", "transit"),
             LOG_ERROR(-ENODEV));
    line = capture_end(&capture);
    assert_non_null(strstr(line, "{\"time\":\"20"));
    assert_non_null(strstr(line, "Z\",\"level\":\"INFO\",\"msg\":\"reconciled\",\"worker\":\"test\",\"backends\":3,"
                                 "\"first\":true,\"network\":\"transit\",\"err\":\"No such device\"}\n"));
}

static void foreign_text_cannot_forge_a_line(void **state)
{
    struct capture capture;
    const char *line;

    (void)state;
    capture_begin(&capture);
    log_warn("x", LOG_TEXT("name", "a\"}\n{\"level\":\"\x1b[31m\\\x7f \xc2\x9b \xff\xc3( \xe2\x82\xac"));
    line = capture_end(&capture);
    assert_non_null(strstr(line, "\"name\":\"a\\\"}\\u000a{\\\"level\\\":\\\"\\u001b[31m\\\\\\u007f \\u009b "
                                 "\\ufffd\\ufffd( \xe2\x82\xac\"}\n"));
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
}

static void long_text_is_cut_and_the_line_stays_an_object(void **state)
{
    struct capture capture;
    char text[6000];
    const char *line;

    (void)state;
    memset(text, '\n', sizeof(text)); /* six characters each when escaped */
    text[sizeof(text) - 1] = '\0';
    capture_begin(&capture);
    log_error("x", LOG_TEXT("a", text), LOG_TEXT("b", text), LOG_TEXT("c", "kept"));
    line = capture_end(&capture);
    assert_true(strlen(line) <= 4096);
    assert_string_equal(line + strlen(line) - 2, "}\n");
    assert_non_null(strstr(line, "\"c\":\"kept\""));
}

static void levels_below_the_threshold_are_silent(void **state)
{
    struct capture capture;
    enum log_level level = LOG_LEVEL_INFO;

    (void)state;
    capture_begin(&capture);
    log_debug("not shown");
    assert_string_equal(capture_end(&capture), "");
    assert_int_equal(log_level_parse("warning", &level), 0);
    assert_int_equal(level, LOG_LEVEL_WARN);
    assert_int_equal(log_level_parse("Debug", &level), 0);
    assert_int_equal(level, LOG_LEVEL_DEBUG);
    assert_int_equal(log_level_parse("loud", &level), -EINVAL);
}

static void a_stuck_reader_does_not_stop_the_process(void **state)
{
    struct capture capture;
    char filler[4096] = {0};

    (void)state;
    capture_begin(&capture);
    assert_int_equal(fcntl(capture.pipe[1], F_SETFL, O_NONBLOCK), 0);
    while (write(capture.pipe[1], filler, sizeof(filler)) > 0)
        continue;
    assert_int_equal(fcntl(capture.pipe[1], F_SETFL, 0), 0);
    log_info("dropped, not blocked"); /* would hang for ever if it waited */
    (void)capture_end(&capture);
    capture_begin(&capture);
    log_info("next");
    assert_non_null(strstr(capture_end(&capture), "\"dropped_lines\":1"));
}

/* One place in the code, as every log_error() is. */
static void log_the_same(int number)
{
    log_error("a peer can cause this", LOG_NUMBER("number", number));
}

static int count_lines(const char *text)
{
    int count = 0;

    for (; (text = strchr(text, '\n')); text++)
        count++;
    return count;
}

/* WALL-6. The pipe holds 64 KiB, a hundred lines are about 10 KiB. */
static void wall6_a_place_has_a_limit_and_says_what_it_left_out(void **state)
{
    static char lines[65536];
    struct capture capture;
    const char *line;
    ssize_t length;

    (void)state;
    capture_begin(&capture);
    for (int i = 0; i < 20000; i++)
        log_the_same(i);
    log_info("another place speaks"); /* a limit of its own */
    length = read(capture.pipe[0], lines, sizeof(lines) - 1);
    (void)dup2(capture.saved_output, STDOUT_FILENO);
    assert_true(length > 0);
    lines[length] = '\0';
    assert_in_range(count_lines(lines), 101, 110); /* one more for each second that it took */
    assert_non_null(strstr(lines, "\"number\":99}"));
    assert_non_null(strstr(lines, "another place speaks"));

    assert_true(dup2(capture.pipe[1], STDOUT_FILENO) >= 0);
    log_tell_left_out();
    log_tell_left_out(); /* said once */
    line = capture_end(&capture);
    assert_int_equal(count_lines(line), 1);
    assert_non_null(strstr(line, "\"msg\":\"log lines left out\""));
    assert_non_null(strstr(line, "\"of\":\"a peer can cause this\""));
    assert_non_null(strstr(line, "\"level\":\"ERROR\""));
    assert_non_null(strstr(line, "\"left_out\":19")); /* 19,900 or a few less: see above */
}

/* The limit lifts by one line a second: that one says how many are missing before it. */
static void wall6_the_next_line_of_the_place_says_how_many_are_missing(void **state)
{
    struct capture capture;
    const char *line = "";

    (void)state;
    while (*line == '\0') {
        capture_begin(&capture);
        log_the_same(0);
        line = capture_end(&capture);
    }
    assert_non_null(strstr(line, "\"number\":0"));
    for (int i = 0; i < 3; i++)
        log_the_same(1);
    for (line = ""; *line == '\0';) {
        capture_begin(&capture);
        log_the_same(2);
        line = capture_end(&capture);
    }
    assert_non_null(strstr(line, "\"left_out\":"));
    assert_non_null(strstr(line, "\"number\":2"));
}

/* SEE-6: a terminal gets lines for people; a field's text can forge neither another field nor a line there. */
static void see6_text_is_for_people(void **state)
{
    struct capture capture;
    const char *line;

    (void)state;
    assert_int_equal(setenv(LOG_FORMAT_ENVIRONMENT, "text", 1), 0);
    log_initialise("test");
    assert_string_equal(log_format_in_use(), "text");
    capture_begin(&capture);
    log_warn("label is not valid", LOG_TEXT("container", "web-1"), LOG_NUMBER("port", -25), LOG_BOOLEAN("first", true),
             LOG_TEXT("value", "a b=\"c\"\n2026\x1b[31m"), LOG_TEXT("empty", ""), LOG_TEXT("none", NULL),
             LOG_TEXT("pair", "x=y"));
    line = capture_end(&capture);
    assert_memory_equal(line, "20", 2);
    assert_string_equal(line + sizeof("2026-11-22 15:04:05"),
                        " WARN  test: label is not valid container=web-1 port=-25 first=true "
                        "value=\"a b=\\\"c\\\"\\u000a2026\\u001b[31m\" empty=\"\" none=\"\" pair=\"x=y\"\n");
    assert_int_equal(line[sizeof("2026-11-22 15:04:05") - 1], 'Z');
}

static void see6_long_text_leaves_a_whole_line(void **state)
{
    struct capture capture;
    char text[6000];
    const char *line;

    (void)state;
    memset(text, '\n', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    capture_begin(&capture);
    log_error("x", LOG_TEXT("a", text), LOG_TEXT("b", "kept"));
    line = capture_end(&capture);
    assert_true(strlen(line) <= 4096);
    assert_non_null(strstr(line, " b=kept\n"));
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
}

/* SEE-6: only a terminal makes text of `auto`; what is no format counts as that, its error must be readable. */
static void see6_auto_asks_the_terminal(void **state)
{
    static const char *const automatic[] = {"auto", "loud", ""};
    struct capture capture;
    int terminal = posix_openpt(O_RDWR | O_NOCTTY);
    int saved = dup(STDOUT_FILENO);

    (void)state;
    assert_true(terminal >= 0 && saved >= 0);
    for (size_t i = 0; i < ARRAY_LENGTH(automatic); i++) {
        assert_int_equal(setenv(LOG_FORMAT_ENVIRONMENT, automatic[i], 1), 0);
        capture_begin(&capture);
        log_initialise("test");
        (void)capture_end(&capture);
        assert_string_equal(log_format_in_use(), "json");
        (void)dup2(terminal, STDOUT_FILENO);
        log_initialise("test");
        (void)dup2(saved, STDOUT_FILENO);
        assert_string_equal(log_format_in_use(), "text");
    }
    (void)close(terminal);
    (void)close(saved);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_the_fields_of_the_contract),
        cmocka_unit_test(foreign_text_cannot_forge_a_line),
        cmocka_unit_test(long_text_is_cut_and_the_line_stays_an_object),
        cmocka_unit_test(levels_below_the_threshold_are_silent),
        cmocka_unit_test(a_stuck_reader_does_not_stop_the_process),
        cmocka_unit_test(wall6_a_place_has_a_limit_and_says_what_it_left_out),
        cmocka_unit_test(wall6_the_next_line_of_the_place_says_how_many_are_missing),
        cmocka_unit_test(see6_text_is_for_people),
        cmocka_unit_test(see6_long_text_leaves_a_whole_line),
        cmocka_unit_test(see6_auto_asks_the_terminal),
    };

    (void)setenv(LOG_FORMAT_ENVIRONMENT, "json", 1);
    log_initialise("test");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
