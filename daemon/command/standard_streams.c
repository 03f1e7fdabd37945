/* Standard streams of commands; see standard_streams.h. Runs as whoever typed the command. */
#include "daemon/command/standard_streams.h"

#include "common/log.h"
#include "common/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

void standard_streams_open(void)
{
    for (int stream = STDIN_FILENO; stream <= STDERR_FILENO; stream++) {
        if (fcntl(stream, F_GETFD) >= 0 || errno != EBADF)
            continue;
        /* It takes the lowest number; a program that is executed later has it, too. */
        (void)open("/dev/null", (stream == STDIN_FILENO ? O_WRONLY : O_RDONLY) | O_CLOEXEC);
        (void)fcntl(stream, F_SETFD, 0);
    }
}

int standard_streams_finish(const char *command, int status)
{
    bool is_cut = ferror(stdout) != 0;
    int result = fflush(stdout) < 0 ? -errno : 0;

    if (status != EXIT_STATUS_CLEAN || (!is_cut && result == 0))
        return status;
    (void)fprintf(stderr, "anchord %s: cannot write to standard output: %s\n", command,
                  result < 0 ? log_errno_text(result) : "not all of it was taken");
    return EXIT_STATUS_CONFIGURATION;
}
