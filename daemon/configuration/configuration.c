/* The configuration; see configuration.h. Pure apart from the environment given; no privilege. */
#include "daemon/configuration/configuration.h"

#include "common/cleanup.h"
#include "common/text.h"
#include "daemon/configuration/configuration_managed.h"
#include "daemon/configuration/configuration_parse.h"
#include "daemon/configuration/configuration_problem.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PREFIX "ANCHORD_"

#define NOT_SHOWN "(not shown)"

#define NETWORK_ANCHOR    (1 << ROLE_NETWORK_ANCHOR)
#define SERVICE_ANCHOR    (1 << ROLE_SERVICE_ANCHOR)
#define WRAP_REBINDER     (1 << ROLE_WRAP_REBINDER)
#define EXTERNAL_REBINDER (1 << ROLE_EXTERNAL_REBINDER)
#define REBINDERS         (EXTERNAL_REBINDER | WRAP_REBINDER)

#define IN(member_) offsetof(struct configuration, member_)

static const struct configuration_variable variables[] = {
    {.name = "ANCHORD_MODE",
     .default_value = "network-anchor",
     .parse = parse_role,
     .offset = IN(role),
     .help = "role; the first argument wins over it"},
    {.name = "ANCHORD_PROJECT",
     .roles = NETWORK_ANCHOR,
     .fallback = "COMPOSE_PROJECT_NAME",
     .parse = parse_name,
     .offset = IN(project),
     .help = "Compose project whose containers are in scope (required without a selector)"},
    {.name = "ANCHORD_LABEL_SELECTOR",
     .roles = NETWORK_ANCHOR,
     .parse = parse_label_selector,
     .offset = IN(label_selector),
     .help = "key=value labels, with commas, of the containers in scope, instead of a project"},
    {.name = "ANCHORD_ADDRESS_MODE",
     .roles = NETWORK_ANCHOR,
     .default_value = "bootstrap",
     .parse = parse_address_mode,
     .offset = IN(address_mode),
     .help = "where the external address comes from: bootstrap (Docker), dhcp-refresh or slaac-ra-only"},
    {.name = "ANCHORD_DHCP_HOSTNAME",
     .roles = NETWORK_ANCHOR,
     .parse = parse_dhcp_name,
     .offset = IN(dhcp_name),
     .help = "name that a DHCP server is told, and what it knows the project by (the project's name)"},
    {.name = "ANCHORD_DHCP_BACKOFF_MAX",
     .roles = NETWORK_ANCHOR,
     .default_value = "5m",
     .parse = parse_interval,
     .offset = IN(dhcp_backoff_max_milliseconds),
     .help = "longest silence before a DHCP server is asked again, and the client started again"},
    {.name = "ANCHORD_DHCP_ARP_PROBE",
     .roles = NETWORK_ANCHOR,
     .default_value = "true",
     .parse = parse_boolean,
     .offset = IN(dhcp_arp_probe),
     .help = "ask the LAN for 5 s whether a leased IPv4 address is taken, before it is used"},
    {.name = "ANCHORD_DHCP_CLIENT",
     .roles = NETWORK_ANCHOR,
     .default_value = "supervised",
     .parse = parse_dhcp_client,
     .offset = IN(dhcp_client),
     .help = "who gets the leases: supervised (a dhcpcd that anchord runs) or host (one that reports by its hook)"},
    {.name = "ANCHORD_EXT_NETWORK",
     .roles = NETWORK_ANCHOR,
     .parse = parse_name,
     .offset = IN(external_network),
     .help = "Docker network on whose interface the project's address lives"},
    {.name = "ANCHORD_EXT_IFACE",
     .roles = NETWORK_ANCHOR,
     .default_value = "eth0",
     .parse = parse_interface,
     .offset = IN(external_interface),
     .help = "that interface's name, where ANCHORD_EXT_NETWORK is not set"},
    {.name = "ANCHORD_EXT_GATEWAY_IP",
     .roles = NETWORK_ANCHOR,
     .parse = parse_gateways,
     .offset = IN(external_gateways),
     .help = "gateway to the outside: an IPv4 and/or an IPv6 address, separated by a comma"},
    {.name = "ANCHORD_SHARED_NETWORK",
     .roles = NETWORK_ANCHOR,
     .parse = parse_name,
     .offset = IN(shared_network),
     .help = "Docker network on which the backends are reached (else it is discovered)"},
    {.name = "ANCHORD_CLAIM_GATEWAY",
     .roles = NETWORK_ANCHOR,
     .default_value = "auto",
     .parse = parse_auto_or_off,
     .offset = IN(claim_gateway),
     .help = "claim the shared network's auxiliary gateway addresses: auto or off"},
    {.name = "ANCHORD_POLL_INTERVAL",
     .roles = NETWORK_ANCHOR,
     .default_value = "30s",
     .parse = parse_interval,
     .offset = IN(poll_interval_milliseconds),
     .help = "how often Docker's list is read besides the events"},
    {.name = "ANCHORD_AUTOSTART_SIBLINGS",
     .roles = NETWORK_ANCHOR,
     .default_value = "true",
     .parse = parse_boolean,
     .offset = IN(starts_siblings),
     .help = "start created containers whose network_mode: container:X waits for X, as soon as X runs"},
    {.name = "ANCHORD_GATEWAY_IP",
     .roles = SERVICE_ANCHOR,
     .parse = parse_gateways,
     .offset = IN(service_gateways),
     .help = "network-anchor: an IPv4 and/or an IPv6 address, separated by a comma; no DNS then"},
    {.name = "ANCHORD_GATEWAY_HOSTNAME",
     .roles = SERVICE_ANCHOR,
     .default_value = "anchord",
     .parse = parse_host_name,
     .offset = IN(gateway_host_name),
     .help = "network-anchor: its name, looked up in the namespace's DNS"},
    {.name = "ANCHORD_GATEWAY_RESOLVE_INTERVAL",
     .roles = SERVICE_ANCHOR,
     .default_value = "5s",
     .parse = parse_interval,
     .offset = IN(resolve_interval_milliseconds),
     .help = "how often that name is looked up"},
    {.name = "ANCHORD_METRICS_ADDR",
     .default_value = "127.0.0.1:9090",
     .parse = parse_listener,
     .offset = IN(metrics),
     .may_be_empty = true,
     .help = "where metrics and health are served; :9090 for every address; empty: nowhere"},
    {.name = "ANCHORD_LOG_LEVEL",
     .default_value = "INFO",
     .parse = parse_log_level,
     .offset = IN(log_level),
     .help = "DEBUG, INFO, WARN or ERROR"},
    {.name = "COMPOSE_PROJECT_NAME",
     .roles = REBINDERS,
     .parse = parse_name,
     .offset = IN(project),
     .help = "a rebinder's own Compose project (required by a wrap-rebinder)"},
    {.name = "ANCHORD_WRAP_POLL_INTERVAL",
     .roles = WRAP_REBINDER,
     .default_value = "30s",
     .parse = parse_interval,
     .offset = IN(wrap_poll_interval_milliseconds),
     .help = "how often the containers are looked at besides Docker's events"},
    {.name = "ANCHORD_WRAP_RESTART_TIMEOUT",
     .roles = WRAP_REBINDER,
     .default_value = "10s",
     .parse = parse_interval,
     .offset = IN(wrap_stop_timeout_milliseconds),
     .help = "what a container has to end in before it is killed, rounded up to seconds"},
    {.name = "ANCHORD_FOLLOW_NETWORK",
     .roles = EXTERNAL_REBINDER,
     .parse = parse_padded_name,
     .offset = IN(follow_network),
     .help = "another project's network that a container is to stay on (required)"},
    {.name = "ANCHORD_FOLLOW_TARGET",
     .roles = EXTERNAL_REBINDER,
     .parse = parse_padded_name,
     .offset = IN(follow_target),
     .help = "that container: a service of the own project, else a container's name (required)"},
    {.name = "ANCHORD_FOLLOW_RESTART",
     .roles = EXTERNAL_REBINDER,
     .default_value = "false",
     .parse = parse_boolean,
     .offset = IN(follow_restart),
     .help = "restart it when it has joined the network again"},
    {.name = "ANCHORD_FOLLOW_EVENT_BACKOFF",
     .roles = EXTERNAL_REBINDER,
     .default_value = "2s",
     .parse = parse_delay,
     .offset = IN(follow_backoff_milliseconds),
     .help = "wait so long after the network has changed, before looking whether all are there"},
    {.name = "DOCKER_HOST",
     .roles = NETWORK_ANCHOR | REBINDERS,
     .default_value = "unix:///var/run/docker.sock",
     .parse = parse_docker_host,
     .offset = IN(docker_host),
     .hide_if_wrong = true,
     .help = "unix:///path or tcp://name:port"},

    {.name = "DOCKER_TLS_VERIFY",
     .roles = NETWORK_ANCHOR | REBINDERS,
     .default_value = "false",
     .parse = parse_boolean,
     .offset = IN(docker_tls_verify),
     .help = "with DOCKER_HOST=tcp://: TLS, both sides proving who they are"},
    {.name = "DOCKER_CERT_PATH",
     .roles = NETWORK_ANCHOR | REBINDERS,
     .parse = parse_directory,
     .offset = IN(docker_cert_path),
     .help = "directory with ca.pem, cert.pem and key.pem for that"},

    {.name = "ANCHORD_AUTOFIX_DEAD_NETNS",
     .roles = NETWORK_ANCHOR,
     .default_value = "true",
     .parse = parse_boolean,
     .offset = IN(repairs_dependents),
     .help = "recreate what was pinned to a managed service-anchor that was recreated"},
    {.name = "ANCHORD_MANAGED_SA_TARGET",
     .roles = NETWORK_ANCHOR,
     .parse = parse_container_name,
     .offset = IN(managed[0].target),
     .is_numbered = true,
     .help = "container, made outside of Compose, that is to have a service-anchor"},
    {.name = "ANCHORD_MANAGED_SA_NAME",
     .roles = NETWORK_ANCHOR,
     .parse = parse_container_name,
     .offset = IN(managed[0].name),
     .is_numbered = true,
     .help = "that service-anchor's name (<target>-service-anchor)"},
    {.name = "ANCHORD_MANAGED_SA_IMAGE",
     .roles = NETWORK_ANCHOR,
     .parse = parse_image_name,
     .offset = IN(managed[0].image),
     .is_numbered = true,
     .help = "its image (our own)"},
    {.name = "ANCHORD_MANAGED_SA_GATEWAY_IP",
     .roles = NETWORK_ANCHOR,
     .parse = parse_managed_gateways,
     .offset = IN(managed[0]),
     .is_numbered = true,
     .help = "its ANCHORD_GATEWAY_IP (our own address on the shared network)"},
    {.name = "ANCHORD_MANAGED_SA_EXTRA_ENV",
     .roles = NETWORK_ANCHOR,
     .parse = parse_extra_environment,
     .offset = IN(managed[0].environment),
     .is_numbered = true,
     .is_secret = true,
     .help = "its further environment: a JSON object; never shown"},
    {.name = "ANCHORD_MANAGED_SA_LABELS",
     .roles = NETWORK_ANCHOR,
     .parse = parse_managed_labels,
     .offset = IN(managed[0].labels),
     .is_numbered = true,
     .help = "its labels: a JSON object"},
};
static_assert(ARRAY_LENGTH(variables) <= CONFIGURATION_VARIABLES_MAX, "every variable has its value");

static const char *const source_names[CONFIGURATION_SOURCE_MAX_] = {
    [CONFIGURATION_SOURCE_UNSET] = "unset",
    [CONFIGURATION_SOURCE_DEFAULT] = "default",
    [CONFIGURATION_SOURCE_ENVIRONMENT] = "environment",
    [CONFIGURATION_SOURCE_FALLBACK] = "fallback",
    [CONFIGURATION_SOURCE_ARGUMENT] = "argument",
};

const char *configuration_source_to_string(enum configuration_source source)
{
    return source_names[source];
}

const struct configuration_variable *configuration_variables(size_t *ret_count)
{
    *ret_count = ARRAY_LENGTH(variables);
    return variables;
}

void configuration_add_problem(struct configuration *configuration, bool is_error, const char *variable,
                               const char *format, ...)
{
    struct configuration_problem *problem;
    va_list arguments;

    configuration->error_count += is_error;
    if (configuration->problem_count == CONFIGURATION_PROBLEMS_MAX) {
        configuration->problems_left_out++;
        return;
    }
    problem = &configuration->problems[configuration->problem_count++];
    problem->is_error = is_error;
    text_copy_cut(problem->variable, sizeof(problem->variable), variable);
    va_start(arguments, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): the analyzer loses the va_start above */
    (void)vsnprintf(problem->text, sizeof(problem->text), format, arguments);
    va_end(arguments);
}

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
                                             const char *const environment[])
{
    const char *text = variable->may_be_empty ? find_even_empty(environment, variable->name) : NULL;

    if (!text || *text != '\0')
        text = find_in_environment(environment, variable->name);
    if (text)
        return (struct configuration_value){text, CONFIGURATION_SOURCE_ENVIRONMENT};
    text = variable->fallback ? find_in_environment(environment, variable->fallback) : NULL;
    if (text)
        return (struct configuration_value){text, CONFIGURATION_SOURCE_FALLBACK};
    if (variable->default_value)
        return (struct configuration_value){variable->default_value, CONFIGURATION_SOURCE_DEFAULT};
    return (struct configuration_value){NULL, CONFIGURATION_SOURCE_UNSET};
}

bool configuration_concerns(const struct configuration_variable *variable, enum role role)
{
    return variable->roles == 0 || variable->roles & (1 << role);
}

static void report_unconcerned(struct configuration *configuration, const char *name)
{
    configuration_add_problem(configuration, false, name, "does not concern the role %s, ignoring",
                              role_to_string(configuration->role));
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
    if (!configuration_concerns(variable, configuration->role)) {
        if (value->source == CONFIGURATION_SOURCE_ENVIRONMENT && strncmp(name, PREFIX, strlen(PREFIX)) == 0)
            report_unconcerned(configuration, name);
        return;
    }
    wrong = variable->parse(value->text, (char *)configuration + variable->offset);
    if (variable->is_secret || (wrong && variable->hide_if_wrong))
        value->text = NOT_SHOWN;
    if (wrong)
        configuration_add_problem(configuration, true, name, "\"%.100s\": %s", value->text, wrong);
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
        configuration_add_problem(
            configuration, true, "ANCHORD_DHCP_HOSTNAME",
            "not set, and the first label of ANCHORD_LABEL_SELECTOR has no value to name it after");
    if (!dhcp_name_from(name, configuration->dhcp_name) && configuration_has_dhcp_client(configuration))
        configuration_add_problem(configuration, false, "ANCHORD_DHCP_HOSTNAME",
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
        configuration_add_problem(configuration, false, "ANCHORD_PROJECT",
                                  "ANCHORD_LABEL_SELECTOR is set too and decides alone which containers are in scope");
    if (text && label_selector_parse(text, &selector, &error) < 0)
        configuration_add_problem(configuration, true, "ANCHORD_LABEL_SELECTOR", "entry \"%.100s\": %s", error.entry,
                                  error.reason);
    if (!text && configuration->project[0] == '\0' && !find_in_environment(environment, "ANCHORD_PROJECT") &&
        !find_in_environment(environment, "COMPOSE_PROJECT_NAME"))
        configuration_add_problem(
            configuration, true, "ANCHORD_PROJECT",
            "neither it nor COMPOSE_PROJECT_NAME nor ANCHORD_LABEL_SELECTOR is set: add `environment: "
            "[\"ANCHORD_PROJECT=${COMPOSE_PROJECT_NAME}\"]` to the network-anchor's service");
}

static void check_docker_tls(struct configuration *configuration, const char *const environment[])
{
    bool is_tcp = strncmp(configuration->docker_host, DOCKER_HOST_TCP, strlen(DOCKER_HOST_TCP)) == 0;

    if (configuration->docker_tls_verify && !is_tcp)
        configuration_add_problem(configuration, false, "DOCKER_TLS_VERIFY", "DOCKER_HOST is no tcp://, ignoring");
    else if (configuration->docker_tls_verify && !find_in_environment(environment, "DOCKER_CERT_PATH"))
        configuration_add_problem(
            configuration, true, "DOCKER_CERT_PATH",
            "not set, and DOCKER_TLS_VERIFY needs it: the directory with ca.pem, cert.pem and key.pem");
    else if (!configuration->docker_tls_verify && configuration->docker_cert_path[0] != '\0')
        configuration_add_problem(configuration, false, "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY is not true, ignoring");
    configuration->docker_tls_verify = configuration->docker_tls_verify && is_tcp;
}

/* Rules that concern more than one variable. */
static void check_network_anchor(struct configuration *configuration, const char *const environment[])
{
    check_scope(configuration, environment);
    check_docker_tls(configuration, environment);
    if (find_in_environment(environment, "ANCHORD_EXT_NETWORK") &&
        find_in_environment(environment, "ANCHORD_EXT_IFACE"))
        configuration_add_problem(configuration, false, "ANCHORD_EXT_IFACE",
                                  "ANCHORD_EXT_NETWORK is set too and wins, ignoring");
    if (configuration->shared_network[0] && strcmp(configuration->shared_network, configuration->external_network) == 0)
        configuration_add_problem(
            configuration, true, "ANCHORD_SHARED_NETWORK",
            "\"%s\": is ANCHORD_EXT_NETWORK too; the shared network is the project's internal one",
            configuration->shared_network);
    if (!find_in_environment(environment, "ANCHORD_DHCP_HOSTNAME"))
        default_dhcp_name(configuration);
    dhcp_host_name_from(configuration->dhcp_name, configuration->dhcp_host_name);
}

static void check_service_anchor(struct configuration *configuration, const char *const environment[])
{
    if (find_in_environment(environment, "ANCHORD_GATEWAY_IP") &&
        find_in_environment(environment, "ANCHORD_GATEWAY_HOSTNAME"))
        configuration_add_problem(configuration, false, "ANCHORD_GATEWAY_HOSTNAME",
                                  "ANCHORD_GATEWAY_IP is set too and wins, ignoring");
}

static void require(struct configuration *configuration, const char *const environment[], const char *name,
                    const char *what)
{
    if (!find_in_environment(environment, name))
        configuration_add_problem(configuration, true, name, "not set, and the role %s needs it: %s",
                                  role_to_string(configuration->role), what);
}

static void check_rebinder(struct configuration *configuration, const char *const environment[])
{
    if (configuration->role == ROLE_EXTERNAL_REBINDER) {
        require(configuration, environment, "ANCHORD_FOLLOW_NETWORK", "the network to stay on");
        require(configuration, environment, "ANCHORD_FOLLOW_TARGET", "the service that is to stay on it");
    }
    check_docker_tls(configuration, environment);
    if (configuration->role == ROLE_WRAP_REBINDER && !find_in_environment(environment, "COMPOSE_PROJECT_NAME"))
        configuration_add_problem(
            configuration, true, "COMPOSE_PROJECT_NAME",
            "not set: add `environment: [\"COMPOSE_PROJECT_NAME=${COMPOSE_PROJECT_NAME}\"]` to the service");
}

static const char *nearest_name(const char *name)
{
    const char *nearest = NULL;
    size_t nearest_distance = TEXT_MISSPELT_LETTERS_MAX + 1;

    for (size_t i = 0; i < ARRAY_LENGTH(variables); i++) {
        size_t distance = text_edit_distance(name, variables[i].name);

        if (distance < nearest_distance) {
            nearest_distance = distance;
            nearest = variables[i].name;
        }
    }
    return nearest;
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

    if (!configuration_concerns(variable, configuration->role)) {
        report_unconcerned(configuration, name);
        return;
    }
    entry = configuration_managed_entry(configuration, number);
    if (!entry || configuration->numbered_count == CONFIGURATION_NUMBERED_MAX) {
        configuration_add_problem(configuration, true, name,
                                  "is one too many: %d at most, with the one that has no number", MANAGED_TARGETS_MAX);
        return;
    }
    wrong = variable->parse(text, (char *)entry + (variable->offset - IN(managed[0])));
    text_copy_cut(shown->name, sizeof(shown->name), name);
    shown->text = variable->is_secret ? NOT_SHOWN : text;
    configuration->numbered_count++;
    if (wrong)
        configuration_add_problem(configuration, true, name, "\"%.100s\": %s", shown->text, wrong);
}

static void check_name(struct configuration *configuration, const char *name, const char *text)
{
    const char *nearest;

    for (size_t i = 0; i < ARRAY_LENGTH(variables); i++) {
        uint32_t number = number_of(&variables[i], name);

        if (strcmp(variables[i].name, name) == 0)
            return;
        if (number > 0) {
            apply_numbered(configuration, &variables[i], name, number, text);
            return;
        }
    }
    nearest = nearest_name(name);
    if (nearest)
        configuration_add_problem(configuration, false, name, "unknown, probably misspelt: did you mean %s? ignoring",
                                  nearest);
    else
        configuration_add_problem(configuration, false, name, "unknown, probably misspelt, ignoring");
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
    configuration_managed_begin(ret);
    ret->log_level = LOG_LEVEL_INFO; /* holds when the variable is wrong: the errors must be seen */
    for (size_t i = 0; i < ARRAY_LENGTH(variables); i++) {
        ret->values[i] = find_value(&variables[i], environment);
        if (variables[i].parse == parse_role && role_argument)
            ret->values[i] = (struct configuration_value){role_argument, CONFIGURATION_SOURCE_ARGUMENT};
        apply_value(ret, &variables[i], &ret->values[i]);
    }
    if (ret->role == ROLE_NETWORK_ANCHOR)
        check_network_anchor(ret, environment);
    else if (ret->role == ROLE_SERVICE_ANCHOR)
        check_service_anchor(ret, environment);
    else
        check_rebinder(ret, environment);
    check_names(ret, environment);
    configuration_managed_finish(ret);
}
