/*
 * How a worker shuts itself in; see sandbox.h for the stages.
 * Runs in every worker with the worker's own rights; nothing here needs a privilege.
 */
#include "common/sandbox.h"

#include "common/cleanup.h"
#include "common/process_usage.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <malloc.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* Landlock ABI 4 (Linux 6.7) and 6 (6.12); bookworm's headers know ABI 1 only. include/uapi/linux/landlock.h
 */
#define LANDLOCK_NET_BIND_TCP_    (UINT64_C(1) << 0)
#define LANDLOCK_NET_CONNECT_TCP_ (UINT64_C(1) << 1)
#define LANDLOCK_SCOPE_SIGNAL_    (UINT64_C(1) << 1)
static const uint64_t landlock_reading = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
static const uint64_t landlock_writing =
    LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE;
/* All file system rights of ABI 1 … 5, by the number of bits that each ABI knows. */
static const unsigned int landlock_file_system_bits[] = {0, 13, 14, 15, 15, 16};

struct landlock_ruleset_attributes {
    uint64_t handled_access_fs;
    uint64_t handled_access_net;
    uint64_t scoped;
};

/* What glibc, malloc, sd-event and the log need in every process, at any time. */
static const int common_system_calls[] = {
    SCMP_SYS(brk),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(close),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_pwait2), /* sd_event_wait(3) of newer systemds: seen with 257 */
    SCMP_SYS(epoll_wait),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(futex),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(getrandom),
    SCMP_SYS(madvise),
    SCMP_SYS(mmap),
    SCMP_SYS(mprotect),
    SCMP_SYS(mremap),
    SCMP_SYS(munmap),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(pread64), /* common/process_usage.c */
    SCMP_SYS(read),
    SCMP_SYS(recvfrom),
    SCMP_SYS(recvmsg),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sendmsg),
    SCMP_SYS(sendto),
    SCMP_SYS(setitimer), /* protocol/upkeep.c */
    SCMP_SYS(sigaltstack),
    SCMP_SYS(sysinfo), /* qsort(3) of more than 1 KiB asks how much memory there is (glibc 2.36) */
    SCMP_SYS(timerfd_settime),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    SCMP_SYS(tgkill), /* abort(3) */
};

static int drop_inherited_capabilities(uint64_t capabilities)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct held[_LINUX_CAPABILITY_U32S_3] = {0};

    /* The capability came as ambient (daemon/supervise/privileges.c); nobody may inherit it from here. */
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0L, 0L, 0L) < 0)
        return -errno;
    if (syscall(SYS_capget, &header, held) < 0)
        return -errno;
    for (size_t i = 0; i < ARRAY_LENGTH(held); i++) {
        uint32_t wanted = (uint32_t)(capabilities >> (32 * i));

        if ((held[i].permitted & wanted) != wanted)
            return -EPERM;
        held[i] = (struct __user_cap_data_struct){.effective = wanted, .permitted = wanted};
    }
    if (syscall(SYS_capset, &header, held) < 0)
        return -errno;
    return 0;
}

static int check_bounding_set_is_empty(void)
{
    for (unsigned long capability = 0; capability < 64; capability++) {
        int held = prctl(PR_CAPBSET_READ, capability, 0L, 0L, 0L);

        if (held < 0)
            return errno == EINVAL ? 0 : -errno; /* past the last capability of this kernel */
        if (held > 0)
            return -EPERM;
    }
    return 0;
}

int sandbox_enter(uint64_t capabilities, const char **ret_step)
{
    int result;

    *ret_step = "PR_SET_PDEATHSIG";
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0L, 0L, 0L) < 0)
        return -errno;
    *ret_step = "PR_SET_NO_NEW_PRIVS";
    if (prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) < 0)
        return -errno;
    *ret_step = "PR_SET_DUMPABLE";
    if (prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L) < 0)
        return -errno;
    *ret_step = "bounding set";
    result = check_bounding_set_is_empty();
    if (result < 0)
        return result;
    *ret_step = SANDBOX_STEP_CAPABILITIES;
    return drop_inherited_capabilities(capabilities);
}

int sandbox_drop_privileges(const char **ret_step)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};

    *ret_step = "PR_SET_NO_NEW_PRIVS";
    if (prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) < 0)
        return -errno;
    *ret_step = "PR_SET_DUMPABLE";
    if (prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L) < 0)
        return -errno;
    *ret_step = SANDBOX_STEP_CAPABILITIES;
    if (syscall(SYS_capset, &header, none) < 0)
        return -errno;
    return 0;
}

/* Who is not root stays who he is. */
static int change_user_to_nobody(void)
{
    enum { NOBODY = 65534 };

    return geteuid() == 0 && (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
                              setresuid(NOBODY, NOBODY, NOBODY) < 0)
               ? -errno
               : 0;
}

int sandbox_become_nobody(const char **ret_step)
{
    int result = change_user_to_nobody();

    *ret_step = "user";
    if (result < 0)
        return result;
    *ret_step = "PR_SET_PDEATHSIG"; /* another user has lost it */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0L, 0L, 0L) < 0)
        return -errno;
    return sandbox_drop_privileges(ret_step);
}

int sandbox_become_nobody_with(uint64_t capabilities, const char **ret_step)
{
    int result;

    *ret_step = "PR_SET_KEEPCAPS"; /* another user would have none */
    if (prctl(PR_SET_KEEPCAPS, 1L, 0L, 0L, 0L) < 0)
        return -errno;
    *ret_step = "user";
    result = change_user_to_nobody();
    if (result < 0 && result != -EPERM && result != -EINVAL)
        return result;
    *ret_step = SANDBOX_STEP_CAPABILITIES;
    result = drop_inherited_capabilities(capabilities);
    if (result < 0)
        return result;
    *ret_step = "PR_SET_NO_NEW_PRIVS";
    if (prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) < 0)
        return -errno;
    *ret_step = "PR_SET_DUMPABLE";
    return prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L) < 0 ? -errno : 0;
}

void sandbox_keep_heap_small(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, 64 * 1024);
    (void)mallopt(M_TRIM_THRESHOLD, 32 * 1024);
    (void)mallopt(M_TOP_PAD, 4096);
    (void)malloc_trim(0);
}

int sandbox_block_stop_signals(void)
{
    sigset_t signals;

    if (sigemptyset(&signals) < 0 || sigaddset(&signals, SIGTERM) < 0 || sigaddset(&signals, SIGINT) < 0 ||
        sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
        return -errno;
    return 0;
}

static bool is_regular_file(int file)
{
    struct stat status;

    return fstat(file, &status) == 0 && S_ISREG(status.st_mode);
}

static int limit_resources(const struct sandbox_profile *profile)
{
    const struct {
        int resource;
        rlim_t limit;
    } limits[] = {
        {RLIMIT_NOFILE, profile->open_files},
        {RLIMIT_NPROC, 0},
        {RLIMIT_CORE, 0},
        {RLIMIT_FSIZE, profile->file_size},
    };
    /* What somebody sent into a file (`anchord > log`, `2> errors`) must go on growing: leave out the last one. */
    bool writes_to_file = is_regular_file(STDOUT_FILENO) || is_regular_file(STDERR_FILENO);

    for (size_t i = 0; i < ARRAY_LENGTH(limits) - (writes_to_file ? 1 : 0); i++) {
        if (setrlimit(limits[i].resource, &(struct rlimit){limits[i].limit, limits[i].limit}) < 0)
            return -errno;
    }
    return 0;
}

static int landlock_allow(int ruleset, const char *path, uint64_t access)
{
    struct landlock_path_beneath_attr beneath = {.allowed_access = access};
    CLEANUP_FD int directory = open(path, O_PATH | O_CLOEXEC);

    if (directory < 0)
        return errno == ENOENT ? 0 : -errno;
    beneath.parent_fd = directory;
    if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) < 0)
        return -errno;
    return 0;
}

/* Denies what the kernel's Landlock knows; a kernel without it, or with it switched off, is no error. */
static int restrict_by_landlock(const struct sandbox_profile *profile)
{
    struct landlock_ruleset_attributes attributes = {0};
    size_t size = sizeof(attributes.handled_access_fs);
    CLEANUP_FD int ruleset = -1;
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    size_t known = ARRAY_LENGTH(landlock_file_system_bits) - 1;

    if (abi <= 0 || profile->looks_into_processes)
        return 0;
    attributes.handled_access_fs =
        (UINT64_C(1) << landlock_file_system_bits[(size_t)abi < known ? (size_t)abi : known]) - 1;
    if (abi >= 4) {
        if (!profile->may_bind_tcp)
            attributes.handled_access_net |= LANDLOCK_NET_BIND_TCP_;
        if (!profile->may_connect_tcp)
            attributes.handled_access_net |= LANDLOCK_NET_CONNECT_TCP_;
        size = offsetof(struct landlock_ruleset_attributes, scoped);
    }
    if (abi >= 6) {
        attributes.scoped = LANDLOCK_SCOPE_SIGNAL_;
        size = sizeof(attributes);
    }
    ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes, size, 0);
    if (ruleset < 0)
        return -errno;
    for (const char *const *path = profile->readable_paths; path && *path; path++) {
        int result = landlock_allow(ruleset, *path, landlock_reading);

        if (result < 0)
            return result;
    }
    if (profile->file_size > 0) {
        int result = landlock_allow(ruleset, ".", landlock_reading | landlock_writing);

        if (result < 0)
            return result;
    }
    if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
        return -errno;
    return 0;
}

static void release_filter(scmp_filter_ctx *filter)
{
    if (*filter)
        seccomp_release(*filter);
}

static int add_rules(scmp_filter_ctx filter, const struct sandbox_profile *profile)
{
    int result = 0;

    for (size_t i = 0; i < ARRAY_LENGTH(common_system_calls) && result == 0; i++)
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, common_system_calls[i], 0);
    for (size_t i = 0; i < profile->system_call_count && result == 0; i++)
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, profile->system_calls[i], 0);
    for (size_t i = 0; i < profile->socket_family_count && result == 0; i++)
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
                                  SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)profile->socket_families[i], 0));
    if (result == 0 && profile->looks_into_processes)
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
                                  SCMP_A2(SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY));
    if (result == 0 && profile->is_refused_files)
        result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(openat), 0);
    if (result == 0 && profile->looks_into_processes)
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(setns), 1, SCMP_A1(SCMP_CMP_EQ, CLONE_NEWNET, 0));
    /* A SIGSTOP and a debugger's question about a missing terminal are no attacks. */
    if (result == 0)
        result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOTTY), SCMP_SYS(ioctl), 0);
    return result;
}

static int filter_system_calls(const struct sandbox_profile *profile)
{
    CLEANUP(release_filter) scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    int result;

    /* libseccomp does not say why: level 3 is a kernel that can kill a whole process (seccomp_api_get(3)). */
    if (!filter)
        return seccomp_api_get() < 3 ? -ENOSYS : -ENOMEM;
    result = add_rules(filter, profile);
    if (result < 0)
        return result;
    return seccomp_load(filter);
}

int sandbox_seal(const struct sandbox_profile *profile, const char **ret_step)
{
    int result;

    process_usage_prepare(); /* the last moment to open something */
    *ret_step = "resource limits";
    result = limit_resources(profile);
    if (result < 0)
        return result;
    *ret_step = "PR_SET_NO_NEW_PRIVS"; /* else Landlock and seccomp ask for CAP_SYS_ADMIN, which no container has */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) < 0)
        return -errno;
    *ret_step = "Landlock";
    result = restrict_by_landlock(profile);
    if (result < 0)
        return result;
    *ret_step = "seccomp";
    result = filter_system_calls(profile);
    (void)malloc_trim(0); /* what the filter was compiled with */
    return result;
}
