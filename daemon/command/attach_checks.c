/* Looks before it leaps; see attach_checks.h. Runs as whoever typed the command. */
#include "daemon/command/attach_checks.h"

#include "common/cleanup.h"
#include "common/text.h"
#include "daemon/command/attached_projects.h"
#include "daemon/command/attached_routes.h"
#include "daemon/command/command_words.h"
#include "daemon/command/host_look.h"
#include "daemon/command/parent_check.h"
#include "daemon/configuration/configuration_load.h"

#include <stdio.h>
#include <string.h>

#define WHY_SIZE 512

static struct configuration identity, host; /* big, and needed to the end */

/* What the other role's variables are called is no problem here. */
static size_t report_problems(const struct configuration *configuration)
{
    size_t errors = 0;

    for (size_t i = 0; i < configuration->problem_count; i++) {
        const struct configuration_problem *problem = &configuration->problems[i];

        if (!problem->is_error && strstr(problem->text, "does not concern the role"))
            continue;
        errors += problem->is_error ? 1 : 0;
        (void)command_complain(problem->is_error ? "attach" : "attach: warning", attach_request_name(problem->variable),
                               problem->text);
    }
    return errors;
}

size_t attach_checks_given(const struct configuration *configuration, struct ip_subnet ret[2])
{
    const struct ip_subnet *const given[] = {&configuration->attach_address.given4,
                                             &configuration->attach_address.given6};
    size_t count = 0;

    for (size_t i = 0; i < ARRAY_LENGTH(given); i++) {
        if (given[i]->address.family != IP_FAMILY_NONE)
            ret[count++] = *given[i];
    }
    return count;
}

/* --- Docker ----------------------------------------------------------------------------------------------- */

static bool is_project(const struct look_record *record)
{
    return record->kind == LOOK_CONTAINER && record->project[0] != '\0' && record->attached[0] == '\0';
}

static bool is_first_of_project(const struct host_look *look, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (is_project(&look->records[i]) && strcmp(look->records[i].project, look->records[index].project) == 0)
            return false;
    }
    return true;
}

/* With the names of those that there are, for a person who has mistyped one. */
static void name_projects(const struct host_look *look, char why[WHY_SIZE])
{
    size_t length = (size_t)snprintf(why, WHY_SIZE, "Docker has no container of a Compose project of that name");
    size_t count = 0;

    for (size_t i = 0; i < look->count && length < WHY_SIZE; i++) {
        if (is_project(&look->records[i]) && is_first_of_project(look, i))
            length += (size_t)snprintf(why + length, WHY_SIZE - length, "%s%s", count++ == 0 ? "; there are " : " ",
                                       look->records[i].project);
    }
    if (count == 0)
        (void)snprintf(why + length, WHY_SIZE - length, ", nor of any other");
}

/* Before anything is started: with another engine the halves never get ready. */
static size_t check_engine(const struct host_look *look)
{
    char why[WHY_SIZE];

    for (size_t i = 0; i < look->count; i++) {
        if (look->records[i].kind != LOOK_ENGINE)
            continue;
        (void)snprintf(why, sizeof(why),
                       "attach needs Docker Engine, this is %s: give the project a network-anchor, as docs/engines.md "
                       "says for Podman",
                       look->records[i].name);
        (void)command_complain("attach", "Docker", why);
        return 1;
    }
    return 0;
}

static size_t check_project(const struct host_look *look, struct attach_plan *plan)
{
    char why[WHY_SIZE];

    for (size_t i = 0; i < look->count; i++) {
        if (!is_project(&look->records[i]) || strcmp(look->records[i].project, identity.project) != 0)
            continue;
        plan->container_count++;
        plan->running_count += look->records[i].is_running;
    }
    if (plan->container_count > 0)
        return 0;
    name_projects(look, why);
    (void)command_complain("attach", identity.project, why);
    return 1;
}

static size_t check_attached(const struct host_look *look)
{
    const struct look_record *half = host_look_find_half(look, identity.project, HALF_HOST);
    const struct look_record *other = host_look_find_half(look, identity.project, HALF_IDENTITY);

    if (!attached_projects_is_running(identity.project) && !(half && half->is_running) && !(other && other->is_running))
        return 0;
    (void)command_complain("attach", identity.project, "is attached already; see anchord list, anchord detach");
    return 1;
}

/* Who may not ask may look at the rest. Returns what is wrong. */
static size_t complain_of_docker(const struct host_look *look, int error, bool is_dry_run)
{
    char why[WHY_SIZE];

    if (is_dry_run && (error == -EACCES || error == -EPERM)) {
        (void)command_complain("attach: warning", "Docker",
                               "may not be asked by you: nobody knows whether there is such a "
                               "project; ask as root");
        return 0;
    }
    (void)snprintf(why, sizeof(why), "%s, at %s; does it run? Else say in DOCKER_HOST where its socket is",
                   look->reason, host_look_docker_host());
    (void)command_complain("attach", "Docker", why);
    return 1;
}

/* --- addresses -------------------------------------------------------------------------------------------- */

struct search {
    const struct ip_address *wanted;
    char owner[NAME_SIZE];
};

/* A word of ANCHORD_ADDRESS: an address with its prefix length, or how one is got. */
static bool is_address(const char *word, size_t length, const struct ip_address *wanted)
{
    char text[IP_SUBNET_TEXT_SIZE];
    struct ip_subnet subnet;

    if (length >= sizeof(text))
        return false;
    (void)snprintf(text, sizeof(text), "%.*s", (int)length, word);
    return ip_subnet_parse(text, &subnet) == 0 && ip_address_equal(&subnet.address, wanted);
}

static void compare_file(const char *project, void *userdata)
{
    struct search *search = userdata;
    char text[REQUEST_VALUE_SIZE];

    if (strcmp(project, identity.project) == 0)
        return;
    (void)attached_projects_read(project, "ANCHORD_ADDRESS", text, sizeof(text));
    for (const char *word = text; *word; word += strspn(word, "," TEXT_BLANKS)) {
        size_t length = strcspn(word, "," TEXT_BLANKS);

        if (is_address(word, length, search->wanted))
            text_copy_cut(search->owner, sizeof(search->owner), project);
        word += length;
    }
}

static const char *container_with(const struct host_look *look, const struct ip_address *wanted)
{
    for (size_t i = 0; i < look->count; i++) {
        const struct look_record *record = &look->records[i];
        struct ip_address address4 = wire_address_to(&record->address4);
        struct ip_address address6 = wire_address_to(&record->address6);

        if (record->kind == LOOK_ENDPOINT &&
            (ip_address_equal(&address4, wanted) || ip_address_equal(&address6, wanted)))
            return record->name;
    }
    return NULL;
}

/* What this host knows, without a question to anybody. */
static bool is_taken_here(const struct host_look *look, const struct ip_address *address, char why[WHY_SIZE])
{
    const char *text = IP_ADDRESS_TEXT(address);
    struct search search = {.wanted = address};
    const char *container = container_with(look, address);
    char project[NAME_SIZE];

    /* A directory that cannot be read has no file that could be in the way. */
    if (attached_projects_each(compare_file, &search) == 0 && search.owner[0] != '\0') {
        (void)snprintf(why, WHY_SIZE, "%s: is the address of %s, says %s: choose another one, or anchord detach %s",
                       text, search.owner, attached_projects_path(search.owner), search.owner);
        return true;
    }
    if (attached_routes_find(address, project) && strcmp(project, identity.project) != 0) {
        (void)snprintf(why, WHY_SIZE, "%s: is the address of %s, which is attached: choose another one", text, project);
        return true;
    }
    if (container) {
        (void)snprintf(why, WHY_SIZE, "%s: is the address of the container %s: choose another one", text, container);
        return true;
    }
    return false;
}

static size_t complain_of_holders(const struct host_look *lan)
{
    char why[WHY_SIZE];

    for (size_t i = 0; i < lan->count; i++) {
        const struct look_record *record = &lan->records[i];
        struct ip_address address = wire_address_to(record->address4.family ? &record->address4 : &record->address6);
        bool is_named = !mac_address_is_zero(&record->mac);

        (void)snprintf(why, sizeof(why), "%s: somebody on the LAN has it: %s; choose a free one",
                       IP_ADDRESS_TEXT(&address),
                       is_named ? MAC_ADDRESS_TEXT(&record->mac) : "who did not say his MAC address");
        (void)command_complain("attach", "--address", why);
    }
    return lan->count;
}

static size_t ask_lan(const struct ip_subnet *given, size_t count, bool is_dry_run, struct attach_plan *plan)
{
    CLEANUP(host_look_release) struct host_look lan = {0};
    struct ip_address addresses[2];
    char why[WHY_SIZE];
    int result;

    for (size_t i = 0; i < count; i++)
        addresses[i] = given[i].address;
    result = host_look_lan(host.parent, addresses, count, &lan);
    plan->is_lan_asked = result == 0;
    if (result == 0)
        return complain_of_holders(&lan);
    if (is_dry_run && result == -EPERM) {
        (void)command_complain("attach: warning", "--address", "whether somebody has it only root may ask the LAN");
        return 0;
    }
    (void)snprintf(why, sizeof(why), "the LAN cannot be asked for it: %s", lan.reason);
    (void)command_complain("attach", "--parent", why);
    return 1;
}

static size_t check_addresses(const struct host_look *look, bool is_started, bool is_dry_run, struct attach_plan *plan)
{
    struct ip_subnet given[2];
    size_t count = attach_checks_given(&identity, given);
    size_t errors = 0;

    for (size_t i = 0; i < count; i++) {
        char problem[PARENT_PROBLEM_SIZE], why[WHY_SIZE];

        if (!parent_check_address(host.parent, &given[i], problem))
            (void)command_complain("attach", "--address", problem);
        else if (is_taken_here(look, &given[i].address, why))
            (void)command_complain("attach", "--address", why);
        else
            continue;
        errors++;
    }
    return errors == 0 && is_started && count > 0 ? ask_lan(given, count, is_dry_run, plan) : errors;
}

static size_t check_via_host(void)
{
    char problem[PARENT_PROBLEM_SIZE];
    size_t errors = 0;

    for (size_t i = 0; i < VIA_HOST_MAX && identity.via_host[i].address.family != IP_FAMILY_NONE; i++) {
        if (parent_check_behind(host.parent, &identity.via_host[i], problem))
            continue;
        (void)command_complain("attach", attach_request_name("ANCHORD_VIA_HOST"), problem);
        errors++;
    }
    return errors;
}

/* --- everything ------------------------------------------------------------------------------------------- */

static size_t check_values(const struct attach_request *request)
{
    size_t errors;

    configuration_load("attach", request->environment, &identity);
    configuration_load("attach-host", request->environment, &host);
    errors = report_problems(&identity);
    return errors > 0 ? errors : report_problems(&host); /* else the project's name would be complained of twice */
}

size_t attach_checks_run(const struct attach_request *request, bool is_started, struct attach_plan *ret)
{
    CLEANUP(host_look_release) struct host_look look = {0};
    char problem[PARENT_PROBLEM_SIZE];
    size_t errors = check_values(request);
    int result;

    *ret = (struct attach_plan){.identity = &identity, .host = &host};
    if (errors > 0)
        return errors;
    result = is_started ? host_look_docker(&look) : 0;
    if (result < 0)
        errors += complain_of_docker(&look, result, request->is_dry_run);
    else if (check_engine(&look) > 0)
        return errors + 1;
    else if (is_started)
        errors += check_project(&look, ret);
    errors += check_attached(&look);
    if (!parent_check_interface(host.parent, problem)) {
        (void)command_complain("attach", "--parent", problem);
        return errors + 1;
    }
    errors += check_via_host();
    return errors + check_addresses(&look, is_started, request->is_dry_run, ret);
}
