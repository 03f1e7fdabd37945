/* Unit tests of workers/watcher/path_survey: which questions it asks, and that a finding needs their answers (DISC-8).
 */
#include "common/log.h"
#include "common/text.h"
#include "workers/watcher/path_survey.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define TRANSIT "7777"
#define ANOTHER "aaaa"
#define WEB     "11"
#define ANCHOR  "22"

static struct path_survey *survey;
static struct container_table table;

static int setup(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_ERROR); /* what it says is shown in tests/netns */
    return path_survey_new(&survey);
}

static int teardown(void **state)
{
    (void)state;
    survey = path_survey_free(survey);
    container_table_release(&table);
    memset(&table, 0, sizeof(table));
    return 0;
}

/* A backend on transit with an IPv4 address. */
static struct docker_container backend(const char *id)
{
    struct docker_container container = {.is_running = true, .tells_network_mode = true, .endpoint_count = 1};

    text_copy_cut(container.id, sizeof(container.id), id);
    (void)snprintf(container.name, sizeof(container.name), "name-%s", id);
    container.labels[WATCHED_LABEL_EXPOSE].is_present = true;
    text_copy_cut(container.labels[WATCHED_LABEL_EXPOSE].text, sizeof(container.labels[WATCHED_LABEL_EXPOSE].text),
                  "tcp/80");
    text_copy_cut(container.endpoints[0].network_id, sizeof(container.endpoints[0].network_id), TRANSIT);
    assert_int_equal(ip_address_parse("172.30.0.5", &container.endpoints[0].address4), 0);
    return container;
}

static void put(const struct docker_container *container)
{
    struct label_fault fault;

    assert_int_equal(container_table_put(&table, container, &fault), 0);
}

static void run(void)
{
    static const struct docker_version engine = {.engine = "28.5.2", .api = 51};

    path_survey_run(survey, &table, &engine);
}

/* The survey's clock, in monotonic microseconds. */
static uint64_t now;

static void expect_question(enum path_question_kind kind, const char *id)
{
    const struct path_question *question = path_survey_ask(survey, now);

    assert_int_equal(question->kind, kind);
    if (kind == PATH_QUESTION_NETWORK)
        assert_string_equal(question->id, id);
}

/* The shared network, with or without a gateway of ours. */
static void set_transit(bool has_gateway)
{
    static const struct mac_address mac = {{2, 0, 0, 0, 0, 2}};
    struct docker_network network = {.id = TRANSIT, .name = "transit", .driver = "bridge", .subnet_count = 1};

    assert_int_equal(ip_subnet_parse("172.30.0.0/24", &network.subnets[0].subnet), 0);
    if (has_gateway)
        assert_int_equal(ip_address_parse("172.30.0.2", &network.subnets[0].auxiliary_gateway), 0);
    path_survey_set_shared(survey, &network, &mac);
}

static void end_joined(const struct docker_container *joined, int error)
{
    if (path_survey_next_due(survey) < UINT64_MAX)
        now = path_survey_next_due(survey);
    expect_question(PATH_QUESTION_JOINED, "");
    if (joined)
        path_survey_consider(survey, joined);
    path_survey_end_question(survey, error, "denied");
    run();
}

static void answer_joined(const struct docker_container *joined)
{
    end_joined(joined, 0);
}

static size_t count(void)
{
    size_t found;

    (void)path_survey_findings(survey, &found);
    return found;
}

static const struct path_finding *only_finding(void)
{
    size_t found;
    const struct path_finding *findings = path_survey_findings(survey, &found);

    assert_int_equal(found, 1);
    return findings;
}

static void a_sound_backend_costs_no_question(void **state)
{
    struct docker_container web = backend(WEB);

    (void)state;
    put(&web);
    set_transit(true);
    run();
    expect_question(PATH_QUESTION_NONE, "");
    text_copy_cut(web.id, sizeof(web.id), "12");
    put(&web);
    run();
    expect_question(PATH_QUESTION_NONE, "");
    assert_int_equal(count(), 0);
}

static void a_finding_needs_every_answer(void **state)
{
    struct docker_container web = backend(WEB);

    (void)state;
    put(&web);
    set_transit(false);
    run();
    assert_int_equal(count(), 0);
    answer_joined(NULL);
    assert_int_equal(only_finding()->fault, RETURN_PATH_NO_GATEWAY);
    assert_string_equal(only_finding()->container, "name-" WEB);
    expect_question(PATH_QUESTION_NONE, "");
    container_table_release(&table);
    run();
    assert_int_equal(count(), 0);
}

/* What joins later ends it; what stands is kept while the answer is awaited. */
static void a_service_anchor_in_the_namespace_ends_it(void **state)
{
    struct docker_container web = backend(WEB);
    struct docker_container anchor = {.is_running = true, .id = ANCHOR, .name = "web-anchor", .joined_id = WEB};

    (void)state;
    put(&web);
    set_transit(false);
    run();
    answer_joined(NULL);
    path_survey_note_event(survey);
    run();
    assert_int_equal(only_finding()->fault, RETURN_PATH_NO_GATEWAY);
    answer_joined(&anchor);
    assert_int_equal(only_finding()->fault, RETURN_PATH_NO_GATEWAY);
    anchor.may_be_service_anchor = true;
    path_survey_note_event(survey);
    run();
    answer_joined(&anchor);
    assert_int_equal(count(), 0);
    anchor.health = DOCKER_HEALTH_UNHEALTHY;
    path_survey_note_event(survey);
    run();
    answer_joined(&anchor);
    assert_int_equal(only_finding()->fault, RETURN_PATH_ANCHOR_UNHEALTHY);
    assert_string_equal(only_finding()->other, "web-anchor");
}

static void what_is_denied_is_not_claimed(void **state)
{
    struct docker_container web = backend(WEB);

    (void)state;
    put(&web);
    set_transit(false);
    run();
    end_joined(NULL, -EACCES);
    expect_question(PATH_QUESTION_NONE, "");
    assert_int_equal(count(), 0);
    text_copy_cut(web.id, sizeof(web.id), "33");
    web.endpoint_count = 2;
    text_copy_cut(web.endpoints[1].network_id, sizeof(web.endpoints[1].network_id), ANOTHER);
    put(&web);
    run();
    expect_question(PATH_QUESTION_NETWORK, ANOTHER);
    path_survey_end_question(survey, -EACCES, "denied");
    run();
    expect_question(PATH_QUESTION_NONE, "");
    assert_int_equal(count(), 0);
}

static void a_labelled_service_anchor_is_known_by_its_command(void **state)
{
    struct docker_container anchor = backend(ANCHOR);

    (void)state;
    anchor.is_service_anchor = true;
    anchor.health = DOCKER_HEALTH_STARTING;
    put(&anchor);
    set_transit(false);
    run();
    expect_question(PATH_QUESTION_NONE, "");
    assert_int_equal(only_finding()->fault, RETURN_PATH_ANCHOR_STARTING);
    anchor.health = DOCKER_HEALTH_HEALTHY;
    put(&anchor);
    run();
    assert_int_equal(count(), 0);
}

/* More networks and containers than are kept: no question comes again and again. */
static void the_questions_come_to_an_end(void **state)
{
    size_t questions = 0;

    (void)state;
    set_transit(false);
    for (unsigned int i = 0; i < 400; i++) {
        struct docker_container web = backend("x");

        (void)snprintf(web.id, sizeof(web.id), "%x", i + 0x1000);
        web.endpoint_count = 2;
        (void)snprintf(web.endpoints[1].network_id, sizeof(web.endpoints[1].network_id), "%x", i % 200 + 0x8000);
        put(&web);
    }
    run();
    while (path_survey_ask(survey, now)->kind != PATH_QUESTION_NONE && questions < 2000) {
        struct path_question *question = path_survey_ask(survey, now);

        if (question->kind == PATH_QUESTION_NETWORK)
            question->network = (struct docker_network){.name = "n", .driver = "bridge"};
        path_survey_end_question(survey, 0, "");
        run();
        questions++;
    }
    assert_in_range(questions, 1, 1000);
    assert_in_range(count(), 1, PATH_FINDINGS_MAX);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_sound_backend_costs_no_question, setup, teardown),
        cmocka_unit_test_setup_teardown(a_finding_needs_every_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(a_service_anchor_in_the_namespace_ends_it, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_denied_is_not_claimed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_labelled_service_anchor_is_known_by_its_command, setup, teardown),
        cmocka_unit_test_setup_teardown(the_questions_come_to_an_end, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
