/* `anchord detach`; see attach_command.h. Runs as root, on the host. */
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/sandbox.h"
#include "daemon/command/attach_command.h"
#include "daemon/command/attach_request.h"
#include "daemon/command/attach_runner.h"
#include "daemon/command/attached_projects.h"
#include "daemon/command/attached_status.h"
#include "daemon/command/command_words.h"
#include "daemon/command/host_look.h"
#include "daemon/command/host_units.h"
#include "daemon/command/interruption.h"
#include "daemon/command/leftovers.h"
#include "daemon/configuration/configuration.h"

#include <stdio.h>
#include <string.h>

/* How long halves that had to be started again may take to find what they are to undo. */
#define LIMIT        (30 * MICROSECONDS_PER_SECOND)
#define TURN         200 /* milliseconds */
#define QUOTED_LINES 4

struct detach {
    const char *project;
    struct host_look look;
    struct attach_runner runner;
    struct child_output output;
};

static void detach_clear(struct detach *detach)
{
    host_look_release(&detach->look);
    child_output_release(&detach->output);
}

static int complain(const struct detach *detach, const char *why)
{
    return command_complain("detach", detach->project, why);
}

/* --- what there is ---------------------------------------------------------------------------------------- */

static bool has_file(const struct detach *detach)
{
    return access(attached_projects_path(detach->project), F_OK) == 0;
}

static bool has_half(const struct detach *detach)
{
    return host_look_find_half(&detach->look, detach->project, HALF_HOST) ||
           host_look_find_half(&detach->look, detach->project, HALF_IDENTITY);
}

/* Both run, and have found what they have made, or a predecessor. */
static bool is_complete(const struct detach *detach)
{
    CLEANUP(attached_status_clear) struct attached_status status = {0};
    const struct look_record *host = host_look_find_half(&detach->look, detach->project, HALF_HOST);
    const struct look_record *identity = host_look_find_half(&detach->look, detach->project, HALF_IDENTITY);

    return host && host->is_running && identity && identity->is_running &&
           attached_status_read(identity->pid, &status) == 0 && status.status.is_ready;
}

static void name_leftover(const char *what, const char *remedy, void *userdata)
{
    const struct detach *detach = userdata;
    char why[256];

    if (remedy)
        (void)snprintf(why, sizeof(why), "%s is left: %s", what, remedy);
    else
        (void)snprintf(why, sizeof(why), "whether something is left could not be looked at: %s", what);
    (void)complain(detach, why);
}

/* --- the steps -------------------------------------------------------------------------------------------- */

static int fail(const struct detach *detach, int error, const char *what)
{
    (void)complain(detach, error == -EINTR ? "was asked to end; once more, when it may take its time" : what);
    if (error != -EINTR && detach->output.bytes)
        command_quote(detach->output.bytes, QUOTED_LINES);
    return EXIT_STATUS_CONFIGURATION;
}

/* What was killed has left routes and rules in the containers that it alone can find: it runs once more, then ends in
 * order. Returns 0, or -EINTR; that it could not be is said, and the rest goes on. */
static int bring_back(struct detach *detach)
{
    uint64_t deadline = clock_monotonic_microseconds() + LIMIT;
    char image[REQUEST_VALUE_SIZE];
    int result;

    if (is_complete(detach))
        return 0;
    command_say("starting", "both halves once more, which find and undo what they have left");
    (void)attached_projects_read(detach->project, ATTACHED_IMAGE, image, sizeof(image));
    if (has_half(detach))
        result = attach_runner_start(&detach->runner, detach->project, &detach->output);
    else
        result = attach_runner_up(&detach->runner, detach->project, image, &detach->output);
    while (result == 0 && !is_complete(detach)) {
        if (interruption_wait(TURN))
            result = -EINTR;
        else if (clock_monotonic_microseconds() >= deadline)
            result = -ETIME;
        else
            result = host_look_docker(&detach->look);
    }
    if (result == -EINTR)
        return result;
    if (result < 0)
        (void)fail(detach, result,
                   "they did not come back: restart the project's containers afterwards, which may have routes of ours "
                   "that lead nowhere");
    return 0;
}

static int finish(const struct detach *detach)
{
    struct leftovers left = leftovers_find(detach->project, name_leftover, (void *)(uintptr_t)detach);

    if (left.found + left.unseen > 0)
        return EXIT_STATUS_CONFIGURATION; /* the file says of whom it is */
    if (unlink(attached_projects_path(detach->project)) == 0)
        command_say("removed", "%s", attached_projects_path(detach->project));
    else if (errno != ENOENT)
        return command_complain("detach", attached_projects_path(detach->project), log_errno_text(-errno));
    attached_projects_leave_meeting(detach->project);
    command_say("detached", "%s: nothing of it is left on this host", detach->project);
    return EXIT_STATUS_CLEAN;
}

/* Where a half of it is; without one, where it would be started. */
static enum attach_home choose_home(const struct detach *detach)
{
    static const char *const services[] = {HALF_HOST, HALF_IDENTITY};

    for (size_t i = 0; i < ARRAY_LENGTH(services); i++) {
        const struct look_record *half = host_look_find_half(&detach->look, detach->project, services[i]);

        if (half)
            return host_units_is_unit(half) ? ATTACH_HOME_UNITS : ATTACH_HOME_COMPOSE;
    }
    return ATTACH_HOME_ANY;
}

/* With another engine the halves never get ready, and never were (attach_checks.c): there is nobody to wait for. */
static bool is_another_engine(const struct host_look *look)
{
    size_t i = 0;

    while (i < look->count && look->records[i].kind != LOOK_ENGINE)
        i++;
    return i < look->count;
}

static int take_down(struct detach *detach)
{
    char problem[RUNNER_PROBLEM_SIZE];
    int result;

    if (!attach_runner_find(choose_home(detach), &detach->runner, problem))
        return complain(detach, problem);
    result = is_another_engine(&detach->look) ? 0 : bring_back(detach);
    if (result < 0)
        return fail(detach, result, "");
    child_output_release(&detach->output);
    result = attach_runner_down(&detach->runner, detach->project, &detach->output);
    if (result < 0)
        return fail(detach, result,
                    detach->runner.is_units ? "systemd could not take it down" : "Compose could not take it down");
    command_say("stopped", "both halves");
    return finish(detach);
}

/* No container of it is there. */
static int tidy(struct detach *detach)
{
    struct leftovers left = leftovers_find(detach->project, NULL, NULL);

    if (attached_projects_is_running(detach->project))
        return complain(detach,
                        "its half on the host runs, but no container of this Docker: end it where it was started");
    if (left.found > 0 && has_file(detach))
        return take_down(detach);
    if (left.found == 0 && (left.unseen > 0 || has_file(detach)))
        return finish(detach);
    if (left.found > 0) {
        (void)leftovers_find(detach->project, name_leftover, detach);
        return complain(detach, "has neither containers nor a file: anchord attach it once more, then detach it, which "
                                "finds what is left in its containers, too");
    }
    command_say("nothing", "to do: %s is not attached; anchord list shows what is", detach->project);
    return EXIT_STATUS_CLEAN;
}

int attach_command_detach(int argc, char **argv)
{
    CLEANUP(detach_clear) struct detach detach = {.project = argc == 1 ? argv[0] : ""};
    char why[LOOK_TEXT_SIZE + 128];

    if (argc != 1 || detach.project[0] == '-')
        return command_complain("detach", argc > 0 ? argv[argc - 1] : "PROJECT", "name one project; see anchord list");
    if (strchr(detach.project, '/') || strlen(detach.project) > ATTACHED_PROJECT_LENGTH_MAX ||
        detach.project[0] == '.' || detach.project[0] == '\0')
        return complain(&detach, "is no name of a Compose project");
    if (geteuid() != 0)
        return complain(&detach, "run as root");
    interruption_begin();
    if (host_look_docker(&detach.look) < 0) {
        (void)snprintf(why, sizeof(why), "%s, at %s; its containers may be there: start Docker, then detach it",
                       detach.look.reason, host_look_docker_host());
        return command_complain("detach", "Docker", why);
    }
    return has_half(&detach) ? take_down(&detach) : tidy(&detach);
}
