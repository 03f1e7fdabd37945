/* The watcher's end of the channel to control; see control_peer.h. Runs without any privilege. */
#include "workers/watcher/control_peer.h"

#include "common/clock.h"
#include "common/log.h"

#include <malloc.h>
#include <stdbool.h>
#include <string.h>

/* A status that is a quarter of a second old is fresh enough for people; a burst of events costs one state. */
#define SEND_DELAY    (250 * MICROSECONDS_PER_MILLISECOND)
#define SEND_ACCURACY (50 * MICROSECONDS_PER_MILLISECOND)

struct control_peer {
    sd_event *event;
    control_peer_tell tell;
    void *userdata;
    struct channel *channel; /* NULL until LINK */
    sd_event_source *timer;
    bool is_scheduled;
    bool has_sent; /* over this channel */
    uint64_t sent_digest;
    uint64_t generation;
};

/* --- is it new? ---------------------------------------------------------------------------------------- */

/* FNV-1a, 64 bits: a copy of the last state would be half a megabyte with 1,000 containers. */
#define DIGEST_START UINT64_C(0xcbf29ce484222325)
#define DIGEST_PRIME UINT64_C(0x100000001b3)

static void digest_bytes(uint64_t *digest, const void *bytes, size_t length)
{
    const uint8_t *next = bytes;

    for (size_t i = 0; i < length; i++)
        *digest = (*digest ^ next[i]) * DIGEST_PRIME;
}

/* Texts with their NUL, without what their arrays have left. */
static int digest_finding(void *userdata, const struct wire_finding *finding)
{
    digest_bytes(userdata, finding, offsetof(struct wire_finding, container));
    digest_bytes(userdata, finding->container, strlen(finding->container) + 1);
    digest_bytes(userdata, finding->other, strlen(finding->other) + 1);
    digest_bytes(userdata, finding->reason, strlen(finding->reason) + 1);
    return 0;
}

/* --- sending ------------------------------------------------------------------------------------------- */

/* The state on its way out, one message of it at a time. */
struct outgoing {
    struct channel *channel;
    uint64_t generation;
    uint32_t sent_count;
    union {
        struct message_findings message;
        uint8_t bytes[sizeof(struct message_findings) + FINDINGS_PER_MESSAGE * sizeof(struct wire_finding)];
    } buffer;
};

static int send_items(struct outgoing *outgoing)
{
    struct message_findings *message = &outgoing->buffer.message;

    if (message->item_count == 0)
        return 0;
    message->header =
        message_header_make(MESSAGE_FINDINGS_ITEMS, sizeof(*message) + message->item_count * sizeof(message->items[0]),
                            outgoing->generation);
    outgoing->sent_count += message->item_count;
    return channel_send_message(outgoing->channel, message);
}

static int add_finding(void *userdata, const struct wire_finding *finding)
{
    struct outgoing *outgoing = userdata;
    struct message_findings *message = &outgoing->buffer.message;
    int result = 0;

    if (message->item_count == FINDINGS_PER_MESSAGE) {
        result = send_items(outgoing);
        message->item_count = 0;
    }
    message->items[message->item_count++] = *finding;
    return result;
}

static int send_state(struct control_peer *peer)
{
    static struct outgoing outgoing; /* one thread, never re-entered */
    uint64_t generation = ++peer->generation;
    const struct message_begin begin = {message_header_make(MESSAGE_FINDINGS_BEGIN, sizeof(begin), generation)};
    struct message_commit commit = {
        .header = message_header_make(MESSAGE_FINDINGS_COMMIT, sizeof(commit), generation),
    };
    int result = channel_send_message(peer->channel, &begin);

    outgoing.channel = peer->channel;
    outgoing.generation = generation;
    outgoing.sent_count = 0;
    outgoing.buffer.message.item_count = 0;
    if (result == 0)
        result = peer->tell(peer->userdata, add_finding, &outgoing);
    if (result == 0)
        result = send_items(&outgoing);
    commit.item_count = outgoing.sent_count;
    return result < 0 ? result : channel_send_message(peer->channel, &commit);
}

/* Returns whether there was something new. */
static bool send_changes(struct control_peer *peer)
{
    uint64_t digest = DIGEST_START;
    int result = peer->tell(peer->userdata, digest_finding, &digest);

    if (result == -EAGAIN || (result == 0 && peer->has_sent && digest == peer->sent_digest))
        return false;
    if (result < 0) {
        log_error("cannot say what became of the labels", LOG_ERROR(result));
        return false;
    }
    if (send_state(peer) < 0)
        return false; /* on_closed hears of it */
    peer->sent_digest = digest;
    peer->has_sent = true;
    return true;
}

/* After a change once more: by then what was queued for control is gone, too, and the memory can be given back. */
static int on_send_time(sd_event_source *source, uint64_t planned, void *userdata)
{
    struct control_peer *peer = userdata;

    (void)source;
    (void)planned;
    peer->is_scheduled = false;
    if (peer->channel && send_changes(peer))
        control_peer_schedule(peer);
    (void)malloc_trim(0);
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
    free(peer);
    return NULL;
}

int control_peer_new(sd_event *event, control_peer_tell tell, void *userdata, struct control_peer **ret)
{
    CLEANUP(control_peer_freep) struct control_peer *peer = calloc(1, sizeof(*peer));
    int result;

    if (!peer)
        return -ENOMEM;
    peer->event = event;
    peer->tell = tell;
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
