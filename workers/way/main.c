/*
 * anchord-way: keeps the way to the anchor in the network namespace of a backend.
 *
 * Started by the supervisor (daemon/) with its own user, ambient CAP_NET_ADMIN alone and one socket, descriptor 3. It
 * reads nothing but our own fixed-size messages and rtnetlink, by sockets that it is handed: no file, no socket of its
 * own, no exec (DESIGN §1).
 */
#include "common/log.h"
#include "protocol/messages.h"
#include "protocol/supervised.h"
#include "workers/way/way.h"

#include <linux/capability.h>
#include <seccomp.h>

/* 3 standard streams, the supervisor, epoll, timers, resolver, namespaces and control with a successor each, three
 * for each namespace. */
#define OPEN_FILES_MAX (18 + 3 * WAY_NAMESPACES_MAX)

/* The capability is missing, or it belongs to another user namespace than the network namespace. */
#define CAPABILITY_REMEDY "needs CAP_NET_ADMIN in this network namespace; in Compose: cap_add: [NET_ADMIN]"

/* What a socket needs that was handed over before it was bound. */
static const int system_calls[] = {
    SCMP_SYS(bind), SCMP_SYS(connect), SCMP_SYS(getsockname), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt),
};

static const struct sandbox_profile profile = {
    .system_calls = system_calls,
    .system_call_count = ARRAY_LENGTH(system_calls),
    .open_files = OPEN_FILES_MAX,
};

static int run(sd_event *event)
{
    CLEANUP(way_freep) struct way *way = NULL;

    if (way_new(event, &way) < 0)
        return EXIT_STATUS_CRASH;
    return supervised_seal(&profile) < 0 ? EXIT_STATUS_SANDBOX : supervised_loop(event);
}

int main(void)
{
    return supervised_main("way", UINT64_C(1) << CAP_NET_ADMIN, CAPABILITY_REMEDY, run);
}
