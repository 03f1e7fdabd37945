/* Unit tests of GET /version and of Docker's error answers (workers/docker/version_json.c). */
#include "workers/docker/client.h"

#include "common/cleanup.h"
#include "tests/unit/docker_feed.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static int negotiate(const char *text, struct docker_version *version)
{
    CLEANUP(docker_parser_freep) struct docker_parser *parser = NULL;
    const char *reason = NULL;
    int result;

    assert_int_equal(docker_parser_new_version(version, &parser), 0);
    result = docker_feed(parser, text);
    return result < 0 ? result : docker_version_negotiate(version, &reason);
}

static void the_api_version_is_negotiated(void **state)
{
    struct docker_version version;

    (void)state;
    assert_int_equal(negotiate("{\"Version\":\"28.5.2\",\"ApiVersion\":\"1.51\",\"MinAPIVersion\":\"1.24\"}", &version),
                     0);
    assert_int_equal(version.api_negotiated, 51);
    assert_string_equal(version.engine, "28.5.2");
    assert_int_equal(negotiate("{\"ApiVersion\":\"1.41\"}", &version), 0);
    assert_int_equal(version.api_negotiated, DOCKER_API_OLDEST);
    assert_int_equal(negotiate("{\"ApiVersion\":\"1.99\",\"MinAPIVersion\":\"1.57\"}", &version), 0);
    assert_int_equal(version.api_negotiated, DOCKER_API_NEWEST);
    assert_int_equal(negotiate("{\"ApiVersion\":\"1.99\",\"MinAPIVersion\":\"1.58\"}", &version), -EPROTONOSUPPORT);
    assert_int_equal(negotiate("{\"ApiVersion\":\"1.41\",\"MinAPIVersion\":\"1.48\"}", &version), -EPROTONOSUPPORT);
    assert_int_equal(negotiate("{\"ApiVersion\":\"1.40\"}", &version), -EPROTONOSUPPORT);
    assert_int_equal(negotiate("{\"ApiVersion\":\"2.0\"}", &version), -EBADMSG);
    assert_int_equal(negotiate("{\"ApiVersion\":\"2.51\"}", &version), -EBADMSG);
    assert_int_equal(negotiate("{\"ApiVersion\":\"1.\"}", &version), -EBADMSG);
    assert_int_equal(negotiate("{\"ApiVersion\":1.51}", &version), -EBADMSG);
    assert_int_equal(negotiate("{\"ApiVersion\":\"1.51\",\"MinAPIVersion\":\"1.51\"}", &version), 0);
    assert_int_equal(negotiate("{\"ApiVersion\":\"1.51\",\"MinAPIVersion\":\"\"}", &version), 0);
    assert_int_equal(negotiate("{\"ApiVersion\":\"1.51\",\"MinAPIVersion\":\"x\"}", &version), -EBADMSG);
    assert_int_equal(negotiate("{\"Version\":7,\"ApiVersion\":\"1.51\"}", &version), -EBADMSG);
    assert_int_equal(negotiate("{}", &version), -EBADMSG);
}

static void an_error_answer_says_why(void **state)
{
    static const char *const others[] = {"<html>", "{\"message\":7}", "{\"message\":\"no such\"", "[\"no such\"]"};
    char text[17];

    (void)state;
    text[16] = 'x';
    docker_error_message("{\"message\":\"no such\"}", 21, text, 16);
    assert_string_equal(text, "no such");
    docker_error_message("{\"message\":\"longer than the text\"}", 34, text, 16);
    assert_string_equal(text, "longer than the");
    docker_error_message("{\"message\":\"sixteen letters!\"}", 30, text, 16);
    assert_string_equal(text, "sixteen letters");
    assert_int_equal(text[16], 'x');
    for (size_t i = 0; i < ARRAY_LENGTH(others); i++) {
        docker_error_message(others[i], strlen(others[i]), text, 16);
        assert_string_equal(text, "");
    }
}

/* Docker Engine calls its own component "Engine". */
static void podman_is_known_by_its_component(void **state)
{
    static const char *const texts[] = {
        "{\"Platform\":{\"Name\":\"Docker Engine - Community\"},\"Components\":[{\"Name\":\"Engine\",\"Version\":"
        "\"28.5.2\"}],\"Version\":\"28.5.2\",\"ApiVersion\":\"1.51\",\"MinAPIVersion\":\"1.24\"}",
        "{\"Platform\":{\"Name\":\"linux/amd64/debian-unknown\"},\"Components\":[{\"Name\":\"Podman "
        "Engine\",\"Version\":"
        "\"5.8.6\",\"Details\":{\"APIVersion\":\"5.8.6\",\"MinAPIVersion\":\"4.0.0\"}},{\"Name\":\"Conmon\","
        "\"Version\":"
        "\"conmon version 2.1.13, commit: unknown\"}],\"Version\":\"5.8.6\",\"ApiVersion\":\"1.44\",\"MinAPIVersion\":"
        "\"1.24\"}",
        "{\"Components\":[{\"Name\":\"Podman Enginx\"},{\"Name\":\"Podman\"}],\"ApiVersion\":\"1.51\"}",
        "{\"Version\":\"Podman Engine\",\"ApiVersion\":\"1.51\"}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        CLEANUP(docker_parser_freep) struct docker_parser *parser = NULL;
        struct docker_version version;

        assert_int_equal(docker_parser_new_version(&version, &parser), 0);
        assert_int_equal(docker_feed(parser, texts[i]), 0);
        assert_int_equal(version.is_podman, i == 1);
        assert_int_equal(version.api, i == 1 ? 44 : 51);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_api_version_is_negotiated),
        cmocka_unit_test(an_error_answer_says_why),
        cmocka_unit_test(podman_is_known_by_its_component),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
