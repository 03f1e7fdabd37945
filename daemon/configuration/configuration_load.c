/* Reads the environment; see configuration_load.h. Pure apart from the environment given; no privilege. */
#include "daemon/configuration/configuration_load.h"

#include "common/cleanup.h"
#include "common/text.h"
#include "daemon/configuration/configuration_attach.h"
#include "daemon/configuration/configuration_managed.h"
#include "daemon/configuration/configuration_parse.h"
#include "daemon/configuration/configuration_problem.h"
#include "daemon/configuration/configuration_variables.h"
#include "protocol/managed_target.h"

#include <string.h>

#define PREFIX "ANCHORD_"

#define NOT_SHOWN "(not shown)"

/* The value of `name` in `environment`; NULL when it is not there. */
static const char *find_even_empty(const char *const environment[], const char *name)
{
    size_t length = strlen(name);

    for (size_t i = 0; environment[i]; i++) {
        if (strncmp(environment[i], name, length) == 0 && environment[i][length] == '=')
            return environment[i] + length + 1;
    }
    return NULL;
}

static bool is_blank(const char *text)
{
    return text[strspn(text, TEXT_BLANKS)] == '\0';
}

/* The same, but an empty value, or one of white space alone, counts as none (SPEC §10). */
static const char *find_in_environment(const char *const environment[], const char *name)
{
    const char *text = find_even_empty(environment, name);

    return text && !is_blank(text) ? text : NULL;
}

static struct configuration_value find_value(const struct configuration_variable *variable,
                                             const char *const environment[], enum role role)
{
    const char *text = variable->may_be_empty ? find_even_empty(environment, variable->name) : NULL;

    if (!text || *text != '\0')
        text = find_in_environment(environment, variable->name);
    if (text)
        return (struct configuration_value){text, CONFIGURATION_SOURCE_ENVIRONMENT};
    text = variable->fallback ? find_in_environment(environment, variable->fallback) : NULL;
    if (text)
        return (struct configuration_value){text, CONFIGURATION_SOURCE_FALLBACK};
    if (variable->default_value && !(variable->unset_for & 1 << role))
        return (struct configuration_value){variable->default_value, CONFIGURATION_SOURCE_DEFAULT};
    return (struct configuration_value){NULL, CONFIGURATION_SOURCE_UNSET};
}

static void report_unconcerned(struct configuration *configuration, const char *name)
{
    configuration_problem_add(configuration, false, name, "does not concern the role %s, ignoring",
                              configuration_role_to_string(configuration->role));
}

/* The units of attach's halves read one file; where each has variables of its own, as in Compose, it is a mistake. */
static bool is_for_the_other_half(const struct configuration_variable *variable, const char *const environment[],
                                  enum role role)
{
    const unsigned int halves = 1 << ROLE_ATTACH | 1 << ROLE_ATTACH_HOST;

    return halves & 1U << role && halves & variable->roles && !configuration_variables_concern(variable, role) &&
           find_in_environment(environment, "INVOCATION_ID"); /* systemd.exec(5) */
}

static void apply_value(struct configuration *configuration, const struct configuration_variable *variable,
                        struct configuration_value *value)
{
    const char *name = value->source == CONFIGURATION_SOURCE_FALLBACK   ? variable->fallback
                       : value->source == CONFIGURATION_SOURCE_ARGUMENT ? "first argument"
                                                                        : variable->name;
    const char *wrong;

    if (!value->text)
        return;
    if (!configuration_variables_concern(variable, configuration->role)) {
        if (value->source == CONFIGURATION_SOURCE_ENVIRONMENT && strncmp(name, PREFIX, strlen(PREFIX)) == 0)
            report_unconcerned(configuration, name);
        return;
    }
    wrong = variable->parse(value->text, (char *)configuration + variable->offset);
    if (variable->is_secret || (wrong && variable->hide_if_wrong))
        value->text = NOT_SHOWN;
    if (wrong)
        configuration_problem_add(configuration, true, name, "\"%.100s\": %s", value->text, wrong);
}

/* The value of the selector's first key in alphabetical order; NULL: there is no good selector. */
static const char *first_selected_value(const struct configuration *configuration, struct label_selector *selector)
{
    struct label_selector_error error;
    size_t first = 0;

    if (label_selector_parse(configuration->label_selector, selector, &error) < 0 || selector->count == 0)
        return NULL;
    for (size_t i = 1; i < selector->count; i++) {
        if (strcmp(label_selector_key(selector, i), label_selector_key(selector, first)) < 0)
            first = i;
    }
    return label_selector_value(selector, first);
}

/* ADDR-5: the project's name; with a selector alone the value of its first key. */
static void default_dhcp_name(struct configuration *configuration)
{
    struct label_selector selector;
    const char *name = configuration->project;

    if (name[0] == '\0')
        name = first_selected_value(configuration, &selector);
    if (!name)
        return; /* which is said already */
    if (name[0] == '\0' && configuration_has_dhcp_client(configuration))
        configuration_problem_add(
            configuration, true, "ANCHORD_DHCP_HOSTNAME",
            "not set, and the first label of ANCHORD_LABEL_SELECTOR has no value to name it after");
    if (!configuration_parse_make_dhcp_name(name, configuration->dhcp_name) &&
        configuration_has_dhcp_client(configuration))
        configuration_problem_add(configuration, false, "ANCHORD_DHCP_HOSTNAME",
                                  "not set, and \"%.100s\" is no name for it: DHCP servers know it by %s", name,
                                  configuration->dhcp_name);
}

/* DISC-2: which containers are in scope. */
static void check_scope(struct configuration *configuration, const char *const environment[])
{
    const char *text = find_in_environment(environment, "ANCHORD_LABEL_SELECTOR");
    struct label_selector selector;
    struct label_selector_error error;

    if (text && find_in_environment(environment, "ANCHORD_PROJECT"))
        configuration_problem_add(configuration, false, "ANCHORD_PROJECT",
                                  "ANCHORD_LABEL_SELECTOR is set too and decides alone which containers are in scope");
    if (text && label_selector_parse(text, &selector, &error) < 0)
        configuration_problem_add(configuration, true, "ANCHORD_LABEL_SELECTOR", "entry \"%.100s\": %s", error.entry,
                                  error.reason);
    if (!text && configuration->project[0] == '\0' && !find_in_environment(environment, "ANCHORD_PROJECT") &&
        !find_in_environment(environment, "COMPOSE_PROJECT_NAME"))
        configuration_problem_add(
            configuration, true, "ANCHORD_PROJECT",
            "neither it nor COMPOSE_PROJECT_NAME nor ANCHORD_LABEL_SELECTOR is set: add `environment: "
            "[\"ANCHORD_PROJECT=${COMPOSE_PROJECT_NAME}\"]` to the network-anchor's service");
}

static void check_docker_tls(struct configuration *configuration, const char *const environment[])
{
    bool is_tcp = strncmp(configuration->docker_host, DOCKER_HOST_TCP, strlen(DOCKER_HOST_TCP)) == 0;

    if (configuration->docker_tls_verify && !is_tcp)
        configuration_problem_add(configuration, false, "DOCKER_TLS_VERIFY", "DOCKER_HOST is no tcp://, ignoring");
    else if (configuration->docker_tls_verify && !find_in_environment(environment, "DOCKER_CERT_PATH"))
        configuration_problem_add(
            configuration, true, "DOCKER_CERT_PATH",
            "not set, and DOCKER_TLS_VERIFY needs it: the directory with ca.pem, cert.pem and key.pem");
    else if (!configuration->docker_tls_verify && configuration->docker_cert_path[0] != '\0')
        configuration_problem_add(configuration, false, "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY is not true, ignoring");
    configuration->docker_tls_verify = configuration->docker_tls_verify && is_tcp;
}

static void check_dhcp_name(struct configuration *configuration, const char *const environment[])
{
    configuration->dhcp_name_is_given = find_in_environment(environment, "ANCHORD_DHCP_HOSTNAME") != NULL;
    if (!configuration->dhcp_name_is_given)
        default_dhcp_name(configuration);
    configuration_parse_make_dhcp_host_name(configuration->dhcp_name, configuration->dhcp_host_name);
}

/* Rules that concern more than one variable. */
static void check_network_anchor(struct configuration *configuration, const char *const environment[])
{
    check_scope(configuration, environment);
    check_docker_tls(configuration, environment);
    if (find_in_environment(environment, "ANCHORD_EXT_NETWORK") &&
        find_in_environment(environment, "ANCHORD_EXT_IFACE"))
        configuration_problem_add(configuration, false, "ANCHORD_EXT_IFACE",
                                  "ANCHORD_EXT_NETWORK is set too and wins, ignoring");
    if (configuration->shared_network[0] && strcmp(configuration->shared_network, configuration->external_network) == 0)
        configuration_problem_add(configuration, true, "ANCHORD_SHARED_NETWORK",
                                  "\"%s\": is ANCHORD_EXT_NETWORK too; transit is the project's inner one",
                                  configuration->shared_network);
    check_dhcp_name(configuration, environment);
}

static void check_service_anchor(struct configuration *configuration, const char *const environment[])
{
    if (find_in_environment(environment, "ANCHORD_GATEWAY_IP") &&
        find_in_environment(environment, "ANCHORD_GATEWAY_HOSTNAME"))
        configuration_problem_add(configuration, false, "ANCHORD_GATEWAY_HOSTNAME",
                                  "ANCHORD_GATEWAY_IP is set too and wins, ignoring");
}

static void require(struct configuration *configuration, const char *const environment[], const char *name,
                    const char *what)
{
    if (!find_in_environment(environment, name))
        configuration_problem_add(configuration, true, name, "not set, and the role %s needs it: %s",
                                  configuration_role_to_string(configuration->role), what);
}

static void check_rebinder(struct configuration *configuration, const char *const environment[])
{
    if (configuration->role == ROLE_EXTERNAL_REBINDER) {
        require(configuration, environment, "ANCHORD_FOLLOW_NETWORK", "the network to stay on");
        require(configuration, environment, "ANCHORD_FOLLOW_TARGET", "the service that is to stay on it");
    }
    check_docker_tls(configuration, environment);
    if (configuration->role == ROLE_WRAP_REBINDER && !find_in_environment(environment, "COMPOSE_PROJECT_NAME"))
        configuration_problem_add(
            configuration, true, "COMPOSE_PROJECT_NAME",
            "not set: add `environment: [\"COMPOSE_PROJECT_NAME=${COMPOSE_PROJECT_NAME}\"]` to the service");
}

static void check_attach(struct configuration *configuration, const char *const environment[])
{
    require(configuration, environment, "ANCHORD_PROJECT", "the Compose project that is attached");
    if (configuration->role == ROLE_ATTACH_HOST) {
        require(configuration, environment, "ANCHORD_PARENT", "the host's interface on the LAN, such as eth0");
        configuration_attach_check_project(configuration);
        return;
    }
    check_docker_tls(configuration, environment);
    configuration_attach_check(configuration);
    check_dhcp_name(configuration, environment);
}

static const char *nearest_name(const char *name)
{
    size_t count;
    const struct configuration_variable *variables = configuration_variables(&count);
    const char *nearest = NULL;
    size_t nearest_distance = TEXT_MISSPELT_LETTERS_MAX + 1;

    for (size_t i = 0; i < count; i++) {
        size_t distance = text_edit_distance(name, variables[i].name);

        if (distance < nearest_distance) {
            nearest_distance = distance;
            nearest = variables[i].name;
        }
    }
    return nearest;
}

/* The label that was written as a variable, ANCHORD_EXPOSE for anchord.expose, or NULL. */
static const char *label_meant(const char *name)
{
    static const struct {
        const char *name;
        const char *label;
    } labels[] = {
        {PREFIX "EXPOSE", "anchord.expose"},
        {PREFIX "EXPOSE_V6", "anchord.expose.v6"},
        {PREFIX "EXPOSE_WHEN", "anchord.expose.when"},
        {PREFIX "TARGET", LABEL_TARGET},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(labels); i++) {
        if (strcmp(labels[i].name, name) == 0)
            return labels[i].label;
    }
    return NULL;
}

/* The number of NAME_2 … of a variable that takes numbers; 0: it is no such name. */
static uint32_t number_of(const struct configuration_variable *variable, const char *name)
{
    size_t length = strlen(variable->name);
    uint64_t number;

    if (!variable->is_numbered || strncmp(name, variable->name, length) != 0 || name[length] != '_' ||
        name[length + 1] == '0' ||
        text_to_number(name + length + 1, strlen(name + length + 1), UINT32_MAX, &number) < 0 || number < 2)
        return 0;
    return (uint32_t)number;
}

/* The same as of the variable without a number, whose offset is that in the first entry. */
static void apply_numbered(struct configuration *configuration, const struct configuration_variable *variable,
                           const char *name, uint32_t number, const char *text)
{
    struct configuration_numbered *shown = &configuration->numbered[configuration->numbered_count];
    struct managed_target *entry;
    const char *wrong;

    if (!configuration_variables_concern(variable, configuration->role)) {
        report_unconcerned(configuration, name);
        return;
    }
    entry = configuration_managed_entry(configuration, number);
    if (!entry || configuration->numbered_count == CONFIGURATION_NUMBERED_MAX) {
        configuration_problem_add(configuration, true, name,
                                  "is one too many: %d at most, with the one that has no number", MANAGED_TARGETS_MAX);
        return;
    }
    wrong = variable->parse(text, (char *)entry + (variable->offset - offsetof(struct configuration, managed[0])));
    text_copy_cut(shown->name, sizeof(shown->name), name);
    shown->text = variable->is_secret ? NOT_SHOWN : text;
    configuration->numbered_count++;
    if (wrong)
        configuration_problem_add(configuration, true, name, "\"%.100s\": %s", shown->text, wrong);
}

static void check_name(struct configuration *configuration, const char *name, const char *text)
{
    size_t count;
    const struct configuration_variable *variables = configuration_variables(&count);
    const char *label = label_meant(name);
    const char *nearest;

    for (size_t i = 0; i < count; i++) {
        uint32_t number = number_of(&variables[i], name);

        if (strcmp(variables[i].name, name) == 0)
            return;
        if (number > 0) {
            apply_numbered(configuration, &variables[i], name, number, text);
            return;
        }
    }
    nearest = nearest_name(name);
    if (label)
        configuration_problem_add(configuration, false, name,
                                  "no variable: %s is a label, and stands under `labels:` of the service that it is "
                                  "for; ignoring",
                                  label);
    else if (nearest)
        configuration_problem_add(configuration, false, name, "unknown, probably misspelt: did you mean %s? ignoring",
                                  nearest);
    else
        configuration_problem_add(configuration, false, name, "unknown, probably misspelt, ignoring");
}

/* Takes the numbered ones, and looks for variables that look like ours and are none. */
static void check_names(struct configuration *configuration, const char *const environment[])
{
    for (size_t i = 0; environment[i]; i++) {
        char name[TEXT_COMPARED_MAX + 1];
        const char *equals = strchr(environment[i], '=');
        size_t length = equals ? (size_t)(equals - environment[i]) : 0;

        if (strncmp(environment[i], PREFIX, strlen(PREFIX)) != 0 || length == 0 || is_blank(equals + 1))
            continue;
        if (length >= sizeof(name))
            length = sizeof(name) - 1;
        memcpy(name, environment[i], length);
        name[length] = '\0';
        check_name(configuration, name, equals + 1);
    }
}

void configuration_load(const char *role_argument, const char *const environment[], struct configuration *ret)
{
    size_t count;
    const struct configuration_variable *variables = configuration_variables(&count);

    configuration_managed_begin(ret);
    ret->log_level = LOG_LEVEL_INFO; /* holds when the variable is wrong: the errors must be seen */
    for (size_t i = 0; i < count; i++) {
        ret->values[i] = find_value(&variables[i], environment, ret->role); /* the role is the first one */
        if (variables[i].parse == configuration_parse_role && role_argument)
            ret->values[i] = (struct configuration_value){role_argument, CONFIGURATION_SOURCE_ARGUMENT};
        if (!is_for_the_other_half(&variables[i], environment, ret->role))
            apply_value(ret, &variables[i], &ret->values[i]);
    }
    if (ret->role == ROLE_NETWORK_ANCHOR)
        check_network_anchor(ret, environment);
    else if (ret->role == ROLE_SERVICE_ANCHOR)
        check_service_anchor(ret, environment);
    else if (ret->role == ROLE_ATTACH || ret->role == ROLE_ATTACH_HOST)
        check_attach(ret, environment);
    else
        check_rebinder(ret, environment);
    check_names(ret, environment);
    configuration_managed_finish(ret);
}
