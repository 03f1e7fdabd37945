/* The supervisor of the role network-anchor; see network_anchor.h. Runs as root, reads only our own messages. */
#include "daemon/role/network_anchor.h"

#include "common/clock.h"
#include "common/sandbox.h"
#include "daemon/dhcp/dhcp.h"
#include "daemon/role/container_home.h"
#include "daemon/role/control_worker.h"
#include "daemon/role/gate_worker.h"
#include "daemon/role/holder.h"
#include "daemon/role/keeper_worker.h"
#include "daemon/role/monitoring.h"
#include "daemon/role/namespace_watch.h"
#include "daemon/role/role.h"
#include "daemon/supervise/users.h"

#include <signal.h>
#include <string.h>
#include <systemd/sd-daemon.h>

/* Ready means that the project answers (SPEC §8); whether Docker is there right now is another question. */
#define READY_CONDITIONS (READINESS_TABLES_INSTALLED | READINESS_RECONCILED)

enum worker_index { WATCHER, NETADMIN, ANNOUNCER, GATE, KEEPER, WORKER_COUNT };

/* As the workers call each other; the gate is joined to nobody. */
static const enum link_peer link_peers[] = {
    [WATCHER] = LINK_PEER_WATCHER,
    [NETADMIN] = LINK_PEER_NETADMIN,
    [ANNOUNCER] = LINK_PEER_ANNOUNCER,
    [KEEPER] = LINK_PEER_KEEPER,
};

/* Who talks to whom. */
static const struct {
    enum worker_index one;
    enum worker_index other;
} pairs[] = {{WATCHER, NETADMIN}, {ANNOUNCER, NETADMIN}};

struct supervisor {
    const struct configuration *configuration;
    const struct raw_sockets *raw_sockets;
    const struct gate_sockets *gate_sockets;
    int lease_listener;
    sd_event *event;
    struct worker_definition definitions[WORKER_COUNT];
    struct worker *workers[WORKER_COUNT];
    uint32_t conditions[WORKER_COUNT]; /* enum readiness_condition, of each worker */
    struct message_topology topology;  /* pinned once it is final; header.type 0: not known yet */
    uint64_t topologies_refused;
    bool is_keeper_wanted;    /* the watcher has seen something for it */
    bool had_keeper;          /* one ran, and may have left something half-done */
    bool watcher_was_started; /* by the first start of the gate: one that may not is found out before anything else */
    bool others_were_started; /* by the first start of a watcher */
    struct readiness readiness;
    struct monitoring *monitoring; /* NULL: no metrics */
    struct dhcp *dhcp;             /* NULL: another address mode */
    struct namespace_watch *watch; /* NULL: the namespace is our own */
    enum stop_mode stop_mode;      /* of netadmin, at the end of all */
    bool is_stopping;
    int exit_status;
};

static enum worker_index index_of(const struct supervisor *supervisor, const struct worker *worker)
{
    enum worker_index index = WATCHER;

    while (index + 1 < WORKER_COUNT && supervisor->workers[index] != worker)
        index++;
    return index;
}

static void send_watcher_configuration(const struct supervisor *supervisor)
{
    const struct configuration *configuration = supervisor->configuration;
    struct message_configure_watcher message = {
        .header = message_header_make(MESSAGE_CONFIGURE_WATCHER, sizeof(message), 0),
        .pinned_gateway4 = wire_address_from(&configuration->external_gateways.v4),
        .address_mode = configuration->address_mode,
        .poll_interval_milliseconds = (uint32_t)configuration->poll_interval_milliseconds,
        .log_level = configuration->log_level,
    };

    gate_worker_write_asked_at(configuration, supervisor->gate_sockets, GATE_SOCKET_WATCHER, message.asked_at);
    /* The arrays are of the same size on both sides. */
    memcpy(message.docker_host, configuration->docker_host, sizeof(message.docker_host));
    memcpy(message.project, configuration->project, sizeof(message.project));
    memcpy(message.label_selector, configuration->label_selector, sizeof(message.label_selector));
    memcpy(message.external_network, configuration->external_network, sizeof(message.external_network));
    memcpy(message.external_interface, configuration->external_interface, sizeof(message.external_interface));
    memcpy(message.shared_network, configuration->shared_network, sizeof(message.shared_network));
    /* A watcher that was restarted may not choose again: another choice would be refused for ever (DISC-4). */
    if (supervisor->topology.is_final)
        memcpy(message.shared_network, supervisor->topology.shared.name, sizeof(message.shared_network));
    worker_send(supervisor->workers[WATCHER], &message.header, -1);
}

static void send_netadmin_configuration(const struct supervisor *supervisor)
{
    const struct configuration *configuration = supervisor->configuration;
    struct message_configure_netadmin message = {
        .header = message_header_make(MESSAGE_CONFIGURE_NETADMIN, sizeof(message), 0),
        .pinned_gateway4 = wire_address_from(&configuration->external_gateways.v4),
        .pinned_gateway6 = wire_address_from(&configuration->external_gateways.v6),
        .address_mode = configuration->address_mode,
        .claim_gateway = configuration->claim_gateway,
        .log_level = configuration->log_level,
    };

    worker_send(supervisor->workers[NETADMIN], &message.header, -1);
}

static void send_raw_socket(const struct supervisor *supervisor, enum raw_socket_kind kind, int descriptor)
{
    struct message_raw_socket message = {
        .header = message_header_make(MESSAGE_RAW_SOCKET, sizeof(message), 0),
        .kind = kind,
    };

    if (descriptor >= 0)
        worker_send(supervisor->workers[ANNOUNCER], &message.header, descriptor);
}

static void send_announcer_configuration(const struct supervisor *supervisor)
{
    struct message_configure_announcer message = {
        .header = message_header_make(MESSAGE_CONFIGURE_ANNOUNCER, sizeof(message), 0),
        .log_level = supervisor->configuration->log_level,
    };

    worker_send(supervisor->workers[ANNOUNCER], &message.header, -1);
    send_raw_socket(supervisor, RAW_SOCKET_ARP, supervisor->raw_sockets->arp);
    send_raw_socket(supervisor, RAW_SOCKET_ICMP6, supervisor->raw_sockets->icmp6);
}

static struct join_member member(const struct supervisor *supervisor, enum worker_index index)
{
    return (struct join_member){supervisor->workers[index], link_peers[index]};
}

/* SPEC §6: it costs memory, so it runs from the moment on when there is something to keep. */
static void want_keeper(struct supervisor *supervisor)
{
    if (supervisor->is_keeper_wanted || supervisor->is_stopping)
        return;
    supervisor->is_keeper_wanted = true;
    control_worker_add(supervisor->readiness.control, member(supervisor, KEEPER));
    worker_start(supervisor->workers[KEEPER]);
}

static void start_others(struct supervisor *supervisor)
{
    supervisor->others_were_started = true;
    worker_start(supervisor->workers[NETADMIN]);
    if (supervisor->raw_sockets->arp >= 0)
        worker_start(supervisor->workers[ANNOUNCER]);
    control_worker_start(supervisor->readiness.control);
    if (supervisor->configuration->managed_count > 0) /* LIFE-2: with or without containers in scope */
        want_keeper(supervisor);
}

/* The first of all: whoever asks Docker asks through it. */
static void start_behind_gate(struct supervisor *supervisor)
{
    gate_worker_configure(supervisor->workers[GATE], supervisor->configuration, supervisor->gate_sockets);
    if (!supervisor->watcher_was_started)
        worker_start(supervisor->workers[WATCHER]);
    supervisor->watcher_was_started = true;
}

/* Configuration first, then its peers; the topology last: netadmin can ask the announcer then (GW-1). */
static void on_worker_started(struct worker *worker, void *userdata)
{
    struct supervisor *supervisor = userdata;
    enum worker_index index = index_of(supervisor, worker);

    switch (index) {
    case WATCHER:
        send_watcher_configuration(supervisor);
        if (!supervisor->others_were_started) {
            start_others(supervisor);
            return; /* joined as each of them started */
        }
        break;
    case NETADMIN:
        send_netadmin_configuration(supervisor);
        break;
    case ANNOUNCER:
        send_announcer_configuration(supervisor);
        break;
    case GATE:
        start_behind_gate(supervisor);
        break;
    case KEEPER:
        keeper_worker_configure(worker, supervisor->configuration, supervisor->gate_sockets, supervisor->had_keeper,
                                supervisor->watch);
        supervisor->had_keeper = true;
        break;
    case WORKER_COUNT:
        return;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(pairs); i++) {
        if (pairs[i].one == index || pairs[i].other == index)
            join_members(member(supervisor, pairs[i].one), member(supervisor, pairs[i].other));
    }
    control_worker_on_started(supervisor->readiness.control, worker);
    if ((index == NETADMIN || index == KEEPER) && supervisor->topology.header.type == MESSAGE_TOPOLOGY)
        worker_send(worker, &supervisor->topology.header, -1);
    if (index == NETADMIN)
        dhcp_on_netadmin_started(supervisor->dhcp);
}

static void update_readiness(struct supervisor *supervisor)
{
    readiness_update(&supervisor->readiness, supervisor->conditions[WATCHER] | supervisor->conditions[NETADMIN]);
}

/* KEEP-1: what stays serves, as after a crash, and is adopted. Without it the namespace stays closed where it ends with
 * us, or is a holder's. */
static enum stop_mode choose_stop_mode(const struct configuration *configuration, bool is_held)
{
    if (configuration->on_stop == ON_STOP_KEEP || (configuration->on_stop == ON_STOP_UNSET && is_held))
        return STOP_KEEP_STATE;
    return is_held || container_home_ends_with_us() ? STOP_LEAVE_CLOSED : STOP_TEAR_DOWN;
}

/* Everything in order, at most once: first those who read and announce, then the DHCP clients, which need the addresses
 * to release them (ADDR-8), then the one who changes. */
static void begin_stop(struct supervisor *supervisor, int exit_status)
{
    if (supervisor->is_stopping)
        return;
    supervisor->is_stopping = true;
    supervisor->exit_status = exit_status;
    (void)sd_notify(false, "STOPPING=1");
    control_worker_on_stop(supervisor->readiness.control);
    worker_stop(supervisor->workers[WATCHER], STOP_TEAR_DOWN, READERS_STOP_DEADLINE);
    worker_stop(supervisor->workers[KEEPER], STOP_TEAR_DOWN, READERS_STOP_DEADLINE);
    worker_stop(supervisor->workers[ANNOUNCER], STOP_TEAR_DOWN, READERS_STOP_DEADLINE);
}

/* Called whenever something ended during a stop: takes the next step. */
static void continue_stop(struct supervisor *supervisor, const struct worker *ended)
{
    if (worker_is_running(supervisor->workers[WATCHER]) || worker_is_running(supervisor->workers[KEEPER]) ||
        worker_is_running(supervisor->workers[ANNOUNCER]))
        return;
    dhcp_stop(supervisor->dhcp, supervisor->stop_mode == STOP_KEEP_STATE);
    if (dhcp_is_running(supervisor->dhcp))
        return;
    if (!ended || (index_of(supervisor, ended) != NETADMIN && index_of(supervisor, ended) != GATE)) {
        worker_stop(supervisor->workers[GATE], STOP_TEAR_DOWN, READERS_STOP_DEADLINE); /* nobody asks any more */
        worker_stop(supervisor->workers[NETADMIN], supervisor->stop_mode, CHANGERS_STOP_DEADLINE);
    }
    if (!worker_is_running(supervisor->workers[NETADMIN]))
        (void)sd_event_exit(supervisor->event, supervisor->exit_status);
}

/* Without announcements and repairs the project still answers. */
static bool must_work(enum worker_index index)
{
    return index == WATCHER || index == NETADMIN || index == GATE;
}

static void on_worker_ended(struct worker *worker, enum worker_end end, void *userdata)
{
    struct supervisor *supervisor = userdata;

    supervisor->conditions[index_of(supervisor, worker)] = 0;
    if (supervisor->is_stopping) {
        if (end != WORKER_END_ORDERED && index_of(supervisor, worker) == NETADMIN)
            log_error("nat teardown did not finish: what is left goes with the network namespace");
        continue_stop(supervisor, worker);
        return;
    }
    update_readiness(supervisor);
    /* One that ended in order was asked to by replace_topology(), that is, by the watcher: it waits its turn as well.
     */
    if (!role_restart(&supervisor->readiness, worker, end, must_work(index_of(supervisor, worker)))) {
        begin_stop(supervisor, EXIT_STATUS_CONFIGURATION);
        continue_stop(supervisor, NULL);
    }
}

static void refuse_topology(struct supervisor *supervisor, const struct message_topology *topology)
{
    supervisor->topologies_refused++;
    log_error("the watcher sent another topology than the pinned one, refusing it; a restart takes it",
              LOG_TEXT("external", topology->external.name), LOG_TEXT("shared", topology->shared.name),
              LOG_NUMBER("refused", supervisor->topologies_refused));
}

/*
 * Nothing is exposed yet, and the watcher has found the first backend on another network (DISC-4). netadmin removes
 * what it made for the first choice, gateway addresses included, and starts afresh with the second one.
 */
static void replace_topology(struct supervisor *supervisor)
{
    log_warn("the shared network is another one, starting netadmin afresh",
             LOG_TEXT("shared", supervisor->topology.shared.name));
    worker_stop(supervisor->workers[NETADMIN], STOP_LEAVE_CLOSED, CHANGERS_STOP_DEADLINE);
}

/* DESIGN §1: a watcher that was taken over must not be able to move the project to another network. */
static void take_topology(struct supervisor *supervisor, const struct message_topology *topology)
{
    const struct message_topology *known = &supervisor->topology;
    bool is_known = known->header.type == MESSAGE_TOPOLOGY;
    bool has_same_external = memcmp(&known->external, &topology->external, sizeof(topology->external)) == 0;
    bool has_same_shared = memcmp(&known->shared, &topology->shared, sizeof(topology->shared)) == 0;

    if (is_known && has_same_external && has_same_shared && (known->is_final || !topology->is_final))
        return;
    if (is_known && (known->is_final || !has_same_external)) {
        refuse_topology(supervisor, topology);
        return;
    }
    supervisor->topology = *topology;
    if (topology->is_final)
        log_info("topology pinned", LOG_TEXT("external", topology->external.name),
                 LOG_TEXT("shared", topology->shared.name));
    if (worker_is_running(supervisor->workers[KEEPER]))
        worker_send(supervisor->workers[KEEPER], &supervisor->topology.header, -1);
    if (is_known && !has_same_shared && worker_is_running(supervisor->workers[NETADMIN]))
        replace_topology(supervisor);
    else
        worker_send(supervisor->workers[NETADMIN], &supervisor->topology.header, -1);
}

static void take_link(struct supervisor *supervisor, const struct message_external_link *link)
{
    if (supervisor->watch)
        namespace_watch_set_links(supervisor->watch, link->has_links);
    dhcp_take_link(supervisor->dhcp, link);
}

static void on_worker_message(struct worker *worker, const struct message_header *message, void *userdata)
{
    struct supervisor *supervisor = userdata;

    switch (message->type) { /* who may send which, the protocol's gate has seen to */
    case MESSAGE_READINESS:
        supervisor->conditions[index_of(supervisor, worker)] = ((const struct message_readiness *)message)->conditions;
        update_readiness(supervisor);
        break;
    case MESSAGE_TOPOLOGY:
        take_topology(supervisor, (const struct message_topology *)message);
        break;
    case MESSAGE_KEEPER_WANTED:
        want_keeper(supervisor);
        break;
    case MESSAGE_EXTERNAL_LINK:
        take_link(supervisor, (const struct message_external_link *)message);
        break;
    case MESSAGE_LEASE_APPLIED:
        dhcp_take_answer(supervisor->dhcp, (const struct message_lease_applied *)message);
        break;
    default:
        worker_refuse(worker, message);
        break;
    }
}

static int on_stop_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
    struct supervisor *supervisor = userdata;

    (void)source;
    if (supervisor->is_stopping) {
        log_warn("second signal received, stopping at once");
        for (size_t i = 0; i < WORKER_COUNT; i++)
            worker_kill(supervisor->workers[i]);
        return sd_event_exit(supervisor->event, supervisor->exit_status);
    }
    log_info("signal received, shutting down", LOG_TEXT("signal", sigabbrev_np((int)info->ssi_signo)),
             LOG_BOOLEAN("state_stays", supervisor->stop_mode == STOP_KEEP_STATE));
    begin_stop(supervisor, EXIT_STATUS_CLEAN);
    continue_stop(supervisor, NULL);
    return 0;
}

/* SA-6, of a holder's namespace (KEEP-4). Nothing is removed: the links have gone, and all else goes with them. */
static void on_namespace_lost(void *userdata)
{
    struct supervisor *supervisor = userdata;

    if (supervisor->is_stopping)
        return;
    log_warn("the network namespace was lost, its holder has another one now: ending, so that the restart policy joins "
             "that one; after the holder was recreated: docker compose up -d");
    supervisor->stop_mode = STOP_KEEP_STATE;
    begin_stop(supervisor, EXIT_STATUS_NAMESPACE_LOST);
    continue_stop(supervisor, NULL);
}

static void release_supervisor(struct supervisor *supervisor)
{
    supervisor->watch = namespace_watch_free(supervisor->watch);
    for (size_t i = 0; i < WORKER_COUNT; i++)
        supervisor->workers[i] = worker_free(supervisor->workers[i]);
    control_worker_set_dhcp(supervisor->readiness.control, NULL);
    supervisor->dhcp = dhcp_free(supervisor->dhcp);
    supervisor->monitoring = monitoring_free(supervisor->monitoring);
    supervisor->readiness.control = control_worker_free(supervisor->readiness.control);
    supervisor->event = sd_event_unref(supervisor->event);
}

static int make_workers(struct supervisor *supervisor, struct role_step *step)
{
    const struct worker_callbacks callbacks = {on_worker_started, on_worker_message, on_worker_ended, supervisor};

    supervisor->definitions[WATCHER] = (struct worker_definition){
        .name = "watcher",
        .program = "anchord-watcher",
        .user = WATCHER_USER,
        .writer = METRICS_WRITER_WATCHER,
        .receives = DIRECTION_WATCHER_TO_SUPERVISOR,
        .docker_cert_path =
            supervisor->configuration->docker_tls_verify ? supervisor->configuration->docker_cert_path : NULL,
    };
    supervisor->definitions[NETADMIN] = role_netadmin_definition();
    supervisor->definitions[ANNOUNCER] = (struct worker_definition){
        .name = "announcer",
        .program = "anchord-announcer",
        .user = ANNOUNCER_USER,
        .writer = METRICS_WRITER_ANNOUNCER,
        .receives = DIRECTION_ANNOUNCER_TO_SUPERVISOR,
    };
    supervisor->definitions[GATE] = gate_worker_definition(supervisor->configuration);
    supervisor->definitions[KEEPER] = keeper_worker_definition(supervisor->configuration);
    return role_make_workers(supervisor->event, supervisor->definitions, WORKER_COUNT, &callbacks, supervisor->workers,
                             step);
}

/* Without it the project answers as well; what is wrong has been said. */
static void prepare_control(struct supervisor *supervisor)
{
    if (control_worker_new(supervisor->event, supervisor->configuration, ANCHOR_ROLE_NETWORK,
                           &supervisor->readiness.control) < 0)
        return;
    for (size_t i = 0; i < (gate_worker_is_used(supervisor->configuration) ? KEEPER : GATE); i++)
        control_worker_add(supervisor->readiness.control, member(supervisor, (enum worker_index)i));
    monitoring_show(supervisor->monitoring, supervisor->readiness.control);
    control_worker_on_readiness(supervisor->readiness.control, supervisor->readiness.required, 0);
}

static void send_to_netadmin(const struct message_header *message, void *userdata)
{
    const struct supervisor *supervisor = userdata;

    worker_send(supervisor->workers[NETADMIN], message, -1);
}

static void on_dhcp_changed(void *userdata)
{
    const struct supervisor *supervisor = userdata;

    control_worker_on_changed(supervisor->readiness.control);
}

/* One client, while the other may still run: continue_stop() waits for both. */
static void on_dhcp_ended(void *userdata)
{
    continue_stop(userdata, NULL);
}

static int prepare_dhcp(struct supervisor *supervisor)
{
    const struct dhcp_family_callbacks callbacks = {send_to_netadmin, on_dhcp_changed, on_dhcp_ended, supervisor};
    int result;

    if (supervisor->lease_listener < 0)
        return 0;
    result = dhcp_new(supervisor->event, supervisor->configuration, supervisor->lease_listener,
                      supervisor->raw_sockets->dhcp, &callbacks, &supervisor->dhcp);
    control_worker_set_dhcp(supervisor->readiness.control, supervisor->dhcp);
    return result;
}

int network_anchor_run(const struct configuration *configuration, const struct raw_sockets *raw_sockets,
                       const struct gate_sockets *gate_sockets, int lease_listener)
{
    bool is_held = holder_is_there();
    CLEANUP(release_supervisor)
    struct supervisor supervisor = {
        .configuration = configuration,
        .raw_sockets = raw_sockets,
        .gate_sockets = gate_sockets,
        .lease_listener = lease_listener,
        .readiness = {.required = READY_CONDITIONS},
        .stop_mode = choose_stop_mode(configuration, is_held),
    };
    struct role_step step;
    int result = role_event_loop_new(on_stop_signal, &supervisor, &supervisor.event, &step);

    if (result == 0)
        result = make_workers(&supervisor, &step);
    if (result == 0 && is_held) {
        step = (struct role_step){"watch the namespace", "timer"};
        result = namespace_watch_new(supervisor.event, on_namespace_lost, &supervisor, &supervisor.watch);
    }
    if (result < 0)
        return role_cannot_prepare(&step, result);
    supervisor.monitoring = monitoring_new(supervisor.event, configuration, READY_CONDITIONS);
    prepare_control(&supervisor);
    result = prepare_dhcp(&supervisor);
    if (result < 0)
        return role_cannot_prepare(&(struct role_step){"prepare DHCP", "lease socket"}, result);
    worker_start(supervisor.workers[gate_worker_is_used(configuration) ? GATE : WATCHER]);
    return role_run(supervisor.event);
}
