/*
 * The lock on a network namespace where the kernel knows no owned nftables tables: by the name of an abstract unix
 * socket, which every network namespace has for itself.
 *
 * Used by namespace_lock.c, as root. Who binds the name is active and listens; who finds it taken connects and waits
 * for the end of that connection, so nobody polls, and the active one knows whether somebody stands by. Nothing is
 * sent. A process of the application may take the name: one that is not root's is ignored, which costs the lock and
 * nothing else. Root's cannot be told from a service-anchor (WALL-8 does not hold).
 */
#pragma once

#include "common/cleanup.h"

#include <stdbool.h>
#include <systemd/sd-event.h>

struct abstract_lock;

/* Of either lock. */
struct lock_callbacks {
    void (*on_acquired)(void *userdata); /* once; from the lock's construction or from the event loop */
    void (*on_standby)(void *userdata);  /* somebody else is active; before each wait, at each look */
    void *userdata;
};

/* Tries to take the lock and goes on trying. Returns 0 or a negative errno. */
int abstract_lock_new(sd_event *event, const struct lock_callbacks *callbacks, struct abstract_lock **ret)
    __attribute__((warn_unused_result));

/* Gives the lock up. NULL is fine. Returns NULL. */
struct abstract_lock *abstract_lock_free(struct abstract_lock *lock);
DEFINE_POINTER_CLEANUP(struct abstract_lock, (void)abstract_lock_free, abstract_lock_freep);

bool abstract_lock_is_held(const struct abstract_lock *lock);

/* Whether another service-anchor waits for us to end; false unless the lock is held. */
bool abstract_lock_has_standby(const struct abstract_lock *lock);
