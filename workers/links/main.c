/*
 * anchord-links: the links of an identity, and the guard of its project (attach, host half; HOST-2, HOST-6 to 8).
 *
 * Started by the supervisor of the host half (daemon/role/attach_host.c) in the host's network namespace, with its own
 * user, ambient CAP_NET_ADMIN alone and one socket, descriptor 3. It reads nothing but our own fixed-size messages and
 * netlink; the identity is handed to it as descriptors: no file, no socket of its own behind the seal, no exec.
 */
#include "common/log.h"
#include "protocol/messages.h"
#include "protocol/supervised.h"
#include "workers/links/links.h"

#include <linux/capability.h>
#include <seccomp.h>

/* 3 standard streams, the supervisor, epoll, timers, our numbers, four netlink sockets, the watcher and the identity's
 * two with a successor each. */
#define OPEN_FILES_MAX 18

#define CAPABILITY_REMEDY "needs CAP_NET_ADMIN on the host"

/* What the identity's socket needs, which was handed over before it was bound; and a look at its namespace. */
static const int system_calls[] = {
    SCMP_SYS(bind),       SCMP_SYS(connect),    SCMP_SYS(fstat),      SCMP_SYS(getsockname),
    SCMP_SYS(getsockopt), SCMP_SYS(newfstatat), SCMP_SYS(setsockopt),
};

static const struct sandbox_profile profile = {
    .system_calls = system_calls,
    .system_call_count = ARRAY_LENGTH(system_calls),
    .open_files = OPEN_FILES_MAX,
};

static int run(sd_event *event)
{
    CLEANUP(links_freep) struct links *links = NULL;

    if (links_new(event, &links) < 0)
        return EXIT_STATUS_CRASH;
    return supervised_seal(&profile) < 0 ? EXIT_STATUS_SANDBOX : supervised_loop(event);
}

int main(void)
{
    return supervised_main("links", UINT64_C(1) << CAP_NET_ADMIN, CAPABILITY_REMEDY, run);
}
