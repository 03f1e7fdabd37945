/* The supervisor of an identity; see identity.h. Runs as root, reads only our own messages. */
#include "daemon/role/identity_internal.h"

#include "common/clock.h"
#include "common/sandbox.h"
#include "daemon/role/control_worker.h"
#include "daemon/role/guest_texts.h"
#include "daemon/supervise/timer.h"
#include "daemon/supervise/users.h"
#include "protocol/problems.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

/* Before the project answers, control and exporter only compute beside those whom packets wait for. Who asks them
 * meanwhile waits at their sockets, and not for long. */
#define LATE_START_DELAY    (100 * MICROSECONDS_PER_MILLISECOND)
#define LATE_START_ACCURACY (10 * MICROSECONDS_PER_MILLISECOND)

/* As the workers call each other; the gate is joined to nobody, the role's own as the role says. */
static const enum link_peer link_peers[IDENTITY_WORKER_MAX_] = {
    [IDENTITY_WATCHER] = LINK_PEER_WATCHER,
    [IDENTITY_NETADMIN] = LINK_PEER_NETADMIN,
    [IDENTITY_ANNOUNCER] = LINK_PEER_ANNOUNCER,
    [IDENTITY_BANS] = LINK_PEER_BANS,
};

/* Who talks to whom. */
static const struct {
    enum identity_worker one;
    enum identity_worker other;
} pairs[] = {
    {IDENTITY_WATCHER, IDENTITY_NETADMIN}, {IDENTITY_ANNOUNCER, IDENTITY_NETADMIN}, {IDENTITY_BANS, IDENTITY_NETADMIN}};

enum identity_worker identity_index_of(const struct identity *identity, const struct worker *worker)
{
    enum identity_worker index = IDENTITY_WATCHER;

    while (index + 1 < IDENTITY_WORKER_MAX_ && identity->workers[index] != worker)
        index++;
    return index;
}

static void send_watcher_configuration(const struct identity *identity)
{
    const struct configuration *configuration = identity->configuration;
    struct message_configure_watcher message = {
        .header = message_header_make(MESSAGE_CONFIGURE_WATCHER, sizeof(message), 0),
        .pinned_gateway4 = wire_address_from(&configuration->external_gateways.v4),
        .address_mode = configuration->address_mode,
        .poll_interval_milliseconds = (uint32_t)configuration->poll_interval_milliseconds,
        .log_level = configuration->log_level,
    };

    gate_worker_write_asked_at(configuration, identity->openings->gate_sockets, GATE_SOCKET_WATCHER, message.asked_at);
    /* The arrays are of the same size on both sides. */
    memcpy(message.docker_host, configuration->docker_host, sizeof(message.docker_host));
    memcpy(message.project, configuration->project, sizeof(message.project));
    memcpy(message.label_selector, configuration->label_selector, sizeof(message.label_selector));
    memcpy(message.external_network, configuration->external_network, sizeof(message.external_network));
    memcpy(message.external_interface, configuration->external_interface, sizeof(message.external_interface));
    memcpy(message.shared_network, configuration->shared_network, sizeof(message.shared_network));
    guest_texts_send(configuration, identity->workers[IDENTITY_WATCHER]);
    identity->role->write_watcher(&message, identity->role->userdata);
    worker_send(identity->workers[IDENTITY_WATCHER], &message.header, -1);
}

static void send_netadmin_configuration(const struct identity *identity)
{
    const struct configuration *configuration = identity->configuration;
    struct message_configure_netadmin message = {
        .header = message_header_make(MESSAGE_CONFIGURE_NETADMIN, sizeof(message), 0),
        .pinned_gateway4 = wire_address_from(&configuration->external_gateways.v4),
        .pinned_gateway6 = wire_address_from(&configuration->external_gateways.v6),
        .address_mode = configuration->address_mode,
        .claim_gateway = configuration->claim_gateway,
        .log_level = configuration->log_level,
    };

    if (identity->role->write_netadmin)
        identity->role->write_netadmin(&message, identity->role->userdata);
    worker_send(identity->workers[IDENTITY_NETADMIN], &message.header, -1);
}

static void send_raw_socket(const struct identity *identity, enum raw_socket_kind kind, int descriptor)
{
    struct message_raw_socket message = {
        .header = message_header_make(MESSAGE_RAW_SOCKET, sizeof(message), 0),
        .kind = kind,
    };

    if (descriptor >= 0)
        worker_send(identity->workers[IDENTITY_ANNOUNCER], &message.header, descriptor);
}

static void send_announcer_configuration(const struct identity *identity)
{
    struct message_configure_announcer message = {
        .header = message_header_make(MESSAGE_CONFIGURE_ANNOUNCER, sizeof(message), 0),
        .log_level = identity->configuration->log_level,
    };

    worker_send(identity->workers[IDENTITY_ANNOUNCER], &message.header, -1);
    send_raw_socket(identity, RAW_SOCKET_ARP, identity->openings->raw_sockets->arp);
    send_raw_socket(identity, RAW_SOCKET_ICMP6, identity->openings->raw_sockets->icmp6);
}

static struct join_member member(const struct identity *identity, enum identity_worker index)
{
    return (struct join_member){identity->workers[index],
                                index == IDENTITY_OWN ? identity->role->own_peer : link_peers[index]};
}

void identity_want_own(struct identity *identity)
{
    if (identity->is_own_wanted || identity->is_stopping)
        return;
    identity->is_own_wanted = true;
    control_worker_add(identity->readiness.control, member(identity, IDENTITY_OWN));
    worker_start(identity->workers[IDENTITY_OWN]);
}

void identity_show(struct identity *identity)
{
    if (identity->is_shown)
        return;
    identity->is_shown = true;
    control_worker_start(identity->readiness.control);
}

/* At the first readiness, or when there is none for a while. */
static void start_late(struct identity *identity)
{
    if (identity->late_were_started || identity->is_stopping)
        return;
    identity->late_were_started = true;
    identity_show(identity);
    monitoring_start(identity->monitoring);
}

static int on_late_time(sd_event_source *source, uint64_t planned, void *userdata)
{
    (void)source;
    (void)planned;
    start_late(userdata);
    return 0;
}

static void start_others(struct identity *identity)
{
    identity->others_were_started = true;
    timer_set(identity->late_timer, LATE_START_DELAY);
    worker_start(identity->workers[IDENTITY_NETADMIN]);
    if (identity->openings->raw_sockets->arp >= 0)
        worker_start(identity->workers[IDENTITY_ANNOUNCER]);
    if (identity->role->own_is_needed)
        identity_want_own(identity);
    bans_worker_await(identity->event, identity->openings->bans, identity->workers[IDENTITY_BANS], &identity->bans);
}

/* The first of all: whoever asks Docker asks through it. */
static void start_behind_gate(struct identity *identity)
{
    gate_worker_configure(identity->workers[IDENTITY_GATE], identity->configuration, identity->openings->gate_sockets);
    if (!identity->watcher_was_started)
        worker_start(identity->workers[IDENTITY_WATCHER]);
    identity->watcher_was_started = true;
}

/* Configuration first, then its peers, then what the role has for it: netadmin can ask the announcer then (GW-1). */
static void on_worker_started(struct worker *worker, void *userdata)
{
    struct identity *identity = userdata;
    enum identity_worker index = identity_index_of(identity, worker);

    switch (index) {
    case IDENTITY_WATCHER:
        send_watcher_configuration(identity);
        if (!identity->others_were_started) {
            start_others(identity);                                         /* joined as each of them started */
            control_worker_on_started(identity->readiness.control, worker); /* which may have been shown before */
            identity->role->on_started(index, identity->role->userdata);
            return;
        }
        break;
    case IDENTITY_NETADMIN:
        send_netadmin_configuration(identity);
        break;
    case IDENTITY_ANNOUNCER:
        send_announcer_configuration(identity);
        break;
    case IDENTITY_GATE:
        start_behind_gate(identity);
        break;
    case IDENTITY_OWN:
        identity->role->configure_own(worker, identity->role->userdata);
        break;
    case IDENTITY_BANS:
        control_worker_add(identity->readiness.control, member(identity, index));
        bans_worker_configure(worker, identity->configuration, identity->openings->bans);
        break;
    case IDENTITY_WORKER_MAX_:
        return;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(pairs); i++) {
        if (pairs[i].one == index || pairs[i].other == index)
            join_members(member(identity, pairs[i].one), member(identity, pairs[i].other));
    }
    control_worker_on_started(identity->readiness.control, worker);
    identity->role->on_started(index, identity->role->userdata);
    if (index == IDENTITY_NETADMIN)
        dhcp_on_netadmin_started(identity->dhcp);
}

static void update_readiness(struct identity *identity)
{
    uint32_t held = identity->conditions[IDENTITY_WATCHER] | identity->conditions[IDENTITY_NETADMIN];

    if (identity->role->own_is_needed)
        held |= identity->conditions[IDENTITY_OWN];
    worker_await_docker(identity->workers[IDENTITY_GATE], !(held & READINESS_DOCKER_CONNECTED));
    readiness_update(&identity->readiness, held);
    if (identity->readiness.is_ready)
        start_late(identity);
}

/* Without announcements and repairs the project still answers. */
static bool must_work(const struct identity *identity, enum identity_worker index)
{
    return index == IDENTITY_WATCHER || index == IDENTITY_GATE || identity_changes_kernel(identity, index);
}

static void on_worker_ended(struct worker *worker, enum worker_end end, void *userdata)
{
    struct identity *identity = userdata;

    identity->conditions[identity_index_of(identity, worker)] = 0;
    if (identity_index_of(identity, worker) == IDENTITY_OWN)
        identity->own_knows_all = false;
    if (identity->is_stopping) {
        identity_stop_on_ended(identity, worker, end);
        return;
    }
    update_readiness(identity);
    /* One that ended in order was asked to by the role, on the word of a watcher: it waits its turn as well. */
    if (!role_restart(&identity->readiness, worker, end, must_work(identity, identity_index_of(identity, worker)))) {
        identity_stop(identity, identity->stop_mode, EXIT_STATUS_CONFIGURATION);
        return;
    }
    if (identity->is_gathering)
        worker_hasten(worker);
}

static void take_readiness(struct identity *identity, enum identity_worker which,
                           const struct message_readiness *message)
{
    identity->conditions[which] = message->conditions;
    update_readiness(identity);
}

static void on_watcher_message(struct worker *watcher, const struct message_header *message, void *userdata)
{
    struct identity *identity = userdata;

    switch (message->type) {
    case MESSAGE_READINESS:
        take_readiness(identity, IDENTITY_WATCHER, (const struct message_readiness *)message);
        break;
    default:
        if (identity->role->on_watcher_message)
            identity->role->on_watcher_message(watcher, message, identity->role->userdata);
        else
            worker_refuse(watcher, message);
        break;
    }
}

static void on_own_message(struct worker *own, const struct message_header *message, void *userdata)
{
    switch (message->type) {
    case MESSAGE_READINESS:
        take_readiness(userdata, IDENTITY_OWN, (const struct message_readiness *)message);
        identity_stop_on_own_ready(userdata);
        break;
    default:
        worker_refuse(own, message);
        break;
    }
}

static void on_netadmin_message(struct worker *netadmin, const struct message_header *message, void *userdata)
{
    struct identity *identity = userdata;

    switch (message->type) {
    case MESSAGE_READINESS:
        take_readiness(identity, IDENTITY_NETADMIN, (const struct message_readiness *)message);
        break;
    case MESSAGE_EXTERNAL_LINK:
        dhcp_take_link(identity->dhcp, (const struct message_external_link *)message);
        if (identity->role->on_link)
            identity->role->on_link((const struct message_external_link *)message, identity->role->userdata);
        break;
    case MESSAGE_LEASE_APPLIED:
        dhcp_take_answer(identity->dhcp, (const struct message_lease_applied *)message);
        if (identity->role->on_lease_answer)
            identity->role->on_lease_answer((const struct message_lease_applied *)message, identity->role->userdata);
        break;
    default:
        if (identity->role->on_netadmin_message)
            identity->role->on_netadmin_message(netadmin, message, identity->role->userdata);
        else
            worker_refuse(netadmin, message);
        break;
    }
}

struct identity *identity_free(struct identity *identity)
{
    if (!identity)
        return NULL;
    for (size_t i = 0; i < IDENTITY_WORKER_MAX_; i++)
        (void)worker_free(identity->workers[i]);
    sd_event_source_disable_unref(identity->late_timer);
    sd_event_source_disable_unref(identity->gather_timer);
    bans_worker_stop_awaiting(&identity->bans);
    control_worker_set_dhcp(identity->readiness.control, NULL);
    (void)dhcp_free(identity->dhcp);
    (void)monitoring_free(identity->monitoring);
    (void)control_worker_free(identity->readiness.control);
    sd_event_unref(identity->event);
    free(identity);
    return NULL;
}

sd_event *identity_event(const struct identity *identity)
{
    return identity->event;
}

struct worker *identity_worker(const struct identity *identity, enum identity_worker which)
{
    return identity->workers[which];
}

bool identity_is_stopping(const struct identity *identity)
{
    return identity->is_stopping;
}

static int make_workers(struct identity *identity, struct role_step *step)
{
    const struct worker_callbacks callbacks[IDENTITY_WORKER_MAX_] = {
        [IDENTITY_WATCHER] = {on_worker_started, on_watcher_message, on_worker_ended, identity},
        [IDENTITY_NETADMIN] = {on_worker_started, on_netadmin_message, on_worker_ended, identity},
        [IDENTITY_ANNOUNCER] = {on_worker_started, NULL, on_worker_ended, identity},
        [IDENTITY_GATE] = {on_worker_started, NULL, on_worker_ended, identity},
        [IDENTITY_OWN] = {on_worker_started, on_own_message, on_worker_ended, identity},
        [IDENTITY_BANS] = {on_worker_started, NULL, on_worker_ended, identity},
    };

    identity->definitions[IDENTITY_WATCHER] = (struct worker_definition){
        .name = "watcher",
        .program = "anchord-watcher",
        .user = WATCHER_USER,
        .writer = METRICS_WRITER_WATCHER,
        .receives = DIRECTION_WATCHER_TO_SUPERVISOR,
        .docker_cert_path =
            identity->configuration->docker_tls_verify ? identity->configuration->docker_cert_path : NULL,
    };
    identity->definitions[IDENTITY_NETADMIN] = role_netadmin_definition();
    identity->definitions[IDENTITY_ANNOUNCER] = (struct worker_definition){
        .name = "announcer",
        .program = "anchord-announcer",
        .user = ANNOUNCER_USER,
        .writer = METRICS_WRITER_ANNOUNCER,
        .receives = DIRECTION_ANNOUNCER_TO_SUPERVISOR,
    };
    identity->definitions[IDENTITY_GATE] = gate_worker_definition(identity->configuration);
    identity->definitions[IDENTITY_OWN] = identity->role->own;
    identity->definitions[IDENTITY_BANS] = bans_worker_definition(identity->openings->bans);
    return role_make_workers(identity->event, identity->definitions, IDENTITY_WORKER_MAX_, callbacks, identity->workers,
                             step);
}

void identity_set_faults(struct identity *identity, uint32_t faults, bool do_hold)
{
    control_worker_set_faults(identity->readiness.control, faults, do_hold);
}

/* Without it the project answers as well; what is wrong has been said. */
static void prepare_control(struct identity *identity)
{
    if (control_worker_new(identity->event, identity->configuration, identity->role->name,
                           &identity->readiness.control) < 0)
        return;
    for (size_t i = 0; i < (gate_worker_is_used(identity->configuration) ? IDENTITY_OWN : IDENTITY_GATE); i++)
        control_worker_add(identity->readiness.control, member(identity, (enum identity_worker)i));
    monitoring_show(identity->monitoring, identity->readiness.control, identity->workers[IDENTITY_NETADMIN]);
    identity_set_faults(identity, SUPERVISOR_FAULT_NOT_ANNOUNCED, identity->openings->raw_sockets->arp < 0);
    identity_set_faults(identity, SUPERVISOR_FAULT_NO_BANS, identity->openings->bans->listeners[BAN_SOCKET_ROOT] < 0);
    control_worker_on_readiness(identity->readiness.control, identity->readiness.required, 0);
}

static void send_to_netadmin(const struct message_header *message, void *userdata)
{
    const struct identity *identity = userdata;

    worker_send(identity->workers[IDENTITY_NETADMIN], message, -1);
}

static void on_dhcp_changed(void *userdata)
{
    const struct identity *identity = userdata;

    control_worker_on_changed(identity->readiness.control);
}

/* One client, while the other may still run: identity_stop_continue() waits for both. */
static void on_dhcp_ended(void *userdata)
{
    identity_stop_continue(userdata, NULL);
}

static int prepare_dhcp(struct identity *identity)
{
    const struct dhcp_family_callbacks callbacks = {send_to_netadmin, on_dhcp_changed, on_dhcp_ended, identity};
    int result;

    if (identity->openings->lease_listener < 0)
        return 0;
    result = dhcp_new(identity->event, identity->configuration, identity->openings->lease_listener,
                      identity->openings->raw_sockets->dhcp, &callbacks, &identity->dhcp);
    control_worker_set_dhcp(identity->readiness.control, identity->dhcp);
    return result;
}

static int prepare(struct identity *identity, struct role_step *step)
{
    int result = role_event_loop_new(identity_on_stop_signal, identity, &identity->event, step);

    if (result == 0)
        result = make_workers(identity, step);
    if (result == 0) {
        *step = (struct role_step){"prepare a later start", "timer"};
        result = timer_new(identity->event, CLOCK_MONOTONIC, LATE_START_ACCURACY, on_late_time, identity,
                           &identity->late_timer);
    }
    if (result == 0) {
        *step = (struct role_step){"prepare an orderly end", "timer"};
        result = identity_stop_prepare(identity);
    }
    if (result < 0)
        return result;
    identity->monitoring = monitoring_new(identity->event, identity->configuration, identity->role->conditions);
    prepare_control(identity);
    return 0;
}

int identity_new(const struct configuration *configuration, const struct identity_openings *openings,
                 const struct identity_role *role, struct identity **ret, struct role_step *step)
{
    CLEANUP(identity_freep) struct identity *identity = calloc(1, sizeof(*identity));
    int result;

    *step = (struct role_step){"make a supervisor", "memory"};
    if (!identity)
        return -ENOMEM;
    identity->configuration = configuration;
    identity->openings = openings;
    identity->role = role;
    identity->readiness.required = role->conditions;
    identity->stop_mode = role->stop_mode;
    result = prepare(identity, step);
    if (result < 0)
        return result;
    *ret = TAKE_POINTER(identity);
    return 0;
}

int identity_start(struct identity *identity)
{
    int result = prepare_dhcp(identity);

    if (result < 0)
        return role_cannot_prepare(&(struct role_step){"prepare DHCP", "lease socket"}, result);
    worker_start(identity->workers[gate_worker_is_used(identity->configuration) ? IDENTITY_GATE : IDENTITY_WATCHER]);
    return EXIT_STATUS_CLEAN;
}

int identity_run(struct identity *identity)
{
    return role_run(identity->event);
}
