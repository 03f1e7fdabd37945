/* The conversations of anchord-way; see way.h. Runs in anchord-way with CAP_NET_ADMIN. */
#include "workers/way/way.h"

#include "common/log.h"
#include "common/sandbox.h"
#include "protocol/channel.h"
#include "protocol/network_reporter.h"
#include "protocol/supervised.h"
#include "workers/way/served_namespace.h"

#include <string.h>

/* No set of conditions: the supervisor hears the first one whatever it is. */
#define CONDITIONS_UNSENT UINT32_MAX

/* By number. */
struct place {
    struct served_sockets sockets; /* that wait for the namespace's last one; -1: none does */
    struct served_namespace *served;
};

struct way {
    sd_event *event;
    struct channel *supervisor;
    struct channel *resolver;   /* NULL until LINK; for good with a configured gateway */
    struct channel *namespaces; /* of the host half, under attach */
    struct network_reporter control;
    struct gateway_answers answers[FAMILY_INDEX_MAX_];
    uint32_t conditions; /* enum readiness_condition, as last sent */
    bool is_configured;
    bool is_attached;
    bool has_all; /* under attach: everything that is wanted was handed out once */
    struct mac_address inner_mac;
    struct place places[WAY_NAMESPACES_MAX];
};

/* --- what others are told -------------------------------------------------------------------------------- */

/* Those that hold in every namespace that is served. Under attach that says nothing before all of them are known. */
static void send_readiness(struct way *way)
{
    uint32_t routed = way->is_attached ? READINESS_WAYS_INSTALLED : READINESS_ROUTE_INSTALLED;
    uint32_t conditions = routed | (way->is_attached ? 0 : READINESS_LINKS_PRESENT);
    struct message_readiness message = {.header = message_header_make(MESSAGE_READINESS, sizeof(message), 0)};

    if (way->is_attached && !way->has_all)
        return;
    for (size_t i = 0; i < WAY_NAMESPACES_MAX; i++) {
        const struct served_namespace *served = way->places[i].served;

        if (served && !served_namespace_has_route(served))
            conditions &= ~routed;
        if (served && !served_namespace_has_links(served))
            conditions &= ~(uint32_t)READINESS_LINKS_PRESENT;
    }
    if (conditions == way->conditions)
        return;
    way->conditions = conditions;
    message.conditions = conditions;
    (void)channel_send_message(way->supervisor, &message); /* the end of the loop follows its end */
}

/* A service-anchor has one namespace, and that is the one to show. */
static bool describe(struct message_network_report *ret, void *userdata)
{
    const struct served_namespace *served = ((const struct way *)userdata)->places[0].served;

    if (served)
        served_namespace_describe(served, ret);
    return served;
}

static void on_namespace_changed(struct served_namespace *served, void *userdata)
{
    (void)served;
    send_readiness(userdata);
}

/* Any other failure than a missing permission is tried again by the namespace, which has reported it. Of many
 * namespaces one is no reason to give up the others. */
static void judge(const struct way *way, int result)
{
    if (result == -EPERM && !way->is_attached)
        (void)sd_event_exit(way->event, EXIT_STATUS_CONFIGURATION);
}

/* --- the resolver ---------------------------------------------------------------------------------------- */

/* What a look-up failed to tell stays as it was (SA-2). */
static void take_lookup(struct gateway_answers *answers, const struct wire_lookup *lookup)
{
    if (lookup->count == 0)
        return;
    *answers = (struct gateway_answers){.count = lookup->count};
    for (uint32_t i = 0; i < lookup->count; i++)
        answers->addresses[i] = wire_address_to(&lookup->addresses[i]);
}

static void handle_gateways(struct way *way, const struct message_gateways *gateways)
{
    take_lookup(&way->answers[FAMILY_INDEX_4], &gateways->v4);
    take_lookup(&way->answers[FAMILY_INDEX_6], &gateways->v6);
    for (size_t i = 0; i < WAY_NAMESPACES_MAX; i++) {
        if (way->places[i].served)
            judge(way, served_namespace_set_gateways(way->places[i].served, way->answers));
    }
}

static void on_resolver_message(struct channel *channel, const struct message_header *message, int descriptor,
                                void *userdata)
{
    switch (message->type) {
    case MESSAGE_GATEWAYS:
        handle_gateways(userdata, (const struct message_gateways *)message);
        break;
    default:
        channel_refuse(channel, message, descriptor);
        break;
    }
}

/* The gateways stay as they are (SA-2). */
static void on_resolver_closed(struct channel *channel, int error, const char *reason, void *userdata)
{
    struct way *way = userdata;

    if (error < 0)
        log_error("connection to the resolver ended", LOG_TEXT("reason", reason), LOG_ERROR(error));
    way->resolver = channel_free(channel);
}

/* --- namespaces ------------------------------------------------------------------------------------------ */

static void close_sockets(struct served_sockets *sockets)
{
    close_fd(&sockets->requests);
    close_fd(&sockets->filter);
    close_fd(&sockets->monitor);
}

/* All sockets of a namespace are there: it is served, in place of one that had its number. */
static void serve(struct way *way, struct place *place)
{
    const struct served_namespace_callbacks callbacks = {on_namespace_changed, way};
    int result;

    place->served = served_namespace_free(place->served);
    result = served_namespace_new(way->event, &place->sockets, &way->inner_mac, &callbacks, &place->served);
    close_sockets(&place->sockets); /* what is left after a failure */
    if (result < 0) {
        log_error("cannot use the sockets of a namespace", LOG_ERROR(result));
        (void)sd_event_exit(way->event, EXIT_STATUS_CRASH);
        return;
    }
    place->served->number = (uint32_t)(place - way->places);
    judge(way, served_namespace_set_gateways(place->served, way->answers));
}

static void handle_socket(struct way *way, const struct message_way_socket *message, int descriptor)
{
    struct place *place = &way->places[message->number];
    int *sockets[WAY_SOCKET_MAX_] = {
        [WAY_SOCKET_REQUESTS] = &place->sockets.requests,
        [WAY_SOCKET_MONITOR] = &place->sockets.monitor,
        [WAY_SOCKET_FILTER] = &place->sockets.filter,
    };
    bool is_last = message->kind == WAY_SOCKET_MONITOR;

    if (!way->is_configured || (message->kind == WAY_SOCKET_FILTER && !way->is_attached) ||
        (is_last && (place->sockets.requests < 0 || way->is_attached != (place->sockets.filter >= 0)))) {
        log_error("socket of a namespace out of turn, ignoring", LOG_NUMBER("number", message->number));
        close_fd(&descriptor);
        return;
    }
    close_fd(sockets[message->kind]);
    *sockets[message->kind] = descriptor;
    if (is_last)
        serve(way, place);
}

/* It ended with its containers, or they are none of ours any more: what stands there stays. */
static void handle_gone(struct way *way, const struct message_namespace_gone *message)
{
    struct place *place = &way->places[message->number];

    close_sockets(&place->sockets);
    place->served = served_namespace_free(place->served);
    send_readiness(way);
}

static void handle_commit(struct way *way)
{
    way->has_all = true;
    send_readiness(way);
}

static void on_namespaces_message(struct channel *channel, const struct message_header *message, int descriptor,
                                  void *userdata)
{
    switch (message->type) {
    case MESSAGE_WAY_SOCKET:
        handle_socket(userdata, (const struct message_way_socket *)message, descriptor);
        break;
    case MESSAGE_NAMESPACE_GONE:
        handle_gone(userdata, (const struct message_namespace_gone *)message);
        break;
    case MESSAGE_NAMESPACES_COMMIT:
        handle_commit(userdata);
        break;
    default:
        channel_refuse(channel, message, descriptor);
        break;
    }
}

/* What is served goes on: a successor hands all of it out again. */
static void on_namespaces_closed(struct channel *channel, int error, const char *reason, void *userdata)
{
    struct way *way = userdata;

    if (error < 0)
        log_error("connection to namespaces ended", LOG_TEXT("reason", reason), LOG_ERROR(error));
    way->namespaces = channel_free(channel);
}

static void handle_link(struct way *way, const struct message_link *message, int descriptor)
{
    const struct channel_callbacks resolver = {on_resolver_message, on_resolver_closed, way};
    const struct channel_callbacks namespaces = {on_namespaces_message, on_namespaces_closed, way};
    int result = 0;

    if (message->peer == LINK_PEER_CONTROL) {
        network_reporter_link(&way->control, descriptor, DIRECTION_CONTROL_TO_WAY);
        return;
    }
    if (message->peer == LINK_PEER_RESOLVER) {
        way->resolver = channel_free(way->resolver);
        result = channel_new(way->event, descriptor, DIRECTION_RESOLVER_TO_WAY, &resolver, &way->resolver);
    } else if (message->peer == LINK_PEER_NAMESPACES && way->is_attached) {
        way->namespaces = channel_free(way->namespaces);
        result = channel_new(way->event, descriptor, DIRECTION_NAMESPACES_TO_WAY, &namespaces, &way->namespaces);
    } else {
        log_error("LINK to a peer that we do not talk to, ignoring", LOG_NUMBER("peer", message->peer));
        close_fd(&descriptor);
    }
    if (result < 0)
        log_error("cannot use a link", LOG_NUMBER("peer", message->peer), LOG_ERROR(result));
}

/* --- the supervisor -------------------------------------------------------------------------------------- */

static void pin(struct gateway_answers *answers, const struct wire_address *gateway)
{
    if (gateway->family != IP_FAMILY_NONE)
        *answers = (struct gateway_answers){.is_pin = true, .count = 1, .addresses = {wire_address_to(gateway)}};
}

static void handle_configuration(struct way *way, const struct message_configure_way *message)
{
    log_set_level((enum log_level)message->log_level);
    pin(&way->answers[FAMILY_INDEX_4], &message->gateway4);
    pin(&way->answers[FAMILY_INDEX_6], &message->gateway6);
    way->is_configured = true;
    way->is_attached = message->is_attached;
    way->inner_mac = message->inner_mac;
}

static void handle_stop(struct way *way, const struct message_stop *message)
{
    for (size_t i = 0; i < WAY_NAMESPACES_MAX && message->mode == STOP_TEAR_DOWN; i++) {
        if (way->places[i].served && served_namespace_tear_down(way->places[i].served) < 0) /* the reason was said */
            log_error("nat teardown", LOG_TEXT("operation", "remove routes and rules"));
    }
    (void)sd_event_exit(way->event, EXIT_STATUS_CLEAN);
}

static void on_supervisor_message(const struct message_header *message, int descriptor, void *userdata)
{
    struct way *way = userdata;

    switch (message->type) {
    case MESSAGE_LINK:
        handle_link(way, (const struct message_link *)message, descriptor);
        break;
    case MESSAGE_CONFIGURE_WAY:
        handle_configuration(way, (const struct message_configure_way *)message);
        break;
    case MESSAGE_WAY_SOCKET:
        handle_socket(way, (const struct message_way_socket *)message, descriptor);
        break;
    case MESSAGE_STOP:
        handle_stop(way, (const struct message_stop *)message);
        break;
    default:
        supervised_refuse(message, descriptor);
        break;
    }
}

/* --- construction ---------------------------------------------------------------------------------------- */

struct way *way_free(struct way *way)
{
    if (!way)
        return NULL;
    (void)channel_free(way->namespaces);
    (void)channel_free(way->resolver);
    (void)channel_free(way->supervisor);
    network_reporter_close(&way->control);
    for (size_t i = 0; i < WAY_NAMESPACES_MAX; i++) {
        close_sockets(&way->places[i].sockets);
        (void)served_namespace_free(way->places[i].served);
    }
    free(way);
    return NULL;
}

static int on_no_time(sd_event_source *source, uint64_t at, void *userdata)
{
    (void)source;
    (void)at;
    (void)userdata;
    return 0;
}

/* sd-event opens one timer descriptor for all timers of a clock, with the first of them, and keeps it: the namespaces'
 * come when the seccomp filter forbids that. */
static int open_clock(sd_event *event)
{
    sd_event_source *source = NULL;
    int result = sd_event_add_time(event, &source, CLOCK_MONOTONIC, UINT64_MAX, 0, on_no_time, NULL);

    sd_event_source_disable_unref(source);
    return result;
}

int way_new(sd_event *event, struct way **ret)
{
    CLEANUP(way_freep) struct way *way = calloc(1, sizeof(*way));
    int result;

    if (!way)
        return -ENOMEM;
    for (size_t i = 0; i < WAY_NAMESPACES_MAX; i++)
        way->places[i].sockets = (struct served_sockets){-1, -1, -1};
    way->event = event;
    way->conditions = CONDITIONS_UNSENT;
    result = open_clock(event);
    if (result >= 0)
        result = network_reporter_open(&way->control, event, describe, way);
    if (result >= 0)
        result = supervised_join(event, DIRECTION_SUPERVISOR_TO_WAY, on_supervisor_message, way, &way->supervisor);
    if (result < 0) {
        log_error("cannot join the event loop", LOG_ERROR(result));
        return result;
    }
    *ret = TAKE_POINTER(way);
    return 0;
}
