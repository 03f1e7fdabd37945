/* Unit tests of what anchord explain says (SEE-3): names of tables and chains are whoever's who made them, and its
 * lines are pasted by root, mostly on the host. */
#include "daemon/command/explain_plan.h"

#include "common/cleanup.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ON_HOST "nsenter -t $(docker inspect -f '{{.State.Pid}}' NETWORK-ANCHOR) -n "

static struct ip_address address_of(const char *text)
{
    struct ip_address address = {0};

    assert_int_equal(ip_address_parse(text, &address), 0);
    return address;
}

static struct explain_flow flow_out(const char *from, const char *to)
{
    return (struct explain_flow){
        .is_out = true,
        .protocol = IPPROTO_TCP,
        .port = 443,
        .from = address_of(from),
        .to = address_of(to),
        .container = "",
        .facts = {.has_table = true, .forwards = true, .way = EXPLAIN_WAY_EXTERNAL, .source_way = EXPLAIN_WAY_INSIDE},
        .knows_walls = true};
}

/* Keeps the last step of a place. */
struct wanted {
    const char *place;
    struct answer answer;
};

static void note(const struct answer *answer, void *userdata)
{
    struct wanted *wanted = userdata;

    if (strcmp(answer->object, wanted->place) == 0)
        wanted->answer = *answer;
}

static struct answer step_of(const struct explain_model *model, const struct explain_flow *flow, const char *place)
{
    struct wanted wanted = {.place = place};

    explain_judge(model, flow, note, &wanted);
    return wanted.answer;
}

/* NAT-8, as netadmin chooses. */
static void it_leaves_with_the_address_that_there_is(void **state)
{
    static const struct {
        const char *own[2];
        const char *to;
        const char *said;
    } cases[] = {
        {{"fd99::81"}, "2001:db8::1", "leaves as fd99::81,"},
        {{"2001:db8::81"}, "fd99::1", "leaves as 2001:db8::81,"},
        {{"2001:db8::81", "fd99::81"}, "fd99::1", "leaves as fd99::81,"},
        {{"fd99::81", "2001:db8::81"}, "2001:db8::1", "leaves as 2001:db8::81,"},
        {{"fe80::81", "192.0.2.81"}, "2001:db8::1", "no address of v6"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct explain_model model = {.shared = "in0", .external = "ext0"};
        const struct explain_flow flow = flow_out("fd41::2", cases[i].to);
        struct answer answer;

        for (size_t j = 0; j < ARRAY_LENGTH(cases[i].own) && cases[i].own[j]; j++)
            model.own[model.own_count++] = address_of(cases[i].own[j]);
        answer = step_of(&model, &flow, "egress");
        assert_non_null(strstr(answer.sentence, cases[i].said));
    }
}

static void a_source_that_is_not_inside_is_no_containers(void **state)
{
    const struct explain_model model = {.shared = "in0", .external = "ext0"};
    struct explain_flow flow = flow_out("203.0.113.5", "192.0.2.1");

    (void)state;
    assert_int_equal(step_of(&model, &flow, "container").verdict, VERDICT_OK);
    flow.facts.source_way = EXPLAIN_WAY_EXTERNAL;
    assert_int_equal(step_of(&model, &flow, "container").verdict, VERDICT_UNKNOWN);
}

static void a_rule_is_deleted_where_it_is_and_by_a_plain_name(void **state)
{
    static const struct {
        const char *project, *table, *chain, *remedy;
    } cases[] = {
        {"", "stranger", "in", ON_HOST "nft delete rule inet stranger in handle 2   # on the host"},
        {"shop", "stranger", "in",
         "ip netns exec anchord-shop nft delete rule inet stranger in handle 2   # on the host"},
        {"", "x; reboot", "in", ON_HOST "nft -a list ruleset   # on the host; its name is no plain one"},
        {"", "x", "{$(reboot)}", ON_HOST "nft -a list ruleset   # on the host; its name is no plain one"},
        {"", "-x", "in", ON_HOST "nft -a list ruleset   # on the host; its name is no plain one"},
        {"", "a123456789b123456789c123456789d123456789e123456789f123456789xyz_and_more", "in",
         ON_HOST "nft -a list ruleset   # on the host; its name is no plain one"},
    };
    const struct explain_flow flow = flow_out("172.30.0.5", "192.0.2.1");

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct explain_trace trace = {
            .kind = EXPLAIN_TRACE_RULE, .verdict = EXPLAIN_DROPPED, .handle = 2, .family = "inet"};
        struct explain_model model = {0};
        struct answer answer;

        text_copy_cut(model.project, sizeof(model.project), cases[i].project);
        text_copy_cut(trace.table, sizeof(trace.table), cases[i].table);
        text_copy_cut(trace.chain, sizeof(trace.chain), cases[i].chain);
        explain_judge_trace(&model, &flow, &trace, 1, &answer);
        assert_int_equal(answer.problem, PROBLEM_FOREIGN_TABLE);
        assert_string_equal(answer.remedy, cases[i].remedy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_leaves_with_the_address_that_there_is),
        cmocka_unit_test(a_source_that_is_not_inside_is_no_containers),
        cmocka_unit_test(a_rule_is_deleted_where_it_is_and_by_a_plain_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
