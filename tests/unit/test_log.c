/* Unit tests of common/log: each line is one JSON object that foreign text cannot break or forge (SPEC §10).
 */
#include "common/log.h"

#include "common/cleanup.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static char output[8192];

/* Standard output becomes a pipe while one line is written; the test then reads it back. */
struct capture {
    int saved_output;
    int pipe[2];
};

static void capture_begin(struct capture *capture)
{
    assert_int_equal(fflush(stdout), 0);
    assert_int_equal(pipe2(capture->pipe, O_CLOEXEC), 0);
    capture->saved_output = dup(STDOUT_FILENO);
    assert_true(capture->saved_output >= 0);
    assert_true(dup2(capture->pipe[1], STDOUT_FILENO) >= 0);
}

static const char *capture_end(struct capture *capture)
{
    ssize_t length;

    assert_true(dup2(capture->saved_output, STDOUT_FILENO) >= 0);
    close_fd(&capture->saved_output);
    close_fd(&capture->pipe[1]);
    length = read(capture->pipe[0], output, sizeof(output) - 1);
    close_fd(&capture->pipe[0]);
    assert_true(length >= 0);
    output[length] = '\0';
    return output;
}

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_the_fields_of_the_contract),
        cmocka_unit_test(foreign_text_cannot_forge_a_line),
        cmocka_unit_test(long_text_is_cut_and_the_line_stays_an_object),
        cmocka_unit_test(levels_below_the_threshold_are_silent),
        cmocka_unit_test(a_stuck_reader_does_not_stop_the_process),
    };

    log_initialise("test");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
