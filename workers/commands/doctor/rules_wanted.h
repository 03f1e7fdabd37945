/*
 * Which rules anchord's tables are to have, made by netadmin's own builder out of what the anchor says, of the links
 * of its network namespace and of the sets that its tables have.
 *
 * Used by rules_compare.c behind the seal, in the anchor's network namespace; asks the kernel for links, changes
 * nothing.
 */
#pragma once

#include "workers/commands/doctor/scene.h"
#include "workers/commands/doctor/words.h"

/* What some words of a rule depend on that nobody tells exactly. */
struct rules_ground {
    const struct anchor *anchor;
    bool is_attached; /* what lies behind its links only its other half knows */
};

/* What there is to be. */
struct rules_wanted {
    struct words rules;
    struct words
        chains; /* "ip anchord_v4 forward: type filter hook forward priority filter; policy drop;", or no hook */
};

/*
 * "ip anchord_v4 forward: iifname … accept comment "…"", as rules_word() makes them, in the order in which they are to
 * stand. Returns false with *ret_why when they cannot be told.
 */
bool rules_want(const struct anchor *anchor, struct rules_ground *ret_ground, struct rules_wanted *ret,
                const char **ret_why);

/* The sets of lists and limits have no words in what anchord-ruleset prints. Whether `text` is such a line. */
bool rules_know_set(const char *text);

/*
 * How a rule stands in the lists that are compared: which address of the project's it is translated to is netadmin's
 * choice. NULL: it is not compared, since only the other half of attach knows how many there are of it.
 */
const char *rules_word(const struct rules_ground *ground, const char *table, const char *chain, const char *text);

/* The same of one that has no words, by all that rule_text_exact() says of it. */
const char *rules_exact_word(const char *table, const char *chain, const char *text);

/* The rule itself, for people. */
const char *rules_shown(const char *word);
