/*
 * Unit tests of what is read of labels, in lists and in events (DISC-2): those that are kept, the selector, and what
 * was read of the one before.
 */
#include "workers/docker/client.h"

#include "common/cleanup.h"
#include "workers/docker/json_reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID_N "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

static struct {
    size_t container_count;
    size_t odd_count;
    size_t event_count;
    struct docker_container containers[2];
    struct docker_event events[2];
} seen;

static void on_container(void *userdata, const struct docker_container *container)
{
    (void)userdata;
    assert_true(seen.container_count < ARRAY_LENGTH(seen.containers));
    seen.containers[seen.container_count++] = *container;
}

static void on_odd(void *userdata, const char *id, const char *name, const char *reason)
{
    (void)userdata;
    (void)id;
    (void)name;
    (void)reason;
    seen.odd_count++;
}

static void on_event(void *userdata, const struct docker_event *event)
{
    (void)userdata;
    assert_true(seen.event_count < ARRAY_LENGTH(seen.events));
    seen.events[seen.event_count++] = *event;
}

static void parse_containers(const struct docker_label_names *names, const char *text)
{
    CLEANUP(docker_parser_freep) struct docker_parser *parser = NULL;

    memset(&seen, 0, sizeof(seen));
    assert_int_equal(docker_parser_new_containers(names, on_container, on_odd, NULL, &parser), 0);
    assert_int_equal(docker_parser_feed(parser, text, strlen(text)), 0);
    assert_int_equal(docker_parser_finish(parser), 0);
}

static void parse_events(const struct docker_label_names *names, const char *text)
{
    CLEANUP(docker_parser_freep) struct docker_parser *parser = NULL;

    memset(&seen, 0, sizeof(seen));
    assert_int_equal(docker_parser_new_events(names, on_event, NULL, &parser), 0);
    assert_int_equal(docker_parser_feed(parser, text, strlen(text)), 0);
    assert_int_equal(docker_parser_finish(parser), 0);
}

/* A list of two, and two events, with these labels: the second shows what is left of the first. */
static void parse_both(const struct docker_label_names *names, bool are_events, const char *first, const char *second)
{
    char text[4096];

    (void)snprintf(text, sizeof(text),
                   are_events ? "{\"Type\":\"container\",\"Actor\":{\"Attributes\":{%s}}}"
                                "{\"Type\":\"container\",\"Actor\":{\"Attributes\":{%s}}}"
                              : "[{\"Id\":\"" ID_A "\",\"Labels\":{%s}},{\"Id\":\"" ID_A "\",\"Labels\":{%s}}]",
                   first, second);
    if (are_events)
        parse_events(names, text);
    else
        parse_containers(names, text);
}

static bool is_selected(bool is_event, size_t index)
{
    return is_event ? seen.events[index].is_selected : seen.containers[index].is_selected;
}

static void a_selector_wants_all_of_its_pairs(void **state)
{
    static const struct {
        const char *labels;
        bool is_selected;
    } cases[] = {
        {"\"a\":\"1\",\"b\":\"2\"", true},
        {"\"b\":\"2\",\"c\":\"3\",\"a\":\"1\"", true},
        {"\"a\":\"1\"", false},
        {"\"b\":\"2\"", false},
        {"\"a\":\"1\",\"b\":\"1\"", false},
        {"\"a\":\"1\",\"b\":2", false},
        {"", false},
    };
    struct label_selector selector;
    struct label_selector_error error;
    const struct docker_label_names names = {.selector = &selector};

    (void)state;
    assert_int_equal(label_selector_parse("a=1, b=2", &selector, &error), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        for (int is_event = 0; is_event <= 1; is_event++) {
            parse_both(&names, is_event, cases[i].labels, cases[i].labels);
            assert_int_equal(is_selected(is_event, 0), cases[i].is_selected);
            assert_int_equal(is_selected(is_event, 1), cases[i].is_selected);
            parse_both(&names, is_event, "\"a\":\"1\"", "\"b\":\"2\"");
            assert_false(is_selected(is_event, 1));
        }
    }
}

/* Docker writes the container's own over `name` and `image`: the list will judge. */
static void what_an_event_cannot_tell_counts_as_right(void **state)
{
    struct label_selector selector;
    struct label_selector_error error;
    const struct docker_label_names names = {.selector = &selector};

    (void)state;
    assert_int_equal(label_selector_parse("a=1, image=x, name=y", &selector, &error), 0);
    parse_both(&names, true, "\"a\":\"1\",\"name\":\"web\",\"image\":\"i\"", "\"name\":\"y\",\"image\":\"x\"");
    assert_true(seen.events[0].is_selected);
    assert_false(seen.events[1].is_selected);
    parse_both(&names, false, "\"a\":\"1\",\"name\":\"web\",\"image\":\"i\"",
               "\"a\":\"1\",\"name\":\"y\",\"image\":\"x\"");
    assert_false(seen.containers[0].is_selected);
    assert_true(seen.containers[1].is_selected);
}

/* As many as can be kept. */
static void labels_of_the_one_before_do_not_count(void **state)
{
    struct docker_label_names names = {.count = DOCKER_LABELS_MAX};
    char keys[DOCKER_LABELS_MAX][8];
    char text[DOCKER_LABELS_MAX * 16] = "";

    (void)state;
    for (size_t i = 0; i < DOCKER_LABELS_MAX; i++) {
        (void)snprintf(keys[i], sizeof(keys[i]), "k%zu", i);
        names.names[i] = keys[i];
        (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s\"k%zu\":\"v%zu\"", i ? "," : "", i, i);
    }
    for (int is_event = 0; is_event <= 1; is_event++) {
        parse_both(&names, is_event, text, "");
        for (size_t i = 0; i < DOCKER_LABELS_MAX; i++) {
            const struct docker_label *first = is_event ? &seen.events[0].labels[i] : &seen.containers[0].labels[i];

            assert_true(first->is_present);
            assert_int_equal(first->text[1], keys[i][1]);
            assert_false((is_event ? &seen.events[1].labels[i] : &seen.containers[1].labels[i])->is_present);
        }
    }
    /* An event's label that is no text is empty, whatever the one before had. */
    parse_both(&names, true, "\"k0\":\"v0\"", "\"k0\":7");
    assert_true(seen.events[1].labels[0].is_present);
    assert_string_equal(seen.events[1].labels[0].text, "");
}

/* DISC-3: a label that looks like ours; the first one is named. */
static void an_unknown_label_is_named(void **state)
{
    static const char *const others[] = {"own.other", NULL};
    struct label_selector selector;
    struct label_selector_error error;
    const struct docker_label_names names = {
        .names = {"own.kept"}, .count = 1, .own_prefix = "own.", .other_names = others, .selector = &selector};

    (void)state;
    assert_int_equal(label_selector_parse("x=0, own.wanted=1", &selector, &error), 0);
    parse_both(
        &names, false,
        "\"own.kept\":\"\",\"own.wanted\":\"1\",\"own.other\":\"\",\"x\":\"\",\"own.first\":\"\",\"own.second\":\"\"",
        "\"own.kept\":\"\"");
    assert_string_equal(seen.containers[0].unknown_label, "own.first");
    assert_string_equal(seen.containers[1].unknown_label, "");
}

/* DISC-3: nor is the prefix spelt by everybody; what others call their labels is theirs. */
static void a_slip_in_the_prefix_is_named(void **state)
{
    const struct docker_label_names names = {
        .names = {"anchord.expose", "com.example"}, .count = 2, .own_prefix = "anchord."};

    (void)state;
    parse_both(&names, false, "\"anchor.expose\":\"\"", "\"anchore.policy\":\"\",\"com.exampl\":\"\"");
    assert_string_equal(seen.containers[0].unknown_label, "anchor.expose");
    assert_string_equal(seen.containers[1].unknown_label, "");
    parse_both(&names, false, "\"Anchord-Expose\":\"\"", "\"xnchord.expose\":\"\"");
    assert_string_equal(seen.containers[0].unknown_label, "");
    assert_string_equal(seen.containers[1].unknown_label, "");
    parse_both(&names, true, "\"anchord-expose\":\"\"", "\"anchord.expose\":\"\"");
    assert_true(seen.events[0].has_unknown_label);
    assert_false(seen.events[1].has_unknown_label);
}

static void a_link_is_no_name(void **state)
{
    static const struct docker_label_names none;

    (void)state;
    parse_containers(&none, "[{\"Id\":\"" ID_A "\",\"Names\":[\"/web\",\"/db/alias\"]},"
                            "{\"Id\":\"" ID_A "\",\"Names\":[\"/db/alias\",\"/web\"]}]");
    assert_string_equal(seen.containers[0].name, "web");
    assert_string_equal(seen.containers[1].name, "web");
}

static void what_should_be_an_object_is_one(void **state)
{
    static const struct docker_label_names none;
    static const char *const fields[] = {"\"Labels\":%s", "\"NetworkSettings\":%s",
                                         "\"NetworkSettings\":{\"Networks\":%s}"};
    static const struct {
        const char *value;
        bool is_odd;
    } cases[] = {{"null", false}, {"{}", false}, {"7", true}, {"\"x\"", true}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(fields) * ARRAY_LENGTH(cases); i++) {
        const char *field = fields[i % ARRAY_LENGTH(fields)];
        char text[256];
        int at = snprintf(text, sizeof(text), "[{\"Id\":\"" ID_A "\",%.*s%s%s}]", (int)(strstr(field, "%s") - field),
                          field, cases[i / ARRAY_LENGTH(fields)].value, strstr(field, "%s") + 2);

        assert_true(at > 0 && (size_t)at < sizeof(text));
        parse_containers(&none, text);
        assert_int_equal(seen.odd_count, cases[i / ARRAY_LENGTH(fields)].is_odd);
        assert_int_equal(seen.container_count, !cases[i / ARRAY_LENGTH(fields)].is_odd);
    }
}

/* DISC-6: Docker's network events; the actor is the network, whether a container is named or not. */
static void a_network_event_is_of_its_actor(void **state)
{
    static const struct docker_label_names none;

    (void)state;
    parse_events(&none, "{\"Type\":\"network\",\"Action\":\"create\",\"Actor\":{\"ID\":\"" ID_N
                        "\",\"Attributes\":{\"name\":\"transit\",\"type\":\"bridge\"}}}"
                        "{\"Type\":\"network\",\"Action\":\"connect\",\"Actor\":{\"ID\":\"" ID_N
                        "\",\"Attributes\":{\"name\":\"transit\",\"container\":\"" ID_A "\"}}}");
    assert_int_equal(seen.event_count, 2);
    assert_string_equal(seen.events[0].container_id, "");
    assert_string_equal(seen.events[0].network_id, ID_N);
    assert_string_equal(seen.events[1].container_id, ID_A);
    assert_string_equal(seen.events[1].network_id, ID_N);
}

/* LIFE-1, DISC-5: `container:` and an ID; a network's name may begin alike. */
static void who_joins_another_is_told(void **state)
{
    static const struct docker_label_names none;
    static const struct {
        const char *mode, *joined_id;
        bool joins_another;
    } cases[] = {
        {"\"container:" ID_N "\"", ID_N, true},  {"\"container:web\"", "", true}, {"\"container:\"", "", false},
        {"\"containers" ID_N "\"", "", false},   {"\"cont\"", "", false},         {"7", "", false},
        {"[\"container:" ID_N "\"]", "", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char text[256];

        (void)snprintf(text, sizeof(text), "[{\"Id\":\"" ID_A "\",\"HostConfig\":{\"NetworkMode\":%s}}]",
                       cases[i].mode);
        parse_containers(&none, text);
        assert_int_equal(seen.container_count, 1);
        assert_int_equal(seen.containers[0].joins_another, cases[i].joins_another);
        assert_string_equal(seen.containers[0].joined_id, cases[i].joined_id);
    }
}

/* A member's name ends where its string ends, not at a NUL inside. */
static void a_name_with_more_behind_it_is_another(void **state)
{
    static const struct docker_label_names none;

    (void)state;
    parse_containers(&none, "[{\"Id\":\"" ID_A "\",\"Id\\u0000x\":\"../..\",\"Idx\":\"../..\",\"I\":\"../..\"}]");
    assert_int_equal(seen.container_count, 1);
    assert_string_equal(seen.containers[0].id, ID_A);
}

/* Of a longer name of a member no more is kept than has room. */
static void a_long_name_is_harmless(void **state)
{
    static const struct docker_label_names none;

    (void)state;
    for (int length = JSON_KEY_SIZE - 1; length <= JSON_KEY_SIZE + 2; length++) {
        char letters[JSON_KEY_SIZE + 3] = {0};
        char text[2 * JSON_KEY_SIZE];

        memset(letters, 'k', (size_t)length);
        (void)snprintf(text, sizeof(text), "\"%s\":\"1\"", letters);
        parse_both(&none, false, text, "");
        assert_int_equal(seen.container_count, 2);
        assert_int_equal(seen.odd_count, 0);
    }
}

/* The limit is each event's own. */
static void a_stream_has_no_limit(void **state)
{
    static const struct docker_label_names none;
    static const char event[] =
        "{\"Type\":\"image\",\"Action\":\"pull\",\"from\":\"0123456789abcdef0123456789abcdef\"}\n";
    CLEANUP(docker_parser_freep) struct docker_parser *parser = NULL;

    (void)state;
    memset(&seen, 0, sizeof(seen));
    assert_int_equal(docker_parser_new_events(&none, on_event, NULL, &parser), 0);
    for (size_t fed = 0; fed < 2 * DOCKER_EVENT_LENGTH_MAX; fed += strlen(event))
        assert_int_equal(docker_parser_feed(parser, event, strlen(event)), 0);
    assert_int_equal(docker_parser_finish(parser), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_selector_wants_all_of_its_pairs),
        cmocka_unit_test(what_an_event_cannot_tell_counts_as_right),
        cmocka_unit_test(labels_of_the_one_before_do_not_count),
        cmocka_unit_test(an_unknown_label_is_named),
        cmocka_unit_test(a_slip_in_the_prefix_is_named),
        cmocka_unit_test(a_link_is_no_name),
        cmocka_unit_test(what_should_be_an_object_is_one),
        cmocka_unit_test(a_network_event_is_of_its_actor),
        cmocka_unit_test(who_joins_another_is_told),
        cmocka_unit_test(a_name_with_more_behind_it_is_another),
        cmocka_unit_test(a_long_name_is_harmless),
        cmocka_unit_test(a_stream_has_no_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
