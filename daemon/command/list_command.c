/* `anchord list`; see attach_command.h. Runs as whoever typed it; only root may ask the attachments themselves. */
#include "common/cleanup.h"
#include "common/log.h"
#include "common/sandbox.h"
#include "common/text.h"
#include "daemon/command/attach_command.h"
#include "daemon/command/attach_request.h"
#include "daemon/command/attached_projects.h"
#include "daemon/command/attached_status.h"
#include "daemon/command/command_words.h"
#include "daemon/command/host_look.h"
#include "daemon/command/json_output.h"

#include <stdio.h>
#include <string.h>

#define WHY_SIZE      256
#define PROJECT_WIDTH 24
#define PARENT_WIDTH  15

struct entry {
    const char *project;
    const char *state; /* attached, starting, failed, stopped */
    char parent[INTERFACE_NAME_SIZE];
    char address[REQUEST_VALUE_SIZE];   /* as it is wanted */
    char addresses[REQUEST_VALUE_SIZE]; /* as it is */
    char reason[WHY_SIZE];              /* why it is not attached */
};

struct listing {
    struct host_look look;
    bool has_look;
    yajl_gen generator; /* NULL: for people */
};

static void listing_clear(struct listing *listing)
{
    host_look_release(&listing->look);
    yajl_gen_freep(&listing->generator);
}

/* --- what there is ---------------------------------------------------------------------------------------- */

static void join_unmet(const struct attached_status *status, char reason[WHY_SIZE])
{
    size_t length = 0;

    for (size_t i = 0; i < status->status.lists[STATUS_UNMET_CONDITIONS].row_count && length < WHY_SIZE; i++)
        length += (size_t)snprintf(reason + length, WHY_SIZE - length, "%s%s: false", i > 0 ? ", " : "",
                                   control_client_cell(&status->status, STATUS_UNMET_CONDITIONS, i, 0)->text);
}

static void ask_identity(uint32_t pid, struct entry *entry)
{
    CLEANUP(attached_status_clear) struct attached_status status = {0};
    int result = attached_status_read(pid, &status);

    entry->state = "starting";
    if (result < 0) {
        (void)snprintf(entry->reason, sizeof(entry->reason), "it does not answer: %s", log_errno_text(result));
        return;
    }
    if (attached_status_addresses(&status, entry->addresses, sizeof(entry->addresses)) == 0)
        text_copy_cut(entry->reason, sizeof(entry->reason), "it has no address");
    join_unmet(&status, entry->reason);
    if (status.status.is_ready && entry->addresses[0] != '\0')
        entry->state = "attached";
}

/* As its containers tell; what the file does not say stands in their environment. */
static void ask_halves(const struct listing *listing, struct entry *entry)
{
    const struct look_record *host = host_look_find_half(&listing->look, entry->project, HALF_HOST);
    const struct look_record *identity = host_look_find_half(&listing->look, entry->project, HALF_IDENTITY);
    const struct look_record *still = host && host->is_running ? identity : host;

    if (!host && !identity)
        return;
    if (!host || !identity || !host->is_running || !identity->is_running) {
        entry->state = "failed";
        (void)snprintf(entry->reason, sizeof(entry->reason), "%s does not run",
                       still ? still->name : "one of its halves");
    } else {
        ask_identity(identity->pid, entry);
    }
    if (entry->parent[0] == '\0' && host)
        attached_status_variable(host->pid, "ANCHORD_PARENT", entry->parent, sizeof(entry->parent));
    if (entry->address[0] == '\0' && identity)
        attached_status_variable(identity->pid, "ANCHORD_ADDRESS", entry->address, sizeof(entry->address));
}

static struct entry read_entry(const struct listing *listing, const char *project)
{
    struct entry entry = {.project = project, .state = attached_projects_is_running(project) ? "attached" : "stopped"};
    int result = attached_projects_read(project, "ANCHORD_ADDRESS", entry.address, sizeof(entry.address));

    (void)attached_projects_read(project, "ANCHORD_PARENT", entry.parent, sizeof(entry.parent));
    if (listing->has_look)
        ask_halves(listing, &entry);
    if (entry.address[0] == '\0' && result != -EACCES) /* what only root may read may say another one */
        text_copy_cut(entry.address, sizeof(entry.address), "dhcp");
    return entry;
}

/* --- how it is shown -------------------------------------------------------------------------------------- */

static void print_entry(const struct entry *entry)
{
    command_column(entry->project, PROJECT_WIDTH);
    (void)printf("%-9s ", entry->state);
    command_column(entry->parent[0] ? entry->parent : "-", PARENT_WIDTH);
    (void)text_print_escaped(stdout, entry->addresses[0] ? entry->addresses : entry->address[0] ? entry->address : "-");
    if (entry->reason[0] != '\0') {
        (void)fputs("  ", stdout);
        (void)text_print_escaped(stdout, entry->reason);
    }
    (void)fputc('\n', stdout);
}

static void generate_entry(yajl_gen generator, const struct entry *entry)
{
    (void)yajl_gen_map_open(generator);
    json_member(generator, "project", entry->project);
    json_member(generator, "state", entry->state);
    json_member(generator, "parent", entry->parent);
    json_member(generator, "address", entry->address);
    json_member(generator, "addresses", entry->addresses);
    json_member(generator, "reason", entry->reason);
    (void)yajl_gen_map_close(generator);
}

static void show(const char *project, void *userdata)
{
    struct listing *listing = userdata;
    struct entry entry = read_entry(listing, project);

    if (listing->generator)
        generate_entry(listing->generator, &entry);
    else
        print_entry(&entry);
}

/* Those without a file: attached by an .env beside compose/attach.yaml. */
static void show_others(struct listing *listing)
{
    for (size_t i = 0; i < listing->look.count && listing->has_look; i++) {
        const struct look_record *record = &listing->look.records[i];
        const struct look_record *first = host_look_find_half(&listing->look, record->attached, record->service);

        if (record->kind != LOOK_CONTAINER || record->attached[0] == '\0' || first != record ||
            strchr(record->attached, '/') || access(attached_projects_path(record->attached), F_OK) == 0)
            continue;
        if (strcmp(record->service, HALF_IDENTITY) != 0 &&
            host_look_find_half(&listing->look, record->attached, HALF_IDENTITY))
            continue; /* named by that one */
        show(record->attached, listing);
    }
}

static int show_all(struct listing *listing)
{
    const unsigned char *text = NULL;
    size_t length = 0;
    int result;

    if (listing->generator)
        (void)yajl_gen_array_open(listing->generator);
    result = attached_projects_each(show, listing);
    show_others(listing);
    if (!listing->generator)
        return result;
    (void)yajl_gen_array_close(listing->generator);
    if (result == 0 && yajl_gen_get_buf(listing->generator, &text, &length) == yajl_gen_status_ok)
        (void)printf("%.*s\n", (int)length, (const char *)text);
    return result;
}

int attach_command_list(int argc, char **argv)
{
    CLEANUP(listing_clear) struct listing listing = {0};
    bool as_json = argc == 1 && strcmp(argv[0], "--json") == 0;
    char why[LOOK_TEXT_SIZE + 128];
    int result;

    if (argc > 0 && !as_json)
        return command_complain("list", argv[0], "unknown argument; there are --json and --help");
    listing.generator = as_json ? yajl_gen_alloc(NULL) : NULL;
    if (as_json && !listing.generator)
        return command_complain("list", "--json", log_errno_text(-ENOMEM));
    listing.has_look = host_look_docker(&listing.look) == 0;
    if (!listing.has_look) {
        (void)snprintf(why, sizeof(why),
                       "%s, at %s: what is attached without a file in " ATTACHED_DIRECTORY " is not shown",
                       listing.look.reason, host_look_docker_host());
        (void)command_complain("list: warning", "Docker", why);
    }
    result = show_all(&listing);
    return result < 0 ? command_complain("list", ATTACHED_DIRECTORY, log_errno_text(result)) : EXIT_STATUS_CLEAN;
}
