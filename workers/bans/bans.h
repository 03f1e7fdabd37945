/*
 * The state machine of anchord-bans: the list, its file, who bans, and netadmin, which has it put into the kernel.
 *
 * Used by main.c; runs in anchord-bans with a user of its own and no capability. Its ends are kept here and not in the
 * kernel's sets: overlaps are merged, and an interval that stands for two bans has no one end; a ban ends by the clock
 * on the wall, also over a reboot; and a kernel that forgets by itself tells nobody.
 */
#pragma once

#include "common/cleanup.h"

#include <systemd/sd-event.h>

struct bans;

/* Reads the file, joins the event loop and the supervisor. Returns 0 or a negative errno, logged. */
int bans_new(sd_event *event, struct bans **ret) __attribute__((warn_unused_result));
struct bans *bans_free(struct bans *bans);
DEFINE_POINTER_CLEANUP(struct bans, (void)bans_free, bans_freep);
