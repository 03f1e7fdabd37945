/*
 * The command `anchord`: one of the roles of SPEC §1, or one of the operator's commands of §9.
 *
 * Started by anchord-init in a container, by a unit on a bare host, and by hand. As a role it runs as root and limits
 * itself before it reads anything but its environment (privileges.c); a command needs no privilege.
 */
#include "build_information.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/sandbox.h"
#include "common/text.h"
#include "daemon/command/attach_command.h"
#include "daemon/command/ban_command.h"
#include "daemon/command/configuration_command.h"
#include "daemon/command/explain_command.h"
#include "daemon/command/path_command.h"
#include "daemon/command/program_command.h"
#include "daemon/command/standard_streams.h"
#include "daemon/command/status_command.h"
#include "daemon/configuration/configuration_load.h"
#include "daemon/configuration/configuration_parse.h"
#include "daemon/dhcp/dhcp_client.h"
#include "daemon/dhcp/dhcp_files.h"
#include "daemon/role/attach.h"
#include "daemon/role/attach_host.h"
#include "daemon/role/bans_worker.h"
#include "daemon/role/gate_worker.h"
#include "daemon/role/meeting_server.h"
#include "daemon/role/network_anchor.h"
#include "daemon/role/raw_sockets.h"
#include "daemon/role/rebinder.h"
#include "daemon/role/service_anchor.h"
#include "daemon/supervise/privileges.h"
#include "daemon/supervise/runtime_directory.h"
#include "protocol/problems.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>

/* A word with more wrong letters than this is not taken for a mistyped one. */
#define MISTYPED_LETTERS_MAX 2

static struct configuration configuration; /* big, and needed to the end */

static int print_help(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    (void)puts("Usage: anchord [ROLE]\n"
               "       anchord COMMAND [OPTION]\n"
               "\n"
               "Gives a Compose project one address on the LAN.\n"
               "\n"
               "Roles (without one: ANCHORD_MODE, else network-anchor):\n"
               "  network-anchor     owns the project's address, NAT and the way out\n"
               "  service-anchor     keeps an application's way out pointing at the network-anchor\n"
               "  external-rebinder  keeps a container on another project's network when that is made anew\n"
               "  wrap-rebinder      recreates this project's network_mode: container:X when X was recreated\n"
               "  attach-host        the host's half of an attached project: its links on the host\n"
               "\n"
               "Commands:\n"
               "  attach PROJECT --parent IFACE [--address dhcp|slaac|ADDRESS/PREFIX] [--dry-run] [--from SOURCES]\n"
               "       [--gateway ADDRESS] [--help] [--image IMAGE] [--mac ADDRESS] [--no-start]\n"
               "       [--via-host NETWORKS]\n"
               "                     puts a Compose project that runs on the LAN, without a change of it\n"
               "  ban add|del|flush|list [--force] [--for TIME] [--help] [--json] [--new-only] [--reason TEXT]\n"
               "       [--socket PATH] [ADDRESS[/PREFIX]…]\n"
               "                     who may not come in, until when and why\n"
               "  config [--json] [--help]\n"
               "                     the effective configuration, where it comes from, all errors; every variable\n"
               "  detach PROJECT [--help]\n"
               "                     the same, undone\n"
               "  doctor [CHECK…] [files [FILE…]] [--anchor NAME] [--from-lan] [--help] [--json] [--list]\n"
               "       [--suppress CODE[=OBJECT]] [--threshold warn|fail]\n"
               "                     what is wrong, why, and what to do; stale-netns: containers of this host in a\n"
               "                     dead network namespace\n"
               "  explain in|out|container … [--help] [--json] [--live [SECONDS]]\n"
               "                     why a connection reaches what it is meant for, or what stops it first\n"
               "  healthcheck [--help]\n"
               "                     exit 0 when ready, else 1 and what is missing\n"
               "  list [--json] [--help]\n"
               "                     the projects of this host that are attached, and what ails those that are not\n"
               "  ruleset [--help]   our nftables tables as they stand in the kernel, as nft prints them\n"
               "  status [--html] [--json] [--watch] [--help]\n"
               "                     addresses, gateways, exposed ports, conflicts, workers; exit 3: none runs\n"
               "  version [--help]   version and commit\n"
               "  wrap [--address IPV4[,IPV6]] [--bridge NETWORK] [--check FILE] [--dhcp] [--engine VERSION]\n"
               "       [--help] [--host-address ADDRESS] [--image IMAGE] [--lan NETWORK] [--output FILE]\n"
               "       [--ports-only] [--subnet IPV4[,IPV6]]\n"
               "                     a Compose project on standard input: an override that puts it behind anchord\n"
               "\n"
               "Options:\n"
               "  --help             this text\n"
               "  --project PROJECT  before status, explain, healthcheck or ban: of a project attached by units\n"
               "  --version          as version");
    return EXIT_STATUS_CLEAN;
}

static int print_version(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    (void)puts("anchord " ANCHORD_VERSION " (" ANCHORD_COMMIT ")");
    return EXIT_STATUS_CLEAN;
}

static int show_configuration(int argc, char **argv)
{
    bool as_json = argc == 1 && strcmp(argv[0], "--json") == 0;

    if (argc == 1 && strcmp(argv[0], "--help") == 0) {
        configuration_command_help();
        return EXIT_STATUS_CLEAN;
    }
    if (argc > 0 && !as_json) {
        (void)fprintf(stderr, "anchord config: unknown argument %s; there are --json and --help\n", argv[0]);
        return EXIT_STATUS_CONFIGURATION;
    }
    configuration_load(NULL, (const char *const *)environ, &configuration);
    return configuration_command_show(&configuration, as_json);
}

/* Also where no anchord runs, and whatever else the environment holds. */
static int run_doctor(int argc, char **argv)
{
    if (argc > 0 && strcmp(argv[0], "--path-answers") == 0)
        return path_command(argc - 1, argv + 1);
    configuration_load("network-anchor", (const char *const *)environ, &configuration);
    return program_command_doctor(&configuration, argv);
}

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv); /* with what follows the name; returns the exit status */
    bool has_options;                  /* and refuses what it does not know; else nothing may follow but --help */
    const char *help;                  /* NULL: of its own */
} commands[] = {
    {"attach", attach_command_attach, true,
     "Usage: anchord attach PROJECT --parent IFACE [OPTION]\n"
     "\n"
     "Gives the Compose project PROJECT, which runs, an address of its own on the LAN; nothing of it changes. Looks "
     "first:\n"
     "at Docker, the interface, the address, also whether somebody on the LAN has it. Then writes\n"
     "/etc/anchord/PROJECT.env, starts both halves by docker compose, waits until they are ready, and says what "
     "answers.\n"
     "What fails, or is not ready within a minute, is undone. As root.\n"
     "\n"
     "  --parent IFACE     the host's interface on the LAN\n"
     "  --address ADDRESS  dhcp (default), slaac, or ADDRESS/PREFIX, of each family one with a comma between them\n"
     "  --gateway ADDRESS  the LAN's gateway, for addresses that are given\n"
     "  --mac ADDRESS      the project's MAC address (made of its name and the machine's ID)\n"
     "  --from SOURCES     which ports answer: labels, published, or both with a comma (default)\n"
     "  --via-host NETWORKS  what the host alone can route, as a VPN, with commas: 10.8.0.0/24; kept when not given\n"
     "  --image IMAGE      of both halves (ANCHORD_IMAGE, else " ANCHORD_IMAGE ")\n"
     "  --dry-run          looks and says, and changes nothing\n"
     "  --no-start         writes the file alone; asks neither Docker nor the LAN\n"
     "\n"
     "Exit status 0; 1: something is wrong, and everything is as before."},
    {"ban", ban_command, true, NULL},
    {"config", show_configuration, true, NULL},
    {"detach", attach_command_detach, true,
     "Usage: anchord detach PROJECT\n"
     "\n"
     "Takes the project from the LAN: stops both halves, which undo what they made, looks whether anything of it is "
     "left\n"
     "on the host, and removes /etc/anchord/PROJECT.env. Halves that were killed are started once more, to find what "
     "they\n"
     "have left in the project's containers. As root.\n"
     "\n"
     "Exit status 0, also when it is not attached; 1: something is left, and is named with what helps."},
    {"doctor", run_doctor, true, NULL},
    {"explain", explain_command, true, NULL},
    {"healthcheck", status_command_healthcheck, false,
     "Usage: anchord healthcheck\n"
     "\n"
     "Prints `ready` and ends with 0, or prints each condition that does not hold and ends with 1.\n"
     "Asks the control socket, never TCP."},
    {"list", attach_command_list, true,
     "Usage: anchord list [--json]\n"
     "\n"
     "Prints the projects of this host that are attached or written down in /etc/anchord: name; attached, starting, "
     "failed\n"
     "or stopped; interface on the LAN; address; and what is amiss. Whether they are ready only root may ask.\n"
     "\n"
     "  --json   the same as a JSON array\n"
     "\n"
     "Exit status 0; 1: they cannot be read."},
    {"ruleset", program_command_ruleset, false,
     "Usage: anchord ruleset\n"
     "\n"
     "Prints the tables ip anchord_v4 and ip6 anchord_v6, and anchord_skeleton, which keeps the namespace\n"
     "closed while they are not there, as they stand in the kernel, in nft's syntax.\n"
     "Needs CAP_NET_ADMIN in the anchor's network namespace, as docker exec gives it.\n"
     "\n"
     "Exit status 0; 1: they cannot be read; 3: none is here."},
    {"status", status_command, true,
     "Usage: anchord status [--html | --json] [--watch]\n"
     "\n"
     "Prints addresses and where they come from, gateways, exposed ports, conflicts and workers of the anchord\n"
     "that runs here. Only root may ask.\n"
     "\n"
     "  --html   one static page without script, to standard output; goes with no other option\n"
     "  --json   the same as one JSON object\n"
     "  --watch  draws again at each change and each second, until Ctrl-C\n"
     "\n"
     "Exit status 0; 1: it does not answer; 3: none runs here."},
    {"version", print_version, false, "Usage: anchord version\n\nPrints version and commit."},
    {"--version", print_version, false, NULL},
    {"wrap", program_command_wrap, true, NULL},
    {"--help", print_help, false, NULL},
    {"help", print_help, false, NULL},
};

/* Of the others it counts what they do or find, and not whether somebody reads what they say of it. */
static bool is_for_its_words(const struct command *command)
{
    return command->run != attach_command_attach && command->run != attach_command_detach &&
           command->run != status_command_healthcheck;
}

static int run_command(const struct command *command, int argc, char **argv)
{
    int status;

    if (argc == 1 && command->help && strcmp(argv[0], "--help") == 0) {
        (void)puts(command->help);
        return standard_streams_finish(command->name, EXIT_STATUS_CLEAN);
    }
    if (argc > 0 && !command->has_options) {
        (void)fprintf(stderr, "anchord %s: unknown argument %s; see anchord --help\n", command->name, argv[0]);
        return EXIT_STATUS_CONFIGURATION;
    }
    status = command->run(argc, argv);
    return is_for_its_words(command) ? standard_streams_finish(command->name, status) : status;
}

static void free_capability_name(char **name)
{
    if (*name)
        (void)cap_free(*name);
}

static struct supervisor_needs supervisor_needs(void)
{
    return (struct supervisor_needs){
        .net_admin = !configuration_is_rebinder(&configuration),
        .namespaces = configuration.role == ROLE_ATTACH_HOST,
        .dhcp_client = configuration_has_dhcp_client(&configuration),
    };
}

/* Names each capability that the container was not given, with the line to add. Returns their number. */
static size_t report_missing_capabilities(void)
{
    uint64_t missing = privileges_missing(supervisor_needs());
    size_t count = 0;

    for (cap_value_t capability = 0; capability < (cap_value_t)cap_max_bits(); capability++) {
        CLEANUP(free_capability_name) char *name = NULL;
        char line[48];

        if (!(missing & CAPABILITY_BIT(capability)))
            continue;
        count++;
        name = cap_to_name(capability);
        if (!name)
            continue;
        for (char *letter = name; *letter; letter++)
            *letter = (char)toupper((unsigned char)*letter);
        (void)snprintf(line, sizeof(line), "cap_add: [%s]", name + strlen("CAP_"));
        log_error("a capability is missing, add it to the service in Compose", LOG_PROBLEM(PROBLEM_CAPABILITY_MISSING),
                  LOG_TEXT("capability", name), LOG_TEXT("line", line));
    }
    return count;
}

static size_t report_missing_dhcp_client(void)
{
    if (!configuration_has_dhcp_client(&configuration) || dhcp_client_program())
        return 0;
    log_error("dhcpcd is not installed, and ANCHORD_ADDRESS_MODE=dhcp-refresh needs it",
              LOG_PROBLEM(PROBLEM_CONFIGURATION_INVALID), LOG_TEXT("package", "dhcpcd-base"),
              LOG_TEXT("path", "/usr/sbin/dhcpcd"));
    return 1;
}

/* Every problem of the configuration and of the surroundings, before anything is installed (SPEC §10, §11). */
static size_t report_problems(void)
{
    for (size_t i = 0; i < configuration.problem_count; i++) {
        const struct configuration_problem *problem = &configuration.problems[i];

        if (problem->is_error)
            log_error("invalid configuration", LOG_PROBLEM(PROBLEM_CONFIGURATION_INVALID),
                      LOG_TEXT("variable", problem->variable), LOG_ERROR_TEXT(problem->text));
        else
            log_warn("questionable configuration", LOG_TEXT("variable", problem->variable),
                     LOG_TEXT("reason", problem->text));
    }
    if (configuration.problems_left_out)
        log_warn("more problems in the configuration", LOG_NUMBER("count", configuration.problems_left_out));
    return configuration.error_count + report_missing_capabilities() + report_missing_dhcp_client();
}

/* By what name another client of ours would be heard; NULL: none. Under attach a name that nobody chose is this
 * machine's alone (HOST-2), and not known yet. */
static const char *twin_name(void)
{
    bool is_known = configuration.role != ROLE_ATTACH || configuration.dhcp_name_is_given;

    return is_known && configuration_has_dhcp_client(&configuration) ? configuration.dhcp_name : NULL;
}

/* SPEC §11: announcements need NET_RAW at the start; everything else works without. */
static void open_raw_sockets(struct raw_sockets *ret)
{
    int result = raw_sockets_open(twin_name(), ret);

    if (result == -EPERM)
        log_warn("nothing is announced: neighbours learn a new MAC only when theirs expires; add the capability to the "
                 "service in Compose",
                 LOG_PROBLEM(PROBLEM_NOT_ANNOUNCED), LOG_TEXT("capability", "NET_RAW"),
                 LOG_TEXT("line", "cap_add: [NET_RAW]"));
    else if (result < 0)
        log_error("cannot open the raw sockets, nothing is announced", LOG_PROBLEM(PROBLEM_NOT_ANNOUNCED),
                  LOG_ERROR(result));
}

/* Only root may, and not for long. Returns 0, or a negative errno after it was said. */
static int make_dhcp_files(int *ret_listener)
{
    const char *path = NULL;
    int result = dhcp_files_make(configuration_has_dhcp_client(&configuration), ret_listener, &path);

    if (result == -EROFS || result == -EACCES)
        log_error("no place for the DHCP client's files: add the line to the service in Compose",
                  LOG_PROBLEM(PROBLEM_NO_PLACE), LOG_TEXT("path", path), LOG_TEXT("line", "tmpfs: [/run]"),
                  LOG_ERROR(result));
    else if (result == -EEXIST)
        log_error("a directory that the DHCP client needs belongs to somebody else: another dhcpcd runs here",
                  LOG_PROBLEM(PROBLEM_NO_PLACE), LOG_TEXT("path", path));
    else if (result < 0)
        log_error("cannot make the DHCP client's files", LOG_PROBLEM(PROBLEM_NO_PLACE), LOG_TEXT("path", path),
                  LOG_ERROR(result));
    return result;
}

static int open_gate_sockets(struct gate_sockets *ret)
{
    const char *path = NULL;
    int result = gate_worker_open_sockets(&configuration, ret, &path);

    if (result == -EROFS || result == -EACCES || result == -ENOENT)
        log_error("no place for the gate's sockets, through which Docker is asked: add the line to the service in "
                  "Compose",
                  LOG_PROBLEM(PROBLEM_NO_PLACE), LOG_TEXT("path", path), LOG_TEXT("line", "tmpfs: [/run]"),
                  LOG_ERROR(result));
    else if (result < 0)
        log_error("cannot make the gate's sockets, through which Docker is asked", LOG_PROBLEM(PROBLEM_NO_PLACE),
                  LOG_TEXT("path", path), LOG_ERROR(result));
    return result;
}

static int open_meeting(int *ret_listener)
{
    const char *path = NULL;
    int result = meeting_server_listen(configuration.project, ret_listener, &path);

    if (result < 0)
        log_error("no place for the two halves to meet: in a container mount the directory from the host",
                  LOG_PROBLEM(PROBLEM_NO_PLACE), LOG_TEXT("path", path),
                  LOG_TEXT("line", "volumes: [/run/anchord-attach/PROJECT:/run/anchord-attach/PROJECT]"),
                  LOG_ERROR(result));
    return result;
}

/* SPEC §1: an argument that begins with `-` is no mode, nor anything else here. */
static void report_ignored_arguments(char **words)
{
    for (; *words; words++) {
        if ((*words)[0] == '-')
            log_warn("argument is neither a role nor a command, ignoring", LOG_TEXT("argument", *words));
    }
}

/* `words`: what stands behind the program's name, ending in NULL; `argument` is the role among them, or NULL. */
static int run_role(const char *argument, char **words)
{
    CLEANUP_FD int lease_listener = -1;
    CLEANUP_FD int meeting_listener = -1;
    CLEANUP(raw_sockets_close) struct raw_sockets raw_sockets = {-1, -1, -1};
    CLEANUP(gate_worker_close_sockets) struct gate_sockets gate_sockets = {.listeners = {-1, -1}};
    CLEANUP(bans_worker_close) struct bans_openings bans = {.listeners = {-1, -1}};
    struct identity_openings openings;
    const char *step = NULL;
    int result;

    sandbox_keep_heap_small();
    log_initialise("supervisor");
    configuration_load(argument, (const char *const *)environ, &configuration);
    log_set_level(configuration.log_level);
    report_ignored_arguments(words);
    if (report_problems() > 0)
        return EXIT_STATUS_CONFIGURATION;
    if (configuration.role == ROLE_NETWORK_ANCHOR || configuration.role == ROLE_ATTACH) {
        open_raw_sockets(&raw_sockets);
        bans_worker_open(&configuration, &bans);
    }
    if (configuration_has_dhcp(&configuration) && make_dhcp_files(&lease_listener) < 0)
        return EXIT_STATUS_CONFIGURATION;
    if (gate_worker_is_used(&configuration) && open_gate_sockets(&gate_sockets) < 0)
        return EXIT_STATUS_CONFIGURATION;
    if (configuration.role == ROLE_ATTACH_HOST && open_meeting(&meeting_listener) < 0)
        return EXIT_STATUS_CONFIGURATION;
    result = privileges_restrict_supervisor(supervisor_needs(), &step);
    if (result < 0) {
        log_error("cannot limit the supervisor", LOG_TEXT("step", step), LOG_ERROR(result));
        return EXIT_STATUS_CONFIGURATION;
    }
    if (configuration.role == ROLE_SERVICE_ANCHOR) {
        log_info("service-anchor starting", LOG_TEXT("version", ANCHORD_VERSION), LOG_TEXT("commit", ANCHORD_COMMIT));
        return service_anchor_run(&configuration);
    }
    if (configuration_is_rebinder(&configuration)) {
        log_info("rebinder starting", LOG_TEXT("role", configuration_role_to_string(configuration.role)),
                 LOG_TEXT("version", ANCHORD_VERSION), LOG_TEXT("commit", ANCHORD_COMMIT),
                 LOG_TEXT("project", configuration.project));
        return rebinder_run(&configuration, &gate_sockets);
    }
    if (configuration.role == ROLE_ATTACH_HOST) {
        log_info("attach-host starting", LOG_TEXT("version", ANCHORD_VERSION), LOG_TEXT("commit", ANCHORD_COMMIT),
                 LOG_TEXT("project", configuration.project), LOG_TEXT("parent", configuration.parent));
        return attach_host_run(&configuration, meeting_listener);
    }
    openings = (struct identity_openings){&raw_sockets, &gate_sockets, &bans, lease_listener};
    if (configuration.role == ROLE_ATTACH) {
        log_info("attach starting", LOG_TEXT("version", ANCHORD_VERSION), LOG_TEXT("commit", ANCHORD_COMMIT),
                 LOG_TEXT("project", configuration.project));
        return attach_run(&configuration, &openings);
    }
    log_info("anchord starting (network-anchor mode)", LOG_TEXT("version", ANCHORD_VERSION),
             LOG_TEXT("commit", ANCHORD_COMMIT), LOG_TEXT("project", configuration.project));
    return network_anchor_run(&configuration, &openings);
}

/* The first word from `words` on that does not begin with `-`, or NULL. */
static char **next_word(char **words)
{
    while (*words && (*words)[0] == '-')
        words++;
    return *words ? words : NULL;
}

/* The role or command whose name is most like a mistyped one, or NULL. */
static const char *nearest_word(const char *word)
{
    const char *nearest = NULL;
    size_t least = MISTYPED_LETTERS_MAX + 1;

    for (size_t i = 0; i < ROLE_MAX_ + ARRAY_LENGTH(commands); i++) {
        const char *name = i < ROLE_MAX_ ? configuration_role_to_string((enum role)i) : commands[i - ROLE_MAX_].name;
        size_t distance = text_edit_distance(word, name);

        if (distance < least && distance < strlen(name)) {
            least = distance;
            nearest = name;
        }
    }
    return nearest;
}

static void print_unknown_word(const char *word)
{
    const char *nearest = nearest_word(word);

    (void)fputs("anchord: ", stderr);
    (void)text_print_escaped(stderr, word);
    (void)fputs(" is neither a role nor a command", stderr);
    if (nearest)
        (void)fprintf(stderr, "; did you mean %s?", nearest);
    (void)fputs("\n  roles:", stderr);
    for (size_t i = 0; i < ROLE_MAX_; i++)
        (void)fprintf(stderr, " %s", configuration_role_to_string((enum role)i));
    (void)fputs("\n  commands:", stderr);
    for (size_t i = 0; i < ARRAY_LENGTH(commands); i++) {
        if (commands[i].name[0] != '-')
            (void)fprintf(stderr, " %s", commands[i].name);
    }
    (void)fputs("\n  see anchord --help\n", stderr);
}

/* A word that is no command: a role takes no arguments. What is no role either is an error like others of the
 * configuration, which are all said (SPEC §10); who typed a command hears of its name, too. */
static int run_role_of(char **words)
{
    char **word = next_word(words);
    char **unknown = word ? next_word(word + 1) : NULL;
    enum role role;

    if (unknown) {
        (void)fprintf(stderr, "anchord: unknown argument %s; see anchord --help\n", *unknown);
        return EXIT_STATUS_CONFIGURATION;
    }
    if (word && configuration_parse_role(*word, &role))
        print_unknown_word(*word);
    return run_role(word ? *word : NULL, words);
}

/* Where the units of an attached project have their sockets. Returns how many words it took, or a negative errno. */
static int take_project(int argc, char **argv)
{
    int result;

    if (argc < 2 || strcmp(argv[1], "--project") != 0)
        return 0;
    result = argc < 4 ? -EINVAL : runtime_directory_use_project(argv[2]);
    if (result < 0)
        (void)fputs("anchord: --project needs the name of an attached project, as anchord list shows it, and a command "
                    "behind it\n",
                    stderr);
    return result < 0 ? result : 2;
}

int main(int argc, char **argv)
{
    int taken;

    standard_streams_open();
    taken = take_project(argc, argv);
    if (taken < 0)
        return EXIT_STATUS_CONFIGURATION;
    argc -= taken;
    argv += taken;
    if (argc < 2)
        return run_role(NULL, argv + argc);
    for (size_t i = 0; i < ARRAY_LENGTH(commands); i++) {
        if (strcmp(argv[1], commands[i].name) == 0)
            return run_command(&commands[i], argc - 2, argv + 2);
    }
    return run_role_of(argv + 1);
}
