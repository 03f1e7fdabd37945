/*
 * How a worker shuts itself in, in named stages that fail closed.
 *
 * Called by every worker's main(), in this order; the supervisor has dropped user, groups and
 * capabilities between fork and exec (daemon/supervise/privileges.c), so nothing here needs a privilege.
 *
 *   sandbox_enter()     first statement. Should: die with the parent, be undumpable, gain nothing by exec,
 *                       hold exactly the capabilities that its trust level has.
 *                       Mustn't: have read a byte from anybody yet.
 *   (open what must be opened before the filter: sockets, event loop)
 *   sandbox_seal()      before the first foreign byte. Should: only the system calls of the profile are
 *                       left, resource limits hold, Landlock denies the file system and what else it knows.
 *
 * A stage that fails returns a negative errno and the name of the step; the worker must end.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

/* Exit statuses of all our processes; 75 is EX_TEMPFAIL of sysexits.h (SPEC SA-6). */
enum exit_status {
    EXIT_STATUS_CLEAN = 0,
    EXIT_STATUS_CONFIGURATION = 1, /* configuration or permission: do not retry */
    EXIT_STATUS_CRASH = 2,         /* internal error: retry */
    EXIT_STATUS_SANDBOX = 3,       /* a privilege could not be dropped: do not retry */
    EXIT_STATUS_NOTHING_RUNS = 3,  /* of a command: no anchord is here */
    EXIT_STATUS_NAMESPACE_LOST = 75,
};

/*
 * capabilities: the mask (1 << CAP_…) that must be left as permitted and effective; inheritable, ambient and
 * bounding must be, or become, empty. Returns 0 or a negative errno with *ret_step naming what failed.
 */
#define SANDBOX_STEP_CAPABILITIES "capabilities" /* -EPERM here: a wanted capability is missing */
int sandbox_enter(uint64_t capabilities, const char **ret_step) __attribute__((warn_unused_result));

/*
 * In place of sandbox_enter() in a program that an operator typed, also as root: nothing after it may use, or get back,
 * a right that the file descriptors do not give. Returns as sandbox_enter().
 */
int sandbox_drop_privileges(const char **ret_step) __attribute__((warn_unused_result));

/*
 * The same, and no longer root: nobody, who owns no file, no socket and no process of anybody's. Who is not root stays
 * who he is. Dies with its parent.
 */
int sandbox_become_nobody(const char **ret_step) __attribute__((warn_unused_result));

/*
 * The same for what needs these capabilities (1 << CAP_…) as long as it runs: nobody, with them alone. Who may not
 * change his user, as in a user namespace without anybody else, stays who he is. It outlives its parent: that of
 * `docker exec` ends at once. Returns as sandbox_enter().
 */
int sandbox_become_nobody_with(uint64_t capabilities, const char **ret_step) __attribute__((warn_unused_result));

/*
 * Blocks SIGTERM and SIGINT: the supervisor stops its workers by a message, and a signal to the whole process group
 * must not beat it (NAT-14). Returns 0 or a negative errno.
 */
int sandbox_block_stop_signals(void) __attribute__((warn_unused_result));

/*
 * What a burst needed goes back to the kernel after it. By default glibc keeps 128 kB, and from the first large block
 * that is freed on ever more (mallopt(3)): half a megabyte in a watcher of 1,000 containers. What the constructors of
 * libraries left of their 132 kB goes back at once: calloc(3) clears what it takes of that, and so makes all of it
 * resident, but nothing of what is fresh. First thing in main().
 */
void sandbox_keep_heap_small(void);

struct sandbox_profile {
    /* System calls of this role by number (SCMP_SYS), besides the few that every process needs. */
    const int *system_calls;
    size_t system_call_count;
    /* Address families for socket(2), AF_…; an empty list means that socket(2) is denied altogether. */
    const int *socket_families;
    size_t socket_family_count;
    /* RLIMIT_NOFILE; RLIMIT_NPROC and RLIMIT_CORE become 0. */
    rlim_t open_files;
    /* RLIMIT_FSIZE. More than 0: it may read, make, rename and remove files in the directory where it runs. */
    rlim_t file_size;
    /* Leave connect(2) of TCP sockets out of Landlock's denials (the watcher with a TCP Docker). */
    bool may_connect_tcp;
    /* And bind(2) of them: a source address, or a port that is listened on. */
    bool may_bind_tcp;
    /* Directory hierarchies that may still be read; NULL-terminated or NULL. */
    const char *const *readable_paths;
    /*
     * Read-only openat(2), and setns(2) into network namespaces. Then without Landlock, whatever it would deny: the
     * kernel lets nobody in a domain of Landlock's look into a process outside of it, which reading /proc/PID/ns is
     * (security/landlock/task.c, hook_ptrace_access_check).
     */
    bool looks_into_processes;
    /*
     * Where openat(2) is refused by EACCES instead of ending the process: sd-bus 257 asks for the groups of whoever
     * connects, and sysconf(3) looks into /proc how many there may be. It takes the limit that it knows then.
     */
    bool is_refused_files;
};

/* A violation kills the process (SIGSYS). Landlock is used when the kernel has it, at its best ABI. */
int sandbox_seal(const struct sandbox_profile *profile, const char **ret_step) __attribute__((warn_unused_result));
