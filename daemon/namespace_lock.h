/*
 * One active service-anchor per network namespace (SA-7): a lock by the name of an abstract unix socket, which every
 * network namespace has for itself.
 *
 * Used by service_anchor.c, as root. Who binds the name is active and listens; who finds it taken connects and waits
 * for the end of that connection, so nobody polls, and the active one knows whether somebody stands by. Nothing is
 * sent. A process of the application may take the name: one that is not root's is ignored, which costs the lock and
 * nothing else; root's in the same namespace could change the routes itself.
 */
#pragma once

#include "common/cleanup.h"

#include <stdbool.h>
#include <systemd/sd-event.h>

struct namespace_lock;

struct namespace_lock_callbacks {
    void (*on_acquired)(void *userdata); /* once; from namespace_lock_new() or from the event loop */
    void (*on_standby)(void *userdata);  /* somebody else is active; before each wait */
    void *userdata;
};

/* Tries to take the lock and goes on trying. Returns 0 or a negative errno. */
int namespace_lock_new(sd_event *event, const struct namespace_lock_callbacks *callbacks, struct namespace_lock **ret)
    __attribute__((warn_unused_result));

/* Gives the lock up. NULL is fine. Returns NULL. */
struct namespace_lock *namespace_lock_free(struct namespace_lock *lock);
DEFINE_POINTER_CLEANUP(struct namespace_lock, (void)namespace_lock_free, namespace_lock_freep);

bool namespace_lock_is_held(const struct namespace_lock *lock);

/* Whether another service-anchor waits for us to end; false unless the lock is held. */
bool namespace_lock_has_standby(const struct namespace_lock *lock);
