/*
 * Fuzz target: dhcpcd's environment (workers/lease/lease_environment), lines of NAME=value. Whatever a DHCP server made
 * dhcpcd say, the event is one that the supervisor's gate lets through, or there is none.
 */
#include "protocol/validate.h"
#include "tests/fuzz/target.h"
#include "workers/lease/lease_environment.h"

#include <stdlib.h>
#include <string.h>

#define ENTRIES_MAX 96

static void check(const char *const environment[])
{
    struct message_lease_event event;
    struct lease_problem problem = {NULL, NULL};
    const char *reason = NULL;
    struct lease_omissions omissions = {.routes = 0};

    if (lease_environment_parse(environment, &event, &omissions, &problem) < 0) {
        if (!problem.variable || !problem.reason)
            abort();
        return;
    }
    if (message_validate(DIRECTION_LEASE_TO_SUPERVISOR, &event, sizeof(event), 0, &reason) != 0)
        abort();
    if (omissions.address_count > LEASE_IDENTITY_READ_MAX ||
        (omissions.address_count > 0 && event.lease.further_count != LEASE_FURTHER_MAX))
        abort();
    if ((omissions.routes > 0 && event.lease.route_count != LEASE_ROUTES_MAX) || (omissions.mtu && event.lease.mtu))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    const char *environment[ENTRIES_MAX + 1] = {NULL};
    char *text = malloc(length + 1);
    char *rest = text;
    size_t count = 0;

    if (!text)
        return 0;
    if (length > 0)
        memcpy(text, bytes, length);
    text[length] = '\0';
    for (char *line = strsep(&rest, "\n"); line && count < ENTRIES_MAX; line = strsep(&rest, "\n"))
        environment[count++] = line;
    check(environment);
    free(text);
    return 0;
}
