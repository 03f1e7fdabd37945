/* The commands `anchord doctor`, `anchord ruleset` and `anchord wrap`; see program_command.h. They become another
 * program. */
#include "daemon/command/program_command.h"

#include "build_information.h"
#include "common/log.h"
#include "common/sandbox.h"
#include "common/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Of `anchord wrap` (workers/commands/wrap/main.c): 1 says that it printed an override, so nothing else may. */
#define WRAP_STATUS_FAILED 2
/* Of `anchord doctor` (workers/commands/doctor/main.c): 1 says that it has found something. */
#define DOCTOR_STATUS_FAILED 2

/* A variable with its longest value. */
#define ASSIGNMENT_SIZE (sizeof("DOCKER_CERT_PATH=") + DOCKER_HOST_SIZE)

/* Becomes `program` with this environment. `arguments` stand behind the command's name, which it takes as its own. */
static void become(const char *command, const char *program, char **arguments, char *const environment[])
{
    (void)execve(program, arguments - 1, environment);
    (void)fprintf(stderr, "anchord %s: cannot run %s: %s\n", command, program, log_errno_text(-errno));
}

static char *const no_environment[] = {NULL};

/* Says what is wrong with the variables that tell where Docker is. */
static bool knows_docker(const struct configuration *configuration)
{
    bool knows = true;

    for (size_t i = 0; i < configuration->problem_count; i++) {
        const struct configuration_problem *problem = &configuration->problems[i];

        if (!problem->is_error || strncmp(problem->variable, "DOCKER_", strlen("DOCKER_")) != 0)
            continue;
        knows = false;
        (void)fprintf(stderr, "anchord doctor: %s: ", problem->variable);
        (void)text_print_escaped(stderr, problem->text);
        (void)fputc('\n', stderr);
    }
    return knows;
}

int program_command_doctor(const struct configuration *configuration, char **argv)
{
    char host[ASSIGNMENT_SIZE];
    char directory[ASSIGNMENT_SIZE];
    char runtime[ASSIGNMENT_SIZE];
    const char *runtime_directory = getenv("RUNTIME_DIRECTORY");
    char *environment[4] = {host};
    size_t count = 1;

    if (!knows_docker(configuration))
        return DOCTOR_STATUS_FAILED;
    (void)snprintf(host, sizeof(host), "DOCKER_HOST=%s", configuration->docker_host);
    (void)snprintf(directory, sizeof(directory), "DOCKER_CERT_PATH=%s", configuration->docker_cert_path);
    (void)snprintf(runtime, sizeof(runtime), "RUNTIME_DIRECTORY=%.*s", DOCKER_HOST_SIZE - 2,
                   runtime_directory ? runtime_directory : "");
    if (configuration->docker_tls_verify)
        environment[count++] = directory;
    if (runtime_directory)
        environment[count++] = runtime;
    become("doctor", ANCHORD_LIBEXEC_DIRECTORY "/anchord-doctor", argv, environment);
    return DOCTOR_STATUS_FAILED;
}

int program_command_ruleset(int argc, char **argv)
{
    (void)argc;
    become("ruleset", ANCHORD_LIBEXEC_DIRECTORY "/anchord-ruleset", argv, no_environment);
    return EXIT_STATUS_CRASH;
}

int program_command_wrap(int argc, char **argv)
{
    (void)argc;
    become("wrap", ANCHORD_LIBEXEC_DIRECTORY "/anchord-wrap", argv, no_environment);
    return WRAP_STATUS_FAILED;
}
