/*
 * anchord-explain: what the kernel of an anchor's network namespace has to say of one connection, for `anchord explain`
 * (SEE-3).
 *
 * Started by that command, as root, with an empty environment and its channel as standard input:
 *
 *     anchord-explain      in the namespace that it is started in
 *     anchord-explain 7    in the one that descriptor 7 is
 *
 * For a look it is nobody, with CAP_NET_ADMIN alone, which nftables and conntrack ask for at each request. For a trace
 * it joins the kernel's group of traces and makes the table that traces, and both need that capability; then it has
 * none either, and only then reads of rules and packets. It ends with the command, and the table with it.
 */
#include "common/sandbox.h"
#include "common/text.h"
#include "workers/commands/explain/look.h"
#include "workers/commands/explain/trace.h"
#include "workers/commands/explain/trace_table.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define OPEN_FILES_MAX 16

static const struct sandbox_profile profile = {.open_files = OPEN_FILES_MAX};

static int join(const char *word)
{
    uint64_t number;
    int result = text_to_number(word, strlen(word), INT32_MAX, &number);

    if (result < 0)
        return result;
    return setns((int)number, CLONE_NEWNET) < 0 || close((int)number) < 0 ? -errno : 0;
}

/* From the command, which is root. */
static bool is_valid(const struct explain_request *request)
{
    if (request->kind == 0 || request->kind >= EXPLAIN_KIND_MAX_ ||
        request->destination_count > EXPLAIN_DESTINATIONS_MAX)
        return false;
    for (size_t i = 0; i < request->destination_count; i++) {
        if (request->destinations[i].family != request->destinations[0].family ||
            ip_family_length(request->destinations[i].family) == 0)
            return false;
    }
    return request->kind == EXPLAIN_SWEEP ||
           (request->destination_count > 0 &&
            (request->source.family == IP_FAMILY_NONE || request->source.family == request->destinations[0].family) &&
            text_is_terminated(request->input, sizeof(request->input)) &&
            text_is_terminated(request->external, sizeof(request->external)));
}

static int open_filter(struct rtnetlink **ret)
{
    struct mnl_socket *opened = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);

    return opened ? rtnetlink_adopt(opened, ret) : -errno;
}

static int look(const struct explain_request *request)
{
    CLEANUP(rtnetlink_freep) struct rtnetlink *filter = NULL;
    CLEANUP(rtnetlink_freep) struct rtnetlink *routes = NULL;
    struct look looking = {.request = request, .names = if_nameindex()};
    struct explain_facts facts = {0};
    const char *step;

    looking.input = if_nametoindex(request->input);
    looking.external = if_nametoindex(request->external);
    facts.error = open_filter(&filter);
    if (facts.error == 0)
        facts.error = rtnetlink_new(&routes);
    looking.filter = filter;
    looking.routes = routes;
    if (facts.error == 0)
        facts.error = sandbox_become_nobody_with(UINT64_C(1) << CAP_NET_ADMIN, &step);
    if (facts.error == 0)
        facts.error = sandbox_seal(&profile, &step);
    if (facts.error == 0)
        look_at_kernel(&looking, &facts);
    if_freenameindex(looking.names);
    return send(STDIN_FILENO, &facts, sizeof(facts), MSG_NOSIGNAL) < 0 ? EXIT_STATUS_CRASH : EXIT_STATUS_CLEAN;
}

static int follow(const struct explain_request *request)
{
    CLEANUP(trace_end) struct trace trace = {0};
    struct explain_trace over = {.kind = EXPLAIN_TRACE_OVER};
    const char *step;

    over.error = trace_begin(&trace, request);
    if (over.error == 0)
        over.error = sandbox_become_nobody(&step);
    if (over.error == 0)
        over.error = sandbox_seal(&profile, &step);
    if (over.error == 0)
        trace_run(&trace, STDIN_FILENO);
    (void)send(STDIN_FILENO, &over, sizeof(over), MSG_NOSIGNAL);
    return EXIT_STATUS_CLEAN;
}

static int sweep(void)
{
    CLEANUP(rtnetlink_freep) struct rtnetlink *filter = NULL;

    return open_filter(&filter) < 0 || trace_table_sweep(filter) < 0 ? EXIT_STATUS_CONFIGURATION : EXIT_STATUS_CLEAN;
}

int main(int argc, char **argv)
{
    struct explain_request request;

    if ((argc > 1 && join(argv[1]) < 0) ||
        recv(STDIN_FILENO, &request, sizeof(request), MSG_TRUNC) != sizeof(request) || !is_valid(&request))
        return EXIT_STATUS_CONFIGURATION;
    if (request.kind == EXPLAIN_SWEEP)
        return sweep();
    return request.kind == EXPLAIN_TRACE ? follow(&request) : look(&request);
}
