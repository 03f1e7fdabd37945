/* Fuzz target: what anchord-explain reads for `anchord explain --live`, rules and traces of the kernel's, with names
 * that others chose and the beginning of packets: a row of netlink messages. */
#include "tests/fuzz/target.h"
#include "workers/commands/explain/trace_decode.h"

#include <netinet/in.h> /* before linux/netfilter.h, which then leaves its types alone */

#include <linux/netfilter.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct trace_names names = {.family = NFPROTO_IPV4};
    void *copy = malloc(size > 0 ? size : 1); /* aligned as a receive buffer is, and no byte longer */
    struct nlmsghdr *message = copy;
    int rest = (int)size;

    if (!copy)
        abort();
    if (size > 0)
        memcpy(copy, data, size);
    for (; mnl_nlmsg_ok(message, rest); message = mnl_nlmsg_next(message, &rest)) {
        struct explain_trace trace;

        if (trace_names_take(&names, message) < 0)
            abort();
        if (trace_decode(&names, message, &trace) && !explain_trace_is_valid(&trace))
            abort();
    }
    if (names.packet_count > TRACE_PACKETS_MAX || names.count > TRACE_RULES_MAX)
        abort();
    trace_names_clear(&names);
    free(copy);
    return 0;
}
