/* What both kinds of repairs have in common; see repairing.h. Runs without any privilege. */
#include "workers/keeper/repairing.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/shell_word.h"
#include "protocol/metrics.h"
#include "protocol/problems.h"

#include <stdio.h>

void repairing_note_result(struct dependents *dependents, bool is_done)
{
    metrics_add(METRIC_REBINDS, is_done ? METRIC_OK : METRIC_ERROR, 1);
    look_again(dependents->look); /* others may be pinned to this one */
}

static bool is_in_targets_namespace(const struct dependents *dependents)
{
    return dependents->dependent->is_running && dependents->target.is_running &&
           inspection_is(&dependents->target, dependents->dependent->joined);
}

enum start_order repairing_order(struct dependents *dependents, bool has_target)
{
    if (!has_target || !is_in_targets_namespace(dependents))
        return START_ORDER_WELL;
    return start_order_judge(&dependents->entry->starts, dependents->dependent, &dependents->target,
                             clock_real_nanoseconds());
}

enum repair repairing_choose(struct dependents *dependents, bool has_target)
{
    return repair_choose(dependents->dependent, has_target ? &dependents->target : NULL,
                         repairing_order(dependents, has_target));
}

void repairing_report_order(struct dependents *dependents)
{
    char finding[FINDING_REASON_SIZE];

    (void)snprintf(finding, sizeof(finding),
                   "nobody can tell whether its network namespace is alive, since the clock was set back: if it has no "
                   "network, docker restart %s",
                   SHELL_WORD(dependents->dependent->name));
    if (memory_note_finding(dependents->entry, finding))
        log_warn("start times in the future prove nothing: was the clock set back?", LOG_PROBLEM(PROBLEM_NOT_REPAIRED),
                 LOG_TEXT("container", dependents->dependent->name), LOG_TEXT("target", dependents->target.name));
}

int64_t repairing_milliseconds(const struct dependents *dependents)
{
    uint64_t started = dependents->repair_started_at;

    return (int64_t)((clock_monotonic_microseconds() - started) / MICROSECONDS_PER_MILLISECOND);
}

void repairing_on_done(void *userdata, int error, const char *text)
{
    struct dependents *dependents = userdata;

    if (!session_check_answer(dependents->session, error, text))
        return;
    repairing_note_result(dependents, error == 0);
    if (error == 0)
        start_order_note_joined(&dependents->entry->starts, dependents->target.started);
    if (error == 0)
        log_info("container repaired", LOG_TEXT("container", dependents->dependent->name),
                 LOG_NUMBER("milliseconds", repairing_milliseconds(dependents)));
    else
        look_note_failure(dependents->look, "container cannot be repaired, trying again later", text);
    look_continue(dependents->look);
}

bool repairing_may_try(struct dependents *dependents)
{
    uint64_t now = clock_monotonic_microseconds();
    uint64_t next = memory_next_attempt(dependents->entry);

    if (next > now) {
        look_wake_at(dependents->look, next);
        return false;
    }
    memory_note_attempt(dependents->entry, now);
    dependents->repair_started_at = now;
    return true;
}

void repairing_check_begun(struct dependents *dependents, int result, const char *reason)
{
    if (result == 0)
        return;
    repairing_note_result(dependents, false);
    look_note_failure(dependents->look, "container cannot be recreated",
                      result == -EINVAL ? reason : log_errno_text(result));
    look_continue(dependents->look);
}

void repairing_start(struct dependents *dependents, const char *message)
{
    log_info(message, LOG_TEXT("container", dependents->dependent->name), LOG_TEXT("target", dependents->target.name));
    session_check_sent(dependents->session, command_start(session_client(dependents->session),
                                                          dependents->dependent->id, repairing_on_done, dependents));
}
