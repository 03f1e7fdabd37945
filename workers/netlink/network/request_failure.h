/*
 * What the kernel refused, said once: each place that can fail keeps what it said last.
 *
 * Used by anchord-netadmin and anchord-way; no privilege.
 */
#pragma once

#include "workers/netlink/rtnetlink.h"

#define REQUEST_FAILURE_SIZE 384

/*
 * A result < 0 of the last request is an error in the log, unless it is what `last`, which begins empty, holds from the
 * time before; >= 0 empties that. Returns `result`.
 */
int request_failure_report(char last[REQUEST_FAILURE_SIZE], struct rtnetlink *rtnetlink, int result);
