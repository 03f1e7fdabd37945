/* One supervised child; see child.h. Runs in the supervisor, as root. */
#include "daemon/supervise/child.h"

#include "common/clock.h"
#include "common/text.h"
#include "daemon/supervise/timer.h"

#include <errno.h>
#include <sys/wait.h>

#define TIMER_ACCURACY (10 * MICROSECONDS_PER_MILLISECOND)

static int on_start_time(sd_event_source *source, uint64_t planned, void *userdata)
{
    const struct child *child = userdata;

    (void)source;
    (void)planned;
    child->callbacks.on_start_time(child->callbacks.userdata);
    return 0;
}

static int on_deadline(sd_event_source *source, uint64_t planned, void *userdata)
{
    const struct child *child = userdata;

    (void)source;
    (void)planned;
    child->callbacks.on_deadline(child->callbacks.userdata);
    (void)child_signal(child, SIGKILL); /* a process of ours, not reaped yet */
    return 0;
}

static int on_change(sd_event_source *source, const siginfo_t *info, void *userdata)
{
    struct child *child = userdata;

    if (info->si_code == CLD_STOPPED) {
        (void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT); /* its end is yet to come */
        child->callbacks.on_stopped(child->callbacks.userdata);
        return 0;
    }
    child->process = sd_event_source_disable_unref(child->process);
    timer_clear(child->deadline_timer);
    child->since = clock_real_nanoseconds();
    child->callbacks.on_ended(info, child->callbacks.userdata);
    return 0;
}

int child_prepare(struct child *child, sd_event *event, const struct child_callbacks *callbacks)
{
    int result;

    child->event = sd_event_ref(event);
    child->callbacks = *callbacks;
    result = timer_new(event, CLOCK_MONOTONIC, TIMER_ACCURACY, on_start_time, child, &child->start_timer);
    return result < 0 ? result
                      : timer_new(event, CLOCK_MONOTONIC, TIMER_ACCURACY, on_deadline, child, &child->deadline_timer);
}

void child_release(struct child *child)
{
    child->process = sd_event_source_disable_unref(child->process); /* it owns the process: killed and reaped with it */
    child->start_timer = sd_event_source_disable_unref(child->start_timer);
    child->deadline_timer = sd_event_source_disable_unref(child->deadline_timer);
    child->event = sd_event_unref(child->event);
}

void child_note_start(struct child *child)
{
    restart_policy_started(&child->policy, clock_monotonic_microseconds());
}

int child_spawn(struct child *child, const struct spawn_request *request)
{
    int changes = WEXITED | (child->callbacks.on_stopped ? WSTOPPED : 0);
    int result = spawn_program(request, &child->pid);

    if (result < 0)
        return result;
    result = sd_event_add_child(child->event, &child->process, child->pid, changes, on_change, child);
    if (result < 0) {
        /* Without the event source nobody would reap it. */
        (void)kill(child->pid, SIGKILL);
        (void)waitpid(child->pid, NULL, 0);
        return result;
    }
    (void)sd_event_source_set_child_process_own(child->process, true);
    child->since = clock_real_nanoseconds();
    return 0;
}

bool child_is_running(const struct child *child)
{
    return child->process != NULL;
}

int child_signal(const struct child *child, int number)
{
    int result = child->process ? sd_event_source_send_child_signal(child->process, number, NULL, 0) : 0;

    return result == -ESRCH ? 0 : result;
}

void child_set_deadline(struct child *child, uint64_t delay)
{
    timer_set(child->deadline_timer, delay);
}

void child_start_after(struct child *child, uint64_t delay)
{
    timer_set(child->start_timer, delay);
}

void child_cancel_start(struct child *child)
{
    timer_clear(child->start_timer);
}

void child_hasten_start(struct child *child)
{
    int is_waiting = SD_EVENT_OFF;

    (void)sd_event_source_get_enabled(child->start_timer, &is_waiting);
    if (is_waiting != SD_EVENT_OFF)
        timer_set(child->start_timer, 0);
}

uint64_t child_restart(struct child *child)
{
    uint64_t delay = restart_policy_next_delay(&child->policy, clock_monotonic_microseconds());

    child->restarts++;
    child_start_after(child, delay);
    return delay;
}

void child_describe(const struct child *child, const char *name, struct wire_worker *ret)
{
    int is_waiting = SD_EVENT_OFF;

    (void)sd_event_source_get_enabled(child->start_timer, &is_waiting);
    *ret = (struct wire_worker){
        .state = child->process ? WORKER_STATE_RUNNING
                 : is_waiting   ? WORKER_STATE_RESTARTING
                                : WORKER_STATE_STOPPED,
        .pid = child->process ? (uint32_t)child->pid : 0,
        .restarts = child->restarts,
        .since = child->since,
    };
    text_copy_cut(ret->name, sizeof(ret->name), name);
}
