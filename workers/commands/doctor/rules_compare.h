/*
 * Whether anchord's tables hold the rules that they are to have, each of them and no other (SEE-2). Used by
 * rule_checks.c behind the seal, in the anchor's network namespace.
 */
#pragma once

#include "workers/commands/doctor/check.h"

/* What was compared. */
struct rules_compared {
    size_t differences; /* that were said */
    size_t rules;       /* compared one by one; 0: none */
    const char *why;    /* they were not; NULL: they were */
};

struct rules_compared rules_compare(struct check_run *run);
