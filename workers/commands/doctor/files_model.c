/* What anchord will make of a Compose project; see files_model.h. Pure, no privilege. */
#include "workers/commands/doctor/files_model.h"

#include "common/cleanup.h"
#include "common/text.h"
#include "daemon/configuration/configuration_load.h"
#include "protocol/managed_target.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define DOCKER_LABEL_KEY_MAX 256 /* a longer one is no selector's */
#define CHAIN_MAX            16  /* of containers, each in the next one's namespace */

/* --- words ----------------------------------------------------------------------------------------------- */

const char *files_text(struct files_model *model, const char *format, ...)
{
    char *text = NULL;
    const char *copy = NULL;
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length >= 0)
        copy = arena_copy(model->arena, text, (size_t)length);
    if (length >= 0)
        free(text);
    model->is_out_of_memory |= !copy;
    return copy ? copy : "";
}

void files_found(struct files_model *model, const struct files_finding *finding)
{
    model->report->found(model->report->userdata, finding->problem, finding->object, finding->sentence, finding->why,
                         finding->remedy);
}

const char *files_object(struct files_model *model, const struct files_service *service, const char *key)
{
    return files_text(model, "services.%s%s%s", service->service->name, *key ? "." : "", key);
}

/* What Compose prints can be read by Compose again: a dollar stands there twice. */
static const char *without_doubled_dollars(struct files_model *model, const char *text)
{
    char *copy;
    size_t length = 0;

    if (!strchr(text, '$'))
        return text;
    copy = arena_copy(model->arena, text, strlen(text));
    if (!copy) {
        model->is_out_of_memory = true;
        return "";
    }
    for (const char *at = text; *at; at++) {
        copy[length++] = *at;
        at += at[0] == '$' && at[1] == '$';
    }
    copy[length] = '\0';
    return copy;
}

static const char *value_text(struct files_model *model, const struct json_tree_value *value)
{
    if (value->type == JSON_TREE_BOOLEAN)
        return value->boolean ? "true" : "false";
    if (value->type == JSON_TREE_STRING || value->type == JSON_TREE_NUMBER)
        return without_doubled_dollars(model, value->text);
    return NULL;
}

const char *files_member_text(struct files_model *model, const struct json_tree_value *object, const char *key)
{
    const struct json_tree_value *value = json_tree_member(object, key);

    return value ? value_text(model, value) : NULL;
}

bool files_list_has(const struct json_tree_value *list, const char *word)
{
    for (const struct json_tree_value *each = list && list->type == JSON_TREE_ARRAY ? list->first : NULL; each;
         each = each->next) {
        const char *text = each->text;

        (void)text_skip(&text, "CAP_");
        if (each->type == JSON_TREE_STRING && strcasecmp(text, word) == 0)
            return true;
    }
    return false;
}

static struct files_service *find(const struct files_model *model, const char *name)
{
    for (struct files_service *each = model->services; each; each = each->next) {
        if (strcmp(each->service->name, name) == 0)
            return each;
    }
    return NULL;
}

const char *files_label(struct files_model *model, const struct files_service *service, const char *name)
{
    return files_member_text(model, service->labels, name);
}

/* --- networks -------------------------------------------------------------------------------------------- */

const struct project_attachment *files_attachment(const struct files_service *service,
                                                  const struct project_network *network)
{
    const struct project_attachment *each = service->owner ? service->owner->service->attachments : NULL;

    while (each && each->network != network)
        each = each->next;
    return each;
}

bool files_is_own_bridge(const struct project_network *network)
{
    return !network->is_external && (network->driver[0] == '\0' || strcmp(network->driver, "bridge") == 0);
}

/* --- who is an anchord ----------------------------------------------------------------------------------- */

/* "registry.example:5000/you/anchord:dev@sha256:…" is called "anchord". */
static bool image_is_called(const char *image, const char *name)
{
    const char *slash = strrchr(image, '/');
    const char *last = slash ? slash + 1 : image;

    return strcspn(last, ":@") == strlen(name) && strncmp(last, name, strlen(name)) == 0;
}

/* The first word of `command:`; NULL: the image's own. */
static const char *first_word(const struct json_tree_value *command)
{
    if (command && command->type == JSON_TREE_ARRAY)
        command = command->first;
    return command && command->type == JSON_TREE_STRING && command->text[0] ? command->text : NULL;
}

static bool is_role(const char *word)
{
    for (enum role role = 0; word && role < ROLE_MAX_; role++) {
        if (strcmp(word, configuration_role_to_string(role)) == 0)
            return true;
    }
    return false;
}

static bool has_own_program(const struct json_tree_value *value)
{
    const char *program = first_word(json_tree_member(value, "entrypoint"));
    const char *slash = program ? strrchr(program, '/') : NULL;
    const char *name = slash ? slash + 1 : program;

    return name && strcmp(name, "anchord") != 0 && strcmp(name, "anchord-init") != 0;
}

/* "NAME=value", as a process gets them; those without a value come from a shell that nobody knows. */
static const char *const *make_environment(struct files_model *model, const struct json_tree_value *value)
{
    const struct json_tree_value *variables = json_tree_member(value, "environment");
    const char **environment;
    size_t count = 1;

    for (const struct json_tree_value *each = variables ? variables->first : NULL; each; each = each->next)
        count++;
    environment = arena_allocate(model->arena, count, sizeof(*environment));
    count = 0;
    for (const struct json_tree_value *each = variables ? variables->first : NULL; each && environment;
         each = each->next) {
        const char *text = value_text(model, each);

        if (text)
            environment[count++] = files_text(model, "%s=%s", each->key, text);
    }
    model->is_out_of_memory |= !environment;
    return environment;
}

static const char *find_variable(const char *const *environment, const char *name)
{
    size_t length = strlen(name);

    for (size_t i = 0; environment[i]; i++) {
        if (strncmp(environment[i], name, length) == 0 && environment[i][length] == '=')
            return environment[i] + length + 1;
    }
    return NULL;
}

static const char *keep(struct files_model *model, const char *text)
{
    return text[0] ? files_text(model, "%s", text) : "";
}

/* LIFE-2: it is of no Compose project, so that its label counts where it carries the selector's. */
static bool is_unselected(const struct managed_target *target, const char *text)
{
    struct label_selector selector;
    struct label_selector_error error;
    uint32_t matched = 0;
    bool exposes = false;
    bool is_readable = text[0] && label_selector_parse(text, &selector, &error) == 0;

    for (const char *each = assignments_next(&target->labels, NULL); each;
         each = assignments_next(&target->labels, each)) {
        size_t length = strcspn(each, "=");
        char key[DOCKER_LABEL_KEY_MAX];

        if (length >= sizeof(key) || !each[length])
            continue;
        memcpy(key, each, length);
        key[length] = '\0';
        exposes |= strcmp(key, "anchord.expose") == 0;
        if (is_readable)
            matched |= label_selector_match(&selector, key, each + length + 1, strlen(each + length + 1));
    }
    return exposes && (!text[0] || (is_readable && matched != label_selector_all(&selector)));
}

static const char *find_unselected(struct files_model *model, const struct configuration *configuration)
{
    for (size_t i = 0; i < configuration->managed_count; i++) {
        if (is_unselected(&configuration->managed[i], configuration->label_selector))
            return keep(model, configuration->managed[i].target);
    }
    return NULL;
}

static void note_settings(struct files_model *model, const struct configuration *configuration,
                          const char *const *environment, struct files_settings *settings)
{
    *settings = (struct files_settings){
        .role = configuration->role,
        .has_dhcp = configuration_has_dhcp(configuration),
        .has_client = configuration_has_dhcp_client(configuration),
        .starts_siblings = configuration->starts_siblings,
        .is_gateway_named = configuration->external_gateways.v4.family != IP_FAMILY_NONE,
        .address_mode = configuration->address_mode,
        .project = keep(model, configuration->project),
        .selector = keep(model, configuration->label_selector),
        .external_network = keep(model, configuration->external_network),
        .external_interface = find_variable(environment, "ANCHORD_EXT_IFACE"),
        .shared_network = keep(model, configuration->shared_network),
        .docker_host = keep(model, configuration->docker_host),
        .gateway_host_name = keep(model, configuration->gateway_host_name),
        .gateways = {configuration->service_gateways.v4, configuration->service_gateways.v6},
        .follow_network = keep(model, configuration->follow_network),
        .follow_target = keep(model, configuration->follow_target),
        .managed_count = configuration->managed_count,
        .unselected_target = find_unselected(model, configuration),
    };
}

static void tell_variables(struct files_model *model, const struct files_service *service,
                           const struct configuration *configuration)
{
    for (size_t i = 0; i < configuration->problem_count; i++) {
        const struct configuration_problem *problem = &configuration->problems[i];
        bool is_argument = strcmp(problem->variable, "first argument") == 0;

        files_found(
            model,
            &(struct files_finding){
                .problem = problem->is_error ? PROBLEM_FILE_VARIABLE_WRONG : PROBLEM_FILE_VARIABLE_IGNORED,
                .object = files_object(
                    model, service, is_argument ? "command" : files_text(model, "environment.%s", problem->variable)),
                .sentence = files_text(model, "%s: %s", problem->variable, problem->text),
                .why = problem->is_error ? "anchord ends with status 1 at its start, before it changes anything"
                                         : "anchord says so in its log at its start, and goes on",
                .remedy = files_text(model,
                                     "mend %s under services.%s; `anchord config` in that container shows what "
                                     "anchord makes of all of them",
                                     is_argument ? "command:" : problem->variable, service->service->name)});
    }
}

static const char *role_argument(const struct json_tree_value *value)
{
    const char *word = first_word(json_tree_member(value, "command"));

    return word && word[0] != '-' ? word : NULL;
}

/* Is it an anchord that does what a role does? An operator's command (`anchord doctor`) has no settings. */
static bool looks_like_anchord(const struct json_tree_value *value, const char *image, const char *const *environment)
{
    const char *word = role_argument(value);

    if (has_own_program(value) || (word && !is_role(word)))
        return image_is_called(image, "anchord") && !has_own_program(value) &&
               find_variable(environment, "ANCHORD_MODE");
    return image_is_called(image, "anchord") || is_role(word) || find_variable(environment, "ANCHORD_MODE") ||
           find_variable(environment, "ANCHORD_EXT_NETWORK") || find_variable(environment, "ANCHORD_GATEWAY_IP");
}

static void load(const struct files_service *service, struct configuration *configuration)
{
    *configuration = (struct configuration){0};
    configuration_load(role_argument(service->value), service->environment, configuration);
}

static int read_service(struct files_model *model, struct files_service *service, struct configuration *configuration)
{
    const char *image = files_member_text(model, service->value, "image");

    service->environment = make_environment(model, service->value);
    if (!service->environment)
        return -ENOMEM;
    image = image ? image : "";
    service->is_holder = image_is_called(image, "anchord-hold");
    service->is_anchord = !service->is_holder && looks_like_anchord(service->value, image, service->environment);
    if (!service->is_anchord)
        return 0;
    load(service, configuration);
    note_settings(model, configuration, service->environment, &service->settings);
    return 0;
}

/* --- whose namespace ------------------------------------------------------------------------------------- */

/* Compose's own name of a service's first container is PROJECT-SERVICE-1. */
static bool is_container_called(const struct files_model *model, const struct files_service *service, const char *name)
{
    if (service->service->container_name[0])
        return strcmp(service->service->container_name, name) == 0;
    return text_skip(&name, model->project->name) && text_skip(&name, "-") &&
           text_skip(&name, service->service->name) && strcmp(name, "-1") == 0;
}

static struct files_service *find_container(const struct files_model *model, const char *name)
{
    struct files_service *each = model->services;

    while (each && !is_container_called(model, each, name))
        each = each->next;
    return each;
}

/* Whom it joined; NULL: nobody of the project, and *place says what it has instead. */
static struct files_service *find_joined(const struct files_model *model, const struct files_service *service,
                                         enum files_place *place)
{
    const char *mode = service->service->network_mode;
    struct files_service *joined;

    if (text_skip(&mode, "service:")) {
        joined = find(model, mode);
        *place = joined ? FILES_PLACE_JOINED : FILES_PLACE_NOWHERE;
        return joined;
    }
    if (text_skip(&mode, "container:")) {
        joined = find_container(model, mode);
        *place = joined ? FILES_PLACE_JOINED : FILES_PLACE_ELSEWHERE;
        return joined;
    }
    *place = strcmp(mode, "host") == 0     ? FILES_PLACE_HOST
             : strcmp(mode, "none") == 0   ? FILES_PLACE_NONE
             : strcmp(mode, "bridge") == 0 ? FILES_PLACE_BRIDGE
                                           : FILES_PLACE_OWN;
    return NULL;
}

static void find_owner(const struct files_model *model, struct files_service *service)
{
    struct files_service *at = service;
    enum files_place place = FILES_PLACE_NOWHERE;

    for (size_t steps = 0; at && steps < CHAIN_MAX; steps++) {
        struct files_service *joined = find_joined(model, at, &place);

        if (!joined)
            break;
        at = joined;
    }
    if (place == FILES_PLACE_JOINED) /* a circle, or so long a row that it is as good as one */
        place = FILES_PLACE_NOWHERE;
    service->owner = place == FILES_PLACE_OWN ? at : NULL;
    service->place = place == FILES_PLACE_OWN && at != service ? FILES_PLACE_JOINED : place;
}

/* An application joined it, and it names nothing of the LAN: `command: [service-anchor]` was forgotten. */
static bool is_mistaken(const struct files_model *model, const struct files_service *service)
{
    if (!files_is(service, ROLE_NETWORK_ANCHOR) || service->settings.external_network[0] ||
        service->settings.external_interface)
        return false;
    for (const struct files_service *each = model->services; each; each = each->next) {
        if (each != service && each->owner == service && !each->is_anchord)
            return true;
    }
    return false;
}

/* Whoever is taken for something else is told that alone. */
static void tell_all_variables(struct files_model *model, struct configuration *configuration)
{
    for (const struct files_service *each = model->services; each; each = each->next) {
        if (!each->is_anchord || each->is_mistaken)
            continue;
        load(each, configuration);
        tell_variables(model, each, configuration);
    }
}

/* --- scope and the two networks -------------------------------------------------------------------------- */

static bool is_selected(struct files_model *model, const char *text, const struct files_service *service)
{
    struct label_selector *selector = arena_allocate(model->arena, 1, sizeof(*selector));
    struct label_selector_error error;
    uint32_t matched = 0;

    model->is_out_of_memory |= !selector;
    if (!selector || label_selector_parse(text, selector, &error) < 0)
        return false;
    for (const struct json_tree_value *each = service->labels ? service->labels->first : NULL; each;
         each = each->next) {
        const char *value = value_text(model, each);

        matched |= label_selector_match(selector, each->key, value ? value : "", value ? strlen(value) : 0);
    }
    return matched == label_selector_all(selector);
}

/* Does this network-anchor look after the service? */
static bool is_in_scope(struct files_model *model, const struct files_service *anchor,
                        const struct files_service *service)
{
    if (anchor->settings.selector[0])
        return is_selected(model, anchor->settings.selector, service);
    return strcmp(anchor->settings.project, model->project->name) == 0;
}

struct files_service *files_anchor_of(struct files_model *model, const struct files_service *service)
{
    for (struct files_service *each = model->services; each; each = each->next) {
        if (files_is(each, ROLE_NETWORK_ANCHOR) && is_in_scope(model, each, service))
            return each;
    }
    return NULL;
}

static size_t count_backends(struct files_model *model, const struct files_service *anchor,
                             const struct project_network *network)
{
    size_t count = 0;

    for (const struct files_service *each = model->services; each; each = each->next)
        count += files_label(model, each, "anchord.expose") && files_attachment(each, network) &&
                 is_in_scope(model, anchor, each);
    return count;
}

static bool is_called_transit(const char *name)
{
    return strcasestr(name, "transit") != NULL;
}

/* DISC-4: the most backends, then `transit` in the name, then the alphabet. */
static bool is_better(size_t count, const char *name, size_t best_count, const char *best)
{
    if (count != best_count)
        return count > best_count;
    if (is_called_transit(name) != is_called_transit(best))
        return is_called_transit(name);
    return strcmp(name, best) < 0;
}

static void find_networks(struct files_model *model, struct files_service *anchor)
{
    const struct files_settings *settings = &anchor->settings;
    size_t best = 0;

    for (const struct project_attachment *each = anchor->owner ? anchor->owner->service->attachments : NULL; each;
         each = each->next) {
        const char *name = each->network->name;
        size_t count;

        if (settings->external_network[0] && strcmp(name, settings->external_network) == 0) {
            anchor->lan = each;
            continue;
        }
        if (settings->shared_network[0] && strcmp(name, settings->shared_network) != 0)
            continue;
        count = count_backends(model, anchor, each->network);
        if (anchor->shared && !is_better(count, name, best, anchor->shared->network->name))
            continue;
        anchor->shared = each;
        best = count;
    }
}

static int add_services(struct files_model *model, const struct project *project, struct configuration *configuration)
{
    struct files_service **end = &model->services;

    for (const struct project_service *each = project->services; each; each = each->next) {
        struct files_service *service = arena_allocate(model->arena, 1, sizeof(*service));

        if (!service)
            return -ENOMEM;
        service->service = each;
        service->value = each->value;
        service->labels = json_tree_member(each->value, "labels");
        if (read_service(model, service, configuration) < 0)
            return -ENOMEM;
        *end = service;
        end = &service->next;
    }
    return 0;
}

int files_model_make(struct arena *arena, const struct project *project, const struct files_report *report,
                     struct files_model *ret)
{
    CLEANUP_FREE struct configuration *configuration = calloc(1, sizeof(*configuration)); /* too large for the stack */
    int result;

    *ret = (struct files_model){.arena = arena, .project = project, .report = report};
    if (!configuration)
        return -ENOMEM;
    result = add_services(ret, project, configuration);
    if (result < 0)
        return result;
    for (struct files_service *each = ret->services; each; each = each->next)
        find_owner(ret, each);
    for (struct files_service *each = ret->services; each; each = each->next)
        each->is_mistaken = is_mistaken(ret, each);
    tell_all_variables(ret, configuration);
    for (struct files_service *each = ret->services; each; each = each->next) {
        if ((files_is(each, ROLE_SERVICE_ANCHOR) || each->is_mistaken) && each->owner && !each->owner->service_anchor)
            each->owner->service_anchor = each;
        if (files_is(each, ROLE_NETWORK_ANCHOR))
            find_networks(ret, each);
    }
    return ret->is_out_of_memory ? -ENOMEM : 0;
}
