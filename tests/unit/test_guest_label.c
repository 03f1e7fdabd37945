/*
 * Unit tests of who may come in: the grammar of anchord.allow and anchord.limit with each error's position (GUEST-1,
 * GUEST-3), the services of ANCHORD_ALLOW and ANCHORD_LIMIT (GUEST-5), and what is made of overlaps.
 */
#include "protocol/guest_label.h"

#include "common/cleanup.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What is made of it, as text: "tcp/80-90: 10.0.0.0/8 fd00::/8; udp/53:; tcp/22 10/minute 5". */
static void describe(const struct guest_list *list, char text[1024])
{
    size_t length = 0;

    text[0] = '\0';
    for (size_t i = 0; i < list->count; i++) {
        const struct wire_guest *guest = &list->items[i];
        const char *protocol = guest->protocol == IPPROTO_TCP ? "tcp" : "udp";

        if (guest->kind == GUEST_LIMIT)
            length += (size_t)snprintf(text + length, 1024 - length, "%s%s/%u %u/%s %u", length ? "; " : "", protocol,
                                       guest->port_first, guest->rate, guest->is_per_minute ? "minute" : "second",
                                       guest->burst);
        if (guest->kind != GUEST_PORTS)
            continue;
        length += (size_t)snprintf(text + length, 1024 - length, "%s%s/%u-%u:", length ? "; " : "", protocol,
                                   guest->port_first, guest->port_last);
        for (size_t j = 0; j < list->count; j++) {
            const struct ip_subnet other = guest_source(&list->items[j]);

            if (list->items[j].kind == GUEST_SOURCE && list->items[j].protocol == guest->protocol &&
                list->items[j].port_first == guest->port_first && list->items[j].port_last == guest->port_last)
                length += (size_t)snprintf(text + length, 1024 - length, " %s", IP_SUBNET_TEXT(&other));
        }
    }
}

struct good_case {
    enum guest_text which;
    const char *service;
    const char *text;
    const char *made;
};

#define ALLOW GUEST_TEXT_ALLOW
#define LIMIT GUEST_TEXT_LIMIT

static const struct good_case good_cases[] = {
    {ALLOW, NULL, "", ""},
    {ALLOW, NULL, " ,\t,", ""},
    {LIMIT, NULL, " ", ""},
    {ALLOW, NULL, "tcp/22 from 192.168.1.0/24", "tcp/22-22: 192.168.1.0/24"},
    {ALLOW, NULL, " TCP / 22  From 192.168.1.7\tfd00::/8 ", "tcp/22-22: 192.168.1.7/32 fd00::/8"},
    {ALLOW, NULL, "udp/10000-20000 from 0.0.0.0/0 ::/0", "udp/10000-20000: 0.0.0.0/0 ::/0"},
    {ALLOW, NULL, "udp/53 from 10.0.0.1, tcp/53 from ::1,", "tcp/53-53: ::1/128; udp/53-53: 10.0.0.1/32"},
    /* What one source contains goes without saying; what stands twice, too. */
    {ALLOW, NULL, "tcp/1 from 10.1.0.0/16 10.0.0.0/8 10.1.0.0/16 11.0.0.0/8", "tcp/1-1: 10.0.0.0/8 11.0.0.0/8"},
    /* A port answers the sources of every item that names it. */
    {ALLOW, NULL, "tcp/1 from 10.0.0.0/8,tcp/1 from 11.0.0.0/8", "tcp/1-1: 10.0.0.0/8 11.0.0.0/8"},
    {ALLOW, NULL, "tcp/80-90 from 10.0.0.0/8, tcp/85 from 11.0.0.0/8",
     "tcp/80-84: 10.0.0.0/8; tcp/85-85: 10.0.0.0/8 11.0.0.0/8; tcp/86-90: 10.0.0.0/8"},
    {ALLOW, NULL, "tcp/80-85 from 10.0.0.0/8, tcp/85-65535 from 10.1.0.0/16",
     "tcp/80-84: 10.0.0.0/8; tcp/85-85: 10.0.0.0/8; tcp/86-65535: 10.1.0.0/16"},
    {LIMIT, NULL, "tcp/22 10/minute per source", "tcp/22 10/minute 5"},
    {LIMIT, NULL, "udp/53 65535 / Second PER source burst 20", "udp/53 65535/second 20"},
    {LIMIT, NULL, "tcp/2 1/minute per source,tcp/1 1/second per source", "tcp/1 1/second 5; tcp/2 1/minute 5"},
    {ALLOW, "web", "web: tcp/443 from 10.0.0.0/8, db:tcp/5432 from ::1", "tcp/443-443: 10.0.0.0/8"},
    {ALLOW, "db", "web: tcp/443 from 10.0.0.0/8, db:tcp/5432 from ::1", "tcp/5432-5432: ::1/128"},
    {ALLOW, "we", "web: tcp/443 from 10.0.0.0/8", ""},
    {LIMIT, "web", "db: tcp/1 1/second per source, web : tcp/1 2/second per source", "tcp/1 2/second 5"},
};

static void what_is_accepted(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(good_cases) / sizeof(good_cases[0]); i++) {
        const struct good_case *good = &good_cases[i];
        CLEANUP(guest_list_clear) struct guest_list list = {0};
        struct guest_error error = {0};
        char text[1024];

        assert_int_equal(guest_label_parse(good->text, good->which, good->service, &list, &error), 0);
        describe(&list, text);
        assert_string_equal(text, good->made);
        assert_null(guest_list_check(&list));
    }
}

struct bad_case {
    enum guest_text which;
    const char *service;
    const char *text;
    size_t position;
    const char *reason; /* how it begins */
};

static const struct bad_case bad_cases[] = {
    {ALLOW, NULL, "22 from ::1", 1, "the protocol is neither"},
    {ALLOW, NULL, "/22 from ::1", 1, "a protocol is missing"},
    {ALLOW, NULL, "sctp/22 from ::1", 1, "the protocol is neither"},
    {ALLOW, NULL, "tcp 22 from ::1", 5, "a slash and a port"},
    {ALLOW, NULL, "tcp/ from ::1", 6, "a port is missing"},
    {ALLOW, NULL, "tcp/0 from ::1", 5, "the port is not between"},
    {ALLOW, NULL, "tcp/65536 from ::1", 5, "the port is not between"},
    {ALLOW, NULL, "tcp/9-8 from ::1", 5, "the range ends before"},
    {ALLOW, NULL, "tcp/9- from ::1", 8, "a port is missing"},
    {ALLOW, NULL, "tcp/22", 7, "the word from is missing"},
    {ALLOW, NULL, "tcp/22 ::1", 8, "the word from is missing"},
    {ALLOW, NULL, "tcp/22 fromage ::1", 8, "the word from is missing"},
    {ALLOW, NULL, "tcp/22 from", 12, "an address or a network is missing"},
    {ALLOW, NULL, "tcp/22 from ,tcp/23 from ::1", 13, "an address or a network is missing"},
    {ALLOW, NULL, "tcp/22 from lan", 13, "is no address and no network"},
    {ALLOW, NULL, "tcp/22 from ::1 10.0.0.0/33", 17, "is no address and no network"},
    {ALLOW, NULL, "tcp/22 from 10.0.0.0/8;tcp/23", 13, "is no address and no network"},
    {ALLOW, NULL, "tcp/22 from 10.0.0.1/8", 13, "bits behind the prefix"},
    {ALLOW, NULL, "tcp/22 from 2001:db8::1/32", 13, "bits behind the prefix"},
    {ALLOW, NULL, "tcp/22 from ::1 tcp/23 from ::1", 17, "is no address and no network"},
    {ALLOW, NULL, "web: tcp/22 from ::1", 1, "the protocol is neither"},
    {LIMIT, NULL, "tcp/22", 7, "how many connections"},
    {LIMIT, NULL, "tcp/22-23 1/second per source", 7, "a limit is of one port"},
    {LIMIT, NULL, "tcp/22 0/second per source", 8, "the number is not between"},
    {LIMIT, NULL, "tcp/22 65536/second per source", 8, "the number is not between"},
    {LIMIT, NULL, "tcp/22 10 per source", 11, "a slash and second or minute"},
    {LIMIT, NULL, "tcp/22 10/hour per source", 11, "the unit of time"},
    {LIMIT, NULL, "tcp/22 10/minute", 17, "the words per source"},
    {LIMIT, NULL, "tcp/22 10/minute per client", 22, "the words per source"},
    {LIMIT, NULL, "tcp/22 10/minute per source burst", 34, "a number is missing behind burst"},
    {LIMIT, NULL, "tcp/22 10/minute per source burst 0", 35, "the number is not between"},
    {LIMIT, NULL, "tcp/22 10/minute per source 5", 29, "neither a comma nor the end"},
    {LIMIT, NULL, "tcp/1 1/second per source,tcp/1 2/second per source", 27, "the port has a limit already"},
    /* In a variable also those of other services. */
    {ALLOW, "web", "tcp/443 from ::1", 1, "a service and a colon"},
    {ALLOW, "web", "web tcp/443 from ::1", 1, "a service and a colon"},
    {ALLOW, "web", ": tcp/443 from ::1", 1, "a service and a colon"},
    {ALLOW, "", ": tcp/443 from ::1", 1, "a service and a colon"},
    {ALLOW, "web", "db: tcp/5432 from nowhere", 19, "is no address and no network"},
};

static void what_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bad_cases) / sizeof(bad_cases[0]); i++) {
        const struct bad_case *bad = &bad_cases[i];
        struct guest_list list = {0};
        struct guest_error error = {0};

        assert_int_equal(guest_label_parse(bad->text, bad->which, bad->service, &list, &error), -EINVAL);
        assert_ptr_equal(list.items, NULL);
        if (strncmp(error.reason, bad->reason, strlen(bad->reason)) != 0 || error.position != bad->position)
            fail_msg("\"%s\": %zu, %s", bad->text, error.position, error.reason);
    }
}

/* A label of so many sources for the ports first … last, each of its own. */
static int parse_many(size_t sources, const char *rest, struct guest_list *ret, struct guest_error *error)
{
    CLEANUP_FREE char *text = calloc(GUEST_TEXT_SIZE, 2);
    size_t length = (size_t)sprintf(text, "tcp/1-10 from");

    for (size_t i = 0; i < sources; i++)
        length += (size_t)sprintf(text + length, " %zu.%zu.0.0/16", i / 250 + 1, i % 250);
    (void)sprintf(text + length, "%s", rest);
    return guest_label_parse(text, ALLOW, NULL, ret, error);
}

static void no_more_than_1024_sources(void **state)
{
    CLEANUP(guest_list_clear) struct guest_list list = {0};
    struct guest_error error = {0};

    (void)state;
    assert_int_equal(parse_many(1024, "", &list, &error), 0);
    assert_int_equal(guest_list_count(&list, GUEST_SOURCE), 1024);
    guest_list_clear(&list);
    assert_int_equal(parse_many(1025, "", &list, &error), -EINVAL);
    assert_true(error.position > 12000);
    /* Another item that cuts the range in three counts the sources for each. */
    assert_int_equal(parse_many(341, ",tcp/5 from fd00::/8", &list, &error), 0);
    assert_int_equal(guest_list_count(&list, GUEST_SOURCE), 1024);
    guest_list_clear(&list);
    assert_int_equal(parse_many(342, ",tcp/5 from fd00::/8", &list, &error), -EINVAL);
    assert_int_equal(parse_many(1000, ",tcp/5 from fd00::/8", &list, &error), -EINVAL);
}

static void no_more_than_32_limits(void **state)
{
    CLEANUP(guest_list_clear) struct guest_list list = {0};
    struct guest_error error = {0};
    char text[2048] = "";

    (void)state;
    for (int port = 1; port <= 32; port++)
        (void)sprintf(text + strlen(text), "tcp/%d 1/second per source,", port);
    assert_int_equal(guest_label_parse(text, LIMIT, NULL, &list, &error), 0);
    guest_list_clear(&list);
    (void)strcat(text, "udp/1 1/second per source");
    assert_int_equal(guest_label_parse(text, LIMIT, NULL, &list, &error), -EINVAL);
}

static void who_is_refused(void **state)
{
    CLEANUP(guest_list_clear) struct guest_list list = {0};
    struct guest_error error = {0};
    struct ip_address inside, outside, inside6;

    (void)state;
    assert_int_equal(ip_address_parse("10.1.2.3", &inside), 0);
    assert_int_equal(ip_address_parse("11.1.2.3", &outside), 0);
    assert_int_equal(ip_address_parse("fd00::5", &inside6), 0);
    assert_int_equal(guest_label_parse("tcp/80-90 from 10.0.0.0/8 fd00::/8, tcp/85 from 192.0.2.1, udp/1 from ::1",
                                       ALLOW, NULL, &list, &error),
                     0);
    for (uint16_t port = 80; port <= 90; port++) {
        assert_true(guest_list_names(&list, GUEST_PORTS, IPPROTO_TCP, port));
        assert_false(guest_list_refuses(&list, IPPROTO_TCP, port, &inside));
        assert_false(guest_list_refuses(&list, IPPROTO_TCP, port, &inside6));
        assert_true(guest_list_refuses(&list, IPPROTO_TCP, port, &outside));
        assert_false(guest_list_refuses(&list, IPPROTO_UDP, port, &outside));
    }
    assert_false(guest_list_refuses(&list, IPPROTO_TCP, 79, &outside));
    assert_false(guest_list_refuses(&list, IPPROTO_TCP, 91, &outside));
    assert_false(guest_list_names(&list, GUEST_LIMIT, IPPROTO_TCP, 80));
    assert_true(guest_list_refuses(&list, IPPROTO_UDP, 1, &inside));
}

static void which_services_a_variable_names(void **state)
{
    static const char text[] = "web: tcp/443 from fd00::/8 db::/16,\n mail :udp/1 from ::1";

    (void)state;
    assert_true(guest_label_names_service(text, "web"));
    assert_true(guest_label_names_service(text, "mail"));
    assert_false(guest_label_names_service(text, "db"));
    assert_false(guest_label_names_service(text, "we"));
    assert_false(guest_label_names_service(text, "tcp"));
    assert_false(guest_label_names_service("", "web"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_accepted),
        cmocka_unit_test(what_is_refused),
        cmocka_unit_test(no_more_than_1024_sources),
        cmocka_unit_test(no_more_than_32_limits),
        cmocka_unit_test(who_is_refused),
        cmocka_unit_test(which_services_a_variable_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
