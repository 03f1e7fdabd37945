/* Unit tests of the gate: the first messages of resolver and keeper, and what the resolver reports. */
#include "common/log.h"
#include "protocol/managed_target.h"
#include "tests/unit/validate_case.h"

static const struct wire_address good_address = {.family = 4, .bytes = {192, 0, 2, 7}};

static void begin_gateways(void)
{
    begin(MESSAGE_GATEWAYS, sizeof(struct message_gateways));
    message.gateways.v4 = (struct wire_lookup){.outcome = LOOKUP_ANSWERED, .count = 1};
    message.gateways.v4.addresses[0] = good_address;
    message.gateways.v6.outcome = LOOKUP_FAILED;
}

static void the_resolvers_messages_are_checked(void **state)
{
    const enum message_direction direction = DIRECTION_RESOLVER_TO_NETADMIN;

    (void)state;
    begin_gateways();
    assert_null(verdict(direction, 0));
    message.gateways.v6.outcome = LOOKUP_OUTCOME_MAX_;
    EXPECT_BROKEN(direction, "look-up outcome");
    begin_gateways();
    message.gateways.v4.outcome = LOOKUP_FAILED; /* and yet an address */
    EXPECT_BROKEN(direction, "look-up count");
    begin_gateways();
    message.gateways.v4.count = GATEWAYS_MAX;
    for (uint32_t i = 1; i < GATEWAYS_MAX; i++)
        message.gateways.v4.addresses[i] = good_address;
    assert_null(verdict(direction, 0));
    message.gateways.v4.count = GATEWAYS_MAX + 1;
    EXPECT_BROKEN(direction, "look-up count");
    begin_gateways();
    message.gateways.v4.count = 2; /* the second one is missing */
    EXPECT_BROKEN(direction, "look-up address family");
    begin_gateways();
    message.gateways.v4.count = 0; /* one too many */
    EXPECT_BROKEN(direction, "look-up address family");
    begin_gateways();
    message.gateways.v4.addresses[GATEWAYS_MAX - 1] = good_address;
    EXPECT_BROKEN(direction, "look-up address family");
    begin_gateways();
    message.gateways.v4.addresses[0].bytes[4] = 1;
    EXPECT_BROKEN(direction, "address padding not zero");

    begin(MESSAGE_CONFIGURE_RESOLVER, sizeof(struct message_configure_resolver));
    message.resolver.interval_milliseconds = 5000;
    EXPECT_BROKEN(DIRECTION_SUPERVISOR_TO_RESOLVER, "host name");
    memset(message.resolver.host_name, 'x', HOST_NAME_SIZE);
    EXPECT_BROKEN(DIRECTION_SUPERVISOR_TO_RESOLVER, "host name");
    message.resolver.host_name[HOST_NAME_SIZE - 1] = '\0';
    assert_null(verdict(DIRECTION_SUPERVISOR_TO_RESOLVER, 0));
    message.resolver.interval_milliseconds = 0;
    EXPECT_BROKEN(DIRECTION_SUPERVISOR_TO_RESOLVER, "interval");
    message.resolver.interval_milliseconds = 5000;
    message.resolver.log_level = LOG_LEVEL_MAX_;
    EXPECT_BROKEN(DIRECTION_SUPERVISOR_TO_RESOLVER, "log level");
}

static void begin_configure_keeper(void)
{
    begin(MESSAGE_CONFIGURE_KEEPER, sizeof(struct message_configure_keeper));
    memcpy(message.keeper.docker_host, "unix:///run/docker.sock", 24);
    memcpy(message.keeper.asked_at, "unix:///run/anchord/gate/keeper", 32);
    memcpy(message.keeper.project, "mail", 5);
    message.keeper.role = ANCHOR_ROLE_WRAP_REBINDER;
    message.keeper.poll_interval_milliseconds = 30000;
}

static void the_keepers_configuration_is_checked(void **state)
{
    const enum message_direction direction = DIRECTION_SUPERVISOR_TO_KEEPER;

    (void)state;
    begin_configure_keeper();
    assert_null(verdict(direction, 0));
    message.keeper.is_successor = 1;
    assert_null(verdict(direction, 0));
    message.keeper.role = ANCHOR_ROLE_SERVICE;
    EXPECT_BROKEN(direction, "role");
    message.keeper.role = ANCHOR_ROLE_MAX_;
    EXPECT_BROKEN(direction, "role");
    begin_configure_keeper();
    memset(message.keeper.project, 'x', sizeof(message.keeper.project));
    EXPECT_BROKEN(direction, "string not terminated");
    begin_configure_keeper();
    message.keeper.docker_host[0] = '\0';
    EXPECT_BROKEN(direction, "empty string");
    begin_configure_keeper();
    message.keeper.asked_at[0] = '\0';
    EXPECT_BROKEN(direction, "empty string");
    begin_configure_keeper();
    message.keeper.project[0] = '\0';
    EXPECT_BROKEN(direction, "no scope");
    memcpy(message.keeper.label_selector, "identity=mail", sizeof("identity=mail"));
    EXPECT_BROKEN(direction, "label selector of a rebinder");
    message.keeper.role = ANCHOR_ROLE_NETWORK;
    assert_null(verdict(direction, 0));
    message.keeper.label_selector[0] = ',';
    EXPECT_BROKEN(direction, "label selector");
    memset(message.keeper.label_selector, 'x', sizeof(message.keeper.label_selector));
    EXPECT_BROKEN(direction, "string not terminated");
    begin_configure_keeper();
    message.keeper.poll_interval_milliseconds = 0;
    EXPECT_BROKEN(direction, "poll interval");
    begin_configure_keeper();
    message.keeper.is_successor = 2;
    EXPECT_BROKEN(direction, "is_successor");
    begin_configure_keeper();
    message.keeper.log_level = 77;
    EXPECT_BROKEN(direction, "log level");
    begin_configure_keeper();
    message.keeper.starts_siblings = 2;
    EXPECT_BROKEN(direction, "starts_siblings");
    begin_configure_keeper();
    message.keeper.repairs_dependents = 2;
    EXPECT_BROKEN(direction, "repairs_dependents");
    begin_configure_keeper();
    message.keeper.managed_count = 1;
    EXPECT_BROKEN(direction, "managed targets of a rebinder");
    message.keeper.role = ANCHOR_ROLE_NETWORK;
    assert_null(verdict(direction, 0));
    message.keeper.managed_count = MANAGED_TARGETS_MAX;
    assert_null(verdict(direction, 0));
    message.keeper.managed_count = MANAGED_TARGETS_MAX + 1;
    EXPECT_BROKEN(direction, "managed_count");
}

static void add(struct assignments *assignments, const char *key, const char *value)
{
    assert_int_equal(assignments_add(assignments, key, strlen(key), value, strlen(value)), 0);
}

static struct managed_target *begin_managed_target(void)
{
    struct managed_target *managed = &message.managed_target.managed;

    begin(MESSAGE_MANAGED_TARGET, sizeof(struct message_managed_target));
    managed->number = 2;
    memcpy(managed->target, "backend", 8);
    memcpy(managed->name, "backend-service-anchor", 23);
    return managed;
}

/* LIFE-2 */
static void a_managed_targets_names_and_gateways_are_checked(void **state)
{
    const enum message_direction direction = DIRECTION_SUPERVISOR_TO_KEEPER;
    struct managed_target *managed = begin_managed_target();

    (void)state;
    assert_null(verdict(direction, 0));
    managed->gateway4 = good_address;
    assert_null(verdict(direction, 0));
    managed->gateway4.bytes[4] = 1;
    EXPECT_BROKEN(direction, "address padding not zero");
    begin_managed_target()->gateway6 = good_address;
    EXPECT_BROKEN(direction, "gateway of the other family");
    begin_managed_target()->number = 0;
    EXPECT_BROKEN(direction, "number");
    begin_managed_target()->reserved = 1;
    EXPECT_BROKEN(direction, "number");
    memset(begin_managed_target()->target, 'x', NAME_SIZE);
    EXPECT_BROKEN(direction, "string not terminated");
    memset(begin_managed_target()->name, 'x', NAME_SIZE);
    EXPECT_BROKEN(direction, "string not terminated");
    memset(begin_managed_target()->image, 'x', IMAGE_NAME_SIZE);
    EXPECT_BROKEN(direction, "string not terminated");
    begin_managed_target()->target[0] = '\0';
    EXPECT_BROKEN(direction, "container name");
    begin_managed_target()->name[0] = '-';
    EXPECT_BROKEN(direction, "container name");
    begin_managed_target()->name[2] = '/';
    EXPECT_BROKEN(direction, "container name");
    memcpy(begin_managed_target()->name, "backend", 8);
    EXPECT_BROKEN(direction, "container name");
}

static void a_managed_targets_assignments_are_checked(void **state)
{
    const enum message_direction direction = DIRECTION_SUPERVISOR_TO_KEEPER;
    static const char *const reserved[] = {"anchord.managed-by", "anchord.replaces", "com.docker.compose.project"};
    struct managed_target *managed = begin_managed_target();

    (void)state;
    add(&managed->environment, "A", "b=c");
    add(&managed->labels, "anchord.expose", "tcp/25");
    add(&managed->labels, "anchord.managed-by-whom", "");
    assert_null(verdict(direction, 0));
    managed->environment.text[1] = '\0';
    EXPECT_BROKEN(direction, "assignment without a key");
    managed->environment.text[0] = '=';
    EXPECT_BROKEN(direction, "assignment without a key");
    managed = begin_managed_target();
    managed->labels.length = ASSIGNMENTS_SIZE + 1;
    EXPECT_BROKEN(direction, "assignments");
    managed = begin_managed_target();
    managed->labels.reserved = 1;
    EXPECT_BROKEN(direction, "assignments");
    managed = begin_managed_target();
    memset(managed->labels.text, 'x', ASSIGNMENTS_SIZE);
    EXPECT_BROKEN(direction, "assignments padding not zero");
    managed->labels.length = ASSIGNMENTS_SIZE;
    EXPECT_BROKEN(direction, "assignment not terminated");
    for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
        add(&begin_managed_target()->labels, reserved[i], "x");
        EXPECT_BROKEN(direction, "reserved label");
    }
}

static void assignments_have_a_limit(void **state)
{
    struct assignments assignments = {0};
    char value[ASSIGNMENTS_SIZE];

    (void)state;
    memset(value, 'v', sizeof(value));
    assert_int_equal(assignments_add(&assignments, "A", 1, value, ASSIGNMENTS_SIZE - 2), -ENOSPC);
    assert_int_equal(assignments.length, 0);
    assert_int_equal(assignments_add(&assignments, "", 0, "v", 1), -EINVAL);
    assert_int_equal(assignments_add(&assignments, "a=b", 3, "v", 1), -EINVAL);
    assert_int_equal(assignments_add(&assignments, "a", 1, "v\0w", 3), -EINVAL);
    assert_int_equal(assignments_add(&assignments, "A", 1, value, ASSIGNMENTS_SIZE - 3), 0);
    assert_int_equal(assignments.length, ASSIGNMENTS_SIZE);
    assert_int_equal(assignments_add(&assignments, "A", 1, "v", 1), -EEXIST);
    assert_null(assignments_check(&assignments));
    assert_null(assignments_next(&assignments, assignments_next(&assignments, NULL)));
}

static void begin_configure_follow(void)
{
    begin_configure_keeper();
    message.keeper.role = ANCHOR_ROLE_EXTERNAL_REBINDER;
    memcpy(message.keeper.follow.network, "peer-bus", 9);
    memcpy(message.keeper.follow.target, "monitor", 8);
    message.keeper.follow.steady_milliseconds = 3000;
    message.keeper.follow.settle_limit_milliseconds = 90000;
}

/* LIFE-5 */
static void whom_the_keeper_follows_is_checked(void **state)
{
    const enum message_direction direction = DIRECTION_SUPERVISOR_TO_KEEPER;

    (void)state;
    begin_configure_follow();
    assert_null(verdict(direction, 0));
    message.keeper.role = ANCHOR_ROLE_WRAP_REBINDER;
    EXPECT_BROKEN(direction, "follow without its role");
    begin_configure_follow();
    message.keeper.follow.network[0] = '\0';
    EXPECT_BROKEN(direction, "empty string");
    begin_configure_follow();
    message.keeper.follow.target[0] = '\0';
    EXPECT_BROKEN(direction, "empty string");
    begin_configure_follow();
    memset(message.keeper.follow.network, 'x', NAME_SIZE);
    EXPECT_BROKEN(direction, "string not terminated");
    begin_configure_follow();
    memset(message.keeper.follow.target, 'x', NAME_SIZE);
    EXPECT_BROKEN(direction, "string not terminated");
    begin_configure_follow();
    message.keeper.follow.restarts = 2;
    EXPECT_BROKEN(direction, "restarts");
    begin_configure_follow();
    message.keeper.follow.steady_milliseconds = 0;
    EXPECT_BROKEN(direction, "settling");
    begin_configure_follow();
    message.keeper.follow.settle_limit_milliseconds = 2999;
    EXPECT_BROKEN(direction, "settling");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_resolvers_messages_are_checked),
        cmocka_unit_test(the_keepers_configuration_is_checked),
        cmocka_unit_test(whom_the_keeper_follows_is_checked),
        cmocka_unit_test(a_managed_targets_names_and_gateways_are_checked),
        cmocka_unit_test(a_managed_targets_assignments_are_checked),
        cmocka_unit_test(assignments_have_a_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
