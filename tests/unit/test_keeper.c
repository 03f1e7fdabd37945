/* Unit tests of the keeper's pure parts: inspection, journal, choice of a repair, memory of attempts (LIFE-6, LIFE-7).
 */
#include "common/clock.h"
#include "common/text.h"
#include "workers/docker/timestamp.h"
#include "workers/keeper/known.h"
#include "workers/keeper/memory.h"
#include "workers/keeper/repair.h"
#include "workers/keeper/sibling.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void dockers_times_are_read_to_the_nanosecond(void **state)
{
    uint64_t one = 0, other = 0;

    (void)state;
    assert_int_equal(docker_time_parse("2025-11-22T15:40:00.123456789Z", &one), 0);
    assert_int_equal(one, UINT64_C(1763826000123456789));
    assert_int_equal(docker_time_parse("2025-11-22T15:40:00.1234568Z", &other),
                     0); /* zeros at the end are not written */
    assert_true(other > one);
    assert_int_equal(docker_time_parse("2025-11-22T15:40:00Z", &other), 0);
    assert_int_equal(other, UINT64_C(1763826000000000000));
    assert_int_equal(docker_time_parse("0001-01-01T00:00:00Z", &other), 0);
    assert_int_equal(other, 0); /* never */
    assert_int_equal(docker_time_parse("1970-01-01T00:00:00.5Z", &other), 0);
    assert_int_equal(other, 0);
    assert_int_equal(docker_time_parse("2025-11-22T15:40:00.050Z", &other), 0);
    assert_int_equal(other, UINT64_C(1763826000050000000));
    assert_int_equal(docker_time_parse("", &other), -EINVAL);
    assert_int_equal(docker_time_parse("2025-11-22T16:40:00+01:00", &other), 0); /* Podman's */
    assert_int_equal(other, UINT64_C(1763826000000000000));
    assert_int_equal(docker_time_parse("2025-11-22T10:10:00.5-05:30", &other), 0);
    assert_int_equal(other, UINT64_C(1763826000500000000));
    assert_int_equal(docker_time_parse("2025-11-22T15:40:00+01:00x", &other), -EINVAL);
    assert_int_equal(docker_time_parse("2025-11-22T15:40:00 Z", &other), -EINVAL);
    assert_int_equal(docker_time_parse("2025-11-22T15:40:00", &other), -EINVAL);
    assert_int_equal(docker_time_parse("2025-11-22T15:40:00.1234567890Z", &other), -EINVAL);
}

static int read_text(struct inspection *inspection, const char *text, const char **ret_reason)
{
    inspection_release(inspection);
    inspection->document.bytes = strdup(text);
    inspection->document.length = strlen(text);
    return inspection_read(inspection, ret_reason);
}

static void an_inspection_without_identity_is_odd(void **state)
{
    CLEANUP(inspection_release) struct inspection inspection = {0};
    char text[400] = "{\"Id\":\"ab\",\"Name\":\"/";
    const char *reason = NULL;

    (void)state;
    assert_int_equal(read_text(&inspection, "{\"Name\":\"/n\"}", &reason), -EBADMSG);
    assert_string_equal(reason, "it has no ID");
    assert_int_equal(read_text(&inspection, "{\"Id\":\"x/../y\",\"Name\":\"/n\"}", &reason), -EBADMSG);
    assert_int_equal(read_text(&inspection, "{\"Id\":\"ab\",\"Name\":null}", &reason), -EBADMSG);
    memset(text + strlen(text), 'n', 127);
    memcpy(text + strlen(text), "\"}", 3);
    assert_int_equal(read_text(&inspection, text, &reason), 0);
    memcpy(text + strlen(text) - 2, "n\"}", 4);
    assert_int_equal(read_text(&inspection, text, &reason), -EBADMSG);
    assert_string_equal(reason, "it has no name, or one of more than 127 characters");
}

static void what_an_inspection_says_is_read(void **state)
{
    CLEANUP(inspection_release) struct inspection inspection = {0};
    const char *reason = NULL;

    (void)state;
    assert_int_equal(
        read_text(&inspection,
                  "{\"Id\":\"abcdef0123456789\",\"Name\":\"/n\",\"State\":{\"Status\":\"exited\",\"Running\":false,"
                  "\"Error\":\"no such container\"},\"HostConfig\":{\"NetworkMode\":\"container:cafe\","
                  "\"AutoRemove\":true,\"RestartPolicy\":{\"Name\":\"\"}},"
                  "\"Config\":{\"Cmd\":[\"a\",\"wrap-rebinder\"]}}",
                  &reason),
        0);
    assert_true(inspection.has_failed_start && inspection.removes_itself && inspection.is_rebinder);
    assert_true(!inspection.is_running && !inspection.is_created && inspection.started == 0);
    assert_string_equal(inspection.joined, "cafe");
    assert_string_equal(inspection.policy.name, "no");
    assert_true(inspection_is(&inspection, "n"));
    assert_true(inspection_is(&inspection, "abcdef012345"));
    assert_false(inspection_is(&inspection, "abcdef01234")); /* shorter than Docker shows */
    assert_false(inspection_is(&inspection, "abcdef01234567890"));
    assert_int_equal(read_text(&inspection,
                               "{\"Id\":\"ab\",\"Name\":\"/n\",\"State\":{\"Status\":\"created\",\"Error\":\"\"},"
                               "\"Config\":{\"Cmd\":[\"wrap-rebinders\"],\"Env\":[\"ANCHORD_MODE=external-rebinder\"]},"
                               "\"HostConfig\":{\"NetworkMode\":\"bridge\"}}",
                               &reason),
                     0);
    assert_true(inspection.is_created && inspection.is_rebinder && !inspection.has_failed_start);
    assert_string_equal(inspection.joined, "");
}

static void a_journal_is_read_as_it_was_written(void **state)
{
    static const struct {
        struct journal journal;
        const char *name;
    } cases[] = {
        {{"mail-web-1", {"unless-stopped", 0}, true}, "mail-web-1.anchord-old-unless-stopped-running"},
        {{"a.anchord-old-no-stopped", {"no", 0}, false}, "a.anchord-old-no-stopped.anchord-old-no-stopped"},
        {{"b", {"on-failure", 5}, true}, "b.anchord-old-on-failure-5-running"},
        {{"b", {"on-failure", 0}, false}, "b.anchord-old-on-failure-0-stopped"},
        {{"c", {"always", 0}, true}, "c.anchord-old-always-running"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char name[NAME_SIZE];
        struct journal journal;

        assert_int_equal(journal_format(&cases[i].journal, name), 0);
        assert_string_equal(name, cases[i].name);
        assert_int_equal(journal_parse(name, &journal), 0);
        assert_string_equal(journal.name, cases[i].journal.name);
        assert_string_equal(journal.policy.name, cases[i].journal.policy.name);
        assert_int_equal(journal.policy.maximum_retries, cases[i].journal.policy.maximum_retries);
        assert_int_equal(journal.was_running, cases[i].journal.was_running);
    }
}

static void other_names_are_no_journals(void **state)
{
    static const char *const names[] = {
        "mail-web-1",
        ".anchord-old-no-running",
        "a.anchord-old-",
        "a.anchord-old-no",
        "a.anchord-old-never-running",
        "a.anchord-old-on-failure-running",
        "a.anchord-old-on-failure--running",
        "a.anchord-old-on-failure-x-running",
        "a.anchord-old-on-failure-9999999999-running",
        "a.anchord-old-no-running-1",
    };
    struct journal journal = {.policy = {"no", 0}};
    char name[NAME_SIZE];

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        assert_int_equal(journal_parse(names[i], &journal), -ENOENT);
    memset(journal.name, 'x', NAME_SIZE - 1);
    journal.name[NAME_SIZE - 1] = '\0';
    assert_int_equal(journal_format(&(struct journal){.name = "x", .policy = {"no", 0}}, name), 0);
    assert_int_equal(journal_format(&journal, name), -ENAMETOOLONG);
}

static struct inspection running(const char *id, uint64_t started)
{
    struct inspection made = {.is_running = true, .started = started};

    text_copy_cut(made.id, sizeof(made.id), id);
    text_copy_cut(made.name, sizeof(made.name), "target");
    return made;
}

static void each_state_has_its_repair(void **state)
{
    struct inspection target = running("aaaaaaaaaaaaaaaa", 100);
    struct inspection dependent = running("bbbbbbbbbbbbbbbb", 200);
    enum start_order order = START_ORDER_WELL;

    (void)state;
    text_copy_cut(dependent.joined, sizeof(dependent.joined), target.id);
    assert_int_equal(repair_choose(&dependent, &target, order), REPAIR_NONE);
    order = START_ORDER_UNKNOWN;
    assert_int_equal(repair_choose(&dependent, &target, order), REPAIR_UNKNOWN);
    order = START_ORDER_DEAD;
    assert_int_equal(repair_choose(&dependent, &target, order), REPAIR_RESTART);
    target.is_running = false;
    assert_int_equal(repair_choose(&dependent, &target, order), REPAIR_WAIT);
    assert_int_equal(repair_choose(&dependent, NULL, order), REPAIR_WAIT);
    target.is_running = true;
    text_copy_cut(dependent.joined, sizeof(dependent.joined), "cccccccccccccccc");
    assert_int_equal(repair_choose(&dependent, &target, order), REPAIR_RECREATE);
    dependent.is_paused = true;
    assert_int_equal(repair_choose(&dependent, &target, order), REPAIR_NONE);
    dependent.is_paused = false;
    dependent.is_running = false; /* stopped by somebody */
    assert_int_equal(repair_choose(&dependent, &target, order), REPAIR_NONE);
    dependent.has_failed_start = true; /* by Docker's inability */
    assert_int_equal(repair_choose(&dependent, &target, order), REPAIR_RECREATE);
    text_copy_cut(dependent.joined, sizeof(dependent.joined), "target");
    assert_int_equal(repair_choose(&dependent, &target, order), REPAIR_START);
    dependent.is_rebinder = true;
    assert_int_equal(repair_choose(&dependent, &target, order), REPAIR_NONE);
}

static struct sibling_verdict verdict_on(const struct inspection *sibling, const struct inspection *target,
                                         bool may_start)
{
    struct memory_entry entry = {0};
    struct sibling_verdict verdict;
    enum start_order order = target && target->started > sibling->started ? START_ORDER_DEAD : START_ORDER_WELL;

    sibling_judge(&entry, sibling, target, may_start, order, 1, &verdict);
    if (verdict.action == SIBLING_LATER) {
        assert_true(verdict.time > 1);
        sibling_judge(&entry, sibling, target, may_start, order, verdict.time, &verdict);
        assert_int_not_equal(verdict.action, SIBLING_LATER);
        assert_int_not_equal(entry.wrong_since, 0);
    } else {
        assert_int_equal(entry.wrong_since, 0);
    }
    return verdict;
}

static void a_sibling_is_started_or_reported_and_only_that(void **state)
{
    static const char *const hostile[] = {"side; reboot", "$(reboot)", "--build", "a b", "", "s\xc3\xa4"};
    struct inspection target = {.is_running = true, .started = 5};
    struct inspection sibling = {.name = "side", .is_running = true, .started = 7};

    (void)state;
    memset(sibling.joined, 'g', DOCKER_ID_SIZE - 1); /* as long as an ID, and none: it may still come */
    assert_int_equal(verdict_on(&sibling, NULL, true).action, SIBLING_LEAVE);
    memset(sibling.joined, '9', DOCKER_ID_SIZE - 1);
    assert_int_equal(verdict_on(&sibling, &target, true).action, SIBLING_LEAVE);
    target.started = 8;
    assert_string_equal(verdict_on(&sibling, &target, true).command, "docker restart side");
    assert_string_equal(verdict_on(&sibling, NULL, true).command, "docker rm -f side, and create it again");
    text_copy_cut(sibling.name, sizeof(sibling.name),
                  "side; reboot"); /* as no Docker has it, but what answers for one */
    assert_string_equal(verdict_on(&sibling, &target, true).command, "docker restart 'side; reboot'");
    assert_string_equal(verdict_on(&sibling, NULL, true).command, "docker rm -f 'side; reboot', and create it again");
    text_copy_cut(sibling.name, sizeof(sibling.name), "side");
    text_copy_cut(sibling.project, sizeof(sibling.project), "mail");
    text_copy_cut(sibling.service, sizeof(sibling.service), "side");
    assert_string_equal(verdict_on(&sibling, NULL, true).command,
                        "docker compose -p mail up -d --no-deps --force-recreate side");
    for (size_t i = 0; i < ARRAY_LENGTH(hostile); i++) {
        text_copy_cut(sibling.service, sizeof(sibling.service), hostile[i]);
        assert_string_equal(verdict_on(&sibling, NULL, true).command, "docker rm -f side, and create it again");
    }
    target.is_running = false;
    assert_int_equal(verdict_on(&sibling, &target, true).action, SIBLING_LEAVE);
    target.is_running = true;
    sibling.is_paused = true;
    assert_int_equal(verdict_on(&sibling, &target, true).action, SIBLING_LEAVE);

    sibling = (struct inspection){.name = "side", .joined = "database", .is_created = true};
    assert_int_equal(verdict_on(&sibling, &target, true).action, SIBLING_START);
    assert_int_equal(verdict_on(&sibling, &target, false).action, SIBLING_LEAVE);
    assert_int_equal(verdict_on(&sibling, NULL, true).action, SIBLING_LEAVE); /* by name: it may still come */
    target.is_unhealthy = true;
    assert_int_equal(verdict_on(&sibling, &target, true).action, SIBLING_START);
    sibling.wants_healthy = true;
    assert_int_equal(verdict_on(&sibling, &target, true).action, SIBLING_LEAVE);
    target.is_unhealthy = false;
    assert_int_equal(verdict_on(&sibling, &target, true).action, SIBLING_START);
    sibling.has_failed_start = true;
    assert_int_equal(verdict_on(&sibling, &target, true).action, SIBLING_LEAVE);
    sibling.has_failed_to_join = true;
    sibling.is_created = false;
    assert_int_equal(verdict_on(&sibling, &target, true).action, SIBLING_START);
}

static void times_that_prove_nothing_are_told_apart(void **state)
{
    struct inspection target = running("aaaaaaaaaaaaaaaa", 100);
    struct inspection dependent = running("bbbbbbbbbbbbbbbb", 200);
    struct start_record record = {0};
    struct memory_entry entry = {0};
    struct sibling_verdict verdict;

    (void)state;
    assert_int_equal(start_order_judge(&record, &dependent, &target, 200), START_ORDER_WELL);
    target.started = 300; /* seen, whatever the times say */
    assert_int_equal(start_order_judge(&record, &dependent, &target, 150), START_ORDER_DEAD);
    assert_int_equal(start_order_judge(&record, &dependent, &target, 150), START_ORDER_DEAD);
    dependent.started = 160; /* we have restarted it, and the clock was set back */
    start_order_note_joined(&record, target.started);
    assert_int_equal(start_order_judge(&record, &dependent, &target, 170), START_ORDER_WELL);
    assert_int_equal(start_order_judge(&record, &dependent, &target, 1000), START_ORDER_WELL);
    target.started = 180; /* which is earlier than before, and seen */
    assert_int_equal(start_order_judge(&record, &dependent, &target, 180), START_ORDER_DEAD);

    record = (struct start_record){0}; /* a keeper that has seen nothing of it */
    assert_int_equal(start_order_judge(&record, &dependent, &target, 180), START_ORDER_DEAD);
    record = (struct start_record){0};
    assert_int_equal(start_order_judge(&record, &dependent, &target, 179), START_ORDER_UNKNOWN);
    assert_int_equal(start_order_judge(&record, &dependent, &target, 1000), START_ORDER_UNKNOWN);
    dependent.started = 2000;
    assert_int_equal(start_order_judge(&record, &dependent, &target, 1999), START_ORDER_UNKNOWN);
    assert_int_equal(start_order_judge(&record, &dependent, &target, 2000), START_ORDER_UNKNOWN);
    dependent.started = 2001;
    assert_int_equal(start_order_judge(&record, &dependent, &target, 2001), START_ORDER_WELL);
    record = (struct start_record){.own = 2001};
    target.started = 2001; /* at once is not after */
    assert_int_equal(start_order_judge(&record, &dependent, &target, 2001), START_ORDER_WELL);

    text_copy_cut(dependent.joined, sizeof(dependent.joined), target.id);
    sibling_judge(&entry, &dependent, &target, true, START_ORDER_UNKNOWN, 1, &verdict);
    assert_int_equal(verdict.action, SIBLING_UNKNOWN);
}

static void attempts_get_rarer_and_calm_clears_them(void **state)
{
    static const uint64_t seconds[] = {1, 2, 4, 8, 16, 32, 60, 60};
    struct memory memory = {0};
    struct memory_entry *entry = memory_see(&memory, "a");
    uint64_t now = 5 * MICROSECONDS_PER_SECOND;

    (void)state;
    assert_non_null(entry);
    assert_int_equal(memory_next_attempt(entry), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(seconds); i++) {
        memory_note_attempt(entry, now);
        assert_int_equal(memory_next_attempt(entry), now + seconds[i] * MICROSECONDS_PER_SECOND);
        now = memory_next_attempt(entry);
    }
    now += 60 * MICROSECONDS_PER_SECOND;
    memory_note_attempt(entry, now);
    assert_int_equal(memory_next_attempt(entry), now + MICROSECONDS_PER_SECOND);
    memory_release(&memory);
}

static void only_what_is_gone_is_forgotten(void **state)
{
    struct memory memory = {0};
    struct memory_entry *kept = memory_see(&memory, "kept");

    (void)state;
    assert_non_null(memory_see(&memory, "gone"));
    kept->attempts = 7;
    memory_sweep(&memory);
    assert_ptr_equal(memory_see(&memory, "kept"), kept);
    memory_sweep(&memory);
    assert_int_equal(memory_see(&memory, "kept")->attempts, 7);
    assert_int_equal(HASH_COUNT(memory.entries), 1);
    memory_release(&memory);
    assert_null(memory.entries);
}

static void who_is_in_scope_is_found_by_name_or_id(void **state)
{
    CLEANUP(known_release) struct known known = {0};

    (void)state;
    assert_null(known_find(&known, "web"));
    assert_int_equal(known_add(&known, "aaaaaaaaaaaabbbb", "web"), 0);
    assert_int_equal(known_add(&known, "cccccccccccc1111", "aaaaaaaaaaaa"), 0);
    assert_int_equal(known_add(&known, "dddddddddddd2222", "smtp"), 0);
    assert_string_equal(known_find(&known, "web"), "aaaaaaaaaaaabbbb");
    assert_string_equal(known_find(&known, "aaaaaaaaaaaab"), "aaaaaaaaaaaabbbb");
    assert_string_equal(known_find(&known, "aaaaaaaaaaaa"), "cccccccccccc1111"); /* a name goes before an ID */
    assert_string_equal(known_find(&known, "dddddddddddd"), "dddddddddddd2222");
    assert_null(known_find(&known, "ddddddddddd"));
    assert_null(known_find(&known, "we"));
    assert_null(known_find(&known, ""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dockers_times_are_read_to_the_nanosecond),
        cmocka_unit_test(an_inspection_without_identity_is_odd),
        cmocka_unit_test(what_an_inspection_says_is_read),
        cmocka_unit_test(a_journal_is_read_as_it_was_written),
        cmocka_unit_test(other_names_are_no_journals),
        cmocka_unit_test(each_state_has_its_repair),
        cmocka_unit_test(a_sibling_is_started_or_reported_and_only_that),
        cmocka_unit_test(times_that_prove_nothing_are_told_apart),
        cmocka_unit_test(attempts_get_rarer_and_calm_clears_them),
        cmocka_unit_test(who_is_in_scope_is_found_by_name_or_id),
        cmocka_unit_test(only_what_is_gone_is_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
