/*
 * A whole state on a channel: BEGIN, ITEMS as often as it takes, COMMIT (protocol/README.md). What arrives is swapped
 * in at COMMIT.
 *
 * Used by whoever tells a peer a state as an array; no privilege. Each returns 0 or channel_send()'s error.
 */
#pragma once

#include "protocol/channel.h"
#include "protocol/messages.h"

/* What a kind of state travels as. */
struct state_form {
    uint16_t begin; /* MESSAGE_… */
    uint16_t items;
    uint16_t commit;
    uint16_t items_per_message;
    size_t item_size;
};

int state_sender_send(struct channel *channel, const struct state_form *form, uint64_t generation, const void *items,
                      size_t count) __attribute__((warn_unused_result));

/* The same in parts, for a state of several arrays; `count` at the end is that of all of them. */
int state_sender_begin(struct channel *channel, const struct state_form *form, uint64_t generation)
    __attribute__((warn_unused_result));
int state_sender_add(struct channel *channel, const struct state_form *form, uint64_t generation, const void *items,
                     size_t count) __attribute__((warn_unused_result));
int state_sender_commit(struct channel *channel, const struct state_form *form, uint64_t generation, size_t count)
    __attribute__((warn_unused_result));
