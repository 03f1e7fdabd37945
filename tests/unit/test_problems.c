/* Unit tests of the registry of problems, and of which of them are shown (SEE-1). */
#include "workers/control/problems.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "protocol/metrics.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#define SECOND MICROSECONDS_PER_SECOND

static const struct mac_address some_mac = {{2, 0, 0, 0, 0, 1}};

static void each_has_a_code_of_its_own_and_a_parent_that_there_is(void **state)
{
    char code[PROBLEM_CODE_SIZE];
    size_t index = 0;

    (void)state;
    assert_string_equal(problem_code(PROBLEM_LABEL_INVALID, code), "ANC0101");
    for (size_t i = 0; i < PROBLEM_INDEX_MAX_; i++) {
        const struct problem_definition *definition = problem_definition(i);
        size_t steps = 0;

        assert_in_range(definition->problem, 101, 999);
        assert_int_equal(problem_find((uint32_t)definition->problem, &index), 0);
        assert_int_equal(index, i); /* the first of its number: there is no other */
        assert_true(strlen(definition->title) > 10);
        assert_int_equal(definition->problem < 600, i < PROBLEMS_TOLD); /* doctor's come last */
        for (enum problem parent = definition->parent; parent != PROBLEM_NONE; steps++) {
            assert_int_equal(problem_find((uint32_t)parent, &index), 0);
            parent = problem_definition(index)->parent;
            assert_true(steps < PROBLEM_INDEX_MAX_); /* no circle */
        }
    }
    assert_int_equal(problem_find(0, &index), -EINVAL);
    assert_int_equal(problem_find(65535, &index), -EINVAL);
}

/* --- what is shown ---------------------------------------------------------------------------------------- */

struct shown {
    char text[1024];
    size_t count;
};

static int write_down(void *userdata, const struct shown_problem *problem)
{
    struct shown *shown = userdata;
    size_t length = strlen(shown->text);

    (void)snprintf(shown->text + length, sizeof(shown->text) - length, "%d %s|", (int)problem->definition->problem,
                   problem->object);
    shown->count++;
    return 0;
}

static const char *at(const struct view *view, uint64_t now)
{
    static struct shown shown;

    shown = (struct shown){0};
    assert_int_equal(problems_tell(view, now, write_down, &shown), 0);
    return shown.text;
}

static void nothing_known_is_nothing_wrong(void **state)
{
    static struct view view;

    (void)state;
    view_clear(&view);
    assert_int_equal(problems_note(&view, SECOND), UINT64_MAX);
    assert_string_equal(at(&view, 100 * SECOND), "");
}

/* What comes and goes at each start is shown once it lasts, and what follows from it not at all. */
static void causes_are_shown_and_not_what_follows(void **state)
{
    static struct view view;

    (void)state;
    view_clear(&view);
    view.report.gateways[FAMILY_INDEX_4].decision = 1;
    view.report.gateways[FAMILY_INDEX_4].is_expected = 1;
    view.supervision.leases[FAMILY_INDEX_4].state = LEASE_STATE_SEARCHING;
    assert_int_equal(problems_note(&view, 100 * SECOND), 110 * SECOND); /* the gateway's turn, then the lease's */
    assert_string_equal(at(&view, 109 * SECOND), "");
    assert_int_equal(problems_note(&view, 110 * SECOND), 120 * SECOND);
    assert_string_equal(at(&view, 119 * SECOND), ""); /* the gateway would come with the lease */
    assert_string_equal(at(&view, 120 * SECOND), "203 LAN|");
    view.report.external.mac = some_mac;
    assert_int_equal(problems_note(&view, 130 * SECOND), 135 * SECOND);
    assert_string_equal(at(&view, 130 * SECOND), "");
    assert_string_equal(at(&view, 135 * SECOND), "211 LAN|");
    view.report.external.index = 3;
    view.supervision.leases[FAMILY_INDEX_6].state = LEASE_STATE_HELD; /* a LAN of IPv6 alone */
    assert_int_equal(problems_note(&view, 140 * SECOND), UINT64_MAX);
    (void)snprintf(view.report.external.name, sizeof(view.report.external.name), "eth1");
    assert_string_equal(at(&view, 140 * SECOND), "301 eth1|");
    view.report.gateways[FAMILY_INDEX_4].is_expected = 0;
    (void)problems_note(&view, 150 * SECOND);
    assert_string_equal(at(&view, 150 * SECOND), "");
}

/* Each condition of readiness that is not met says so by a code of its own, or what has to come before it does. */
static void what_is_missing_to_be_ready_is_a_problem(void **state)
{
    static const struct {
        uint32_t required;
        uint32_t held;
        const char *shown;
    } rows[] = {
        {READINESS_DOCKER_CONNECTED, 0, "401 Docker|"},
        {READINESS_DOCKER_CONNECTED, READINESS_DOCKER_CONNECTED, ""},
        {READINESS_TABLES_INSTALLED | READINESS_RECONCILED, 0, "503 anchord|"},
        {READINESS_TABLES_INSTALLED | READINESS_RECONCILED, READINESS_TABLES_INSTALLED, "504 anchord|"},
        {READINESS_RECONCILED | READINESS_DOCKER_CONNECTED, 0, "401 Docker|"},
        {READINESS_ROUTE_INSTALLED | READINESS_LINKS_PRESENT, READINESS_LINKS_PRESENT, "309 anchord|"},
        {READINESS_ROUTE_INSTALLED | READINESS_LINKS_PRESENT, 0, "317 anchord|"},
        {READINESS_LINKS_MADE, 0, "329 anchord|"},
        {READINESS_WAYS_INSTALLED, 0, "330 anchord|"},
        {0, 0, ""},
    };
    static struct view view;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        view_clear(&view);
        view.report.external.index = 2;
        view.supervision.required = rows[i].required;
        view.supervision.conditions = rows[i].held;
        (void)problems_note(&view, SECOND);
        assert_string_equal(at(&view, 5 * SECOND), "");
        assert_string_equal(at(&view, 60 * SECOND), rows[i].shown);
    }
    view.report.external = (struct wire_reported_link){.mac = some_mac}; /* no table before the interface is there */
    view.supervision.required = READINESS_TABLES_INSTALLED;
    (void)problems_note(&view, SECOND);
    assert_string_equal(at(&view, 60 * SECOND), "211 LAN|");
}

/* It counts from the time on from which it holds without a break. */
static void a_break_begins_anew(void **state)
{
    static struct view view;

    (void)state;
    view_clear(&view);
    view.supervision.worker_count = 2;
    (void)snprintf(view.supervision.workers[1].name, sizeof(view.supervision.workers[1].name), "watcher");
    view.supervision.workers[1].state = WORKER_STATE_RESTARTING;
    assert_int_equal(problems_note(&view, 10 * SECOND), 15 * SECOND);
    view.supervision.workers[1].state = WORKER_STATE_RUNNING;
    assert_int_equal(problems_note(&view, 12 * SECOND), UINT64_MAX);
    view.supervision.workers[1].state = WORKER_STATE_RESTARTING;
    assert_int_equal(problems_note(&view, 14 * SECOND), 19 * SECOND);
    assert_string_equal(at(&view, 18 * SECOND), "");
    assert_string_equal(at(&view, 19 * SECOND), "501 watcher|");
    view_clear(&view);
}

static void restarts_are_shown_for_ten_minutes(void **state)
{
    static struct view view;
    struct wire_worker *worker = &view.supervision.workers[0];

    (void)state;
    view_clear(&view);
    view.supervision.worker_count = 1;
    (void)snprintf(worker->name, sizeof(worker->name), "watcher");
    worker->state = WORKER_STATE_RUNNING;
    worker->since = clock_real_nanoseconds() - UINT64_C(590) * NANOSECONDS_PER_SECOND;
    worker->restarts = 2;
    assert_int_equal(problems_note(&view, SECOND), UINT64_MAX);
    assert_string_equal(at(&view, SECOND), "");
    worker->restarts = 3;
    assert_in_range(problems_note(&view, SECOND), 2 * SECOND, 11 * SECOND + 1); /* then it is judged again */
    assert_string_equal(at(&view, SECOND), "502 watcher|");
    worker->state = WORKER_STATE_RESTARTING; /* not twice: it is not there */
    (void)problems_note(&view, SECOND);
    assert_string_equal(at(&view, 6 * SECOND), "501 watcher|");
    worker->state = WORKER_STATE_RUNNING;
    worker->since -= UINT64_C(11) * NANOSECONDS_PER_SECOND;
    assert_int_equal(problems_note(&view, SECOND), UINT64_MAX);
    assert_string_equal(at(&view, SECOND), "");
}

/* Three within ten minutes, counted from what the first report says. */
static void repairs_that_repeat_are_shown(void **state)
{
    static struct view view;

    (void)state;
    view_clear(&view);
    view.report.header.type = MESSAGE_NETWORK_REPORT;
    view.report.repairs = 7;
    assert_int_equal(problems_note(&view, SECOND), UINT64_MAX);
    view.report.repairs = 8;
    (void)problems_note(&view, 100 * SECOND);
    view.report.repairs = 9;
    (void)problems_note(&view, 200 * SECOND);
    assert_string_equal(at(&view, 200 * SECOND), "");
    view.report.repairs = 10;
    assert_int_equal(problems_note(&view, 699 * SECOND), 700 * SECOND);
    assert_string_equal(at(&view, 699 * SECOND), "320 anchord|");
    assert_string_equal(at(&view, 700 * SECOND), "");
    view.report.repairs = 2; /* another netadmin */
    assert_int_equal(problems_note(&view, 701 * SECOND), 1299 * SECOND);
    assert_string_equal(at(&view, 701 * SECOND), "320 anchord|");
}

static void the_supervisor_tells_what_it_lacks(void **state)
{
    static struct view view;

    (void)state;
    view_clear(&view);
    view.supervision.faults = SUPERVISOR_FAULT_ALL_;
    (void)problems_note(&view, SECOND);
    assert_string_equal(at(&view, SECOND), "212 anchord|508 anchord|511 anchord|");
    assert_string_equal(at(&view, 10 * SECOND), "331 anchord|212 anchord|508 anchord|511 anchord|");
}

static int refuse(void *userdata, const struct shown_problem *problem)
{
    (void)userdata;
    (void)problem;
    return -EPIPE;
}

static void findings_and_the_network_have_codes(void **state)
{
    static union {
        struct message_findings message;
        uint8_t bytes[sizeof(struct message_findings) + 3 * sizeof(struct wire_finding)];
    } buffer;
    static struct view view;
    struct wire_finding *items = buffer.message.items;
    struct message_commit commit = {.item_count = 3};

    (void)state;
    view_clear(&view);
    items[0] = (struct wire_finding){.kind = FINDING_EXPOSED, .container = "web"};
    items[1] = (struct wire_finding){.kind = FINDING_CONFLICT, .problem = PROBLEM_PORT_CONFLICT, .container = "mail"};
    items[2] = (struct wire_finding){.kind = FINDING_PROBLEM, .problem = PROBLEM_NOT_HEALTHY, .container = "db"};
    buffer.message.item_count = 3;
    view_begin_findings(&view.told[FINDINGS_OF_WATCHER], 0);
    assert_int_equal(view_add_findings(&view.told[FINDINGS_OF_WATCHER], &buffer.message), 0);
    assert_int_equal(view_commit_findings(&view.told[FINDINGS_OF_WATCHER], &commit), 0);
    view.report.problem_count = 1;
    view.report.problems[0].kind = NETWORK_PROBLEM_FORWARDING6;
    view.supervision.leases[FAMILY_INDEX_6].state = LEASE_STATE_REFUSED;
    assert_string_equal(at(&view, SECOND), "202 DHCP|304 LAN|102 mail|105 db|");
    assert_int_equal(problems_tell(&view, SECOND, refuse, NULL), -EPIPE);
    view_clear(&view);
}

/* The cell of a code holds one more than the value; 0 is no sample (SEE-1: unknown is never shown as good). */
static void the_metric_says_nothing_where_nobody_has_told(void **state)
{
    int descriptor = memfd_create("page", MFD_CLOEXEC);
    const struct metrics_page *page;
    static struct view view;

    (void)state;
    assert_int_equal(ftruncate(descriptor, METRICS_PAGE_SIZE), 0);
    assert_int_equal(metrics_open(dup(descriptor), METRICS_WRITER_CONTROL), 0);
    assert_int_equal(metrics_map(descriptor, METRICS_WRITER_CONTROL, &page), 0);
    view_clear(&view);
    problems_count(&view, SECOND);
    for (size_t i = 0; i < PROBLEMS_TOLD; i++)
        assert_int_equal(metrics_read(page, METRIC_PROBLEM, i), 0);
    view.told[FINDINGS_OF_WATCHER].has_told = true;
    view.supervision.header.type = MESSAGE_SUPERVISION;
    view.supervision.required = READINESS_TABLES_INSTALLED;
    view.supervision.leases[FAMILY_INDEX_4].state = LEASE_STATE_REFUSED;
    problems_count(&view, SECOND);
    assert_int_equal(metrics_read(page, METRIC_PROBLEM, PROBLEM_TOLD_LABEL_INVALID), 1);
    assert_int_equal(metrics_read(page, METRIC_PROBLEM, PROBLEM_TOLD_LEASE_REFUSED), 2);
    assert_int_equal(metrics_read(page, METRIC_PROBLEM, PROBLEM_TOLD_RULES_NOT_LOADED), 1);
    assert_int_equal(metrics_read(page, METRIC_PROBLEM, PROBLEM_TOLD_DOCKER_AWAY), 1);
    assert_int_equal(metrics_read(page, METRIC_PROBLEM, PROBLEM_TOLD_NO_WAY_OUT), 0); /* not asked in this role */
    assert_int_equal(metrics_read(page, METRIC_PROBLEM, PROBLEM_TOLD_DUPLICATE_ADDRESS), 0); /* no report yet */
    view_clear(&view);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_has_a_code_of_its_own_and_a_parent_that_there_is),
        cmocka_unit_test(nothing_known_is_nothing_wrong),
        cmocka_unit_test(causes_are_shown_and_not_what_follows),
        cmocka_unit_test(what_is_missing_to_be_ready_is_a_problem),
        cmocka_unit_test(a_break_begins_anew),
        cmocka_unit_test(restarts_are_shown_for_ten_minutes),
        cmocka_unit_test(repairs_that_repeat_are_shown),
        cmocka_unit_test(the_supervisor_tells_what_it_lacks),
        cmocka_unit_test(findings_and_the_network_have_codes),
        cmocka_unit_test(the_metric_says_nothing_where_nobody_has_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
