/*
 * One rule of the kernel as `nft list` prints it.
 *
 * Used by table_text.c in anchord-ruleset and by the unit tests. It knows the expressions that our own rules consist
 * of, in the encodings of nft; a rule with anything else, somebody's edit, is said to be one and never shown in part.
 * Pure; no privilege.
 */
#pragma once

#include <libnftnl/rule.h>
#include <stddef.h>

#define RULE_TEXT_SIZE 1024

/*
 * Writes the rule without its line's end. Returns 0; or -ENOTSUP with `text` a comment that names the first
 * expression that is not understood.
 */
int rule_text_format(const struct nftnl_rule *rule, char text[RULE_TEXT_SIZE]);
