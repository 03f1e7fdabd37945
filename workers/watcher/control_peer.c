/* The watcher's end of the channel to control; see control_peer.h. Runs without any privilege. */
#include "workers/watcher/control_peer.h"

#include "common/clock.h"
#include "common/log.h"

#include <stdbool.h>
#include <string.h>

/* A status that is a quarter of a second old is fresh enough for people; a burst of events costs one state. */
#define SEND_DELAY    (250 * MICROSECONDS_PER_MILLISECOND)
#define SEND_ACCURACY (50 * MICROSECONDS_PER_MILLISECOND)

struct control_peer {
    sd_event *event;
    control_peer_collect collect;
    void *userdata;
    struct channel *channel; /* NULL until LINK */
    sd_event_source *timer;
    bool is_scheduled;
    struct wire_finding *sent;
    size_t sent_count;
    bool has_sent; /* over this channel */
    uint64_t generation;
};

static int send_state(struct control_peer *peer, const struct wire_finding *items, size_t count)
{
    static union {
        struct message_findings message;
        uint8_t bytes[sizeof(struct message_findings) + FINDINGS_PER_MESSAGE * sizeof(struct wire_finding)];
    } buffer; /* one thread, never re-entered */
    uint64_t generation = ++peer->generation;
    const struct message_begin begin = {message_header_make(MESSAGE_FINDINGS_BEGIN, sizeof(begin), generation)};
    const struct message_commit commit = {
        .header = message_header_make(MESSAGE_FINDINGS_COMMIT, sizeof(commit), generation),
        .item_count = (uint32_t)count,
    };
    int result = channel_send_message(peer->channel, &begin);

    for (size_t first = 0; first < count && result == 0; first += buffer.message.item_count) {
        size_t part = count - first < FINDINGS_PER_MESSAGE ? count - first : FINDINGS_PER_MESSAGE;

        buffer.message.header =
            message_header_make(MESSAGE_FINDINGS_ITEMS, sizeof(buffer.message) + part * sizeof(*items), generation);
        buffer.message.item_count = (uint32_t)part;
        memcpy(buffer.message.items, items + first, part * sizeof(*items));
        result = channel_send_message(peer->channel, &buffer.message);
    }
    return result < 0 ? result : channel_send_message(peer->channel, &commit);
}

static bool is_known(const struct control_peer *peer, const struct wire_finding *items, size_t count)
{
    return peer->has_sent && count == peer->sent_count &&
           (count == 0 || memcmp(items, peer->sent, count * sizeof(*items)) == 0);
}

static int on_send_time(sd_event_source *source, uint64_t planned, void *userdata)
{
    struct control_peer *peer = userdata;
    CLEANUP_FREE struct wire_finding *items = NULL;
    size_t count = 0;
    int result;

    (void)source;
    (void)planned;
    peer->is_scheduled = false;
    if (!peer->channel)
        return 0;
    result = peer->collect(peer->userdata, &items, &count);
    if (result == -EAGAIN || (result == 0 && is_known(peer, items, count)))
        return 0;
    if (result < 0) {
        log_error("cannot say what became of the labels", LOG_ERROR(result));
        return 0;
    }
    if (send_state(peer, items, count) < 0)
        return 0; /* on_closed hears of it */
    free(peer->sent);
    peer->sent = TAKE_POINTER(items);
    peer->sent_count = count;
    peer->has_sent = true;
    return 0;
}

void control_peer_schedule(struct control_peer *peer)
{
    if (!peer->channel || peer->is_scheduled)
        return;
    peer->is_scheduled = true;
    (void)sd_event_source_set_time_relative(peer->timer, SEND_DELAY);
    (void)sd_event_source_set_enabled(peer->timer, SD_EVENT_ONESHOT);
}

static void on_message(struct channel *channel, const struct message_header *message, int descriptor, void *userdata)
{
    (void)channel;
    (void)message; /* the table of protocol/validate.c lets nothing through */
    (void)userdata;
    close_fd(&descriptor);
}

static void on_closed(struct channel *channel, int error, const char *reason, void *userdata)
{
    struct control_peer *peer = userdata;

    (void)channel;
    if (error < 0)
        log_debug("connection to control ended", LOG_TEXT("reason", reason), LOG_ERROR(error));
    peer->channel = channel_free(peer->channel);
}

int control_peer_link(struct control_peer *peer, int fd)
{
    const struct channel_callbacks callbacks = {on_message, on_closed, peer};
    int result;

    peer->channel = channel_free(peer->channel);
    peer->has_sent = false;
    result = channel_new(peer->event, fd, DIRECTION_CONTROL_TO_WATCHER, &callbacks, &peer->channel);
    if (result == 0)
        control_peer_schedule(peer);
    return result;
}

struct control_peer *control_peer_free(struct control_peer *peer)
{
    if (!peer)
        return NULL;
    (void)channel_free(peer->channel);
    sd_event_source_disable_unref(peer->timer);
    free(peer->sent);
    free(peer);
    return NULL;
}

int control_peer_new(sd_event *event, control_peer_collect collect, void *userdata, struct control_peer **ret)
{
    CLEANUP(control_peer_freep) struct control_peer *peer = calloc(1, sizeof(*peer));
    int result;

    if (!peer)
        return -ENOMEM;
    peer->event = event;
    peer->collect = collect;
    peer->userdata = userdata;
    result = sd_event_add_time(event, &peer->timer, CLOCK_MONOTONIC, 0, SEND_ACCURACY, on_send_time, peer);
    if (result >= 0)
        result = sd_event_source_set_priority(peer->timer, SD_EVENT_PRIORITY_IDLE);
    if (result >= 0)
        result = sd_event_source_set_enabled(peer->timer, SD_EVENT_OFF);
    if (result < 0)
        return result;
    *ret = TAKE_POINTER(peer);
    return 0;
}
