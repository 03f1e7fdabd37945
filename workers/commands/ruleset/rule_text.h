/*
 * One rule of the kernel as `nft list` prints it.
 *
 * Used by table_text.c in anchord-ruleset, by rules_wanted.c in anchord-doctor and by the unit tests. It knows the
 * expressions that most of our own rules consist of, in the encodings of nft; a rule with anything else, mostly
 * somebody's edit, is said to be one and never shown in part. Pure; no privilege.
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

/*
 * Writes all of any rule in libnftnl's words, which no person reads, so that two of them can be compared: what the
 * kernel only writes otherwise than netadmin (rule_exact.c) is the same in both. A rule that is longer than any of ours
 * is not told from another such.
 */
void rule_text_exact(const struct nftnl_rule *rule, char text[RULE_TEXT_SIZE]);
