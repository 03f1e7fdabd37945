/*
 * One container recreated in the network namespace that its target has now, without ever being without it (LIFE-7).
 *
 *     forwards: look at the containers that it refers to -> rename the old one -> policy "no" -> create the new
 *               -> look at it -> stop the old -> start the new -> verify -> remove the old
 *     back:     remove the new -> the old one's policy -> start it if it ran -> its name
 *
 * The old name is a journal from the first step to the last (journal.h), and the new container carries the old one's
 * ID in a label; so another keeper can go on from any point. Never are both running, never is there none. Called by
 * the repairs, one at a time; runs without any privilege.
 */
#pragma once

#include "workers/keeper/command.h"
#include "workers/keeper/inspection.h"

#include <systemd/sd-event.h>

enum recreation_result {
    RECREATION_DONE,
    RECREATION_REFUSED,     /* nothing was changed: it refers to a container that is not there, or does not run */
    RECREATION_TAKEN_BACK,  /* it failed, and everything is as it was before */
    RECREATION_STUCK,       /* it failed, and so did the way back: the journal stays */
    RECREATION_INTERRUPTED, /* the connection to Docker was lost: the journal stays, nobody knows how far it came */
};

/* It is over. `text` says what failed; valid during the call. May start the next one. */
typedef void (*recreation_handler)(void *userdata, enum recreation_result result, const char *text);

struct recreation;

/* Before the sandbox is sealed: it sets a timer up. Returns 0 or a negative errno. */
int recreation_new(sd_event *event, struct docker_client *client, uint32_t stop_timeout_milliseconds,
                   recreation_handler on_done, void *userdata, struct recreation **ret)
    __attribute__((warn_unused_result));
struct recreation *recreation_free(struct recreation *recreation);
DEFINE_POINTER_CLEANUP(struct recreation, (void)recreation_free, recreation_freep);

/*
 * Recreates `old`, whose document is taken over, in the namespace of the container that is called `target`. Returns 0
 * (on_done will come), -EINVAL with *ret_reason (static storage) when it cannot be recreated, or another negative
 * errno.
 */
int recreation_start(struct recreation *recreation, struct inspection *old, const char *target, const char **ret_reason)
    __attribute__((warn_unused_result));

/* What is created in place of the old one, when it is not a copy of it. */
struct recreation_bodies {
    const char *body;         /* of ContainerCreate, with the image's name */
    const char *body_with_id; /* with its ID, for when the name means another image by now; NULL: the name decides */
    const char *image_id;     /* the image that it must have; empty: whatever the body names */
};

/* As recreation_start(). The bodies are copied. */
int recreation_start_as(struct recreation *recreation, const struct inspection *old,
                        const struct recreation_bodies *bodies, const char **ret_reason)
    __attribute__((warn_unused_result));

/*
 * Goes on with what `journal` of `old` tells of: forwards when there is the `created` ID of the new one, else back.
 * Returns as above.
 */
int recreation_resume(struct recreation *recreation, const struct inspection *old, const struct journal *journal,
                      const char *created, bool created_runs) __attribute__((warn_unused_result));

/* The connection has gone, and with it every answer. */
void recreation_interrupt(struct recreation *recreation);

bool recreation_is_running(const struct recreation *recreation);
