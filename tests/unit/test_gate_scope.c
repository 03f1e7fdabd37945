/* What the supervisor pins of requests to Docker (WALL-7): as libcurl and yajl write it, byte by byte. */
#include "daemon/role/gate_scope.h"

#include "protocol/validate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define OWN "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct configuration configuration;
static struct message_configure_gate message;

static int begin(void **state)
{
    (void)state;
    memset(&configuration, 0, sizeof(configuration));
    memset(&message, 0, sizeof(message));
    configuration.role = ROLE_NETWORK_ANCHOR;
    memcpy(configuration.project, "mail", 4);
    return 0;
}

static void a_project_is_one_label(void **state)
{
    (void)state;
    gate_scope_write(&configuration, "", &message);
    assert_string_equal(message.labels, "%22label%22%3A%5B%22com.docker.compose.project%3Dmail%22%5D");
    assert_string_equal(message.follow_target_path, "");
    assert_string_equal(message.own, "");
}

static void who_asks_for_everybody_is_told_of_us(void **state)
{
    (void)state;
    gate_scope_write(&configuration, OWN, &message);
    assert_string_equal(message.own, "%22id%22%3A%5B%22" OWN "%22%5D");
}

static void a_selector_is_written_as_json_and_for_a_query(void **state)
{
    (void)state;
    memcpy(configuration.label_selector, "a=x y\"\\/,b=,name=\x01\xc3\xb6", 21);
    gate_scope_write(&configuration, "", &message);
    assert_string_equal(message.labels,
                        "%22label%22%3A%5B%22a%3Dx%20y%5C%22%5C%5C%2F%22%2C%22b%22%2C%22name%3D%5Cu0001%C3%"
                        "B6%22%5D");
}

static void labels_that_docker_writes_over_are_not_for_events(void **state)
{
    (void)state;
    gate_scope_write(&configuration, "", &message);
    assert_string_equal(message.event_labels, "");
    begin(NULL);
    memcpy(configuration.label_selector, "a=b,name=front", 14);
    gate_scope_write(&configuration, "", &message);
    assert_string_equal(message.event_labels, "%22label%22%3A%5B%22anchord.expose%22%5D");
}

static void without_a_scope_nothing_is_let_through(void **state)
{
    const char *reason = NULL;

    (void)state;
    memset(configuration.project, 0, sizeof(configuration.project));
    gate_scope_write(&configuration, "", &message);
    assert_string_equal(message.labels, "");
    message.header = message_header_make(MESSAGE_CONFIGURE_GATE, sizeof(message), 0);
    memcpy(message.docker_socket, "/x", 2);
    assert_true(message_validate(DIRECTION_SUPERVISOR_TO_GATE, &message, sizeof(message), false, &reason) < 0);
    assert_string_equal(reason, "no scope");
}

static void a_follower_names_a_network_and_a_service(void **state)
{
    (void)state;
    configuration.role = ROLE_EXTERNAL_REBINDER;
    memcpy(configuration.follow_network, "shop/\"net", 9);
    memcpy(configuration.follow_target, "web", 3);
    gate_scope_write(&configuration, "", &message);
    assert_string_equal(message.labels, "%22label%22%3A%5B%22com.docker.compose.project%3Dmail%22%2C%22com."
                                        "docker.compose.service%3Dweb%22%5D");
    assert_string_equal(message.follow_network, "shop%2F%5C%22net");
    assert_string_equal(message.follow_network_path, "shop%2F%22net");
    assert_string_equal(message.follow_target_path, "web");
}

/* Each byte becomes eight, and the whole has its end. */
static void the_longest_texts_have_room(void **state)
{
    const char *reason = NULL;

    (void)state;
    configuration.role = ROLE_EXTERNAL_REBINDER;
    memset(configuration.project, 1, sizeof(configuration.project) - 1);
    memset(configuration.follow_network, 1, sizeof(configuration.follow_network) - 1);
    memset(configuration.follow_target, 1, sizeof(configuration.follow_target) - 1);
    gate_scope_write(&configuration, "", &message);
    assert_string_equal(message.labels + strlen(message.labels) - 14, "%5Cu0001%22%5D");
    assert_int_equal(strlen(message.follow_network), 8 * (NAME_SIZE - 1));
    begin(NULL);
    configuration.label_selector[0] = 'a';
    configuration.label_selector[1] = '=';
    memset(configuration.label_selector + 2, 1, LABEL_SELECTOR_SIZE - 3);
    gate_scope_write(&configuration, "", &message);
    assert_string_equal(message.labels + strlen(message.labels) - 14, "%5Cu0001%22%5D");
    message.header = message_header_make(MESSAGE_CONFIGURE_GATE, sizeof(message), 0);
    memcpy(message.docker_socket, "/x", 2);
    assert_int_equal(message_validate(DIRECTION_SUPERVISOR_TO_GATE, &message, sizeof(message), false, &reason), 0);
    message.labels[0] = '"';
    assert_true(message_validate(DIRECTION_SUPERVISOR_TO_GATE, &message, sizeof(message), false, &reason) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_project_is_one_label, begin),
        cmocka_unit_test_setup(who_asks_for_everybody_is_told_of_us, begin),
        cmocka_unit_test_setup(a_selector_is_written_as_json_and_for_a_query, begin),
        cmocka_unit_test_setup(labels_that_docker_writes_over_are_not_for_events, begin),
        cmocka_unit_test_setup(without_a_scope_nothing_is_let_through, begin),
        cmocka_unit_test_setup(a_follower_names_a_network_and_a_service, begin),
        cmocka_unit_test_setup(the_longest_texts_have_room, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
