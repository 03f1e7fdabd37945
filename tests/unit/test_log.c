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
    };

    log_initialise("test");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
