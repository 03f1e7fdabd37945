/* Unit tests of daemon/configuration/configuration_load: sources, defaults, every error at once (SPEC §1, §10). */
#include "common/cleanup.h"
#include "daemon/configuration/configuration_variables.h"
#include "tests/unit/configuration_help.h"

#include <stdio.h>
#include <string.h>

static const struct configuration_value *value_of(const char *name)
{
    size_t count;
    const struct configuration_variable *variables = configuration_variables(&count);

    for (size_t i = 0; i < count; i++) {
        if (strcmp(variables[i].name, name) == 0)
            return &configuration.values[i];
    }
    fail_msg("no variable %s", name);
    return NULL;
}

static void defaults_hold(void **state)
{
    (void)state;
    load(NULL, ENVIRONMENT("ANCHORD_PROJECT=mail"));
    assert_int_equal(configuration.problem_count, 0);
    assert_int_equal(configuration.role, ROLE_NETWORK_ANCHOR);
    assert_int_equal(configuration.address_mode, ADDRESS_MODE_BOOTSTRAP);
    assert_int_equal(configuration.log_level, LOG_LEVEL_INFO);
    assert_true(configuration.claim_gateway);
    assert_int_equal(configuration.poll_interval_milliseconds, 30000);
    assert_int_equal(configuration.external_gateways.v4.family, IP_FAMILY_NONE);
    assert_string_equal(configuration.project, "mail");
    assert_string_equal(configuration.external_network, "");
    assert_string_equal(configuration.external_interface, "eth0");
    assert_string_equal(configuration.shared_network, "");
    assert_string_equal(configuration.docker_host, "unix:///var/run/docker.sock");
    assert_int_equal(value_of("ANCHORD_PROJECT")->source, CONFIGURATION_SOURCE_ENVIRONMENT);
    assert_int_equal(value_of("ANCHORD_LOG_LEVEL")->source, CONFIGURATION_SOURCE_DEFAULT);
    assert_int_equal(value_of("ANCHORD_SHARED_NETWORK")->source, CONFIGURATION_SOURCE_UNSET);
}

static void environment_is_taken(void **state)
{
    (void)state;
    load(NULL, ENVIRONMENT("ANCHORD_PROJECT=mail", "ANCHORD_EXT_NETWORK=lan", "ANCHORD_SHARED_NETWORK=transit",
                           "ANCHORD_EXT_GATEWAY_IP=10.0.0.1", "ANCHORD_CLAIM_GATEWAY=off", "ANCHORD_POLL_INTERVAL=1m",
                           "ANCHORD_LOG_LEVEL=WARN", "DOCKER_HOST=tcp://proxy:2375"));
    assert_int_equal(configuration.problem_count, 0);
    assert_string_equal(configuration.external_network, "lan");
    assert_string_equal(configuration.shared_network, "transit");
    assert_int_equal(configuration.external_gateways.v4.family, IP_FAMILY_4);
    assert_false(configuration.claim_gateway);
    assert_int_equal(configuration.poll_interval_milliseconds, 60000);
    assert_int_equal(configuration.log_level, LOG_LEVEL_WARN);
    assert_string_equal(configuration.docker_host, "tcp://proxy:2375");
}

static void empty_means_unset(void **state)
{
    (void)state;
    load(NULL, ENVIRONMENT("ANCHORD_PROJECT=", "COMPOSE_PROJECT_NAME=shop", "ANCHORD_MODE=", "DOCKER_HOST=",
                           "ANCHORD_POLL_INTERVAL=", "ANCHORD_LABEL_SELECTOR=", "ANCHORD_TYPO="));
    assert_int_equal(configuration.problem_count, 0);
    assert_string_equal(configuration.project, "shop");
    assert_int_equal(value_of("ANCHORD_PROJECT")->source, CONFIGURATION_SOURCE_FALLBACK);
    assert_int_equal(value_of("ANCHORD_POLL_INTERVAL")->source, CONFIGURATION_SOURCE_DEFAULT);
}

/* USE-6: its exporter would take the port from an application in its namespace. */
static void a_service_anchor_listens_when_it_is_told_to_alone(void **state)
{
    (void)state;
    load("service-anchor", ENVIRONMENT("ANCHORD_GATEWAY_HOSTNAME=anchord"));
    assert_int_equal(configuration.problem_count, 0);
    assert_false(configuration.metrics.is_enabled);
    assert_int_equal(value_of("ANCHORD_METRICS_ADDR")->source, CONFIGURATION_SOURCE_UNSET);
    load("service-anchor", ENVIRONMENT("ANCHORD_METRICS_ADDR=:9090"));
    assert_true(configuration.metrics.is_enabled);
    load("wrap-rebinder", ENVIRONMENT("COMPOSE_PROJECT_NAME=mail"));
    assert_true(configuration.metrics.is_enabled);
}

static void an_empty_metrics_address_means_nowhere(void **state)
{
    (void)state;
    load(NULL, ENVIRONMENT("ANCHORD_PROJECT=mail", "ANCHORD_METRICS_ADDR="));
    assert_int_equal(configuration.problem_count, 0);
    assert_false(configuration.metrics.is_enabled);
    load(NULL, ENVIRONMENT("ANCHORD_PROJECT=mail"));
    assert_true(configuration.metrics.is_enabled);
    assert_int_equal(configuration.metrics.port, 9090);
    assert_int_equal(configuration.metrics.address.family, IP_FAMILY_4);
}

static void project_is_required_and_own_one_wins(void **state)
{
    (void)state;
    load(NULL, ENVIRONMENT("PATH=/usr/bin"));
    assert_int_equal(configuration.error_count, 1);
    assert_problem("ANCHORD_PROJECT", true, "COMPOSE_PROJECT_NAME");
    load(NULL, ENVIRONMENT("COMPOSE_PROJECT_NAME=shop", "ANCHORD_PROJECT=mail"));
    assert_string_equal(configuration.project, "mail");
    load(NULL, ENVIRONMENT("COMPOSE_PROJECT_NAME=two words"));
    assert_problem("COMPOSE_PROJECT_NAME", true, "\"two words\"");
    assert_int_equal(configuration.error_count, 1);
}

static void a_selector_replaces_the_project(void **state)
{
    (void)state;
    load(NULL, ENVIRONMENT("ANCHORD_LABEL_SELECTOR= anchord.identity = mail ,tier="));
    assert_int_equal(configuration.problem_count, 0);
    assert_string_equal(configuration.project, "");
    load(NULL, ENVIRONMENT("ANCHORD_LABEL_SELECTOR=a=b", "COMPOSE_PROJECT_NAME=shop"));
    assert_int_equal(configuration.problem_count, 0);
    load(NULL, ENVIRONMENT("ANCHORD_LABEL_SELECTOR=a=b", "ANCHORD_PROJECT=mail"));
    assert_int_equal(configuration.problem_count, 1);
    assert_problem("ANCHORD_PROJECT", false, "ANCHORD_LABEL_SELECTOR is set too");
    load(NULL, ENVIRONMENT("ANCHORD_LABEL_SELECTOR=a=b,lonely"));
    assert_int_equal(configuration.error_count, 1);
    assert_problem("ANCHORD_LABEL_SELECTOR", true, "entry \"lonely\": no `=`");
    load(NULL, ENVIRONMENT("ANCHORD_LABEL_SELECTOR=a=1,a=2"));
    assert_problem("ANCHORD_LABEL_SELECTOR", true, "entry \"a=2\": the key has another value");
    load("service-anchor", ENVIRONMENT("ANCHORD_LABEL_SELECTOR=a=b"));
    assert_problem("ANCHORD_LABEL_SELECTOR", false, "does not concern the role");
}

static void argument_wins_over_the_variable(void **state)
{
    (void)state;
    load("network-anchor", ENVIRONMENT("ANCHORD_PROJECT=mail", "ANCHORD_MODE=nonsense"));
    assert_int_equal(configuration.problem_count, 0);
    assert_int_equal(value_of("ANCHORD_MODE")->source, CONFIGURATION_SOURCE_ARGUMENT);
    load("nonsense", ENVIRONMENT("ANCHORD_PROJECT=mail", "ANCHORD_MODE=network-anchor"));
    assert_problem("first argument", true,
                   "\"nonsense\": is no role: there are network-anchor, service-anchor, external-rebinder, "
                   "wrap-rebinder, attach, attach-host");
}

/* One wrong value for each variable; the names come from the table, so that none is forgotten. */
static const char *wrong_value(const char *name)
{
    return strcmp(name, "ANCHORD_PROJECT") == 0          ? "two words"
           : strcmp(name, "ANCHORD_EXT_NETWORK") == 0    ? "two words"
           : strcmp(name, "ANCHORD_SHARED_NETWORK") == 0 ? "two words"
                                                         : "?/";
}

static bool is_wrong(const struct configuration_variable *variable)
{
    return configuration_variables_concern(variable, ROLE_NETWORK_ANCHOR);
}

static void every_error_is_told_at_once(void **state)
{
    size_t count, wrong_count = 0;
    const struct configuration_variable *variables = configuration_variables(&count);
    char texts[CONFIGURATION_VARIABLES_MAX][96];
    const char *environment[CONFIGURATION_VARIABLES_MAX + 1] = {NULL};

    (void)state;
    for (size_t i = 0; i < count; i++) {
        if (!is_wrong(&variables[i]))
            continue;
        (void)snprintf(texts[wrong_count], sizeof(texts[0]), "%s=%s", variables[i].name,
                       wrong_value(variables[i].name));
        environment[wrong_count] = texts[wrong_count];
        wrong_count++;
    }
    load(NULL, environment);
    assert_int_equal(configuration.error_count, wrong_count);
    for (size_t i = 0; i < count; i++) {
        if (!is_wrong(&variables[i]))
            continue;
        assert_problem(variables[i].name, true,
                       variables[i].hide_if_wrong || variables[i].is_secret ? "(not shown)"
                                                                            : wrong_value(variables[i].name));
    }
}

/* SPEC 10: white space alone is no value. */
static void white_space_alone_is_unset(void **state)
{
    (void)state;
    load(NULL, ENVIRONMENT("ANCHORD_PROJECT= \t", "COMPOSE_PROJECT_NAME=mail",
                           "ANCHORD_POLL_INTERVAL= ", "ANCHORD_METRICS_ADDR=\n", "ANCHORD_MANAGED_SA_TARGET_2= ",
                           "ANCHORD_MISSPELT= ", "DOCKER_HOST= ", "ANCHORD_EXT_NETWORK=\t", "ANCHORD_MODE= "));
    assert_int_equal(configuration.problem_count, 0);
    assert_string_equal(configuration.project, "mail");
    assert_int_equal(configuration.poll_interval_milliseconds, 30000);
    assert_int_equal(configuration.managed_count, 0);
    assert_true(configuration.metrics.is_enabled);
    assert_string_equal(configuration.external_network, "");
    load(NULL, ENVIRONMENT("ANCHORD_PROJECT=mail", "ANCHORD_METRICS_ADDR="));
    assert_false(configuration.metrics.is_enabled);
    load(NULL, ENVIRONMENT("ANCHORD_PROJECT=mail", "ANCHORD_LOG_LEVEL=loud"));
    assert_problem("ANCHORD_LOG_LEVEL", true, "must be");
}

/* ADDR-5 */
static void the_dhcp_name_has_its_defaults(void **state)
{
    (void)state;
    load(NULL, ENVIRONMENT("ANCHORD_PROJECT=my_proj", "ANCHORD_ADDRESS_MODE=dhcp-refresh"));
    assert_int_equal(configuration.problem_count, 0);
    assert_string_equal(configuration.dhcp_name, "my_proj");
    assert_string_equal(configuration.dhcp_host_name, "my-proj");
    load(NULL,
         ENVIRONMENT("ANCHORD_LABEL_SELECTOR=tier=front,identity=my_mail,zone=1", "ANCHORD_ADDRESS_MODE=dhcp-refresh"));
    assert_int_equal(configuration.problem_count, 0);
    assert_string_equal(configuration.dhcp_name, "my_mail");
    assert_string_equal(configuration.dhcp_host_name, "my-mail");
    load(NULL, ENVIRONMENT("ANCHORD_LABEL_SELECTOR=identity=mail", "COMPOSE_PROJECT_NAME=proj",
                           "ANCHORD_ADDRESS_MODE=dhcp-refresh"));
    assert_string_equal(configuration.dhcp_name, "proj");
    load(NULL, ENVIRONMENT("ANCHORD_LABEL_SELECTOR=identity=mail", "ANCHORD_DHCP_HOSTNAME=one_name",
                           "ANCHORD_ADDRESS_MODE=dhcp-refresh"));
    assert_int_equal(configuration.problem_count, 0);
    assert_string_equal(configuration.dhcp_name, "one_name");
    assert_string_equal(configuration.dhcp_host_name, "one-name");
    load(NULL, ENVIRONMENT("ANCHORD_LABEL_SELECTOR=identity=,z=1", "ANCHORD_ADDRESS_MODE=dhcp-refresh"));
    assert_problem("ANCHORD_DHCP_HOSTNAME", true, "has no value to name it after");
    load(NULL, ENVIRONMENT("ANCHORD_LABEL_SELECTOR=identity=,z=1"));
    assert_int_equal(configuration.problem_count, 0);
    load(NULL, ENVIRONMENT("ANCHORD_PROJECT=a\"b", "ANCHORD_ADDRESS_MODE=dhcp-refresh"));
    assert_problem("ANCHORD_DHCP_HOSTNAME", false, "know it by a-b");
}

static void an_external_rebinder_needs_no_project(void **state)
{
    (void)state;
    load("external-rebinder", ENVIRONMENT("ANCHORD_FOLLOW_NETWORK= bus ", "ANCHORD_FOLLOW_TARGET=monitor\t",
                                          "ANCHORD_FOLLOW_EVENT_BACKOFF=0"));
    assert_int_equal(configuration.problem_count, 0);
    assert_string_equal(configuration.follow_network, "bus");
    assert_string_equal(configuration.follow_target, "monitor");
    assert_int_equal(configuration.follow_backoff_milliseconds, 0);
    load("wrap-rebinder", ENVIRONMENT("ANCHORD_LOG_LEVEL=INFO"));
    assert_problem("COMPOSE_PROJECT_NAME", true, "not set");
}

static void a_service_anchor_needs_no_project(void **state)
{
    (void)state;
    load("service-anchor", ENVIRONMENT("DOCKER_HOST=unix:relative", "PATH=/usr/bin"));
    assert_int_equal(configuration.problem_count, 0);
    assert_int_equal(configuration.role, ROLE_SERVICE_ANCHOR);
    assert_string_equal(configuration.gateway_host_name, "anchord");
    assert_int_equal(configuration.resolve_interval_milliseconds, 5000);
    assert_int_equal(configuration.service_gateways.v4.family, IP_FAMILY_NONE);
    load(NULL, ENVIRONMENT("ANCHORD_MODE=service-anchor", "ANCHORD_GATEWAY_IP= 172.30.0.2 , fd30::2 "));
    assert_int_equal(configuration.problem_count, 0);
    assert_int_equal(configuration.service_gateways.v4.family, IP_FAMILY_4);
    assert_int_equal(configuration.service_gateways.v6.family, IP_FAMILY_6);
}

/* SA-1 */
static void wrong_gateways_of_a_service_anchor_are_fatal(void **state)
{
    static const char *const wrong[] = {
        "ANCHORD_GATEWAY_IP=172.30.0.2,172.30.0.3",
        "ANCHORD_GATEWAY_IP=fd30::2,172.30.0.2,fd30::3",
        "ANCHORD_GATEWAY_IP=172.30.0",
        "ANCHORD_GATEWAY_IP=172.30.0.2,",
        "ANCHORD_GATEWAY_IP=127.0.0.1",
        "ANCHORD_GATEWAY_HOSTNAME=two words",
        "ANCHORD_GATEWAY_HOSTNAME=a..b",
        "ANCHORD_GATEWAY_HOSTNAME=http://anchord",
        "ANCHORD_GATEWAY_RESOLVE_INTERVAL=0",
        "ANCHORD_GATEWAY_RESOLVE_INTERVAL=0s",
        "ANCHORD_GATEWAY_RESOLVE_INTERVAL=-5s",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        load("service-anchor", ENVIRONMENT(wrong[i]));
        if (configuration.error_count != 1)
            fail_msg("%s: %zu errors", wrong[i], configuration.error_count);
    }
}

static void the_gateways_address_wins_over_its_name(void **state)
{
    (void)state;
    load("service-anchor", ENVIRONMENT("ANCHORD_GATEWAY_IP=172.30.0.2", "ANCHORD_GATEWAY_HOSTNAME=anchor"));
    assert_int_equal(configuration.error_count, 0);
    assert_problem("ANCHORD_GATEWAY_HOSTNAME", false, "ANCHORD_GATEWAY_IP is set too and wins");
}

static void variables_of_another_role_are_ignored_with_a_warning(void **state)
{
    (void)state;
    load("service-anchor", ENVIRONMENT("ANCHORD_POLL_INTERVAL=nonsense", "ANCHORD_PROJECT=mail"));
    assert_int_equal(configuration.error_count, 0);
    assert_problem("ANCHORD_POLL_INTERVAL", false, "does not concern the role service-anchor");
    assert_problem("ANCHORD_PROJECT", false, "does not concern the role service-anchor");
    load(NULL, ENVIRONMENT("ANCHORD_PROJECT=mail", "ANCHORD_GATEWAY_IP=nonsense"));
    assert_int_equal(configuration.error_count, 0);
    assert_problem("ANCHORD_GATEWAY_IP", false, "does not concern the role network-anchor");
}

static void wrong_docker_host_is_not_repeated(void **state)
{
    (void)state;
    load(NULL, ENVIRONMENT("ANCHORD_PROJECT=mail", "DOCKER_HOST=tcp://user:secret@proxy:2375"));
    assert_problem("DOCKER_HOST", true, "must be tcp://name:port");
    assert_null(strstr(find_problem("DOCKER_HOST", true)->text, "secret"));
    assert_null(strstr(value_of("DOCKER_HOST")->text, "secret"));
}

static void network_wins_over_interface_with_a_warning(void **state)
{
    (void)state;
    load(NULL, ENVIRONMENT("ANCHORD_PROJECT=mail", "ANCHORD_EXT_NETWORK=lan", "ANCHORD_EXT_IFACE=eth1"));
    assert_int_equal(configuration.error_count, 0);
    assert_problem("ANCHORD_EXT_IFACE", false, "ANCHORD_EXT_NETWORK is set too and wins");
}

static void one_network_cannot_be_both(void **state)
{
    (void)state;
    load(NULL, ENVIRONMENT("ANCHORD_PROJECT=mail", "ANCHORD_EXT_NETWORK=lan", "ANCHORD_SHARED_NETWORK=lan"));
    assert_problem("ANCHORD_SHARED_NETWORK", true, "is ANCHORD_EXT_NETWORK too");
}

static void misspelt_names_are_pointed_out(void **state)
{
    (void)state;
    load(NULL, ENVIRONMENT("ANCHORD_PROJECT=mail", "ANCHORD_POLINTERVAL=1s", "ANCHORD_EXTNETWORK=lan",
                           "ANCHORD_SOMETHING_ENTIRELY_DIFFERENT=1", "OTHER_POLL_INTERVAL=1s"));
    assert_int_equal(configuration.error_count, 0);
    assert_int_equal(configuration.problem_count, 3);
    assert_problem("ANCHORD_POLINTERVAL", false, "did you mean ANCHORD_POLL_INTERVAL?");
    assert_problem("ANCHORD_EXTNETWORK", false, "did you mean ANCHORD_EXT_NETWORK?");
    assert_problem("ANCHORD_SOMETHING_ENTIRELY_DIFFERENT", false, "unknown, probably misspelt, ignoring");
}

/* The nearest variable of ANCHORD_EXPOSE is ANCHORD_MODE, which helps nobody. */
static void labels_are_no_variables(void **state)
{
    (void)state;
    load(NULL, ENVIRONMENT("ANCHORD_PROJECT=mail", "ANCHORD_EXPOSE=tcp/25", "ANCHORD_EXPOSE_V6=off",
                           "ANCHORD_EXPOSE_WHEN=healthy", "ANCHORD_TARGET=web"));
    assert_int_equal(configuration.error_count, 0);
    assert_int_equal(configuration.problem_count, 4);
    assert_problem("ANCHORD_EXPOSE", false, "anchord.expose is a label, and stands under `labels:`");
    assert_problem("ANCHORD_EXPOSE_V6", false, "anchord.expose.v6 is a label");
    assert_problem("ANCHORD_EXPOSE_WHEN", false, "anchord.expose.when is a label");
    assert_problem("ANCHORD_TARGET", false, "anchord.target is a label");
}

static void tls_to_docker_needs_its_files(void **state)
{
    (void)state;
    load(NULL, ENVIRONMENT("ANCHORD_PROJECT=mail", "DOCKER_HOST=tcp://engine:2376", "DOCKER_TLS_VERIFY=1",
                           "DOCKER_CERT_PATH=/certificates"));
    assert_int_equal(configuration.problem_count, 0);
    assert_true(configuration.docker_tls_verify);
    load(NULL, ENVIRONMENT("ANCHORD_PROJECT=mail", "DOCKER_HOST=tcp://engine:2376", "DOCKER_TLS_VERIFY=true"));
    assert_problem("DOCKER_CERT_PATH", true, "ca.pem, cert.pem and key.pem");
    load(NULL, ENVIRONMENT("ANCHORD_PROJECT=mail", "DOCKER_HOST=tcp://engine:2376", "DOCKER_TLS_VERIFY=1",
                           "DOCKER_CERT_PATH=certificates"));
    assert_problem("DOCKER_CERT_PATH", true, "is no absolute path");
    load(NULL, ENVIRONMENT("ANCHORD_PROJECT=mail", "DOCKER_HOST=tcp://engine:2376", "DOCKER_CERT_PATH=/certificates"));
    assert_problem("DOCKER_CERT_PATH", false, "DOCKER_TLS_VERIFY is not true");
    load(NULL, ENVIRONMENT("ANCHORD_PROJECT=mail", "DOCKER_TLS_VERIFY=1", "DOCKER_CERT_PATH=/certificates"));
    assert_problem("DOCKER_TLS_VERIFY", false, "DOCKER_HOST is no tcp://");
    assert_false(configuration.docker_tls_verify);
}

/* LIFE-2 */
static void managed_targets_are_read_by_their_numbers(void **state)
{
    const struct managed_target *managed = configuration.managed;

    (void)state;
    load(NULL, ENVIRONMENT("ANCHORD_PROJECT=mail"));
    assert_int_equal(configuration.managed_count, 0);
    assert_true(configuration.repairs_dependents);
    load(NULL, ENVIRONMENT("ANCHORD_PROJECT=mail", "ANCHORD_MANAGED_SA_TARGET_10=ten", "ANCHORD_MANAGED_SA_TARGET=one",
                           "ANCHORD_MANAGED_SA_NAME_3=three-anchor", "ANCHORD_MANAGED_SA_TARGET_3=three",
                           "ANCHORD_MANAGED_SA_IMAGE_3=registry.example:5000/anchord@sha256:ab",
                           "ANCHORD_MANAGED_SA_GATEWAY_IP_3=192.0.2.1, 2001:db8::1",
                           "ANCHORD_MANAGED_SA_EXTRA_ENV_3={\"A\": \"b=\\\"c\", \"D\": \"\"}",
                           "ANCHORD_MANAGED_SA_LABELS_3={\"anchord.expose\": \"tcp/25\"}"));
    assert_int_equal(configuration.problem_count, 0);
    assert_int_equal(configuration.managed_count, 3);
    assert_int_equal(managed[0].number, 1);
    assert_string_equal(managed[0].name, "one-service-anchor");
    assert_int_equal(managed[1].number, 3);
    assert_string_equal(managed[1].name, "three-anchor");
    assert_string_equal(managed[1].image, "registry.example:5000/anchord@sha256:ab");
    assert_int_equal(managed[1].gateway4.family, IP_FAMILY_4);
    assert_int_equal(managed[1].gateway6.family, IP_FAMILY_6);
    assert_int_equal(managed[1].environment.length, sizeof("A=b=\"c\0D="));
    assert_memory_equal(managed[1].environment.text, "A=b=\"c\0D=", sizeof("A=b=\"c\0D="));
    assert_string_equal(managed[1].labels.text, "anchord.expose=tcp/25");
    assert_int_equal(managed[2].number, 10);
}

static void what_is_wrong_with_managed_targets_is_said(void **state)
{
    static const struct {
        const char *variable; /* with its value */
        const char *text;
    } cases[] = {
        {"ANCHORD_MANAGED_SA_EXTRA_ENV_2={\"A\": 1}", "key \"A\": its value is no text"},
        {"ANCHORD_MANAGED_SA_EXTRA_ENV_2={\"A\": \"1\", \"A\": \"2\"}", "key \"A\": stands there twice"},
        {"ANCHORD_MANAGED_SA_EXTRA_ENV_2={\"A=B\": \"1\"}", "key \"A=B\": is empty or has a `=`"},
        {"ANCHORD_MANAGED_SA_EXTRA_ENV_2={\"A\": \"\\u0000\"}", "is no JSON object"},
        {"ANCHORD_MANAGED_SA_EXTRA_ENV_2=[]", "\"(not shown)\": is no JSON object"},
        {"ANCHORD_MANAGED_SA_LABELS_2={\"anchord.managed-by\": \"me\"}", "key \"anchord.managed-by\": belongs to"},
        {"ANCHORD_MANAGED_SA_LABELS_2={\"com.docker.compose.project\": \"x\"}", "key \"com.docker.compose.project\""},
        {"ANCHORD_MANAGED_SA_LABELS_2={\"\": \"x\"}", "key \"\": is empty"},
        {"ANCHORD_MANAGED_SA_NAME_2=aio", "is its target's name"},
        {"ANCHORD_MANAGED_SA_NAME_2=one-service-anchor", "is the name of number 1, too"},
        {"ANCHORD_MANAGED_SA_GATEWAY_IP_2=192.0.2.1,192.0.2.2", "two addresses of one family"},
        {"ANCHORD_MANAGED_SA_IMAGE_2=a b", "is no image's name"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char variable[64];

        (void)snprintf(variable, sizeof(variable), "%.*s", (int)strcspn(cases[i].variable, "="), cases[i].variable);
        load(NULL, ENVIRONMENT("ANCHORD_PROJECT=mail", "ANCHORD_MANAGED_SA_TARGET=one",
                               "ANCHORD_MANAGED_SA_TARGET_2=aio", cases[i].variable));
        assert_problem(variable, true, cases[i].text);
        assert_int_equal(configuration.error_count, 1);
    }
    load(NULL, ENVIRONMENT("ANCHORD_PROJECT=mail", "ANCHORD_MANAGED_SA_NAME_2=aio"));
    assert_problem("ANCHORD_MANAGED_SA_TARGET_2", false, "not set, ignoring");
    assert_int_equal(configuration.managed_count, 0);
    load(NULL, ENVIRONMENT("ANCHORD_PROJECT=mail", "ANCHORD_MANAGED_SA_TARGET_1=aio"));
    assert_problem("ANCHORD_MANAGED_SA_TARGET_1", false, "misspelt");
    load(NULL, ENVIRONMENT("ANCHORD_PROJECT=mail", "ANCHORD_MANAGED_SA_TARGET_02=aio"));
    assert_problem("ANCHORD_MANAGED_SA_TARGET_02", false, "misspelt");
    load("service-anchor", ENVIRONMENT("ANCHORD_MANAGED_SA_TARGET_2=aio"));
    assert_problem("ANCHORD_MANAGED_SA_TARGET_2", false, "does not concern the role");
}

static void managed_targets_have_a_limit(void **state)
{
    char texts[MANAGED_TARGETS_MAX][48];
    const char *environment[MANAGED_TARGETS_MAX + 2] = {"ANCHORD_PROJECT=mail"};

    (void)state;
    for (size_t i = 0; i < MANAGED_TARGETS_MAX; i++) {
        (void)snprintf(texts[i], sizeof(texts[i]), "ANCHORD_MANAGED_SA_TARGET_%zu=target-%zu", i + 2, i);
        environment[i + 1] = texts[i];
    }
    load(NULL, environment);
    assert_problem("ANCHORD_MANAGED_SA_TARGET_17", true, "is one too many");
    environment[MANAGED_TARGETS_MAX] = NULL;
    load(NULL, environment);
    assert_int_equal(configuration.problem_count, 0);
    assert_int_equal(configuration.managed_count, MANAGED_TARGETS_MAX - 1);
}

static void problems_have_a_limit(void **state)
{
    char texts[CONFIGURATION_PROBLEMS_MAX + 1][48];
    const char *environment[CONFIGURATION_PROBLEMS_MAX + 2] = {NULL};

    (void)state;
    /* One error for the missing project, then as many warnings. */
    for (size_t i = 0; i <= CONFIGURATION_PROBLEMS_MAX; i++) {
        (void)snprintf(texts[i], sizeof(texts[i]), "ANCHORD_UNHEARD_OF_%zu=1", i);
        environment[i] = texts[i];
    }
    load(NULL, environment);
    assert_int_equal(configuration.problem_count, CONFIGURATION_PROBLEMS_MAX);
    assert_int_equal(configuration.problems_left_out, 2);
    assert_int_equal(configuration.error_count, 1);
    environment[CONFIGURATION_PROBLEMS_MAX - 1] = NULL;
    load(NULL, environment);
    assert_int_equal(configuration.problem_count, CONFIGURATION_PROBLEMS_MAX);
    assert_int_equal(configuration.problems_left_out, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_hold),
        cmocka_unit_test(environment_is_taken),
        cmocka_unit_test(empty_means_unset),
        cmocka_unit_test(a_service_anchor_listens_when_it_is_told_to_alone),
        cmocka_unit_test(an_empty_metrics_address_means_nowhere),
        cmocka_unit_test(project_is_required_and_own_one_wins),
        cmocka_unit_test(a_selector_replaces_the_project),
        cmocka_unit_test(argument_wins_over_the_variable),
        cmocka_unit_test(every_error_is_told_at_once),
        cmocka_unit_test(white_space_alone_is_unset),
        cmocka_unit_test(the_dhcp_name_has_its_defaults),
        cmocka_unit_test(an_external_rebinder_needs_no_project),
        cmocka_unit_test(a_service_anchor_needs_no_project),
        cmocka_unit_test(wrong_gateways_of_a_service_anchor_are_fatal),
        cmocka_unit_test(the_gateways_address_wins_over_its_name),
        cmocka_unit_test(variables_of_another_role_are_ignored_with_a_warning),
        cmocka_unit_test(wrong_docker_host_is_not_repeated),
        cmocka_unit_test(network_wins_over_interface_with_a_warning),
        cmocka_unit_test(one_network_cannot_be_both),
        cmocka_unit_test(misspelt_names_are_pointed_out),
        cmocka_unit_test(labels_are_no_variables),
        cmocka_unit_test(tls_to_docker_needs_its_files),
        cmocka_unit_test(managed_targets_are_read_by_their_numbers),
        cmocka_unit_test(what_is_wrong_with_managed_targets_is_said),
        cmocka_unit_test(managed_targets_have_a_limit),
        cmocka_unit_test(problems_have_a_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
