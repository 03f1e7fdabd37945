/*
 * A look at every container of one scope that lives in another one's network namespace, one after the other; besides
 * them at the old ones of recreations that are half-done (journal.h), at managed service-anchors, and at whom those
 * that were replaced have left behind (managed.h).
 *
 * Called by the repairs, which decide what is to be done. Level-triggered: each look reads everything anew, at the
 * start, after events, and every poll interval. Runs without any privilege.
 */
#pragma once

#include "workers/keeper/inspection.h"
#include "workers/keeper/managed.h"
#include "workers/keeper/memory.h"
#include "workers/keeper/session.h"

enum look_kind {
    LOOK_SCOPED,  /* of the scope, and in another one's namespace */
    LOOK_MANAGED, /* a managed service-anchor: `managed` */
    LOOK_FOREIGN, /* it has the name of `managed`, and somebody else made it */
    LOOK_MISSING, /* there is no container of the name of `managed`: `container` is empty */
    LOOK_PINNED,  /* it was in the namespace of one that `managed` has replaced (LIFE-3) */
};

struct look_subject {
    enum look_kind kind;
    struct managed *managed; /* by the kind; else NULL */
    struct memory_entry *entry;
    struct inspection *container;
    const struct journal *journal; /* NULL for an ordinary one */
};

struct look_callbacks {
    /* The next one; valid until look_continue(), which must follow, now or later. */
    void (*on_container)(void *userdata, const struct look_subject *subject);
    void (*on_end)(void *userdata);
    void *userdata;
};

struct look;

/*
 * `scope`: the labels that containers in scope carry, at least one; copied. `session` and `managed`, to which more may
 * be added later, must outlive it. Before the sandbox is sealed: it sets timers up. Returns 0 or a negative errno.
 */
int look_new(sd_event *event, struct session *session, const struct label_selector *scope, struct managed_set *managed,
             uint32_t poll_interval_milliseconds, const struct look_callbacks *callbacks, struct look **ret)
    __attribute__((warn_unused_result));
struct look *look_free(struct look *look);
DEFINE_POINTER_CLEANUP(struct look, (void)look_free, look_freep);

/*
 * Before the session starts, without managed service-anchors: hears of containers in scope alone, and of whom they have
 * joined (WALL-7, HOST-10).
 */
void look_pin(struct look *look);

/* The ID of a container in scope, by its name or the beginning of its ID; NULL: there is none, or it is not pinned. */
const char *look_find_in_scope(const struct look *look, const char *reference);

/* As in struct session_callbacks. */
void look_on_connected(struct look *look);
void look_on_lost(struct look *look);
void look_on_event(struct look *look, const struct docker_event *event);

/* On to the next container, or to the end. */
void look_continue(struct look *look);

/* A look at once, or when this one is over. */
void look_soon(struct look *look);

/* Another look when this one is over: something has changed under it. */
void look_again(struct look *look);

/* Another look at this time at the latest, monotonic microseconds. */
void look_wake_at(struct look *look, uint64_t time);

/*
 * Something failed with the container that is looked at: logged once for the same reason, and noted in its entry until
 * it is well.
 */
void look_note_failure(struct look *look, const char *message, const char *reason);

/* Of all that was looked at. */
const struct memory *look_memory(const struct look *look);
