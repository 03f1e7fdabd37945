/*
 * anchord-namespaces: hands out the network namespaces of containers, as sockets (attach, host half; HOST-10).
 *
 * Started by the supervisor of the host half (daemon/role/attach_host.c), with its own user, ambient CAP_SYS_ADMIN,
 * CAP_SYS_PTRACE and CAP_NET_ADMIN and one socket, descriptor 3. That is equal to root on the host. So it reads
 * nothing but our own fixed-size messages and three files of a process each, and does one thing: no file is written, no
 * process is traced, its memory neither read nor written, nothing is mounted, nothing executed.
 */
#include "common/log.h"
#include "protocol/messages.h"
#include "protocol/supervised.h"
#include "workers/namespaces/namespaces.h"

#include <linux/capability.h>
#include <seccomp.h>
#include <sys/socket.h>

/* 3 standard streams, the supervisor, epoll, timers, our numbers, /proc, our namespace, watcher, way and a successor
 * each, a process and a file of it, two more of the search, a socket; one for each namespace. */
#define OPEN_FILES_MAX (24 + WAY_NAMESPACES_MAX)

/* One is missing, or the processes' network namespaces belong to another user namespace than ours. */
#define CAPABILITY_REMEDY "needs CAP_SYS_ADMIN, CAP_SYS_PTRACE and CAP_NET_ADMIN on the host"

static const int system_calls[] = {
    SCMP_SYS(fcntl), SCMP_SYS(fstat), SCMP_SYS(getdents64), SCMP_SYS(lseek), SCMP_SYS(newfstatat),
};
static const int socket_families[] = {AF_NETLINK};

static const struct sandbox_profile profile = {
    .system_calls = system_calls,
    .system_call_count = ARRAY_LENGTH(system_calls),
    .socket_families = socket_families,
    .socket_family_count = ARRAY_LENGTH(socket_families),
    .open_files = OPEN_FILES_MAX,
    .looks_into_processes = true,
};

static int run(sd_event *event)
{
    CLEANUP(namespaces_freep) struct namespaces *namespaces = NULL;

    if (namespaces_new(event, &namespaces) < 0)
        return EXIT_STATUS_CRASH;
    return supervised_seal(&profile) < 0 ? EXIT_STATUS_SANDBOX : supervised_loop(event);
}

int main(void)
{
    const uint64_t capabilities =
        UINT64_C(1) << CAP_SYS_ADMIN | UINT64_C(1) << CAP_SYS_PTRACE | UINT64_C(1) << CAP_NET_ADMIN;

    return supervised_main("namespaces", capabilities, CAPABILITY_REMEDY, run);
}
