/*
 * Who may do what: the supervisor's own capabilities, and the step down of a worker between fork and exec.
 *
 * Called by the supervisor only, as root. Every step that fails ends the process that it should have limited.
 *
 *   supervisor   permitted: NET_ADMIN (to hand on) SETUID SETGID SETPCAP (to start workers) KILL; with a DHCP client
 *                also NET_RAW NET_BIND_SERVICE (to hand on); in the host half of attach also SYS_ADMIN SYS_PTRACE
 *                effective: KILL alone, permanently, because the kernel delivers a worker's parent death signal with
 *                the rights of the parent that dies (kernel/signal.c: check_kill_permission); without it a worker of
 *                another user would outlive a killed supervisor. A service-anchor's makes NET_ADMIN effective for the
 *                moment of each request about its lock (lock_table.c), and of opening what it hands to way
 *                (netlink_socket.c), as attach's does for what it hands to its other half
 *   worker       own user and group, no capability, empty bounding set; netadmin and way CAP_NET_ADMIN, as ambient
 *   dhcpcd       the same with CAP_NET_RAW and CAP_NET_BIND_SERVICE; CHOWN, for its directories, goes before it starts
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define CAPABILITY_BIT(capability) (UINT64_C(1) << (capability))

/* What the role asks for besides the capabilities that every supervisor needs. */
struct supervisor_needs {
    bool net_admin;   /* NET_ADMIN, for netadmin or way; a rebinder has neither */
    bool namespaces;  /* SYS_ADMIN and SYS_PTRACE, for the worker of that name alone */
    bool dhcp_client; /* NET_RAW and NET_BIND_SERVICE for the client, CHOWN for its directories */
};

/* What anchord must have been given and does not hold, as a mask; all but NET_ADMIN are Docker's defaults (SPEC §11).
 */
uint64_t privileges_missing(struct supervisor_needs needs);

/*
 * Limits the supervisor, once, before it reads anything: capabilities and bounding set as above, root gains nothing
 * by exec (SECBIT_NOROOT), no_new_privs, undumpable, no core files, the system call filter. A DHCP client is a child
 * that keeps packet sockets and two capabilities.
 * Returns 0 or a negative errno with *ret_step naming the step.
 */
int privileges_restrict_supervisor(struct supervisor_needs needs, const char **ret_step)
    __attribute__((warn_unused_result));

/*
 * Makes CAP_NET_ADMIN effective in the supervisor, for one request to the kernel, or takes it back. Returns 0 or a
 * negative errno: -EPERM when it is not permitted.
 */
int privileges_use_net_admin(bool is_used) __attribute__((warn_unused_result));

#define WORKER_GROUPS_MAX 1

struct worker_privileges {
    uid_t user;
    gid_t group;
    gid_t supplementary_groups[WORKER_GROUPS_MAX]; /* the Docker socket's */
    size_t supplementary_group_count;
    uint64_t capabilities; /* mask; handed over as ambient */
    int death_signal;      /* which it gets when its parent dies */
};

/*
 * Turns the calling process, a fresh child of `parent`, into one with exactly `privileges`. It dies with its parent
 * from here on. Returns 0 or a negative errno with *ret_step naming the step: then the child must end.
 */
int privileges_become_worker(const struct worker_privileges *privileges, pid_t parent, const char **ret_step)
    __attribute__((warn_unused_result));
