/*
 * The conversations of anchord-way: supervisor, resolver, control; and the namespaces that it serves.
 *
 * Called by main.c. Reads fixed-size messages and rtnetlink; there is no nftables here. The resolver parses what DNS
 * servers send, so it is trusted with nothing but a list of addresses: which of them may become the gateway is decided
 * here, by what is on link.
 */
#pragma once

#include "common/cleanup.h"

#include <systemd/sd-event.h>

struct way;

/* Joins `event`, with all that the sandbox will forbid to open. Returns 0, or a negative errno (logged). */
int way_new(sd_event *event, struct way **ret) __attribute__((warn_unused_result));
struct way *way_free(struct way *way);
DEFINE_POINTER_CLEANUP(struct way, (void)way_free, way_freep);
