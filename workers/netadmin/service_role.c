/* netadmin of a service-anchor; see service_role.h. Runs in anchord-netadmin with CAP_NET_ADMIN. */
#include "workers/netadmin/service_role.h"

#include "common/log.h"
#include "common/sandbox.h"
#include "protocol/channel.h"
#include "protocol/supervised.h"
#include "workers/netadmin/control_report.h"
#include "workers/netadmin/network.h"

/* No set of conditions: the supervisor hears the first one whatever it is. */
#define CONDITIONS_UNSENT UINT32_MAX

struct service_role {
    sd_event *event;
    struct channel *supervisor;
    struct channel *resolver; /* NULL until LINK; for good with a configured gateway */
    struct network *network;
    struct control_report *control;
    uint32_t conditions; /* enum readiness_condition, as last sent */
    bool is_configured;
};

static void send_readiness(struct service_role *anchor)
{
    uint32_t conditions = (network_has_route(anchor->network) ? (uint32_t)READINESS_ROUTE_INSTALLED : 0) |
                          (network_has_links(anchor->network) ? (uint32_t)READINESS_LINKS_PRESENT : 0);
    struct message_readiness message = {
        .header = message_header_make(MESSAGE_READINESS, sizeof(message), 0),
        .conditions = conditions,
    };

    if (conditions == anchor->conditions)
        return;
    anchor->conditions = conditions;
    (void)channel_send_message(anchor->supervisor, &message); /* the end of the loop follows its end */
}

static void on_network_changed(struct network *network, void *userdata)
{
    struct service_role *anchor = userdata;

    (void)network;
    if (anchor->is_configured)
        send_readiness(anchor);
}

/* Any other failure than a missing permission is tried again by the network half, which has reported it. */
static void judge(struct service_role *anchor, int result)
{
    if (result == -EPERM)
        (void)sd_event_exit(anchor->event, EXIT_STATUS_CONFIGURATION);
}

/* --- the resolver ---------------------------------------------------------------------------------------- */

static void on_resolver_message(struct channel *channel, const struct message_header *message, int descriptor,
                                void *userdata)
{
    struct service_role *anchor = userdata;

    switch (message->type) {
    case MESSAGE_GATEWAYS:
        judge(anchor, network_set_gateways(anchor->network, (const struct message_gateways *)message));
        break;
    default:
        channel_refuse(channel, message, descriptor);
        break;
    }
}

/* The gateways stay as they are (SA-2). */
static void on_resolver_closed(struct channel *channel, int error, const char *reason, void *userdata)
{
    struct service_role *anchor = userdata;

    if (error < 0)
        log_error("connection to the resolver ended", LOG_TEXT("reason", reason), LOG_ERROR(error));
    anchor->resolver = channel_free(channel);
}

static void handle_link(struct service_role *anchor, const struct message_link *message, int descriptor)
{
    const struct channel_callbacks callbacks = {on_resolver_message, on_resolver_closed, anchor};
    int result;

    if (message->peer == LINK_PEER_CONTROL) {
        result = control_report_link(anchor->control, descriptor);
        if (result < 0)
            log_error("cannot use the link to control", LOG_ERROR(result));
        return;
    }
    if (message->peer != LINK_PEER_RESOLVER) {
        log_error("LINK to a peer that we do not talk to, ignoring", LOG_NUMBER("peer", message->peer));
        close_fd(&descriptor);
        return;
    }
    anchor->resolver = channel_free(anchor->resolver);
    result = channel_new(anchor->event, descriptor, DIRECTION_RESOLVER_TO_NETADMIN, &callbacks, &anchor->resolver);
    if (result < 0)
        log_error("cannot use the link to the resolver", LOG_ERROR(result));
}

/* --- the supervisor -------------------------------------------------------------------------------------- */

static void handle_configuration(struct service_role *anchor, const struct message_configure_netadmin *message)
{
    log_set_level((enum log_level)message->log_level);
    if (message->role != ANCHOR_ROLE_SERVICE) {
        log_error("configured for another role than started for", LOG_NUMBER("role", message->role));
        (void)sd_event_exit(anchor->event, EXIT_STATUS_CONFIGURATION);
        return;
    }
    anchor->is_configured = true;
    network_configure(anchor->network, message);
    judge(anchor, network_use_pinned_gateways(anchor->network));
}

static void handle_stop(struct service_role *anchor, const struct message_stop *message)
{
    if (message->mode == STOP_TEAR_DOWN && network_tear_down(anchor->network) < 0)
        log_error("nat teardown", LOG_TEXT("operation", "remove routes and rules")); /* the reason was reported */
    (void)sd_event_exit(anchor->event, EXIT_STATUS_CLEAN);
}

static void on_supervisor_message(const struct message_header *message, int descriptor, void *userdata)
{
    struct service_role *anchor = userdata;

    switch (message->type) {
    case MESSAGE_LINK:
        handle_link(anchor, (const struct message_link *)message, descriptor);
        break;
    case MESSAGE_CONFIGURE_NETADMIN:
        handle_configuration(anchor, (const struct message_configure_netadmin *)message);
        break;
    case MESSAGE_STOP:
        handle_stop(anchor, (const struct message_stop *)message);
        break;
    default: /* a network-anchor's topology and leases, too, which the protocol's gate lets through */
        supervised_refuse(message, descriptor);
        break;
    }
}

struct service_role *service_role_free(struct service_role *anchor)
{
    if (!anchor)
        return NULL;
    (void)channel_free(anchor->resolver);
    (void)channel_free(anchor->supervisor);
    (void)control_report_free(anchor->control);
    (void)network_free(anchor->network);
    free(anchor);
    return NULL;
}

int service_role_new(sd_event *event, struct service_role **ret)
{
    CLEANUP(service_role_freep) struct service_role *anchor = calloc(1, sizeof(*anchor));
    int result;

    if (!anchor)
        return -ENOMEM;
    anchor->event = event;
    anchor->conditions = CONDITIONS_UNSENT;
    result =
        supervised_join(event, DIRECTION_SUPERVISOR_TO_NETADMIN, on_supervisor_message, anchor, &anchor->supervisor);
    if (result < 0) {
        log_error("cannot join the event loop", LOG_ERROR(result));
        return result;
    }
    result = network_new(event, &(struct network_callbacks){.on_changed = on_network_changed, .userdata = anchor},
                         &anchor->network);
    if (result == 0)
        result = control_report_new(event, anchor->network, NULL, &anchor->control);
    if (result < 0)
        return result;
    *ret = TAKE_POINTER(anchor);
    return 0;
}
