/* The watcher's end of the channel to netadmin; see netadmin_peer.h. Runs without any privilege. */
#include "workers/watcher/netadmin_peer.h"

#include "common/log.h"
#include "protocol/state_sender.h"

#include <string.h>

/* States on their way to netadmin whose event time we remember; an older one just has none in its log line. */
#define REMEMBERED_GENERATIONS 16

struct netadmin_peer {
    struct channel *channel;
    struct netadmin_peer_callbacks callbacks;
    struct link_table links; /* being received */
    struct wire_exposure *map;
    size_t map_count, map_capacity;
    struct {
        uint64_t generation;
        uint64_t event_time;
    } sent[REMEMBERED_GENERATIONS];
};

/* A state that is not what it says is dropped whole; the last one stands. */
static bool is_complete(const struct message_header *message, size_t received)
{
    const struct message_commit *commit = (const struct message_commit *)message;

    if (commit->item_count == received)
        return true;
    log_error("incomplete state from netadmin, ignoring", LOG_TEXT("message", message_type_to_string(message->type)),
              LOG_NUMBER("received", received), LOG_NUMBER("announced", commit->item_count));
    return false;
}

static void add_links(struct netadmin_peer *peer, const struct message_links *message)
{
    for (uint32_t i = 0; i < message->item_count && peer->links.count < LINKS_MAX; i++)
        peer->links.links[peer->links.count++] = message->items[i];
}

static void add_map_entries(struct netadmin_peer *peer, const struct message_exposures *message)
{
    size_t wanted = peer->map_count + message->item_count;

    if (wanted > MAP_ELEMENTS_MAX)
        return; /* is_complete() will say so */
    if (wanted > peer->map_capacity) {
        size_t capacity = wanted * 2;
        struct wire_exposure *map = reallocarray(peer->map, capacity, sizeof(*map));

        if (!map)
            return;
        peer->map = map;
        peer->map_capacity = capacity;
    }
    memcpy(peer->map + peer->map_count, message->items, message->item_count * sizeof(*peer->map));
    peer->map_count = wanted;
}

static void finish_map(struct netadmin_peer *peer, const struct message_header *message)
{
    if (is_complete(message, peer->map_count))
        peer->callbacks.on_map(peer->callbacks.userdata, peer->map, peer->map_count);
    free(peer->map);
    peer->map = NULL;
    peer->map_count = 0;
    peer->map_capacity = 0;
}

static void report_applied(struct netadmin_peer *peer, const struct message_applied *applied)
{
    size_t slot = applied->header.generation % REMEMBERED_GENERATIONS;
    uint64_t event_time = peer->sent[slot].generation == applied->header.generation ? peer->sent[slot].event_time : 0;

    peer->callbacks.on_applied(peer->callbacks.userdata, applied, event_time);
}

static void on_netadmin_message(struct channel *channel, const struct message_header *message, int descriptor,
                                void *userdata)
{
    struct netadmin_peer *peer = userdata;

    switch (message->type) { /* none of them carries a descriptor (validate.c) */
    case MESSAGE_LINKS_BEGIN:
        peer->links.count = 0;
        break;
    case MESSAGE_LINKS_ITEMS:
        add_links(peer, (const struct message_links *)message);
        break;
    case MESSAGE_LINKS_COMMIT:
        if (is_complete(message, peer->links.count))
            peer->callbacks.on_links(peer->callbacks.userdata, &peer->links);
        break;
    case MESSAGE_MAP_BEGIN:
        peer->map_count = 0;
        break;
    case MESSAGE_MAP_ITEMS:
        add_map_entries(peer, (const struct message_exposures *)message);
        break;
    case MESSAGE_MAP_COMMIT:
        finish_map(peer, message);
        break;
    case MESSAGE_APPLIED:
        report_applied(peer, (const struct message_applied *)message);
        break;
    default:
        channel_refuse(channel, message, descriptor);
        break;
    }
}

static void on_netadmin_closed(struct channel *channel, int error, const char *reason, void *userdata)
{
    struct netadmin_peer *peer = userdata;

    (void)channel;
    peer->callbacks.on_closed(peer->callbacks.userdata, error, reason);
}

int netadmin_peer_new(sd_event *event, int fd, const struct netadmin_peer_callbacks *callbacks,
                      struct netadmin_peer **ret)
{
    CLEANUP_FD int owned_fd = fd;
    CLEANUP(netadmin_peer_freep) struct netadmin_peer *peer = calloc(1, sizeof(*peer));
    struct channel_callbacks channel_callbacks = {.on_message = on_netadmin_message, .on_closed = on_netadmin_closed};
    int result;

    if (!peer)
        return -ENOMEM;
    peer->callbacks = *callbacks;
    channel_callbacks.userdata = peer;
    result = channel_new(event, TAKE_FD(owned_fd), DIRECTION_NETADMIN_TO_WATCHER, &channel_callbacks, &peer->channel);
    if (result < 0)
        return result;
    *ret = TAKE_POINTER(peer);
    return 0;
}

struct netadmin_peer *netadmin_peer_free(struct netadmin_peer *peer)
{
    if (!peer)
        return NULL;
    (void)channel_free(peer->channel);
    free(peer->map);
    free(peer);
    return NULL;
}

int netadmin_peer_send_exposures(struct netadmin_peer *peer, uint64_t generation, const struct wire_exposure *items,
                                 size_t count, const struct guest_list *guests, uint64_t event_time)
{
    static const struct state_form form = {MESSAGE_EXPOSURES_BEGIN, MESSAGE_EXPOSURES_ITEMS, MESSAGE_EXPOSURES_COMMIT,
                                           EXPOSURES_PER_MESSAGE, sizeof(*items)};
    static const struct state_form guest_form = {MESSAGE_EXPOSURES_BEGIN, MESSAGE_EXPOSURES_GUESTS,
                                                 MESSAGE_EXPOSURES_COMMIT, GUESTS_PER_MESSAGE, sizeof(*guests->items)};
    int result = state_sender_begin(peer->channel, &form, generation);

    if (result == 0)
        result = state_sender_add(peer->channel, &form, generation, items, count);
    if (result == 0)
        result = state_sender_add(peer->channel, &guest_form, generation, guests->items, guests->count);
    if (result == 0)
        result = state_sender_commit(peer->channel, &form, generation, count + guests->count);

    if (result < 0)
        return result;
    peer->sent[generation % REMEMBERED_GENERATIONS].generation = generation;
    peer->sent[generation % REMEMBERED_GENERATIONS].event_time = event_time;
    return 0;
}
