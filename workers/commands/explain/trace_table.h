/*
 * The table `anchord_trace`, which lets the kernel tell of each packet of one connection which rules apply to it
 * (nft(8), meta nftrace). It belongs to the socket by which it was made (flag `owner`, Linux 5.12): it goes with that,
 * however its process ends. A kernel before that keeps it until it is swept.
 *
 * Called by main.c in anchord-explain, with CAP_NET_ADMIN, before anything is read.
 */
#pragma once

#include "protocol/explain_records.h"
#include "workers/netlink/rtnetlink.h"

/* Returns 0; 1: made, and it has to be swept; or a negative errno: -EEXIST, somebody else traces here. */
int trace_table_make(struct rtnetlink *filter, const struct explain_request *request)
    __attribute__((warn_unused_result));

/* Of both families, as far as they are there and nobody owns them. Returns 0 or a negative errno. */
int trace_table_sweep(struct rtnetlink *filter) __attribute__((warn_unused_result));
