/*
 * anchord-probe: tries connections in one network namespace, for the group `path` of anchord doctor (SEE-2).
 *
 * Started by that command, as root, with an empty environment and its channel as standard input:
 *
 *     anchord-probe here                              in the namespace that it is started in
 *     anchord-probe namespace 7                       in the one that descriptor 7 is
 *     anchord-probe lan eth0 192.0.2.9/24 router      as a throw-away host on the LAN of eth0
 *     anchord-probe walls                             tells of the firewall here, and ends
 *     anchord-probe walls 7                           of that one
 *
 * There it opens its two netlink sockets, becomes nobody, gives every capability up, and lets the kernel take its other
 * system calls away; only then it reads a request, and what comes from a network. It ends with the director.
 */
#include "common/cleanup.h"
#include "common/sandbox.h"
#include "common/text.h"
#include "workers/commands/probe/prober.h"
#include "workers/commands/probe/throwaway.h"
#include "workers/commands/probe/walls.h"

#include <linux/netlink.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define OPEN_FILES_MAX 512

static const int system_calls[] = {
    SCMP_SYS(accept4),    SCMP_SYS(bind),   SCMP_SYS(connect),    SCMP_SYS(getsockname),
    SCMP_SYS(getsockopt), SCMP_SYS(listen), SCMP_SYS(setsockopt),
};

static const int socket_families[] = {AF_INET, AF_INET6};

static const struct sandbox_profile profile = {
    .system_calls = system_calls,
    .system_call_count = ARRAY_LENGTH(system_calls),
    .socket_families = socket_families,
    .socket_family_count = ARRAY_LENGTH(socket_families),
    .open_files = OPEN_FILES_MAX,
    .may_connect_tcp = true,
    .may_bind_tcp = true,
};

static int fail(const char *what, int error)
{
    struct probe_result hello = {.outcome = PROBE_FAILED, .error = error};

    (void)send(STDIN_FILENO, &hello, sizeof(hello), MSG_NOSIGNAL);
    (void)fprintf(stderr, "anchord-probe: %s: %s\n", what, strerror(-error));
    return EXIT_STATUS_CONFIGURATION;
}

static int join(const char *word)
{
    uint64_t number;
    int result = text_to_number(word, strlen(word), INT32_MAX, &number);

    if (result < 0)
        return result;
    if (setns((int)number, CLONE_NEWNET) < 0)
        return -errno;
    return close((int)number) < 0 ? -errno : 0;
}

static int become_lan_host(char **words, struct ip_address *address6)
{
    struct throwaway throwaway = {.parent = words[0]};

    for (words++; *words; words++) {
        if (strcmp(*words, "router") == 0)
            throwaway.awaits_router = true;
        else if (throwaway.count == THROWAWAY_ADDRESSES_MAX ||
                 ip_subnet_parse(*words, &throwaway.addresses[throwaway.count++]) < 0)
            return -EINVAL;
    }
    return throwaway_make(&throwaway, address6);
}

static int take_place(int argc, char **argv, struct ip_address *address6)
{
    if (argc == 2 && strcmp(argv[1], "here") == 0)
        return 0;
    if (argc == 3 && strcmp(argv[1], "namespace") == 0)
        return join(argv[2]);
    if (argc >= 4 && strcmp(argv[1], "lan") == 0)
        return become_lan_host(argv + 2, address6);
    return -EINVAL;
}

static int open_netlink(struct prober *prober)
{
    struct mnl_socket *diagnosis = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);

    if (diagnosis && rtnetlink_adopt(diagnosis, &prober->diagnosis) < 0)
        prober->diagnosis = NULL;
    return rtnetlink_new(&prober->routes);
}

static int probe(int argc, char **argv)
{
    struct prober prober = {.channel = STDIN_FILENO};
    struct ip_address address6 = {0};
    struct probe_result hello = {.outcome = PROBE_ANSWERED};
    const char *step = "the place";
    int result = take_place(argc, argv, &address6);

    if (result == 0) {
        step = "netlink";
        result = open_netlink(&prober);
    }
    if (result == 0)
        result = sandbox_become_nobody(&step);
    if (result == 0)
        result = sandbox_seal(&profile, &step);
    if (result < 0)
        return fail(step, result);
    hello.address = wire_address_from(&address6);
    if (send(STDIN_FILENO, &hello, sizeof(hello), MSG_NOSIGNAL) < 0)
        return EXIT_STATUS_CLEAN; /* the director has gone */
    return prober_run(&prober) == 0 ? EXIT_STATUS_CLEAN : EXIT_STATUS_CRASH;
}

int main(int argc, char **argv)
{
    if (argc >= 2 && strcmp(argv[1], "walls") == 0)
        return (argc == 2 ? 0 : join(argv[2])) == 0 && walls_tell(STDIN_FILENO) == 0 ? EXIT_STATUS_CLEAN
                                                                                     : EXIT_STATUS_CONFIGURATION;
    return probe(argc, argv);
}
