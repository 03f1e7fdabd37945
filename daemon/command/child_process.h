/*
 * Another program, run to its end: its input is a text, its output is kept.
 *
 * Used by the commands attach, detach and list, as whoever typed them. The program gets exactly the environment that it
 * is given, a process group of its own, so that Ctrl-C reaches the command alone, and / as its directory.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* What a program may say: 64 MiB are 60,000 containers. The rest is thrown away. */
#define CHILD_OUTPUT_MAX ((size_t)64 * 1024 * 1024)

struct child_process {
    const char *program; /* absolute path */
    const char *const *arguments;
    char *const *environment;
    const char *input; /* shorter than a pipe holds, 4 KiB at least; NULL: none */
    bool keeps_errors; /* its standard error is part of the output; else it is ours */
    bool is_undo;      /* goes on when the command is asked to end */
    unsigned int seconds;
};

struct child_output {
    char *bytes; /* with a NUL behind them */
    size_t length;
    size_t capacity;
};

void child_output_release(struct child_output *output);

/*
 * Appends to `output`. Returns its exit status, 128 and the number of the signal that ended it, or a negative errno:
 * -ETIME and -EINTR after it was asked to end and did, because its time was over, or because the command is to end.
 */
int child_process_run(const struct child_process *process, struct child_output *output)
    __attribute__((warn_unused_result));
