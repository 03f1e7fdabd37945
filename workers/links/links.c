/* The conversations of anchord-links; see links.h. */
#include "workers/links/links.h"

#include "common/log.h"
#include "common/sandbox.h"
#include "common/text.h"
#include "protocol/channel.h"
#include "protocol/event_loop.h"
#include "protocol/problems.h"
#include "protocol/supervised.h"
#include "workers/links/identity_links.h"
#include "workers/netlink/handed/handed_sockets.h"

#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/stat.h>

struct links {
    sd_event *event;
    struct channel *supervisor;
    struct channel *watcher; /* NULL until LINK */
    struct mnl_socket *monitor;
    sd_event_source *monitor_source;
    sd_event_source *guard_source;
    sd_event_source *turn_source; /* the next turn */
    ino_t host_inode;             /* of our own network namespace, the host's */
    bool is_configured;
    struct identity_links identity;
    struct link_outcome said[BRIDGES_MAX + 1]; /* what was last logged and told */
    size_t said_count;
    struct message_shared_links sent_links; /* to the supervisor */
    struct message_host_addresses sent_addresses;
    struct message_bridges known_closed; /* which it knows, from us or from its file */
};

/* --- turns ----------------------------------------------------------------------------------------------- */

static void tell(const struct links *links, const struct link_outcome *outcome)
{
    struct message_link_answer answer = {
        .header = message_header_make(MESSAGE_LINK_ANSWER, sizeof(answer), links->identity.bridges.header.generation),
        .error = outcome->error,
    };

    memcpy(answer.network_id, outcome->network_id, sizeof(answer.network_id));
    memcpy(answer.name, outcome->name, sizeof(answer.name));
    memcpy(answer.reason, outcome->reason, sizeof(answer.reason));
    if (links->watcher)
        (void)channel_send_message(links->watcher, &answer); /* on_watcher_closed follows its end */
}

static void say(const struct link_outcome *outcome)
{
    if (outcome->error < 0)
        log_warn("refused to make a link", LOG_PROBLEM(PROBLEM_NO_LINK), LOG_TEXT("network", outcome->network_id),
                 LOG_TEXT("reason", outcome->reason), LOG_ERROR(outcome->error));
    else
        log_info("link made", LOG_TEXT("network", outcome->network_id), LOG_TEXT("interface", outcome->name));
}

static bool was_said(const struct links *links, const struct link_outcome *outcome)
{
    for (size_t i = 0; i < links->said_count; i++) {
        if (memcmp(&links->said[i], outcome, sizeof(*outcome)) == 0)
            return true;
    }
    return false;
}

/* What stands now, when it is another one than before. */
static void tell_supervisor(struct links *links)
{
    /* One that begins anew would take away what its predecessor made: first it is told what is wanted. */
    if (links->identity.identity && links->identity.bridges.header.type == MESSAGE_BRIDGES &&
        memcmp(&links->sent_links, &links->identity.shared, sizeof(links->sent_links)) != 0) {
        links->sent_links = links->identity.shared;
        (void)channel_send_message(links->supervisor, &links->sent_links); /* the end of the loop follows its end */
    }
    if (memcmp(&links->sent_addresses, &links->identity.host_addresses, sizeof(links->sent_addresses)) != 0) {
        links->sent_addresses = links->identity.host_addresses;
        (void)channel_send_message(links->supervisor, &links->sent_addresses);
    }
    if (links->identity.closed.header.type == MESSAGE_BRIDGES &&
        memcmp(links->known_closed.items, links->identity.closed.items, sizeof(links->known_closed.items)) != 0) {
        links->known_closed = links->identity.closed;
        (void)channel_send_message(links->supervisor, &links->known_closed);
    }
}

static int on_turn(sd_event_source *source, void *userdata)
{
    struct links *links = userdata;

    (void)source;
    if (identity_links_apply(&links->identity) < 0)
        return 0; /* said; the next notification brings the next turn */
    for (size_t i = 0; i < links->identity.outcome_count; i++) {
        if (was_said(links, &links->identity.outcomes[i]))
            continue;
        say(&links->identity.outcomes[i]);
        tell(links, &links->identity.outcomes[i]);
    }
    tell_supervisor(links);
    links->said_count = links->identity.outcome_count;
    memcpy(links->said, links->identity.outcomes, sizeof(links->said));
    return 0;
}

static void ask_for_turn(struct links *links)
{
    (void)sd_event_source_set_enabled(links->turn_source, SD_EVENT_ONESHOT);
}

static void on_notification(const struct nlmsghdr *message, void *userdata)
{
    bool *concerns_us = userdata;
    uint16_t type = message->nlmsg_type;

    *concerns_us =
        *concerns_us || type == RTM_NEWLINK || type == RTM_DELLINK || type == RTM_NEWADDR || type == RTM_DELADDR;
}

static int on_monitor(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct links *links = userdata;
    bool concerns_us = false;

    (void)source;
    (void)fd;
    (void)events;
    if (rtnetlink_monitor_drain(links->monitor, on_notification, &concerns_us) < 0 || concerns_us)
        ask_for_turn(links);
    return 0;
}

/* Others may have flushed it. */
static int on_guard_monitor(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct links *links = userdata;

    (void)source;
    (void)fd;
    (void)events;
    if (guard_hear(&links->identity.guard))
        ask_for_turn(links);
    return 0;
}

/* --- the watcher ----------------------------------------------------------------------------------------- */

static void on_watcher_message(struct channel *channel, const struct message_header *message, int descriptor,
                               void *userdata)
{
    struct links *links = userdata;

    switch (message->type) {
    case MESSAGE_BRIDGES:
        links->identity.bridges = *(const struct message_bridges *)message;
        links->said_count = 0; /* it hears of each */
        ask_for_turn(links);
        break;
    case MESSAGE_GUARDED: /* BRIDGES of the same generation follow */
        links->identity.guard.guarded = *(const struct message_guarded *)message;
        break;
    default:
        channel_refuse(channel, message, descriptor);
        break;
    }
}

/* The links stay as they are. */
static void on_watcher_closed(struct channel *channel, int error, const char *reason, void *userdata)
{
    struct links *links = userdata;

    if (error < 0)
        log_error("connection to the watcher ended", LOG_TEXT("reason", reason), LOG_ERROR(error));
    links->watcher = channel_free(channel);
}

/* --- the supervisor -------------------------------------------------------------------------------------- */

static void handle_link(struct links *links, const struct message_link *message, int descriptor)
{
    const struct channel_callbacks callbacks = {on_watcher_message, on_watcher_closed, links};
    int result;

    if (message->peer != LINK_PEER_WATCHER) {
        log_error("LINK to a peer that we do not talk to, ignoring", LOG_NUMBER("peer", message->peer));
        close_fd(&descriptor);
        return;
    }
    links->watcher = channel_free(links->watcher);
    result = channel_new(links->event, descriptor, DIRECTION_WATCHER_TO_LINKS, &callbacks, &links->watcher);
    if (result < 0)
        log_error("cannot use the link to the watcher", LOG_ERROR(result));
}

static void handle_configuration(struct links *links, const struct message_configure_links *message)
{
    if (links->is_configured) {
        log_error("another configuration, ignoring");
        return;
    }
    log_set_level((enum log_level)message->log_level);
    links->identity.configuration = *message;
    links->is_configured = true;
    links->identity.guard.tag = message->tag;
    links->identity.guard.parent = links->identity.configuration.parent;
    if (!message->is_guarded)
        (void)guard_remove(&links->identity.guard, GUARD_BRIDGES); /* said */
    else if (links->known_closed.header.type == MESSAGE_BRIDGES)
        identity_links_remember(&links->identity, &links->known_closed); /* before a turn tells that we are there */
    ask_for_turn(links);
}

static void give_up_identity(struct links *links)
{
    links->identity.identity = rtnetlink_free(links->identity.identity);
    close_fd(&links->identity.namespace);
}

static void take_namespace(struct links *links, int opened)
{
    CLEANUP_FD int descriptor = opened;
    struct stat status;

    give_up_identity(links);
    if (fstat(descriptor, &status) < 0 || status.st_ino == links->host_inode) {
        log_error("refused an identity: it is in the host's own network namespace");
        return;
    }
    links->identity.namespace = TAKE_FD(descriptor);
}

static void take_socket(struct links *links, int opened)
{
    CLEANUP_FD int descriptor = opened;
    int result;

    if (links->identity.namespace < 0 || !links->is_configured) {
        log_error("socket of an identity out of turn, ignoring");
        return;
    }
    links->identity.identity = rtnetlink_free(links->identity.identity);
    result = handed_sockets_requests(TAKE_FD(descriptor), NETLINK_ROUTE, &links->identity.identity);
    if (result < 0)
        log_error("cannot use the socket of the identity", LOG_ERROR(result));
    ask_for_turn(links);
}

static void handle_identity(struct links *links, const struct message_identity *message, int descriptor)
{
    if (message->kind == IDENTITY_NAMESPACE)
        take_namespace(links, descriptor);
    else
        take_socket(links, descriptor);
}

static void handle_stop(struct links *links, const struct message_stop *message)
{
    int status = EXIT_STATUS_CLEAN;

    if (message->mode == STOP_TEAR_DOWN && identity_links_undo(&links->identity) < 0) /* the reason was said */
        status = EXIT_STATUS_CRASH;
    (void)sd_event_exit(links->event, status);
}

static void on_supervisor_message(const struct message_header *message, int descriptor, void *userdata)
{
    struct links *links = userdata;

    switch (message->type) {
    case MESSAGE_CONFIGURE_LINKS:
        handle_configuration(links, (const struct message_configure_links *)message);
        break;
    case MESSAGE_LINKS_IDENTITY:
        handle_identity(links, (const struct message_identity *)message, descriptor);
        break;
    case MESSAGE_PROJECT_ADDRESSES:
        links->identity.routes.wanted = *(const struct message_project_addresses *)message;
        ask_for_turn(links);
        break;
    case MESSAGE_BRIDGES: /* the configuration follows */
        links->known_closed = *(const struct message_bridges *)message;
        break;
    case MESSAGE_LINK:
        handle_link(links, (const struct message_link *)message, descriptor);
        break;
    case MESSAGE_STOP:
        handle_stop(links, (const struct message_stop *)message);
        break;
    default:
        supervised_refuse(message, descriptor);
        break;
    }
}

/* --- construction ---------------------------------------------------------------------------------------- */

struct links *links_free(struct links *links)
{
    if (!links)
        return NULL;
    (void)channel_free(links->watcher);
    (void)channel_free(links->supervisor);
    give_up_identity(links);
    (void)rtnetlink_free(links->identity.host);
    sd_event_source_disable_unref(links->guard_source);
    guard_close(&links->identity.guard);
    sd_event_source_disable_unref(links->monitor_source);
    sd_event_source_disable_unref(links->turn_source);
    rtnetlink_socket_closep(&links->monitor);
    free(links);
    return NULL;
}

static int open_sockets(struct links *links)
{
    struct stat own;
    int result = stat("/proc/self/ns/net", &own) < 0 ? -errno : rtnetlink_new(&links->identity.host);

    if (result < 0)
        return result;
    links->host_inode = own.st_ino;
    result = rtnetlink_monitor_open(&links->monitor);
    return result < 0 ? result : guard_open(&links->identity.guard);
}

static int join_events(struct links *links, sd_event *event)
{
    int result =
        sd_event_add_io(event, &links->monitor_source, mnl_socket_get_fd(links->monitor), EPOLLIN, on_monitor, links);

    if (result >= 0)
        result = event_loop_limit_turns(links->monitor_source);
    if (result >= 0)
        result = sd_event_add_io(event, &links->guard_source, mnl_socket_get_fd(links->identity.guard.monitor), EPOLLIN,
                                 on_guard_monitor, links);
    if (result >= 0)
        result = event_loop_limit_turns(links->guard_source);
    if (result >= 0)
        result = sd_event_add_defer(event, &links->turn_source, on_turn, links);
    if (result >= 0)
        result = sd_event_source_set_enabled(links->turn_source, SD_EVENT_OFF);
    return result < 0 ? result
                      : supervised_join(event, DIRECTION_SUPERVISOR_TO_LINKS, on_supervisor_message, links,
                                        &links->supervisor);
}

int links_new(sd_event *event, struct links **ret)
{
    CLEANUP(links_freep) struct links *links = calloc(1, sizeof(*links));
    int result;

    if (!links)
        return -ENOMEM;
    links->event = event;
    links->identity.namespace = -1;
    result = open_sockets(links);
    if (result == 0)
        result = join_events(links, event);
    if (result < 0) {
        log_error("cannot open the sockets or join the event loop", LOG_ERROR(result));
        return result;
    }
    *ret = TAKE_POINTER(links);
    return 0;
}
