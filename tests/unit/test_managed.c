/* Unit tests of what the keeper knows of managed service-anchors, and what it has Docker make (LIFE-2, LIFE-3). */
#include "protocol/managed_target.h"
#include "workers/keeper/managed.h"
#include "workers/keeper/managed_body.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HARDENED                                                             \
    "\"RestartPolicy\":{\"Name\":\"unless-stopped\"},\"CapDrop\":[\"ALL\"]," \
    "\"CapAdd\":[\"NET_ADMIN\",\"SETUID\",\"SETGID\",\"SETPCAP\",\"KILL\"]," \
    "\"SecurityOpt\":[\"no-new-privileges\"],\"ReadonlyRootfs\":true,\"Tmpfs\":{\"/run\":\"\"}"

static struct managed_target target(const char *name)
{
    struct managed_target made = {.number = 1};

    (void)snprintf(made.target, sizeof(made.target), "backend");
    (void)snprintf(made.name, sizeof(made.name), "%s", name);
    return made;
}

static void a_set_has_a_limit_and_no_name_twice(void **state)
{
    static struct managed_set set;
    struct managed_target one = target("one");

    (void)state;
    assert_int_equal(managed_set_add(&set, &one, true), 0);
    assert_true(set.items[0].is_compared);
    assert_int_equal(managed_set_add(&set, &one, false), -EEXIST);
    for (size_t i = 1; i < MANAGED_TARGETS_MAX; i++) {
        char name[16];

        (void)snprintf(name, sizeof(name), "number-%zu", i);
        one = target(name);
        assert_int_equal(managed_set_add(&set, &one, false), 0);
    }
    one = target("more");
    assert_int_equal(managed_set_add(&set, &one, false), -ENOSPC);
    assert_ptr_equal(managed_set_find(&set, "number-3"), &set.items[3]);
    assert_null(managed_set_find(&set, "more"));
}

static void who_was_replaced_is_found_unless_that_is_switched_off(void **state)
{
    static struct managed_set set = {.repairs_dependents = true};
    struct managed_target one = target("one");

    (void)state;
    assert_int_equal(managed_set_add(&set, &one, false), 0);
    assert_null(managed_set_find_replaced(&set, "")); /* it replaced nobody */
    memcpy(set.items[0].replaced_id, "cafe", 5);
    assert_ptr_equal(managed_set_find_replaced(&set, "cafe"), &set.items[0]);
    assert_null(managed_set_find_replaced(&set, "caf"));
    set.repairs_dependents = false;
    assert_null(managed_set_find_replaced(&set, "cafe"));
}

static void assert_body(const struct managed_body *body, const char *expected)
{
    char *made = NULL;

    assert_int_equal(managed_body_make(body, &made), 0);
    assert_string_equal(made, expected);
    free(made);
}

static void add(struct assignments *assignments, const char *key, const char *value)
{
    assert_int_equal(assignments_add(assignments, key, strlen(key), value, strlen(value)), 0);
}

static void a_body_is_what_spec_says_and_what_is_configured(void **state)
{
    static struct managed_target configured;
    struct managed_body body = {
        .configured = &configured,
        .target_id = "4c1e",
        .image = "anchord:1",
        .log_level = LOG_LEVEL_INFO,
        .replaces = "",
    };

    (void)state;
    configured = target("one");
    assert_int_equal(ip_address_parse("172.30.0.2", &body.gateway4), 0);
    assert_body(&body,
                "{\"Image\":\"anchord:1\",\"Env\":[\"ANCHORD_MODE=service-anchor\",\"ANCHORD_GATEWAY_IP=172.30.0.2\","
                "\"ANCHORD_LOG_LEVEL=INFO\"],\"Labels\":{\"anchord.managed-by\":\"f45\"},"
                "\"HostConfig\":{\"NetworkMode\":\"container:4c1e\"," HARDENED "}}");
    assert_int_equal(ip_address_parse("2001:db8::2", &body.gateway6), 0);
    body.replaces = "8dfa";
    add(&configured.environment, "ANCHORD_MODE", "service-anchor");
    add(&configured.environment, "T", "a\"\\\n=");
    add(&configured.labels, "anchord.expose", "tcp/25");
    assert_body(
        &body,
        "{\"Image\":\"anchord:1\",\"Env\":[\"ANCHORD_GATEWAY_IP=172.30.0.2,2001:db8::2\","
        "\"ANCHORD_LOG_LEVEL=INFO\",\"ANCHORD_MODE=service-anchor\",\"T=a\\\"\\\\\\n=\"],"
        "\"Labels\":{\"anchord.expose\":\"tcp/25\",\"anchord.managed-by\":\"f45\",\"anchord.replaces\":\"8dfa\"},"
        "\"HostConfig\":{\"NetworkMode\":\"container:4c1e\"," HARDENED "}}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_set_has_a_limit_and_no_name_twice),
        cmocka_unit_test(who_was_replaced_is_found_unless_that_is_switched_off),
        cmocka_unit_test(a_body_is_what_spec_says_and_what_is_configured),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
