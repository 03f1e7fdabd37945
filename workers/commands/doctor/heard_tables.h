/*
 * What anchord-ruleset printed of anchord's tables, line by line: elements of sets and maps, rules, and what is none of
 * ours.
 *
 * Used by rule_checks.c behind the seal. Pure; names and comments in it may be anybody's who may write tables.
 */
#pragma once

#include "workers/commands/doctor/scene.h"

enum table_line_kind {
    TABLE_LINE_ELEMENT = 1,
    TABLE_LINE_RULE,     /* each of ours has a comment */
    TABLE_LINE_STRANGER, /* a comment of anchord-ruleset's: it has no words for it */
    TABLE_LINE_CHAIN,    /* one begins */
    TABLE_LINE_HOOK,     /* of a base chain: where it hangs, and what it does with what is left */
    TABLE_LINE_EXACT,    /* all of the stranger above, which is a rule */
    TABLE_LINE_SET,      /* one begins, or a map */
};

#define TABLE_TEXT_SIZE 1100 /* the longest of a rule, RULE_TEXT_SIZE, and what stands before it */

struct table_line {
    enum table_line_kind kind;
    char table[64];             /* "ip anchord_v4" */
    char object[64];            /* of the set, map or chain; empty: of none */
    char text[TABLE_TEXT_SIZE]; /* as nft writes it, without what is counted; cut */
};

struct table_walk {
    const struct said *rules;
    size_t place;
    bool is_in_chain;
    struct table_line line;
};

/* The next one, in walk->line; false: there is no more. */
bool heard_next_table_line(struct table_walk *walk);
