/*
 * Who of a Compose file asks Docker, and through what: the socket, a proxy; see files_rules.h and
 * docs/docker-access.md.
 * Pure, no privilege.
 */
#include "common/cleanup.h"
#include "common/text.h"
#include "workers/commands/doctor/files_rules.h"

#include <string.h>

#define TCP  "tcp://"
#define UNIX "unix://"

static bool asks_docker(const struct files_service *service)
{
    return files_is(service, ROLE_NETWORK_ANCHOR) || files_is(service, ROLE_ATTACH) ||
           files_is(service, ROLE_EXTERNAL_REBINDER) || files_is(service, ROLE_WRAP_REBINDER);
}

static bool asks_by_tcp(const struct files_service *service)
{
    return asks_docker(service) && strncmp(service->settings.docker_host, TCP, strlen(TCP)) == 0;
}

/* --- the socket ------------------------------------------------------------------------------------------ */

/* A mount of Docker's socket, whatever it is called inside; NULL: none. */
static const char *find_socket(struct files_model *model, const struct files_service *service)
{
    const struct json_tree_value *volumes = json_tree_member(service->value, "volumes");

    for (const struct json_tree_value *each = volumes ? volumes->first : NULL; each; each = each->next) {
        const char *source = files_member_text(model, each, "source");
        const char *slash = source ? strrchr(source, '/') : NULL;

        if (slash && strcmp(slash, "/docker.sock") == 0)
            return source;
    }
    return NULL;
}

/* Whether `path` inside the container is, or is in, something that is mounted. */
static bool is_mounted(struct files_model *model, const struct files_service *service, const char *path)
{
    const struct json_tree_value *volumes = json_tree_member(service->value, "volumes");

    for (const struct json_tree_value *each = volumes ? volumes->first : NULL; each; each = each->next) {
        const char *target = files_member_text(model, each, "target");
        size_t length = target ? strlen(target) : 0;

        if (length > 0 && strncmp(target, path, length) == 0 && (path[length] == '\0' || path[length] == '/'))
            return true;
    }
    return false;
}

static bool reaches_by_socket(struct files_model *model, const struct files_service *service)
{
    const char *path = service->settings.docker_host;

    if (!text_skip(&path, UNIX))
        path = "/var/run/docker.sock";
    /* /var/run is a link to /run in the image */
    return is_mounted(model, service, path) ||
           (text_skip(&path, "/var") && strncmp(path, "/run/", 5) == 0 && is_mounted(model, service, path));
}

static void check_reach(struct files_model *model, const struct files_service *service)
{
    if (asks_by_tcp(service) || reaches_by_socket(model, service))
        return;
    files_found(model,
                &(struct files_finding){
                    .problem = PROBLEM_FILE_NO_SOCKET,
                    .object = files_object(model, service, "volumes"),
                    .sentence = "it asks Docker, and has no way to it",
                    .why = "neither is Docker's socket mounted where DOCKER_HOST says, nor does that name a proxy: "
                           "nothing is exposed",
                    .remedy = files_text(model, "services.%s.volumes: [/var/run/docker.sock:/var/run/docker.sock]",
                                         service->service->name)});
}

static void check_needless(struct files_model *model, const struct files_service *service)
{
    bool is_proxied = asks_by_tcp(service);

    if (!find_socket(model, service))
        return;
    files_found(
        model, &(struct files_finding){
                   .problem = PROBLEM_FILE_SOCKET_SURPLUS,
                   .object = files_object(model, service, "volumes"),
                   .sentence = is_proxied ? "Docker's socket is mounted, and DOCKER_HOST names a proxy"
                                          : "Docker's socket is mounted, and this role asks Docker nothing",
                   .why = "whoever can connect to it is root on the host, read-only mount or not",
                   .remedy = files_text(model, "take docker.sock out of services.%s.volumes", service->service->name)});
}

static bool is_proxy(struct files_model *model, const struct files_service *service)
{
    const char *image = files_member_text(model, service->value, "image");

    return image && strstr(image, "socket-proxy") != NULL;
}

static void check_application(struct files_model *model, const struct files_service *service)
{
    if (!find_socket(model, service) || is_proxy(model, service) || !files_label(model, service, "anchord.expose") ||
        !files_anchor_of(model, service))
        return;
    files_found(model, &(struct files_finding){
                           .problem = PROBLEM_FILE_SOCKET_EXPOSED,
                           .object = files_object(model, service, "volumes"),
                           .sentence = "the LAN reaches this service, and it has Docker's socket",
                           .why = "whoever breaks into it is root on the host: a read-only mount of a socket forbids "
                                  "nothing; the program may need it, which the file does not tell",
                           .remedy = files_text(model,
                                                "take docker.sock out of services.%s.volumes, or a proxy with exact "
                                                "paths before it (docs/docker-access.md)",
                                                service->service->name)});
}

/* --- a proxy with switches ------------------------------------------------------------------------------- */

/* tecnativa/docker-socket-proxy and its like: sections are open by variables. */
static bool has_switches(struct files_model *model, const struct files_service *service)
{
    const char *image = files_member_text(model, service->value, "image");

    return is_proxy(model, service) && (strstr(image, "tecnativa/") || strstr(image, "linuxserver/"));
}

static bool is_open(struct files_model *model, const struct files_service *proxy, const char *name, bool by_default)
{
    const char *text = files_member_text(model, json_tree_member(proxy->value, "environment"), name);

    return text ? strcmp(text, "1") == 0 || strcmp(text, "true") == 0 : by_default;
}

static bool writes_docker(const struct files_service *service)
{
    return files_is(service, ROLE_EXTERNAL_REBINDER) || files_is(service, ROLE_WRAP_REBINDER) ||
           service->settings.managed_count > 0;
}

static void tell_closed(struct files_model *model, const struct files_service *proxy, const char *name,
                        const struct files_service *service)
{
    files_found(
        model,
        &(struct files_finding){
            .problem = PROBLEM_FILE_PROXY_FORBIDS,
            .object = files_object(model, proxy, files_text(model, "environment.%s", name)),
            .sentence = files_text(model, "the proxy forbids what %s asks: %s is not 1", service->service->name, name),
            .why = "each such question is answered 403, and tried again",
            .remedy = files_text(model, "services.%s.environment: {%s: 1}", proxy->service->name, name)});
}

static void check_switches(struct files_model *model, const struct files_service *proxy,
                           const struct files_service *service)
{
    if (!is_open(model, proxy, "CONTAINERS", false))
        tell_closed(model, proxy, "CONTAINERS", service);
    if (!files_is(service, ROLE_WRAP_REBINDER) && !is_open(model, proxy, "NETWORKS", false))
        tell_closed(model, proxy, "NETWORKS", service);
    if (!is_open(model, proxy, "EVENTS", true))
        tell_closed(model, proxy, "EVENTS", service);
    if (!is_open(model, proxy, "VERSION", true))
        tell_closed(model, proxy, "VERSION", service);
    if (writes_docker(service) && !is_open(model, proxy, "POST", false))
        tell_closed(model, proxy, "POST", service);
}

/* The service of the file that DOCKER_HOST=tcp://NAME:port means. */
static struct files_service *find_proxy(struct files_model *model, const struct files_service *service)
{
    const char *name = service->settings.docker_host;

    if (!asks_by_tcp(service))
        return NULL;
    (void)text_skip(&name, TCP);
    for (struct files_service *each = model->services; each; each = each->next) {
        size_t length = strlen(each->service->name);

        if (strncmp(each->service->name, name, length) == 0 && (name[length] == ':' || name[length] == '\0'))
            return each;
    }
    return NULL;
}

static bool shares_network(const struct files_service *a, const struct files_service *b)
{
    for (const struct project_attachment *each = a->owner->service->attachments; each; each = each->next) {
        if (files_attachment(b, each->network))
            return true;
    }
    return false;
}

static void check_proxy_of(struct files_model *model, const struct files_service *service)
{
    const struct files_service *proxy = find_proxy(model, service);

    if (!proxy)
        return;
    if (service->owner && proxy->owner && !shares_network(service, proxy))
        files_found(model,
                    &(struct files_finding){
                        .problem = PROBLEM_FILE_NO_SOCKET,
                        .object = files_object(model, service->owner, "networks"),
                        .sentence = files_text(model, "it asks Docker through %s, and shares no network with that",
                                               proxy->service->name),
                        .why = "the name does not resolve: Docker is never reached, and nothing is exposed",
                        .remedy = files_text(model,
                                             "services.%s.networks and services.%s.networks: add control; "
                                             "networks.control: {internal: true}",
                                             service->owner->service->name, proxy->service->name)});
    if (has_switches(model, proxy))
        check_switches(model, proxy, service);
}

/* --- what the proxy opens -------------------------------------------------------------------------------- */

/* A network-anchor starts those that wait for the namespace of another container. */
static bool has_waiting(const struct files_model *model)
{
    for (const struct files_service *each = model->services; each; each = each->next) {
        if (each->place == FILES_PLACE_JOINED || each->place == FILES_PLACE_ELSEWHERE)
            return true;
    }
    return false;
}

static bool has_writing_client(struct files_model *model, const struct files_service *proxy)
{
    for (const struct files_service *each = model->services; each; each = each->next) {
        if (find_proxy(model, each) == proxy &&
            (writes_docker(each) || (each->settings.starts_siblings && has_waiting(model))))
            return true;
    }
    return false;
}

static bool has_client(struct files_model *model, const struct files_service *proxy)
{
    for (const struct files_service *each = model->services; each; each = each->next) {
        if (find_proxy(model, each) == proxy)
            return true;
    }
    return false;
}

static void check_wide(struct files_model *model, const struct files_service *proxy)
{
    static const char *const sections[] = {"POST",   "EXEC",    "AUTH",    "BUILD",   "COMMIT", "CONFIGS",
                                           "IMAGES", "PLUGINS", "SECRETS", "SESSION", "SWARM",  "VOLUMES"};

    for (size_t i = 0; i < ARRAY_LENGTH(sections); i++) {
        if (!is_open(model, proxy, sections[i], false) || (i == 0 && has_writing_client(model, proxy)))
            continue;
        files_found(
            model,
            &(struct files_finding){
                .problem = PROBLEM_FILE_PROXY_WIDE,
                .object = files_object(model, proxy, files_text(model, "environment.%s", sections[i])),
                .sentence =
                    files_text(model, "the proxy opens %s, which no anchord of this file asks for", sections[i]),
                .why = i == 0 ? "whoever may create containers is root on the host; a client that the file does "
                                "not show may need it"
                              : "a client that the file does not show may need it; anchord does not",
                .remedy = files_text(model, "services.%s.environment: {%s: 0}", proxy->service->name, sections[i])});
    }
}

static void check_proxy(struct files_model *model, const struct files_service *proxy)
{
    const char *image = files_member_text(model, proxy->value, "image");
    const char *slash = strrchr(image, '/');
    const char *tag = strpbrk(slash ? slash : image, ":@");
    bool is_published = false;

    for (size_t i = 0; i < proxy->service->port_count; i++)
        is_published |= strncmp(proxy->service->ports[i].host_ip, "127.", 4) != 0;
    if (is_published || files_label(model, proxy, "anchord.expose"))
        files_found(model,
                    &(struct files_finding){
                        .problem = PROBLEM_FILE_PROXY_OPEN,
                        .object = files_object(model, proxy, is_published ? "ports" : "labels.anchord.expose"),
                        .sentence = "the proxy before Docker's socket is open to the LAN",
                        .why =
                            "everybody there can ask Docker what the proxy lets through: with CONTAINERS=1 every file "
                            "that any container of the host can read",
                        .remedy = files_text(model, "take %s out of services.%s", is_published ? "ports:" : "the label",
                                             proxy->service->name)});
    if (!tag || strcmp(tag, ":latest") == 0)
        files_found(model,
                    &(struct files_finding){
                        .problem = PROBLEM_FILE_UNPINNED,
                        .object = files_object(model, proxy, "image"),
                        .sentence = "the image that holds Docker's socket has no version",
                        .why = "it is root on the host, and what it is tomorrow is decided by whoever publishes it",
                        .remedy = files_text(model,
                                             "services.%s.image: with a version, or better its digest "
                                             "(@sha256:…)",
                                             proxy->service->name)});
    if (has_switches(model, proxy))
        check_wide(model, proxy);
}

void files_rules_docker(struct files_model *model)
{
    for (const struct files_service *each = model->services; each; each = each->next) {
        if (asks_docker(each)) {
            check_reach(model, each);
            check_proxy_of(model, each);
        }
        if ((each->is_anchord && !asks_docker(each)) || each->is_holder || asks_by_tcp(each))
            check_needless(model, each);
        if (!each->is_anchord && !each->is_holder)
            check_application(model, each);
        if (is_proxy(model, each) && has_client(model, each))
            check_proxy(model, each);
    }
}
