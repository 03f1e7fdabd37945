/* The role network-anchor; see network_anchor.h. Runs as root, reads only our own messages. */
#include "daemon/role/network_anchor.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/sandbox.h"
#include "daemon/role/container_home.h"
#include "daemon/role/holder.h"
#include "daemon/role/identity.h"
#include "daemon/role/keeper_worker.h"
#include "daemon/role/namespace_watch.h"
#include "protocol/problems.h"

#include <string.h>

/* Ready means that the project answers (SPEC §8); whether Docker is there right now is another question. */
#define READY_CONDITIONS (READINESS_TABLES_INSTALLED | READINESS_RECONCILED)

struct network_anchor {
    const struct configuration *configuration;
    const struct gate_sockets *gate_sockets;
    struct identity *identity;
    struct message_topology topology; /* pinned once it is final; header.type 0: not known yet */
    uint64_t topologies_refused;
    bool had_keeper;               /* one ran, and may have left something half-done */
    struct namespace_watch *watch; /* NULL: the namespace is our own */
};

/* A watcher that was restarted may not choose again: another choice would be refused for ever (DISC-4). */
static void write_watcher(struct message_configure_watcher *message, void *userdata)
{
    const struct network_anchor *anchor = userdata;

    if (anchor->topology.is_final)
        memcpy(message->shared_network, anchor->topology.shared.name, sizeof(message->shared_network));
}

static void configure_keeper(struct worker *keeper, void *userdata)
{
    struct network_anchor *anchor = userdata;

    keeper_worker_configure(keeper, anchor->configuration, anchor->gate_sockets, anchor->had_keeper, anchor->watch);
    anchor->had_keeper = true;
}

static void on_started(enum identity_worker which, void *userdata)
{
    const struct network_anchor *anchor = userdata;

    if (which == IDENTITY_WATCHER && anchor->configuration->managed_count > 0) /* LIFE-2: with or without backends */
        identity_want_own(anchor->identity);
    if ((which == IDENTITY_NETADMIN || which == IDENTITY_OWN) && anchor->topology.header.type == MESSAGE_TOPOLOGY)
        worker_send(identity_worker(anchor->identity, which), &anchor->topology.header, -1);
}

/* KEEP-1: what stays serves, as after a crash, and is adopted. Without it the namespace stays closed where it ends with
 * us, or is a holder's. */
static enum stop_mode choose_stop_mode(const struct configuration *configuration, bool is_held)
{
    if (configuration->on_stop == ON_STOP_KEEP || (configuration->on_stop == ON_STOP_UNSET && is_held))
        return STOP_KEEP_STATE;
    return is_held || container_home_ends_with_us() ? STOP_LEAVE_CLOSED : STOP_TEAR_DOWN;
}

static void refuse_topology(struct network_anchor *anchor, const struct message_topology *topology)
{
    anchor->topologies_refused++;
    log_error("the watcher sent another topology than the pinned one, refusing it; a restart takes it",
              LOG_TEXT("external", topology->external.name), LOG_TEXT("shared", topology->shared.name),
              LOG_NUMBER("refused", anchor->topologies_refused));
}

/*
 * Nothing is exposed yet, and the watcher has found the first backend on another network (DISC-4). netadmin removes
 * what it made for the first choice, gateway addresses included, and starts afresh with the second one.
 */
static void replace_topology(struct network_anchor *anchor)
{
    log_warn("transit is another network, starting netadmin afresh", LOG_TEXT("shared", anchor->topology.shared.name));
    worker_stop(identity_worker(anchor->identity, IDENTITY_NETADMIN), STOP_LEAVE_CLOSED, CHANGERS_STOP_DEADLINE);
}

/* DESIGN §1: a watcher that was taken over must not be able to move the project to another network. */
static void take_topology(struct network_anchor *anchor, const struct message_topology *topology)
{
    struct worker *netadmin = identity_worker(anchor->identity, IDENTITY_NETADMIN);
    struct worker *keeper = identity_worker(anchor->identity, IDENTITY_OWN);
    const struct message_topology *known = &anchor->topology;
    bool is_known = known->header.type == MESSAGE_TOPOLOGY;
    bool has_same_external = memcmp(&known->external, &topology->external, sizeof(topology->external)) == 0;
    bool has_same_shared = memcmp(&known->shared, &topology->shared, sizeof(topology->shared)) == 0;

    if (is_known && has_same_external && has_same_shared && (known->is_final || !topology->is_final))
        return;
    if (is_known && (known->is_final || !has_same_external)) {
        refuse_topology(anchor, topology);
        return;
    }
    anchor->topology = *topology;
    if (topology->is_final)
        log_info("topology pinned", LOG_TEXT("external", topology->external.name),
                 LOG_TEXT("shared", topology->shared.name));
    if (worker_is_running(keeper))
        worker_send(keeper, &anchor->topology.header, -1);
    if (is_known && !has_same_shared && worker_is_running(netadmin))
        replace_topology(anchor);
    else
        worker_send(netadmin, &anchor->topology.header, -1);
}

static void on_watcher_message(struct worker *watcher, const struct message_header *message, void *userdata)
{
    struct network_anchor *anchor = userdata;

    switch (message->type) {
    case MESSAGE_TOPOLOGY:
        take_topology(anchor, (const struct message_topology *)message);
        break;
    case MESSAGE_KEEPER_WANTED:
        identity_want_own(anchor->identity);
        break;
    default:
        worker_refuse(watcher, message);
        break;
    }
}

static void on_link(const struct message_external_link *link, void *userdata)
{
    const struct network_anchor *anchor = userdata;

    if (anchor->watch)
        namespace_watch_set_links(anchor->watch, link->has_links);
}

/* SA-6, of a holder's namespace (KEEP-4). Nothing is removed: the links have gone, and all else goes with them. */
static void on_namespace_lost(void *userdata)
{
    const struct network_anchor *anchor = userdata;

    if (identity_is_stopping(anchor->identity))
        return;
    log_warn("the network namespace was lost, its holder has another one now: ending, so that the restart policy joins "
             "that one; after the holder was recreated: docker compose up -d",
             LOG_PROBLEM(PROBLEM_NAMESPACE_LOST));
    identity_stop(anchor->identity, STOP_KEEP_STATE, EXIT_STATUS_NAMESPACE_LOST);
}

static void release(struct network_anchor *anchor)
{
    anchor->watch = namespace_watch_free(anchor->watch);
    anchor->identity = identity_free(anchor->identity);
}

int network_anchor_run(const struct configuration *configuration, const struct identity_openings *openings)
{
    bool is_held = holder_is_there();
    CLEANUP(release)
    struct network_anchor anchor = {.configuration = configuration, .gate_sockets = openings->gate_sockets};
    const struct identity_role role = {
        .name = ANCHOR_ROLE_NETWORK,
        .conditions = READY_CONDITIONS,
        .stop_mode = choose_stop_mode(configuration, is_held),
        .own = keeper_worker_definition(configuration),
        .own_peer = LINK_PEER_KEEPER,
        .write_watcher = write_watcher,
        .configure_own = configure_keeper,
        .on_started = on_started,
        .on_watcher_message = on_watcher_message,
        .on_link = on_link,
        .userdata = &anchor,
    };
    struct role_step step;
    int result = identity_new(configuration, openings, &role, &anchor.identity, &step);

    if (result == 0 && is_held) {
        step = (struct role_step){"watch the namespace", "timer"};
        result = namespace_watch_new(identity_event(anchor.identity), on_namespace_lost, &anchor, &anchor.watch);
    }
    if (result < 0)
        return role_cannot_prepare(&step, result);
    result = identity_start(anchor.identity);
    return result == EXIT_STATUS_CLEAN ? identity_run(anchor.identity) : result;
}
