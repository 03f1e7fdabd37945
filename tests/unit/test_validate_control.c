/*
 * Unit tests of the gate (protocol/validate_control): the messages to control, one bad case per rule. A guard that is
 * removed from there makes one of these fail.
 */
#include "tests/unit/validate_case.h"

#include <netinet/in.h>

static const struct wire_address lan_address = {.family = IP_FAMILY_4, .bytes = {10, 99, 0, 50}};

static void what_control_is_told_of_workers_is_checked(void **state)
{
    const enum message_direction direction = DIRECTION_SUPERVISOR_TO_CONTROL;
    const struct wire_worker running = {.name = "watcher", .state = WORKER_STATE_RUNNING, .pid = 7};

    (void)state;
    begin(MESSAGE_CONFIGURE_CONTROL, sizeof(struct message_configure_control));
    assert_string_equal(verdict(direction, 1), "role");
    message.control.role = ANCHOR_ROLE_NETWORK;
    assert_null(verdict(direction, 1));
    EXPECT_BROKEN(direction, "number of descriptors");
    message.control.log_level = 4;
    assert_string_equal(verdict(direction, 1), "log level");
    memset(message.control.project, 'x', NAME_SIZE);
    assert_string_equal(verdict(direction, 1), "string not terminated");

    begin(MESSAGE_SUPERVISION, sizeof(struct message_supervision));
    message.supervision.worker_count = 1;
    EXPECT_BROKEN(direction, "worker name");
    message.supervision.workers[0] = running;
    assert_null(verdict(direction, 0));
    message.supervision.workers[0].pid = 0;
    EXPECT_BROKEN(direction, "worker pid");
    message.supervision.workers[0].state = WORKER_STATE_RESTARTING;
    assert_null(verdict(direction, 0));
    message.supervision.workers[0].state = WORKER_STATE_MAX_;
    EXPECT_BROKEN(direction, "worker state");
    message.supervision.workers[0] = running;
    message.supervision.workers[1].restarts = 1;
    EXPECT_BROKEN(direction, "unused worker not zero");
    message.supervision.worker_count = WORKERS_MAX;
    for (size_t i = 0; i < WORKERS_MAX; i++)
        message.supervision.workers[i] = running;
    assert_null(verdict(direction, 0));
    message.supervision.worker_count = WORKERS_MAX + 1;
    EXPECT_BROKEN(direction, "worker count");
    message.supervision.required = READINESS_ALL_ + 1;
    EXPECT_BROKEN(direction, "conditions");
    message.supervision.leases[FAMILY_INDEX_6].state = LEASE_STATE_HELD;
    EXPECT_BROKEN(direction, "lease address");
    message.supervision.leases[FAMILY_INDEX_6].state = LEASE_STATE_MAX_;
    EXPECT_BROKEN(direction, "lease state");
    message.supervision.leases[FAMILY_INDEX_4] =
        (struct wire_lease_status){.state = LEASE_STATE_HELD, .address = lan_address, .prefix_length = 33};
    EXPECT_BROKEN(direction, "prefix length");
}

static void what_control_is_told_of_refused_leases_is_checked(void **state)
{
    const enum message_direction direction = DIRECTION_SUPERVISOR_TO_CONTROL;

    (void)state;
    begin(MESSAGE_SUPERVISION, sizeof(struct message_supervision));
    message.supervision.leases[FAMILY_INDEX_4] = (struct wire_lease_status){.state = LEASE_STATE_REFUSED};
    EXPECT_BROKEN(direction, "reason of a refused lease");
    message.supervision.leases[FAMILY_INDEX_4].reason[0] = 'r';
    message.supervision.leases[FAMILY_INDEX_4].retry = 1;
    assert_null(verdict(direction, 0));
    message.supervision.leases[FAMILY_INDEX_4].address = lan_address;
    assert_null(verdict(direction, 0));
    message.supervision.leases[FAMILY_INDEX_4].state = LEASE_STATE_HELD;
    EXPECT_BROKEN(direction, "reason of a refused lease");
    message.supervision.leases[FAMILY_INDEX_4].reason[0] = '\0';
    EXPECT_BROKEN(direction, "retry of a lease");
}

static void begin_finding(enum finding_kind kind)
{
    begin(MESSAGE_FINDINGS_ITEMS, sizeof(struct message_findings) + sizeof(struct wire_finding));
    message.findings.item_count = 1;
    message.findings.items[0] = (struct wire_finding){
        .kind = (uint8_t)kind, .protocol = IPPROTO_TCP, .port_first = 25, .port_last = 25, .container = "mail"};
    if (kind == FINDING_EXPOSED)
        message.findings.items[0].backend_port_first = 25;
}

static void findings_are_checked_item_by_item(void **state)
{
    const enum message_direction direction = DIRECTION_WATCHER_TO_CONTROL;
    struct wire_finding *finding = &message.findings.items[0];

    (void)state;
    begin_finding(FINDING_EXPOSED);
    assert_null(verdict(direction, 0));
    finding->backend_port_first = 0;
    EXPECT_BROKEN(direction, "finding ports");
    begin_finding(FINDING_CONFLICT);
    assert_null(verdict(direction, 0));
    finding->port_last = 24;
    EXPECT_BROKEN(direction, "finding ports");
    begin_finding(FINDING_CONFLICT);
    finding->protocol = IPPROTO_SCTP;
    EXPECT_BROKEN(direction, "finding protocol");
    begin_finding(FINDING_MALFORMED);
    EXPECT_BROKEN(direction, "finding with ports");
    begin_finding(FINDING_KIND_MAX_);
    EXPECT_BROKEN(direction, "finding kind");
    begin_finding(FINDING_EXPOSED);
    memset(finding->container, 'x', sizeof(finding->container));
    EXPECT_BROKEN(direction, "string not terminated");
    begin_finding(FINDING_EXPOSED);
    memset(finding->reason, 'x', sizeof(finding->reason));
    EXPECT_BROKEN(direction, "string not terminated");
    begin_finding(FINDING_EXPOSED);
    finding->address4.family = 5;
    EXPECT_BROKEN(direction, "address family");
    finding->address4.family = IP_FAMILY_6;
    EXPECT_BROKEN(direction, "finding address of the other family");
    begin_finding(FINDING_EXPOSED);
    message.findings.reserved = 1;
    EXPECT_BROKEN(direction, "reserved field not zero");
}

static void begin_report(void)
{
    begin(MESSAGE_NETWORK_REPORT, sizeof(struct message_network_report));
    message.report.external.address_count = 1;
    message.report.external.addresses[0] = (struct wire_reported_address){lan_address, 24, ADDRESS_ORIGIN_DOCKER, {0}};
}

static void the_network_report_is_checked(void **state)
{
    const enum message_direction direction = DIRECTION_NETADMIN_TO_CONTROL;
    struct wire_reported_link *external = &message.report.external;

    (void)state;
    begin_report();
    assert_null(verdict(direction, 0));
    external->addresses[0].prefix_length = 33;
    EXPECT_BROKEN(direction, "prefix length");
    begin_report();
    external->addresses[0].origin = ADDRESS_ORIGIN_MAX_;
    EXPECT_BROKEN(direction, "address origin");
    begin_report();
    external->addresses[0].reserved[0] = 1;
    EXPECT_BROKEN(direction, "address padding not zero");
    begin_report();
    external->addresses[1].origin = 1;
    EXPECT_BROKEN(direction, "unused address not zero");
    begin_report();
    external->address_count = LINK_ADDRESSES_MAX + 1;
    EXPECT_BROKEN(direction, "address count");
    begin_report();
    memset(message.report.shared.name, 'x', sizeof(message.report.shared.name));
    EXPECT_BROKEN(direction, "string not terminated");
    begin_report();
    message.report.problems[0][0] = 'x';
    assert_null(verdict(direction, 0));
    message.report.problems[2][0] = 'x';
    EXPECT_BROKEN(direction, "unused problem not zero");
    memset(message.report.problems[NETWORK_PROBLEMS_MAX - 1], 'x', REASON_SIZE);
    EXPECT_BROKEN(direction, "string not terminated");
    begin_report();
    message.report.gateways[FAMILY_INDEX_6].source = GATEWAY_SOURCE_MAX_;
    EXPECT_BROKEN(direction, "gateway source");
    message.report.gateways[FAMILY_INDEX_4].address.family = 5;
    EXPECT_BROKEN(direction, "address family");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_control_is_told_of_workers_is_checked),
        cmocka_unit_test(what_control_is_told_of_refused_leases_is_checked),
        cmocka_unit_test(findings_are_checked_item_by_item),
        cmocka_unit_test(the_network_report_is_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
