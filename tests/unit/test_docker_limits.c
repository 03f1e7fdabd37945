/*
 * Unit tests of the limits on what Docker's answers can make grow (workers/docker/records.h): each at the limit and one
 * past it. Those of labels, endpoints, depth, strings, events and subnets stand in test_docker_json.c.
 */
#include "workers/docker/records.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct docker_label_names no_labels = {.count = 0};

static struct {
    size_t container_count;
    size_t odd_count;
    struct docker_container container;
    struct docker_event event;
} seen;

static void on_container(void *userdata, const struct docker_container *container)
{
    (void)userdata;
    seen.container_count++;
    seen.container = *container;
}

static void on_odd(void *userdata, const char *id, const char *name, const char *reason)
{
    (void)userdata;
    (void)id;
    (void)name;
    assert_non_null(reason);
    seen.odd_count++;
}

static void on_event(void *userdata, const struct docker_event *event)
{
    (void)userdata;
    seen.event = *event;
}

/*
 * Feeds the opening of a document and then strings that no rule asks for, until it is `length` bytes long and still not
 * over. Returns what the last bytes brought.
 */
static int feed_document(struct docker_parser *parser, const char *opening, size_t length)
{
    char piece[4096];
    size_t left = length - strlen(opening);
    int result = docker_parser_feed(parser, opening, strlen(opening));

    memset(piece, 'x', sizeof(piece));
    piece[0] = '"';
    piece[sizeof(piece) - 2] = '"';
    piece[sizeof(piece) - 1] = ',';
    for (; result == 0 && left >= sizeof(piece); left -= sizeof(piece))
        result = docker_parser_feed(parser, piece, sizeof(piece));
    memset(piece, ' ', sizeof(piece));
    return result < 0 || left == 0 ? result : docker_parser_feed(parser, piece, left);
}

static struct docker_parser *new_container_parser(void)
{
    struct docker_parser *parser = NULL;

    memset(&seen, 0, sizeof(seen));
    assert_int_equal(docker_parser_new_containers(&no_labels, on_container, on_odd, NULL, &parser), 0);
    return parser;
}

static void a_list_has_a_limit(void **state)
{
    (void)state;
    for (size_t past = 0; past <= 1; past++) {
        CLEANUP(docker_parser_freep) struct docker_parser *parser = new_container_parser();

        assert_int_equal(feed_document(parser, "[[", DOCKER_LIST_LENGTH_MAX + past), past ? -EMSGSIZE : 0);
    }
}

static void a_network_has_a_limit(void **state)
{
    (void)state;
    for (size_t past = 0; past <= 1; past++) {
        CLEANUP(docker_parser_freep) struct docker_parser *parser = NULL;
        struct docker_network network;

        assert_int_equal(docker_parser_new_network(&network, NULL, NULL, &parser), 0);
        assert_int_equal(feed_document(parser, "{\"Peers\":[", DOCKER_NETWORK_LENGTH_MAX + past), past ? -EMSGSIZE : 0);
    }
}

static void an_inspected_container_has_a_limit(void **state)
{
    (void)state;
    for (size_t past = 0; past <= 1; past++) {
        CLEANUP(docker_parser_freep) struct docker_parser *parser = NULL;
        struct docker_inspection inspection;

        assert_int_equal(docker_parser_new_inspection(&inspection, &parser), 0);
        assert_int_equal(feed_document(parser, "{\"Args\":[", DOCKER_CONTAINER_LENGTH_MAX + past),
                         past ? -EMSGSIZE : 0);
    }
}

static void a_version_has_a_limit(void **state)
{
    (void)state;
    for (size_t past = 0; past <= 1; past++) {
        CLEANUP(docker_parser_freep) struct docker_parser *parser = NULL;
        struct docker_version version;

        assert_int_equal(docker_parser_new_version(&version, &parser), 0);
        assert_int_equal(feed_document(parser, "{\"Components\":[", DOCKER_VERSION_LENGTH_MAX + past),
                         past ? -EMSGSIZE : 0);
    }
}

/* A list of one container with an ID and a name of so many letters. */
static void parse_container(size_t id_length, size_t name_length)
{
    CLEANUP(docker_parser_freep) struct docker_parser *parser = new_container_parser();
    char letters[2 * NAME_SIZE];
    char text[3 * NAME_SIZE];

    memset(letters, 'a', sizeof(letters));
    (void)snprintf(text, sizeof(text), "[{\"Id\":\"%.*s\",\"Names\":[\"/%.*s\"]}]", (int)id_length, letters,
                   (int)name_length, letters);
    assert_int_equal(docker_parser_feed(parser, text, strlen(text)), 0);
    assert_int_equal(docker_parser_finish(parser), 0);
}

static void an_id_has_a_limit(void **state)
{
    (void)state;
    parse_container(DOCKER_ID_SIZE - 1, 1);
    assert_int_equal(seen.container_count, 1);
    assert_int_equal(strlen(seen.container.id), DOCKER_ID_SIZE - 1);
    parse_container(DOCKER_ID_SIZE, 1);
    assert_int_equal(seen.container_count, 0);
    assert_int_equal(seen.odd_count, 1);
}

/* A container's name is for people: a longer one is cut, and its ports still work. */
static void a_containers_name_is_cut(void **state)
{
    (void)state;
    /* Docker's slash is read first and left away. */
    parse_container(2, NAME_SIZE - 2);
    assert_int_equal(strlen(seen.container.name), NAME_SIZE - 2);
    parse_container(2, NAME_SIZE - 1);
    assert_int_equal(seen.container_count + seen.odd_count, 1);
    assert_true(strlen(seen.container.name) < NAME_SIZE);
}

/* A list of one container on a network with a name of so many letters. */
static void parse_attached_to(size_t length)
{
    CLEANUP(docker_parser_freep) struct docker_parser *parser = new_container_parser();
    char letters[2 * NAME_SIZE];
    char text[3 * NAME_SIZE];

    memset(letters, 'n', sizeof(letters));
    (void)snprintf(text, sizeof(text), "[{\"Id\":\"aa\",\"NetworkSettings\":{\"Networks\":{\"%.*s\":{}}}}]",
                   (int)length, letters);
    assert_int_equal(docker_parser_feed(parser, text, strlen(text)), 0);
    assert_int_equal(docker_parser_finish(parser), 0);
}

static void a_networks_name_has_a_limit(void **state)
{
    (void)state;
    parse_attached_to(NAME_SIZE - 1);
    assert_int_equal(seen.container_count, 1);
    assert_int_equal(strlen(seen.container.endpoints[0].network), NAME_SIZE - 1);
    parse_attached_to(NAME_SIZE);
    assert_int_equal(seen.container_count, 0);
    assert_int_equal(seen.odd_count, 1);
}

static void parse_action(size_t length)
{
    CLEANUP(docker_parser_freep) struct docker_parser *parser = NULL;
    char letters[2 * DOCKER_ACTION_SIZE];
    char text[4 * DOCKER_ACTION_SIZE];

    memset(&seen, 0, sizeof(seen));
    memset(letters, 'a', sizeof(letters));
    (void)snprintf(text, sizeof(text), "{\"Type\":\"container\",\"Action\":\"%.*s\",\"Actor\":{\"ID\":\"aa\"}}",
                   (int)length, letters);
    assert_int_equal(docker_parser_new_events(&no_labels, on_event, NULL, &parser), 0);
    assert_int_equal(docker_parser_feed(parser, text, strlen(text)), 0);
}

/* Docker knows none that long, so it is none that we act on. */
static void an_action_has_a_limit(void **state)
{
    (void)state;
    parse_action(DOCKER_ACTION_SIZE - 1);
    assert_int_equal(strlen(seen.event.action), DOCKER_ACTION_SIZE - 1);
    parse_action(DOCKER_ACTION_SIZE);
    assert_true(strlen(seen.event.action) < DOCKER_ACTION_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_has_a_limit),
        cmocka_unit_test(a_network_has_a_limit),
        cmocka_unit_test(an_inspected_container_has_a_limit),
        cmocka_unit_test(a_version_has_a_limit),
        cmocka_unit_test(an_id_has_a_limit),
        cmocka_unit_test(a_containers_name_is_cut),
        cmocka_unit_test(a_networks_name_has_a_limit),
        cmocka_unit_test(an_action_has_a_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
