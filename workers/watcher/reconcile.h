/*
 * From the containers to netadmin: computes the desired state and sends it when it differs (DESIGN §2).
 *
 * Owned by watcher.c; called after each change of the containers, of the topology or of the peer. Logs what people
 * must know: conflicts (NAT-6), containers without address, the limit, `reconciled`. Runs without any privilege.
 */
#pragma once

#include "workers/watcher/container_table.h"
#include "workers/watcher/exposures.h"
#include "workers/watcher/netadmin_peer.h"
#include "workers/watcher/scope_networks.h"

struct reconciler;

int reconciler_new(struct reconciler **ret) __attribute__((warn_unused_result));
struct reconciler *reconciler_free(struct reconciler *reconciler);
DEFINE_POINTER_CLEANUP(struct reconciler, (void)reconciler_free, reconciler_freep);

/* The shared network; needed before anything is computed. */
void reconciler_set_shared(struct reconciler *reconciler, const struct wire_network *shared, const char *network_id);

/* In its place, of an attached project: `networks` say where a container's ports lead to (HOST-4); they must outlive
 * the reconciler. */
void reconciler_set_attached(struct reconciler *reconciler, const struct scope_networks *networks);

/* The incumbents (NAT-6); only those that come before the first computation count. Returns 0 or -ENOMEM. */
int reconciler_set_incumbents(struct reconciler *reconciler, const struct wire_exposure *entries, size_t count)
    __attribute__((warn_unused_result));

/* The next state is sent even if it is the last one: a new peer, or a refused state. */
void reconciler_resend(struct reconciler *reconciler);

/*
 * Computes and sends. `event_time`: of the earliest event behind the change, 0 when a poll found it.
 * Returns 0, also when there was nothing to send, or a negative errno.
 */
int reconciler_run(struct reconciler *reconciler, struct container_table *table, struct netadmin_peer *peer,
                   uint64_t event_time) __attribute__((warn_unused_result));

/*
 * The same computation for people, without sending anything: *ret is valid until the next call that computes.
 * Returns 0; -EAGAIN before the first reconciler_run() that computed; -ENOMEM.
 */
int reconciler_compute(struct reconciler *reconciler, struct container_table *table, struct exposure_result *ret)
    __attribute__((warn_unused_result));

/* Gives back what only people want of the last computation. Its result is gone. */
void reconciler_forget_computed(struct reconciler *reconciler);

/* netadmin's answer to a state that was sent. */
void reconciler_on_applied(struct reconciler *reconciler, const struct message_applied *applied, uint64_t event_time);
