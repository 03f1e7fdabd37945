/* The supervisor of the role service-anchor; see service_anchor.h. Runs as root, reads only our own messages. */
#include "daemon/role/service_anchor.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/sandbox.h"
#include "daemon/lock/namespace_lock.h"
#include "daemon/role/control_worker.h"
#include "daemon/role/monitoring.h"
#include "daemon/role/namespace_watch.h"
#include "daemon/role/role.h"
#include "daemon/role/way_worker.h"
#include "daemon/supervise/users.h"
#include "protocol/problems.h"

#include <signal.h>
#include <string.h>
#include <systemd/sd-daemon.h>

enum worker_index { WAY, RESOLVER, WORKER_COUNT };

struct service_anchor {
    const struct configuration *configuration;
    sd_event *event;
    struct worker_definition definitions[WORKER_COUNT];
    struct worker *workers[WORKER_COUNT];
    struct namespace_lock *lock;
    struct namespace_watch *watch;
    struct readiness readiness;
    struct monitoring *monitoring; /* NULL: no metrics */
    bool needs_resolver;
    bool is_standby; /* said in the log */
    bool is_stopping;
    enum stop_mode stop_mode;
    int exit_status;
};

static void tell_way(const struct service_anchor *anchor)
{
    const struct configuration *configuration = anchor->configuration;

    way_worker_tell(anchor->workers[WAY], &configuration->service_gateways.v4, &configuration->service_gateways.v6,
                    configuration->log_level);
}

static void send_resolver_configuration(const struct service_anchor *anchor)
{
    const struct configuration *configuration = anchor->configuration;
    struct message_configure_resolver message = {
        .header = message_header_make(MESSAGE_CONFIGURE_RESOLVER, sizeof(message), 0),
        .interval_milliseconds = (uint32_t)configuration->resolve_interval_milliseconds,
        .log_level = configuration->log_level,
    };

    memcpy(message.host_name, configuration->gateway_host_name, sizeof(message.host_name)); /* of the same size */
    worker_send(anchor->workers[RESOLVER], &message.header, -1);
}

static void on_worker_started(struct worker *worker, void *userdata)
{
    const struct service_anchor *anchor = userdata;

    if (worker == anchor->workers[WAY])
        tell_way(anchor);
    if (worker == anchor->workers[RESOLVER])
        send_resolver_configuration(anchor);
    if (anchor->needs_resolver)
        join_members((struct join_member){anchor->workers[RESOLVER], LINK_PEER_RESOLVER},
                     (struct join_member){anchor->workers[WAY], LINK_PEER_WAY});
    control_worker_on_started(anchor->readiness.control, worker);
}

static void take_readiness(struct service_anchor *anchor, uint32_t conditions)
{
    namespace_watch_set_links(anchor->watch, conditions & READINESS_LINKS_PRESENT);
    readiness_update(&anchor->readiness, conditions);
}

static void on_way_message(struct worker *way, const struct message_header *message, void *userdata)
{
    switch (message->type) {
    case MESSAGE_READINESS:
        take_readiness(userdata, ((const struct message_readiness *)message)->conditions);
        break;
    default:
        worker_refuse(way, message);
        break;
    }
}

/* --- the end --------------------------------------------------------------------------------------------- */

/* Takes the next step of a stop: the resolver, way, ourselves. `ended` is the worker that just did, or NULL. */
static void continue_stop(struct service_anchor *anchor, const struct worker *ended)
{
    if (anchor->needs_resolver && worker_is_running(anchor->workers[RESOLVER]))
        return;
    if (ended != anchor->workers[WAY])
        worker_stop(anchor->workers[WAY], anchor->stop_mode, CHANGERS_STOP_DEADLINE);
    if (!worker_is_running(anchor->workers[WAY]))
        (void)sd_event_exit(anchor->event, anchor->exit_status);
}

static void stop(struct service_anchor *anchor, enum stop_mode mode, int exit_status)
{
    if (anchor->is_stopping)
        return;
    anchor->is_stopping = true;
    anchor->stop_mode = mode;
    anchor->exit_status = exit_status;
    (void)sd_notify(false, "STOPPING=1");
    control_worker_on_stop(anchor->readiness.control);
    if (anchor->needs_resolver)
        worker_stop(anchor->workers[RESOLVER], mode, READERS_STOP_DEADLINE);
    continue_stop(anchor, NULL);
}

static void on_worker_ended(struct worker *worker, enum worker_end end, void *userdata)
{
    struct service_anchor *anchor = userdata;

    if (anchor->is_stopping) {
        if (end != WORKER_END_ORDERED && worker == anchor->workers[WAY])
            log_error("nat teardown did not finish: routes and rules of ours may be left in the namespace",
                      LOG_PROBLEM(PROBLEM_LEFT_OVER));
        continue_stop(anchor, worker);
        return;
    }
    if (worker == anchor->workers[WAY])
        readiness_update(&anchor->readiness, 0);
    if (!role_restart(&anchor->readiness, worker, end, true))
        stop(anchor, STOP_TEAR_DOWN, EXIT_STATUS_CONFIGURATION);
}

static int on_stop_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
    struct service_anchor *anchor = userdata;
    bool has_standby = namespace_lock_has_standby(anchor->lock);

    (void)source;
    if (anchor->is_stopping) {
        log_warn("second signal received, stopping at once");
        for (size_t i = 0; i < WORKER_COUNT; i++)
            worker_kill(anchor->workers[i]);
        return sd_event_exit(anchor->event, anchor->exit_status);
    }
    log_info("signal received, shutting down", LOG_TEXT("signal", sigabbrev_np((int)info->ssi_signo)),
             LOG_BOOLEAN("routes_stay", has_standby || !namespace_lock_is_held(anchor->lock)));
    stop(anchor, has_standby ? STOP_KEEP_STATE : STOP_TEAR_DOWN, EXIT_STATUS_CLEAN);
    return 0;
}

/* SA-6. Nothing is removed: the links have gone and the routes with them. */
static void on_namespace_lost(void *userdata)
{
    log_warn("the network namespace was lost, its owner has another one now: ending, so that the restart policy joins "
             "that one",
             LOG_PROBLEM(PROBLEM_NAMESPACE_LOST));
    stop(userdata, STOP_KEEP_STATE, EXIT_STATUS_NAMESPACE_LOST);
}

/* --- SA-7 ------------------------------------------------------------------------------------------------ */

static void on_acquired(void *userdata)
{
    struct service_anchor *anchor = userdata;

    if (anchor->is_standby)
        log_info("the active service-anchor of this namespace has gone, taking over");
    worker_start(anchor->workers[WAY]);
    if (anchor->needs_resolver)
        worker_start(anchor->workers[RESOLVER]);
}

static void on_standby(void *userdata)
{
    struct service_anchor *anchor = userdata;

    if (!anchor->is_standby)
        log_info("another service-anchor is active in this namespace, standing by");
    anchor->is_standby = true;
}

/* --- construction ---------------------------------------------------------------------------------------- */

static int make_workers(struct service_anchor *anchor, struct role_step *step)
{
    const struct worker_callbacks callbacks[WORKER_COUNT] = {
        [WAY] = {on_worker_started, on_way_message, on_worker_ended, anchor},
        [RESOLVER] = {on_worker_started, NULL, on_worker_ended, anchor},
    };

    anchor->definitions[WAY] = way_worker_definition();
    anchor->definitions[RESOLVER] = (struct worker_definition){
        .name = "resolver",
        .program = "anchord-resolver",
        .user = RESOLVER_USER,
        .writer = METRICS_WRITER_RESOLVER,
        .receives = DIRECTION_RESOLVER_TO_SUPERVISOR,
    };
    return role_make_workers(anchor->event, anchor->definitions, WORKER_COUNT, callbacks, anchor->workers, step);
}

static void release(struct service_anchor *anchor)
{
    anchor->lock = namespace_lock_free(anchor->lock);
    anchor->watch = namespace_watch_free(anchor->watch);
    for (size_t i = 0; i < WORKER_COUNT; i++)
        anchor->workers[i] = worker_free(anchor->workers[i]);
    anchor->monitoring = monitoring_free(anchor->monitoring);
    anchor->readiness.control = control_worker_free(anchor->readiness.control);
    anchor->event = sd_event_unref(anchor->event);
}

/* Without it the routes are there as well; what is wrong has been said. A standby answers too: not ready. */
static void prepare_control(struct service_anchor *anchor)
{
    if (control_worker_new(anchor->event, anchor->configuration, ANCHOR_ROLE_SERVICE, &anchor->readiness.control) < 0)
        return;
    control_worker_add(anchor->readiness.control, (struct join_member){anchor->workers[WAY], LINK_PEER_WAY});
    if (anchor->needs_resolver)
        control_worker_add(anchor->readiness.control,
                           (struct join_member){anchor->workers[RESOLVER], LINK_PEER_RESOLVER});
    monitoring_show(anchor->monitoring, anchor->readiness.control, NULL);
    control_worker_on_readiness(anchor->readiness.control, anchor->readiness.required, 0);
    control_worker_start(anchor->readiness.control);
}

int service_anchor_run(const struct configuration *configuration)
{
    const struct configuration_gateways *gateways = &configuration->service_gateways;
    CLEANUP(release)
    struct service_anchor anchor = {
        .configuration = configuration,
        .needs_resolver = gateways->v4.family == IP_FAMILY_NONE && gateways->v6.family == IP_FAMILY_NONE,
        .readiness = {.required = READINESS_ROUTE_INSTALLED},
    };
    const struct lock_callbacks callbacks = {on_acquired, on_standby, &anchor};
    struct role_step step;
    int result = role_event_loop_new(on_stop_signal, &anchor, &anchor.event, &step);

    if (result == 0)
        result = make_workers(&anchor, &step);
    if (result == 0) {
        step = (struct role_step){"watch the namespace", "timer"};
        result = namespace_watch_new(anchor.event, on_namespace_lost, &anchor, &anchor.watch);
    }
    if (result == 0) {
        step = (struct role_step){"lock the namespace", "anchord_lock"};
        anchor.monitoring = monitoring_new(anchor.event, configuration, anchor.readiness.required);
        monitoring_start(anchor.monitoring);
        prepare_control(&anchor);
        result = namespace_lock_new(anchor.event, &callbacks, &anchor.lock);
    }
    if (result < 0)
        return role_cannot_prepare(&step, result);
    return role_run(anchor.event);
}
