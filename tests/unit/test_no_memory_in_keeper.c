/*
 * Unit tests of what the keeper does when an allocation fails: -ENOMEM before Docker is asked for anything, nothing
 * leaked (the sanitizers look), and no exit (LIFE-2, LIFE-5, LIFE-7).
 */
#include "protocol/managed_target.h"
#include "tests/unit/failing_memory.h"
#include "workers/keeper/create_body.h"
#include "workers/keeper/endpoint.h"
#include "workers/keeper/managed_body.h"
#include "workers/keeper/memory.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define DOCKER_ID "9dd2d1a4a17dbc8a2b6b9f1f0a3c5e7d9f1b3d5f7a9c1e3f5b7d9f1a3c5e7d9f"

#define LETTERS_64 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl"
/* A kibibyte: five of them are more than the first piece of memory for a body. */
#define LETTERS                                                                                                   \
    LETTERS_64 LETTERS_64 LETTERS_64 LETTERS_64 LETTERS_64 LETTERS_64 LETTERS_64 LETTERS_64 LETTERS_64 LETTERS_64 \
        LETTERS_64 LETTERS_64 LETTERS_64 LETTERS_64 LETTERS_64 LETTERS_64

static char inspected[] =
    "{\"Id\":\"" DOCKER_ID "\",\"Name\":\"/web\",\"Image\":\"sha256:1\",\"State\":{\"Running\":true,"
    "\"StartedAt\":\"2026-01-02T03:04:05Z\"},\"HostConfig\":{\"NetworkMode\":\"container:web-anchor\"},"
    "\"Config\":{\"Image\":\"web:1\",\"Labels\":{\"a\":\"b\"},"
    "\"Env\":[\"" LETTERS LETTERS LETTERS LETTERS LETTERS "\"]},\"Mounts\":[],"
    "\"NetworkSettings\":{\"Networks\":{\"bus\":{\"Aliases\":[\"web\"]}}}}";

/* The document is not the inspection's to free. */
static struct inspection read_inspection(void)
{
    struct inspection inspection = {.document = {.bytes = inspected, .length = strlen(inspected)}};
    const char *reason = NULL;

    assert_int_equal(inspection_read(&inspection, &reason), 0);
    return inspection;
}

static int make_create_body(void *context)
{
    CLEANUP_FREE char *body = NULL;
    const char *reason = NULL;

    return create_body_make(context, "web-anchor", false, &reason, &body);
}

static int copy_endpoint(void *context)
{
    CLEANUP_FREE char *configuration = NULL;

    return endpoint_copy_configuration(context, "bus", &configuration);
}

static void what_a_container_is_made_of(void **state)
{
    struct inspection inspection = read_inspection();

    (void)state;
    assert_int_equal(failing_memory_try_each(make_create_body, &inspection), 2);
    assert_int_equal(failing_memory_try_each(copy_endpoint, &inspection), 1);
}

static int make_managed_body(void *context)
{
    CLEANUP_FREE char *body = NULL;

    return managed_body_make(context, &body);
}

static void what_a_managed_service_anchor_is_made_of(void **state)
{
    static struct managed_target configured = {.number = 1, .target = "web", .name = "web-service-anchor"};
    struct managed_body body = {.configured = &configured,
                                .target_id = DOCKER_ID,
                                .image = "anchord:1",
                                .log_level = LOG_LEVEL_INFO,
                                .replaces = ""};

    (void)state;
    assert_int_equal(ip_address_parse("172.30.0.2", &body.gateway4), 0);
    assert_int_equal(failing_memory_try_each(make_managed_body, &body), 2);
}

static int see(void *context)
{
    return memory_see(context, "web") ? 0 : -ENOMEM;
}

static void a_container_that_cannot_be_remembered_is_seen_the_next_time(void **state)
{
    struct memory memory = {0};

    (void)state;
    assert_true(failing_memory_try_each(see, &memory) >= 2);
    assert_non_null(memory_find(&memory, "web"));
    memory_release(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_container_is_made_of),
        cmocka_unit_test(what_a_managed_service_anchor_is_made_of),
        cmocka_unit_test(a_container_that_cannot_be_remembered_is_seen_the_next_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
