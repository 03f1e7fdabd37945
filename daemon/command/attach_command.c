/* `anchord attach`, `detach`, `list`; see attach_command.h. Runs as root, or to look only as anybody. */
#include "daemon/command/attach_command.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "common/sandbox.h"
#include "common/text.h"
#include "daemon/command/attached_projects.h"
#include "daemon/command/parent_check.h"
#include "daemon/configuration/configuration_load.h"

#include <stdio.h>
#include <string.h>
#include <yajl/yajl_gen.h>

#define VALUE_SIZE 320

/* What an option sets. */
static const struct {
    const char *option;
    const char *variable;
} options[] = {
    {"--address", "ANCHORD_ADDRESS"}, {"--from", "ANCHORD_EXPOSE_FROM"}, {"--gateway", "ANCHORD_EXT_GATEWAY_IP"},
    {"--mac", "ANCHORD_MAC"},         {"--parent", "ANCHORD_PARENT"},    {"PROJECT", "ANCHORD_PROJECT"},
};
#define OPTION_COUNT ARRAY_LENGTH(options)

struct request {
    bool is_dry_run;
    size_t count;
    char texts[OPTION_COUNT][VALUE_SIZE];
    const char *environment[OPTION_COUNT + 1]; /* of both roles, ending in NULL */
};

static struct configuration identity, host; /* big, and needed to the end */

DEFINE_POINTER_CLEANUP(struct yajl_gen_t, yajl_gen_free, yajl_gen_freep);

static int complain(const char *command, const char *what, const char *why)
{
    (void)fprintf(stderr, "anchord %s: ", command);
    (void)text_print_escaped(stderr, what);
    (void)fputs(": ", stderr);
    (void)text_print_escaped(stderr, why);
    (void)fputc('\n', stderr);
    return EXIT_STATUS_CONFIGURATION;
}

static void set(struct request *request, const char *variable, const char *value)
{
    (void)snprintf(request->texts[request->count], VALUE_SIZE, "%s=%s", variable, value);
    request->environment[request->count] = request->texts[request->count];
    request->count++;
}

static const char *variable_of(const char *option, size_t length)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (strlen(options[i].option) == length && strncmp(options[i].option, option, length) == 0)
            return options[i].variable;
    }
    return NULL;
}

/* By what a person has typed. */
static const char *name_of(const char *variable)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (strcmp(options[i].variable, variable) == 0)
            return options[i].option;
    }
    return variable;
}

static bool is_set(const struct request *request, const char *variable)
{
    for (size_t i = 0; i < request->count; i++) {
        if (strncmp(request->environment[i], variable, strlen(variable)) == 0)
            return true;
    }
    return false;
}

/* An empty one would count as unset, and be something else than what was typed. */
static int take(struct request *request, const char *variable, const char *value)
{
    const char *name = name_of(variable);

    if (!value || value[strspn(value, TEXT_BLANKS)] == '\0')
        return complain("attach", name, "needs a value");
    if (is_set(request, variable) && name[0] != '-')
        return complain("attach", value, "is a second project; attach one by one");
    if (is_set(request, variable))
        return complain("attach", name, "is there twice");
    if (strlen(value) >= VALUE_SIZE - strlen("ANCHORD_EXT_GATEWAY_IP="))
        return complain("attach", name, "is too long");
    set(request, variable, value);
    return EXIT_STATUS_CLEAN;
}

/* `--option value` and `--option=value`. Returns EXIT_STATUS_CLEAN, or what to end with after it was said. */
static int parse(int argc, char **argv, struct request *request)
{
    int result = EXIT_STATUS_CLEAN;

    for (int i = 0; i < argc && result == EXIT_STATUS_CLEAN; i++) {
        bool is_option = argv[i][0] == '-';
        size_t length = strcspn(argv[i], "=");
        const char *variable = is_option ? variable_of(argv[i], length) : "ANCHORD_PROJECT";

        if (strcmp(argv[i], "--dry-run") == 0)
            request->is_dry_run = true;
        else if (!variable)
            return complain("attach", argv[i], "unknown argument; see anchord attach --help");
        else if (is_option && argv[i][length] == '=')
            result = take(request, variable, argv[i] + length + 1);
        else if (is_option && ++i == argc)
            return complain("attach", name_of(variable), "needs a value");
        else
            result = take(request, variable, argv[i]);
    }
    if (result != EXIT_STATUS_CLEAN)
        return result;
    if (!is_set(request, "ANCHORD_PROJECT"))
        return complain("attach", "PROJECT", "is missing: the Compose project's name, as docker compose ls shows it");
    if (!is_set(request, "ANCHORD_PARENT"))
        return complain("attach", "--parent", "is missing: the host's interface on the LAN, such as eth0");
    return EXIT_STATUS_CLEAN;
}

/* What the other role's variables are called is no problem here. */
static size_t report_problems(const struct configuration *configuration)
{
    size_t errors = 0;

    for (size_t i = 0; i < configuration->problem_count; i++) {
        const struct configuration_problem *problem = &configuration->problems[i];

        if (!problem->is_error && strstr(problem->text, "does not concern the role"))
            continue;
        errors += problem->is_error ? 1 : 0;
        (void)complain(problem->is_error ? "attach" : "attach: warning", name_of(problem->variable), problem->text);
    }
    return errors;
}

static size_t check_addresses(void)
{
    const struct ip_subnet *const given[] = {&identity.attach_address.given4, &identity.attach_address.given6};
    char problem[PARENT_PROBLEM_SIZE];
    size_t errors = 0;

    for (size_t i = 0; i < ARRAY_LENGTH(given); i++) {
        if (given[i]->address.family == IP_FAMILY_NONE || parent_check_address(host.parent, given[i], problem))
            continue;
        (void)complain("attach", "--address", problem);
        errors++;
    }
    return errors;
}

/* Everything that is wrong, at once. */
static size_t check(const struct request *request)
{
    char problem[PARENT_PROBLEM_SIZE];
    size_t errors;

    configuration_load("attach", request->environment, &identity);
    configuration_load("attach-host", request->environment, &host);
    errors = report_problems(&identity);
    if (errors == 0) /* else the project's name would be complained of twice */
        errors = report_problems(&host);
    if (errors > 0)
        return errors;
    if (attached_projects_is_running(identity.project)) {
        (void)complain("attach", identity.project, "is attached already; see anchord list, anchord detach");
        errors++;
    }
    if (!parent_check_interface(host.parent, problem)) {
        (void)complain("attach", "--parent", problem);
        return errors + 1;
    }
    return errors + check_addresses();
}

static void print_plan(const struct request *request)
{
    (void)printf("%s:\n", attached_projects_path(identity.project));
    for (size_t i = 0; i < request->count; i++) {
        (void)fputs("  ", stdout);
        (void)text_print_escaped(stdout, request->environment[i]);
        (void)fputc('\n', stdout);
    }
}

/* The image's name is no setting of ours: what it is called here, else as the documentation calls it. */
static const char *image(void)
{
    const char *named = getenv("ANCHORD_IMAGE");
    static const char inner[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:@";

    return named && named[0] != '\0' && named[strspn(named, inner)] == '\0' ? named : "anchord:dev";
}

/* A whole line for a shell. The file is not everybody's to read, and with it Compose reads no .env. */
static void print_way(const char *project, const char *what)
{
    (void)printf("  ANCHORD_IMAGE=%s docker compose --env-file %s --file attach.yaml %s\n", image(),
                 attached_projects_path(project), what);
}

int attach_command_attach(int argc, char **argv)
{
    struct request request = {0};
    int result = parse(argc, argv, &request);

    if (result != EXIT_STATUS_CLEAN)
        return result;
    if (check(&request) > 0)
        return EXIT_STATUS_CONFIGURATION;
    if (!request.is_dry_run && geteuid() != 0)
        return complain("attach", attached_projects_path(identity.project), "run as root, or with --dry-run");
    print_plan(&request);
    if (request.is_dry_run)
        return EXIT_STATUS_CLEAN;
    result = attached_projects_write(identity.project, request.environment);
    if (result < 0)
        return complain("attach", attached_projects_path(identity.project), log_errno_text(result));
    (void)puts("It is written down; nothing runs yet. As root, with anchord's image and its compose/attach.yaml:");
    print_way(identity.project, "up --detach");
    return EXIT_STATUS_CLEAN;
}

/* --- detach ----------------------------------------------------------------------------------------------- */

int attach_command_detach(int argc, char **argv)
{
    const char *project = argc == 1 ? argv[0] : "";

    if (argc != 1 || project[0] == '-')
        return complain("detach", argc > 0 ? argv[argc - 1] : "PROJECT", "name one project; see anchord list");
    if (strchr(project, '/') || strlen(project) > ATTACHED_PROJECT_LENGTH_MAX || project[0] == '.')
        return complain("detach", project, "is no name of a Compose project");
    if (attached_projects_is_running(project)) {
        (void)complain("detach", project, "runs: as root, this brings it down, then detach it again");
        print_way(project, "down");
        return EXIT_STATUS_CONFIGURATION;
    }
    if (unlink(attached_projects_path(project)) < 0)
        return complain("detach", project,
                        errno == ENOENT ? "is not attached; see anchord list" : log_errno_text(-errno));
    (void)printf("%s is gone\n", attached_projects_path(project));
    return EXIT_STATUS_CLEAN;
}

/* --- list ------------------------------------------------------------------------------------------------- */

struct entry {
    const char *project;
    char address[VALUE_SIZE];
    char parent[INTERFACE_NAME_SIZE];
    const char *state;
};

static struct entry read_entry(const char *project)
{
    struct entry entry = {.project = project, .state = attached_projects_is_running(project) ? "attached" : "stopped"};

    attached_projects_read(project, "ANCHORD_ADDRESS", entry.address, sizeof(entry.address));
    attached_projects_read(project, "ANCHORD_PARENT", entry.parent, sizeof(entry.parent));
    if (entry.address[0] == '\0')
        text_copy_cut(entry.address, sizeof(entry.address), "dhcp");
    return entry;
}

static void print_entry(const char *project, void *userdata)
{
    struct entry entry = read_entry(project);

    (void)userdata;
    (void)printf("%-24s %-9s %-15s ", entry.project, entry.state, entry.parent);
    (void)text_print_escaped(stdout, entry.address);
    (void)fputc('\n', stdout);
}

static void generate_pair(yajl_gen generator, const char *name, const char *text)
{
    (void)yajl_gen_string(generator, (const unsigned char *)name, strlen(name));
    (void)yajl_gen_string(generator, (const unsigned char *)text, strlen(text));
}

static void generate_entry(const char *project, void *userdata)
{
    struct entry entry = read_entry(project);
    yajl_gen generator = userdata;

    (void)yajl_gen_map_open(generator);
    generate_pair(generator, "project", entry.project);
    generate_pair(generator, "state", entry.state);
    generate_pair(generator, "parent", entry.parent);
    generate_pair(generator, "address", entry.address);
    (void)yajl_gen_map_close(generator);
}

static int list_as_json(void)
{
    CLEANUP(yajl_gen_freep) yajl_gen generator = yajl_gen_alloc(NULL);
    const unsigned char *text = NULL;
    size_t length = 0;
    int result;

    if (!generator)
        return -ENOMEM;
    (void)yajl_gen_array_open(generator);
    result = attached_projects_each(generate_entry, generator);
    (void)yajl_gen_array_close(generator);
    if (result == 0 && yajl_gen_get_buf(generator, &text, &length) == yajl_gen_status_ok)
        (void)printf("%.*s\n", (int)length, (const char *)text);
    return result;
}

int attach_command_list(int argc, char **argv)
{
    bool as_json = argc == 1 && strcmp(argv[0], "--json") == 0;
    int result;

    if (argc > 0 && !as_json)
        return complain("list", argv[0], "unknown argument; there are --json and --help");
    result = as_json ? list_as_json() : attached_projects_each(print_entry, NULL);
    return result < 0 ? complain("list", ATTACHED_DIRECTORY, log_errno_text(result)) : EXIT_STATUS_CLEAN;
}
