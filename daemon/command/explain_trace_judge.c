/* What came of a packet that `anchord explain --live` followed; see explain_plan.h. Pure; runs as root in the
 * command. */
#include "daemon/command/explain_plan.h"

#include "common/cleanup.h"
#include "common/shell_word.h"

#include <stdio.h>
#include <string.h>

/* By the rule's comment; netadmin's rules have one each (workers/netadmin/nft/nft_rules.c). */
static enum problem problem_of(const struct explain_trace *trace)
{
    static const struct {
        const char *words;
        enum problem problem;
    } known[] = {
        {"banned", PROBLEM_SOURCE_BANNED},         {"closed", PROBLEM_NOT_EXPOSED},
        {"no such protocol", PROBLEM_NOT_EXPOSED}, {"list", PROBLEM_SOURCE_NOT_ALLOWED},
        {"limit", PROBLEM_SOURCE_NOT_ALLOWED},     {"own address", PROBLEM_FORGED_SOURCE},
        {"inner sources", PROBLEM_FORGED_SOURCE},  {"forged", PROBLEM_FORGED_SOURCE},
    };

    if (!trace->is_ours)
        return PROBLEM_FOREIGN_TABLE;
    for (size_t i = 0; i < ARRAY_LENGTH(known); i++) {
        if (strstr(trace->comment, known[i].words) || strstr(trace->chain, known[i].words))
            return known[i].problem;
    }
    return PROBLEM_ISOLATED;
}

const char *explain_inside(const struct explain_model *model, char text[EXPLAIN_INSIDE_SIZE])
{
    if (model->project[0])
        (void)snprintf(text, EXPLAIN_INSIDE_SIZE, "ip netns exec anchord-%s ", model->project);
    else /* the image has no nft */
        (void)snprintf(text, EXPLAIN_INSIDE_SIZE,
                       "nsenter -t $(docker inspect -f '{{.State.Pid}}' NETWORK-ANCHOR) -n ");
    return text;
}

/* A name that was cut would be another one's. */
static bool is_plain(const char name[EXPLAIN_NAME_SIZE])
{
    return strlen(name) < EXPLAIN_NAME_SIZE - 1 && shell_word_is_plain(name);
}

/* It takes a rule of somebody else's away: in this namespace alone. */
static void tell_remedy(const struct explain_model *model, const struct explain_trace *trace, struct answer *ret)
{
    char inside[EXPLAIN_INSIDE_SIZE];

    if (is_plain(trace->table) && is_plain(trace->chain))
        (void)snprintf(ret->remedy, sizeof(ret->remedy), "%snft delete rule %s %s %s handle %llu   # on the host",
                       explain_inside(model, inside), trace->family, trace->table, trace->chain,
                       (unsigned long long)trace->handle);
    else
        (void)snprintf(ret->remedy, sizeof(ret->remedy),
                       "%snft -a list ruleset   # on the host; its name is no plain one",
                       explain_inside(model, inside));
}

static void tell_drop(const struct explain_model *model, const struct explain_trace *trace, struct answer *ret)
{
    const char *verb = trace->rejects ? "is refused" : "is dropped";

    ret->verdict = VERDICT_FAIL;
    ret->problem = problem_of(trace);
    if (trace->kind == EXPLAIN_TRACE_POLICY)
        (void)snprintf(ret->sentence, sizeof(ret->sentence),
                       "the packet %s at the end of %s %s, chain %s: no rule there lets it through", verb,
                       trace->family, trace->table, trace->chain);
    else if (trace->comment[0])
        (void)snprintf(ret->sentence, sizeof(ret->sentence),
                       "the packet %s by %s %s, chain %s, rule \"%s\" (handle %llu)", verb, trace->family, trace->table,
                       trace->chain, trace->comment, (unsigned long long)trace->handle);
    else
        (void)snprintf(ret->sentence, sizeof(ret->sentence),
                       "the packet %s by %s %s, chain %s, the rule with handle %llu", verb, trace->family, trace->table,
                       trace->chain, (unsigned long long)trace->handle);
    if (!trace->is_ours && trace->kind != EXPLAIN_TRACE_POLICY)
        tell_remedy(model, trace, ret);
}

void explain_judge_trace(const struct explain_model *model, const struct explain_flow *flow,
                         const struct explain_trace *traces, size_t count, struct answer *ret)
{
    bool is_routed = false;
    size_t index;

    *ret = (struct answer){.verdict = VERDICT_OK, .object = "live"};
    for (size_t i = 0; i < count; i++) {
        const struct explain_trace *trace = &traces[i];

        is_routed = is_routed || strncmp(trace->chain, "forward", strlen("forward")) == 0 ||
                    strcmp(trace->chain, "input") == 0 || strncmp(trace->chain, "output", strlen("output")) == 0;
        if (trace->verdict == EXPLAIN_DROPPED) {
            tell_drop(model, trace, ret);
            if (!ret->remedy[0] && problem_find(ret->problem, &index) == 0)
                text_copy_cut(ret->remedy, sizeof(ret->remedy), problem_definition(index)->remedy);
            return;
        }
    }
    if (count == 0) {
        ret->verdict = VERDICT_UNKNOWN;
        (void)snprintf(ret->sentence, sizeof(ret->sentence),
                       "no such packet came to the network-anchor: it was lost before, on the LAN or on the host%s",
                       flow->is_out ? ", or the container sends it another way" : "");
    } else if (!is_routed) {
        ret->verdict = VERDICT_FAIL;
        ret->problem = PROBLEM_UNTRACED_DROP;
        (void)snprintf(ret->sentence, sizeof(ret->sentence),
                       "the packet came in, and no rule dropped it, but it was not sent on: drops by routing and by "
                       "rp_filter leave no trace");
    } else {
        (void)snprintf(ret->sentence, sizeof(ret->sentence),
                       "the packet went through all tables of the network-anchor");
    }
}
