/*
 * `anchord doctor stale-netns`: who lives in a dead network namespace (SPEC §9); see stale_netns.h.
 *
 * It opens the files of TLS, gives up every capability, lets the kernel take its other system calls away, and only then
 * asks Docker.
 */
#include "workers/commands/doctor/stale_netns.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "common/sandbox.h"
#include "common/text.h"
#include "workers/commands/doctor/docker_access.h"
#include "workers/commands/doctor/findings_report.h"
#include "workers/commands/doctor/survey.h"
#include "workers/docker/seal.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* Of this command alone (SPEC §9): neither those of the roles, nor of the other checks. */
enum stale_netns_status {
    DOCTOR_WELL = 0,
    DOCTOR_FOUND = 1,  /* something is wrong */
    DOCTOR_FAILED = 2, /* wrong usage, or not everything could be looked at */
};

struct options {
    bool has_check; /* `stale-netns` was asked for */
    bool as_json;
    bool show_help;
};

/* Foreign text in it colours no terminal and looks like no other line. */
static void say(const char *text)
{
    (void)text_print_escaped(stderr, text);
}

static int fail(const char *what, const char *why, const char *way_out)
{
    say("anchord doctor: ");
    say(what);
    say(": ");
    say(why);
    say(way_out);
    (void)fputc('\n', stderr);
    return DOCTOR_FAILED;
}

static void print_help(FILE *stream)
{
    (void)fputs(
        "Usage: anchord doctor stale-netns [--json]\n"
        "\n"
        "The check:\n"
        "  stale-netns  which containers of this host live in the dead network namespace of another one that was\n"
        "               removed, stopped or started again, and the command that brings each back\n"
        "\n"
        "Options:\n"
        "  --json       the same as JSON\n"
        "  --help       this text\n"
        "\n"
        "It needs to read Docker's API, at DOCKER_HOST, and nothing else; it changes nothing:\n"
        "  docker run --rm -v /var/run/docker.sock:/var/run/docker.sock anchord:dev doctor stale-netns\n"
        "\n"
        "Exit status 0: nothing is wrong; 1: something is; 2: wrong usage, or not everything could be looked at.\n",
        stream);
}

/* False: it was said what is wrong. */
static bool parse_options(char **arguments, struct options *options)
{
    for (; *arguments; arguments++) {
        if (strcmp(*arguments, "--json") == 0) {
            options->as_json = true;
        } else if (strcmp(*arguments, "--help") == 0) {
            options->show_help = true;
        } else if (strcmp(*arguments, "stale-netns") == 0) {
            options->has_check = true;
        } else {
            (void)fail(*arguments, "unknown argument", "; see anchord doctor --help");
            return false;
        }
    }
    if (!options->has_check && !options->show_help)
        print_help(stderr);
    return options->has_check || options->show_help;
}

/* --- Docker ---------------------------------------------------------------------------------------------- */

#define MOUNT_IT                                                                                                        \
    "mount Docker's socket (docker run -v /var/run/docker.sock:/var/run/docker.sock …), or say in DOCKER_HOST where " \
    "Docker listens"

/* What to do when Docker cannot be reached. */
static const char *way_out(const struct docker_host *host, int error)
{
    if (host->kind == DOCKER_HOST_TCP)
        return "; is DOCKER_HOST right? A socket proxy must allow VERSION=1 and CONTAINERS=1";
    if (error == -ECONNREFUSED || error == -ENOTSOCK)
        return "; start Docker, " MOUNT_IT;
    if (error == -ENOENT || error == -ENOTDIR)
        return "; " MOUNT_IT;
    if (error == -EACCES || error == -EPERM)
        return "; run it as root, or with the group of Docker's socket (--group-add)";
    return "";
}

static int report(const struct findings *findings, const struct options *options)
{
    int result = options->as_json ? findings_print_json(findings) : findings_print_text(findings);

    if (result < 0)
        return fail("cannot write", log_errno_text(result), "");
    for (size_t i = 0; i < findings->unread_count && !options->as_json; i++)
        (void)fail(findings->unread[i].name, findings->unread[i].reason, "; it was left out");
    if (findings->dependent_count > 0)
        return DOCTOR_FOUND;
    return findings->unread_count > 0 ? DOCTOR_FAILED : DOCTOR_WELL;
}

static int examine(sd_event *event, struct docker_client *client, const struct docker_host *host,
                   const struct options *options)
{
    CLEANUP(findings_release) struct findings findings = {0};
    struct survey_failure failure;
    int result = survey_run(event, client, &findings, &failure);
    int status = DOCTOR_FAILED;

    if (result == 0 || findings.dependent_count > 0)
        status = report(&findings, options);
    if (result < 0 && failure.is_connecting)
        (void)fail(host->kind == DOCKER_HOST_UNIX ? host->path : "Docker", failure.text, way_out(host, result));
    else if (result < 0)
        (void)fail("not every container could be looked at", failure.text, "");
    return status;
}

/* Everything that opens files comes before the seal, every foreign byte after it. */
static int run(const struct docker_host *host, const struct options *options)
{
    static char output[BUFSIZ];
    CLEANUP(sd_event_unrefp) sd_event *event = NULL;
    CLEANUP(docker_client_freep) struct docker_client *client = NULL;
    const char *step = NULL;
    int result = sd_event_new(&event);

    if (result >= 0)
        result = docker_client_new(event, host, &client);
    if (result < 0)
        return fail("cannot start", log_errno_text(result), "");
    (void)setvbuf(stdout, output, _IOFBF, sizeof(output)); /* else stdio asks fstat(2) for a size, which is forbidden */
    tzset(); /* timegm(3) of Docker's times opens the time zone's file when it was not read before */
    result = sandbox_drop_privileges(&step);
    if (result == 0)
        result = docker_seal(host, &step);
    if (result < 0)
        return fail(step, log_errno_text(result), "");
    return examine(event, client, host, options);
}

int stale_netns_command(char **arguments)
{
    struct options options = {0};
    CLEANUP(docker_access_release) struct docker_access access = {0};
    char text[DOCKER_ACCESS_TEXT_SIZE];
    const char *what = NULL;

    if (!parse_options(arguments, &options))
        return DOCTOR_FAILED;
    if (options.show_help) {
        print_help(stdout);
        return DOCTOR_WELL;
    }
    return docker_access_read(&access, &what, text) < 0 ? fail(what, text, "") : run(&access.host, &options);
}
