/*
 * anchord-ruleset: our nftables tables as they stand in the kernel, in nft's own syntax (SPEC §9).
 *
 * The command `anchord ruleset` becomes this program, as root with CAP_NET_ADMIN in the anchor's network namespace; so
 * does a child of anchord-doctor. It asks the kernel through one netlink socket, and before the first answer it is
 * nobody, with CAP_NET_ADMIN alone, which each request needs: what it reads are names and user data that whoever may
 * write tables there has chosen. It sends dump requests only, and believes nothing that another of our processes
 * thinks of the tables.
 * For anchord-doctor: with --hooks it prints everybody's chains in place of our tables (chain_list.h), with --exact all
 * of the rules that have no words of ours, too.
 */
#include "common/log.h"
#include "common/sandbox.h"
#include "workers/commands/ruleset/chain_list.h"
#include "workers/commands/ruleset/table_text.h"

#include <netinet/in.h> /* before linux/netfilter.h, which then leaves its types alone */

#include <linux/capability.h>
#include <linux/netfilter.h>
#include <linux/netlink.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>

#define OPEN_FILES_MAX 8
/* A dump that somebody's commit interrupts starts over, at most this often. */
#define ATTEMPTS_MAX 20

static const int system_calls[] = {SCMP_SYS(fstat), SCMP_SYS(newfstatat)};

static const struct sandbox_profile profile = {
    .system_calls = system_calls,
    .system_call_count = ARRAY_LENGTH(system_calls),
    .open_files = OPEN_FILES_MAX,
};

static void close_socket(struct mnl_socket **socket)
{
    if (*socket)
        (void)mnl_socket_close(*socket);
}

static int fail(const char *what, int error)
{
    (void)fprintf(stderr, "anchord ruleset: %s: %s%s\n", what, log_errno_text(error),
                  error == -EPERM ? "; run it as root inside the container, which needs cap_add: [NET_ADMIN]" : "");
    return EXIT_STATUS_CONFIGURATION;
}

/* Returns 1 when it was there, 0 when it was not, or a negative errno. */
static int show(struct mnl_socket *socket, struct table *table)
{
    int result = -EINTR;

    for (int attempt = 0; attempt < ATTEMPTS_MAX && result == -EINTR; attempt++) {
        table_clear(table);
        result = table_read(socket, table);
        if (result == -ENOENT) /* it went while we read */
            result = -EINTR;
    }
    if (result == 0) {
        table_text_print(table);
        result = table->exists;
    }
    table_clear(table);
    return result;
}

static int show_chains(struct mnl_socket *socket)
{
    int result = -EINTR;

    for (int attempt = 0; attempt < ATTEMPTS_MAX && result == -EINTR; attempt++)
        result = chain_list_print(socket);
    if (result < 0)
        return fail("cannot read the chains", result);
    return fflush(stdout) == 0 ? EXIT_STATUS_CLEAN : fail("cannot write", -errno);
}

int main(int argc, char **argv)
{
    struct table tables[] = {
        {.nfproto = NFPROTO_IPV4, .family = "ip", .name = "anchord_skeleton"},
        {.nfproto = NFPROTO_IPV6, .family = "ip6", .name = "anchord_skeleton"},
        {.nfproto = NFPROTO_IPV4, .family = "ip", .name = "anchord_v4"},
        {.nfproto = NFPROTO_IPV6, .family = "ip6", .name = "anchord_v6"},
    };
    CLEANUP(close_socket) struct mnl_socket *socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
    const char *step = NULL;
    bool is_any = false;
    int result;

    if (!socket || mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0)
        return fail("cannot ask the kernel", -errno);
    result = sandbox_become_nobody_with(UINT64_C(1) << CAP_NET_ADMIN, &step);
    if (result == 0)
        result = sandbox_seal(&profile, &step);
    if (result < 0)
        return fail(step, result);
    if (argc > 1 && strcmp(argv[1], "--hooks") == 0)
        return show_chains(socket);
    if (argc > 1 && strcmp(argv[1], "--exact") == 0)
        table_text_be_exact();
    for (size_t i = 0; i < ARRAY_LENGTH(tables); i++) {
        result = show(socket, &tables[i]);
        if (result < 0)
            return fail("cannot read the tables", result);
        is_any = is_any || result > 0;
    }
    if (!is_any) {
        (void)fputs(
            "anchord ruleset: no table of anchord is in this network namespace: no network-anchor runs here, or "
            "this is not its namespace (docker exec of its container is)\n",
            stderr);
        return EXIT_STATUS_NOTHING_RUNS;
    }
    return fflush(stdout) == 0 ? EXIT_STATUS_CLEAN : fail("cannot write", -errno);
}
