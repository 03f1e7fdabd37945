/*
 * anchord-doctor: looks for what is wrong with anchors and their host, and says how to mend it (SEE-2, SPEC §9).
 *
 * The command `anchord doctor` becomes this program, as whoever types it, with DOCKER_HOST and, for TLS,
 * DOCKER_CERT_PATH in its environment. This process reads records of one size and its arguments; what Docker, an anchor
 * or the LAN say is read by children that have given up every privilege. Nothing is changed.
 */
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "workers/commands/doctor/check_table.h"
#include "workers/commands/doctor/gather.h"
#include "workers/commands/doctor/options.h"
#include "workers/commands/doctor/report_text.h"
#include "workers/commands/doctor/runner.h"
#include "workers/commands/doctor/stale_netns.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

enum doctor_status {
    DOCTOR_WELL = 0,
    DOCTOR_FOUND = 1, /* something is wrong */
    DOCTOR_USAGE = 2,
    DOCTOR_BLIND = 3, /* nothing could be looked at */
};

static int fail(const char *what, const char *why)
{
    (void)fputs("anchord doctor: ", stderr);
    (void)text_print_escaped(stderr, what);
    (void)fprintf(stderr, ": %s\n", why);
    return DOCTOR_BLIND;
}

static bool is_called(const struct anchor *anchor, const char *name)
{
    return strcmp(anchor->name, name) == 0 || strcmp(anchor->project, name) == 0 ||
           (strlen(name) >= 12 && strncmp(anchor->id, name, strlen(name)) == 0);
}

/* Leaves the anchors of that name alone. */
static bool choose(struct scene *scene, const char *name)
{
    size_t kept = 0;

    for (size_t i = 0; i < scene->anchor_count; i++) {
        struct anchor other = scene->anchors[i];

        if (!is_called(&other, name))
            continue;
        scene->anchors[i] = scene->anchors[kept]; /* is released at its place */
        scene->anchors[kept++] = other;
    }
    if (kept > 0)
        scene_release_anchors(scene, kept);
    return kept > 0;
}

/* One that has stopped can be named, too: nothing is left to look at but that. */
static bool forget_others(struct scene *scene, const char *name)
{
    for (size_t i = 0; i < scene->stopped_count; i++) {
        const struct told_stopped *stopped = &scene->stopped[i];

        if (!(stopped->flags & CONTAINER_IS_ANCHORD) ||
            (strcmp(stopped->name, name) != 0 && strcmp(stopped->project, name) != 0))
            continue;
        scene_release_anchors(scene, 0);
        return true;
    }
    return false;
}

static int no_such_anchor(const struct scene *scene, const char *name)
{
    char names[512] = "";
    size_t length = 0;

    for (size_t i = 0; i < scene->anchor_count && length < sizeof(names); i++)
        length += (size_t)snprintf(names + length, sizeof(names) - length, " %s", scene->anchors[i].name);
    (void)fail(name,
               length > 0 ? "no network-anchor of that name runs here; there are:" : "no network-anchor runs here");
    if (length > 0) {
        (void)text_print_escaped(stderr, names);
        (void)fputc('\n', stderr);
    }
    return DOCTOR_BLIND;
}

/* Nobody takes what was not read for well because another file was. */
static bool has_unread_file(const struct report *report)
{
    for (size_t i = 0; i < report->count; i++) {
        if (report->list[i].anchor >= FILES_BEGIN && report->list[i].verdict == VERDICT_UNKNOWN)
            return true;
    }
    return false;
}

static int judge(const struct report *report, const struct options *options)
{
    struct report_summary summary = report_summarise(report);

    if (summary.counts[VERDICT_FAIL] > 0 || (summary.counts[VERDICT_WARN] > 0 && !options->fails_only))
        return DOCTOR_FOUND;
    if (has_unread_file(report))
        return DOCTOR_BLIND;
    return summary.counts[VERDICT_OK] + summary.counts[VERDICT_WARN] + report->suppressed > 0 ? DOCTOR_WELL
                                                                                              : DOCTOR_BLIND;
}

static bool looks_twice(const struct options *options)
{
    for (size_t i = 0; i < check_count; i++) {
        if (check_table[i].flags & CHECK_LOOKS_TWICE && options_want(options, &check_table[i]))
            return true;
    }
    return false;
}

static int examine(const struct options *options)
{
    CLEANUP(scene_release) struct scene scene = {0};
    CLEANUP(report_release) struct report report = {0};
    uint64_t begin = clock_monotonic_microseconds();
    int result = gather_scene(looks_twice(options), &scene);

    scene.only = options->anchor;
    if (result == 0 && options->anchor && !choose(&scene, options->anchor) && !forget_others(&scene, options->anchor))
        return no_such_anchor(&scene, options->anchor);
    scene.from_lan = options->from_lan;
    scene.files = options->files;
    scene.file_count = options->file_count;
    if (result == 0)
        result = runner_run(&scene, options, &report);
    if (result < 0)
        return fail("cannot look", log_errno_text(result));
    report.milliseconds = (clock_monotonic_microseconds() - begin) / MICROSECONDS_PER_MILLISECOND;
    result = options->as_json ? report_print_json(&report, &scene) : report_print_text(&report, &scene);
    return result < 0 ? fail("cannot write", log_errno_text(result)) : judge(&report, options);
}

/* anchord-init blocks them for its children (daemon/supervise/init.c); nothing here needs an order when it ends. */
static void allow_stop_signals(void)
{
    sigset_t signals;

    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)sigprocmask(SIG_UNBLOCK, &signals, NULL);
}

int main(int argc, char **argv)
{
    struct options options;

    allow_stop_signals();
    if (argc > 1 && strcmp(argv[1], "stale-netns") == 0)
        return stale_netns_command(argv + 1);
    if (argc < 1 || !options_parse(argv + 1, &options))
        return DOCTOR_USAGE;
    if (options.shows_help)
        options_print_help();
    else if (options.lists)
        options_print_list();
    else
        return examine(&options);
    return DOCTOR_WELL;
}
