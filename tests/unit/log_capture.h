/* What is logged, read back by unit tests: standard output becomes a pipe in between. */
#pragma once

#include "common/cleanup.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

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

/* What was logged since then; holds until the next time. Nothing logged is an empty text. */
static const char *capture_end(struct capture *capture)
{
    static char output[8192];
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
