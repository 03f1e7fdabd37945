/* What the gate lets through and what it does not (WALL-7): each client's requests, and every way to say two things. */
#include "workers/gate/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ID          "8dfa8dfa8dfa8dfa8dfa8dfa8dfa8dfa8dfa8dfa8dfa8dfa8dfa8dfa8dfa8dfa"
#define OWN         "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OWN_ID      "%22id%22%3A%5B%22" OWN "%22%5D"
#define MAIL        "%7B%22label%22%3A%5B%22com.docker.compose.project%3Dmail%22%5D%7D"
#define OTHERS      "%7B%22label%22%3A%5B%22com.docker.compose.project%3Dbank%22%5D%7D"
#define LABELS      "%22label%22%3A%5B%22com.docker.compose.project%3Dmail%22%5D"
#define IDS         "%22id%22%3A%5B%22" ID "%22%5D"
#define HEALTH      "%7B" LABELS "%2C" IDS "%2C%22health%22%3A%5B%22healthy%22%5D%7D"
#define TYPE(text_) "%7B%22type%22%3A%5B%22" text_ "%22%5D%2C"
#define ACTIONS                                                                                               \
    "%22event%22%3A%5B%22start%22%2C%22restart%22%2C%22die%22%2C%22stop%22%2C%22destroy%22%2C%22pause%22%2C"  \
    "%22unpause%22%2C%22rename%22%2C%22update%22%2C%22connect%22%2C%22disconnect%22%2C%22health_status%22%2C" \
    "%22create%22%5D"
#define EVERYBODY TYPE("container%22%2C%22network") ACTIONS "%7D"
#define EVENTS    "/v1.47/events?since=1763826000.123456789&filters="
#define LIST      "/v1.47/containers/json?filters="
#define END       " HTTP/1.1\r\nHost: docker\r\n\r\n"

static struct message_configure_gate scope = {
    .labels = LABELS,
    .own = OWN_ID,
    .follow_network = "shop_default",
    .follow_network_path = "shop_default",
    .follow_target_path = "web",
};
static struct gate_request request;
static char reason[GATE_REASON_SIZE];

static enum request_verdict read_text(enum gate_client client, const char *text)
{
    return request_read(client, &scope, text, strlen(text), &request, reason);
}

/* The head that Docker gets. */
static const char *head(void)
{
    static char text[GATE_BUFFER_SIZE + 1];

    assert_int_equal(request.bytes.begin, 0);
    memcpy(text, request.bytes.bytes, request.bytes.end);
    text[request.bytes.end] = '\0';
    return text;
}

#define EXPECT_PASSED(client_, text_)  assert_int_equal(read_text(GATE_CLIENT_##client_, (text_)), REQUEST_ALLOWED)
#define EXPECT_REFUSED(client_, text_) assert_int_equal(read_text(GATE_CLIENT_##client_, (text_)), REQUEST_REFUSED)

static void watcher_reads_its_scope_and_what_it_names(void **state)
{
    (void)state;
    EXPECT_PASSED(WATCHER, "GET /version" END);
    EXPECT_PASSED(WATCHER, "GET " LIST MAIL END);
    EXPECT_PASSED(WATCHER, "GET " LIST MAIL "&all=true" END);
    EXPECT_PASSED(WATCHER, "GET " LIST "%7B" LABELS "%2C" IDS "%7D&all=true" END);
    EXPECT_PASSED(WATCHER, "GET " LIST HEALTH END);
    EXPECT_PASSED(WATCHER, "GET " LIST "%7B%22label%22%3A%5B%22anchord.managed-by%3Df45%22%5D%7D" END);
    EXPECT_PASSED(WATCHER, "GET " LIST "%7B%22label%22%3A%5B%22anchord.target%22%5D%7D" END);
    EXPECT_PASSED(WATCHER, "GET " EVENTS TYPE("container") ACTIONS "%2C" LABELS "%7D" END);
    EXPECT_PASSED(WATCHER,
                  "GET " EVENTS TYPE("network") ACTIONS "%2C%22network%22%3A%5B%22" ID "%22%2C%22" OWN "%22%5D%7D" END);
    EXPECT_PASSED(WATCHER, "GET /v1.47/networks?filters=" MAIL END);
    EXPECT_PASSED(WATCHER, "GET /v1.47/networks/" ID END);
    assert_string_equal(head(), "GET /v1.47/networks/" ID " HTTP/1.1\r\nHost: docker\r\n\r\n");
    assert_int_equal(request.taken, strlen("GET /v1.47/networks/" ID END));
}

static void networks_of_others_are_nobodys_business(void **state)
{
    (void)state;
    EXPECT_REFUSED(WATCHER, "GET /v1.47/networks" END);
    EXPECT_REFUSED(WATCHER, "GET /v1.47/networks?filters=%7B%7D" END);
    EXPECT_REFUSED(WATCHER, "GET /v1.47/networks?filters=" OTHERS END);
}

static void who_asks_for_everybody_hears_of_itself(void **state)
{
    (void)state;
    EXPECT_PASSED(WATCHER, "GET " LIST "%7B%7D" END);
    assert_non_null(strstr(head(), LIST "%7B%22id%22%3A%5B%22" OWN "%22%5D%7D HTTP/1.1\r\n"));
    EXPECT_REFUSED(WATCHER, "GET " LIST "%7B%7D&all=false" END);
    scope.own[0] = '\0';
    EXPECT_PASSED(WATCHER, "GET " LIST "%7B%7D" END);
    assert_non_null(strstr(head(), LIST MAIL " HTTP/1.1\r\n"));
    memcpy(scope.own, OWN_ID, strlen(OWN_ID));
}

/* Docker writes its own over labels called `name` and `image` in events. */
static void events_of_a_scope_that_events_do_not_tell(void **state)
{
#define EXPOSED "%22label%22%3A%5B%22anchord.expose%22%5D"
    (void)state;
    EXPECT_REFUSED(WATCHER, "GET " EVENTS TYPE("container") ACTIONS "%2C" EXPOSED "%7D" END);
    memcpy(scope.event_labels, EXPOSED, strlen(EXPOSED));
    EXPECT_PASSED(WATCHER, "GET " EVENTS TYPE("container") ACTIONS "%2C" EXPOSED "%7D" END);
    EXPECT_REFUSED(WATCHER, "GET " EVENTS TYPE("container") ACTIONS "%2C" LABELS "%7D" END);
    scope.event_labels[0] = '\0';
}

static void nothing_of_the_clients_head_is_passed_on(void **state)
{
    (void)state;
    EXPECT_PASSED(WATCHER, "GET /version HTTP/1.1\r\nAccept: */*\r\nHost: docker\r\n\r\nGET /next");
    assert_string_equal(head(), "GET /version HTTP/1.1\r\nHost: docker\r\n\r\n");
    assert_string_equal("GET /next",
                        &"GET /version HTTP/1.1\r\nAccept: */*\r\nHost: docker\r\n\r\nGET /next"[request.taken]);
    EXPECT_PASSED(WATCHER, "GET /version HTTP/1.1\r\nHost: docker\r\nContent-Length: 0\r\n\r\n");
    assert_string_equal(head(), "GET /version HTTP/1.1\r\nHost: docker\r\n\r\n");
}

static void a_watcher_may_ask_for_nothing_else(void **state)
{
    static const char *const lines[] = {
        "GET /v1.47/containers/" ID "/archive?path=/etc/shadow",
        "GET /v1.47/containers/" ID "/export",
        "GET /v1.47/containers/" ID "/logs?stdout=true",
        "GET /v1.47/containers/" ID "/top",
        "GET /v1.47/containers/" ID "/attach/ws",
        "GET /v1.47/containers/" ID "/json",
        "GET /v1.47/containers/" OWN "/json",
        "GET /v1.47/containers/" ID "/json?size=1",
        "GET /v1.47/containers/web/json",
        "GET /v1.47/containers/../images/json",
        "GET /v1.47/networks/" ID "/../../images/json",
        "GET /v1.47/networks/%2e%2e/images/json",
        "GET /v1.47/networks/" ID "?verbose=true",
        "GET /v1.47/networks",
        "GET /v1.47/images/json",
        "GET /v1.47/info",
        "GET /v1.47/secrets",
        "GET " LIST OTHERS,
        "GET " LIST "%7B%7D&all=true",
        "GET " LIST "%7B" IDS "%7D",
        "GET " LIST "%7B" IDS "%7D&all=true",
        "GET " LIST "%7B" IDS "%2C" LABELS "%7D",
        "GET " LIST "%7B" LABELS "%2C%22label%22%3A%5B%22a%22%5D%7D",
        "GET " LIST "%7B%22label%22%3A%5B%22com.docker.compose.project%22%5D%7D",
        "GET " LIST "%7B%22label%22%3A%5B%22anchord.managed-by%22%5D%7D",
        "GET " LIST "%7B%22label%22%3A%5B%22anchord.managed-by%3Df45%22%5D%7D&all=true",
        "GET " LIST "%7B%22label%22%3A%5B%22anchord.target%22%5D%7D&all=true",
        "GET " LIST "%7B%22network%22%3A%5B%22mail%22%5D%7D",
        "GET /v1.47/events?since=1763826000.123456789&filters=%7B%7D",
        "GET " EVENTS TYPE("container") ACTIONS "%7D",
        "GET " EVENTS TYPE("network") ACTIONS "%7D",
        "GET " EVENTS TYPE("network") ACTIONS "%2C%22network%22%3A%5B%5D%7D",
        "GET " EVENTS TYPE("network") ACTIONS "%2C%22network%22%3A%5B%22mail%22%5D%7D",
        "GET " EVENTS TYPE("network") ACTIONS "%2C" LABELS "%7D",
        "GET " EVENTS TYPE("image") ACTIONS "%2C" LABELS "%7D",
        "GET " EVENTS TYPE("container%22%2C%22network") ACTIONS "%7D",
        "GET " EVENTS TYPE("container%22%2C%22network") ACTIONS "%2C" LABELS "%7D",
        "GET " EVENTS TYPE("container") ACTIONS "%2C" LABELS "%7D&until=1",
        "GET " LIST MAIL "&size=1",
        "GET " LIST HEALTH "&all=true",
        "GET " LIST MAIL "&all=true&size=1",
        "GET " LIST MAIL "&limit=1",
        "GET /v1.47/containers/json",
        "GET /v1.47/containers/json?all=true",
        "GET /v1.47/containers/json?filters={}",
        "GET /v1.47/events",
        "GET /v1.47/events?since=1.000000000&filters=%7B%7D",
        "GET /v1.470/version",
        "GET /v1.7/networks/" ID,
        "GET /v1.40/networks/" ID,
        "GET /v1.4/networks/" ID,
        "GET //version",
        "GET http://docker/version",
        "GET /version?x=1",
        "GET /version#x",
        "GET  /version",
        "get /version",
        "HEAD /version",
        "OPTIONS *",
        "CONNECT docker:80",
        "PUT /v1.47/containers/" ID "/archive?path=/",
        "POST /v1.47/containers/create?name=x",
        "POST /v1.47/containers/" ID "/exec",
        "POST /v1.47/containers/" ID "/start",
        "POST /v1.47/containers/" ID "/kill",
        "DELETE /v1.47/containers/" ID "?force=true&v=false",
        "GET /v1.47/networks/8DFA8dfa8dfa8dfa8dfa8dfa8dfa8dfa8dfa8dfa8dfa8dfa8dfa8dfa8dfa8dfa",
        "GET /v1.47/networks/" ID "8",
        "GET /v1.47/networks/8dfa",
    };
    char text[1024];

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        (void)snprintf(text, sizeof(text), "%s" END, lines[i]);
        if (read_text(GATE_CLIENT_WATCHER, text) != REQUEST_REFUSED)
            fail_msg("passed: %s", lines[i]);
    }
}

/* Each of these is taken by Docker in one way or another. */
static void only_a_canonical_head_is_read(void **state)
{
    static const char *const heads[] = {
        "GET /version HTTP/1.1\nHost: docker\n\n",
        "GET /version HTTP/1.1\r\nHost: docker\n\r\n",
        "GET /version HTTP/1.1\rHost: docker\r\n\r\n",
        "\r\nGET /version HTTP/1.1\r\nHost: docker\r\n\r\n",
        "GET /version HTTP/1.0\r\nHost: docker\r\n\r\n",
        "GET /version\r\nHost: docker\r\n\r\n",
        "GET /version HTTP/1.1\r\n\r\n",
        "GET /version HTTP/1.1\r\nHost: docker\r\nHost: docker\r\n\r\n",
        "GET /version HTTP/1.1\r\nHost : docker\r\n\r\n",
        "GET /version HTTP/1.1\r\nhost: docker\r\n\r\n",
        "GET /version HTTP/1.1\r\nHost: dockerx\r\n\r\n",
        "GET /version HTTP/1.1\r\nHost: docker\r\nAccept: x\r\n\r\n",
        "GET /version HTTP/1.1\r\nHost: docker\r\nUser-Agent: x\r\n\r\n",
        "GET /version HTTP/1.1\r\nHost: docker\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
        "GET /version HTTP/1.1 \r\nHost: docker\r\n\r\n",
        "GET /version HTTP/1.1\r\r\nHost: docker\r\n\r\n",
        "GET /version HTTP/1.1\r\nHost: docker\r\n Accept: x\r\n\r\n",
        "GET /version HTTP/1.1\r\nHost: docker\r\n\tfolded\r\n\r\n",
        "GET /version HTTP/1.1\r\nHost: docker\r\nAccept:x\r\n\r\n",
        "GET /version HTTP/1.1\r\nHost: docker\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET /version HTTP/1.1\r\nHost: docker\r\nTransfer-Encoding: identity\r\n\r\n",
        "GET /version HTTP/1.1\r\nHost: docker\r\nUpgrade: tcp\r\nConnection: Upgrade\r\n\r\n",
        "GET /version HTTP/1.1\r\nHost: docker\r\nExpect: 100-continue\r\n\r\n",
        "GET /version HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n",
        "GET /version HTTP/1.1\r\nHost: docker\r\nX-Registry-Auth: e30=\r\n\r\n",
        "GET /version HTTP/1.1\r\nHost: docker\r\nContent-Length: 4\r\n\r\nbody",
        "GET /version HTTP/1.1\r\nHost: d\xc3\xb6ker\r\n\r\n",
        "GET /ver\tsion HTTP/1.1\r\nHost: docker\r\n\r\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        if (read_text(GATE_CLIENT_WATCHER, heads[i]) != REQUEST_REFUSED)
            fail_msg("passed: %s", heads[i]);
    }
    assert_int_equal(
        request_read(GATE_CLIENT_WATCHER, &scope, "GET /version HTTP/1.1\r\nHost: \0\r\n\r\n", 33, &request, reason),
        REQUEST_REFUSED);
}

static void one_length_and_exactly_so_much(void **state)
{
#define CREATE "POST /v1.47/containers/create?name=web_1 HTTP/1.1\r\nHost: docker\r\n"
#define JSON   "Content-Type: application/json\r\n"
    static const char *const refused[] = {
        CREATE JSON "\r\n",
        CREATE JSON "Content-Length: 0\r\n\r\n",
        CREATE "Content-Length: 2\r\n\r\n{}",
        CREATE JSON "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        CREATE JSON "Content-Length: 2, 2\r\n\r\n{}",
        CREATE JSON "Content-Length: +2\r\n\r\n{}",
        CREATE JSON "Content-Length: 02\r\n\r\n{}",
        CREATE JSON "Content-Length: 0x2\r\n\r\n{}",
        CREATE JSON "Content-Length: 2 \r\n\r\n{}",
        CREATE JSON "Content-Length: \r\n\r\n{}",
        CREATE JSON "Content-Length: 8388609\r\n\r\n",
        CREATE JSON "Content-Length: 99999999999999999999\r\n\r\n",
        CREATE "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}",
    };

    (void)state;
    EXPECT_PASSED(KEEPER_WRAP, CREATE JSON "Content-Length: 2\r\n\r\n{}");
    assert_int_equal(request.body_length, 2);
    assert_string_equal(head(), CREATE JSON "Content-Length: 2\r\n\r\n");
    EXPECT_PASSED(KEEPER_WRAP, CREATE JSON "Content-Length: 8388608\r\n\r\n{");
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        if (read_text(GATE_CLIENT_KEEPER_WRAP, refused[i]) != REQUEST_REFUSED)
            fail_msg("passed: %s", refused[i]);
    }
}

static void each_keeper_writes_what_its_role_needs(void **state)
{
#define START   "POST /v1.47/containers/" ID "/start" END
#define STOP    "POST /v1.47/containers/" ID "/stop?t=10" END
#define REMOVE  "DELETE /v1.47/containers/" ID "?force=true&v=false" END
#define CONNECT "POST /v1.47/networks/" ID "/connect HTTP/1.1\r\nHost: docker\r\n" JSON "Content-Length: 2\r\n\r\n{}"

    (void)state;
    EXPECT_PASSED(KEEPER, START);
    assert_string_equal(head(),
                        "POST /v1.47/containers/" ID "/start HTTP/1.1\r\nHost: docker\r\nContent-Length: 0\r\n\r\n");
    EXPECT_REFUSED(KEEPER, STOP);
    EXPECT_REFUSED(KEEPER, REMOVE);
    EXPECT_REFUSED(KEEPER, CREATE JSON "Content-Length: 2\r\n\r\n{}");
    EXPECT_REFUSED(KEEPER, CONNECT);
    EXPECT_PASSED(KEEPER_MANAGING, REMOVE);
    EXPECT_PASSED(KEEPER_WRAP, STOP);
    EXPECT_REFUSED(KEEPER_WRAP, CONNECT);
    EXPECT_REFUSED(KEEPER_WRAP, "GET " LIST "%7B%7D&all=true" END);
    EXPECT_PASSED(KEEPER_MANAGING, "GET " LIST "%7B%7D&all=true" END);
    EXPECT_REFUSED(KEEPER_MANAGING, "GET " LIST MAIL "&all=true" END);
    EXPECT_PASSED(KEEPER_WRAP, "GET " LIST MAIL "&all=true" END);
    EXPECT_PASSED(KEEPER_FOLLOW, "GET " LIST MAIL "&all=true" END);
    EXPECT_REFUSED(KEEPER_FOLLOW, "GET " LIST OTHERS "&all=true" END);
    EXPECT_PASSED(KEEPER_MANAGING, "GET " EVENTS EVERYBODY END);
    EXPECT_PASSED(KEEPER_WRAP, "GET " EVENTS EVERYBODY END);
    EXPECT_PASSED(KEEPER_FOLLOW, "GET " EVENTS EVERYBODY END);
    EXPECT_PASSED(KEEPER_FOLLOW, CONNECT);
    EXPECT_PASSED(KEEPER_FOLLOW, "GET /v1.47/networks/shop_default" END);
    EXPECT_REFUSED(KEEPER_FOLLOW, "GET /v1.47/networks/bridge" END);
    EXPECT_PASSED(KEEPER_FOLLOW, "GET /v1.47/containers/web/json" END);
    EXPECT_REFUSED(KEEPER_FOLLOW, "GET /v1.47/containers/vault/json" END);
    EXPECT_REFUSED(KEEPER_FOLLOW, CREATE JSON "Content-Length: 2\r\n\r\n{}");
    EXPECT_REFUSED(KEEPER_FOLLOW, REMOVE);
}

/* HOST-10: who can only start a container hears of its scope, and of whom that names by ID. */
static void a_keeper_that_makes_nothing_has_a_scope(void **state)
{
    static const char *const refused[] = {
        "GET " LIST "%7B%7D&all=true",
        "GET " LIST OTHERS "&all=true",
        "GET " LIST "%7B" IDS "%7D&all=true",
        "GET " LIST "%7B" LABELS "%2C" IDS "%7D&all=true",
        "GET " LIST "%7B%22network%22%3A%5B%22mail%22%5D%7D",
        "GET " EVENTS EVERYBODY,
        "GET " EVENTS TYPE("container") ACTIONS "%7D",
        "GET " EVENTS TYPE("container") ACTIONS "%2C%22container%22%3A%5B%22mail-web-1%22%5D%7D",
        "GET " EVENTS TYPE("container") ACTIONS "%2C%22container%22%3A%5B%22%22%5D%7D",
        "GET " EVENTS TYPE("container") ACTIONS "%2C%22container%22%3A%5B%5D%7D",
        "GET " EVENTS TYPE("network") ACTIONS "%2C%22container%22%3A%5B%22" ID "%22%5D%7D",
        "GET " EVENTS TYPE("network") ACTIONS "%2C%22network%22%3A%5B%22" ID "%22%5D%7D",
        "GET /v1.47/networks/" ID,
        "GET /v1.47/containers/mail-web-1/json",
        "GET /v1.47/containers/8dfa8dfa8dfa/json",
        "GET /v1.47/containers/" ID "0/json",
        "GET /v1.47/containers/" ID "/json?size=true",
    };
    char text[1024];

    (void)state;
    EXPECT_PASSED(KEEPER, "GET " LIST MAIL "&all=true" END);
    EXPECT_PASSED(KEEPER, "GET " EVENTS TYPE("container") ACTIONS "%2C" LABELS "%7D" END);
    EXPECT_PASSED(KEEPER, "GET " EVENTS TYPE("container") ACTIONS "%2C%22container%22%3A%5B%22" ID "%22%2C%22" OWN
                                                                  "%22%5D%7D" END);
    EXPECT_PASSED(KEEPER, "GET /v1.47/containers/" ID "/json" END);
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        (void)snprintf(text, sizeof(text), "%s" END, refused[i]);
        if (read_text(GATE_CLIENT_KEEPER, text) != REQUEST_REFUSED)
            fail_msg("passed: %s", refused[i]);
    }
}

static void a_name_is_one_plain_segment(void **state)
{
    static const char *const names[] = {".", "..", "-x", "a/b", "a%2fb", "a%00", "a b", "a?b", "a#b", "", "a\x7f"};
    char text[256];

    (void)state;
    EXPECT_PASSED(KEEPER_WRAP, "GET /v1.47/containers/mail-web_1.old/json" END);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        (void)snprintf(text, sizeof(text), "GET /v1.47/containers/%s/json" END, names[i]);
        if (read_text(GATE_CLIENT_KEEPER_WRAP, text) != REQUEST_REFUSED)
            fail_msg("passed: %s", names[i]);
    }
}

static void what_has_not_come_yet_is_waited_for(void **state)
{
    static const char whole[] = "GET /version HTTP/1.1\r\nHost: docker\r\n\r\n";
    static char long_head[GATE_BUFFER_SIZE];

    (void)state;
    for (size_t length = 0; length < strlen(whole); length++)
        assert_int_equal(request_read(GATE_CLIENT_WATCHER, &scope, whole, length, &request, reason),
                         REQUEST_INCOMPLETE);
    memset(long_head, 'a', sizeof(long_head));
    assert_int_equal(request_read(GATE_CLIENT_WATCHER, &scope, long_head, sizeof(long_head) - 1, &request, reason),
                     REQUEST_INCOMPLETE);
    assert_int_equal(request_read(GATE_CLIENT_WATCHER, &scope, long_head, sizeof(long_head), &request, reason),
                     REQUEST_REFUSED);
}

static void a_reason_harms_no_json(void **state)
{
    (void)state;
    EXPECT_REFUSED(WATCHER, "GET /a\"b\\c" END);
    assert_string_equal(reason, "not in its table: GET /a?b?c HTTP/1.1");
    EXPECT_REFUSED(WATCHER, "GET /a\x01\x1b[2J\nx" END);
    for (const char *byte = reason; *byte; byte++)
        assert_in_range(*byte, 0x20, 0x7e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(watcher_reads_its_scope_and_what_it_names),
        cmocka_unit_test(networks_of_others_are_nobodys_business),
        cmocka_unit_test(who_asks_for_everybody_hears_of_itself),
        cmocka_unit_test(events_of_a_scope_that_events_do_not_tell),
        cmocka_unit_test(nothing_of_the_clients_head_is_passed_on),
        cmocka_unit_test(a_watcher_may_ask_for_nothing_else),
        cmocka_unit_test(only_a_canonical_head_is_read),
        cmocka_unit_test(one_length_and_exactly_so_much),
        cmocka_unit_test(each_keeper_writes_what_its_role_needs),
        cmocka_unit_test(a_keeper_that_makes_nothing_has_a_scope),
        cmocka_unit_test(a_name_is_one_plain_segment),
        cmocka_unit_test(what_has_not_come_yet_is_waited_for),
        cmocka_unit_test(a_reason_harms_no_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
