/* The worker `control` as the supervisors run it; see control_worker.h. Runs in the supervisor, as root. */
#include "daemon/role/control_worker.h"

#include "common/log.h"
#include "common/text.h"
#include "daemon/dhcp/dhcp.h"
#include "daemon/supervise/control_socket.h"
#include "daemon/supervise/users.h"
#include "protocol/problems.h"

#include <string.h>

struct control_worker {
    struct worker_definition definition;
    struct worker *worker;
    int listener;
    struct message_configure_control first_message;
    struct join_member others[WORKERS_MAX - 1]; /* and the worker itself */
    size_t other_count;
    const struct dhcp *dhcp; /* or NULL */
    uint32_t required;       /* enum readiness_condition */
    uint32_t held;
    uint32_t faults; /* enum supervisor_fault */
    bool is_stopping;
};

static void send_supervision(struct control_worker *control)
{
    struct message_supervision message = {
        .header = message_header_make(MESSAGE_SUPERVISION, sizeof(message), 0),
        .conditions = control->held,
        .required = control->required,
        .faults = control->faults,
    };

    for (size_t i = 0; i < control->other_count; i++)
        worker_describe(control->others[i].worker, &message.workers[message.worker_count++]);
    worker_describe(control->worker, &message.workers[message.worker_count++]);
    dhcp_describe(control->dhcp, &message);
    worker_send(control->worker, &message.header, -1);
}

/* Under attach netadmin tells of the network, and not way of each namespace. */
static bool reports_to_control(const struct control_worker *control, enum link_peer name)
{
    return name == LINK_PEER_WATCHER || name == LINK_PEER_NETADMIN || name == LINK_PEER_KEEPER ||
           (name == LINK_PEER_WAY && control->first_message.role != ANCHOR_ROLE_ATTACH);
}

static void join(struct control_worker *control, struct join_member other)
{
    if (reports_to_control(control, other.name))
        join_members(other, (struct join_member){control->worker, LINK_PEER_CONTROL});
}

static void on_started(struct worker *worker, void *userdata)
{
    struct control_worker *control = userdata;

    worker_send(worker, &control->first_message.header, control->listener);
    for (size_t i = 0; i < control->other_count; i++)
        join(control, control->others[i]);
    send_supervision(control);
}

static void on_ended(struct worker *worker, enum worker_end end, void *userdata)
{
    struct control_worker *control = userdata;

    (void)end;
    if (!control->is_stopping)
        worker_restart(worker);
}

void control_worker_set_dhcp(struct control_worker *control, const struct dhcp *dhcp)
{
    if (control)
        control->dhcp = dhcp;
}

void control_worker_add(struct control_worker *control, struct join_member other)
{
    if (!control)
        return;
    for (size_t i = 0; i < control->other_count; i++) {
        if (control->others[i].worker == other.worker)
            return;
    }
    if (control->other_count < ARRAY_LENGTH(control->others))
        control->others[control->other_count++] = other;
}

void control_worker_start(struct control_worker *control)
{
    if (control)
        worker_start(control->worker);
}

void control_worker_on_started(struct control_worker *control, const struct worker *other)
{
    if (!control)
        return;
    for (size_t i = 0; i < control->other_count; i++) {
        if (control->others[i].worker == other)
            join(control, control->others[i]);
    }
    send_supervision(control);
}

void control_worker_on_changed(struct control_worker *control)
{
    if (control)
        send_supervision(control);
}

void control_worker_on_readiness(struct control_worker *control, uint32_t required, uint32_t held)
{
    if (!control)
        return;
    control->required = required;
    control->held = held;
    send_supervision(control);
}

void control_worker_set_faults(struct control_worker *control, uint32_t faults, bool do_hold)
{
    uint32_t before = control ? control->faults : 0;

    if (!control)
        return;
    control->faults = do_hold ? before | faults : before & ~faults;
    if (control->faults != before)
        send_supervision(control);
}

void control_worker_on_stop(struct control_worker *control)
{
    if (control)
        control->is_stopping = true;
}

struct control_worker *control_worker_free(struct control_worker *control)
{
    if (!control)
        return NULL;
    (void)worker_free(control->worker);
    if (control->listener >= 0)
        control_socket_remove();
    close_fd(&control->listener);
    free(control);
    return NULL;
}

static int make(sd_event *event, struct control_worker *control)
{
    const struct worker_callbacks callbacks = {on_started, NULL, on_ended, control};
    int result = control_socket_listen(&control->listener);

    if (result < 0) {
        log_warn("no control socket: `anchord status` and `anchord healthcheck` cannot ask; with read_only: true add "
                 "the line to the service in Compose",
                 LOG_PROBLEM(PROBLEM_NO_PLACE), LOG_TEXT("line", "tmpfs: [/run]"), LOG_ERROR(result));
        return result;
    }
    result = worker_new(event, &control->definition, &callbacks, &control->worker);
    if (result < 0)
        log_error("cannot prepare the worker control", LOG_ERROR(result));
    return result;
}

int control_worker_new(sd_event *event, const struct configuration *configuration, enum anchor_role role,
                       struct control_worker **ret)
{
    CLEANUP(control_worker_freep) struct control_worker *control = calloc(1, sizeof(*control));
    int result;

    *ret = NULL;
    if (!control)
        return -ENOMEM;
    control->listener = -1;
    control->definition = (struct worker_definition){
        .name = "control",
        .program = "anchord-control",
        .user = CONTROL_USER,
        .writer = METRICS_WRITER_CONTROL,
        .receives = DIRECTION_CONTROL_TO_SUPERVISOR,
    };
    control->first_message = (struct message_configure_control){
        .header = message_header_make(MESSAGE_CONFIGURE_CONTROL, sizeof(control->first_message), 0),
        .role = role,
        .log_level = configuration->log_level,
    };
    text_copy_cut(control->first_message.project, NAME_SIZE, configuration->project);
    result = make(event, control);
    if (result < 0)
        return result;
    *ret = TAKE_POINTER(control);
    return 0;
}
