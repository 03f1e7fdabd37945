/*
 * All chains of a network namespace, whoever made them, and which of them drop something: for `anchord doctor`.
 *
 * Used by main.c in anchord-ruleset, which may read nftables (CAP_NET_ADMIN) and never writes.
 */
#pragma once

#include <libmnl/libmnl.h>

/*
 * A line each on standard output, names in characters that need no quotes, `-` and 0 of a chain without a hook:
 *
 *     inet firewalld filter_PREROUTING prerouting 10 accept drops 1 fib 1
 *
 * `drops` counts the rules that drop or reject, `fib` those of them that ask where the source is routed. Returns 0 or a
 * negative errno, with nothing printed; -EINTR when somebody changed something meanwhile: ask again.
 */
int chain_list_print(struct mnl_socket *socket) __attribute__((warn_unused_result));
