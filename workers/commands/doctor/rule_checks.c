/*
 * `anchord doctor rules`: whether the kernel holds what anchord wants, and nothing else stands in its way.
 *
 * Run by runner.c behind the seal, in the anchor's network namespace. Reads what anchord-ruleset printed, the anchor's
 * status and /proc/sys; no privilege.
 */
#include "workers/commands/doctor/rule_checks.h"

#include "common/cleanup.h"
#include "common/shell_word.h"
#include "protocol/messages_attach.h"
#include "workers/commands/doctor/exposed_elements.h"
#include "workers/commands/doctor/heard.h"
#include "workers/commands/doctor/rules_compare.h"

#include <stdio.h>
#include <string.h>

/* --- our own ------------------------------------------------------------------------------------------------ */

static bool holds(const struct said *said, const char *text)
{
    return said->bytes && memmem(said->bytes, said->length, text, strlen(text));
}

void rule_check_tables(struct check_run *run)
{
    const struct said *rules = &run->anchor->rules;
    struct rules_compared compared = {0};
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
    if (holds(rules, "\n\tflags dormant\n") && ++wrong)
        check_found(run, PROBLEM_TABLES_EDITED,
                    &(struct finding_texts){.sentence = "a table of anchord's is dormant: the kernel passes it over"});
    if (rules->bytes)
        compared = rules_compare(run);
    wrong += compared.differences;
    if (holds(rules, "table ip anchord_v4 {") && run->anchor->status.bytes)
        wrong += exposed_elements_compare(run, &seen);
    if (wrong == 0 && compared.why)
        check_is_well(run, NULL,
                      "both tables are there, with %zu exposed ports in their maps and nothing else; their rules were "
                      "not compared one by one: %s",
                      seen, compared.why);
    else if (wrong == 0)
        check_is_well(run, NULL,
                      "the tables are there, with all %zu rules and %zu exposed ports in their maps and nothing else",
                      compared.rules, seen);
}

/* --- others' ------------------------------------------------------------------------------------------------ */

static bool may_drop(const struct heard_chain *chain)
{
    return !heard_is_own(chain) && (strcmp(chain->policy, "drop") == 0 || chain->drops > 0) &&
           strcmp(chain->family, "netdev") != 0;
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
                .remedy = check_inside(run, shell_word_is_plain(chain.table)
                                                ? check_text("nft delete table %s", table)
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
    /* Whose inner links have no address of the family. */
    bool is_attached = read_setting("/proc/sys/net/ipv4/conf/" IDENTITY_HOST_LINK "/forwarding") >= 0;
    bool needs6 = has_address6(run->anchor, "external_addresses") &&
                  (is_attached || has_address6(run->anchor, "shared_addresses"));
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
