/*
 * One end of a SOCK_SEQPACKET socketpair between two of our processes, on the event loop of this one.
 *
 * Used by the supervisor and by every worker with sd-event; no privilege. Sending never blocks: what the
 * peer does not take at once is queued up to a limit. What comes in has passed message_validate() before the
 * owner sees it; a datagram that fails ends the connection.
 */
#pragma once

#include "common/cleanup.h"
#include "protocol/messages.h"

#include <systemd/sd-event.h>

/* What a channel queues for a peer that does not read; one more byte and the connection ends (-ENOBUFS).
 * Two full states of MAP_ELEMENTS_MAX single ports fit. */
#define CHANNEL_QUEUE_LIMIT (4U * 1024 * 1024)

struct channel;

/*
 * A valid message arrived. `descriptor` is the one that came with it, or -1; the handler owns it.
 * The message is only valid during the call. The handler may free the channel.
 */
typedef void (*channel_message_handler)(struct channel *channel, const struct message_header *message, int descriptor,
                                        void *userdata);

/*
 * The connection is over: `error` is 0 at the peer's end of file, else a negative errno (-EBADMSG: the peer
 * broke the protocol; -ENOBUFS: it does not read), `reason` says more. Called once, never from within a
 * function of this API but from the event loop. The handler may free the channel.
 */
typedef void (*channel_closed_handler)(struct channel *channel, int error, const char *reason, void *userdata);

struct channel_callbacks {
    channel_message_handler on_message;
    channel_closed_handler on_closed;
    void *userdata;
};

/*
 * Makes a channel on `fd`, which it owns from now on (also when this fails). `receives` names the direction
 * of what comes in. Returns 0 or a negative errno; *ret is untouched on failure.
 */
int channel_new(sd_event *event, int fd, enum message_direction receives, const struct channel_callbacks *callbacks,
                struct channel **ret) __attribute__((warn_unused_result));

/* Frees; the peer sees the end of file after what was sent. NULL is fine. Returns NULL. */
struct channel *channel_free(struct channel *channel);
DEFINE_POINTER_CLEANUP(struct channel, (void)channel_free, channel_freep);

/*
 * Sends `message` (header.length bytes) and, if it is not -1, a duplicate of `descriptor`.
 * Returns 0 when sent or queued; -EPIPE after the end, -ENOBUFS when the queue is full: on_closed follows.
 */
int channel_send(struct channel *channel, const struct message_header *message, int descriptor);

/* As channel_send for any message struct without a descriptor. */
#define channel_send_message(channel, message) channel_send((channel), &(message)->header, -1)

/*
 * What every handler's `default` does with a message that it does not name, although the protocol's table has let it
 * through: closes the descriptor and ends the connection; on_closed follows, -EPROTO and the message's name.
 */
void channel_refuse(struct channel *channel, const struct message_header *message, int descriptor);

/*
 * Has the peer left unread what was sent to it, or cannot that be told (unix(7), SIOCOUTQ)? Only in a process that may
 * use ioctl(2): no worker may.
 */
bool channel_has_unread(const struct channel *channel);

/* The answer to PING, as every worker gives it: a PONG with its generation. Returns as channel_send(). */
int channel_send_pong(struct channel *channel, const struct message_header *ping);

/* Makes a connected pair, close-on-exec, non-blocking: ret[0] and ret[1]. Returns 0 or a negative errno. */
int channel_make_pair(int ret[2]) __attribute__((warn_unused_result));
