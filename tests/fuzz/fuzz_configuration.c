/*
 * Fuzz target: the environment (daemon/configuration). Lines of NAME=value; a first line without `=` is the role from
 * the command line. What has no errors holds values that the workers can be given.
 */
#include "daemon/configuration/configuration_load.h"
#include "protocol/validate.h"
#include "tests/fuzz/target.h"

#include <stdlib.h>
#include <string.h>

#define ENTRIES_MAX 64

static void check_text(const char *text, size_t size)
{
    if (!memchr(text, '\0', size))
        abort();
}

/* The gate lets every one of them through (LIFE-2). */
static void check_managed(const struct configuration *configuration)
{
    if (configuration->managed_count > MANAGED_TARGETS_MAX ||
        configuration->numbered_count > CONFIGURATION_NUMBERED_MAX)
        abort();
    for (size_t i = 0; i < configuration->managed_count; i++) {
        const struct message_managed_target message = {
            .header = message_header_make(MESSAGE_MANAGED_TARGET, sizeof(message), 0),
            .managed = configuration->managed[i],
        };
        const char *reason;

        if (message_validate(DIRECTION_SUPERVISOR_TO_KEEPER, &message, sizeof(message), 0, &reason) < 0)
            abort();
    }
}

static void check(const struct configuration *configuration)
{
    if (configuration->problem_count > CONFIGURATION_PROBLEMS_MAX ||
        configuration->error_count > configuration->problem_count + configuration->problems_left_out)
        abort();
    for (size_t i = 0; i < configuration->problem_count; i++) {
        check_text(configuration->problems[i].variable, sizeof(configuration->problems[i].variable));
        check_text(configuration->problems[i].text, sizeof(configuration->problems[i].text));
        if (configuration->problems[i].variable[0] == '\0' || configuration->problems[i].text[0] == '\0')
            abort();
    }
    if (configuration->error_count > 0)
        return;
    check_text(configuration->project, sizeof(configuration->project));
    check_text(configuration->external_network, sizeof(configuration->external_network));
    check_text(configuration->external_interface, sizeof(configuration->external_interface));
    check_text(configuration->shared_network, sizeof(configuration->shared_network));
    check_text(configuration->docker_host, sizeof(configuration->docker_host));
    check_text(configuration->dhcp_host_name, sizeof(configuration->dhcp_host_name));
    check_text(configuration->dhcp_name, sizeof(configuration->dhcp_name));
    check_text(configuration->gateway_host_name, sizeof(configuration->gateway_host_name));
    if (configuration->role >= ROLE_MAX_)
        abort();
    check_managed(configuration);
    if (configuration->role == ROLE_NETWORK_ANCHOR &&
        ((configuration->project[0] == '\0' && configuration->label_selector[0] == '\0') ||
         configuration->poll_interval_milliseconds == 0 || configuration->dhcp_backoff_max_milliseconds == 0))
        abort();
    if (configuration_has_dhcp_client(configuration) &&
        (configuration->dhcp_host_name[0] == '\0' || configuration->dhcp_name[0] == '\0'))
        abort();
    if (configuration->role == ROLE_ATTACH &&
        (configuration->project[0] == '\0' || strchr(configuration->project, '/') || configuration->expose_from == 0 ||
         configuration->expose_from > EXPOSE_FROM_ALL_ || configuration->address_mode == 0))
        abort();
    if (configuration->role == ROLE_SERVICE_ANCHOR && configuration->resolve_interval_milliseconds == 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    const char *environment[ENTRIES_MAX + 1] = {NULL};
    struct configuration *configuration = calloc(1, sizeof(*configuration));
    char *text = malloc(length + 1);
    const char *role = NULL;
    size_t count = 0;
    char *rest = text;

    if (text && configuration) {
        if (length > 0)
            memcpy(text, bytes, length);
        text[length] = '\0';
        for (char *line = strsep(&rest, "\n"); line && count < ENTRIES_MAX; line = strsep(&rest, "\n")) {
            if (count == 0 && !role && !strchr(line, '='))
                role = line;
            else
                environment[count++] = line;
        }
        configuration_load(role, environment, configuration);
        check(configuration);
    }
    free(text);
    free(configuration);
    return 0;
}
