/*
 * A table as `nft list table` prints it, on standard output. Used by main.c in anchord-ruleset; no privilege.
 */
#pragma once

#include "workers/commands/ruleset/table.h"

/* Nothing for a table that does not exist. What is not understood is said in a comment, never left out in silence. */
void table_text_print(const struct table *table);

/* From now on a comment `#=` with rule_text_exact() stands below each rule that has no words. */
void table_text_be_exact(void);
