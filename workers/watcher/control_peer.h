/*
 * The watcher's end of the channel to control: findings go out, nothing comes in.
 *
 * Owned by watcher.c. A burst of changes becomes one state, a moment later and when nothing else is to be done. Runs
 * without any privilege.
 */
#pragma once

#include "protocol/channel.h"
#include "workers/watcher/findings.h"

struct control_peer;

/*
 * Tells of all findings, as findings_tell(). Called twice for a state that is new. Returns 0 or a negative errno:
 * -EAGAIN when there is nothing to tell yet.
 */
typedef int (*control_peer_tell)(void *userdata, finding_handler handler, void *handler_userdata);

/* Before the sandbox is sealed: it sets a timer up. Returns 0 or a negative errno. */
int control_peer_new(sd_event *event, control_peer_tell tell, void *userdata, struct control_peer **ret)
    __attribute__((warn_unused_result));
struct control_peer *control_peer_free(struct control_peer *peer);
DEFINE_POINTER_CLEANUP(struct control_peer, (void)control_peer_free, control_peer_freep);

/* A new control; replaces the last one and owns `fd` from now on. Returns 0 or a negative errno. */
int control_peer_link(struct control_peer *peer, int fd) __attribute__((warn_unused_result));

/* What is to be told may have changed. */
void control_peer_schedule(struct control_peer *peer);
