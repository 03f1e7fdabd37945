/* The state machine of anchord-bans; see bans.h. Runs without any capability. */
#include "workers/bans/bans.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/sandbox.h"
#include "common/text.h"
#include "protocol/event_loop.h"
#include "protocol/problems.h"
#include "protocol/state_sender.h"
#include "protocol/supervised.h"
#include "workers/bans/ban_clients.h"
#include "workers/bans/ban_file.h"

#include <malloc.h>

#define TIMER_ACCURACY (100 * MICROSECONDS_PER_MILLISECOND)

static const struct state_form whole_form = {MESSAGE_BANS_BEGIN, MESSAGE_BANS_ITEMS, MESSAGE_BANS_COMMIT,
                                             BANS_PER_MESSAGE, sizeof(struct wire_ban)};
static const struct state_form changes_form = {MESSAGE_BAN_CHANGES_BEGIN, MESSAGE_BANS_ITEMS, MESSAGE_BANS_COMMIT,
                                               BANS_PER_MESSAGE, sizeof(struct wire_ban)};

struct bans {
    sd_event *event;
    struct channel *supervisor;
    struct channel *netadmin; /* NULL until LINK */
    struct ban_clients *clients;
    struct ban_store store;
    struct ban_file file;
    struct ban_list sent; /* what netadmin has, or is about to, if has_sent */
    bool has_sent;        /* on this link */
    bool is_changed;      /* `store` is to be sent */
    bool is_answered;     /* netadmin has answered all that was sent */
    bool is_unread;       /* the file's list: the kernel may hold it, and is told nothing until somebody bans */
    bool is_lasting;      /* the file outlives the container */
    bool awaits_kept;     /* there was no file: what netadmin says that it holds is part of the list */
    int given_listener;   /* -1: none that waits for these */
    struct message_project_addresses protected; /* nobody bans these by accident, and over a given socket at all */
    uint64_t generation;                        /* of what was sent last */
    sd_event_source *step;                      /* deferred: a burst of requests becomes one difference */
    sd_event_source *end_timer;                 /* CLOCK_REALTIME: the next ban ends */
};

static uint64_t now_seconds(void)
{
    return clock_real_nanoseconds() / NANOSECONDS_PER_SECOND;
}

static bool is_lasting(const struct bans *bans)
{
    return bans->is_lasting && bans->file.fd >= 0;
}

/* --- netadmin ------------------------------------------------------------------------------------------------ */

static int send_list(struct bans *bans, const struct ban_list *next)
{
    CLEANUP(ban_list_clear) struct ban_list changes = {0};
    int result;

    if (!bans->has_sent) {
        bans->is_answered = false;
        return state_sender_send(bans->netadmin, &whole_form, ++bans->generation, next->items, next->count);
    }
    result = ban_list_compare(&bans->sent, next, &changes);
    if (result < 0 || changes.count == 0)
        return result;
    bans->is_answered = false;
    return state_sender_send(bans->netadmin, &changes_form, ++bans->generation, changes.items, changes.count);
}

/* One list is on its way at most: what comes meanwhile travels with the next one. */
static int on_step(sd_event_source *source, void *userdata)
{
    struct bans *bans = userdata;
    CLEANUP(ban_list_clear) struct ban_list next = {0};
    uint64_t end;
    int result;

    (void)source;
    ban_file_sync(&bans->file, &bans->store);
    end = ban_store_next_end(&bans->store);
    event_loop_set_timer(bans->end_timer, end ? end * MICROSECONDS_PER_SECOND : UINT64_MAX);
    if (!bans->netadmin || !bans->is_answered || !bans->is_changed || bans->is_unread || bans->awaits_kept)
        return 0;
    result = ban_store_reduce(&bans->store, &next);
    if (result == 0)
        result = send_list(bans, &next);
    if (result < 0) {
        /* Mostly netadmin has ended just now: its successor gets all of it, else the next change brings it. */
        log_warn("cannot tell netadmin who is banned", LOG_ERROR(result));
        bans->has_sent = false;
        bans->is_answered = true;
        return 0;
    }
    ban_list_clear(&bans->sent);
    bans->sent = next;
    next = (struct ban_list){0};
    bans->has_sent = true;
    bans->is_changed = false;
    ban_clients_set_generation(bans->clients, bans->generation);
    if (bans->is_answered) /* it was banned already, by another ban */
        ban_clients_answer(bans->clients, bans->generation, is_lasting(bans), 0, "");
    (void)malloc_trim(0);
    return 0;
}

static void take_applied(struct bans *bans, const struct message_bans_applied *applied)
{
    if (applied->header.generation != bans->generation)
        return;
    bans->is_answered = true;
    if (applied->error < 0) {
        log_error("netadmin did not apply the bans", LOG_PROBLEM(PROBLEM_BANS_NOT_APPLIED),
                  LOG_ERROR_TEXT(applied->reason));
        bans->has_sent = false; /* the next change brings all of it */
    }
    ban_clients_answer(bans->clients, applied->header.generation, is_lasting(bans), applied->error, applied->reason);
    if (bans->is_changed)
        event_loop_wake(bans->step);
}

/* Without an end, which nobody knows any more; what was banned anew meanwhile is as it was said then. */
static void keep(struct bans *bans, const struct message_bans *kept)
{
    char reason_text[] = "kept from before, without its end";

    for (uint32_t i = 0; i < kept->item_count && bans->awaits_kept; i++) {
        struct stored_ban ban = {.ban = kept->items[i], .added = now_seconds(), .reason = reason_text};
        const char *reason = "";

        if (ban_store_has(&bans->store, &ban.ban))
            continue;
        if (ban_store_put(&bans->store, &ban, &reason) < 0)
            log_error("a ban of before is not kept", LOG_ERROR_TEXT(reason));
        else
            ban_file_note_ban(&bans->file, &ban);
    }
}

static void finish_keeping(struct bans *bans)
{
    if (!bans->awaits_kept)
        return;
    bans->awaits_kept = false;
    if (bans->store.count > 0)
        log_info("bans kept", LOG_NUMBER("bans", bans->store.count));
    event_loop_wake(bans->step);
}

static void listen_to_clients(struct bans *bans, int listener, bool is_roots)
{
    int result = ban_clients_listen(bans->clients, listener, is_roots);

    if (result < 0)
        log_error("cannot use a ban socket", LOG_ERROR(result));
}

static void take_protected(struct bans *bans, const struct message_project_addresses *addresses)
{
    bans->protected = *addresses;
    if (bans->given_listener >= 0)
        listen_to_clients(bans, TAKE_FD(bans->given_listener), false);
}

/* Who may not ban everybody is heard as soon as it is known whom. */
static void take_listener(struct bans *bans, int listener, bool is_roots)
{
    if (is_roots || bans->protected.header.type != MESSAGE_INVALID) {
        listen_to_clients(bans, listener, is_roots);
        return;
    }
    close_fd(&bans->given_listener);
    bans->given_listener = listener;
}

static void on_netadmin_message(struct channel *channel, const struct message_header *message, int descriptor,
                                void *userdata)
{
    switch (message->type) {
    case MESSAGE_BANS_APPLIED:
        take_applied(userdata, (const struct message_bans_applied *)message);
        break;
    case MESSAGE_PROJECT_ADDRESSES:
        take_protected(userdata, (const struct message_project_addresses *)message);
        break;
    case MESSAGE_BANS_BEGIN:
        break;
    case MESSAGE_BANS_ITEMS:
        keep(userdata, (const struct message_bans *)message);
        break;
    case MESSAGE_BANS_COMMIT:
        finish_keeping(userdata);
        break;
    default:
        channel_refuse(channel, message, descriptor);
        break;
    }
}

static void drop_netadmin(struct bans *bans)
{
    bans->netadmin = channel_free(bans->netadmin);
    bans->has_sent = false;
    bans->is_changed = true;
    bans->is_answered = true;
}

static void on_netadmin_closed(struct channel *channel, int error, const char *reason, void *userdata)
{
    (void)channel;
    if (error < 0)
        log_error("connection to netadmin ended", LOG_TEXT("reason", reason), LOG_ERROR(error));
    drop_netadmin(userdata);
}

static void handle_link(struct bans *bans, const struct message_link *message, int descriptor)
{
    const struct channel_callbacks callbacks = {on_netadmin_message, on_netadmin_closed, bans};
    int result;

    if (message->peer != LINK_PEER_NETADMIN) {
        log_error("LINK to a peer that is not netadmin, ignoring", LOG_NUMBER("peer", message->peer));
        close_fd(&descriptor);
        return;
    }
    drop_netadmin(bans);
    result = channel_new(bans->event, descriptor, DIRECTION_NETADMIN_TO_BANS, &callbacks, &bans->netadmin);
    if (result < 0)
        log_error("cannot use the link to netadmin", LOG_ERROR(result));
    event_loop_wake(bans->step);
}

/* --- who bans ------------------------------------------------------------------------------------------------ */

static void refuse(struct ban_client *client, int error, const char *reason)
{
    struct message_ban_answer answer = {
        .header = message_header_make(MESSAGE_BAN_ANSWER, sizeof(answer), 0),
        .error = error,
    };

    text_copy_cut(answer.reason, sizeof(answer.reason), reason);
    ban_client_send(client, &answer.header);
}

/* It is answered when netadmin has answered. */
static void note_change(struct bans *bans, struct ban_client *client, uint32_t count)
{
    bans->is_changed = true;
    bans->is_unread = false;
    ban_client_defer(client, count);
    event_loop_wake(bans->step);
}

static bool is_protected(const struct bans *bans, const struct ban_client *client,
                         const struct message_ban_request *request)
{
    bool has_one = false;

    for (uint32_t i = 0; i < bans->protected.count; i++) {
        const struct wire_address *address = &bans->protected.items[i];
        struct wire_ban other = {.family = address->family, .prefix_length = ip_family_bits(address->family)};

        memcpy(other.bytes, address->bytes, sizeof(other.bytes));
        has_one |= wire_ban_contains(&request->ban, &other);
    }
    return has_one && !(request->operation == BAN_OPERATION_ADD_FORCED && ban_client_is_root(client));
}

static void handle_add(struct bans *bans, struct ban_client *client, const struct message_ban_request *request)
{
    char reason_text[BAN_REASON_SIZE];
    struct stored_ban ban = {.ban = request->ban, .added = now_seconds(), .reason = reason_text};
    const char *reason;
    int result;

    if (is_protected(bans, client, request)) {
        refuse(client, -EPERM,
               "has the gateway or an address of the project in it: of a neighbour in the same network ban ADDRESS/32, "
               "or /128 of IPv6, alone");
        return;
    }
    memcpy(reason_text, request->reason, sizeof(reason_text));
    for (char *character = reason_text; *character; character++) {
        if ((unsigned char)*character < ' ' || *character == 0x7f) /* a line of the file, and of a terminal */
            *character = ' ';
    }
    if (request->seconds)
        ban.until = ban.added + 1 + request->seconds; /* a part of a second is none */
    result = ban_store_put(&bans->store, &ban, &reason);
    if (result < 0) {
        refuse(client, result, reason);
        return;
    }
    ban_file_note_ban(&bans->file, &ban);
    note_change(bans, client, 1);
}

static void handle_delete(struct bans *bans, struct ban_client *client, const struct message_ban_request *request)
{
    if (!ban_store_remove(&bans->store, &request->ban)) {
        refuse(client, -ENOENT, "is not banned; see anchord ban list");
        return;
    }
    ban_file_note_unban(&bans->file, &request->ban);
    note_change(bans, client, 1);
}

static void handle_flush(struct bans *bans, struct ban_client *client)
{
    uint32_t count = (uint32_t)bans->store.count;

    ban_store_clear(&bans->store);
    ban_file_note_flush(&bans->file);
    note_change(bans, client, count);
}

static void handle_list(const struct bans *bans, struct ban_client *client, const struct message_ban_request *request)
{
    static union { /* one thread, never re-entered */
        struct message_bans_listed message;
        uint8_t bytes[sizeof(struct message_bans_listed) + BANS_LISTED_MAX * sizeof(struct wire_listed_ban)];
    } buffer;
    size_t position = ban_store_position_behind(&bans->store, &request->ban);
    uint32_t count = 0;

    for (; position < bans->store.count && count < BANS_LISTED_MAX; position++) {
        const struct stored_ban *ban = &bans->store.items[position];
        struct wire_listed_ban *listed = &buffer.message.items[count++];

        *listed = (struct wire_listed_ban){.ban = ban->ban, .until = ban->until, .added = ban->added};
        text_copy_cut(listed->reason, sizeof(listed->reason), ban->reason ? ban->reason : "");
    }
    if (count == 0) {
        refuse(client, 0, "");
        return;
    }
    buffer.message.header =
        message_header_make(MESSAGE_BANS_LISTED, sizeof(buffer.message) + count * sizeof(struct wire_listed_ban), 0);
    buffer.message.item_count = count;
    ban_client_send(client, &buffer.message.header);
}

static void on_request(struct ban_client *client, const struct message_ban_request *request, void *userdata)
{
    struct bans *bans = userdata;

    switch (request->operation) { /* the protocol's gate knows these alone */
    case BAN_OPERATION_ADD:
    case BAN_OPERATION_ADD_FORCED:
        handle_add(bans, client, request);
        break;
    case BAN_OPERATION_DELETE:
        handle_delete(bans, client, request);
        break;
    case BAN_OPERATION_FLUSH:
        handle_flush(bans, client);
        break;
    default:
        handle_list(bans, client, request);
        break;
    }
}

/* The file has the ends: nothing is written. */
static int on_end_time(sd_event_source *source, uint64_t planned, void *userdata)
{
    struct bans *bans = userdata;
    size_t ended = ban_store_expire(&bans->store, now_seconds());

    (void)source;
    (void)planned;
    if (ended > 0) {
        log_info("bans ended", LOG_NUMBER("ended", ended), LOG_NUMBER("left", bans->store.count));
        bans->is_changed = true;
    }
    event_loop_wake(bans->step);
    return 0;
}

/* --- the supervisor ------------------------------------------------------------------------------------------ */

static void on_supervisor_message(const struct message_header *message, int descriptor, void *userdata)
{
    struct bans *bans = userdata;

    switch (message->type) { /* the protocol's gate lets only the first two carry a descriptor */
    case MESSAGE_LINK:
        handle_link(bans, (const struct message_link *)message, descriptor);
        break;
    case MESSAGE_BAN_LISTENER:
        take_listener(bans, descriptor, ((const struct message_ban_listener *)message)->is_roots);
        break;
    case MESSAGE_CONFIGURE_BANS:
        log_set_level((enum log_level)((const struct message_configure_bans *)message)->log_level);
        bans->is_lasting = ((const struct message_configure_bans *)message)->is_lasting;
        break;
    case MESSAGE_STOP:
        (void)sd_event_exit(bans->event, EXIT_STATUS_CLEAN); /* a stop that keeps keeps the kernel's sets */
        break;
    default:
        supervised_refuse(message, descriptor);
        break;
    }
}

/* --- construction -------------------------------------------------------------------------------------------- */

struct bans *bans_free(struct bans *bans)
{
    if (!bans)
        return NULL;
    bans->netadmin = channel_free(bans->netadmin);
    (void)ban_clients_free(bans->clients);
    close_fd(&bans->given_listener);
    (void)channel_free(bans->supervisor);
    sd_event_source_disable_unref(bans->step);
    sd_event_source_disable_unref(bans->end_timer);
    ban_store_clear(&bans->store);
    ban_list_clear(&bans->sent);
    ban_file_close(&bans->file);
    free(bans);
    return NULL;
}

static void load(struct bans *bans)
{
    int result = ban_file_load(&bans->file, &bans->store);

    if (result < 0)
        log_error("cannot read the file of bans: what is banned stays so until the next ban, then that holds alone",
                  LOG_PROBLEM(PROBLEM_BANS_NOT_KEPT), LOG_ERROR(result),
                  LOG_TEXT("remedy", "put the file back as it was, or take it away, then restart this container before "
                                     "anybody is banned"));
    bans->is_unread = result < 0;
    bans->awaits_kept = bans->file.is_new;
    (void)ban_store_expire(&bans->store, now_seconds());
    if (bans->store.count > 0)
        log_info("bans read", LOG_NUMBER("bans", bans->store.count));
    (void)malloc_trim(0);
}

int bans_new(sd_event *event, struct bans **ret)
{
    CLEANUP(bans_freep) struct bans *bans = calloc(1, sizeof(*bans));
    int result;

    if (!bans)
        return -ENOMEM;
    bans->event = event;
    bans->file.fd = bans->given_listener = -1;
    bans->is_changed = bans->is_answered = true;
    load(bans);
    result = ban_clients_new(event, on_request, bans, &bans->clients);
    if (result >= 0)
        result = event_loop_add_timer(event, CLOCK_REALTIME, TIMER_ACCURACY, on_end_time, bans, &bans->end_timer);
    if (result >= 0)
        result = event_loop_add_step(event, on_step, bans, &bans->step);
    if (result >= 0)
        result = supervised_join(event, DIRECTION_SUPERVISOR_TO_BANS, on_supervisor_message, bans, &bans->supervisor);
    if (result < 0) {
        log_error("cannot join the event loop", LOG_ERROR(result));
        return result;
    }
    *ret = TAKE_POINTER(bans);
    return 0;
}
