/*
 * Who may do what: the supervisor's own capabilities, and the step down of a worker between fork and exec.
 *
 * Called by the supervisor only, as root. Every step that fails ends the process that it should have limited.
 *
 *   supervisor   permitted: NET_ADMIN (to hand on) SETUID SETGID SETPCAP (to start workers) KILL
 *                effective: KILL alone, permanently, because the kernel delivers a worker's parent death signal with
 *                the rights of the parent that dies (kernel/signal.c: check_kill_permission); without it a worker of
 *                another user would outlive a killed supervisor
 *   worker       own user and group, no capability, empty bounding set; netadmin CAP_NET_ADMIN, as ambient
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#define CAPABILITY_BIT(capability) (UINT64_C(1) << (capability))

/* What the supervisor needs in this build; all but NET_ADMIN are Docker's defaults (SPEC §11). */
uint64_t privileges_required(void);

/* Those of privileges_required() that this process does not hold, as a mask. */
uint64_t privileges_missing(void);

/*
 * Limits the supervisor, once, before it reads anything: capabilities and bounding set as above, root gains nothing
 * by exec (SECBIT_NOROOT), no_new_privs, undumpable, no core files, the system call filter.
 * Returns 0 or a negative errno with *ret_step naming the step.
 */
int privileges_restrict_supervisor(const char **ret_step) __attribute__((warn_unused_result));

#define WORKER_GROUPS_MAX 1

struct worker_privileges {
    uid_t user;
    gid_t group;
    gid_t supplementary_groups[WORKER_GROUPS_MAX]; /* the Docker socket's */
    size_t supplementary_group_count;
    uint64_t capabilities; /* mask; handed over as ambient */
};

/*
 * Turns the calling process, a fresh child of `parent`, into one with exactly `privileges`. It dies with its parent
 * from here on. Returns 0 or a negative errno with *ret_step naming the step: then the child must end.
 */
int privileges_become_worker(const struct worker_privileges *privileges, pid_t parent, const char **ret_step)
    __attribute__((warn_unused_result));
