/* What "ready" means; see readiness.h. Runs in the supervisor, as root. */
#include "daemon/role/readiness.h"

#include "common/log.h"
#include "protocol/metrics.h"

#include <stdio.h>
#include <systemd/sd-daemon.h>

#define UNMET_TEXT_SIZE 128 /* all names of conditions together */

/* "route_installed: false" of all conditions that do not hold, separated by commas. */
static const char *format_unmet(uint32_t unmet, char text[UNMET_TEXT_SIZE])
{
    size_t length = 0;

    text[0] = '\0';
    for (uint32_t condition = 1; condition <= READINESS_ALL_; condition <<= 1) {
        if (unmet & condition)
            length += (size_t)snprintf(text + length, UNMET_TEXT_SIZE - length, "%s%s: false", length > 0 ? ", " : "",
                                       readiness_condition_to_string(condition));
    }
    return text;
}

void readiness_update(struct readiness *readiness, uint32_t held)
{
    bool is_ready = (held & readiness->required) == readiness->required;
    char unmet[UNMET_TEXT_SIZE];

    metrics_set_readiness(readiness->required, held);
    metrics_set(METRIC_DOCKER_REACHABLE, 0, held & READINESS_DOCKER_CONNECTED ? 1 : 0);
    control_worker_on_readiness(readiness->control, readiness->required, held);
    if (is_ready == readiness->is_ready)
        return;
    readiness->is_ready = is_ready;
    if (!is_ready) {
        log_warn("anchord is not ready any more", LOG_TEXT("unmet", format_unmet(readiness->required & ~held, unmet)));
        return;
    }
    readiness->was_ready = true;
    log_info("anchord ready");
    (void)sd_notify(false, "READY=1\nSTATUS=ready"); /* without a NOTIFY_SOCKET nobody waits for it */
}
