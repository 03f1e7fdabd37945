/*
 * One active service-anchor per network namespace (SA-7).
 *
 * Used by service_anchor.c, as root. The lock is an nftables table that belongs to our socket (lock_table.h): it goes
 * with us, however we end, and only CAP_NET_ADMIN could make it, which the application in this namespace does not have
 * (WALL-8). Whoever stands by says so by a second table, so that the active one knows it when it stops, and looks twice
 * a second whether the first one is gone: the kernel tells nobody that a table's owner has died (measured). A kernel
 * below 5.12 has no such tables: then it is the name of an abstract socket (abstract_lock.h), and that is said.
 */
#pragma once

#include "daemon/lock/abstract_lock.h"

struct namespace_lock;

/* Tries to take the lock and goes on trying. Returns 0 or a negative errno. */
int namespace_lock_new(sd_event *event, const struct lock_callbacks *callbacks, struct namespace_lock **ret)
    __attribute__((warn_unused_result));

/* Gives the lock up. NULL is fine. Returns NULL. */
struct namespace_lock *namespace_lock_free(struct namespace_lock *lock);
DEFINE_POINTER_CLEANUP(struct namespace_lock, (void)namespace_lock_free, namespace_lock_freep);

bool namespace_lock_is_held(const struct namespace_lock *lock);

/* Whether another service-anchor waits for us to end; false unless the lock is held. */
bool namespace_lock_has_standby(const struct namespace_lock *lock);
