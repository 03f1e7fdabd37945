/*
 * anchord-netadmin: the only process of a network-anchor that may change the network.
 *
 * Started by the supervisor (daemon/) with its own user, ambient CAP_NET_ADMIN alone and one socket, descriptor
 * 3. It reads nothing but our own fixed-size messages and netlink: no file, no inet socket, no exec (DESIGN §1).
 */
#include "common/log.h"
#include "protocol/problems.h"
#include "protocol/supervised.h"
#include "workers/netadmin/closing.h"
#include "workers/netadmin/netadmin.h"

#include <linux/capability.h>

/* 3 standard streams, the supervisor, epoll, timers, six netlink sockets, the watcher's channel and, for a
 * moment, its successor. */
#define OPEN_FILES_MAX 24

/* The capability is missing, or it belongs to another user namespace than the network namespace. */
#define CAPABILITY_REMEDY "needs CAP_NET_ADMIN in this network namespace; in Compose: cap_add: [NET_ADMIN]"

#define LAYOUT_REMEDY                                                                                             \
    "recreate this container, or in its network namespace: nft delete table ip anchord_v4; nft delete table ip6 " \
    "anchord_v6"

/* Nothing besides what every process needs (common/sandbox.c). */
static const struct sandbox_profile profile = {.open_files = OPEN_FILES_MAX};

/* Without v4 there is no product; a kernel without v6 support costs v6 alone (ADDR-4). */
static int check_kernel(struct ruleset *ruleset)
{
    struct nft_failure failure = {0};
    int result = ruleset_check_kernel(ruleset, FAMILY_INDEX_4, &failure);

    if (result < 0) {
        log_error("the kernel lacks nftables support that IPv4 NAT needs", LOG_PROBLEM(PROBLEM_KERNEL_TOO_OLD),
                  LOG_TEXT("operation", failure.operation), LOG_ERROR(result));
        return result;
    }
    result = ruleset_check_kernel(ruleset, FAMILY_INDEX_6, &failure);
    if (result < 0)
        log_error("the kernel lacks nftables support that IPv6 NAT needs, going on with IPv4 alone",
                  LOG_PROBLEM(PROBLEM_KERNEL_TOO_OLD), LOG_TEXT("operation", failure.operation), LOG_ERROR(result));
    if (ruleset_lacks(ruleset, GUEST_PORTS))
        log_error("the kernel has no lists of sources (Linux 5.6 has): a port with a list is not exposed",
                  LOG_PROBLEM(PROBLEM_NO_LISTS));
    if (ruleset_lacks(ruleset, GUEST_LIMIT))
        log_error("the kernel has no limits per source: a port with a limit is not exposed",
                  LOG_PROBLEM(PROBLEM_NO_LISTS));
    if (ruleset_lacks_counting(ruleset))
        log_warn("the kernel does not count by port (Linux 5.7 does): what goes through exposed ports is not known");
    return 0;
}

static int run(sd_event *event)
{
    CLEANUP(ruleset_freep) struct ruleset *ruleset = NULL;
    CLEANUP(netadmin_freep) struct netadmin *netadmin = NULL;
    struct nft_failure failure = {0};
    int result = ruleset_new(&ruleset, &failure);

    if (result == -EPERM) {
        log_error(CAPABILITY_REMEDY, LOG_PROBLEM(PROBLEM_CAPABILITY_MISSING), LOG_TEXT("operation", failure.operation),
                  LOG_ERROR(result));
        return EXIT_STATUS_CONFIGURATION;
    }
    if (result == -EPROTONOSUPPORT) {
        log_error("the tables are a newer anchord's, nothing was changed; start that one again, or remove them",
                  LOG_PROBLEM(PROBLEM_RULES_NOT_LOADED), LOG_TEXT("operation", failure.operation),
                  LOG_TEXT("remedy", LAYOUT_REMEDY));
        return EXIT_STATUS_CONFIGURATION;
    }
    if (result < 0) {
        log_error("cannot read the ruleset", LOG_TEXT("operation", failure.operation), LOG_ERROR(result));
        return EXIT_STATUS_CRASH;
    }
    closing_begin(ruleset);
    if (check_kernel(ruleset) < 0) {
        if (ruleset_remove(ruleset, false, &failure) < 0) /* nothing half-installed */
            log_debug("what closed the namespace stays", LOG_TEXT("operation", failure.operation));
        return EXIT_STATUS_CONFIGURATION;
    }
    if (netadmin_new(event, TAKE_POINTER(ruleset), &netadmin) < 0)
        return EXIT_STATUS_CRASH;
    return supervised_seal(&profile) < 0 ? EXIT_STATUS_SANDBOX : supervised_loop(event);
}

int main(void)
{
    return supervised_main("netadmin", UINT64_C(1) << CAP_NET_ADMIN, CAPABILITY_REMEDY, run);
}
