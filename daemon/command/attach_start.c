/* Starts an attachment and waits for it; see attach_start.h. Runs as root, on the host. */
#include "daemon/command/attach_start.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/sandbox.h"
#include "daemon/command/attach_report.h"
#include "daemon/command/attach_runner.h"
#include "daemon/command/attached_projects.h"
#include "daemon/command/attached_status.h"
#include "daemon/command/command_words.h"
#include "daemon/command/host_forwarding.h"
#include "daemon/command/host_look.h"
#include "daemon/command/host_units.h"
#include "daemon/command/interruption.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define LIMIT            (60 * MICROSECONDS_PER_SECOND)
#define LOOK_INTERVAL    (1 * MICROSECONDS_PER_SECOND)
#define TURN             100 /* milliseconds */
#define FAILED_LOOKS_MAX 4   /* in a row */
/* What nobody's packets wait for, such as what is withheld, is shown a quarter of a second after it is ready. */
#define FINDINGS_MILLISECONDS 400
#define ADDRESSES_TEXT_SIZE   256
#define QUOTED_LINES          4

struct start {
    const struct attach_request *request;
    const struct attach_plan *plan;
    const char *project;
    struct attach_runner runner;
    uint64_t begun;
    uint64_t next_look;
    unsigned int failed_looks;
    uint32_t pid; /* of the identity half; 0: not known */
    bool has_links;
    bool has_address;
    struct attached_status status; /* the last one */
    char reason[256];              /* why it cannot go on */
};

static void start_clear(struct start *start)
{
    attached_status_clear(&start->status);
}

/* --- undo ------------------------------------------------------------------------------------------------- */

/* Whatever was begun; what was there before is as before. */
static int undo(struct start *start, bool was_run)
{
    CLEANUP(child_output_release) struct child_output output = {0};
    int result = was_run ? attach_runner_down(&start->runner, start->project, &output) : 0;

    if (result < 0) {
        (void)command_complain("attach", "both halves could not be taken away again", log_errno_text(result));
        command_quote(output.bytes ? output.bytes : "", QUOTED_LINES);
    } else if (was_run) {
        command_say("undone", "both halves and all that they made");
    }
    result = attached_projects_restore(start->project);
    if (result < 0)
        (void)command_complain("attach", attached_projects_path(start->project), log_errno_text(result));
    else
        command_say("undone", "%s is as it was before", attached_projects_path(start->project));
    return EXIT_STATUS_CONFIGURATION;
}

/* --- waiting ---------------------------------------------------------------------------------------------- */

static int fail(struct start *start, int error, const char *reason)
{
    (void)snprintf(start->reason, sizeof(start->reason), "%s", reason);
    return error;
}

/* Whether both halves run, and where. A container that ends again and again is not waited for. */
static int look_at_halves(struct start *start)
{
    CLEANUP(host_look_release) struct host_look look = {0};
    int result = host_look_docker(&look);
    const struct look_record *identity, *host;
    bool is_running;

    if (result < 0)
        return result == -EINTR ? 0 : fail(start, result, look.reason);
    identity = host_look_find_half(&look, start->project, HALF_IDENTITY);
    host = host_look_find_half(&look, start->project, HALF_HOST);
    is_running = identity && host && identity->is_running && host->is_running;
    start->pid = identity ? identity->pid : 0;
    start->failed_looks = is_running ? 0 : start->failed_looks + 1;
    if (start->failed_looks < FAILED_LOOKS_MAX)
        return 0;
    if (!identity || !host)
        return fail(start, -ECHILD, "its halves have gone");
    (void)snprintf(start->reason, sizeof(start->reason), "%s does not keep running",
                   host->is_running ? identity->name : host->name);
    return -ECHILD;
}

static bool has_wanted_addresses(const struct start *start)
{
    struct ip_subnet given[2];
    size_t count = attach_checks_given(start->plan->identity, given);
    char text[ADDRESSES_TEXT_SIZE];

    for (size_t i = 0; i < count; i++) {
        if (!attached_status_has_address(&start->status, IP_ADDRESS_TEXT(&given[i].address)))
            return false;
    }
    return attached_status_addresses(&start->status, text, sizeof(text)) > 0;
}

static void say_progress(struct start *start)
{
    char text[ADDRESSES_TEXT_SIZE];

    if (!start->has_links && !attached_status_has_unmet(&start->status, "links_made")) {
        start->has_links = true;
        command_say("links", "made");
    }
    if (!start->has_address && has_wanted_addresses(start)) {
        start->has_address = true;
        (void)attached_status_addresses(&start->status, text, sizeof(text));
        command_say("address", "%s", text);
    }
}

/* Returns 1 when all is there, 0 when not yet, or a negative errno. */
static int take_turn(struct start *start)
{
    uint64_t now = clock_monotonic_microseconds();
    int result = 0;

    if (start->pid > 0 && kill((pid_t)start->pid, 0) < 0)
        start->pid = 0;
    if (now >= start->next_look) {
        start->next_look = now + LOOK_INTERVAL;
        result = look_at_halves(start);
    }
    if (result < 0 || start->pid == 0 || attached_status_read(start->pid, &start->status) < 0)
        return result;
    say_progress(start);
    return start->status.status.is_ready && start->has_address ? 1 : 0;
}

static int wait_ready(struct start *start)
{
    uint64_t deadline = clock_monotonic_microseconds() + LIMIT;
    int result = 0;

    while (result == 0) {
        if (interruption_wait(TURN))
            return fail(start, -EINTR, "was asked to end");
        if (clock_monotonic_microseconds() >= deadline)
            return fail(start, -ETIME, "is not on the LAN after 60 s");
        result = take_turn(start);
    }
    return result < 0 ? result : 0;
}

/* --- the whole -------------------------------------------------------------------------------------------- */

/* The last words of the half that failed: Docker or the journal has them. */
static void quote_log(const struct start *start)
{
    CLEANUP(host_look_release) struct host_look look = {0};
    const struct look_record *half;
    static const char *const services[] = {HALF_HOST, HALF_IDENTITY};

    if (host_look_docker(&look) < 0)
        return;
    for (size_t i = 0; i < ARRAY_LENGTH(services); i++) {
        CLEANUP(child_output_release) struct child_output output = {0};

        half = host_look_find_half(&look, start->project, services[i]);
        if (!half || attach_runner_log(&start->runner, half->name, &output) < 0)
            continue;
        (void)command_complain("attach", half->name, "said last:");
        command_quote(output.bytes ? output.bytes : "", QUOTED_LINES);
    }
}

static int give_up(struct start *start, int error)
{
    (void)command_complain("attach", start->project, start->reason);
    if (error == -ETIME)
        attach_report_unmet(&start->status, start->runner.is_units, configuration_has_dhcp(start->plan->identity));
    else if (error != -EINTR)
        quote_log(start);
    return undo(start, true);
}

static int run_halves(struct start *start)
{
    CLEANUP(child_output_release) struct child_output output = {0};
    char why[64];
    int result;

    if (start->runner.is_units)
        command_say("starting", UNIT_HOST_PREFIX "%s and " UNIT_IDENTITY_PREFIX "%s", start->project, start->project);
    else
        command_say("starting", "both halves, from the image %s", start->request->image);
    result = attach_runner_up(&start->runner, start->project, start->request->image, &output);
    if (result == 0)
        return 0;
    if (result == -EINTR)
        return fail(start, result, "was asked to end");
    command_quote(output.bytes ? output.bytes : "", QUOTED_LINES);
    (void)snprintf(why, sizeof(why),
                   result == -ETIME ? "%s did not come to an end" : "%s could not start it, see above",
                   attach_runner_name(&start->runner));
    return fail(start, result, why);
}

int attach_start_run(const struct attach_request *request, const struct attach_plan *plan)
{
    CLEANUP(start_clear) struct start start = {.request = request, .plan = plan, .project = plan->identity->project};
    char problem[RUNNER_PROBLEM_SIZE];
    int result;

    interruption_begin();
    if (!attach_runner_find(request->is_units ? ATTACH_HOME_UNITS : ATTACH_HOME_COMPOSE, &start.runner, problem))
        return command_complain("attach", "Docker", problem);
    result = attached_projects_keep(start.project);
    if (result == 0)
        result =
            attached_projects_write(start.project, request->is_units ? NULL : request->image, request->environment);
    if (result < 0) {
        attached_projects_forget(start.project);
        return command_complain("attach", attached_projects_path(start.project), log_errno_text(result));
    }
    command_say("written", "%s", attached_projects_path(start.project));
    start.begun = clock_monotonic_microseconds();
    result = run_halves(&start);
    if (result < 0) {
        (void)command_complain("attach", start.project, start.reason);
        return undo(&start, true);
    }
    result = wait_ready(&start);
    if (result < 0)
        return give_up(&start, result);
    command_say("ready", "after %.1f s", (double)(clock_monotonic_microseconds() - start.begun) / 1e6);
    attached_projects_forget(start.project);
    (void)interruption_wait(FINDINGS_MILLISECONDS);
    if (attached_status_read(start.pid, &start.status) == 0)
        attach_report_print(start.project, start.runner.is_units, &start.status);
    host_forwarding_print(plan->identity);
    return EXIT_STATUS_CLEAN;
}
