/*
 * Unit tests of the gate (protocol/validate), configurations of watcher and netadmin: one good example and one bad case
 * per rule. Run by meson test, without any privilege.
 */
#include "tests/unit/validate_case.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "common/text.h"

static void begin_watcher_configuration(void)
{
    begin(MESSAGE_CONFIGURE_WATCHER, sizeof(struct message_configure_watcher));
    assert_int_equal(text_copy(message.watcher.docker_host, DOCKER_HOST_SIZE, "unix:///var/run/docker.sock"), 0);
    assert_int_equal(text_copy(message.watcher.asked_at, DOCKER_HOST_SIZE, "unix:///run/anchord/gate/watcher"), 0);
    assert_int_equal(text_copy(message.watcher.project, NAME_SIZE, "mail"), 0);
    message.watcher.address_mode = ADDRESS_MODE_BOOTSTRAP;
    message.watcher.poll_interval_milliseconds = 30000;
}

#define STRING(field_)                                                        \
    {                                                                         \
        offsetof(struct message_configure_watcher, field_),                   \
            sizeof(((const struct message_configure_watcher *)NULL)->field_), \
    }

static void the_watchers_configuration_is_checked(void **state)
{
    const enum message_direction direction = DIRECTION_SUPERVISOR_TO_WATCHER;
    static const struct {
        size_t offset, size;
    } strings[] = {
        STRING(docker_host),      STRING(asked_at),           STRING(project),        STRING(label_selector),
        STRING(external_network), STRING(external_interface), STRING(shared_network),
    };

    (void)state;
    begin_watcher_configuration();
    assert_null(verdict(direction, 0));
    for (size_t i = 0; i < ARRAY_LENGTH(strings); i++) {
        begin_watcher_configuration();
        memset(message.bytes + strings[i].offset, 'x', strings[i].size);
        EXPECT_BROKEN(direction, "string not terminated");
    }
    begin_watcher_configuration();
    message.watcher.docker_host[0] = '\0';
    EXPECT_BROKEN(direction, "empty string");
    begin_watcher_configuration();
    message.watcher.asked_at[0] = '\0';
    EXPECT_BROKEN(direction, "empty string");
    begin_watcher_configuration();
    message.watcher.project[0] = '\0';
    EXPECT_BROKEN(direction, "no scope");
    assert_int_equal(text_copy(message.watcher.label_selector, LABEL_SELECTOR_SIZE, "a=b, c="), 0);
    assert_null(verdict(DIRECTION_SUPERVISOR_TO_WATCHER, 0));
    assert_int_equal(text_copy(message.watcher.label_selector, LABEL_SELECTOR_SIZE, "a"), 0);
    EXPECT_BROKEN(direction, "label selector");
    begin_watcher_configuration();
    message.watcher.pinned_gateway4.family = IP_FAMILY_6;
    EXPECT_BROKEN(direction, "pinned gateway");
    begin_watcher_configuration();
    message.watcher.address_mode = ADDRESS_MODE_MAX_;
    EXPECT_BROKEN(direction, "address mode");
    begin_watcher_configuration();
    message.watcher.poll_interval_milliseconds = 0;
    EXPECT_BROKEN(direction, "poll interval");
    begin_watcher_configuration();
    message.watcher.log_level = 4;
    EXPECT_BROKEN(direction, "log level");
}

static void credentials_for_docker_are_checked(void **state)
{
    struct message_docker_credential *credential = (struct message_docker_credential *)&message;

    (void)state;
    begin(MESSAGE_DOCKER_CREDENTIAL, sizeof(*credential));
    credential->kind = DOCKER_CREDENTIAL_KEY;
    assert_null(verdict(DIRECTION_SUPERVISOR_TO_WATCHER, 1));
    credential->kind = DOCKER_CREDENTIAL_MAX_;
    assert_string_equal(verdict(DIRECTION_SUPERVISOR_TO_WATCHER, 1), "kind of credential");
}

static void begin_netadmin_configuration(void)
{
    begin(MESSAGE_CONFIGURE_NETADMIN, sizeof(struct message_configure_netadmin));
    message.netadmin.address_mode = ADDRESS_MODE_BOOTSTRAP;
    message.netadmin.role = ANCHOR_ROLE_NETWORK;
    message.netadmin.pinned_gateway4 = (struct wire_address){.family = 4, .bytes = {10, 99, 0, 1}};
}

static void netadmins_configuration_is_checked(void **state)
{
    const enum message_direction direction = DIRECTION_SUPERVISOR_TO_NETADMIN;

    (void)state;
    begin_netadmin_configuration();
    assert_null(verdict(direction, 0));
    message.netadmin.pinned_gateway4.bytes[4] = 1;
    EXPECT_BROKEN(direction, "address padding not zero");
    begin_netadmin_configuration();
    message.netadmin.pinned_gateway4.family = 5;
    EXPECT_BROKEN(direction, "address family");
    begin_netadmin_configuration();
    message.netadmin.pinned_gateway6 = message.netadmin.pinned_gateway4;
    EXPECT_BROKEN(direction, "pinned gateway of the other family");
    begin_netadmin_configuration();
    message.netadmin.address_mode = 0;
    EXPECT_BROKEN(direction, "address mode");
    message.netadmin.address_mode = ADDRESS_MODE_MAX_;
    EXPECT_BROKEN(direction, "address mode");
    message.netadmin.address_mode = ADDRESS_MODE_MAX_ - 1;
    assert_null(verdict(direction, 0));
    begin_netadmin_configuration();
    message.netadmin.claim_gateway = 1;
    assert_null(verdict(direction, 0));
    message.netadmin.claim_gateway = 2;
    EXPECT_BROKEN(direction, "claim_gateway");
    begin_netadmin_configuration();
    message.netadmin.role = 0;
    EXPECT_BROKEN(direction, "role");
    message.netadmin.role = ANCHOR_ROLE_MAX_;
    EXPECT_BROKEN(direction, "role");
    begin_netadmin_configuration();
    message.netadmin.log_level = 4;
    EXPECT_BROKEN(direction, "log level");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_watchers_configuration_is_checked),
        cmocka_unit_test(credentials_for_docker_are_checked),
        cmocka_unit_test(netadmins_configuration_is_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
