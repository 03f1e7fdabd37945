/* Unit tests of what an external-rebinder decides on: when a network has settled, and what its endpoints are (LIFE-5).
 */
#include "common/clock.h"
#include "workers/keeper/endpoint.h"
#include "workers/keeper/settle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SECOND MICROSECONDS_PER_SECOND
#define BEGIN  (1000 * SECOND)

static const struct settle_times times = {.steady = 3 * SECOND, .limit = 90 * SECOND};

static enum settle_state at(struct settle *settle, uint64_t seconds, uint32_t count, uint64_t *ret_next)
{
    enum settle_state state = settle_look(settle, &times, BEGIN + seconds * SECOND, count, ret_next);

    *ret_next = *ret_next > BEGIN ? (*ret_next - BEGIN) / SECOND : 0;
    return state;
}

static void a_network_settles_three_seconds_after_the_last_change(void **state)
{
    struct settle settle;
    uint64_t next = 0;

    (void)state;
    settle_begin(&settle, BEGIN, 2 * SECOND);
    assert_int_equal(at(&settle, 0, 0, &next), SETTLE_UNSETTLED);
    assert_int_equal(next, 92); /* nobody is there: nothing but an event makes it sooner */
    assert_int_equal(at(&settle, 1, 1, &next), SETTLE_UNSETTLED);
    assert_int_equal(next, 5); /* what came during the backoff counts from its end on */
    assert_int_equal(at(&settle, 4, 2, &next), SETTLE_UNSETTLED);
    assert_int_equal(next, 7);
    assert_int_equal(at(&settle, 6, 2, &next), SETTLE_UNSETTLED);
    assert_int_equal(at(&settle, 7, 2, &next), SETTLE_SETTLED);
    assert_int_equal(at(&settle, 8, 0, &next), SETTLE_UNSETTLED); /* all are gone again */
    assert_int_equal(at(&settle, 20, 0, &next), SETTLE_UNSETTLED);
    assert_int_equal(at(&settle, 21, 2, &next), SETTLE_UNSETTLED);
    assert_int_equal(at(&settle, 24, 2, &next), SETTLE_SETTLED);
}

static void nobody_is_waited_for_longer_than_ninety_seconds(void **state)
{
    struct settle settle;
    uint64_t next = 0;

    (void)state;
    settle_begin(&settle, BEGIN, 2 * SECOND);
    for (uint32_t seconds = 2; seconds < 92; seconds++) { /* restless: each second one more */
        assert_int_equal(at(&settle, seconds, seconds, &next), SETTLE_UNSETTLED);
        assert_true(next <= 92);
    }
    assert_int_equal(at(&settle, 92, 100, &next), SETTLE_EXPIRED);
    settle_begin(&settle, BEGIN, 0);
    assert_int_equal(at(&settle, 89, 0, &next), SETTLE_UNSETTLED);
    assert_int_equal(at(&settle, 90, 0, &next), SETTLE_EXPIRED);
}

static void read_inspection(struct inspection *inspection, const char *text)
{
    const char *reason = NULL;

    inspection_release(inspection);
    inspection->document.bytes = strdup(text);
    inspection->document.length = strlen(text);
    assert_int_equal(inspection_read(inspection, &reason), 0);
}

#define FOLLOWER(networks_, error_)                                                                   \
    "{\"Id\":\"ab\",\"Name\":\"/own-monitor-1\",\"State\":{\"Status\":\"exited\",\"Error\":\"" error_ \
    "\"},\"Config\":{\"Labels\":{\"com.docker.compose.service\":\"monitor\"}},"                       \
    "\"NetworkSettings\":{\"Networks\":{" networks_ "}}}"

static void what_was_configured_for_an_endpoint_is_kept(void **state)
{
    static const struct {
        const char *text, *wanted;
    } cases[] = {
        {FOLLOWER("\"bus\":{\"IPAMConfig\":{\"IPv4Address\":\"172.29.7.9\"},\"Links\":null,\"Aliases\":[\"a\\\"b\"],"
                  "\"MacAddress\":\"02:00:00:00:00:01\",\"NetworkID\":\"cd\",\"DriverOpts\":{\"x\":\"y\"}}",
                  ""),
         "{\"IPAMConfig\":{\"IPv4Address\":\"172.29.7.9\"},\"Aliases\":[\"a\\\"b\"],\"DriverOpts\":{\"x\":\"y\"}}"},
        {FOLLOWER("\"bus\":{\"IPAMConfig\":null,\"Aliases\":null,\"GwPriority\":-1}", ""), "{\"GwPriority\":-1}"},
        {FOLLOWER("\"other\":{\"Aliases\":[\"x\"]}", ""), "{\"Aliases\":[\"own-monitor-1\",\"monitor\"]}"},
        {"{\"Id\":\"ab\",\"Name\":\"/plain\"}", "{}"},
        {"{\"Id\":\"ab\",\"Name\":\"/n\",\"Config\":{\"Labels\":{\"com.docker.compose.service\":\"a\\\",\\\"b\"}}}",
         "{}"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        CLEANUP(inspection_release) struct inspection inspection = {0};
        CLEANUP_FREE char *configuration = NULL;

        read_inspection(&inspection, cases[i].text);
        assert_int_equal(endpoint_copy_configuration(&inspection, "bus", &configuration), 0);
        assert_string_equal(configuration, cases[i].wanted);
    }
}

static void an_endpoint_says_which_network_it_means(void **state)
{
    CLEANUP(inspection_release) struct inspection inspection = {0};
    struct endpoint endpoint;

    (void)state;
    read_inspection(&inspection, FOLLOWER("\"bus\":{\"NetworkID\":\"cd\"},\"new\":{\"NetworkID\":\"\"}",
                                          "failed to set up container networking: network cd not found"));
    assert_true(endpoint_prevented_start(&inspection));
    endpoint_read(&inspection, "bus", &endpoint);
    assert_true(endpoint.is_there);
    assert_string_equal(endpoint.network_id, "cd");
    endpoint_read(&inspection, "new", &endpoint);
    assert_true(endpoint.is_there && endpoint.network_id[0] == '\0');
    endpoint_read(&inspection, "other", &endpoint);
    assert_false(endpoint.is_there);
    read_inspection(&inspection, FOLLOWER("", "port is already allocated"));
    assert_false(endpoint_prevented_start(&inspection));
    read_inspection(&inspection, FOLLOWER("", ""));
    assert_false(endpoint_prevented_start(&inspection));
    read_inspection(&inspection, FOLLOWER("", "network cd not found")); /* 20.10 */
    assert_true(endpoint_prevented_start(&inspection));
}

static int read_network(struct network_view *view, const char *text, const char **ret_reason)
{
    docker_document_release(&view->document);
    view->document.bytes = strdup(text);
    view->document.length = strlen(text);
    return endpoint_read_network(view, "bus", "ab", ret_reason);
}

static void release_view(struct network_view *view)
{
    docker_document_release(&view->document);
}

static void a_networks_endpoints_are_ours_or_foreign(void **state)
{
    CLEANUP(release_view) struct network_view view = {0};
    const char *reason = NULL;

    (void)state;
    assert_int_equal(read_network(&view,
                                  "{\"Name\":\"bus\",\"Id\":\"cd\",\"Created\":\"2025-11-22T16:40:00+01:00\","
                                  "\"Containers\":{\"ab\":{},\"ep-1\":{\"Name\":\"ab\"},\"abc\":{}}}",
                                  &reason),
                     0);
    assert_string_equal(view.id, "cd");
    assert_true(view.has_follower);
    assert_int_equal(view.foreign_count, 2);
    assert_int_equal(view.created, UINT64_C(1763826000000000000));
    assert_int_equal(read_network(&view, "{\"Name\":\"bus\",\"Id\":\"cd\",\"Created\":7,\"Containers\":null}", &reason),
                     0);
    assert_true(!view.has_follower && view.foreign_count == 0 && view.created == 0);
    assert_int_equal(read_network(&view, "{\"Name\":\"other\",\"Id\":\"b05\"}", &reason), -EBADMSG);
    assert_string_equal(reason, "Docker knows the name as the beginning of another network's ID");
    assert_int_equal(read_network(&view, "{\"Name\":\"bus\",\"Id\":\"../x\"}", &reason), -EBADMSG);
    assert_string_equal(reason, "the network has no ID");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_network_settles_three_seconds_after_the_last_change),
        cmocka_unit_test(nobody_is_waited_for_longer_than_ninety_seconds),
        cmocka_unit_test(what_was_configured_for_an_endpoint_is_kept),
        cmocka_unit_test(an_endpoint_says_which_network_it_means),
        cmocka_unit_test(a_networks_endpoints_are_ours_or_foreign),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
