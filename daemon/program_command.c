/* The commands `anchord ruleset` and `anchord wrap`; see program_command.h. They become another program. */
#include "daemon/program_command.h"

#include "build_information.h"
#include "common/log.h"
#include "common/sandbox.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

/* Of `anchord wrap` (workers/wrap/main.c): 1 says that it printed an override, so nothing else may. */
#define WRAP_STATUS_FAILED 2

/* Becomes `program` with an empty environment. `arguments` stand behind the command's name, which it takes as its own.
 */
static void become(const char *command, const char *program, char **arguments)
{
    char *const environment[] = {NULL};

    (void)execve(program, arguments - 1, environment);
    (void)fprintf(stderr, "anchord %s: cannot run %s: %s\n", command, program, log_errno_text(-errno));
}

int ruleset_command(int argc, char **argv)
{
    if (argc > 0) {
        (void)fprintf(stderr, "anchord ruleset: unknown argument %s; it takes none\n", argv[0]);
        return EXIT_STATUS_CONFIGURATION;
    }
    become("ruleset", ANCHORD_LIBEXEC_DIRECTORY "/anchord-ruleset", argv);
    return EXIT_STATUS_CRASH;
}

int wrap_command(int argc, char **argv)
{
    (void)argc;
    become("wrap", ANCHORD_LIBEXEC_DIRECTORY "/anchord-wrap", argv);
    return WRAP_STATUS_FAILED;
}
