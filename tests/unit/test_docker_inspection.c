/*
 * Unit tests of the parser of an inspected container: a service-anchor's mode and the health, and nothing else; and of
 * what a list says of the mode, so that Docker's containers need no inspection.
 */
#include "workers/docker/records.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static int parse_inspection(const char *text, struct docker_inspection *inspection)
{
    CLEANUP(docker_parser_freep) struct docker_parser *parser = NULL;

    assert_int_equal(docker_parser_new_inspection(inspection, &parser), 0);
    if (docker_parser_feed(parser, text, strlen(text) / 2) < 0 ||
        docker_parser_feed(parser, text + strlen(text) / 2, strlen(text) - strlen(text) / 2) < 0)
        return -EPROTO; /* no test expects it */
    return docker_parser_finish(parser);
}

/* DISC-8, SPEC 1: the mode is all that is read of an environment. */
static void the_mode_is_read_from_the_environment(void **state)
{
    struct docker_inspection inspection;

    (void)state;
    assert_int_equal(parse_inspection("{\"Config\":{\"Env\":[\"A=b\",\"ANCHORD_MODE=service-anchor\"]}}", &inspection),
                     0);
    assert_true(inspection.is_service_anchor);
    assert_int_equal(
        parse_inspection("{\"Config\":{\"Env\":[\"ANCHORD_MODE=service-anchors\",\"XANCHORD_MODE=service-anchor\",5]}}",
                         &inspection),
        0);
    assert_false(inspection.is_service_anchor);
    assert_int_equal(parse_inspection("{\"Config\":{\"Env\":null}}", &inspection), 0);
    assert_false(inspection.is_service_anchor);
    assert_int_equal(parse_inspection("{\"Id\":\"ab\"}", &inspection), -EBADMSG);
}

static void expect_health(const char *state_member, enum docker_health health)
{
    struct docker_inspection inspection;
    char text[256];

    (void)snprintf(text, sizeof(text), "{\"State\":%s,\"Config\":{\"Env\":[]}}", state_member);
    assert_int_equal(parse_inspection(text, &inspection), 0);
    assert_int_equal(inspection.health, health);
}

/* DISC-6, DISC-7: also while the container is paused. */
static void the_health_is_read_from_the_state(void **state)
{
    (void)state;
    expect_health("{\"Status\":\"paused\",\"Health\":{\"Status\":\"healthy\",\"Log\":[{\"Output\":\"unhealthy\"}]}}",
                  DOCKER_HEALTH_HEALTHY);
    expect_health("{\"Health\":{\"Status\":\"unhealthy\"},\"Status\":\"healthy\"}", DOCKER_HEALTH_UNHEALTHY);
    expect_health("{\"Health\":{\"Status\":\"starting\"}}", DOCKER_HEALTH_STARTING);
    expect_health("{\"Health\":{\"Status\":\"none\"}}", DOCKER_HEALTH_NONE);
    expect_health("{\"Health\":{\"Status\":\"healthier than any word we know\"}}", DOCKER_HEALTH_NONE);
    expect_health("{\"Health\":{\"Status\":3}}", DOCKER_HEALTH_NONE);
    expect_health("{\"Health\":null}", DOCKER_HEALTH_NONE);
    expect_health("null", DOCKER_HEALTH_NONE);
}

/* DISC-5: Podman's lists do not tell it. */
static void the_joined_container_is_read_from_the_network_mode(void **state)
{
    struct docker_inspection inspection;

    (void)state;
    assert_int_equal(
        parse_inspection("{\"HostConfig\":{\"NetworkMode\":\"container:8dfa\"},\"Config\":{}}", &inspection), 0);
    assert_string_equal(inspection.joined_id, "8dfa");
    assert_int_equal(
        parse_inspection("{\"HostConfig\":{\"NetworkMode\":\"container:web\"},\"Config\":{}}", &inspection), 0);
    assert_string_equal(inspection.joined_id, "");
    assert_int_equal(parse_inspection("{\"HostConfig\":{\"NetworkMode\":\"bridge\"},\"Config\":{}}", &inspection), 0);
    assert_string_equal(inspection.joined_id, "");
}

static bool may_be_service_anchor;

static void on_container(void *userdata, const struct docker_container *container)
{
    (void)userdata;
    may_be_service_anchor = container->may_be_service_anchor;
}

static void on_odd(void *userdata, const char *id, const char *name, const char *reason)
{
    (void)userdata;
    fail_msg("%s %s: %s", id, name, reason);
}

/* DISC-8, WALL-7: anchord's program without a role, which only the environment could name. */
static void a_role_that_no_argument_names_is_known_by_the_command(void **state)
{
    static const struct docker_label_names labels = {0};
    static const struct {
        const char *command;
        bool expected;
    } cases[] = {
        {"/usr/libexec/anchord/anchord-init", true},
        {"anchord", true},
        {"/usr/bin/anchord -v --x", true},
        {"/usr/bin/anchord -v service-anchor", true},
        {"/usr/bin/anchord service-anchor", true},
        {"/usr/bin/anchord network-anchor", false},
        {"/usr/bin/anchord -v network-anchor", false},
        {"/usr/bin/anchord-init-x", false},
        {"/anchord/server", false},
        {"/usr/bin/server /usr/bin/anchord", false},
        {"", false},
        {"/", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        CLEANUP(docker_parser_freep) struct docker_parser *parser = NULL;
        char text[128];

        (void)snprintf(text, sizeof(text), "[{\"Id\":\"8dfa\",\"Command\":\"%s\"}]", cases[i].command);
        may_be_service_anchor = !cases[i].expected;
        assert_int_equal(docker_parser_new_containers(&labels, on_container, on_odd, NULL, &parser), 0);
        assert_int_equal(docker_parser_feed(parser, text, strlen(text)), 0);
        assert_int_equal(docker_parser_finish(parser), 0);
        assert_int_equal(may_be_service_anchor, cases[i].expected);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(the_mode_is_read_from_the_environment),
                                              cmocka_unit_test(the_health_is_read_from_the_state),
                                              cmocka_unit_test(the_joined_container_is_read_from_the_network_mode),
                                              cmocka_unit_test(a_role_that_no_argument_names_is_known_by_the_command)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
