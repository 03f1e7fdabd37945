/*
 * One end of the channel to control: findings go out, nothing comes in.
 *
 * Owned by watcher.c, and in the keeper by dependents.c or follow.c. A burst of changes becomes one state, a moment
 * later and when nothing else is to be done. Runs without any privilege.
 */
#pragma once

#include "common/clock.h"
#include "protocol/channel.h"

/* A status that is a quarter of a second old is fresh enough for people; a burst of events costs one state. */
#define FINDINGS_SEND_DELAY    (250 * MICROSECONDS_PER_MILLISECOND)
#define FINDINGS_SEND_ACCURACY (50 * MICROSECONDS_PER_MILLISECOND)

struct findings_sender;

/* Returns 0, or a negative errno that ends the telling. */
typedef int (*finding_handler)(void *userdata, const struct wire_finding *finding);

/*
 * Tells `handler` of one finding after the other, at most FINDINGS_MAX; the same state in the same order. Called twice
 * for a state that is new. Returns 0 or a negative errno: -EAGAIN when there is nothing to tell yet.
 */
typedef int (*findings_sender_tell)(void *userdata, finding_handler handler, void *handler_userdata);

/* Before the sandbox is sealed: it sets a timer up. `receives` is the direction from control, in which nothing travels.
 * Returns 0 or a negative errno. */
int findings_sender_new(sd_event *event, enum message_direction receives, findings_sender_tell tell, void *userdata,
                        struct findings_sender **ret) __attribute__((warn_unused_result));
struct findings_sender *findings_sender_free(struct findings_sender *sender);
DEFINE_POINTER_CLEANUP(struct findings_sender, (void)findings_sender_free, findings_sender_freep);

/* A new control; replaces the last one and owns `fd` from now on. Returns 0 or a negative errno. */
int findings_sender_link(struct findings_sender *sender, int fd) __attribute__((warn_unused_result));

/* What is to be told may have changed. */
void findings_sender_schedule(struct findings_sender *sender);

/* The same where looking costs little and mostly nothing is new: looks at once, and wakes nobody up for nothing. */
void findings_sender_schedule_news(struct findings_sender *sender);
