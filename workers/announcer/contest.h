/*
 * Whether somebody else has an address of ours, too, from the first word of it to the end (ADDR-13), as pure functions
 * of the time.
 *
 * Used by announcements.c and announcer.c. Who has an address need not say so again, and nobody says that he has given
 * it up: he is asked, and when he has answered nothing for a while it is over. A host that took our defence to heart,
 * and a forged frame, are over by that, too. One holder at a time: what others claim meanwhile neither names them nor
 * prolongs it, so that a flood of forged frames costs netadmin two messages in ten seconds.
 */
#pragma once

#include "common/address.h"

#include <stdbool.h>

#define CONTEST_QUESTION_SECONDS 2
/* Five questions without an answer; as long as a defence counts (RFC 5227 §1.1). */
#define CONTEST_SILENCE_SECONDS 10

#define CONTEST_NEVER UINT64_MAX

/* Zero: nobody. */
struct contest {
    struct mac_address holder;
    uint64_t ask_at; /* monotonic microseconds */
    uint64_t ends;
};

enum contest_turn {
    CONTEST_REST,
    CONTEST_ASK,  /* send the question */
    CONTEST_OVER, /* nobody has it any more */
};

/* `holder`, not zero, said at `now` that he has it. Returns whether that is news. */
bool contest_hear(struct contest *contest, const struct mac_address *holder, uint64_t now);

/* What is due at `now`; remembers that it is done. */
enum contest_turn contest_take_turn(struct contest *contest, uint64_t now);

/* When something is due next, or CONTEST_NEVER. */
uint64_t contest_next(const struct contest *contest);
