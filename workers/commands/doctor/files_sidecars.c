/*
 * What stands beside network-anchors in a Compose file: service-anchors, rebinders, holders, the halves of attach; see
 * files_rules.h. Pure, no privilege.
 */
#include "common/text.h"
#include "protocol/look_records.h"
#include "protocol/managed_target.h"
#include "workers/commands/doctor/files_rules.h"

#include <string.h>

/* RFC 1035: what is longer is no label of a name. */
#define DNS_LABEL_MAX 63

static bool list_has(const struct json_tree_value *list, const char *word)
{
    for (const struct json_tree_value *each = list && list->type == JSON_TREE_ARRAY ? list->first : NULL; each;
         each = each->next) {
        if (each->type == JSON_TREE_STRING && strcmp(each->text, word) == 0)
            return true;
    }
    return false;
}

/* --- how a service-anchor finds its network-anchor -------------------------------------------------------- */

static const struct files_service *first_network_anchor(const struct files_model *model)
{
    for (const struct files_service *each = model->services; each; each = each->next) {
        if (files_is(each, ROLE_NETWORK_ANCHOR) && each->owner)
            return each;
    }
    return NULL;
}

static bool answers_to(const struct files_service *service, const char *name)
{
    if (strcmp(service->service->name, name) == 0 || strcmp(service->service->container_name, name) == 0)
        return true;
    for (const struct project_attachment *each = service->service->attachments; each; each = each->next) {
        if (list_has(json_tree_member(each->value, "aliases"), name))
            return true;
    }
    return false;
}

static bool is_anybody_called(const struct files_model *model, const char *name)
{
    for (const struct files_service *each = model->services; each; each = each->next) {
        if (answers_to(each, name))
            return true;
    }
    return false;
}

static void check_lookup(struct files_model *model, const struct files_service *service,
                         const struct files_service *anchor)
{
    const char *name = service->settings.gateway_host_name;
    const char *shared = anchor->shared ? anchor->shared->network->key : "transit";

    if (strchr(name, '.') || is_anybody_called(model, name))
        return;
    files_found(model, &(struct files_finding){
                           .problem = PROBLEM_FILE_NO_ALIAS,
                           .object = files_object(model, anchor->owner, files_text(model, "networks.%s", shared)),
                           .sentence = files_text(model, "%s looks up the name %s, and nobody has it",
                                                  service->service->name, name),
                           .why = "a service-anchor that finds no gateway lets nothing out, and stays unhealthy",
                           .remedy = files_text(model, "services.%s.networks.%s: {aliases: [%s]}",
                                                anchor->owner->service->name, shared, name)});
}

static bool is_fixed_address(struct files_model *model, const struct ip_address *wanted)
{
    static const char *const keys[] = {"ipv4_address", "ipv6_address"};

    for (const struct files_service *each = model->services; each; each = each->next) {
        if (!files_is(each, ROLE_NETWORK_ANCHOR) || !each->owner)
            continue;
        for (const struct project_attachment *at = each->owner->service->attachments; at; at = at->next) {
            for (size_t i = 0; i < 2; i++) {
                const char *text = files_member_text(model, at->value, keys[i]);
                struct ip_address address;

                if (text && ip_address_parse(text, &address) == 0 && ip_address_equal(&address, wanted))
                    return true;
            }
        }
    }
    return false;
}

/* Auxiliary gateways of a network that the file makes. */
static bool is_claimed_address(struct files_model *model, const struct ip_address *wanted)
{
    for (const struct project_network *each = model->project->networks; each; each = each->next) {
        const struct json_tree_value *list = json_tree_member(json_tree_member(each->value, "ipam"), "config");

        for (list = list ? list->first : NULL; list; list = list->next) {
            const struct json_tree_value *gateways = json_tree_member(list, "aux_addresses");
            const char *text = files_member_text(
                model, gateways, wanted->family == IP_FAMILY_4 ? "DefaultGatewayIPv4" : "DefaultGatewayIPv6");
            struct ip_address address;

            if (text && ip_address_parse(text, &address) == 0 && ip_address_equal(&address, wanted))
                return true;
        }
    }
    return false;
}

static void check_pinned(struct files_model *model, const struct files_service *service,
                         const struct files_service *anchor)
{
    for (size_t i = 0; i < 2; i++) {
        const struct ip_address *wanted = &service->settings.gateways[i];

        if (wanted->family == IP_FAMILY_NONE || is_fixed_address(model, wanted) || is_claimed_address(model, wanted))
            continue;
        files_found(model, &(struct files_finding){
                               .problem = PROBLEM_FILE_GATEWAY_PINNED,
                               .object = files_object(model, service, "environment.ANCHORD_GATEWAY_IP"),
                               .sentence = files_text(model, "%s is no fixed address of %s", IP_ADDRESS_TEXT(wanted),
                                                      anchor->service->name),
                               .why = "unless Docker happens to give it that one, nothing of this service gets out",
                               .remedy = files_text(model, "services.%s.networks.%s: {%s: \"%s\"}",
                                                    anchor->owner->service->name,
                                                    anchor->shared ? anchor->shared->network->key : "transit",
                                                    wanted->family == IP_FAMILY_4 ? "ipv4_address" : "ipv6_address",
                                                    IP_ADDRESS_TEXT(wanted))});
        return;
    }
}

static bool names_gateway(const struct files_service *service)
{
    return service->settings.gateways[0].family || service->settings.gateways[1].family;
}

static void check_service_anchor(struct files_model *model, const struct files_service *service)
{
    const struct files_service *anchor = first_network_anchor(model);
    const struct json_tree_value *check = json_tree_member(service->value, "healthcheck");
    const char *is_disabled = files_member_text(model, check, "disable");

    if (anchor && names_gateway(service))
        check_pinned(model, service, anchor);
    else if (anchor)
        check_lookup(model, service, anchor);
    if ((is_disabled && strcmp(is_disabled, "true") == 0) || list_has(json_tree_member(check, "test"), "NONE"))
        files_found(model, &(struct files_finding){
                               .problem = PROBLEM_FILE_UNWATCHED,
                               .object = files_object(model, service, "healthcheck"),
                               .sentence = "the service-anchor's health check is off",
                               .why = "nobody can wait until the way stands, and nobody is told when it does not",
                               .remedy = files_text(model,
                                                    "services.%s.healthcheck: {test: [CMD, anchord, healthcheck], "
                                                    "interval: 2s, timeout: 3s, retries: 30}",
                                                    service->service->name)});
}

/* --- who lives in a service-anchor's namespace ------------------------------------------------------------ */

static void check_guest(struct files_model *model, const struct files_service *service)
{
    const char *name = service->owner->service->name;
    const struct json_tree_value *wait = json_tree_member(json_tree_member(service->value, "depends_on"), name);
    const char *condition = files_member_text(model, wait, "condition");
    const char *restart = files_member_text(model, wait, "restart");
    bool is_early = !condition || strcmp(condition, "service_healthy") != 0;
    bool is_left = !restart || strcmp(restart, "true") != 0;

    if (!is_early && !is_left)
        return;
    files_found(model,
                &(struct files_finding){
                    .problem = PROBLEM_FILE_STARTS_EARLY,
                    .object = files_object(model, service, "depends_on"),
                    .sentence = is_early ? files_text(model, "it starts before the way of %s stands", name)
                                         : files_text(model, "it is not restarted when Compose restarts %s", name),
                    .why = is_early ? "what it sends until then gets no answer, or leaves by the host where that is "
                                      "a way out of the network"
                                    : "it would go on in a network namespace that is gone, with lo alone",
                    .remedy = files_text(model,
                                         "services.%s.depends_on: {%s: {condition: service_healthy, restart: "
                                         "true}}",
                                         service->service->name, name)});
}

/* --- rebinders ------------------------------------------------------------------------------------------- */

static const struct files_service *find_follower(const struct files_model *model, const struct files_service *rebinder)
{
    for (const struct files_service *each = model->services; each; each = each->next) {
        if (strcmp(each->service->name, rebinder->settings.follow_target) == 0 ||
            strcmp(each->service->container_name, rebinder->settings.follow_target) == 0)
            return each;
    }
    return NULL;
}

static void check_external_rebinder(struct files_model *model, const struct files_service *rebinder)
{
    const struct files_service *follower = find_follower(model, rebinder);
    const char *target = rebinder->settings.follow_target;

    if (!target[0] || (follower && follower->place == FILES_PLACE_OWN))
        return;
    files_found(model,
                &(struct files_finding){
                    .problem = follower ? PROBLEM_FILE_CANNOT_FOLLOW : PROBLEM_FILE_FOLLOWS_STRANGER,
                    .object = files_object(model, rebinder, "environment.ANCHORD_FOLLOW_TARGET"),
                    .sentence = follower ? files_text(model, "%s has no networks of its own", target)
                                         : files_text(model, "%s is no service of this file", target),
                    .why = follower
                               ? "Docker connects no container that is on the host's network, in another one's "
                                 "namespace, or on none"
                               : "with COMPOSE_PROJECT_NAME set the target is a service of the own project; without "
                                 "it a container's name, of which the file does not tell",
                    .remedy = follower ? files_text(model, "services.%s.networks in place of network_mode: %s",
                                                    follower->service->name, follower->service->network_mode)
                                       : files_text(model,
                                                    "services.%s.environment: {ANCHORD_FOLLOW_TARGET: …}, a service of "
                                                    "this project",
                                                    rebinder->service->name)});
}

static bool has_joined(const struct files_service *service)
{
    return service->place == FILES_PLACE_JOINED || service->place == FILES_PLACE_ELSEWHERE;
}

static bool has_any_joined(const struct files_model *model)
{
    for (const struct files_service *each = model->services; each; each = each->next) {
        if (has_joined(each))
            return true;
    }
    return false;
}

static void check_wrap_rebinder(struct files_model *model, const struct files_service *rebinder)
{
    if (strcmp(rebinder->settings.project, model->project->name) == 0 && !has_any_joined(model))
        files_found(model,
                    &(struct files_finding){
                        .problem = PROBLEM_FILE_REBINDS_NOBODY,
                        .object = files_object(model, rebinder, ""),
                        .sentence = "no service of this file is in another one's network namespace",
                        .why = "a wrap-rebinder repairs those of its own project, and there is none; it may create "
                               "containers, and so is root on the host",
                        .remedy = files_text(model,
                                             "take services.%s out, or put it into the project that has the "
                                             "service-anchors",
                                             rebinder->service->name)});
    for (const struct files_service *each = model->services; each; each = each->next) {
        if (strncmp(each->service->network_mode, "container:", strlen("container:")) != 0 ||
            files_label(model, each, LABEL_TARGET))
            continue;
        files_found(model,
                    &(struct files_finding){
                        .problem = PROBLEM_FILE_NO_TARGET_LABEL,
                        .object = files_object(model, each, "labels"),
                        .sentence = "no label says whose network namespace it is to be in",
                        .why = "Docker keeps an ID, and once that container was recreated nobody knows its name: the "
                               "rebinder can recreate this one only if it saw the name before",
                        .remedy = files_text(model, "services.%s.labels: {" LABEL_TARGET ": %s}", each->service->name,
                                             each->service->network_mode + strlen("container:"))});
    }
}

/* --- holders, managed service-anchors, attach ------------------------------------------------------------- */

static bool has_starter(const struct files_model *model)
{
    for (const struct files_service *each = model->services; each; each = each->next) {
        if (files_is(each, ROLE_WRAP_REBINDER) && each->settings.starts_siblings)
            return true;
    }
    return false;
}

static bool keeps_leases(struct files_model *model, const struct files_service *service)
{
    const struct json_tree_value *volumes = json_tree_member(service->value, "volumes");

    for (const struct json_tree_value *each = volumes ? volumes->first : NULL; each; each = each->next) {
        const char *target = files_member_text(model, each, "target");

        if (target && strcmp(target, "/var/lib/anchord") == 0)
            return true;
    }
    return false;
}

static void check_held(struct files_model *model, const struct files_service *anchor)
{
    if (!has_starter(model))
        files_found(model,
                    &(struct files_finding){
                        .problem = PROBLEM_FILE_NO_STARTER,
                        .object = files_object(model, anchor, "network_mode"),
                        .sentence = "nobody starts the network-anchor when Docker cannot",
                        .why = "engines before 29 leave a container that shares a namespace Exited after a reboot in "
                               "about a quarter of cases, and a recreated holder leaves it in a dead one",
                        .remedy = "a service starter, command: [wrap-rebinder], with ANCHORD_AUTOSTART_SIBLINGS: "
                                  "\"true\", as compose/example-hold.yaml has it"});
    if (anchor->settings.has_client && !keeps_leases(model, anchor))
        files_found(model,
                    &(struct files_finding){
                        .problem = PROBLEM_FILE_NO_LEASES,
                        .object = files_object(model, anchor, "volumes"),
                        .sentence = "the DHCP client's leases are not kept",
                        .why = "a network-anchor that is made anew asks as for the first time, in place of for the "
                               "address that is in use",
                        .remedy = files_text(model,
                                             "services.%s.volumes: [leases:/var/lib/anchord], and volumes: "
                                             "{leases: {}}",
                                             anchor->service->name)});
}

static void check_managed(struct files_model *model, const struct files_service *anchor)
{
    const char *selector = anchor->settings.selector;

    if (!anchor->settings.unselected_target)
        return;
    files_found(model,
                &(struct files_finding){
                    .problem = PROBLEM_FILE_MANAGED_UNSELECTED,
                    .object = files_object(model, anchor, "environment.ANCHORD_MANAGED_SA_LABELS"),
                    .sentence = files_text(model, "the label of the service-anchor for %s does not count",
                                           anchor->settings.unselected_target),
                    .why = "it belongs to no Compose project, and does not carry the labels of ANCHORD_LABEL_SELECTOR: "
                           "it is out of scope, and its ports are not exposed",
                    .remedy = files_text(model,
                                         "services.%s.environment: {ANCHORD_LABEL_SELECTOR: %s}, and that label in "
                                         "ANCHORD_MANAGED_SA_LABELS, too",
                                         anchor->service->name, *selector ? selector : "identity=…")});
}

static void check_attach(struct files_model *model, const struct files_service *half)
{
    const char *label = files_label(model, half, LOOK_LABEL_ATTACHED);

    if (label && strcmp(label, half->settings.project) == 0)
        return;
    files_found(
        model, &(struct files_finding){
                   .problem = PROBLEM_FILE_ATTACH_LABEL,
                   .object = files_object(model, half, "labels"),
                   .sentence = "no label says which project it attaches",
                   .why = "anchord list and anchord detach know the containers by it, and do not find these",
                   .remedy = files_text(model, "services.%s.labels: {" LOOK_LABEL_ATTACHED ": %s}", half->service->name,
                                        half->settings.project[0] ? half->settings.project : "PROJECT")});
}

/* --- names ----------------------------------------------------------------------------------------------- */

static void check_names(struct files_model *model, const struct files_service *service)
{
    if (strlen(service->service->name) <= DNS_LABEL_MAX)
        return;
    files_found(model, &(struct files_finding){
                           .problem = PROBLEM_FILE_NAME_TOO_LONG,
                           .object = files_text(model, "services.%.40s…", service->service->name),
                           .sentence = files_text(model, "the name has %zu characters, and DNS knows up to %d",
                                                  strlen(service->service->name), DNS_LABEL_MAX),
                           .why = "other containers cannot look it up",
                           .remedy = "a shorter name, or an alias under its networks"});
}

void files_rules_sidecars(struct files_model *model)
{
    for (const struct files_service *each = model->services; each; each = each->next) {
        check_names(model, each);
        if (files_is(each, ROLE_SERVICE_ANCHOR))
            check_service_anchor(model, each);
        else if (!each->is_anchord && each->owner && each->owner != each && files_is(each->owner, ROLE_SERVICE_ANCHOR))
            check_guest(model, each);
        if (files_is(each, ROLE_EXTERNAL_REBINDER))
            check_external_rebinder(model, each);
        if (files_is(each, ROLE_WRAP_REBINDER))
            check_wrap_rebinder(model, each);
        if (files_is(each, ROLE_NETWORK_ANCHOR) && each->owner && each->owner->is_holder)
            check_held(model, each);
        if (files_is(each, ROLE_NETWORK_ANCHOR))
            check_managed(model, each);
        if (files_is(each, ROLE_ATTACH) || files_is(each, ROLE_ATTACH_HOST))
            check_attach(model, each);
    }
}
