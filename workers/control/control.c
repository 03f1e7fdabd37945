/* The state machine of anchord-control; see control.h. Runs without any privilege. */
#include "workers/control/control.h"

#include "common/log.h"
#include "common/sandbox.h"
#include "protocol/channel.h"
#include "protocol/supervised.h"
#include "workers/control/clients.h"
#include "workers/control/view.h"

struct control {
    sd_event *event;
    struct channel *supervisor;
    struct channel *watcher;  /* NULL until LINK */
    struct channel *netadmin; /* NULL until LINK */
    struct view view;
    struct clients *clients;
};

/* --- watcher and netadmin ------------------------------------------------------------------------------ */

/* What it told last stays on show: its process is being replaced, and the list of workers says so. */
static void on_peer_closed(struct channel *channel, int error, const char *reason, void *userdata)
{
    struct control *control = userdata;
    struct channel **peer = channel == control->watcher ? &control->watcher : &control->netadmin;

    if (error < 0)
        log_error("connection to a reporting worker ended", LOG_TEXT("reason", reason), LOG_ERROR(error));
    if (peer == &control->watcher)
        view_forget_incoming(&control->view);
    *peer = channel_free(*peer);
}

static void handle_findings(struct control *control, const struct message_header *message)
{
    int result = 0;

    if (message->type == MESSAGE_FINDINGS_BEGIN)
        view_begin_findings(&control->view, message->generation);
    else if (message->type == MESSAGE_FINDINGS_ITEMS)
        result = view_add_findings(&control->view, (const struct message_findings *)message);
    else
        result = view_commit_findings(&control->view, (const struct message_commit *)message);
    if (result < 0) {
        log_error("findings of the watcher refused", LOG_ERROR(result));
        view_forget_incoming(&control->view);
    }
}

static void on_peer_message(struct channel *channel, const struct message_header *message, int descriptor,
                            void *userdata)
{
    struct control *control = userdata;

    (void)channel;
    close_fd(&descriptor); /* no message of these peers may carry one; the protocol's gate has seen to it */
    if (message->type == MESSAGE_NETWORK_REPORT)
        control->view.report = *(const struct message_network_report *)message;
    else
        handle_findings(control, message);
    if (!control->view.is_incoming)
        clients_announce_change(control->clients);
}

static void handle_link(struct control *control, const struct message_link *message, int descriptor)
{
    const struct channel_callbacks callbacks = {on_peer_message, on_peer_closed, control};
    bool is_watcher = message->peer == LINK_PEER_WATCHER;
    struct channel **peer = is_watcher ? &control->watcher : &control->netadmin;
    int result;

    if (!is_watcher && message->peer != LINK_PEER_NETADMIN) {
        log_error("LINK to a peer that we do not talk to, ignoring", LOG_NUMBER("peer", message->peer));
        close_fd(&descriptor);
        return;
    }
    *peer = channel_free(*peer);
    if (is_watcher)
        view_forget_incoming(&control->view);
    result = channel_new(control->event, descriptor,
                         is_watcher ? DIRECTION_WATCHER_TO_CONTROL : DIRECTION_NETADMIN_TO_CONTROL, &callbacks, peer);
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

    if (message->type == MESSAGE_LINK) {
        handle_link(control, (const struct message_link *)message, descriptor);
        return;
    }
    if (message->type == MESSAGE_CONFIGURE_CONTROL) {
        handle_configuration(control, (const struct message_configure_control *)message, descriptor);
        return;
    }
    close_fd(&descriptor); /* the protocol's gate lets only the two above carry one */
    if (message->type == MESSAGE_SUPERVISION) {
        control->view.supervision = *(const struct message_supervision *)message;
        clients_announce_change(control->clients);
    } else if (message->type == MESSAGE_STOP) {
        (void)sd_event_exit(control->event, EXIT_STATUS_CLEAN); /* there is nothing to tear down */
    }
}

/* --- construction ---------------------------------------------------------------------------------------- */

struct control *control_free(struct control *control)
{
    if (!control)
        return NULL;
    (void)clients_free(control->clients);
    (void)channel_free(control->watcher);
    (void)channel_free(control->netadmin);
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
