/* What the labels of a Compose file say, and whether it can come true; see files_rules.h. Pure, no privilege. */
#include "common/text.h"
#include "protocol/expose_label.h"
#include "protocol/guest_label.h"
#include "protocol/managed_target.h"
#include "workers/commands/doctor/files_rules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "anchord."

static const char *const known_labels[] = {
    "anchord.expose", "anchord.expose.v6", "anchord.expose.when", "anchord.allow",  "anchord.limit",
    LABEL_TARGET,     LABEL_MANAGED_BY,    "anchord.replaces",    "anchord.attach",
};

/* A range of ports that a service exposes. */
struct claim {
    const struct files_service *service;
    const struct files_service *anchor;
    struct expose_range range;
    struct claim *next;
};

static const char *label_object(struct files_model *model, const struct files_service *service, const char *label)
{
    return files_object(model, service, files_text(model, "labels.%s", label));
}

static const char *protocol_name(uint8_t protocol)
{
    return protocol == 6 ? "tcp" : "udp";
}

static const char *port_text(struct files_model *model, const struct expose_range *range)
{
    if (range->port_first == range->port_last)
        return files_text(model, "%s/%u", protocol_name(range->protocol), range->port_first);
    return files_text(model, "%s/%u-%u", protocol_name(range->protocol), range->port_first, range->port_last);
}

/* --- the grammar ----------------------------------------------------------------------------------------- */

static void tell_invalid(struct files_model *model, const struct files_service *service, const char *label,
                         const char *value, size_t position, const char *reason)
{
    const char *place = position ? files_text(model, "position %zu: ", position) : "";

    files_found(model,
                &(struct files_finding){
                    .problem = PROBLEM_LABEL_INVALID,
                    .object = label_object(model, service, label),
                    .sentence = files_text(model, "the label is not valid: %s%s", place, reason),
                    .why = files_text(model, "it says \"%.100s\"; none of the service's ports is exposed then", value),
                    .remedy = files_text(model,
                                         "%s under services.%s.labels, as docs/configuration.md (Labels) has "
                                         "it: tcp/443:8443, udp/10000-20000",
                                         label, service->service->name)});
}

static bool check_word(struct files_model *model, const struct files_service *service, const char *label,
                       int (*parse)(const char *), const char *reason)
{
    const char *value = files_label(model, service, label);

    if (!value || parse(value) >= 0)
        return true;
    tell_invalid(model, service, label, value, 0, reason);
    return false;
}

static bool read_guests(struct files_model *model, const struct files_service *service, const char *label,
                        enum guest_text which, struct guest_list *list)
{
    const char *value = files_label(model, service, label);
    struct guest_error error;
    int result = value ? guest_label_parse(value, which, NULL, list, &error) : 0;

    if (result == -EINVAL)
        tell_invalid(model, service, label, value, error.position, error.reason);
    model->is_out_of_memory |= result == -ENOMEM;
    return result == 0;
}

static int read_expose(struct files_model *model, const struct files_service *service, struct expose_range **ret)
{
    const char *value = files_label(model, service, "anchord.expose");
    struct expose_error error;
    int count = value ? expose_label_parse(value, ret, &error) : 0;

    if (count == -EINVAL)
        tell_invalid(model, service, "anchord.expose", value, error.position, error.reason);
    model->is_out_of_memory |= count == -ENOMEM;
    return count;
}

/* --- names ----------------------------------------------------------------------------------------------- */

static bool is_known(const char *label)
{
    for (size_t i = 0; i < sizeof(known_labels) / sizeof(known_labels[0]); i++) {
        if (strcmp(known_labels[i], label) == 0)
            return true;
    }
    return false;
}

static const char *nearest_label(const char *label)
{
    const char *nearest = NULL;
    size_t nearest_distance = TEXT_MISSPELT_LETTERS_MAX + 1;

    for (size_t i = 0; i < sizeof(known_labels) / sizeof(known_labels[0]); i++) {
        size_t distance = text_edit_distance(label, known_labels[i]);

        if (distance < nearest_distance) {
            nearest_distance = distance;
            nearest = known_labels[i];
        }
    }
    return nearest;
}

static void check_names(struct files_model *model, const struct files_service *service)
{
    for (const struct json_tree_value *each = service->labels ? service->labels->first : NULL; each;
         each = each->next) {
        const char *nearest = nearest_label(each->key);

        if ((strncmp(each->key, PREFIX, strlen(PREFIX)) != 0 && !(nearest && text_is_slip_of(each->key, nearest))) ||
            is_known(each->key))
            continue;
        files_found(model, &(struct files_finding){
                               .problem = PROBLEM_LABEL_UNKNOWN,
                               .object = label_object(model, service, each->key),
                               .sentence = files_text(model, "the label %s is none of anchord's", each->key),
                               .why = "what it was to say is not done",
                               .remedy = nearest ? files_text(model, "write %s in place of %s under services.%s.labels",
                                                              nearest, each->key, service->service->name)
                                                 : files_text(model, "take %s out of services.%s.labels", each->key,
                                                              service->service->name)});
    }
}

/* --- health ---------------------------------------------------------------------------------------------- */

static bool is_without_health_check(struct files_model *model, const struct files_service *service)
{
    const struct json_tree_value *check = json_tree_member(service->value, "healthcheck");
    const char *is_disabled = files_member_text(model, check, "disable");
    const struct json_tree_value *test = json_tree_member(check, "test");

    if (!check || (is_disabled && strcmp(is_disabled, "true") == 0))
        return true;
    return test && test->type == JSON_TREE_ARRAY && test->first && strcmp(test->first->text, "NONE") == 0;
}

static void check_health(struct files_model *model, const struct files_service *service)
{
    const char *value = files_label(model, service, "anchord.expose.when");
    bool is_named = json_tree_member(service->value, "healthcheck") != NULL;

    if (!value || expose_when_label_parse(value) != 1 || !is_without_health_check(model, service))
        return;
    files_found(
        model, &(struct files_finding){
                   .problem = is_named ? PROBLEM_NO_HEALTH_CHECK : PROBLEM_FILE_HEALTH_BY_IMAGE,
                   .object = label_object(model, service, "anchord.expose.when"),
                   .sentence = is_named ? "the ports wait for the container's health, and its health check is off"
                                        : "the ports wait for the container's health, and the file has no health check",
                   .why = is_named ? "the ports are never exposed"
                                   : "unless the image has one, the ports are never exposed; the file does not tell",
                   .remedy = files_text(model,
                                        "services.%s.healthcheck: {test: [CMD, …], interval: 10s}, or take "
                                        "anchord.expose.when out of its labels",
                                        service->service->name)});
}

/* --- can it be exposed? ---------------------------------------------------------------------------------- */

static void tell_never(struct files_model *model, const struct files_service *service, const char *sentence,
                       const char *why)
{
    files_found(
        model, &(struct files_finding){.problem = PROBLEM_FILE_NEVER_EXPOSED,
                                       .object = files_object(model, service, "network_mode"),
                                       .sentence = sentence,
                                       .why = why,
                                       .remedy = files_text(model,
                                                            "services.%s: `networks: [transit]` (the network that the "
                                                            "network-anchor is on, too) in place of `network_mode: %s`",
                                                            service->service->name, service->service->network_mode)});
}

static void tell_not_on(struct files_model *model, const struct files_service *service,
                        const struct files_service *anchor)
{
    const struct project_network *shared = anchor->shared->network;

    files_found(
        model,
        &(struct files_finding){
            .problem = PROBLEM_NO_ADDRESS,
            .object = files_object(model, service->owner, "networks"),
            .sentence = files_text(model, "%s has a label, and is not on %s, where %s reaches containers",
                                   service->service->name, shared->key, anchor->service->name),
            .why = "a port leads to the container's address on that network, and there is none",
            .remedy = files_text(model, "add %s to services.%s.networks", shared->key, service->owner->service->name)});
}

static void check_place(struct files_model *model, const struct files_service *service,
                        const struct files_service *anchor)
{
    if (service->place == FILES_PLACE_HOST)
        tell_never(model, service, "a service on the host's network has a label, and is never exposed",
                   "it has no address of its own that a port could lead to");
    else if (service->place == FILES_PLACE_NONE)
        tell_never(model, service, "a service without a network has a label, and is never exposed",
                   "it has no address that a port could lead to");
    else if (service->place == FILES_PLACE_BRIDGE)
        tell_never(model, service, "a service on Docker's default bridge has a label, and is not exposed",
                   "the network-anchor reaches containers on the network that both are on, and it is not on that one");
    else if (service->owner && service->owner == anchor->owner)
        tell_never(model, service, "a service in the network-anchor's own namespace has a label, and is never exposed",
                   "ports lead to containers, never to the network-anchor's own addresses");
    else if (service->owner && anchor->shared && !files_attachment(service, anchor->shared->network))
        tell_not_on(model, service, anchor);
}

static void check_replicas(struct files_model *model, const struct files_service *service)
{
    if (service->service->replicas < 2)
        return;
    files_found(model,
                &(struct files_finding){
                    .problem = PROBLEM_FILE_REPLICAS,
                    .object = files_object(model, service, "deploy.replicas"),
                    .sentence = files_text(model, "%lld containers have one label, and one of them gets the ports",
                                           (long long)service->service->replicas),
                    .why = "a port leads to one container: the oldest has it, the others are refused until it goes",
                    .remedy = files_text(model,
                                         "services.%s: one container, or a load balancer before them that has "
                                         "the label",
                                         service->service->name)});
}

/* --- ports twice, lists in vain -------------------------------------------------------------------------- */

static bool overlaps(const struct expose_range *a, const struct expose_range *b)
{
    return a->protocol == b->protocol && a->port_first <= b->port_last && b->port_first <= a->port_last;
}

static void tell_conflict(struct files_model *model, const struct claim *first, const struct claim *second)
{
    bool is_by_profile = first->service->service->has_profiles || second->service->service->has_profiles;

    files_found(model, &(struct files_finding){
                           .problem = is_by_profile ? PROBLEM_FILE_PORT_BY_PROFILE : PROBLEM_PORT_CONFLICT,
                           .object = label_object(model, second->service, "anchord.expose"),
                           .sentence = files_text(model, "%s is exposed by %s, too", port_text(model, &second->range),
                                                  first->service->service->name),
                           .why = is_by_profile ? "if both run, the older container has the port, and the other is "
                                                  "refused until that goes"
                                                : "the container that is older has the port, and the other is refused "
                                                  "until that goes",
                           .remedy = files_text(model,
                                                "take the port out of the label of one of the two, services.%s or "
                                                "services.%s",
                                                first->service->service->name, second->service->service->name)});
}

#define CLAIMS_MAX 4096

static void claim(struct files_model *model, struct claim **claims, size_t *count, const struct claim *wanted)
{
    struct claim *kept;

    for (const struct claim *each = *claims; each; each = each->next) {
        if (each->service == wanted->service || each->anchor != wanted->anchor ||
            !overlaps(&each->range, &wanted->range))
            continue;
        tell_conflict(model, each, wanted);
        return;
    }
    if (*count == CLAIMS_MAX)
        return;
    kept = arena_allocate(model->arena, 1, sizeof(*kept));
    model->is_out_of_memory |= !kept;
    if (!kept)
        return;
    *kept = *wanted;
    kept->next = *claims;
    *claims = kept;
    (*count)++;
}

/* A list that names a port of the container's inside, say, closes nothing. */
static void check_lists(struct files_model *model, const struct files_service *service, const struct guest_list *guests,
                        const struct expose_range *ranges, size_t count)
{
    for (size_t i = 0; i < guests->count; i++) {
        const struct wire_guest *guest = &guests->items[i];
        struct expose_range named = {
            .protocol = guest->protocol, .port_first = guest->port_first, .port_last = guest->port_last};
        size_t at = 0;

        while (at < count && !overlaps(&ranges[at], &named))
            at++;
        if (at < count)
            continue;
        files_found(
            model,
            &(struct files_finding){
                .problem = PROBLEM_LIST_IN_VAIN,
                .object = label_object(model, service, guest->kind == GUEST_LIMIT ? "anchord.limit" : "anchord.allow"),
                .sentence = files_text(model, "%s is not exposed by this service", port_text(model, &named)),
                .why = "the list or limit closes nothing: the port that was meant stays open to all",
                .remedy = files_text(model,
                                     "name the port that clients use, as it stands before the colon in "
                                     "services.%s.labels.anchord.expose",
                                     service->service->name)});
        return;
    }
}

static void check_labels(struct files_model *model, const struct files_service *service, struct claim **claims,
                         size_t *claim_count)
{
    const struct files_service *anchor = files_anchor_of(model, service);
    struct guest_list guests = {0};
    struct expose_range *ranges = NULL;
    bool is_valid =
        check_word(model, service, "anchord.expose.v6", expose_v6_label_parse, "the value is neither auto nor off");
    int count;

    is_valid &= check_word(model, service, "anchord.expose.when", expose_when_label_parse,
                           "the value is neither started nor healthy");
    is_valid &= read_guests(model, service, "anchord.allow", GUEST_TEXT_ALLOW, &guests);
    is_valid &= read_guests(model, service, "anchord.limit", GUEST_TEXT_LIMIT, &guests);
    count = read_expose(model, service, &ranges);
    for (int i = 0; is_valid && i < count && anchor; i++)
        claim(model, claims, claim_count, &(struct claim){.service = service, .anchor = anchor, .range = ranges[i]});
    if (is_valid && count >= 0)
        check_lists(model, service, &guests, ranges, (size_t)count);
    if (count > 0) {
        check_health(model, service);
        check_replicas(model, service);
    }
    if (count > 0 && anchor)
        check_place(model, service, anchor);
    guest_list_clear(&guests);
    free(ranges);
}

/* --- nothing is exposed ---------------------------------------------------------------------------------- */

static bool has_own_member(const struct json_tree_value *object, const char *key)
{
    return object && json_tree_member(object, key) != NULL;
}

/* Where the label stands that nobody reads there; NULL: nowhere. */
static const char *misplaced_label(struct files_model *model)
{
    for (const struct files_service *each = model->services; each; each = each->next) {
        const struct json_tree_value *deploy = json_tree_member(each->value, "deploy");

        if (has_own_member(json_tree_member(each->value, "environment"), "anchord.expose"))
            return files_object(model, each, "environment.anchord.expose");
        if (deploy && has_own_member(json_tree_member(deploy, "labels"), "anchord.expose"))
            return files_object(model, each, "deploy.labels.anchord.expose");
        if (has_own_member(json_tree_member(each->value, "annotations"), "anchord.expose"))
            return files_object(model, each, "annotations.anchord.expose");
    }
    return NULL;
}

/* Of one that looks after a project, this or, by a name that is not this one's, another. */
static void check_exposed(struct files_model *model, const struct files_service *anchor)
{
    bool is_ours = strcmp(anchor->settings.project, model->project->name) == 0;
    const char *misplaced = misplaced_label(model);
    size_t others = 0, labelled = 0;

    for (const struct files_service *each = model->services; each; each = each->next) {
        others += !each->is_anchord && !each->is_holder && files_runs(each);
        labelled += files_label(model, each, "anchord.expose") != NULL;
    }
    if (anchor->settings.selector[0] || (is_ours ? labelled > 0 || others == 0 : labelled == 0))
        return;
    files_found(
        model,
        &(struct files_finding){
            .problem = PROBLEM_FILE_NOTHING_EXPOSED,
            .object = misplaced ? misplaced : files_object(model, anchor, is_ours ? "labels" : "environment"),
            .sentence = is_ours ? "no service has the label anchord.expose: nothing answers at the project's address"
                                : files_text(model, "%s looks after the project %s, and this one is %s",
                                             anchor->service->name, anchor->settings.project, model->project->name),
            .why = misplaced ? "Docker tells of what stands under labels: alone; `expose:` and `ports:` are no labels"
                   : is_ours ? "a container gets ports of the project's address by its label alone, not by `expose:`"
                             : "the labels of this file's services are not read",
            .remedy = is_ours
                          ? "labels: {anchord.expose: \"tcp/80:8080\"} of the service that is meant: the port on the "
                            "LAN, a colon, the port in the container"
                          : files_text(model, "services.%s.environment: {ANCHORD_PROJECT: \"${COMPOSE_PROJECT_NAME}\"}",
                                       anchor->service->name)});
}

void files_rules_labels(struct files_model *model)
{
    struct claim *claims = NULL;
    size_t count = 0;

    for (const struct files_service *each = model->services; each; each = each->next) {
        check_names(model, each);
        if (files_runs(each) && each->labels)
            check_labels(model, each, &claims, &count);
        if (files_is(each, ROLE_NETWORK_ANCHOR) && files_runs(each))
            check_exposed(model, each);
    }
}
