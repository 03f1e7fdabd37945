/* The conversation with anchord-bans; see bans_peer.h. Runs in anchord-netadmin with CAP_NET_ADMIN. */
#include "workers/netadmin/bans_peer.h"

#include "common/array.h"
#include "common/log.h"
#include "common/text.h"
#include "protocol/event_loop.h"
#include "protocol/problems.h"
#include "protocol/state_sender.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>

/* One difference can take away all bans and bring as many others; what it leads to is counted by ban_list_merge(). */
#define ITEMS_MAX (2 * BANS_MAX)

void bans_peer_prepare(struct bans_peer *peer, sd_event *event, struct ruleset *ruleset,
                       sd_event_source *reconcile_source)
{
    *peer = (struct bans_peer){.event = event, .ruleset = ruleset, .reconcile_source = reconcile_source};
}

static void forget_incoming(struct bans_peer *peer)
{
    ban_list_clear(&peer->incoming);
    peer->incoming_capacity = 0;
    peer->is_open = false;
}

void bans_peer_close(struct bans_peer *peer)
{
    peer->channel = channel_free(peer->channel);
    peer->waits = false;
    peer->told = (struct message_project_addresses){0};
    forget_incoming(peer);
}

static void break_off(struct bans_peer *peer, const char *reason)
{
    log_error("bans broke the protocol, connection ended", LOG_ERROR_TEXT(reason));
    bans_peer_close(peer);
}

static void answer(struct bans_peer *peer, int error, const char *reason)
{
    struct message_bans_applied message = {
        .header = message_header_make(MESSAGE_BANS_APPLIED, sizeof(message), peer->generation),
        .error = error,
    };

    text_copy_cut(message.reason, sizeof(message.reason), reason);
    (void)channel_send_message(peer->channel, &message);
}

static void begin(struct bans_peer *peer, const struct message_header *message, bool is_whole)
{
    forget_incoming(peer);
    peer->is_open = true;
    peer->is_whole = is_whole;
    peer->generation = message->generation;
}

static void add(struct bans_peer *peer, const struct message_bans *message)
{
    if (!peer->is_open || message->header.generation != peer->generation ||
        peer->incoming.count + message->item_count > ITEMS_MAX) {
        break_off(peer, "ITEMS without BEGIN, or too many");
        return;
    }
    for (uint32_t i = 0; i < message->item_count; i++) {
        struct wire_ban *items = array_grow(peer->incoming.items, peer->incoming.count, &peer->incoming_capacity,
                                            sizeof(*peer->incoming.items));

        if (!items) {
            break_off(peer, "out of memory");
            return;
        }
        peer->incoming.items = items;
        items[peer->incoming.count++] = message->items[i];
    }
}

static void commit(struct bans_peer *peer, const struct message_commit *message)
{
    char reason[REASON_SIZE];
    struct nft_failure failure = {0};
    int result;

    if (!peer->is_open || message->header.generation != peer->generation ||
        message->item_count != peer->incoming.count) {
        break_off(peer, "COMMIT without BEGIN, or of another number of items");
        return;
    }
    result = ruleset_change_bans(peer->ruleset, peer->is_whole, &peer->incoming, &failure);
    forget_incoming(peer);
    (void)malloc_trim(0); /* a whole list takes megabytes on its way */
    peer->waits = result > 0;
    if (result > 0)
        return;
    (void)snprintf(reason, sizeof(reason), "%s: %s", failure.operation, log_errno_text(result));
    answer(peer, result, result < 0 ? reason : "");
    if (result == 0)
        return;
    log_error("bans not applied", LOG_PROBLEM(PROBLEM_BANS_NOT_APPLIED), LOG_TEXT("operation", failure.operation),
              LOG_ERROR(result));
    event_loop_wake(peer->reconcile_source); /* it may be the kernel that refused, and what it holds is not known */
}

static void on_message(struct channel *channel, const struct message_header *message, int descriptor, void *userdata)
{
    struct bans_peer *peer = userdata;

    switch (message->type) {
    case MESSAGE_BANS_BEGIN:
        begin(peer, message, true);
        break;
    case MESSAGE_BAN_CHANGES_BEGIN:
        begin(peer, message, false);
        break;
    case MESSAGE_BANS_ITEMS:
        add(peer, (const struct message_bans *)message);
        break;
    case MESSAGE_BANS_COMMIT:
        commit(peer, (const struct message_commit *)message);
        break;
    default:
        channel_refuse(channel, message, descriptor);
        break;
    }
}

/* What it said last stays in force. */
static void on_closed(struct channel *channel, int error, const char *reason, void *userdata)
{
    (void)channel;
    if (error < 0)
        log_error("connection to bans ended", LOG_TEXT("reason", reason), LOG_ERROR(error));
    bans_peer_close(userdata);
}

static const struct state_form kept_form = {MESSAGE_BANS_BEGIN, MESSAGE_BANS_ITEMS, MESSAGE_BANS_COMMIT,
                                            BANS_PER_MESSAGE, sizeof(struct wire_ban)};

/* What the kernel holds, which a worker without a file knows from nobody else: a predecessor's, under a holder. */
static int tell_kept(struct bans_peer *peer)
{
    size_t count = 0;
    int result = state_sender_begin(peer->channel, &kept_form, 0);

    for (size_t i = 0; i < FAMILY_INDEX_MAX_ && result == 0; i++) {
        CLEANUP(ban_list_clear) struct ban_list kept = {0};
        int reading = ruleset_read_bans(peer->ruleset, i, &kept);

        if (reading < 0 && reading != -ENOENT)
            log_error("cannot read who is banned", LOG_ERROR(reading));
        result = state_sender_add(peer->channel, &kept_form, 0, kept.items, kept.count);
        count += kept.count;
    }
    return result < 0 ? result : state_sender_commit(peer->channel, &kept_form, 0, count);
}

void bans_peer_link(struct bans_peer *peer, int descriptor)
{
    const struct channel_callbacks callbacks = {on_message, on_closed, peer};
    int result;

    bans_peer_close(peer);
    result = channel_new(peer->event, descriptor, DIRECTION_BANS_TO_NETADMIN, &callbacks, &peer->channel);
    if (result == 0)
        result = tell_kept(peer);
    if (result < 0)
        log_error("cannot use the link to bans", LOG_ERROR(result));
    event_loop_wake(peer->reconcile_source); /* then it is told the addresses */
}

static void add_address(struct message_project_addresses *message, const struct wire_address *address)
{
    if (address->family && message->count < PROJECT_ADDRESSES_MAX)
        message->items[message->count++] = *address;
}

static void tell_addresses(struct bans_peer *peer, const struct network *network)
{
    struct message_network_report report = {0};
    struct message_project_addresses message = {
        .header = message_header_make(MESSAGE_PROJECT_ADDRESSES, sizeof(message), 0),
    };

    network_describe(network, &report);
    for (size_t i = 0; i < FAMILY_INDEX_MAX_; i++)
        add_address(&message, &report.gateways[i].address);
    for (size_t i = 0; i < report.external.address_count; i++)
        add_address(&message, &report.external.addresses[i].address);
    if (!peer->channel || memcmp(&message, &peer->told, sizeof(message)) == 0)
        return;
    peer->told = message;
    (void)channel_send_message(peer->channel, &message);
}

void bans_peer_tell_applied(struct bans_peer *peer, const struct network *network)
{
    tell_addresses(peer, network);
    if (!peer->waits)
        return;
    peer->waits = false;
    answer(peer, 0, "");
}
