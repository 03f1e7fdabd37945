/* Unit tests of the parser that looks for a service-anchor's mode, and for nothing else, in an inspected container. */
#include "workers/docker/records.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static int parse_mode(const char *text, bool *is_service_anchor)
{
    CLEANUP(docker_parser_freep) struct docker_parser *parser = NULL;

    assert_int_equal(docker_parser_new_mode(is_service_anchor, &parser), 0);
    if (docker_parser_feed(parser, text, strlen(text) / 2) < 0 ||
        docker_parser_feed(parser, text + strlen(text) / 2, strlen(text) - strlen(text) / 2) < 0)
        return -EPROTO; /* no test expects it */
    return docker_parser_finish(parser);
}

/* DISC-8, SPEC 1: the mode is all that is read of an environment. */
static void the_mode_is_read_from_the_environment(void **state)
{
    bool is_service_anchor;

    (void)state;
    assert_int_equal(parse_mode("{\"Config\":{\"Env\":[\"A=b\",\"ANCHORD_MODE=service-anchor\"]}}", &is_service_anchor),
                     0);
    assert_true(is_service_anchor);
    assert_int_equal(
        parse_mode("{\"Config\":{\"Env\":[\"ANCHORD_MODE=service-anchors\",\"XANCHORD_MODE=service-anchor\",5]}}",
                   &is_service_anchor),
        0);
    assert_false(is_service_anchor);
    assert_int_equal(parse_mode("{\"Config\":{\"Env\":null}}", &is_service_anchor), 0);
    assert_false(is_service_anchor);
    assert_int_equal(parse_mode("{\"Id\":\"ab\"}", &is_service_anchor), -EBADMSG);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(the_mode_is_read_from_the_environment)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
