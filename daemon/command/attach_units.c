/* Runs the halves by systemd; see attach_units.h. Runs as root, on the host. */
#include "daemon/command/attach_units.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/text.h"
#include "daemon/command/host_units.h"
#include "daemon/supervise/spawn.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#define UP_SECONDS   60
#define DOWN_SECONDS 45
#define LOG_SECONDS  10
#define TURN         50 /* milliseconds */
#define NAMESPACE    ANCHORD_WORKER_DIRECTORY "/attached-namespace"

struct unit_names {
    char host[UNIT_NAME_SIZE];
    char identity[UNIT_NAME_SIZE];
};

static void make_names(const char *project, struct unit_names *ret)
{
    (void)snprintf(ret->host, sizeof(ret->host), UNIT_HOST_PREFIX "%s" UNIT_SUFFIX, project);
    (void)snprintf(ret->identity, sizeof(ret->identity), UNIT_IDENTITY_PREFIX "%s" UNIT_SUFFIX, project);
}

static int run(const char *program, const char *const *arguments, unsigned int seconds, bool is_undo,
               struct child_output *output)
{
    static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", locale[] = "LC_ALL=C.UTF-8";
    static char *const environment[] = {path, locale, NULL};
    const struct child_process process = {
        .program = program,
        .arguments = arguments,
        .environment = environment,
        .keeps_errors = true,
        .is_undo = is_undo,
        .seconds = seconds,
    };
    int result = child_process_run(&process, output);

    return result > 0 ? -ECHILD : result;
}

static int systemctl(const char *const *arguments, unsigned int seconds, bool is_undo, struct child_output *output)
{
    return run("/usr/bin/systemctl", arguments, seconds, is_undo, output);
}

int attach_units_start(const char *project, struct child_output *output)
{
    struct unit_names names;
    const char *const forget[] = {"systemctl", "reset-failed", names.host, names.identity, NULL};
    const char *const start[] = {"systemctl", "start", names.host, names.identity, NULL};
    CLEANUP(child_output_release) struct child_output unheard = {0};

    make_names(project, &names);
    /* They may have failed so often that systemd would refuse; of units that it does not know it complains. */
    (void)systemctl(forget, UP_SECONDS, false, &unheard);
    return systemctl(start, UP_SECONDS, false, output);
}

int attach_units_up(const char *project, struct child_output *output)
{
    struct unit_names names;
    const char *const enable[] = {"systemctl", "--quiet", "enable", names.host, names.identity, NULL};
    int result;

    make_names(project, &names);
    result = systemctl(enable, UP_SECONDS, false, output);
    return result < 0 ? result : attach_units_start(project, output);
}

struct unit_state {
    bool has_ended;
    bool is_active;    /* it has begun to listen to signals */
    char main_pid[16]; /* "0": none */
};

/* Unknown is all zero. */
static void look_at(const char *unit, struct unit_state *ret)
{
    CLEANUP(child_output_release) struct child_output output = {0};
    const char *const show[] = {"systemctl", "show", "--property=ActiveState", "--property=MainPID", unit, NULL};
    const char *pid;

    *ret = (struct unit_state){.main_pid = "0"};
    if (systemctl(show, LOG_SECONDS, true, &output) < 0 || !output.bytes)
        return;
    ret->has_ended = strstr(output.bytes, "ActiveState=inactive\n") || strstr(output.bytes, "ActiveState=failed\n");
    ret->is_active = strstr(output.bytes, "ActiveState=active\n");
    pid = strstr(output.bytes, "MainPID=");
    if (!pid)
        return;
    text_copy_cut(ret->main_pid, sizeof(ret->main_pid), pid + strlen("MainPID="));
    ret->main_pid[strcspn(ret->main_pid, "\n")] = '\0';
}

/*
 * SIGUSR1 is the order to take everything away (role.h); an ordinary stop would leave it. One that was killed systemd
 * starts again, and it gets the order, too; the same process must not hear it twice, which would end it at once.
 */
static int dismiss(const char *unit, struct child_output *output)
{
    const char *const dismissal[] = {"systemctl", "kill", "--kill-who=main", "--signal=SIGUSR1", unit, NULL};
    const char *const stop[] = {"systemctl", "stop", unit, NULL};
    uint64_t deadline = clock_monotonic_microseconds() + DOWN_SECONDS * MICROSECONDS_PER_SECOND;
    char dismissed[sizeof(((struct unit_state *)NULL)->main_pid)] = "0";
    struct unit_state state;

    look_at(unit, &state);
    if (state.has_ended)
        return 0;
    while (!state.has_ended && clock_monotonic_microseconds() < deadline) {
        if (state.is_active && strcmp(state.main_pid, dismissed) != 0 &&
            systemctl(dismissal, LOG_SECONDS, true, output) == 0)
            text_copy_cut(dismissed, sizeof(dismissed), state.main_pid);
        (void)poll(NULL, 0, TURN);
        look_at(unit, &state);
    }
    return systemctl(stop, DOWN_SECONDS, true, output);
}

int attach_units_down(const char *project, struct child_output *output)
{
    struct unit_names names;
    const char *const disable[] = {"systemctl", "--quiet", "disable", names.identity, names.host, NULL};
    const char *const forget[] = {"systemctl", "reset-failed", names.host, names.identity, NULL};
    const char *const remove[] = {"attached-namespace", "remove", project, NULL};
    CLEANUP(child_output_release) struct child_output unheard = {0};
    int result, further;

    make_names(project, &names);
    result = dismiss(names.identity, output); /* while the other half is there, which it undoes things by */
    further = dismiss(names.host, output);
    result = result < 0 ? result : further;
    further = systemctl(disable, DOWN_SECONDS, true, output);
    result = result < 0 ? result : further;
    (void)systemctl(forget, LOG_SECONDS, true, &unheard);
    further = run(NAMESPACE, remove, DOWN_SECONDS, true, output);
    return result < 0 ? result : further;
}

int attach_units_log(const char *unit, struct child_output *output)
{
    const char *const arguments[] = {"journalctl", "--unit", unit, "--lines=4", "--output=cat", "--no-pager", NULL};

    return run("/usr/bin/journalctl", arguments, LOG_SECONDS, true, output);
}
