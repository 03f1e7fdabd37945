/*
 * The system calls that nothing in this tree of processes ever needs, refused from the supervisor downwards.
 *
 * A seccomp filter is inherited by fork and exec, so this one holds for every worker too, under the worker's own
 * allowlist (common/sandbox.c). It is therefore a list of what is refused (EPERM), not of what is allowed: an
 * allowlist here would have to be the union of all programs'.
 */
#pragma once

#include <stdbool.h>

/* Needs no_new_privs. `may_use_packets`: a DHCP client is below, which needs AF_PACKET. `may_enter_networks`:
 * anchord-namespaces is, which needs setns(2) for network namespaces. Returns 0 or a negative errno.
 */
int system_call_filter_load(bool may_use_packets, bool may_enter_networks) __attribute__((warn_unused_result));
