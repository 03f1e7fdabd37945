/*
 * What to do when somebody else says that he has an address of ours (RFC 5227 §2.4), as pure functions of the time.
 *
 * Used by announcements.c and announcer.c. Anybody on the link can forge such frames, from any MAC and as many as
 * he likes: neither our defence nor the log may grow with them.
 */
#pragma once

#include "common/address.h"

#include <stdbool.h>

/* DEFEND_INTERVAL of RFC 5227 §1.1: two hosts that defend more often would fight for ever. */
#define DEFENCE_INTERVAL_SECONDS 10
/* Between two lines about one address, whoever claims it. */
#define CONFLICT_LOG_SECONDS 60
/* Holders that were named already and are not named again; a new one replaces the oldest. */
#define HOLDERS_REMEMBERED 4

struct conflict {
    struct mac_address holders[HOLDERS_REMEMBERED];
    unsigned int holder_count;
    unsigned int oldest;
    uint64_t defend_after; /* monotonic microseconds; 0: at once */
    uint64_t log_after;
    uint64_t unlogged; /* frames of holders that were not named, since the last line */
};

struct conflict_decision {
    bool must_defend;
    bool must_log;
    uint64_t unlogged; /* to be said with the line */
};

/*
 * Another sender's frame with MAC `holder` (zero: it does not say) at the time `now`. Returns what to do about it and
 * remembers that it is done.
 */
struct conflict_decision conflict_judge(struct conflict *conflict, const struct mac_address *holder, uint64_t now);
