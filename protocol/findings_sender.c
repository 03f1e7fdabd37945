/* One end of the channel to control; see findings_sender.h. Runs without any privilege. */
#include "protocol/findings_sender.h"

#include "common/log.h"
#include "protocol/control_link.h"

#include <malloc.h>
#include <stdbool.h>
#include <string.h>

struct findings_sender {
    sd_event *event;
    enum message_direction receives;
    findings_sender_tell tell;
    void *userdata;
    struct control_link control;
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

static int send_state(struct findings_sender *sender)
{
    static struct outgoing outgoing; /* one thread, never re-entered */
    uint64_t generation = ++sender->generation;
    const struct message_begin begin = {message_header_make(MESSAGE_FINDINGS_BEGIN, sizeof(begin), generation)};
    struct message_commit commit = {
        .header = message_header_make(MESSAGE_FINDINGS_COMMIT, sizeof(commit), generation),
    };
    int result = channel_send_message(sender->control.channel, &begin);

    outgoing.channel = sender->control.channel;
    outgoing.generation = generation;
    outgoing.sent_count = 0;
    outgoing.buffer.message.item_count = 0;
    if (result == 0)
        result = sender->tell(sender->userdata, add_finding, &outgoing);
    if (result == 0)
        result = send_items(&outgoing);
    commit.item_count = outgoing.sent_count;
    return result < 0 ? result : channel_send_message(sender->control.channel, &commit);
}

/* Is there something that control does not know? */
static bool has_news(const struct findings_sender *sender, uint64_t *ret_digest)
{
    int result;

    *ret_digest = DIGEST_START;
    result = sender->tell(sender->userdata, digest_finding, ret_digest);
    if (result < 0 && result != -EAGAIN)
        log_error("cannot say what became of the labels", LOG_ERROR(result));
    return result == 0 && !(sender->has_sent && *ret_digest == sender->sent_digest);
}

/* Returns whether there was something new. */
static bool send_changes(struct findings_sender *sender)
{
    uint64_t digest;

    if (!has_news(sender, &digest) || send_state(sender) < 0) /* on_closed hears of a failure */
        return false;
    sender->sent_digest = digest;
    sender->has_sent = true;
    return true;
}

/* After a change once more: by then what was queued for control is gone, too, and the memory can be given back. */
static int on_send_time(sd_event_source *source, uint64_t planned, void *userdata)
{
    struct findings_sender *sender = userdata;

    (void)source;
    (void)planned;
    sender->is_scheduled = false;
    if (sender->control.channel && send_changes(sender))
        findings_sender_schedule(sender);
    (void)malloc_trim(0);
    return 0;
}

void findings_sender_schedule(struct findings_sender *sender)
{
    if (!sender->control.channel || sender->is_scheduled)
        return;
    sender->is_scheduled = true;
    (void)sd_event_source_set_time_relative(sender->timer, FINDINGS_SEND_DELAY);
    (void)sd_event_source_set_enabled(sender->timer, SD_EVENT_ONESHOT);
}

void findings_sender_schedule_news(struct findings_sender *sender)
{
    uint64_t digest;

    if (!sender->control.channel || sender->is_scheduled)
        return;
    if (has_news(sender, &digest))
        findings_sender_schedule(sender);
    (void)malloc_trim(0);
}

int findings_sender_link(struct findings_sender *sender, int fd)
{
    int result = control_link_take(&sender->control, sender->event, fd, sender->receives);

    sender->has_sent = false;
    if (result == 0)
        findings_sender_schedule(sender);
    return result;
}

struct findings_sender *findings_sender_free(struct findings_sender *sender)
{
    if (!sender)
        return NULL;
    control_link_end(&sender->control);
    sd_event_source_disable_unref(sender->timer);
    free(sender);
    return NULL;
}

int findings_sender_new(sd_event *event, enum message_direction receives, findings_sender_tell tell, void *userdata,
                        struct findings_sender **ret)
{
    CLEANUP(findings_sender_freep) struct findings_sender *sender = calloc(1, sizeof(*sender));
    int result;

    if (!sender)
        return -ENOMEM;
    sender->event = event;
    sender->receives = receives;
    sender->tell = tell;
    sender->userdata = userdata;
    result = sd_event_add_time(event, &sender->timer, CLOCK_MONOTONIC, 0, FINDINGS_SEND_ACCURACY, on_send_time, sender);
    if (result >= 0)
        result = sd_event_source_set_priority(sender->timer, SD_EVENT_PRIORITY_IDLE);
    if (result >= 0)
        result = sd_event_source_set_enabled(sender->timer, SD_EVENT_OFF);
    if (result < 0)
        return result;
    *ret = TAKE_POINTER(sender);
    return 0;
}
