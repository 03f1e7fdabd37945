/* What "ready" means; see readiness.h. Runs in the supervisor, as root. */
#include "daemon/role/readiness.h"

#include "common/log.h"
#include "protocol/metrics.h"

#include <stdio.h>
#include <systemd/sd-daemon.h>

#define UNMET_TEXT_SIZE 128 /* all names of conditions together */

/* Of a process, which is in one place and has one readiness. */
static char place[READINESS_PLACE_SIZE];
static const struct readiness *shown;

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

/* Without a NOTIFY_SOCKET nobody reads it. */
static void show_state(const struct readiness *readiness)
{
    const char *separator = place[0] != '\0' ? " " : "";
    char unmet[UNMET_TEXT_SIZE];

    if (readiness->is_ready)
        (void)sd_notifyf(false, "STATUS=Ready%s%s", separator, place);
    else
        (void)sd_notifyf(false, "STATUS=Not ready%s%s: %s", separator, place,
                         format_unmet(readiness->required & ~readiness->held, unmet));
}

void readiness_set_place(const char *text)
{
    (void)snprintf(place, sizeof(place), "%s", text);
    if (shown)
        show_state(shown);
}

void readiness_update(struct readiness *readiness, uint32_t held)
{
    bool was_ready = readiness->is_ready;
    uint32_t unmet = readiness->required & ~held;
    bool is_other = unmet != (readiness->required & ~readiness->held);
    char text[UNMET_TEXT_SIZE];

    metrics_set_readiness(readiness->required, held);
    metrics_set(METRIC_DOCKER_REACHABLE, 0, held & READINESS_DOCKER_CONNECTED ? 1 : 0);
    control_worker_on_readiness(readiness->control, readiness->required, held);
    readiness->is_ready = unmet == 0;
    readiness->held = held;
    shown = readiness;
    if (is_other || readiness->is_ready != was_ready)
        show_state(readiness);
    if (readiness->is_ready == was_ready)
        return;
    if (!readiness->is_ready) {
        log_warn("anchord is not ready any more", LOG_TEXT("unmet", format_unmet(unmet, text)));
        return;
    }
    readiness->was_ready = true;
    log_info("anchord ready");
}
