/*
 * The watcher's ends of the channels to links and namespaces, the workers of attach's host half (HOST-10, HOST-11).
 *
 * Owned by attachment.c. Each connection may end and come anew, on its own; a state is sent when it differs from what
 * that connection was sent last. Without a connection nothing is sent. Runs without any privilege.
 */
#pragma once

#include "protocol/channel.h"

struct host_half;

struct host_half_callbacks {
    void (*on_link_answer)(void *userdata, const struct message_link_answer *answer);
    void (*on_namespace_answer)(void *userdata, const struct message_namespace_answer *answer);
    /* Nobody serves namespaces any more. */
    void (*on_namespaces_closed)(void *userdata);
    void *userdata;
};

int host_half_new(sd_event *event, const struct host_half_callbacks *callbacks, struct host_half **ret)
    __attribute__((warn_unused_result));
struct host_half *host_half_free(struct host_half *half);
DEFINE_POINTER_CLEANUP(struct host_half, (void)host_half_free, host_half_freep);

/* A connection to `peer`, LINK_PEER_LINKS or LINK_PEER_NAMESPACES, in place of the last one. Owns `fd` from now on.
 * Returns 0 or a negative errno. */
int host_half_link(struct host_half *half, enum link_peer peer, int fd) __attribute__((warn_unused_result));
bool host_half_has_namespaces(const struct host_half *half);

/* Both without a header: they are filled in here. */
void host_half_send_networks(struct host_half *half, struct message_bridges *bridges, struct message_guarded *guarded);
void host_half_want(struct host_half *half, const char *id, uint64_t generation);
void host_half_leave(struct host_half *half, const char *id);
void host_half_commit(struct host_half *half);
