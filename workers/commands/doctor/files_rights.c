/*
 * What a Compose file gives an anchord: capabilities, places to write, a restart policy; see files_rules.h. What each
 * role needs is that of docs/configuration.md (Capabilities); the examples in compose/ are the test. Pure, no
 * privilege.
 */
#include "common/cleanup.h"
#include "workers/commands/doctor/files_rules.h"

#include <string.h>
#include <strings.h>

enum right {
    RIGHT_NET_ADMIN = 1 << 0,
    RIGHT_SETUID = 1 << 1,
    RIGHT_SETGID = 1 << 2,
    RIGHT_SETPCAP = 1 << 3,
    RIGHT_KILL = 1 << 4,
    RIGHT_NET_RAW = 1 << 5,
    RIGHT_NET_BIND_SERVICE = 1 << 6,
    RIGHT_CHOWN = 1 << 7,
    RIGHT_SYS_ADMIN = 1 << 8,
    RIGHT_SYS_PTRACE = 1 << 9,
};

static const struct {
    const char *name;
    unsigned int right;
    bool is_dockers; /* of those that Docker gives unasked */
} rights[] = {
    {"NET_ADMIN", RIGHT_NET_ADMIN, false},
    {"SETUID", RIGHT_SETUID, true},
    {"SETGID", RIGHT_SETGID, true},
    {"SETPCAP", RIGHT_SETPCAP, true},
    {"KILL", RIGHT_KILL, true},
    {"NET_RAW", RIGHT_NET_RAW, true},
    {"NET_BIND_SERVICE", RIGHT_NET_BIND_SERVICE, true},
    {"CHOWN", RIGHT_CHOWN, true},
    {"SYS_ADMIN", RIGHT_SYS_ADMIN, false},
    {"SYS_PTRACE", RIGHT_SYS_PTRACE, false},
};

#define STARTING (RIGHT_SETUID | RIGHT_SETGID | RIGHT_SETPCAP | RIGHT_KILL) /* a process as a user of its own */
#define DHCP     (RIGHT_NET_RAW | RIGHT_NET_BIND_SERVICE | RIGHT_CHOWN)
#define IDENTITY (RIGHT_NET_ADMIN | STARTING | DHCP)

static unsigned int needed(const struct files_service *service)
{
    if (service->is_holder)
        return RIGHT_NET_ADMIN;
    switch (service->settings.role) {
    case ROLE_NETWORK_ANCHOR:
    case ROLE_ATTACH:
        return RIGHT_NET_ADMIN | STARTING | (service->settings.has_client ? DHCP : 0);
    case ROLE_SERVICE_ANCHOR:
        return RIGHT_NET_ADMIN | STARTING;
    case ROLE_ATTACH_HOST:
        return RIGHT_NET_ADMIN | RIGHT_SYS_ADMIN | RIGHT_SYS_PTRACE | STARTING;
    case ROLE_EXTERNAL_REBINDER:
    case ROLE_WRAP_REBINDER:
    case ROLE_MAX_:
    default:
        return STARTING;
    }
}

/* What it makes use of where it has it. */
static unsigned int wanted(const struct files_service *service)
{
    bool is_identity = files_is(service, ROLE_NETWORK_ANCHOR) || files_is(service, ROLE_ATTACH);

    return needed(service) | (is_identity ? IDENTITY : 0);
}

/* The lines of the examples. */
static unsigned int recommended(const struct files_service *service)
{
    return needed(service) | (wanted(service) & (RIGHT_NET_RAW | RIGHT_CHOWN));
}

static unsigned int held(const struct files_service *service)
{
    const struct json_tree_value *added = json_tree_member(service->value, "cap_add");
    const struct json_tree_value *dropped = json_tree_member(service->value, "cap_drop");
    unsigned int mask = 0;

    for (size_t i = 0; i < ARRAY_LENGTH(rights); i++) {
        bool has = rights[i].is_dockers && !files_list_has(dropped, "ALL") && !files_list_has(dropped, rights[i].name);

        if (has || files_list_has(added, "ALL") || files_list_has(added, rights[i].name) ||
            service->service->is_privileged)
            mask |= rights[i].right;
    }
    return mask;
}

static const char *names_of(struct files_model *model, unsigned int mask)
{
    const char *names = "";

    for (size_t i = 0; i < ARRAY_LENGTH(rights); i++) {
        if (mask & rights[i].right)
            names = files_text(model, "%s%s%s", names, *names ? ", " : "", rights[i].name);
    }
    return names;
}

static const char *role_name(const struct files_service *service)
{
    return service->is_holder ? "holder" : configuration_role_to_string(service->settings.role);
}

static void check_missing(struct files_model *model, const struct files_service *service)
{
    unsigned int missing = needed(service) & ~held(service);
    unsigned int useful = wanted(service) & (RIGHT_NET_RAW | RIGHT_CHOWN) & ~held(service);
    const char *remedy =
        files_text(model, "services.%s.cap_add: [%s]", service->service->name, names_of(model, recommended(service)));

    if (missing)
        files_found(model,
                    &(struct files_finding){
                        .problem = PROBLEM_FILE_CAPABILITY_MISSING,
                        .object = files_object(model, service, "cap_add"),
                        .sentence = files_text(model, "the %s lacks %s", role_name(service), names_of(model, missing)),
                        .why = "it ends at its start, naming what is missing, before it changes anything",
                        .remedy = remedy});
    else if (useful)
        files_found(model,
                    &(struct files_finding){
                        .problem = PROBLEM_FILE_CAPABILITY_USEFUL,
                        .object = files_object(model, service, "cap_add"),
                        .sentence = files_text(model, "the %s lacks %s", role_name(service), names_of(model, useful)),
                        .why = useful & RIGHT_NET_RAW
                                   ? "without NET_RAW nobody tells the neighbours on the LAN where the "
                                     "address is now: they find out after minutes"
                                   : "without CHOWN nobody can be banned; everything else works",
                        .remedy = remedy});
}

static bool is_wanted(const char *name, unsigned int mask)
{
    if (strncasecmp(name, "CAP_", strlen("CAP_")) == 0)
        name += strlen("CAP_");
    for (size_t i = 0; i < ARRAY_LENGTH(rights); i++) {
        if (strcasecmp(rights[i].name, name) == 0)
            return mask & rights[i].right;
    }
    return false;
}

static const char *surplus_of(struct files_model *model, const struct files_service *service)
{
    const struct json_tree_value *added = json_tree_member(service->value, "cap_add");
    const char *names = service->service->is_privileged ? "privileged" : "";

    for (const struct json_tree_value *each = added && added->type == JSON_TREE_ARRAY ? added->first : NULL; each;
         each = each->next) {
        if (each->type == JSON_TREE_STRING && !is_wanted(each->text, wanted(service)) && strlen(names) < 100)
            names = files_text(model, "%s%s%.40s", names, *names ? ", " : "", each->text);
    }
    return names;
}

static void check_surplus(struct files_model *model, const struct files_service *service)
{
    const char *names = surplus_of(model, service);

    if (!*names)
        return;
    files_found(model,
                &(struct files_finding){
                    .problem = PROBLEM_FILE_CAPABILITY_SURPLUS,
                    .object = files_object(model, service, service->service->is_privileged ? "privileged" : "cap_add"),
                    .sentence = files_text(model, "the %s has more rights than it uses: %s", role_name(service), names),
                    .why = "whoever breaks into one of its processes has less to win without them",
                    .remedy = files_text(model, "services.%s: {cap_drop: [ALL], cap_add: [%s]}, not privileged",
                                         service->service->name, names_of(model, recommended(service)))});
}

/* --- places to write ------------------------------------------------------------------------------------- */

static bool is_below_run(const char *path)
{
    return strcmp(path, "/run") == 0 || strncmp(path, "/run:", 5) == 0 || strcmp(path, "/run/") == 0 ||
           strcmp(path, "/run/anchord") == 0 || strncmp(path, "/run/anchord:", 13) == 0;
}

static bool has_run(struct files_model *model, const struct files_service *service)
{
    const struct json_tree_value *tmpfs = json_tree_member(service->value, "tmpfs");
    const struct json_tree_value *volumes = json_tree_member(service->value, "volumes");

    if (tmpfs && tmpfs->type == JSON_TREE_STRING && is_below_run(tmpfs->text))
        return true;
    for (const struct json_tree_value *each = tmpfs ? tmpfs->first : NULL; each; each = each->next) {
        if (each->type == JSON_TREE_STRING && is_below_run(each->text))
            return true;
    }
    for (const struct json_tree_value *each = volumes ? volumes->first : NULL; each; each = each->next) {
        const char *target = files_member_text(model, each, "target");

        if (target && is_below_run(target))
            return true;
    }
    return false;
}

static void check_places(struct files_model *model, const struct files_service *service)
{
    const char *is_read_only = files_member_text(model, service->value, "read_only");
    bool is_asking = !files_is(service, ROLE_SERVICE_ANCHOR) && !files_is(service, ROLE_ATTACH_HOST);

    if (!is_read_only || strcmp(is_read_only, "true") != 0 || has_run(model, service))
        return;
    files_found(model, &(struct files_finding){
                           .problem = is_asking ? PROBLEM_FILE_NO_RUN : PROBLEM_FILE_NO_CONTROL,
                           .object = files_object(model, service, "tmpfs"),
                           .sentence = "the root is read-only, and there is no place for sockets",
                           .why = is_asking ? "with Docker's socket mounted it ends with status 1: Docker is asked "
                                              "through a socket in /run"
                                            : "nobody can ask for its status, and its health check fails",
                           .remedy = files_text(model, "services.%s.tmpfs: [/run]", service->service->name)});
}

/* Its processes get users of their own: whom Compose has start it must be root for that. */
static void check_user(struct files_model *model, const struct files_service *service)
{
    const char *user = files_member_text(model, service->value, "user");

    if (!user || !*user || strcmp(user, "root") == 0 || *user == '0')
        return;
    files_found(model, &(struct files_finding){
                           .problem = PROBLEM_FILE_CAPABILITY_MISSING,
                           .object = files_object(model, service, "user"),
                           .sentence = files_text(model, "the %s is started as user %s, who has no capability",
                                                  role_name(service), user),
                           .why = "it ends at its start; each of its processes becomes a user of its own by itself",
                           .remedy = files_text(model, "take services.%s.user out", service->service->name)});
}

static void check_restart(struct files_model *model, const struct files_service *service)
{
    const char *restart = files_member_text(model, service->value, "restart");

    if ((restart && (strcmp(restart, "always") == 0 || strcmp(restart, "unless-stopped") == 0)) ||
        json_tree_member(json_tree_member(service->value, "deploy"), "restart_policy"))
        return;
    files_found(model,
                &(struct files_finding){
                    .problem = PROBLEM_FILE_NO_RESTART,
                    .object = files_object(model, service, "restart"),
                    .sentence = files_text(model, "nothing starts the %s again", role_name(service)),
                    .why = files_is(service, ROLE_SERVICE_ANCHOR)
                               ? "it ends with status 75 when it has lost its namespace, so as to join the new one; "
                                 "after a reboot it is not started, either"
                               : "after a reboot, or when it has ended, the project has no address",
                    .remedy = files_text(model, "services.%s.restart: unless-stopped", service->service->name)});
}

void files_rules_rights(struct files_model *model)
{
    for (const struct files_service *each = model->services; each; each = each->next) {
        if ((!each->is_anchord && !each->is_holder) || each->is_mistaken)
            continue;
        check_missing(model, each);
        check_surplus(model, each);
        if (each->is_anchord)
            check_user(model, each);
        if (each->is_anchord)
            check_places(model, each);
        check_restart(model, each);
    }
}
