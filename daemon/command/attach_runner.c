/* Runs the halves; see attach_runner.h. Runs as root, on the host. */
#include "daemon/command/attach_runner.h"

#include "common/cleanup.h"
#include "common/text.h"
#include "daemon/command/attach_units.h"
#include "daemon/command/attached_projects.h"
#include "daemon/command/host_look.h"
#include "daemon/command/host_units.h"

#include <stdio.h>
#include <string.h>

/* An image may have to be fetched. */
#define UP_SECONDS      900
#define DOWN_SECONDS    120
#define VERSION_SECONDS 30
#define VARIABLES_MAX   512
#define ASSIGNMENT_SIZE 320
#define DEFAULT_PATH    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static const char compose_file[] =
#include "attach_compose_file.inc"
    ;

/* What Compose gets: ours, but for what would change the file's meaning. Compose prefers these to the file of
 * --env-file. */
struct environment {
    char *variables[VARIABLES_MAX];
    size_t count;
    char project[ASSIGNMENT_SIZE];
    char image[ASSIGNMENT_SIZE];
    char docker_host[ASSIGNMENT_SIZE];
};

static bool begins_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static void add(struct environment *environment, char *variable)
{
    if (environment->count < VARIABLES_MAX - 1)
        environment->variables[environment->count++] = variable;
}

static void environment_make(struct environment *ret, const char *project, const char *image)
{
    ret->count = 0;
    (void)snprintf(ret->project, sizeof(ret->project), "ANCHORD_PROJECT=%s", project);
    (void)snprintf(ret->image, sizeof(ret->image), "ANCHORD_IMAGE=%s", image);
    (void)snprintf(ret->docker_host, sizeof(ret->docker_host), "DOCKER_HOST=%s", host_look_docker_host());
    add(ret, ret->project);
    add(ret, ret->image);
    add(ret, ret->docker_host);
    for (char **variable = environ; *variable; variable++) {
        if (!begins_with(*variable, "ANCHORD_") && !begins_with(*variable, "COMPOSE_") &&
            !begins_with(*variable, "DOCKER_HOST=") && !begins_with(*variable, "DOCKER_CONTEXT="))
            add(ret, *variable);
    }
    ret->variables[ret->count] = NULL;
}

/* --- which program ---------------------------------------------------------------------------------------- */

static bool find_program(const char *name, char ret[PATH_MAX])
{
    const char *path = getenv("PATH");

    for (path = path && path[0] != '\0' ? path : DEFAULT_PATH; *path; path += strspn(path, ":")) {
        size_t length = strcspn(path, ":");
        int written = snprintf(ret, PATH_MAX, "%.*s/%s", (int)length, path, name);

        if (path[0] == '/' && written < PATH_MAX && access(ret, X_OK) == 0)
            return true;
        path += length;
    }
    return false;
}

/* "2.40.3", or "v2.…"; empty: it cannot be asked. */
static void read_version(const struct attach_runner *runner, char ret[32])
{
    CLEANUP(child_output_release) struct child_output output = {0};
    struct environment environment;
    const char *const plugin[] = {"docker", "compose", "version", "--short", NULL};
    const char *const alone[] = {"docker-compose", "version", "--short", NULL};
    const struct child_process process = {
        .program = runner->program,
        .arguments = runner->is_plugin ? plugin : alone,
        .environment = environment.variables,
        .keeps_errors = true,
        .seconds = VERSION_SECONDS,
    };

    environment_make(&environment, "", "");
    ret[0] = '\0';
    if (child_process_run(&process, &output) == 0 && output.bytes) {
        output.bytes[strcspn(output.bytes, "\r\n")] = '\0';
        text_copy_cut(ret, 32, output.bytes);
    }
}

static bool find_compose(struct attach_runner *ret, char problem[RUNNER_PROBLEM_SIZE])
{
    static const char *const names[] = {"docker", "docker-compose"};
    char version[32] = "";

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        ret->is_plugin = i == 0;
        if (!find_program(names[i], ret->program))
            continue;
        read_version(ret, version);
        if (version[0] != '\0' && !begins_with(version, "1."))
            return true;
    }
    if (version[0] != '\0')
        (void)snprintf(problem, RUNNER_PROBLEM_SIZE, "docker-compose is %s, and Compose 2 is needed", version);
    else
        (void)snprintf(problem, RUNNER_PROBLEM_SIZE,
                       "`docker compose` is not there: install Docker's plugin compose, or take --no-start and run the "
                       "two containers of compose/attach.yaml by other means");
    return false;
}

bool attach_runner_find(enum attach_home home, struct attach_runner *ret, char problem[RUNNER_PROBLEM_SIZE])
{
    ret->is_units = home == ATTACH_HOME_UNITS || (home == ATTACH_HOME_ANY && host_units_are_installed());
    return ret->is_units || find_compose(ret, problem);
}

const char *attach_runner_name(const struct attach_runner *runner)
{
    return runner->is_units ? "systemd" : "Compose";
}

/* --- what it is told -------------------------------------------------------------------------------------- */

static int run(const struct attach_runner *runner, const char *project, const char *image, const char *const *words,
               bool is_undo, struct child_output *output)
{
    const char *path = attached_projects_path(project);
    const char *arguments[16] = {"docker", runner->is_plugin ? "compose" : "docker-compose", "--file", "-",
                                 "--env-file"};
    size_t count = 5;
    struct environment environment;
    const struct child_process process = {
        .program = runner->program,
        .arguments = runner->is_plugin ? arguments : arguments + 1,
        .environment = environment.variables,
        .input = compose_file,
        .keeps_errors = true,
        .is_undo = is_undo,
        .seconds = is_undo ? DOWN_SECONDS : UP_SECONDS,
    };
    int result;

    arguments[count++] = access(path, R_OK) == 0 ? path : "/dev/null"; /* else Compose would look for an .env */
    while (*words)
        arguments[count++] = *words++;
    environment_make(&environment, project, image);
    result = child_process_run(&process, output);
    return result > 0 ? -ECHILD : result;
}

int attach_runner_up(const struct attach_runner *runner, const char *project, const char *image,
                     struct child_output *output)
{
    static const char *const words[] = {"up", "--detach", NULL};

    if (runner->is_units)
        return attach_units_up(project, output);
    return run(runner, project, image, words, false, output);
}

int attach_runner_start(const struct attach_runner *runner, const char *project, struct child_output *output)
{
    static const char *const words[] = {"start", NULL};

    if (runner->is_units)
        return attach_units_start(project, output);
    return run(runner, project, "anchord", words, false, output);
}

int attach_runner_down(const struct attach_runner *runner, const char *project, struct child_output *output)
{
    static const char *const words[] = {"down", NULL};

    if (runner->is_units)
        return attach_units_down(project, output);
    return run(runner, project, "anchord", words, true, output);
}

int attach_runner_log(const struct attach_runner *runner, const char *half, struct child_output *output)
{
    struct environment environment;
    const char *const arguments[] = {"docker", "logs", "--tail", "4", half, NULL};
    const struct child_process process = {
        .program = runner->program,
        .arguments = arguments,
        .environment = environment.variables,
        .keeps_errors = true,
        .is_undo = true,
        .seconds = VERSION_SECONDS,
    };

    if (runner->is_units)
        return attach_units_log(half, output);
    environment_make(&environment, "", "");
    if (!runner->is_plugin) /* docker-compose has no word for a container */
        return -ENOSYS;
    return child_process_run(&process, output) == 0 ? 0 : -ECHILD;
}
