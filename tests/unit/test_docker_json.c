/*
 * Unit tests of the parsers of Docker's answers: split at every byte, odd records, limits at and one past (DISC-1).
 */
#include "tests/unit/docker_feed.h"
#include "workers/docker/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define ID_N "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

static const struct docker_label_names label_names = {
    .names = {"com.docker.compose.project", "anchord.expose"},
    .count = 2,
};

#define SEEN_MAX 8

static struct {
    size_t container_count;
    struct docker_container containers[SEEN_MAX];
    size_t odd_count;
    char odd[SEEN_MAX][128];
    size_t event_count;
    struct docker_event events[SEEN_MAX];
} seen;

static void on_container(void *userdata, const struct docker_container *container)
{
    (void)userdata;
    assert_true(seen.container_count < SEEN_MAX);
    seen.containers[seen.container_count++] = *container;
}

static void on_odd(void *userdata, const char *id, const char *name, const char *reason)
{
    (void)userdata;
    assert_true(seen.odd_count < SEEN_MAX);
    (void)snprintf(seen.odd[seen.odd_count++], sizeof(seen.odd[0]), "%.4s|%s|%s", id, name, reason);
}

static void on_event(void *userdata, const struct docker_event *event)
{
    (void)userdata;
    assert_true(seen.event_count < SEEN_MAX);
    seen.events[seen.event_count++] = *event;
}

static int parse_containers_cut(const char *text, size_t cut)
{
    CLEANUP(docker_parser_freep) struct docker_parser *parser = NULL;

    memset(&seen, 0, sizeof(seen));
    assert_int_equal(docker_parser_new_containers(&label_names, on_container, on_odd, NULL, &parser), 0);
    return docker_feed_cut(parser, text, strlen(text), cut);
}

static int parse_containers(const char *text)
{
    return parse_containers_cut(text, strlen(text));
}

#define WEB                                                                                                            \
    "{\"Id\":\"" ID_A "\",\"Names\":[\"/db/alias\",\"/web\"],\"Created\":1763826000,\"State\":\"running\",\"Labels\":" \
    "{\"anchord.expose\":\"tcp/80\",\"x\":\"\\u0000\",\"com.docker.compose.project\":\"mail\"},\"HostConfig\":"        \
    "{\"NetworkMode\":\"transit\"},\"NetworkSettings\":{\"Networks\":{\"transit\":{\"IPAMConfig\":null,\"Aliases\":"   \
    "[\"web\"],\"NetworkID\":\"" ID_N "\",\"IPAddress\":\"172.30.0.5\",\"GlobalIPv6Address\":\"fd30::5\","             \
    "\"MacAddress\":\"02:42:ac:1e:00:05\",\"GwPriority\":0},\"second\":{\"NetworkID\":\"\",\"IPAddress\":\"\"}}},"     \
    "\"Mounts\":[{\"Type\":\"bind\"}]}"

static void expect_web(const struct docker_container *container)
{
    char text[IP_ADDRESS_TEXT_SIZE];

    assert_string_equal(container->id, ID_A);
    assert_string_equal(container->name, "web");
    assert_int_equal(container->created, 1763826000);
    assert_true(container->is_running);
    assert_true(container->labels[0].is_present && container->labels[1].is_present);
    assert_string_equal(container->labels[0].text, "mail");
    assert_string_equal(container->labels[1].text, "tcp/80");
    assert_int_equal(container->endpoint_count, 2);
    assert_string_equal(container->endpoints[0].network, "transit");
    assert_string_equal(container->endpoints[0].network_id, ID_N);
    assert_string_equal(ip_address_format(&container->endpoints[0].address4, text), "172.30.0.5");
    assert_string_equal(ip_address_format(&container->endpoints[0].address6, text), "fd30::5");
    assert_int_equal(container->endpoints[0].mac.bytes[5], 5);
    assert_int_equal(container->endpoints[1].address4.family, IP_FAMILY_NONE);
    assert_true(mac_address_is_zero(&container->endpoints[1].mac));
}

/* DISC-8: what tells of a service-anchor and of the way back. */
static void what_the_way_back_needs_is_read(void **state)
{
    static const struct {
        const char *fields;
        bool is_service_anchor;
        enum docker_health health;
        const char *joined;
        int32_t priority;
    } cases[] = {
        {"\"Command\":\"/usr/libexec/anchord/anchord-init service-anchor\"", true, DOCKER_HEALTH_NONE, "", 0},
        {"\"Command\":\"anchord service-anchor -x\",\"Status\":\"(healthy)\"", true, DOCKER_HEALTH_HEALTHY, "", 0},
        {"\"Command\":\"service-anchor\",\"HostConfig\":{\"NetworkMode\":\"a\"},\"Status\":\"(unhealthy)\"", false,
         DOCKER_HEALTH_UNHEALTHY, "", 0},
        {"\"Command\":\"x service-anchors\",\"Status\":\"(health: starting)\"", false, DOCKER_HEALTH_STARTING, "", 0},
        {"\"Command\":null,\"Status\":7,\"HostConfig\":{\"NetworkMode\":\"container:" ID_B "\"}", false,
         DOCKER_HEALTH_NONE, ID_B, 0},
        {"\"HostConfig\":{\"NetworkMode\":\"container:\"}", false, DOCKER_HEALTH_NONE, "", 0},
        {"\"HostConfig\":{\"NetworkMode\":\"container:web\"}", false, DOCKER_HEALTH_NONE, "", 0},
        {"\"HostConfig\":null,\"NetworkSettings\":{\"Networks\":{\"a\":{\"GwPriority\":7}}}", false, DOCKER_HEALTH_NONE,
         "", 7},
        {"\"NetworkSettings\":{\"Networks\":{\"a\":{\"GwPriority\":-7}}}", false, DOCKER_HEALTH_NONE, "", -7},
        {"\"NetworkSettings\":{\"Networks\":{\"a\":{\"GwPriority\":-9223372036854775808}}}", false, DOCKER_HEALTH_NONE,
         "", -INT32_MAX},
        {"\"NetworkSettings\":{\"Networks\":{\"a\":{\"GwPriority\":\"1\"}}}", false, DOCKER_HEALTH_NONE, "", 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char text[512];

        (void)snprintf(text, sizeof(text), "[{\"Id\":\"" ID_A "\",%s}]", cases[i].fields);
        assert_int_equal(parse_containers(text), 0);
        assert_int_equal(seen.container_count, 1);
        assert_int_equal(seen.containers[0].is_service_anchor, cases[i].is_service_anchor);
        assert_int_equal(seen.containers[0].health, cases[i].health);
        assert_string_equal(seen.containers[0].joined_id, cases[i].joined);
        assert_int_equal(seen.containers[0].tells_network_mode, strstr(cases[i].fields, "NetworkMode") != NULL);
        if (seen.containers[0].endpoint_count > 0)
            assert_int_equal(seen.containers[0].endpoints[0].gateway_priority, cases[i].priority);
    }
}

/* LIFE-5: an address that somebody chose must stay free for him, whether he runs or not. */
static void fixed_addresses_are_told_from_others(void **state)
{
    static const struct {
        const char *configuration;
        bool is_fixed4, is_fixed6;
    } cases[] = {
        {"\"IPAMConfig\":{\"IPv4Address\":\"172.29.7.2\"},\"NetworkID\":\"\"", true, false},
        {"\"IPAMConfig\":{\"IPv4Address\":\"\",\"IPv6Address\":\"fd00::7\"}", false, true},
        {"\"IPAMConfig\":{\"IPv4Address\":\"\",\"LinkLocalIPs\":[\"169.254.1.1\"]}", false, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char text[512];

        (void)snprintf(text, sizeof(text), "[{\"Id\":\"" ID_A "\",\"NetworkSettings\":{\"Networks\":{\"bus\":{%s}}}}]",
                       cases[i].configuration);
        assert_int_equal(parse_containers(text), 0);
        assert_int_equal(seen.containers[0].endpoints[0].has_fixed_address4, cases[i].is_fixed4);
        assert_int_equal(seen.containers[0].endpoints[0].has_fixed_address6, cases[i].is_fixed6);
    }
}

static void a_list_may_be_split_at_every_byte(void **state)
{
    static const char text[] = "[" WEB ",{\"Id\":\"" ID_B "\",\"State\":\"exited\",\"Labels\":null}]\n";

    (void)state;
    for (size_t cut = 0; cut <= strlen(text); cut++) {
        assert_int_equal(parse_containers_cut(text, cut), 0);
        assert_int_equal(seen.container_count, 2);
        assert_int_equal(seen.odd_count, 0);
        expect_web(&seen.containers[0]);
        assert_string_equal(seen.containers[1].id, ID_B);
        assert_false(seen.containers[1].is_running);
        assert_false(seen.containers[1].labels[1].is_present);
        assert_int_equal(seen.containers[1].endpoint_count, 0);
    }
}

static void a_list_that_ends_early_is_no_list(void **state)
{
    static const char text[] = "[" WEB "]";
    char part[sizeof(text)];

    (void)state;
    for (size_t length = 0; length < strlen(text); length++) {
        memcpy(part, text, length);
        part[length] = '\0';
        assert_int_equal(parse_containers(part), -EBADMSG);
    }
}

static void a_paused_container_keeps_its_entry(void **state)
{
    (void)state;
    assert_int_equal(
        parse_containers("[{\"Id\":\"aa\",\"State\":\"paused\"},{\"Id\":\"ab\",\"State\":\"restarting\"}]"), 0);
    assert_true(seen.containers[0].is_running);
    assert_false(seen.containers[1].is_running);
}

#define NAME_OF_16  "0123456789abcdef"
#define NAME_OF_64  NAME_OF_16 NAME_OF_16 NAME_OF_16 NAME_OF_16
#define NAME_OF_256 NAME_OF_64 NAME_OF_64 NAME_OF_64 NAME_OF_64

static void odd_containers_do_not_spoil_the_others(void **state)
{
    static const struct {
        const char *container;
        const char *verdict;
    } cases[] = {
        {"null", "||the container is no object"},
        {"3", "||the container is no object"},
        {"[]", "||the container is no object"},
        {"{}", "||no Id"},
        {"{\"Id\":7}", "||Id is no ID"},
        {"{\"Id\":\"../../etc\"}", "||Id is no ID"},
        {"{\"Id\":\"" ID_A "a\"}", "||Id is no ID"},
        {"{\"Id\":\"bb\",\"Names\":[5]}", "bb||a name in Names is no text"},
        {"{\"Id\":\"bb\",\"Names\":[\"/x\"],\"Created\":\"now\"}", "bb|x|Created is no time"},
        {"{\"Id\":\"bb\",\"Created\":-1}", "bb||Created is no time"},
        {"{\"Id\":\"bb\",\"Created\":1e3}", "bb||Created is no time"},
        {"{\"Id\":\"bb\",\"Labels\":[]}", "bb||Labels or NetworkSettings is no object"},
        {"{\"Id\":\"bb\",\"Labels\":{\"anchord.expose\":\"tcp\\u0000/80\"}}",
         "bb||a label that we read is longer than 15999 bytes or no text"},
        {"{\"Id\":\"bb\",\"NetworkSettings\":{\"Networks\":{\"n\":5}}}", "bb||an entry of Networks is no object"},
        {"{\"Id\":\"bb\",\"NetworkSettings\":{\"Networks\":{\"n\\u0000\":{}}}}",
         "bb||a network's name is empty, longer than 127 bytes or no text"},
        {"{\"Id\":\"bb\",\"NetworkSettings\":{\"Networks\":{\"" NAME_OF_256 "\":{}}}}",
         "bb||a network's name is empty, longer than 127 bytes or no text"},
        {"{\"Id\":\"bb\",\"NetworkSettings\":{\"Networks\":{\"n\":{\"NetworkID\":\"x\"}}}}", "bb||NetworkID is no ID"},
        {"{\"Id\":\"bb\",\"NetworkSettings\":{\"Networks\":{\"n\":{\"IPAddress\":\"fd00::1\"}}}}",
         "bb||IPAddress is no IPv4 address"},
        {"{\"Id\":\"bb\",\"NetworkSettings\":{\"Networks\":{\"n\":{\"GlobalIPv6Address\":\"1.2.3.4\"}}}}",
         "bb||GlobalIPv6Address is no IPv6 address"},
        {"{\"Id\":\"bb\",\"NetworkSettings\":{\"Networks\":{\"n\":{\"MacAddress\":\"02:42\"}}}}",
         "bb||MacAddress is no MAC address"},
        {"{\"Id\":\"bb\",\"NetworkSettings\":{\"Networks\":{\"n\":{\"MacAddress\":[]}}}}",
         "bb||MacAddress is no MAC address"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        CLEANUP_FREE char *text = NULL;

        print_message("%s\n", cases[i].container);
        assert_true(asprintf(&text, "[%s," WEB "]", cases[i].container) > 0);
        assert_int_equal(parse_containers(text), 0);
        expect_web(&seen.containers[seen.container_count - 1]);
        assert_int_equal(seen.container_count, 1);
        assert_int_equal(seen.odd_count, 1);
        assert_string_equal(seen.odd[0], cases[i].verdict);
    }
}

/* A container with one label of `length` bytes. */
static int parse_with_label(size_t length)
{
    CLEANUP_FREE char *value = calloc(1, length + 1);
    CLEANUP_FREE char *text = NULL;

    assert_non_null(value);
    memset(value, 'x', length);
    assert_true(asprintf(&text, "[{\"Id\":\"bb\",\"Labels\":{\"anchord.expose\":\"%s\"}}]", value) > 0);
    return parse_containers(text);
}

static void labels_have_a_limit(void **state)
{
    (void)state;
    assert_int_equal(parse_with_label(DOCKER_LABEL_SIZE - 1), 0);
    assert_int_equal(seen.container_count, 1);
    assert_int_equal(parse_with_label(DOCKER_LABEL_SIZE), 0);
    assert_int_equal(seen.container_count, 0);
    assert_int_equal(seen.odd_count, 1);
}

/* A container on `count` networks. */
static int parse_with_networks(size_t count)
{
    char text[DOCKER_ENDPOINTS_MAX * 64] = "[{\"Id\":\"bb\",\"NetworkSettings\":{\"Networks\":{";
    size_t length = strlen(text);

    for (size_t i = 0; i < count; i++)
        length += (size_t)snprintf(text + length, sizeof(text) - length, "%s\"n%zu\":{\"IPAddress\":\"10.0.0.1\"}",
                                   i > 0 ? "," : "", i);
    (void)snprintf(text + length, sizeof(text) - length, "}}}]");
    return parse_containers(text);
}

/* DISC-1: what is longer than any name that we read, or goes on behind a NUL, is another name. */
static void names_of_labels_are_compared_whole(void **state)
{
    (void)state;
    assert_int_equal(parse_containers("[{\"Id\":\"bb\",\"Labels\":{\"anchord.expose\\u0000\":\"tcp/1\",\"" NAME_OF_256
                                      "\":\"\",\"\":\"\"}}]"),
                     0);
    assert_int_equal(seen.container_count, 1);
    assert_false(seen.containers[0].labels[1].is_present);
}

static void endpoints_have_a_limit(void **state)
{
    (void)state;
    assert_int_equal(parse_with_networks(DOCKER_ENDPOINTS_MAX), 0);
    assert_int_equal(seen.container_count, 1);
    assert_int_equal(seen.containers[0].endpoint_count, DOCKER_ENDPOINTS_MAX);
    assert_int_equal(parse_with_networks(DOCKER_ENDPOINTS_MAX + 1), 0);
    assert_int_equal(seen.container_count, 0);
    assert_int_equal(seen.odd_count, 1);
}

static int parse_nested(size_t depth)
{
    char text[2 * JSON_DEPTH_MAX + 8] = {0};

    memset(text, '[', depth);
    memset(text + depth, ']', depth);
    return parse_containers(text);
}

static void depth_has_a_limit(void **state)
{
    (void)state;
    assert_int_equal(parse_nested(JSON_DEPTH_MAX), 0);
    assert_int_equal(parse_nested(JSON_DEPTH_MAX + 1), -EBADMSG);
}

/* One string of `length` bytes, fed in pieces, without its end. */
static int feed_string(size_t length)
{
    CLEANUP(docker_parser_freep) struct docker_parser *parser = NULL;
    char piece[4096];
    int result;

    memset(piece, 'x', sizeof(piece));
    assert_int_equal(docker_parser_new_containers(&label_names, on_container, on_odd, NULL, &parser), 0);
    result = docker_parser_feed(parser, "[", 1); /* the last token */
    if (result == 0)
        result = docker_parser_feed(parser, "\"", 1);
    for (length--; result == 0 && length > 0;) {
        size_t part = length < sizeof(piece) ? length : sizeof(piece);

        result = docker_parser_feed(parser, piece, part);
        length -= part;
    }
    return result;
}

static void strings_have_a_limit(void **state)
{
    (void)state;
    /* The offset of "[" was taken while it was read, so it counts. */
    assert_int_equal(feed_string(JSON_TOKEN_MAX), 0);
    assert_int_equal(feed_string(JSON_TOKEN_MAX + 1), -EMSGSIZE);
}

static void other_documents_are_no_list(void **state)
{
    (void)state;
    assert_int_equal(parse_containers("{\"message\":\"page not found\"}"), -EBADMSG);
    assert_int_equal(parse_containers("null"), -EBADMSG);
    assert_int_equal(parse_containers("<html>"), -EBADMSG);
    assert_int_equal(parse_containers("[] []"), -EBADMSG);
    assert_int_equal(parse_containers("[]"), 0);
}

#define START_EVENT                                                                                                    \
    "{\"status\":\"start\",\"Type\":\"container\",\"Action\":\"start\",\"Actor\":{\"ID\":\"" ID_A "\",\"Attributes\":" \
    "{\"anchord.expose\":\"tcp/80\",\"container\":\"odd\",\"name\":\"web\"}},\"timeNano\":1763826000123456789}\n"
#define CONNECT_EVENT                                                                                            \
    "{\"Type\":\"network\",\"Action\":\"connect\",\"Actor\":{\"ID\":\"" ID_N "\",\"Attributes\":{\"container\":" \
    "\"" ID_B "\"}},\"timeNano\":2}\n"
#define HEALTH_EVENT \
    "{\"Type\":\"container\",\"Action\":\"health_status: healthy\",\"Actor\":{\"ID\":\"" ID_A "\"},\"time\":1}\n"

static void events_may_be_split_at_every_byte(void **state)
{
    static const char text[] = START_EVENT CONNECT_EVENT "{\"Type\":\"image\",\"Action\":\"pull\"}" HEALTH_EVENT;

    (void)state;
    for (size_t cut = 0; cut <= strlen(text); cut++) {
        CLEANUP(docker_parser_freep) struct docker_parser *parser = NULL;

        memset(&seen, 0, sizeof(seen));
        assert_int_equal(docker_parser_new_events(&label_names, on_event, NULL, &parser), 0);
        assert_int_equal(docker_feed_cut(parser, text, strlen(text), cut), 0);
        assert_int_equal(seen.event_count, 3);
        assert_int_equal(seen.events[0].type, DOCKER_EVENT_CONTAINER);
        assert_string_equal(seen.events[0].action, "start");
        assert_string_equal(seen.events[0].container_id, ID_A);
        assert_int_equal(seen.events[0].time, 1763826000123456789);
        assert_string_equal(seen.events[0].labels[1].text, "tcp/80");
        assert_int_equal(seen.events[1].type, DOCKER_EVENT_NETWORK);
        assert_string_equal(seen.events[1].container_id, ID_B);
        assert_false(seen.events[1].labels[1].is_present);
        assert_string_equal(seen.events[2].action, "health_status");
        assert_int_equal(seen.events[2].time, 0);
    }
}

/* An event of `length` bytes in all; the limit counts what follows the last one. */
static int feed_event(size_t length)
{
    static const char begin[] = "{\"Type\":\"container\",\"x\":[";
    static const char end[] = "0]}";
    CLEANUP(docker_parser_freep) struct docker_parser *parser = NULL;
    CLEANUP_FREE char *text = malloc(length + 1);

    assert_non_null(text);
    memset(&seen, 0, sizeof(seen));
    memset(text, ' ', length);
    memcpy(text, begin, strlen(begin));
    for (size_t i = strlen(begin); i + strlen(end) + 4 < length; i += 2)
        memcpy(text + i, "0,", 2);
    memcpy(text + length - strlen(end), end, strlen(end));
    assert_int_equal(docker_parser_new_events(&label_names, on_event, NULL, &parser), 0);
    /* Up to the last byte, so that the event is still open when the limit is looked at. */
    return docker_parser_feed(parser, text, length - 1);
}

static void events_have_a_limit(void **state)
{
    (void)state;
    assert_int_equal(feed_event(DOCKER_EVENT_LENGTH_MAX + 1), 0);
    assert_int_equal(feed_event(DOCKER_EVENT_LENGTH_MAX + 2), -EMSGSIZE);
}

static void docker_host_is_a_path_or_a_name(void **state)
{
    struct docker_host host;
    const char *reason = NULL;

    (void)state;
    assert_int_equal(docker_host_parse("unix:///var/run/docker.sock", &host, &reason), 0);
    assert_string_equal(host.path, "/var/run/docker.sock");
    assert_int_equal(docker_host_parse("tcp://docker-proxy:2376/", &host, &reason), 0);
    assert_string_equal(host.name, "docker-proxy");
    assert_int_equal(host.port, 2376);
    assert_false(host.name_is_address);
    assert_int_equal(docker_host_parse("tcp://docker_proxy", &host, &reason), 0);
    assert_int_equal(host.port, DOCKER_PORT_DEFAULT);
    assert_int_equal(docker_host_parse("tcp://[fd00::1]:2375", &host, &reason), 0);
    assert_string_equal(host.name, "fd00::1");
    assert_true(host.name_is_address);
    assert_int_equal(docker_host_parse("tcp://192.0.2.1", &host, &reason), 0);
    assert_true(host.name_is_address);
}

static void other_docker_hosts_are_refused(void **state)
{
    static const char *const refused[] = {
        "",
        "unix://",
        "unix://run/docker.sock",
        "http://x",
        "ssh://x",
        "tcp://",
        "tcp://:2375",
        "tcp://a b",
        "tcp://a@b",
        "tcp://a:0",
        "tcp://a:65536",
        "tcp://a:",
        "tcp://a:1/v1",
        "tcp://[fd00::1",
        "tcp://[a]:1",
        "tcp://[::1]x",
        "tcp://-a",
        "tcp://a,b",
        "tcp://a\r\nb",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(refused); i++) {
        struct docker_host host;
        const char *reason = NULL;

        print_message("%s\n", refused[i]);
        assert_int_equal(docker_host_parse(refused[i], &host, &reason), -EINVAL);
        assert_non_null(reason);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_way_back_needs_is_read),
        cmocka_unit_test(fixed_addresses_are_told_from_others),
        cmocka_unit_test(a_list_may_be_split_at_every_byte),
        cmocka_unit_test(a_list_that_ends_early_is_no_list),
        cmocka_unit_test(a_paused_container_keeps_its_entry),
        cmocka_unit_test(odd_containers_do_not_spoil_the_others),
        cmocka_unit_test(labels_have_a_limit),
        cmocka_unit_test(names_of_labels_are_compared_whole),
        cmocka_unit_test(endpoints_have_a_limit),
        cmocka_unit_test(depth_has_a_limit),
        cmocka_unit_test(strings_have_a_limit),
        cmocka_unit_test(other_documents_are_no_list),
        cmocka_unit_test(events_may_be_split_at_every_byte),
        cmocka_unit_test(events_have_a_limit),
        cmocka_unit_test(docker_host_is_a_path_or_a_name),
        cmocka_unit_test(other_docker_hosts_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
