/* The role attach-host; see attach_host.h. Runs as root, reads only our own messages. */
#include "daemon/role/attach_host.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/sandbox.h"
#include "daemon/role/closed_networks.h"
#include "daemon/role/container_home.h"
#include "daemon/role/control_worker.h"
#include "daemon/role/meeting_server.h"
#include "daemon/role/role.h"
#include "daemon/supervise/attached_machine.h"
#include "daemon/supervise/users.h"
#include "protocol/problems.h"

#include <linux/capability.h>
#include <signal.h>
#include <string.h>
#include <systemd/sd-daemon.h>

enum worker_index { LINKS, NAMESPACES, WORKER_COUNT };

/* As the other half calls them. */
static const enum host_worker host_workers[WORKER_COUNT] = {
    [LINKS] = HOST_WORKER_LINKS,
    [NAMESPACES] = HOST_WORKER_NAMESPACES,
};

struct attach_host {
    const struct configuration *configuration;
    struct attached_identity identity;
    sd_event *event;
    struct worker_definition definitions[WORKER_COUNT];
    struct worker *workers[WORKER_COUNT];
    struct meeting_server *meeting;
    struct readiness readiness;
    /* The last ones, for a worker or an identity half that is started anew; all zero: none yet. */
    struct message_shared_links shared_links;
    struct message_host_addresses host_addresses;
    struct message_project_addresses project_addresses;
    struct message_bridges closed;
    enum stop_mode stop_mode;
    bool is_stopping;
    bool was_restarted_to_undo;
    int exit_status;
};

static enum worker_index index_of(const struct attach_host *host, const struct worker *worker)
{
    return worker == host->workers[LINKS] ? LINKS : NAMESPACES;
}

static bool is_known(const struct message_header *last)
{
    return last->magic == MESSAGE_MAGIC;
}

/* --- the workers ------------------------------------------------------------------------------------------ */

static void configure_links(const struct attach_host *host)
{
    const struct configuration *configuration = host->configuration;
    struct message_configure_links message = {
        .header = message_header_make(MESSAGE_CONFIGURE_LINKS, sizeof(message), 0),
        .external_mac = host->identity.external_mac,
        .inner_mac = host->identity.inner_mac,
        .tag = host->identity.tag,
        .next_hop = wire_address_from(&host->identity.next_hop),
        .is_guarded = configuration->is_guarded,
        .log_level = configuration->log_level,
    };

    /* Each of the same size. */
    memcpy(message.project, configuration->project, sizeof(message.project));
    memcpy(message.parent, configuration->parent, sizeof(message.parent));
    memcpy(message.named_bridges, configuration->named_bridges, sizeof(message.named_bridges));
    if (is_known(&host->closed.header)) /* first: once configured it says that it is there, and systemd starts Docker */
        worker_send(host->workers[LINKS], &host->closed.header, -1);
    worker_send(host->workers[LINKS], &message.header, -1);
    if (is_known(&host->project_addresses.header))
        worker_send(host->workers[LINKS], &host->project_addresses.header, -1);
}

static void configure_namespaces(const struct attach_host *host)
{
    const struct message_configure_namespaces message = {
        .header = message_header_make(MESSAGE_CONFIGURE_NAMESPACES, sizeof(message), 0),
        .log_level = host->configuration->log_level,
    };

    worker_send(host->workers[NAMESPACES], &message.header, -1);
}

static void tell_started(const struct attach_host *host, enum worker_index index)
{
    const struct message_host_worker_started message = {
        .header = message_header_make(MESSAGE_HOST_WORKER_STARTED, sizeof(message), 0),
        .worker = host_workers[index],
    };

    if (worker_is_running(host->workers[index]))
        meeting_server_send(host->meeting, &message.header);
}

static void on_worker_started(struct worker *worker, void *userdata)
{
    const struct attach_host *host = userdata;

    if (index_of(host, worker) == LINKS)
        configure_links(host);
    else
        configure_namespaces(host);
    control_worker_on_started(host->readiness.control, worker);
    tell_started(host, index_of(host, worker));
}

/* What links saw goes to the other half as it is. */
static void on_links_message(struct worker *links, const struct message_header *message, void *userdata)
{
    struct attach_host *host = userdata;

    switch (message->type) {
    case MESSAGE_SHARED_LINKS:
        host->shared_links = *(const struct message_shared_links *)message;
        meeting_server_send(host->meeting, message);
        break;
    case MESSAGE_HOST_ADDRESSES:
        if (!is_known(&host->host_addresses.header)) /* its first turn: what was closed before a boot is so again */
            role_tell_configured();
        host->host_addresses = *(const struct message_host_addresses *)message;
        meeting_server_send(host->meeting, message);
        readiness_update(&host->readiness, READINESS_LINKS_MADE);
        break;
    case MESSAGE_BRIDGES:
        host->closed = *(const struct message_bridges *)message;
        closed_networks_write(&host->closed);
        break;
    default:
        worker_refuse(links, message);
        break;
    }
}

/* --- the end ---------------------------------------------------------------------------------------------- */

static void continue_stop(struct attach_host *host)
{
    if (!worker_is_running(host->workers[LINKS]) && !worker_is_running(host->workers[NAMESPACES]))
        (void)sd_event_exit(host->event, host->exit_status);
}

/* Between two starts of links there would be nobody to take away what it has made. */
static bool must_start_to_undo(const struct attach_host *host)
{
    return host->stop_mode == STOP_TEAR_DOWN && host->exit_status == EXIT_STATUS_CLEAN &&
           !worker_is_running(host->workers[LINKS]);
}

static void stop(struct attach_host *host, int exit_status)
{
    if (host->is_stopping)
        return;
    host->is_stopping = true;
    host->exit_status = exit_status;
    (void)sd_notify(false, "STOPPING=1");
    control_worker_on_stop(host->readiness.control);
    worker_stop(host->workers[NAMESPACES], host->stop_mode, READERS_STOP_DEADLINE);
    if (must_start_to_undo(host))
        worker_start(host->workers[LINKS]);
    worker_stop(host->workers[LINKS], host->stop_mode, CHANGERS_STOP_DEADLINE);
    continue_stop(host);
}

/* Killed while it undid things: once more, since it finds them by their names. */
static bool undoes_again(struct attach_host *host)
{
    if (host->was_restarted_to_undo || host->stop_mode != STOP_TEAR_DOWN)
        return false;
    host->was_restarted_to_undo = true;
    log_warn("a worker ended while it undid things, starting it once more", LOG_TEXT("name", "links"));
    worker_start(host->workers[LINKS]);
    worker_stop(host->workers[LINKS], host->stop_mode, CHANGERS_STOP_DEADLINE);
    return true;
}

static void on_worker_ended(struct worker *worker, enum worker_end end, void *userdata)
{
    struct attach_host *host = userdata;

    if (host->is_stopping) {
        if (end != WORKER_END_ORDERED && worker == host->workers[LINKS] && undoes_again(host))
            return;
        if (end != WORKER_END_ORDERED && worker == host->workers[LINKS])
            log_error("detaching did not finish: links, rules or routes of ours may be left on the host",
                      LOG_PROBLEM(PROBLEM_LEFT_OVER));
        continue_stop(host);
        return;
    }
    if (worker == host->workers[LINKS] && end == WORKER_END_ORDERED) {
        worker_start(worker); /* on_parted(): for the next identity half, which is on its way already */
        return;
    }
    if (worker == host->workers[LINKS])
        readiness_update(&host->readiness, 0);
    if (!role_restart(&host->readiness, worker, end, true))
        stop(host, EXIT_STATUS_CONFIGURATION);
}

static int on_stop_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
    struct attach_host *host = userdata;

    (void)source;
    if (host->is_stopping) {
        log_warn("second signal received, stopping at once");
        for (size_t i = 0; i < WORKER_COUNT; i++)
            worker_kill(host->workers[i]);
        return sd_event_exit(host->event, host->exit_status);
    }
    host->stop_mode = role_choose_stop_mode(host->stop_mode, info);
    log_info("signal received, shutting down", LOG_TEXT("signal", sigabbrev_np((int)info->ssi_signo)),
             LOG_BOOLEAN("state_stays", host->stop_mode != STOP_TEAR_DOWN));
    stop(host, EXIT_STATUS_CLEAN);
    return 0;
}

/* --- the identity half ------------------------------------------------------------------------------------ */

static void on_met(void *userdata)
{
    const struct attach_host *host = userdata;
    struct message_welcome welcome = {
        .header = message_header_make(MESSAGE_WELCOME, sizeof(welcome), 0),
        .external_mac = host->identity.external_mac,
        .inner_mac = host->identity.inner_mac,
        .tag = host->identity.tag,
        .next_hop = wire_address_from(&host->identity.next_hop),
        .client_hash = {host->identity.client_hash[0], host->identity.client_hash[1]},
    };

    log_info("the halves have met");
    memcpy(welcome.project, host->configuration->project, sizeof(welcome.project));
    memcpy(welcome.parent, host->configuration->parent, sizeof(welcome.parent));
    meeting_server_send(host->meeting, &welcome.header);
    for (size_t i = 0; i < WORKER_COUNT; i++)
        tell_started(host, (enum worker_index)i);
    if (is_known(&host->shared_links.header))
        meeting_server_send(host->meeting, &host->shared_links.header);
    if (is_known(&host->host_addresses.header))
        meeting_server_send(host->meeting, &host->host_addresses.header);
}

/* links holds the identity's namespace: with it would stay, open to the LAN, what its owner has left. */
static void on_parted(void *userdata)
{
    struct attach_host *host = userdata;

    if (!host->is_stopping)
        worker_stop(host->workers[LINKS], STOP_KEEP_STATE, CHANGERS_STOP_DEADLINE);
}

/* The end of a connection that a worker of the other half has. */
static void hand_over_link(const struct attach_host *host, const struct message_meeting_link *link, int end)
{
    const struct message_link message = {
        .header = message_header_make(MESSAGE_LINK, sizeof(message), 0),
        .peer = link->peer,
    };
    enum worker_index index = link->worker == HOST_WORKER_LINKS ? LINKS : NAMESPACES;

    worker_send(host->workers[index], &message.header, end);
}

static void on_identity_message(const struct message_header *message, int received, void *userdata)
{
    struct attach_host *host = userdata;
    CLEANUP_FD int descriptor = received;

    switch (message->type) {
    case MESSAGE_MEETING_LINK:
        hand_over_link(host, (const struct message_meeting_link *)message, descriptor);
        break;
    case MESSAGE_LINKS_IDENTITY: /* not kept: the other half sends it again to a links that was started anew */
        worker_send(host->workers[LINKS], message, descriptor);
        break;
    case MESSAGE_PROJECT_ADDRESSES:
        host->project_addresses = *(const struct message_project_addresses *)message;
        worker_send(host->workers[LINKS], message, -1);
        break;
    default:
        meeting_server_refuse(host->meeting, message, TAKE_FD(descriptor));
        break;
    }
}

/* --- construction ----------------------------------------------------------------------------------------- */

static int make_workers(struct attach_host *host, struct role_step *step)
{
    const struct worker_callbacks callbacks[WORKER_COUNT] = {
        [LINKS] = {on_worker_started, on_links_message, on_worker_ended, host},
        [NAMESPACES] = {on_worker_started, NULL, on_worker_ended, host},
    };

    /* Of metrics the host half has none: its pages do not exist. */
    host->definitions[LINKS] = (struct worker_definition){
        .name = "links",
        .program = "anchord-links",
        .user = LINKS_USER,
        .writer = METRICS_WRITER_NETADMIN,
        .capabilities = CAPABILITY_BIT(CAP_NET_ADMIN),
        .receives = DIRECTION_LINKS_TO_SUPERVISOR,
    };
    host->definitions[NAMESPACES] = (struct worker_definition){
        .name = "namespaces",
        .program = "anchord-namespaces",
        .user = NAMESPACES_USER,
        .writer = METRICS_WRITER_WAY,
        .capabilities = CAPABILITY_BIT(CAP_NET_ADMIN) | CAPABILITY_BIT(CAP_SYS_ADMIN) | CAPABILITY_BIT(CAP_SYS_PTRACE),
        .receives = DIRECTION_NAMESPACES_TO_SUPERVISOR,
    };
    return role_make_workers(host->event, host->definitions, WORKER_COUNT, callbacks, host->workers, step);
}

/* Without it the links are there as well; what is wrong has been said. */
static void prepare_control(struct attach_host *host)
{
    if (control_worker_new(host->event, host->configuration, ANCHOR_ROLE_ATTACH_HOST, &host->readiness.control) < 0)
        return;
    for (size_t i = 0; i < WORKER_COUNT; i++)
        control_worker_add(host->readiness.control, (struct join_member){.worker = host->workers[i]});
    control_worker_on_readiness(host->readiness.control, host->readiness.required, 0);
    control_worker_start(host->readiness.control);
}

static void release(struct attach_host *host)
{
    host->meeting = meeting_server_free(host->meeting);
    for (size_t i = 0; i < WORKER_COUNT; i++)
        host->workers[i] = worker_free(host->workers[i]);
    host->readiness.control = control_worker_free(host->readiness.control);
    host->event = sd_event_unref(host->event);
}

static int find_identity(struct attach_host *host)
{
    uint8_t machine[MACHINE_ID_LENGTH];
    int result = attached_machine_read(machine);

    if (result < 0) {
        log_error("the machine has no ID, from which the project's MAC address is made: systemd-machine-id-setup makes "
                  "one; in a container mount it",
                  LOG_PROBLEM(PROBLEM_NO_MACHINE_ID), LOG_TEXT("path", "/etc/machine-id"),
                  LOG_TEXT("line", "volumes: [/etc/machine-id:/etc/machine-id:ro]"), LOG_ERROR(result));
        return result;
    }
    attached_identity_make(machine, host->configuration->project, &host->identity);
    if (!mac_address_is_zero(&host->configuration->external_mac))
        host->identity.external_mac = host->configuration->external_mac;
    return 0;
}

int attach_host_run(const struct configuration *configuration, int listener)
{
    CLEANUP(release)
    struct attach_host host = {.configuration = configuration,
                               .readiness = {.required = READINESS_LINKS_MADE},
                               .stop_mode = container_home_choose_stop_mode(configuration->on_stop)};
    const struct meeting_server_callbacks callbacks = {on_met, on_parted, on_identity_message, &host};
    struct role_step step;
    int result;

    if (find_identity(&host) < 0)
        return EXIT_STATUS_CONFIGURATION;
    result = role_event_loop_new(on_stop_signal, &host, &host.event, &step);
    if (result == 0)
        result = make_workers(&host, &step);
    if (result == 0) {
        step = (struct role_step){"listen for the identity half", "socket"};
        result = meeting_server_new(host.event, listener, &callbacks, &host.meeting);
    }
    if (result < 0)
        return role_cannot_prepare(&step, result);
    prepare_control(&host);
    (void)closed_networks_read(&host.closed);
    for (size_t i = 0; i < WORKER_COUNT; i++)
        worker_start(host.workers[i]);
    result = role_run_untold(host.event);
    meeting_server_leave(configuration->project);
    return result;
}
