/* The channels to links and namespaces; see host_half.h. Runs without any privilege. */
#include "workers/watcher/host_half.h"

#include "common/log.h"
#include "common/text.h"
#include "protocol/problems.h"

struct host_half {
    sd_event *event;
    struct host_half_callbacks callbacks;
    struct channel *links;      /* NULL until LINK, and from its end on */
    struct channel *namespaces; /* likewise */
    uint64_t generation;
    bool has_sent; /* to this `links` */
    struct message_bridges bridges;
    struct message_guarded guarded;
};

int host_half_new(sd_event *event, const struct host_half_callbacks *callbacks, struct host_half **ret)
{
    struct host_half *half = calloc(1, sizeof(*half));

    if (!half)
        return -ENOMEM;
    half->event = event;
    half->callbacks = *callbacks;
    *ret = half;
    return 0;
}

struct host_half *host_half_free(struct host_half *half)
{
    if (!half)
        return NULL;
    (void)channel_free(half->links);
    (void)channel_free(half->namespaces);
    free(half);
    return NULL;
}

bool host_half_has_namespaces(const struct host_half *half)
{
    return half->namespaces != NULL;
}

static void on_message(struct channel *channel, const struct message_header *message, int descriptor, void *userdata)
{
    struct host_half *half = userdata;

    switch (message->type) { /* none of them carries a descriptor (validate.c) */
    case MESSAGE_LINK_ANSWER:
        half->callbacks.on_link_answer(half->callbacks.userdata, (const struct message_link_answer *)message);
        break;
    case MESSAGE_NAMESPACE_ANSWER:
        half->callbacks.on_namespace_answer(half->callbacks.userdata, (const struct message_namespace_answer *)message);
        break;
    default:
        channel_refuse(channel, message, descriptor);
        break;
    }
}

/* Its supervisor starts another one, or another host half comes: then there is a LINK again. */
static void on_closed(struct channel *channel, int error, const char *reason, void *userdata)
{
    struct host_half *half = userdata;
    bool is_links = channel == half->links;

    log_warn("connection to the host half ended, waiting for the next one", LOG_PROBLEM(PROBLEM_NO_HOST_HALF),
             LOG_TEXT("worker", is_links ? "links" : "namespaces"), LOG_TEXT("reason", reason), LOG_ERROR(error));
    if (is_links) {
        half->links = channel_free(channel);
        return;
    }
    half->namespaces = channel_free(channel);
    half->callbacks.on_namespaces_closed(half->callbacks.userdata);
}

int host_half_link(struct host_half *half, enum link_peer peer, int fd)
{
    const struct channel_callbacks callbacks = {on_message, on_closed, half};
    bool is_links = peer == LINK_PEER_LINKS;
    struct channel **channel = is_links ? &half->links : &half->namespaces;

    *channel = channel_free(*channel);
    if (is_links)
        half->has_sent = false;
    return channel_new(half->event, fd, is_links ? DIRECTION_LINKS_TO_WATCHER : DIRECTION_NAMESPACES_TO_WATCHER,
                       &callbacks, channel);
}

static bool differs(const struct host_half *half, const struct message_bridges *bridges,
                    const struct message_guarded *guarded)
{
    return !half->has_sent || half->bridges.count != bridges->count || half->guarded.count != guarded->count ||
           memcmp(half->bridges.items, bridges->items, sizeof(bridges->items)) != 0 ||
           memcmp(half->guarded.items, guarded->items, sizeof(guarded->items)) != 0;
}

void host_half_send_networks(struct host_half *half, struct message_bridges *bridges, struct message_guarded *guarded)
{
    if (!half->links || !differs(half, bridges, guarded))
        return;
    half->generation++;
    bridges->header = message_header_make(MESSAGE_BRIDGES, sizeof(*bridges), half->generation);
    guarded->header = message_header_make(MESSAGE_GUARDED, sizeof(*guarded), half->generation);
    half->bridges = *bridges;
    half->guarded = *guarded;
    half->has_sent = true;
    if (channel_send_message(half->links, guarded) == 0)
        (void)channel_send_message(half->links, bridges); /* on_closed() follows a failure */
}

static void send_container(struct host_half *half, enum message_type type, const char *id, uint64_t generation)
{
    struct message_container message = {.header = message_header_make(type, sizeof(message), generation)};

    if (!half->namespaces)
        return;
    text_copy_cut(message.id, sizeof(message.id), id);
    (void)channel_send_message(half->namespaces, &message); /* likewise */
}

void host_half_want(struct host_half *half, const char *id, uint64_t generation)
{
    send_container(half, MESSAGE_NAMESPACE_WANTED, id, generation);
}

void host_half_leave(struct host_half *half, const char *id)
{
    send_container(half, MESSAGE_NAMESPACE_LEFT, id, 0);
}

void host_half_commit(struct host_half *half)
{
    const struct message_ping message = {message_header_make(MESSAGE_NAMESPACES_COMMIT, sizeof(message), 0)};

    if (half->namespaces)
        (void)channel_send_message(half->namespaces, &message); /* likewise */
}
