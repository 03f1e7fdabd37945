/*
 * Unit tests of what the watcher and every worker's channel do when an allocation fails: -ENOMEM, nothing lost of what
 * was there, nothing leaked (the sanitizers look), and no exit.
 */
#include "protocol/channel.h"
#include "tests/unit/failing_memory.h"
#include "workers/watcher/container_table.h"
#include "workers/watcher/exposures.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#define DOCKER_ID "9dd2d1a4a17dbc8a2b6b9f1f0a3c5e7d9f1b3d5f7a9c1e3f5b7d9f1a3c5e7d9f"

/* --- Docker's answers ---------------------------------------------------------------------------------- */

struct document {
    const char *text;
    int (*make)(struct docker_parser **ret);
};

static void ignore_container(void *userdata, const struct docker_container *container)
{
    (void)userdata;
    (void)container;
}

static void ignore_odd(void *userdata, const char *id, const char *name, const char *reason)
{
    (void)userdata;
    (void)id;
    (void)name;
    (void)reason;
}

static void ignore_event(void *userdata, const struct docker_event *event)
{
    (void)userdata;
    (void)event;
}

static void ignore_attached(void *userdata, const struct docker_attached *attached)
{
    (void)userdata;
    (void)attached;
}

static int make_containers(struct docker_parser **ret)
{
    return docker_parser_new_containers(&watched_labels, ignore_container, ignore_odd, NULL, ret);
}

static int make_events(struct docker_parser **ret)
{
    return docker_parser_new_events(&watched_labels, ignore_event, NULL, ret);
}

static int make_network(struct docker_parser **ret)
{
    static struct docker_network network;

    return docker_parser_new_network(&network, ignore_attached, NULL, ret);
}

static int make_version(struct docker_parser **ret)
{
    static struct docker_version version;

    return docker_parser_new_version(&version, ret);
}

static int make_inspection(struct docker_parser **ret)
{
    static struct docker_inspection inspection;

    return docker_parser_new_inspection(&inspection, ret);
}

static int parse(void *context)
{
    const struct document *document = context;
    CLEANUP(docker_parser_freep) struct docker_parser *parser = NULL;
    int result = document->make(&parser);

    if (result == 0)
        result = docker_parser_feed(parser, document->text, strlen(document->text));
    return result < 0 ? result : docker_parser_finish(parser);
}

static void every_parser_of_dockers_answers(void **state)
{
    static struct document documents[] = {
        {"[{\"Id\":\"" DOCKER_ID "\",\"Names\":[\"/web\"],\"Created\":1,\"State\":\"running\","
         "\"Labels\":{\"anchord.expose\":\"80\"},\"NetworkSettings\":{\"Networks\":{}}}]",
         make_containers},
        {"{\"Type\":\"container\",\"Action\":\"start\",\"Actor\":{\"ID\":\"" DOCKER_ID "\"},\"timeNano\":1}",
         make_events},
        {"{\"Id\":\"" DOCKER_ID "\",\"Name\":\"lan\",\"Driver\":\"bridge\",\"IPAM\":{\"Config\":[]}}", make_network},
        {"{\"Version\":\"28.5.2\",\"ApiVersion\":\"1.51\",\"MinAPIVersion\":\"1.24\"}", make_version},
        {"{\"Args\":[],\"Config\":{\"Env\":[]}}", make_inspection},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(documents); i++)
        assert_true(failing_memory_try_each(parse, &documents[i]) >= 2);
}

static int parse_label(void *context)
{
    struct expose_range *ranges = NULL;
    struct expose_error error;
    int count = expose_label_parse(context, &ranges, &error);

    assert_true(count >= 0 || !ranges);
    free(ranges);
    return count;
}

static void an_expose_label(void **state)
{
    char label[] = "tcp/80:8080,udp/1000-2000,tcp/443";

    (void)state;
    assert_true(failing_memory_try_each(parse_label, label) >= 2);
}

/* --- the table of containers --------------------------------------------------------------------------- */

struct put {
    struct container_table *table;
    const struct docker_container *container;
    size_t count_before;
};

static int put(void *context)
{
    struct put *put = context;
    struct label_fault fault;
    int result = container_table_put(put->table, put->container, &fault);

    if (result < 0)
        assert_int_equal(HASH_COUNT(put->table->entries), put->count_before);
    return result;
}

static struct docker_container *make_container(void)
{
    struct docker_container *container = test_calloc(1, sizeof(*container));

    memcpy(container->name, "web", sizeof("web"));
    container->is_running = true;
    container->endpoint_count = 1;
    memcpy(container->endpoints[0].network_id, "aa", sizeof("aa"));
    container->labels[WATCHED_LABEL_EXPOSE].is_present = true;
    memcpy(container->labels[WATCHED_LABEL_EXPOSE].text, "80", sizeof("80"));
    return container;
}

/* Enough of them for the hash table to grow, which allocates, too. */
static void a_container_is_added_whole_or_not_at_all(void **state)
{
    struct docker_container *container = make_container();
    struct container_table table = {0};
    size_t most = 0;

    (void)state;
    container_table_begin_pass(&table);
    for (unsigned int i = 0; i < 400; i++) {
        struct put context = {&table, container, i};
        size_t allocations;

        (void)snprintf(container->id, sizeof(container->id), "%064x", i);
        allocations = failing_memory_try_each(put, &context);
        most = allocations > most ? allocations : most;
        assert_int_equal(HASH_COUNT(table.entries), i + 1);
    }
    assert_true(most > 5); /* that of the growing table among them */
    for (unsigned int i = 0; i < 400; i++) {
        (void)snprintf(container->id, sizeof(container->id), "%064x", i);
        assert_non_null(container_table_find(&table, container->id));
    }
    container_table_release(&table);
    test_free(container);
}

static void a_container_keeps_what_was_known_of_it(void **state)
{
    struct docker_container *container = make_container();
    struct container_table table = {0};
    struct label_fault fault;

    (void)state;
    memcpy(container->id, "aa", sizeof("aa"));
    container_table_begin_pass(&table);
    assert_int_equal(container_table_put(&table, container, &fault), 0);
    memcpy(container->name, "new", sizeof("new"));
    container->endpoint_count = 0;
    for (size_t nth = 1;; nth++) {
        const struct container_entry *entry;
        int result;

        failing_memory_arm(nth);
        result = container_table_put(&table, container, &fault);
        entry = container_table_find(&table, "aa");
        if (!failing_memory_disarm()) {
            assert_int_equal(result, 0);
            assert_string_equal(entry->name, "new");
            break;
        }
        assert_int_equal(result, -ENOMEM);
        assert_string_equal(entry->name, "web");
        assert_int_equal(entry->endpoint_count, 1);
    }
    container_table_release(&table);
    test_free(container);
}

/* --- who gets which port ------------------------------------------------------------------------------- */

static const struct expose_range ranges[] = {
    {IPPROTO_TCP, 0, 80, 80, 8080},
    {IPPROTO_UDP, 0, 1000, 1100, 1000},
};

static struct exposure_source make_source(uint32_t serial, const char *id)
{
    return (struct exposure_source){
        .serial = serial,
        .created = serial,
        .id = id,
        .address4 = {.family = IP_FAMILY_4, .bytes = {172, 30, 0, (uint8_t)serial}},
        .address6 = {.family = IP_FAMILY_6, .bytes = {0xfd, [15] = (uint8_t)serial}},
        .ranges = ranges,
        .range_count = ARRAY_LENGTH(ranges),
    };
}

static int compute(void *context)
{
    const struct wire_exposure map = {.family = IP_FAMILY_4,
                                      .protocol = IPPROTO_TCP,
                                      .port_first = 80,
                                      .port_last = 80,
                                      .backend_port_first = 8080,
                                      .backend = {172, 30, 0, 2}};
    const struct exposure_source sources[] = {make_source(1, "a"), make_source(2, "b")};
    CLEANUP(exposures_freep) struct exposures *exposures = NULL;
    struct exposure_result computed = {0};
    int result = exposures_new(&exposures);

    (void)context;
    if (result == 0)
        result = exposures_adopt(exposures, &map, 1, sources, ARRAY_LENGTH(sources));
    if (result == 0)
        result = exposures_compute(exposures, sources, ARRAY_LENGTH(sources), &computed);
    assert_true(result < 0 || computed.item_count > 0);
    return result;
}

static void exposures_are_computed_or_not(void **state)
{
    (void)state;
    assert_true(failing_memory_try_each(compute, NULL) >= 7);
}

/* The younger one holds what both want: by an earlier computation, or by netadmin's map. */
static void let_younger_hold(struct exposures *exposures, const struct exposure_source *younger, bool by_map)
{
    const struct wire_exposure map = {.family = IP_FAMILY_4,
                                      .protocol = IPPROTO_TCP,
                                      .port_first = 80,
                                      .port_last = 80,
                                      .backend_port_first = 8080,
                                      .backend = {172, 30, 0, 2}};
    struct exposure_result computed;

    if (by_map)
        assert_int_equal(exposures_adopt(exposures, &map, 1, younger, 1), 0);
    else
        assert_int_equal(exposures_compute(exposures, younger, 1, &computed), 0);
}

/* While the younger one is gone, the older one wants its port and many more; the nth allocation for that fails. */
static int compute_without_younger(struct exposures *exposures, const struct exposure_source *older, size_t nth)
{
    struct exposure_result computed = {0};
    int result;

    failing_memory_arm(nth);
    result = exposures_compute(exposures, older, 1, &computed);
    if (!failing_memory_disarm())
        return result;
    assert_int_equal(result, -ENOMEM);
    assert_null(computed.items);
    return result;
}

/* Enough ports that do not join to one entry for all arrays of the result to grow. */
static void make_scattered(struct expose_range scattered[40])
{
    for (uint16_t i = 0; i < 40; i++) {
        uint16_t port = (uint16_t)(80 + 2 * i);

        scattered[i] = (struct expose_range){IPPROTO_TCP, 0, port, port, port};
    }
}

/* NAT-6: nobody was ever told of what a computation had worked out when it failed, so no port moves by it. */
static void the_incumbent_stays_when_memory_is_short(void **state)
{
    struct expose_range scattered[40];
    struct exposure_source sources[] = {make_source(1, "a"), make_source(2, "b")};
    size_t failures = 0;

    (void)state;
    make_scattered(scattered);
    sources[0].ranges = scattered;
    sources[0].range_count = ARRAY_LENGTH(scattered);
    for (size_t i = 0; i < 2 * 20; i++) {
        CLEANUP(exposures_freep) struct exposures *exposures = NULL;
        size_t nth = i / 2 + 1;
        struct exposure_result computed;

        assert_int_equal(exposures_new(&exposures), 0);
        let_younger_hold(exposures, &sources[1], i % 2 == 0);
        if (compute_without_younger(exposures, &sources[0], nth) == 0)
            continue; /* more than it needs */
        failures++;
        assert_int_equal(compute_without_younger(exposures, &sources[0], 1), -ENOMEM);
        assert_int_equal(exposures_compute(exposures, sources, ARRAY_LENGTH(sources), &computed), 0);
        assert_int_equal(computed.conflict_count, 1);
        assert_int_equal(computed.conflicts[0].holder, 2);
        assert_int_equal(computed.conflicts[0].port_first, 80);
    }
    assert_in_range(failures, 8, 30);
}

/* --- a channel whose peer does not read ---------------------------------------------------------------- */

static void on_message(struct channel *channel, const struct message_header *message, int descriptor, void *userdata)
{
    (void)channel;
    (void)message;
    (void)descriptor;
    (void)userdata;
}

static void on_closed(struct channel *channel, int error, const char *reason, void *userdata)
{
    (void)channel;
    (void)error;
    (void)reason;
    (void)userdata;
}

static int fill_queue(void *context)
{
    const struct channel_callbacks callbacks = {on_message, on_closed, NULL};
    struct message_ping ping = {message_header_make(MESSAGE_PING, sizeof(ping), 1)};
    CLEANUP(channel_freep) struct channel *channel = NULL;
    int ends[2];
    int result = channel_make_pair(ends);

    assert_int_equal(result, 0);
    result = channel_new(context, ends[0], DIRECTION_WATCHER_TO_SUPERVISOR, &callbacks, &channel);
    for (size_t i = 0; i < 2000 && result == 0; i++)
        result = channel_send_message(channel, &ping);
    if (result < 0 && channel)
        assert_int_equal(channel_send_message(channel, &ping), -EPIPE); /* over, and it says so */
    if (!channel)
        (void)close(ends[0]);
    (void)close(ends[1]);
    return result;
}

static void a_channels_queue(void **state)
{
    sd_event *event = NULL;

    (void)state;
    assert_true(sd_event_new(&event) >= 0);
    assert_true(failing_memory_try_each(fill_queue, event) >= 3);
    sd_event_unref(event);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_parser_of_dockers_answers),
        cmocka_unit_test(an_expose_label),
        cmocka_unit_test(a_container_is_added_whole_or_not_at_all),
        cmocka_unit_test(a_container_keeps_what_was_known_of_it),
        cmocka_unit_test(exposures_are_computed_or_not),
        cmocka_unit_test(the_incumbent_stays_when_memory_is_short),
        cmocka_unit_test(a_channels_queue),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
