/* The state machine of anchord-control; see control.h. Runs without any privilege. */
#include "workers/control/control.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/sandbox.h"
#include "protocol/channel.h"
#include "protocol/event_loop.h"
#include "protocol/supervised.h"
#include "workers/control/clients.h"
#include "workers/control/counter_readers.h"
#include "workers/control/network_words.h"
#include "workers/control/problems.h"
#include "workers/control/view.h"

/* The workers that report here. */
static const struct {
    enum link_peer name;
    enum message_direction receives;
    enum findings_source findings; /* FINDINGS_SOURCE_MAX_: it tells of none */
} reporters[] = {
    {LINK_PEER_WATCHER, DIRECTION_WATCHER_TO_CONTROL, FINDINGS_OF_WATCHER},
    {LINK_PEER_KEEPER, DIRECTION_KEEPER_TO_CONTROL, FINDINGS_OF_KEEPER},
    {LINK_PEER_NETADMIN, DIRECTION_NETADMIN_TO_CONTROL, FINDINGS_SOURCE_MAX_},
    {LINK_PEER_WAY, DIRECTION_WAY_TO_CONTROL, FINDINGS_SOURCE_MAX_},
};

#define NETADMIN 2 /* its place there */

struct control {
    sd_event *event;
    struct channel *supervisor;
    struct channel *reporters[ARRAY_LENGTH(reporters)]; /* NULL until LINK */
    struct view view;
    struct network_words words;
    struct clients *clients;
    sd_event_source *problem_timer; /* until a problem has lasted long enough to be shown */
};

/* --- the view -------------------------------------------------------------------------------------------- */

static void note_change(struct control *control)
{
    uint64_t now = clock_monotonic_microseconds();

    event_loop_set_timer(control->problem_timer, problems_note(&control->view, now));
    problems_count(&control->view, now);
    clients_announce_change(control->clients);
}

static int on_problem_lasts(sd_event_source *source, uint64_t time, void *userdata)
{
    (void)source;
    (void)time;
    note_change(userdata);
    return 0;
}

/* --- reporters ------------------------------------------------------------------------------------------- */

static size_t index_of(const struct control *control, const struct channel *channel)
{
    size_t index = 0;

    while (index < ARRAY_LENGTH(reporters) - 1 && control->reporters[index] != channel)
        index++;
    return index;
}

/* Where the findings of a reporter go, or NULL. */
static struct told_findings *told_by(struct control *control, size_t reporter)
{
    enum findings_source source = reporters[reporter].findings;

    return source < FINDINGS_SOURCE_MAX_ ? &control->view.told[source] : NULL;
}

static void disconnect(struct control *control, size_t reporter)
{
    enum findings_source source = reporters[reporter].findings;

    if (source < FINDINGS_SOURCE_MAX_)
        view_forget_incoming(&control->view.told[source]);
    control->reporters[reporter] = channel_free(control->reporters[reporter]);
}

/* What it told last stays on show: its process is being replaced, and the list of workers says so. */
static void on_reporter_closed(struct channel *channel, int error, const char *reason, void *userdata)
{
    struct control *control = userdata;

    if (error < 0)
        log_error("connection to a reporting worker ended", LOG_TEXT("reason", reason), LOG_ERROR(error));
    disconnect(control, index_of(control, channel));
}

static void judge_findings(struct told_findings *told, int result)
{
    if (result < 0) {
        log_error("findings of a worker refused", LOG_ERROR(result));
        view_forget_incoming(told);
    }
}

static void judge_counters(struct control *control, int result)
{
    if (result < 0) {
        log_error("counters of netadmin refused", LOG_ERROR(result));
        view_begin_counters(&control->view, 0);
    }
}

/* Only netadmin or way reports the network, and only the others have findings: the direction of each channel says so,
 * and the protocol's gate has seen to it. */
static void on_report(struct channel *channel, const struct message_header *message, int descriptor, void *userdata)
{
    struct control *control = userdata;
    struct told_findings *told = told_by(control, index_of(control, channel));

    switch (message->type) {
    case MESSAGE_NETWORK_REPORT:
        network_words_log(&control->words, &control->view.report, (const struct message_network_report *)message);
        control->view.report = *(const struct message_network_report *)message;
        break;
    case MESSAGE_COUNTERS_BEGIN:
        view_begin_counters(&control->view, message->generation);
        return;
    case MESSAGE_COUNTERS_ITEMS:
        judge_counters(control, view_add_counters(&control->view, (const struct message_counters *)message));
        return;
    case MESSAGE_COUNTERS_COMMIT:
        judge_counters(control, view_commit_counters(&control->view, (const struct message_commit *)message));
        counter_readers_answer(control->view.counter_readers);
        return; /* no change that anybody has to hear of: who wants to know asks */
    case MESSAGE_FINDINGS_BEGIN:
        view_begin_findings(told, message->generation);
        break;
    case MESSAGE_FINDINGS_ITEMS:
        judge_findings(told, view_add_findings(told, (const struct message_findings *)message));
        break;
    case MESSAGE_FINDINGS_COMMIT:
        judge_findings(told, view_commit_findings(told, (const struct message_commit *)message));
        break;
    default:
        channel_refuse(channel, message, descriptor);
        return;
    }
    if (!told || !told->is_incoming)
        note_change(control);
}

static void handle_link(struct control *control, const struct message_link *message, int descriptor)
{
    const struct channel_callbacks callbacks = {on_report, on_reporter_closed, control};
    int result = -ENOENT;

    for (size_t i = 0; i < ARRAY_LENGTH(reporters); i++) {
        if (reporters[i].name != message->peer)
            continue;
        disconnect(control, i);
        result =
            channel_new(control->event, TAKE_FD(descriptor), reporters[i].receives, &callbacks, &control->reporters[i]);
    }
    close_fd(&descriptor);
    if (result < 0)
        log_error("cannot use a link", LOG_NUMBER("peer", message->peer), LOG_ERROR(result));
}

/* --- the supervisor -------------------------------------------------------------------------------------- */

static void handle_configuration(struct control *control, const struct message_configure_control *message, int listener)
{
    int result;

    log_set_level((enum log_level)message->log_level);
    control->view.configuration = *message;
    result = clients_listen(control->clients, listener);
    if (result < 0) {
        log_error("cannot use the control socket", LOG_ERROR(result));
        (void)sd_event_exit(control->event, EXIT_STATUS_CRASH);
    }
}

static void on_supervisor_message(const struct message_header *message, int descriptor, void *userdata)
{
    struct control *control = userdata;

    switch (message->type) { /* the protocol's gate lets only the first two carry a descriptor */
    case MESSAGE_LINK:
        handle_link(control, (const struct message_link *)message, descriptor);
        break;
    case MESSAGE_CONFIGURE_CONTROL:
        handle_configuration(control, (const struct message_configure_control *)message, descriptor);
        break;
    case MESSAGE_SUPERVISION:
        control->view.supervision = *(const struct message_supervision *)message;
        note_change(control);
        break;
    case MESSAGE_STOP:
        (void)sd_event_exit(control->event, EXIT_STATUS_CLEAN); /* there is nothing to tear down */
        break;
    default:
        supervised_refuse(message, descriptor);
        break;
    }
}

/* --- construction ---------------------------------------------------------------------------------------- */

struct control *control_free(struct control *control)
{
    if (!control)
        return NULL;
    (void)clients_free(control->clients);
    (void)sd_event_source_disable_unref(control->problem_timer);
    (void)counter_readers_free(control->view.counter_readers);
    for (size_t i = 0; i < ARRAY_LENGTH(reporters); i++)
        (void)channel_free(control->reporters[i]);
    (void)channel_free(control->supervisor);
    view_clear(&control->view);
    free(control);
    return NULL;
}

int control_new(sd_event *event, struct control **ret)
{
    CLEANUP(control_freep) struct control *control = calloc(1, sizeof(*control));
    int result;

    if (!control)
        return -ENOMEM;
    control->event = event;
    result = event_loop_add_timer(event, CLOCK_MONOTONIC, MICROSECONDS_PER_SECOND, on_problem_lasts, control,
                                  &control->problem_timer);
    if (result >= 0)
        result = counter_readers_new(event, &control->reporters[NETADMIN], &control->view.counter_readers);
    if (result >= 0)
        result = clients_new(event, &control->view, &control->clients);
    if (result >= 0)
        result = supervised_join(event, DIRECTION_SUPERVISOR_TO_CONTROL, on_supervisor_message, control,
                                 &control->supervisor);
    if (result < 0) {
        log_error("cannot join the event loop", LOG_ERROR(result));
        return result;
    }
    *ret = TAKE_POINTER(control);
    return 0;
}
