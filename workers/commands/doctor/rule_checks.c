/*
 * `anchord doctor rules`: whether the kernel holds what anchord wants, and nothing else stands in its way.
 *
 * Run by runner.c behind the seal, in the anchor's network namespace. Reads what anchord-ruleset printed, the anchor's
 * status and /proc/sys; no privilege.
 */
#include "workers/commands/doctor/rule_checks.h"

#include "common/array.h"
#include "common/cleanup.h"
#include "workers/commands/doctor/heard.h"
#include "workers/commands/doctor/heard_tables.h"

#include <stdio.h>
#include <string.h>

/* More are the work of one hand. */
#define DIFFERENCES_MAX 16

/* --- our own ------------------------------------------------------------------------------------------------ */

static bool holds(const struct said *said, const char *text)
{
    return said->bytes && memmem(said->bytes, said->length, text, strlen(text));
}

/* --- elements ----------------------------------------------------------------------------------------------- */

struct words {
    const char **items;
    size_t count, capacity;
};

static void words_release(struct words *words)
{
    free(words->items);
}

/* What there is no memory for is missing in what is compared: so nothing is compared then. */
static bool words_add(struct words *words, const char *word)
{
    const char **items = array_grow(words->items, words->count, &words->capacity, sizeof(*items));

    if (!items)
        return false;
    words->items = items;
    items[words->count++] = word;
    return true;
}

static int compare_words(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static void words_sort(struct words *words)
{
    if (words->count > 0)
        qsort(words->items, words->count, sizeof(*words->items), compare_words);
}

static bool words_have(const struct words *words, const char *word)
{
    return words->count > 0 && bsearch(&word, words->items, words->count, sizeof(word), compare_words);
}

/* "ip anchord_v4 dnat_tcp 80 : 172.30.0.10 . 8080": how one element stands in all three lists. */
static const char *backend_word(const char *proto, uint64_t port, const char *address, uint64_t backend)
{
    return check_text("%s dnat_%s %llu : %s . %llu", strchr(address, ':') ? "ip6 anchord_v6" : "ip anchord_v4", proto,
                      (unsigned long long)port, address, (unsigned long long)backend);
}

/* Of the two maps; sorted. */
static bool read_elements(const struct said *rules, struct words *ret)
{
    struct table_walk walk = {.rules = rules};

    while (heard_next_table_line(&walk)) {
        if (walk.line.kind == TABLE_LINE_ELEMENT && strncmp(walk.line.object, "dnat_", strlen("dnat_")) == 0 &&
            !words_add(ret, check_text("%s %s %s", walk.line.table, walk.line.object, walk.line.text)))
            return false;
    }
    words_sort(ret);
    return true;
}

/* What the kernel held at both looks, or at one of them, and what was exposed before and after them. */
struct looks {
    struct words first, second, wanted, after;
    size_t missing, strangers;
};

static void looks_release(struct looks *looks)
{
    words_release(&looks->first);
    words_release(&looks->second);
    words_release(&looks->wanted);
    words_release(&looks->after);
}

/* What a status exposes; sorted. */
static bool read_exposed(const struct said *status, struct words *ret)
{
    static const char *const keys[] = {"address4", "address6"};
    struct json_walk walk = heard_list(heard(status), "exposures");
    char proto[HEARD_TEXT_SIZE], address[HEARD_TEXT_SIZE];
    struct json_slice row;

    while (json_walk_element(&walk, &row)) {
        uint64_t first = heard_number(row, "port_first"), backend = heard_number(row, "backend_port_first");

        heard_text(row, "proto", proto);
        for (size_t i = 0; i < ARRAY_LENGTH(keys); i++) {
            heard_text(row, keys[i], address);
            for (uint64_t port = first;
                 address[0] != '\0' && port <= heard_number(row, "port_last") && port <= UINT16_MAX; port++) {
                if (!words_add(ret, backend_word(proto, port, address, backend + (port - first))))
                    return false;
            }
        }
    }
    words_sort(ret);
    return true;
}

static void tell_exposure(struct check_run *run, struct looks *looks, struct json_slice row, const char *key)
{
    char proto[HEARD_TEXT_SIZE], container[HEARD_TEXT_SIZE], address[HEARD_TEXT_SIZE];
    uint64_t first = heard_number(row, "port_first"), last = heard_number(row, "port_last");
    uint64_t backend = heard_number(row, "backend_port_first"), lost = 0, lost_first = 0;

    heard_text(row, "proto", proto);
    heard_text(row, "container", container);
    heard_text(row, key, address);
    for (uint64_t port = first; address[0] != '\0' && port <= last && port <= UINT16_MAX; port++) {
        const char *word = backend_word(proto, port, address, backend + (port - first));

        if (words_have(&looks->first, word) || words_have(&looks->second, word) || !words_have(&looks->after, word))
            continue;
        lost_first = lost++ == 0 ? port : lost_first;
    }
    if (lost == 0)
        return;
    looks->missing += lost;
    check_found(run, PROBLEM_ELEMENT_MISSING,
                &(struct finding_texts){
                    .object = container,
                    .sentence = check_text("%s/%llu%s of %s is not in the kernel's map: nothing reaches it", proto,
                                           (unsigned long long)lost_first,
                                           lost > 1 ? check_text(" and %llu more", (unsigned long long)lost - 1) : "",
                                           address)});
}

/* An element at both looks that nobody exposes, neither before nor after them. */
static void tell_stranger(struct check_run *run, struct looks *looks, const char *word)
{
    if (words_have(&looks->wanted, word) || words_have(&looks->after, word) || !words_have(&looks->second, word) ||
        looks->strangers++ >= DIFFERENCES_MAX)
        return;
    check_found(run, PROBLEM_TABLES_EDITED,
                &(struct finding_texts){.sentence = check_text("nobody exposes what a map has: %s", word)});
}

/* Each exposure that the anchor tells in the kernel's maps, port by port, and nothing else in them. Returns how many
 * differ. */
static size_t compare_elements(struct check_run *run, size_t *ret_seen)
{
    CLEANUP(looks_release) struct looks looks = {0};
    const struct anchor *anchor = run->anchor;
    struct json_walk walk = heard_list(heard(&anchor->status), "exposures");
    struct json_slice row;

    if (!read_elements(&anchor->rules, &looks.first) || !read_elements(&anchor->again, &looks.second) ||
        !read_exposed(&anchor->status, &looks.wanted) ||
        !read_exposed(anchor->after.bytes ? &anchor->after : &anchor->status, &looks.after))
        return 0;
    while (json_walk_element(&walk, &row)) {
        tell_exposure(run, &looks, row, "address4");
        tell_exposure(run, &looks, row, "address6");
    }
    *ret_seen = looks.wanted.count;
    for (size_t i = 0; i < looks.first.count; i++)
        tell_stranger(run, &looks, looks.first.items[i]);
    return looks.missing + looks.strangers;
}

/* --- rules -------------------------------------------------------------------------------------------------- */

static void tell_difference(struct check_run *run, size_t *differences, const char *sentence)
{
    if (++*differences <= DIFFERENCES_MAX)
        check_found(run, PROBLEM_TABLES_EDITED, &(struct finding_texts){.sentence = sentence});
}

/* What has no words among ours, what has none of our comments, and a chain that somebody has emptied. */
static size_t compare_rules(struct check_run *run)
{
    struct table_walk walk = {.rules = &run->anchor->rules};
    struct table_line chain = {0};
    size_t differences = 0, rules = 0;
    bool is_line = true;

    while (is_line) {
        const struct table_line *line = &walk.line;

        is_line = heard_next_table_line(&walk);
        if ((!is_line || line->kind == TABLE_LINE_CHAIN) && chain.object[0] != '\0' && rules == 0 &&
            !strstr(chain.table, "skeleton"))
            tell_difference(run, &differences, check_text("%s: the chain %s has no rule", chain.table, chain.object));
        if (is_line && line->kind == TABLE_LINE_CHAIN) {
            chain = *line;
            rules = 0;
        }
        if (!is_line || line->kind == TABLE_LINE_ELEMENT || line->kind == TABLE_LINE_CHAIN)
            continue;
        rules++;
        if (line->kind == TABLE_LINE_STRANGER)
            tell_difference(run, &differences, check_text("%s %s: %s", line->table, line->object, line->text));
        else if (!strstr(line->text, " comment \""))
            tell_difference(run, &differences,
                            check_text("%s %s: a rule is not anchord's: %s", line->table, line->object, line->text));
    }
    return differences;
}

void rule_check_tables(struct check_run *run)
{
    const struct said *rules = &run->anchor->rules;
    size_t wrong = 0, seen = 0;

    if (rules->error < 0 && !strstr(rules->reason, "no table of anchord")) {
        check_is_unknown(run, NULL, NULL, "its tables cannot be read: %s", rules->reason);
        return;
    }
    if (!holds(rules, "table ip anchord_v4 {") && ++wrong)
        check_found(
            run, PROBLEM_TABLES_MISSING,
            &(struct finding_texts){.sentence = holds(rules, "anchord_skeleton")
                                                    ? "only the skeleton is there, which keeps everything closed"
                                                    : "the table ip anchord_v4 is not in the kernel"});
    if (rules->bytes)
        wrong += compare_rules(run);
    if (holds(rules, "table ip anchord_v4 {") && run->anchor->status.bytes)
        wrong += compare_elements(run, &seen);
    if (wrong == 0)
        check_is_well(run, NULL, "both tables are there, with %zu exposed ports in their maps and nothing else", seen);
}

/* --- others' ------------------------------------------------------------------------------------------------ */

static bool may_drop(const struct heard_chain *chain)
{
    return !heard_is_own(chain) && (strcmp(chain->policy, "drop") == 0 || chain->drops > 0) &&
           strcmp(chain->family, "netdev") != 0;
}

/* nft(8) reads its own language in its arguments, whatever a shell has quoted: a name may be anything there. */
static bool is_plain(const char *name)
{
    return name[strspn(name, "0123456789_-abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")] == '\0' &&
           name[0] != '-';
}

void rule_check_foreign(struct check_run *run)
{
    size_t wrong = 0, others = 0, place = 0;
    char last[256] = "", table[256];
    struct heard_chain chain;

    while (heard_next_chain(&run->anchor->hooks, &place, &chain)) {
        others += !heard_is_own(&chain);
        (void)snprintf(table, sizeof(table), "%s %s", chain.family, chain.table);
        if (!may_drop(&chain) || strcmp(table, last) == 0) /* one finding a table */
            continue;
        text_copy_cut(last, sizeof(last), table);
        wrong++;
        check_found(
            run, PROBLEM_FOREIGN_TABLE,
            &(struct finding_texts){
                .object = check_text("%s", table),
                .sentence = check_text("the table %s is not anchord's and drops packets (chain %s)", table, chain.name),
                .why = "every table must let a packet pass, whatever anchord's own says",
                .remedy =
                    check_inside(run, is_plain(chain.table) ? check_text("nft delete table %s", table)
                                                            : "nft -a list tables   # its name is no plain one")});
    }
    if (wrong == 0)
        check_is_well(run, NULL, "none of %zu chains that are not anchord's drops anything", others);
}

/* --- settings ----------------------------------------------------------------------------------------------- */

/* -1: it is not there. */
static int read_setting(const char *path)
{
    CLEANUP_STREAM FILE *stream = fopen(path, "re");
    int value = -1;

    if (stream && fscanf(stream, "%d", &value) != 1) /* NOLINT(cert-err34-c): the kernel's own */
        value = -1;
    return value;
}

static bool has_address6(const struct anchor *anchor, const char *list)
{
    struct json_walk walk = heard_list(heard(&anchor->status), list);
    struct json_slice row;
    char address[HEARD_TEXT_SIZE];

    while (json_walk_element(&walk, &row)) {
        heard_text(row, "address", address);
        if (strchr(address, ':') && strncmp(address, "fe80", strlen("fe80")) != 0)
            return true;
    }
    return false;
}

void rule_check_forwarding(struct check_run *run)
{
    static const char *const sides[] = {"external", "shared"};
    bool needs6 = has_address6(run->anchor, "external_addresses") && has_address6(run->anchor, "shared_addresses");
    size_t wrong = 0;

    for (size_t i = 0; i < ARRAY_LENGTH(sides); i++) {
        char name[HEARD_TEXT_SIZE];

        heard_interface(run->anchor, sides[i], name);
        if (name[0] == '\0' || read_setting(check_text("/proc/sys/net/ipv4/conf/%s/forwarding", name)) != 0)
            continue;
        wrong++;
        check_found(
            run, PROBLEM_FORWARDING4_OFF,
            &(struct finding_texts){
                .object = name, .sentence = check_text("IPv4 is not forwarded from %s: its packets go nowhere", name)});
    }
    if (needs6 && read_setting("/proc/sys/net/ipv6/conf/all/forwarding") == 0 && ++wrong)
        check_found(run, PROBLEM_FORWARDING_OFF, &(struct finding_texts){0});
    if (wrong == 0)
        check_is_well(run, NULL, needs6 ? "IPv4 and IPv6 are forwarded" : "IPv4 is forwarded; IPv6 is not in use");
}

/* --- routes ------------------------------------------------------------------------------------------------- */

/* Two default routes of the same metric, or one by an interface that is neither on the LAN nor the project's. */
void rule_check_routing(struct check_run *run)
{
    CLEANUP_STREAM FILE *stream = fopen("/proc/net/route", "re");
    char line[256], external[HEARD_TEXT_SIZE], shared[HEARD_TEXT_SIZE];
    size_t seen = 0, wrong = 0;

    heard_interface(run->anchor, "external", external);
    heard_interface(run->anchor, "shared", shared);
    while (stream && fgets(line, sizeof(line), stream)) {
        char name[32];
        unsigned int destination, mask;

        /* NOLINTNEXTLINE(cert-err34-c): the kernel wrote it */
        if (sscanf(line, "%31s %x %*x %*x %*u %*u %*u %x", name, &destination, &mask) != 3 || destination != 0 ||
            mask != 0)
            continue;
        seen++;
        if (strcmp(name, external) == 0 || strcmp(name, shared) == 0 || external[0] == '\0')
            continue;
        wrong++;
        check_found(
            run, PROBLEM_OTHER_DEFAULT_ROUTE,
            &(struct finding_texts){
                .object = name,
                .sentence = check_text("%s has a default route, too, and is not the interface on the LAN", name)});
    }
    if (wrong == 0)
        check_is_well(run, NULL, "no default route leads past the LAN (%zu in the main table)", seen);
}
