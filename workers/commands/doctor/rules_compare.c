/* Compares rules; see rules_compare.h. What it reads are others' words. */
#include "workers/commands/doctor/rules_compare.h"

#include "common/cleanup.h"
#include "workers/commands/doctor/heard_tables.h"
#include "workers/commands/doctor/rules_wanted.h"
#include "workers/commands/doctor/words.h"

#include <string.h>

/* More are the work of one hand. */
#define DIFFERENCES_MAX 16

/* What the kernel held at one look. */
struct look {
    struct words rules, sorted, chains;
};

struct comparison {
    struct check_run *run;
    struct rules_ground ground;
    struct rules_wanted wanted; /* empty: nobody can tell */
    struct words wanted_sorted;
    struct look first, second; /* a moment later */
    struct rules_compared result;
};

static void comparison_release(struct comparison *comparison)
{
    struct words *all[] = {
        &comparison->wanted.rules, &comparison->wanted.chains, &comparison->wanted_sorted,
        &comparison->first.rules,  &comparison->first.sorted,  &comparison->first.chains,
        &comparison->second.rules, &comparison->second.sorted, &comparison->second.chains,
    };

    for (size_t i = 0; i < ARRAY_LENGTH(all); i++)
        words_release(all[i]);
}

static void tell(struct comparison *comparison, const char *sentence)
{
    if (++comparison->result.differences <= DIFFERENCES_MAX)
        check_found(comparison->run, PROBLEM_TABLES_EDITED, &(struct finding_texts){.sentence = sentence});
}

/* The walk's line and, of a rule without words, the next one. */
static const char *take_rule(const struct comparison *comparison, struct table_walk *walk, bool *ret_is_stranger)
{
    char table[sizeof(walk->line.table)], chain[sizeof(walk->line.object)];
    struct table_walk next = *walk;

    memcpy(table, walk->line.table, sizeof(table));
    memcpy(chain, walk->line.object, sizeof(chain));
    *ret_is_stranger = walk->line.kind == TABLE_LINE_STRANGER;
    if (*ret_is_stranger) {
        if (!heard_next_table_line(&next) || next.line.kind != TABLE_LINE_EXACT)
            return NULL; /* a set, say: no rule */
        *walk = next;
        return rules_exact_word(table, chain, walk->line.text);
    }
    return rules_word(&comparison->ground, table, chain, walk->line.text);
}

static bool is_rule(const struct table_line *line)
{
    return line->kind == TABLE_LINE_RULE || line->kind == TABLE_LINE_STRANGER;
}

static bool is_skeleton(const struct table_line *line)
{
    return strstr(line->table, "skeleton");
}

/* Rules of the two tables, in their order. */
static bool read_rules(const struct comparison *comparison, const struct said *said, struct words *ret)
{
    struct table_walk walk = {.rules = said};

    while (heard_next_table_line(&walk)) {
        bool is_stranger;
        const char *word;

        if (!is_rule(&walk.line) || is_skeleton(&walk.line))
            continue;
        word = take_rule(comparison, &walk, &is_stranger);
        if (word && !words_add(ret, word))
            return false;
    }
    return true;
}

static bool read_chains(const struct said *said, struct words *ret)
{
    struct table_walk walk = {.rules = said};

    while (heard_next_table_line(&walk)) {
        const struct table_line *line = &walk.line;

        if (line->kind == TABLE_LINE_CHAIN && !is_skeleton(line) &&
            !words_add(ret, check_text("%s %s: ", line->table, line->object)))
            return false;
        if (line->kind == TABLE_LINE_HOOK && !is_skeleton(line) && ret->count > 0)
            ret->items[ret->count - 1] = check_text("%s%s", ret->items[ret->count - 1], line->text);
    }
    return true;
}

static bool read_look(const struct comparison *comparison, const struct said *said, struct look *ret)
{
    bool is_read = read_rules(comparison, said, &ret->rules) && words_copy(&ret->rules, &ret->sorted) &&
                   read_chains(said, &ret->chains);

    words_sort(&ret->sorted);
    return is_read;
}

/* --- one by one --------------------------------------------------------------------------------------------- */

/* Whether `list`, which is sorted, has it more often than `other`. */
static bool has_more(const struct words *list, const struct words *other, const char *word)
{
    return words_count(list, word) > words_count(other, word);
}

/* Of its chain no rule is left: that is said once. */
static bool is_in_empty_chain(const struct comparison *comparison, const char *word)
{
    size_t length = (size_t)(strchr(word, ':') - word) + 1;

    for (size_t i = 0; i < comparison->first.rules.count; i++) {
        if (strncmp(comparison->first.rules.items[i], word, length) == 0)
            return false;
    }
    return true;
}

static void tell_missing(struct comparison *comparison)
{
    const char *last = "";

    for (size_t i = 0; i < comparison->wanted_sorted.count; i++) {
        const char *word = comparison->wanted_sorted.items[i];
        int place = (int)strcspn(word, ":");

        if (strcmp(word, last) == 0 || !has_more(&comparison->wanted_sorted, &comparison->first.sorted, word) ||
            !has_more(&comparison->wanted_sorted, &comparison->second.sorted, word) ||
            is_in_empty_chain(comparison, word))
            continue;
        last = word;
        tell(comparison, check_text("%.*s: a rule of anchord's is missing: %s", place, word, rules_shown(word)));
    }
}

/* Also without the list of what is wanted: then what has no comment is none of ours. */
static bool is_stranger_rule(const struct comparison *comparison, const char *word)
{
    if (comparison->wanted.rules.count == 0)
        return !strstr(word, " comment \"");
    return has_more(&comparison->first.sorted, &comparison->wanted_sorted, word) &&
           has_more(&comparison->second.sorted, &comparison->wanted_sorted, word);
}

static const char *stranger_sentence(const char *word, const char *stranger)
{
    int place = (int)strcspn(word, ":");

    return stranger ? check_text("%.*s: %s", place, word, stranger)
                    : check_text("%.*s: a rule is not anchord's: %s", place, word, rules_shown(word));
}

static void tell_strangers(struct comparison *comparison)
{
    struct table_walk walk = {.rules = &comparison->run->anchor->rules};

    while (heard_next_table_line(&walk)) {
        bool is_stranger;
        const char *word, *text = check_text("%s", walk.line.text);
        const char *place =
            check_text("%s%s%s", walk.line.table, walk.line.object[0] != '\0' ? " " : "", walk.line.object);

        if (!is_rule(&walk.line))
            continue;
        word = take_rule(comparison, &walk, &is_stranger);
        if (walk.line.kind == TABLE_LINE_STRANGER) { /* no rule */
            if (!rules_know_set(text))
                tell(comparison, check_text("%s: %s", place, text));
        } else if (word && !is_skeleton(&walk.line) && is_stranger_rule(comparison, word)) {
            tell(comparison, stranger_sentence(word, is_stranger ? text : NULL));
        }
    }
}

/* Whether they stand in both lists in the same order, but for how chains do. */
static bool is_in_order(const struct words *wanted, const struct words *found, size_t index)
{
    const char *word = wanted->items[index];
    size_t length = strcspn(word, ":"), before = 0;

    for (size_t i = 0; i < index; i++)
        before += strncmp(wanted->items[i], word, length + 1) == 0;
    for (size_t i = 0; i < found->count; i++) {
        if (strncmp(found->items[i], word, length + 1) == 0 && before-- == 0)
            return strcmp(found->items[i], word) == 0;
    }
    return true; /* it is missing, which is said elsewhere */
}

/* The same rules do something else when they stand in another order. */
static void tell_order(struct comparison *comparison)
{
    for (size_t i = 0; i < comparison->wanted.rules.count && comparison->result.differences == 0; i++) {
        const char *word = comparison->wanted.rules.items[i];

        if (!is_in_order(&comparison->wanted.rules, &comparison->first.rules, i) &&
            !is_in_order(&comparison->wanted.rules, &comparison->second.rules, i))
            tell(comparison,
                 check_text("%.*s: the rules stand in another order than anchord's", (int)strcspn(word, ":"), word));
    }
}

/* --- chains ------------------------------------------------------------------------------------------------- */

static void tell_empty_chains(struct comparison *comparison)
{
    struct table_walk walk = {.rules = &comparison->run->anchor->rules};
    struct table_line chain = {0};
    size_t rules = 0;
    bool is_line = true;

    while (is_line) {
        is_line = heard_next_table_line(&walk);
        if (is_line && is_rule(&walk.line))
            rules++;
        if (is_line && walk.line.kind != TABLE_LINE_CHAIN)
            continue;
        if (chain.object[0] != '\0' && rules == 0 && !is_skeleton(&chain))
            tell(comparison, check_text("%s: the chain %s has no rule", chain.table, chain.object));
        chain = walk.line;
        rules = 0;
    }
}

/* The list's item that begins like `word` up to its colon, or NULL. */
static const char *find_chain(const struct words *list, const char *word)
{
    size_t length = strcspn(word, ":") + 1;

    for (size_t i = 0; i < list->count; i++) {
        if (strncmp(list->items[i], word, length) == 0)
            return list->items[i];
    }
    return NULL;
}

static void tell_other_chains(struct comparison *comparison)
{
    for (size_t i = 0; i < comparison->wanted.chains.count; i++) {
        const char *word = comparison->wanted.chains.items[i];
        const char *first = find_chain(&comparison->first.chains, word);
        const char *second = find_chain(&comparison->second.chains, word);
        int place = (int)strcspn(word, ":");

        if (!first && !second)
            tell(comparison, check_text("%.*s: the chain is missing", place, word));
        else if (first && second && strcmp(first, word) != 0 && strcmp(second, word) != 0)
            tell(comparison, check_text("%.*s: the chain is another: %s", place, word, first + place + 2));
    }
}

struct rules_compared rules_compare(struct check_run *run)
{
    CLEANUP(comparison_release) struct comparison comparison = {.run = run};
    const struct anchor *anchor = run->anchor;

    if (rules_want(anchor, &comparison.ground, &comparison.wanted, &comparison.result.why)) {
        comparison.result.why = NULL;
    } else {
        words_release(&comparison.wanted.rules);
        words_release(&comparison.wanted.chains);
    }
    if (!read_look(&comparison, &anchor->rules, &comparison.first) ||
        !read_look(&comparison, anchor->again.bytes ? &anchor->again : &anchor->rules, &comparison.second) ||
        !words_copy(&comparison.wanted.rules, &comparison.wanted_sorted)) {
        comparison.result.why = "there is too little memory";
        return comparison.result;
    }
    words_sort(&comparison.wanted_sorted);
    comparison.result.rules = comparison.wanted.rules.count;
    tell_other_chains(&comparison);
    tell_empty_chains(&comparison);
    tell_missing(&comparison);
    tell_strangers(&comparison);
    tell_order(&comparison);
    return comparison.result;
}
