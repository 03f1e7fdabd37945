/* `anchord attach`; see attach_command.h. Runs as root, or to look only as anybody. */
#include "daemon/command/attach_command.h"

#include "common/log.h"
#include "common/sandbox.h"
#include "common/text.h"
#include "daemon/command/attach_checks.h"
#include "daemon/command/attach_start.h"
#include "daemon/command/attached_projects.h"
#include "daemon/command/command_words.h"
#include "daemon/command/host_forwarding.h"
#include "daemon/command/host_units.h"

#include <stdio.h>
#include <unistd.h>

static void print_file(const struct attach_request *request, const char *project)
{
    (void)printf("%s:\n", attached_projects_path(project));
    if (!request->is_units)
        (void)printf("  " ATTACHED_IMAGE "=%s\n", request->image);
    for (size_t i = 0; i < request->count; i++) {
        (void)fputs("  ", stdout);
        (void)text_print_escaped(stdout, request->environment[i]);
        (void)fputc('\n', stdout);
    }
}

static void say_seen(const struct attach_plan *plan)
{
    struct ip_subnet given[2];
    size_t count = plan->is_lan_asked ? attach_checks_given(plan->identity, given) : 0;

    if (plan->container_count > 0)
        command_say("looked", "%s has %zu container%s, of which %zu run%s", plan->identity->project,
                    plan->container_count, plan->container_count == 1 ? "" : "s", plan->running_count,
                    plan->running_count == 1 ? "s" : "");
    command_say("", "%s is up", plan->host->parent);
    for (size_t i = 0; i < count; i++)
        command_say("", "nobody on it has %s", IP_ADDRESS_TEXT(&given[i].address));
}

/* Whole lines for a shell. The file is not everybody's to read. */
static void print_way(const struct attach_request *request, const char *project)
{
    if (request->is_units) {
        (void)printf("Nothing runs yet. As root:\n"
                     "  systemctl enable --now " UNIT_HOST_PREFIX "%s " UNIT_IDENTITY_PREFIX "%s\n",
                     project, project);
        return;
    }
    (void)printf("Nothing runs yet. As root, with anchord's compose/attach.yaml:\n"
                 "  docker compose --env-file %s --file attach.yaml up --detach\n",
                 attached_projects_path(project));
}

static int write_alone(const struct attach_request *request, const struct attach_plan *plan)
{
    const char *project = plan->identity->project;
    int result = attached_projects_write(project, request->is_units ? NULL : request->image, request->environment);

    if (result < 0)
        return command_complain("attach", attached_projects_path(project), log_errno_text(result));
    print_file(request, project);
    print_way(request, project);
    host_forwarding_print(plan->identity);
    return EXIT_STATUS_CLEAN;
}

int attach_command_attach(int argc, char **argv)
{
    static struct attach_request request;
    struct attach_plan plan;
    int result = attach_request_parse(argc, argv, &request);

    if (result != EXIT_STATUS_CLEAN)
        return result;
    if (!request.is_dry_run && geteuid() != 0)
        return command_complain("attach", attach_request_value(&request, "ANCHORD_PROJECT"),
                                "run as root, or with --dry-run");
    if (attach_checks_run(&request, !request.is_no_start, &plan) > 0)
        return EXIT_STATUS_CONFIGURATION;
    if (request.is_dry_run || !request.is_no_start)
        say_seen(&plan);
    if (request.is_dry_run) {
        command_say("would", "write the file, %s",
                    request.is_no_start ? "and start nothing"
                                        : "start both halves, wait "
                                          "until it is ready");
        print_file(&request, plan.identity->project);
        return EXIT_STATUS_CLEAN;
    }
    return request.is_no_start ? write_alone(&request, &plan) : attach_start_run(&request, &plan);
}
