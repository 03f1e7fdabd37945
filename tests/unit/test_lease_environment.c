/* Unit tests of workers/lease/lease_environment: each reason of dhcpcd, each variable at its limits and beyond. */
#include "common/cleanup.h"
#include "protocol/validate.h"
#include "workers/lease/lease_environment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define VARIABLES_MAX 64

/* What a BOUND of dhcpcd 9.4.1 had (measured), without what nobody reads. */
#define BOUND4                                                                                            \
    "reason=BOUND", "interface=eth0", "ifcarrier=up", "new_ip_address=10.77.0.151", "new_subnet_cidr=24", \
        "new_dhcp_server_identifier=10.77.0.1", "new_dhcp_lease_time=120", "new_dhcp_renewal_time=20",    \
        "new_dhcp_rebinding_time=70", "new_routers=10.77.0.1 10.77.0.2"
#define BOUND6                                                                                                    \
    "reason=BOUND6", "interface=eth0", "ifcarrier=up", "new_dhcp6_ia_na1_ia_addr1=fd77::18b",                     \
        "new_dhcp6_ia_na1_ia_addr1_pltime=110", "new_dhcp6_ia_na1_ia_addr1_vltime=120", "new_dhcp6_ia_na1_t1=60", \
        "new_dhcp6_ia_na1_t2=105"

struct parsed {
    int result;
    struct message_lease_event event;
    struct lease_omissions omissions;
    struct lease_problem problem;
};

/* `first`, if there is one, stands before the others and so wins over its namesake. */
static struct parsed parse(const char *first, const char *const variables[])
{
    const char *environment[VARIABLES_MAX + 2] = {NULL};
    struct parsed parsed = {.result = 0};
    const char *reason = NULL;
    size_t count = 0;

    if (first)
        environment[count++] = first;
    for (size_t i = 0; variables[i]; i++) {
        assert_true(count < VARIABLES_MAX);
        environment[count++] = variables[i];
    }
    parsed.result = lease_environment_parse(environment, &parsed.event, &parsed.omissions, &parsed.problem);
    if (parsed.result == 0)
        assert_int_equal(
            message_validate(DIRECTION_LEASE_TO_SUPERVISOR, &parsed.event, sizeof(parsed.event), 0, &reason), 0);
    return parsed;
}

static const char *const bound4[] = {BOUND4, NULL};
static const char *const bound6[] = {BOUND6, NULL};

static void assert_address(const struct wire_address *wire, const char *expected)
{
    struct ip_address address = wire_address_to(wire);
    char text[IP_ADDRESS_TEXT_SIZE];

    assert_string_equal(ip_address_format(&address, text), expected);
}

static void lease_of_ipv4(void **state)
{
    struct parsed parsed = parse(NULL, bound4);
    const struct wire_lease *lease = &parsed.event.lease;

    (void)state;
    assert_int_equal(parsed.result, 0);
    assert_int_equal(parsed.event.kind, LEASE_EVENT_HELD);
    assert_int_equal(parsed.event.family, IP_FAMILY_4);
    assert_string_equal(parsed.event.interface, "eth0");
    assert_string_equal(parsed.event.reason, "BOUND");
    assert_address(&lease->address, "10.77.0.151");
    assert_address(&lease->server, "10.77.0.1");
    assert_int_equal(lease->prefix_length, 24);
    assert_int_equal(lease->valid_seconds, 120);
    assert_int_equal(lease->preferred_seconds, 120);
    assert_int_equal(lease->renewal_seconds, 20);
    assert_int_equal(lease->rebinding_seconds, 70);
    assert_int_equal(lease->router_count, 2);
    assert_address(&lease->routers[1], "10.77.0.2");
    assert_int_equal(lease->ignores_routers, 0);
    assert_int_equal(lease->route_count, 0);
}

/* KEEP-1: while no server answers, the last lease until its original end and not longer. */
static void a_lease_that_nobody_confirms_has_its_age(void **state)
{
    static const struct {
        const char *reason;
        const char *lease_time;
        uint64_t age;
        enum lease_event_kind kind;
        uint32_t valid_seconds;
    } cases[] = {
        {"reason=TIMEOUT", "new_dhcp_lease_time=120", 0, LEASE_EVENT_HELD, 120},
        {"reason=TIMEOUT", "new_dhcp_lease_time=120", 119, LEASE_EVENT_HELD, 1},
        {"reason=TIMEOUT", "new_dhcp_lease_time=120", 120, LEASE_EVENT_LOST, 0},
        {"reason=TIMEOUT", "new_dhcp_lease_time=120", LEASE_AGE_UNKNOWN, LEASE_EVENT_LOST, 0},
        {"reason=TIMEOUT", "new_dhcp_lease_time=4294967295", 3600, LEASE_EVENT_HELD, LEASE_SECONDS_FOREVER},
        {"reason=TIMEOUT", "new_dhcp_lease_time=4294967295", LEASE_AGE_UNKNOWN, LEASE_EVENT_LOST, 0},
        {"reason=REBOOT", "new_dhcp_lease_time=120", 119, LEASE_EVENT_HELD, 120},
        {"reason=BOUND", "new_dhcp_lease_time=120", LEASE_AGE_UNKNOWN, LEASE_EVENT_HELD, 120},
        {"reason=EXPIRE", "new_dhcp_lease_time=120", 1, LEASE_EVENT_LOST, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const char *const variables[] = {cases[i].lease_time, BOUND4, NULL};
        struct message_lease_event event = parse(cases[i].reason, variables).event;
        const char *reason = NULL;

        lease_environment_age(&event, cases[i].age);
        assert_int_equal(message_validate(DIRECTION_LEASE_TO_SUPERVISOR, &event, sizeof(event), 0, &reason), 0);
        assert_int_equal(event.kind, cases[i].kind);
        assert_int_equal(event.lease.valid_seconds, cases[i].valid_seconds);
        assert_int_equal(event.lease.preferred_seconds, cases[i].valid_seconds);
        if (strcmp(cases[i].reason, "reason=TIMEOUT") == 0 && cases[i].kind == LEASE_EVENT_LOST)
            assert_string_equal(event.reason, "EXPIRE");
    }
}

/* NAT-12: option 26 at its limits; what is none costs nothing but itself. */
static void an_mtu_that_is_none_is_left_out_alone(void **state)
{
    static const struct {
        const char *variable;
        uint16_t mtu;
    } cases[] = {
        {"new_interface_mtu=1400", 1400},   {"new_interface_mtu=68", 68},
        {"new_interface_mtu=65535", 65535}, {"new_interface_mtu=67", 0},
        {"new_interface_mtu=0", 0},         {"new_interface_mtu=65536", 0},
        {"new_interface_mtu=", 0},          {"new_interface_mtu=-1", 0},
        {"new_interface_mtu=1400 ", 0},     {"new_interface_mtu=99999999999999999999999", 0},
    };

    (void)state;
    assert_int_equal(parse(NULL, bound4).event.lease.mtu, 0);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct parsed parsed = parse(cases[i].variable, bound4);

        assert_int_equal(parsed.result, 0);
        assert_int_equal(parsed.event.kind, LEASE_EVENT_HELD);
        assert_int_equal(parsed.event.lease.mtu, cases[i].mtu);
        assert_int_equal(parsed.omissions.mtu, cases[i].mtu == 0);
        assert_int_equal(parsed.event.lease.router_count, 2);
    }
}

static void lease_of_ipv6(void **state)
{
    struct parsed parsed = parse(NULL, bound6);
    const struct wire_lease *lease = &parsed.event.lease;

    (void)state;
    assert_int_equal(parsed.result, 0);
    assert_int_equal(parsed.event.family, IP_FAMILY_6);
    assert_address(&lease->address, "fd77::18b");
    assert_int_equal(lease->prefix_length, 128);
    assert_int_equal(lease->valid_seconds, 120);
    assert_int_equal(lease->preferred_seconds, 110);
    assert_int_equal(lease->renewal_seconds, 60);
    assert_int_equal(lease->rebinding_seconds, 105);
}

/* RFC 8415 §18.2.10.1: one that a server has just taken back comes with a valid lifetime of 0. */
static void first_valid_address_of_ipv6_counts(void **state)
{
    static const char *const two[] = {"reason=RENEW6",
                                      "interface=eth0",
                                      "new_dhcp6_ia_na1_ia_addr1=fd77::1",
                                      "new_dhcp6_ia_na1_ia_addr1_vltime=0",
                                      "new_dhcp6_ia_na1_ia_addr2=fd77::2",
                                      "new_dhcp6_ia_na1_ia_addr2_vltime=9",
                                      NULL};
    struct parsed parsed = parse(NULL, two);

    (void)state;
    assert_int_equal(parsed.result, 0);
    assert_address(&parsed.event.lease.address, "fd77::2");
    assert_int_equal(parsed.event.lease.valid_seconds, 9);
}

/* NAT-8: whatever the order; with the lifetimes of the one that was taken. */
static void best_address_of_several_of_ipv6_counts(void **state)
{
    static const char *const orders[][3] = {
        {"1=fd77::1", "2=2001:db8::2", "3=2001:db8::3"},
        {"3=fd77::1", "1=2001:db8::2", "2=2001:db8::3"},
        {"2=fd77::1", "3=2001:db8::2", "1=2001:db8::3"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(orders); i++) {
        char texts[9][64];
        const char *environment[12] = {"reason=BOUND6", "interface=eth0"};
        struct parsed parsed;

        for (size_t j = 0; j < 3; j++) {
            (void)snprintf(texts[3 * j], 64, "new_dhcp6_ia_na1_ia_addr%s", orders[i][j]);
            (void)snprintf(texts[3 * j + 1], 64, "new_dhcp6_ia_na1_ia_addr%c_vltime=%zu", orders[i][j][0], 100 + j);
            /* The last one is deprecated already. */
            (void)snprintf(texts[3 * j + 2], 64, "new_dhcp6_ia_na1_ia_addr%c_pltime=%d", orders[i][j][0],
                           j == 2 ? 0 : 50);
            for (size_t k = 3 * j; k < 3 * j + 3; k++)
                environment[2 + k] = texts[k];
        }
        parsed = parse(NULL, environment);
        assert_int_equal(parsed.result, 0);
        assert_address(&parsed.event.lease.address, "2001:db8::2");
        assert_int_equal(parsed.event.lease.valid_seconds, 101);
        assert_int_equal(parsed.event.lease.preferred_seconds, 50);
        assert_int_equal(parsed.event.lease.further_count, 2);
        assert_address(&parsed.event.lease.further[0].address, "fd77::1");
        assert_int_equal(parsed.event.lease.further[0].valid_seconds, 100);
        assert_int_equal(parsed.event.lease.further[0].preferred_seconds, 50);
        assert_address(&parsed.event.lease.further[1].address, "2001:db8::3");
        assert_int_equal(parsed.event.lease.further[1].preferred_seconds, 0);
        assert_int_equal(parsed.omissions.address_count, 0);
    }
}

/* An IA_NA of `count` addresses, each valid for 100 s and preferred for 50; returns what became of it. */
static struct parsed parse_identity(const char *const addresses[], size_t count)
{
    char texts[3 * 20][64];
    const char *environment[3 * 20 + 3] = {"reason=BOUND6", "interface=eth0"};

    assert_true(count <= 20);
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(texts[3 * i], 64, "new_dhcp6_ia_na1_ia_addr%zu=%s", i + 1, addresses[i]);
        (void)snprintf(texts[3 * i + 1], 64, "new_dhcp6_ia_na1_ia_addr%zu_vltime=100", i + 1);
        (void)snprintf(texts[3 * i + 2], 64, "new_dhcp6_ia_na1_ia_addr%zu_pltime=50", i + 1);
        for (size_t j = 3 * i; j < 3 * i + 3; j++)
            environment[2 + j] = texts[j];
    }
    return parse(NULL, environment);
}

/* ADDR-2: four are taken, the best of each scope among them, whatever the order; the others are named. */
static void addresses_that_are_too_many_are_left_out(void **state)
{
    static const char *const six[] = {
        "2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8::4", "2001:db8::5", "fd77::6",
    };
    struct parsed parsed = parse_identity(six, ARRAY_LENGTH(six));
    char text[IP_ADDRESS_TEXT_SIZE];

    (void)state;
    assert_int_equal(parsed.result, 0);
    assert_address(&parsed.event.lease.address, "2001:db8::1");
    assert_int_equal(parsed.event.lease.further_count, LEASE_FURTHER_MAX);
    assert_address(&parsed.event.lease.further[0].address, "fd77::6");
    assert_address(&parsed.event.lease.further[1].address, "2001:db8::2");
    assert_address(&parsed.event.lease.further[2].address, "2001:db8::3");
    assert_int_equal(parsed.omissions.address_count, 2);
    assert_string_equal(ip_address_format(&parsed.omissions.addresses[0], text), "2001:db8::4");
    assert_string_equal(ip_address_format(&parsed.omissions.addresses[1], text), "2001:db8::5");
    assert_false(parsed.omissions.is_identity_longer);
}

static void an_identity_of_any_length_is_read_to_its_bound(void **state)
{
    static const char *const seventeen[] = {
        "fd77::1", "fd77::2", "fd77::3", "fd77::4", "fd77::5", "fd77::6", "fd77::7",  "fd77::8",     "fd77::9",
        "fd77::a", "fd77::b", "fd77::c", "fd77::d", "fd77::e", "fd77::f", "fd77::10", "2001:db8::1",
    };
    struct parsed parsed = parse_identity(seventeen, 16);

    (void)state;
    assert_int_equal(parsed.omissions.address_count, 12);
    assert_false(parsed.omissions.is_identity_longer);
    parsed = parse_identity(seventeen, 17);
    assert_address(&parsed.event.lease.address, "fd77::1");
    assert_int_equal(parsed.omissions.address_count, 12);
    assert_true(parsed.omissions.is_identity_longer);
}

static void an_address_that_stands_twice_is_taken_once(void **state)
{
    static const char *const twice[] = {"fd77::1", "2001:db8::1", "2001:DB8:0::1", "fd77::1"};
    struct parsed parsed = parse_identity(twice, ARRAY_LENGTH(twice));

    (void)state;
    assert_address(&parsed.event.lease.address, "2001:db8::1");
    assert_int_equal(parsed.event.lease.further_count, 1);
    assert_address(&parsed.event.lease.further[0].address, "fd77::1");
    assert_int_equal(parsed.omissions.address_count, 0);
}

/* What no host may have is never put before what one may. */
static void a_link_local_address_is_no_global_one(void **state)
{
    static const char *const two[] = {"fe80::1", "2001:db8::1"};
    struct parsed parsed = parse_identity(two, ARRAY_LENGTH(two));

    (void)state;
    assert_address(&parsed.event.lease.address, "2001:db8::1");
}

static void routes_make_routers_void(void **state)
{
    struct parsed parsed =
        parse("new_classless_static_routes=10.99.1.2/16 10.77.0.2 0.0.0.0/0 10.77.0.1  10.5.0.0/24 0.0.0.0", bound4);
    const struct wire_lease *lease = &parsed.event.lease;

    (void)state;
    assert_int_equal(parsed.result, 0);
    assert_int_equal(lease->ignores_routers, 1);
    assert_int_equal(lease->route_count, 3);
    assert_address(&lease->routes[0].destination, "10.99.0.0"); /* without host bits */
    assert_int_equal(lease->routes[0].prefix_length, 16);
    assert_address(&lease->routes[0].gateway, "10.77.0.2");
    assert_int_equal(lease->routes[1].prefix_length, 0);
    assert_address(&lease->routes[2].gateway, "0.0.0.0"); /* on link */
}

/* ADDR-11: at most 64, and never without the default route. */
static void routes_above_the_limit_are_left_out(void **state)
{
    char text[8192] = "new_classless_static_routes=";
    size_t length = strlen(text);
    struct parsed parsed;

    (void)state;
    for (int i = 0; i < LEASE_ROUTES_MAX; i++)
        length += (size_t)snprintf(text + length, sizeof(text) - length, "10.%d.0.0/16 10.77.0.2 ", i);
    parsed = parse(text, bound4);
    assert_int_equal(parsed.event.lease.route_count, LEASE_ROUTES_MAX);
    assert_int_equal(parsed.omissions.routes, 0);
    (void)snprintf(text + length, sizeof(text) - length, "10.64.0.0/16 10.77.0.2 0.0.0.0/0 10.77.0.1");
    parsed = parse(text, bound4);
    assert_int_equal(parsed.result, 0);
    assert_int_equal(parsed.event.lease.route_count, LEASE_ROUTES_MAX);
    assert_int_equal(parsed.omissions.routes, 2);
    assert_int_equal(parsed.event.lease.routes[LEASE_ROUTES_MAX - 1].prefix_length, 0);
    assert_address(&parsed.event.lease.routes[LEASE_ROUTES_MAX - 1].gateway, "10.77.0.1");
}

static void routers_above_the_limit_are_left_out(void **state)
{
    struct parsed parsed = parse("new_routers=10.77.0.1 10.77.0.2 10.77.0.3 10.77.0.4 10.77.0.5", bound4);

    (void)state;
    assert_int_equal(parsed.result, 0);
    assert_int_equal(parsed.event.lease.router_count, LEASE_ROUTERS_MAX);
    assert_address(&parsed.event.lease.routers[3], "10.77.0.4");
}

static void lifetimes_at_their_limits(void **state)
{
    struct parsed parsed = parse("new_dhcp_lease_time=4294967295", bound4);

    (void)state;
    assert_int_equal(parsed.event.lease.valid_seconds, LEASE_SECONDS_FOREVER);
    parsed = parse("new_dhcp_lease_time=1", bound4);
    assert_int_equal(parsed.event.lease.valid_seconds, 1);
}

static void events_that_cannot_be_told_are_refused(void **state)
{
    static const char *const wrong[] = {
        "reason=", "reason=bound", "reason=BOUND\x1b[2J", "interface=", "interface=sixteen-letters-",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        struct parsed parsed = parse(wrong[i], bound4);

        if (parsed.result != -EBADMSG)
            fail_msg("taken: %s", wrong[i]);
        assert_non_null(parsed.problem.variable);
        assert_non_null(parsed.problem.reason);
    }
}

static void malformed_values_make_the_lease_unusable(void **state)
{
    static const char *const four[] = {
        "new_ip_address=",
        "new_ip_address=10.77.0",
        "new_ip_address=10.77.0.151.1",
        "new_ip_address=010.77.0.151x",
        "new_ip_address=0.0.0.0",
        "new_ip_address=255.255.255.255",
        "new_ip_address=127.0.0.1",
        "new_ip_address=224.0.0.1",
        "new_ip_address=fd77::1",
        "new_ip_address=10.77.0.151 ",
        "new_subnet_cidr=0",
        "new_subnet_cidr=33",
        "new_subnet_cidr=-1",
        "new_subnet_cidr=",
        "new_subnet_cidr=24 ",
        "new_dhcp_server_identifier=server",
        "new_dhcp_lease_time=0",
        "new_dhcp_lease_time=-5",
        "new_dhcp_lease_time=4294967296",
        "new_dhcp_lease_time=99999999999999999999999",
        "new_dhcp_renewal_time=1.5",
        "new_dhcp_rebinding_time=0x10",
        "new_routers=10.77.0.1,10.77.0.2",
        "new_routers=10.77.0.1 10.77.0.2 10.77.0.3 10.77.0.4 nonsense",
        "new_classless_static_routes=10.0.0.0/8",
        "new_classless_static_routes=10.0.0.0/33 10.77.0.1",
        "new_classless_static_routes=10.0.0.0 10.77.0.1",
        "new_classless_static_routes=/8 10.77.0.1",
        "new_classless_static_routes=10.0.0.0/8 fd77::1",
        "new_classless_static_routes=10.0.0.0/ 10.77.0.1",
    };
    static const char *const six[] = {
        "new_dhcp6_ia_na1_ia_addr1=",
        "new_dhcp6_ia_na1_ia_addr1=10.77.0.1",
        "new_dhcp6_ia_na1_ia_addr1=::",
        "new_dhcp6_ia_na1_ia_addr1=ff02::1",
        "new_dhcp6_ia_na1_ia_addr1=fd77::1%eth0",
        "new_dhcp6_ia_na1_ia_addr1_vltime=0",
        "new_dhcp6_ia_na1_ia_addr1_vltime=109",
        "new_dhcp6_ia_na1_ia_addr1_vltime=x",
        "new_dhcp6_ia_na1_ia_addr1_pltime=121",
        "new_dhcp6_ia_na1_t1=-1",
        "new_dhcp6_ia_na1_t2=4294967296",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(four) + ARRAY_LENGTH(six); i++) {
        bool is_four = i < ARRAY_LENGTH(four);
        const char *wrong = is_four ? four[i] : six[i - ARRAY_LENGTH(four)];
        struct parsed parsed = parse(wrong, is_four ? bound4 : bound6);

        assert_int_equal(parsed.result, 0);
        if (parsed.event.kind != LEASE_EVENT_UNUSABLE)
            fail_msg("taken: %s", wrong);
        assert_int_equal(parsed.event.family, is_four ? IP_FAMILY_4 : IP_FAMILY_6);
        /* It names the variable, and of an IA_NA always its first address. */
        assert_int_equal(strncmp(parsed.event.problem, wrong, strcspn(parsed.event.problem, " ")), 0);
    }
}

static void missing_values_make_the_lease_unusable(void **state)
{
    static const char *const nothing[] = {NULL};
    static const char *const no_interface[] = {"reason=BOUND", NULL};
    static const char *const no_address[] = {"reason=BOUND", "interface=eth0", NULL};
    static const char *const no_prefix[] = {"reason=BOUND", "interface=eth0", "new_ip_address=10.77.0.151", NULL};
    static const char *const no_address6[] = {"reason=BOUND6", "interface=eth0", NULL};
    static const char *const *const cases[] = {no_address, no_prefix, no_address6};

    (void)state;
    assert_int_equal(parse(NULL, nothing).result, -EBADMSG);
    assert_int_equal(parse(NULL, no_interface).result, -EBADMSG);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        assert_int_equal(parse(NULL, cases[i]).event.kind, LEASE_EVENT_UNUSABLE);
}

static void every_reason_has_its_kind(void **state)
{
    static const struct {
        const char *reason;
        uint32_t kind;
        uint32_t family;
    } cases[] = {
        {"reason=RENEW", LEASE_EVENT_HELD, IP_FAMILY_4},
        {"reason=REBIND", LEASE_EVENT_HELD, IP_FAMILY_4},
        {"reason=REBOOT", LEASE_EVENT_HELD, IP_FAMILY_4},
        {"reason=TIMEOUT", LEASE_EVENT_HELD, IP_FAMILY_4},
        {"reason=NAK", LEASE_EVENT_LOST, IP_FAMILY_4},
        {"reason=EXPIRE", LEASE_EVENT_LOST, IP_FAMILY_4},
        {"reason=EXPIRED", LEASE_EVENT_LOST, IP_FAMILY_4},
        {"reason=EXPIRE6", LEASE_EVENT_LOST, IP_FAMILY_6},
        {"reason=STOP", LEASE_EVENT_STOPPED, IP_FAMILY_4},
        {"reason=STOP6", LEASE_EVENT_STOPPED, IP_FAMILY_6},
        {"reason=RELEASE6", LEASE_EVENT_STOPPED, IP_FAMILY_6},
        {"reason=STOPPED", LEASE_EVENT_STOPPED, IP_FAMILY_NONE},
        {"reason=PREINIT", LEASE_EVENT_PROGRESS, IP_FAMILY_NONE},
        {"reason=CARRIER", LEASE_EVENT_PROGRESS, IP_FAMILY_NONE},
        {"reason=NOCARRIER", LEASE_EVENT_PROGRESS, IP_FAMILY_NONE},
        {"reason=NOCARRIER_ROAMING", LEASE_EVENT_PROGRESS, IP_FAMILY_NONE}, /* longer than its field */
        {"reason=RECONFIGURE", LEASE_EVENT_PROGRESS, IP_FAMILY_NONE},
        {"reason=IPV4LL", LEASE_EVENT_PROGRESS, IP_FAMILY_NONE},
        {"reason=3RDPARTY", LEASE_EVENT_PROGRESS, IP_FAMILY_NONE},
        {"reason=ROUTERADVERT", LEASE_EVENT_PROGRESS, IP_FAMILY_NONE},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct parsed parsed = parse(cases[i].reason, bound4);

        assert_int_equal(parsed.result, 0);
        assert_int_equal(parsed.event.kind, cases[i].kind);
        assert_int_equal(parsed.event.family, cases[i].family);
    }
}

static void a_release_is_told_by_the_last_word_alone(void **state)
{
    static const char *const last[] = {"reason=STOPPED", "interface=eth0", "if_up=false", NULL};

    (void)state;
    assert_int_equal(parse("if_down=true", last).event.kind, LEASE_EVENT_RELEASED);
    assert_int_equal(parse("if_down=false", last).event.kind, LEASE_EVENT_STOPPED);
    assert_int_equal(parse(NULL, last).event.kind, LEASE_EVENT_STOPPED);
    assert_int_equal(parse("if_down=true", bound4).event.kind, LEASE_EVENT_HELD);
}

static void carrier_is_told(void **state)
{
    (void)state;
    assert_int_equal(parse("ifcarrier=down", bound4).event.is_carrier_down, 1);
    assert_int_equal(parse("ifcarrier=unknown", bound4).event.is_carrier_down, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lease_of_ipv4),
        cmocka_unit_test(a_lease_that_nobody_confirms_has_its_age),
        cmocka_unit_test(an_mtu_that_is_none_is_left_out_alone),
        cmocka_unit_test(lease_of_ipv6),
        cmocka_unit_test(first_valid_address_of_ipv6_counts),
        cmocka_unit_test(best_address_of_several_of_ipv6_counts),
        cmocka_unit_test(addresses_that_are_too_many_are_left_out),
        cmocka_unit_test(an_identity_of_any_length_is_read_to_its_bound),
        cmocka_unit_test(an_address_that_stands_twice_is_taken_once),
        cmocka_unit_test(a_link_local_address_is_no_global_one),
        cmocka_unit_test(routes_make_routers_void),
        cmocka_unit_test(routes_above_the_limit_are_left_out),
        cmocka_unit_test(routers_above_the_limit_are_left_out),
        cmocka_unit_test(lifetimes_at_their_limits),
        cmocka_unit_test(events_that_cannot_be_told_are_refused),
        cmocka_unit_test(malformed_values_make_the_lease_unusable),
        cmocka_unit_test(missing_values_make_the_lease_unusable),
        cmocka_unit_test(every_reason_has_its_kind),
        cmocka_unit_test(a_release_is_told_by_the_last_word_alone),
        cmocka_unit_test(carrier_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
