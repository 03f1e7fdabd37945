/*
 * Who may come in, from labels to the desired state: of each container's lists and limits what concerns the ports that
 * it has (GUEST-1, GUEST-3).
 *
 * Called by reconcile.c after each computation. Pure; no privilege.
 */
#pragma once

#include "protocol/guest_list.h"
#include "workers/watcher/exposures.h"

/*
 * Appends them to *ret, which is clear, sorted. *ret_over becomes the serial of the first container whose lists do not
 * fit any more beside those of older ones, 0 without one: *ret is nothing then. Returns 0, or -ENOMEM with *ret clear.
 */
int guests_collect(const struct exposure_result *computed, struct guest_list *ret, uint32_t *ret_over)
    __attribute__((warn_unused_result));

/* The first list or limit for a port that none of these ranges has: it closes nothing. NULL: there is none. */
const struct wire_guest *guests_find_idle(const struct guest_list *guests, const struct expose_range *ranges,
                                          size_t range_count);

/* As wide as a table of status is. */
#define GUESTS_TEXT_SIZE 190

/* What people read of the ports first … last: "from 192.0.2.0/24, 10/minute per source, burst 5"; cut to fit, empty
 * without a list and a limit. */
void guests_describe(const struct guest_list *guests, uint8_t protocol, uint16_t port_first, uint16_t port_last,
                     char text[GUESTS_TEXT_SIZE]);
