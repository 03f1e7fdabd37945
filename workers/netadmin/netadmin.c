/*
 * The state machine of the privileged side; see netadmin.h. Runs in anchord-netadmin with CAP_NET_ADMIN.
 *
 * Both peers are less privileged than we are: the supervisor may configure, pin the topology and stop us, the
 * watcher may only offer desired states, which the policy checks. No message can name a table, a file, a
 * program or an address of ours.
 */
#include "workers/netadmin/netadmin.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/sandbox.h"
#include "common/text.h"
#include "protocol/channel.h"
#include "protocol/event_loop.h"
#include "protocol/metrics.h"
#include "protocol/network_reporter.h"
#include "protocol/problems.h"
#include "protocol/supervised.h"
#include "workers/netadmin/bans_peer.h"
#include "workers/netadmin/closing.h"
#include "workers/netadmin/counters_peer.h"
#include "workers/netadmin/lease_exchange.h"
#include "workers/netadmin/map_report.h"
#include "workers/netadmin/nft/nft_monitor.h"
#include "workers/netadmin/nft/nft_names.h"
#include "workers/netadmin/offered_state.h"
#include "workers/netadmin/plan/backend_policy.h"
#include "workers/netadmin/plan/exposure_state.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>

/* Packets between lookup and confirmation at the time of a commit are long through by then (ruleset.h). */
#define SECOND_SWEEP_DELAY (100 * MICROSECONDS_PER_MILLISECOND)
#define TIMER_ACCURACY     (10 * MICROSECONDS_PER_MILLISECOND)
#define RETRY_DELAY        (1 * MICROSECONDS_PER_SECOND)
/* Somebody who changes our tables in a loop gets a repair this often: well within NAT-15's second. */
#define REPAIR_INTERVAL (200 * MICROSECONDS_PER_MILLISECOND)

struct netadmin {
    sd_event *event;
    struct channel *supervisor;
    struct channel *watcher; /* NULL until LINK */
    struct network *network;
    struct ruleset *ruleset;
    struct nft_monitor *monitor;
    struct network_reporter control;
    struct bans_peer bans;
    struct counters_peer counters;
    sd_event_source *reconcile_source; /* deferred: a burst of reasons becomes one comparison */
    sd_event_source *retry_timer;
    sd_event_source *sweep_timer;
    struct message_topology topology; /* type MESSAGE_INVALID until it came */
    struct exposure_state incoming;
    struct desired_state desired; /* committed by the watcher and not applied yet, if has_desired */
    bool has_desired;
    struct offered_state offered; /* under attach: what `desired` is a part of */
    uint64_t desired_generation;
    bool desired_waits;    /* for a subnet that the shared interface does not have yet */
    bool failure_was_said; /* to the watcher, about desired_generation */
    struct nft_failure last_failure;
    struct nft_failure last_sweep_failure;
    struct nft_repairs repairs;
    uint32_t conditions; /* enum readiness_condition */
    uint64_t links_generation;
    struct message_external_link external_link; /* as last sent */
    struct message_project_addresses told_addresses;
};

/* --- answers --------------------------------------------------------------------------------------------- */

static void send_readiness(struct netadmin *netadmin, uint32_t conditions)
{
    struct message_readiness message = {
        .header = message_header_make(MESSAGE_READINESS, sizeof(message), 0),
        .conditions = conditions,
    };

    if (conditions == netadmin->conditions)
        return;
    netadmin->conditions = conditions;
    (void)channel_send_message(netadmin->supervisor, &message); /* the end of the loop follows its end */
}

static void send_applied(struct netadmin *netadmin, uint64_t generation, int error,
                         const uint32_t flushed[FAMILY_INDEX_MAX_], const char *reason)
{
    struct message_applied message = {
        .header = message_header_make(MESSAGE_APPLIED, sizeof(message), generation),
        .error = error,
        .lacks_lists = ruleset_lacks(netadmin->ruleset, GUEST_PORTS),
    };

    if (!netadmin->watcher)
        return;
    map_state_count_each(ruleset_held(netadmin->ruleset), message.entries);
    if (flushed)
        memcpy(message.flushed, flushed, sizeof(message.flushed));
    text_copy_cut(message.reason, sizeof(message.reason), reason);
    (void)channel_send_message(netadmin->watcher, &message);
}

/* A state that is refused whole. */
static void refuse_state(struct netadmin *netadmin, uint64_t generation, int error, const char *reason)
{
    send_applied(netadmin, generation, error, NULL, reason);
    log_error("desired state refused", LOG_PROBLEM(PROBLEM_STATE_REFUSED), LOG_NUMBER("generation", generation),
              LOG_ERROR_TEXT(reason));
}

/* --- comparing and applying ------------------------------------------------------------------------------ */

static void drop_desired(struct netadmin *netadmin)
{
    desired_state_clear(&netadmin->desired);
    netadmin->has_desired = false;
    netadmin->failure_was_said = false;
}

static int judge_desired(const struct netadmin *netadmin, const struct wire_network *shared, char reason[REASON_SIZE])
{
    struct ip_address own[NETWORK_ADDRESSES_MAX];
    const struct backend_policy policy = {shared, NULL, own, network_list_addresses(netadmin->network, own)};

    return backend_policy_check(&policy, &netadmin->desired, reason);
}

/* Under attach, also with each word on links or host. */
static void select_desired(struct netadmin *netadmin)
{
    struct desired_state selected = {0};
    int result = offered_state_select(&netadmin->offered, netadmin->network, &selected);

    if (result == 0)
        return;
    drop_desired(netadmin);
    netadmin->desired = selected;
    netadmin->has_desired = result > 0;
    if (result < 0)
        refuse_state(netadmin, netadmin->desired_generation, result, "out of memory");
    event_loop_wake(netadmin->reconcile_source);
}

/* Before the shared network is settled a state waits, and is not judged by one that may be replaced (DISC-4). */
static bool is_settled_for(const struct netadmin *netadmin)
{
    return netadmin->topology.is_final || desired_state_count(&netadmin->desired) == 0;
}

/* The policy knows the topology: only here, just before applying, can it judge. What only a subnet allows that the
 * interface does not have (WALL-5) waits: its addresses may be on their way. */
static void check_desired(struct netadmin *netadmin)
{
    const struct wire_network *believed = network_shared_believed(netadmin->network);
    char reason[REASON_SIZE];
    int result;

    if (!netadmin->has_desired || netadmin->offered.is_there || !is_settled_for(netadmin))
        return;
    result = judge_desired(netadmin, &netadmin->topology.shared, reason);
    if (result < 0) {
        refuse_state(netadmin, netadmin->desired_generation, result, reason);
        drop_desired(netadmin);
        return;
    }
    if (memcmp(believed, &netadmin->topology.shared, sizeof(*believed)) != 0) /* mostly the same: judged already */
        result = judge_desired(netadmin, believed, reason);
    netadmin->desired_waits = result < 0;
    if (result < 0 && !netadmin->failure_was_said)
        refuse_state(netadmin, netadmin->desired_generation, result, reason);
    netadmin->failure_was_said = netadmin->failure_was_said || result < 0;
}

static bool may_apply_desired(const struct netadmin *netadmin)
{
    return netadmin->has_desired && !netadmin->desired_waits && is_settled_for(netadmin);
}

static void report_success(struct netadmin *netadmin, const uint32_t flushed[FAMILY_INDEX_MAX_])
{
    uint32_t conditions = (netadmin->conditions & ~(uint32_t)READINESS_LINKS_MADE) | READINESS_TABLES_INSTALLED;

    if (network_links_are_made(netadmin->network))
        conditions |= READINESS_LINKS_MADE;
    if (netadmin->last_failure.error)
        log_info("ruleset applied again");
    map_report_count(ruleset_held(netadmin->ruleset));
    netadmin->last_failure = (struct nft_failure){0};
    if (netadmin->repairs.is_needed)
        nft_repairs_note(&netadmin->repairs);
    if (may_apply_desired(netadmin)) {
        conditions |= READINESS_RECONCILED;
        send_applied(netadmin, netadmin->desired_generation, 0, flushed, "");
        drop_desired(netadmin);
    }
    send_readiness(netadmin, conditions);
    if (ruleset_wants_second_sweep(netadmin->ruleset)) {
        int enabled = SD_EVENT_OFF;

        if (sd_event_source_get_enabled(netadmin->sweep_timer, &enabled) == 0)
            event_loop_start_timer(netadmin->sweep_timer, SECOND_SWEEP_DELAY);
    }
}

static void report_failure(struct netadmin *netadmin, const struct nft_failure *failure)
{
    char reason[REASON_SIZE];
    bool is_new = failure->error != netadmin->last_failure.error ||
                  strcmp(failure->operation, netadmin->last_failure.operation) != 0;

    (void)snprintf(reason, sizeof(reason), "%s: %s", failure->operation, log_errno_text(failure->error));
    if (is_new)
        log_error("cannot apply the ruleset, retrying", LOG_PROBLEM(PROBLEM_RULES_NOT_LOADED),
                  LOG_TEXT("operation", failure->operation), LOG_ERROR(failure->error));
    netadmin->last_failure = *failure;
    if (netadmin->has_desired && !netadmin->failure_was_said) {
        netadmin->failure_was_said = true;
        send_applied(netadmin, netadmin->desired_generation, failure->error, NULL, reason);
    }
    event_loop_start_timer(netadmin->retry_timer, RETRY_DELAY);
}

/* Somebody changed our tables a moment ago, and they were repaired another moment ago: comes again by itself. */
static bool must_rest(struct netadmin *netadmin)
{
    uint64_t since = clock_monotonic_microseconds() - netadmin->repairs.last;

    if (!netadmin->repairs.is_needed || !netadmin->repairs.last || since >= REPAIR_INTERVAL)
        return false;
    event_loop_start_timer(netadmin->retry_timer, REPAIR_INTERVAL - since);
    return true;
}

/* There is no telling what the tables should be; what others changed must not open the namespace (WALL-3). */
static void keep_closed(struct netadmin *netadmin)
{
    if (!netadmin->repairs.is_needed || must_rest(netadmin))
        return;
    ruleset_invalidate(netadmin->ruleset);
    closing_begin(netadmin->ruleset);
    nft_repairs_note(&netadmin->repairs);
}

static int on_reconcile(sd_event_source *source, void *userdata)
{
    struct netadmin *netadmin = userdata;
    uint32_t flushed[FAMILY_INDEX_MAX_] = {0};
    struct nft_failure failure = {0};
    struct network_view view;

    (void)source;
    if (netadmin->topology.header.type == MESSAGE_INVALID || !network_get_view(netadmin->network, &view)) {
        keep_closed(netadmin);
        return 0;
    }
    check_desired(netadmin);
    if (must_rest(netadmin))
        return 0;
    if (netadmin->repairs.is_needed)
        ruleset_invalidate(netadmin->ruleset);
    if (ruleset_apply(netadmin->ruleset, &view, may_apply_desired(netadmin) ? &netadmin->desired : NULL, flushed,
                      &failure) < 0) {
        report_failure(netadmin, &failure);
        return 0;
    }
    bans_peer_tell_applied(&netadmin->bans, netadmin->network);
    counters_peer_tell(&netadmin->counters);
    network_forget_neighbours(netadmin->network, ruleset_newcomers(netadmin->ruleset));
    report_success(netadmin, flushed);
    lease_exchange_tell_addresses(netadmin->supervisor, netadmin->network, &view, &netadmin->told_addresses);
    network_view_applied(netadmin->network, &view);
    return 0;
}

static int on_retry(sd_event_source *source, uint64_t when, void *userdata)
{
    const struct netadmin *netadmin = userdata;

    (void)source;
    (void)when;
    event_loop_wake(netadmin->reconcile_source);
    return 0;
}

static int on_second_sweep(sd_event_source *source, uint64_t when, void *userdata)
{
    struct netadmin *netadmin = userdata;
    struct nft_failure *last = &netadmin->last_sweep_failure;
    struct nft_failure failure = {0};

    (void)source;
    (void)when;
    if (ruleset_sweep_again(netadmin->ruleset, &failure) < 0) {
        if (failure.error != last->error || strcmp(failure.operation, last->operation) != 0)
            log_error("cannot drop stale conntrack entries, retrying", LOG_TEXT("operation", failure.operation),
                      LOG_ERROR(failure.error));
        event_loop_start_timer(netadmin->sweep_timer, RETRY_DELAY);
    } else if (last->error) {
        log_info("stale conntrack entries dropped after all");
    }
    *last = failure;
    (void)malloc_trim(0); /* the change is over, and what it needed */
    return 0;
}

static void on_foreign_change(const struct nft_change *change, void *userdata)
{
    struct netadmin *netadmin = userdata;

    nft_repairs_want(&netadmin->repairs, change);
    event_loop_wake(netadmin->reconcile_source);
}

static void on_network_changed(void *userdata)
{
    struct netadmin *netadmin = userdata;

    event_loop_wake(netadmin->reconcile_source);
    lease_exchange_tell_link(netadmin->supervisor, netadmin->network, &netadmin->external_link);
    if (netadmin->watcher && network_send_links(netadmin->network, netadmin->watcher, ++netadmin->links_generation) < 0)
        log_debug("links not reported: the watcher's connection ends");
}

static void on_lease_applied(const struct message_lease_applied *answer, void *userdata)
{
    struct netadmin *netadmin = userdata;

    (void)channel_send_message(netadmin->supervisor, answer); /* the end of the loop follows its end */
}

/* --- the watcher ----------------------------------------------------------------------------------------- */

static void drop_watcher(struct netadmin *netadmin)
{
    netadmin->watcher = channel_free(netadmin->watcher);
    exposure_state_clear(&netadmin->incoming);
}

static void break_off(struct netadmin *netadmin, const char *reason)
{
    log_error("watcher broke the protocol, connection ended", LOG_ERROR_TEXT(reason));
    drop_watcher(netadmin);
}

static void handle_commit(struct netadmin *netadmin, const struct message_commit *message)
{
    struct desired_state committed = {0};
    char reason[REASON_SIZE] = "";
    uint64_t generation = message->header.generation;
    int result = exposure_state_commit(&netadmin->incoming, message, &committed, reason);

    if (result == -EPROTO)
        break_off(netadmin, "COMMIT without BEGIN");
    else if (result < 0)
        refuse_state(netadmin, generation, result, reason);
    if (result < 0)
        return;
    drop_desired(netadmin);
    netadmin->desired_generation = generation;
    if (network_shared_links(netadmin->network)) {
        offered_state_take(&netadmin->offered, &committed);
        select_desired(netadmin);
        return;
    }
    netadmin->desired = committed;
    netadmin->has_desired = true;
    event_loop_wake(netadmin->reconcile_source);
}

static void on_watcher_message(struct channel *channel, const struct message_header *message, int descriptor,
                               void *userdata)
{
    struct netadmin *netadmin = userdata;

    switch (message->type) { /* none of them may carry a descriptor; the protocol's gate has seen to it */
    case MESSAGE_EXPOSURES_BEGIN:
        exposure_state_begin(&netadmin->incoming, message->generation);
        break;
    case MESSAGE_EXPOSURES_ITEMS:
        if (exposure_state_add(&netadmin->incoming, (const struct message_exposures *)message) < 0)
            break_off(netadmin, "ITEMS without BEGIN");
        break;
    case MESSAGE_EXPOSURES_GUESTS:
        if (exposure_state_add_guests(&netadmin->incoming, (const struct message_guests *)message) < 0)
            break_off(netadmin, "GUESTS without BEGIN");
        break;
    case MESSAGE_EXPOSURES_COMMIT:
        handle_commit(netadmin, (const struct message_commit *)message);
        break;
    default:
        channel_refuse(channel, message, descriptor);
        break;
    }
}

static void on_watcher_closed(struct channel *channel, int error, const char *reason, void *userdata)
{
    (void)channel;
    if (error < 0)
        log_error("connection to the watcher ended", LOG_TEXT("reason", reason), LOG_ERROR(error));
    drop_watcher(userdata);
}

static void handle_link(struct netadmin *netadmin, const struct message_link *message, int descriptor)
{
    const struct channel_callbacks callbacks = {
        .on_message = on_watcher_message,
        .on_closed = on_watcher_closed,
        .userdata = netadmin,
    };
    int result;

    if (message->peer == LINK_PEER_CONTROL) {
        network_reporter_link(&netadmin->control, descriptor, DIRECTION_CONTROL_TO_NETADMIN);
        return;
    }
    if (message->peer == LINK_PEER_BANS) {
        bans_peer_link(&netadmin->bans, descriptor);
        return;
    }
    if (message->peer == LINK_PEER_ANNOUNCER) {
        result = network_set_announcer(netadmin->network, descriptor);
        if (result < 0)
            log_error("cannot use the link to the announcer", LOG_ERROR(result));
        return;
    }
    if (message->peer != LINK_PEER_WATCHER) {
        log_error("LINK to a peer that we do not know, ignoring", LOG_NUMBER("peer", message->peer));
        close_fd(&descriptor);
        return;
    }
    drop_watcher(netadmin);
    result = channel_new(netadmin->event, descriptor, DIRECTION_WATCHER_TO_NETADMIN, &callbacks, &netadmin->watcher);
    if (result < 0) {
        log_error("cannot use the link to the watcher", LOG_ERROR(result));
        return;
    }
    result = network_send_links(netadmin->network, netadmin->watcher, ++netadmin->links_generation);
    if (result == 0)
        result =
            map_report_send(ruleset_held(netadmin->ruleset), ruleset_withheld(netadmin->ruleset), netadmin->watcher);
    if (result < 0)
        log_error("cannot report to the watcher", LOG_ERROR(result));
}

/* --- the supervisor -------------------------------------------------------------------------------------- */

static void handle_topology(struct netadmin *netadmin, const struct message_topology *message)
{
    const struct message_topology *pinned = &netadmin->topology;
    bool is_new = pinned->header.type == MESSAGE_INVALID;

    if (!is_new && (memcmp(&pinned->external, &message->external, sizeof(message->external)) != 0 ||
                    memcmp(&pinned->shared, &message->shared, sizeof(message->shared)) != 0)) {
        log_error("another topology than the first one refused", LOG_TEXT("external", message->external.name),
                  LOG_TEXT("shared", message->shared.name));
        return;
    }
    netadmin->topology = *message;
    if (network_set_topology(netadmin->network, message) == -EPERM) { /* logged there */
        (void)sd_event_exit(netadmin->event, EXIT_STATUS_CONFIGURATION);
        return;
    }
    event_loop_wake(netadmin->reconcile_source); /* after any other error the network half goes on trying */
}

static void handle_stop(struct netadmin *netadmin, const struct message_stop *message)
{
    if (message->mode == STOP_TEAR_DOWN || message->mode == STOP_LEAVE_CLOSED)
        closing_end(netadmin->ruleset, netadmin->network, message->mode == STOP_LEAVE_CLOSED);
    (void)sd_event_exit(netadmin->event, EXIT_STATUS_CLEAN);
}

static void handle_configuration(struct netadmin *netadmin, const struct message_configure_netadmin *message)
{
    log_set_level((enum log_level)message->log_level);
    network_configure(netadmin->network, message);
    counters_peer_restore(&netadmin->counters);
    /* Also when there is nothing: a namespace that was lost before we began changes no more (SA-6). */
    lease_exchange_tell_link(netadmin->supervisor, netadmin->network, &netadmin->external_link);
}

static void on_supervisor_message(const struct message_header *message, int descriptor, void *userdata)
{
    struct netadmin *netadmin = userdata;

    switch (message->type) {
    case MESSAGE_LINK:
        handle_link(netadmin, (const struct message_link *)message, descriptor);
        break;
    case MESSAGE_CONFIGURE_NETADMIN:
        handle_configuration(netadmin, (const struct message_configure_netadmin *)message);
        break;
    case MESSAGE_COUNTERS_WANTED:
        counters_peer_look(&netadmin->counters, false);
        break;
    case MESSAGE_TOPOLOGY:
        handle_topology(netadmin, (const struct message_topology *)message);
        break;
    case MESSAGE_SHARED_LINKS:
        network_set_shared_links(netadmin->network, (const struct message_shared_links *)message);
        select_desired(netadmin);
        break;
    case MESSAGE_HOST_ADDRESSES:
        network_set_host_addresses(netadmin->network, (const struct message_host_addresses *)message);
        select_desired(netadmin);
        break;
    case MESSAGE_LEASE:
        lease_exchange_handle(netadmin->supervisor, netadmin->network, (const struct message_lease *)message);
        break;
    case MESSAGE_STOP:
        handle_stop(netadmin, (const struct message_stop *)message);
        break;
    default:
        supervised_refuse(message, descriptor);
        break;
    }
}

/* --- construction ---------------------------------------------------------------------------------------- */

struct netadmin *netadmin_free(struct netadmin *netadmin)
{
    if (!netadmin)
        return NULL;
    drop_watcher(netadmin);
    (void)channel_free(netadmin->supervisor);
    network_reporter_close(&netadmin->control);
    bans_peer_close(&netadmin->bans);
    (void)nft_monitor_free(netadmin->monitor);
    (void)network_free(netadmin->network);
    (void)ruleset_free(netadmin->ruleset);
    desired_state_clear(&netadmin->desired);
    offered_state_clear(&netadmin->offered);
    sd_event_source_disable_unref(netadmin->reconcile_source);
    sd_event_source_disable_unref(netadmin->retry_timer);
    sd_event_source_disable_unref(netadmin->sweep_timer);
    free(netadmin);
    return NULL;
}

static int add_sources(struct netadmin *netadmin)
{
    sd_event *event = netadmin->event;
    int result =
        event_loop_add_timer(event, CLOCK_MONOTONIC, TIMER_ACCURACY, on_retry, netadmin, &netadmin->retry_timer);

    if (result >= 0)
        result = event_loop_add_timer(event, CLOCK_MONOTONIC, TIMER_ACCURACY, on_second_sweep, netadmin,
                                      &netadmin->sweep_timer);
    if (result >= 0)
        result = event_loop_add_step(event, on_reconcile, netadmin, &netadmin->reconcile_source);
    if (result >= 0)
        result = supervised_join(event, DIRECTION_SUPERVISOR_TO_NETADMIN, on_supervisor_message, netadmin,
                                 &netadmin->supervisor);
    if (result >= 0)
        result =
            nft_monitor_new(event, ruleset_port(netadmin->ruleset), on_foreign_change, netadmin, &netadmin->monitor);
    return result;
}

static bool describe(struct message_network_report *ret, void *userdata)
{
    const struct netadmin *netadmin = userdata;

    network_describe(netadmin->network, ret);
    ret->repairs = netadmin->repairs.count;
    map_state_count_each(ruleset_held(netadmin->ruleset), ret->entries);
    return true;
}

int netadmin_new(sd_event *event, struct ruleset *ruleset, struct netadmin **ret)
{
    CLEANUP(netadmin_freep) struct netadmin *netadmin = calloc(1, sizeof(*netadmin));
    int result;

    if (!netadmin) {
        (void)ruleset_free(ruleset);
        return -ENOMEM;
    }
    netadmin->event = event;
    netadmin->ruleset = ruleset;
    result = add_sources(netadmin);
    if (result < 0) {
        log_error("cannot join the event loop", LOG_ERROR(result));
        return result;
    }
    counters_peer_prepare(&netadmin->counters, ruleset, &netadmin->control.control);
    bans_peer_prepare(&netadmin->bans, event, ruleset, netadmin->reconcile_source);
    result = network_new(event, &(struct network_callbacks){on_network_changed, on_lease_applied, netadmin},
                         &netadmin->network);
    if (result == 0)
        result = network_reporter_open(&netadmin->control, event, describe, netadmin);
    if (result < 0)
        return result;
    *ret = TAKE_POINTER(netadmin);
    return 0;
}
