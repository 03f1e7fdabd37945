/* What is refused from the supervisor downwards; see system_call_filter.h. Loaded by the supervisor, as root. */
#include "daemon/supervise/system_call_filter.h"

#include "common/cleanup.h"

#include <sched.h>
#include <seccomp.h>
#include <sys/socket.h>

static const int refused_system_calls[] = {
    /* other processes' memory and secrets */
    SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(kcmp),
    SCMP_SYS(pidfd_getfd),
    SCMP_SYS(add_key),
    SCMP_SYS(request_key),
    SCMP_SYS(keyctl),
    /* namespaces and mounts: ours are given, for good */
    SCMP_SYS(unshare),
    SCMP_SYS(mount),
    SCMP_SYS(umount2),
    SCMP_SYS(pivot_root),
    SCMP_SYS(chroot),
    SCMP_SYS(open_tree),
    SCMP_SYS(move_mount),
    SCMP_SYS(fsopen),
    SCMP_SYS(fsconfig),
    SCMP_SYS(fsmount),
    SCMP_SYS(fspick),
    SCMP_SYS(mount_setattr),
    SCMP_SYS(name_to_handle_at),
    SCMP_SYS(open_by_handle_at),
    /* the kernel itself */
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(delete_module),
    SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load),
    SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(io_uring_setup),
    SCMP_SYS(io_uring_enter),
    SCMP_SYS(io_uring_register),
    SCMP_SYS(fanotify_init),
    SCMP_SYS(syslog),
    SCMP_SYS(reboot),
    SCMP_SYS(swapon),
    SCMP_SYS(swapoff),
    SCMP_SYS(acct),
    SCMP_SYS(quotactl),
    SCMP_SYS(personality),
    /* the machine's clock and name */
    SCMP_SYS(settimeofday),
    SCMP_SYS(clock_settime),
    SCMP_SYS(clock_adjtime),
    SCMP_SYS(adjtimex),
    SCMP_SYS(sethostname),
    SCMP_SYS(setdomainname),
};

static const scmp_datum_t namespace_flags[] = {
    CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWNET, CLONE_NEWPID, CLONE_NEWIPC, CLONE_NEWUTS, CLONE_NEWCGROUP,
};

static void release_filter(scmp_filter_ctx *filter)
{
    if (*filter)
        seccomp_release(*filter);
}

/* clone3's flags lie in memory where no filter can look: glibc takes clone when it is told that there is none. */
static int refuse_new_namespaces(scmp_filter_ctx filter)
{
    int result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);

    for (size_t i = 0; i < ARRAY_LENGTH(namespace_flags) && result == 0; i++)
        result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                                  SCMP_A0(SCMP_CMP_MASKED_EQ, namespace_flags[i], namespace_flags[i]));
    return result;
}

/* Left over: AF_UNIX 1, AF_INET 2, AF_INET6 10, AF_NETLINK 16, for dhcpcd AF_PACKET 17 (include/linux/socket.h). */
static int refuse_other_sockets(scmp_filter_ctx filter, bool may_use_packets)
{
    int result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
                                  SCMP_A0(SCMP_CMP_GT, may_use_packets ? AF_PACKET : AF_NETLINK, 0));

    for (scmp_datum_t family = AF_UNSPEC; family < AF_NETLINK && result == 0; family++) {
        if (family != AF_UNIX && family != AF_INET && family != AF_INET6)
            result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
                                      SCMP_A0(SCMP_CMP_EQ, family, 0));
    }
    return result;
}

/* Of all kinds of namespaces those of the network alone, and only in the host half of attach. */
static int refuse_entering(scmp_filter_ctx filter, bool may_enter_networks)
{
    if (may_enter_networks)
        return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(setns), 1,
                                SCMP_A1(SCMP_CMP_NE, CLONE_NEWNET, 0));
    return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(setns), 0);
}

int system_call_filter_load(bool may_use_packets, bool may_enter_networks)
{
    CLEANUP(release_filter) scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    int result = 0;

    if (!filter)
        return -ENOMEM;
    for (size_t i = 0; i < ARRAY_LENGTH(refused_system_calls) && result == 0; i++)
        result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), refused_system_calls[i], 0);
    if (result == 0)
        result = refuse_entering(filter, may_enter_networks);
    if (result == 0)
        result = refuse_new_namespaces(filter);
    if (result == 0)
        result = refuse_other_sockets(filter, may_use_packets);
    if (result < 0)
        return result;
    return seccomp_load(filter);
}
