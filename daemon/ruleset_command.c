/* The command `anchord ruleset`; see ruleset_command.h. Runs as whoever types it, and becomes another program. */
#include "daemon/ruleset_command.h"

#include "build_information.h"
#include "common/log.h"
#include "common/sandbox.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define RULESET_PROGRAM ANCHORD_LIBEXEC_DIRECTORY "/anchord-ruleset"

int ruleset_command(int argc, char **argv)
{
    char *const arguments[] = {(char[]){"anchord-ruleset"}, NULL};
    char *const environment[] = {NULL};

    if (argc > 0) {
        (void)fprintf(stderr, "anchord ruleset: unknown argument %s; it takes none\n", argv[0]);
        return EXIT_STATUS_CONFIGURATION;
    }
    (void)execve(RULESET_PROGRAM, arguments, environment);
    (void)fprintf(stderr, "anchord ruleset: cannot run %s: %s\n", RULESET_PROGRAM, log_errno_text(-errno));
    return EXIT_STATUS_CRASH;
}
