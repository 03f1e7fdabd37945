/* A whole state on a channel; see state_sender.h. Runs in every program that tells one, no privilege. */
#include "protocol/state_sender.h"

#include <string.h>

/* What all ITEMS messages begin with. */
struct message_items {
    struct message_header header;
    uint32_t item_count;
    uint32_t reserved;
    uint8_t items[];
};
static_assert(offsetof(struct message_items, items) == offsetof(struct message_exposures, items) &&
                  offsetof(struct message_items, items) == offsetof(struct message_links, items) &&
                  offsetof(struct message_items, items) == offsetof(struct message_bans, items) &&
                  offsetof(struct message_items, items) == offsetof(struct message_guests, items) &&
                  offsetof(struct message_items, items) == offsetof(struct message_held, items),
              "one head for all of them");

int state_sender_begin(struct channel *channel, const struct state_form *form, uint64_t generation)
{
    struct message_begin begin = {message_header_make(form->begin, sizeof(begin), generation)};

    return channel_send_message(channel, &begin);
}

int state_sender_add(struct channel *channel, const struct state_form *form, uint64_t generation, const void *items,
                     size_t count)
{
    static union { /* one thread, never re-entered */
        struct message_items message;
        uint8_t bytes[MESSAGE_LENGTH_MAX];
    } buffer;
    const uint8_t *next = items;
    int result = 0;

    while (count > 0 && result == 0) {
        size_t part = count < form->items_per_message ? count : form->items_per_message;
        size_t size = part * form->item_size;

        buffer.message.header = message_header_make(form->items, sizeof(buffer.message) + size, generation);
        buffer.message.item_count = (uint32_t)part;
        memcpy(buffer.message.items, next, size);
        result = channel_send_message(channel, &buffer.message);
        next += size;
        count -= part;
    }
    return result;
}

int state_sender_commit(struct channel *channel, const struct state_form *form, uint64_t generation, size_t count)
{
    struct message_commit commit = {
        .header = message_header_make(form->commit, sizeof(commit), generation),
        .item_count = (uint32_t)count,
    };

    return channel_send_message(channel, &commit);
}

int state_sender_send(struct channel *channel, const struct state_form *form, uint64_t generation, const void *items,
                      size_t count)
{
    int result = state_sender_begin(channel, form, generation);

    if (result == 0)
        result = state_sender_add(channel, form, generation, items, count);
    return result < 0 ? result : state_sender_commit(channel, form, generation, count);
}
