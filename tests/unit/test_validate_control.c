/*
 * Unit tests of the gate (protocol/validate_control): the messages to control, a row per rule. A guard that is removed
 * from there makes one of these fail.
 */
#include "tests/unit/validate_case.h"

#include "common/log.h"
#include "protocol/problems.h"

#include <netinet/in.h>

#define LAN_ADDRESS .family = IP_FAMILY_4, .bytes = {10, 99, 0, 50}
#define SIX         .family = IP_FAMILY_6, .bytes = {0xfd}
#define RUNNING     .name = "watcher", .state = WORKER_STATE_RUNNING, .pid = 7

static void begin_configure_control(void)
{
    begin(MESSAGE_CONFIGURE_CONTROL, sizeof(struct message_configure_control));
    message.control.role = ANCHOR_ROLE_NETWORK;
}

static const struct rule_case configuration_rules[] = {
    BREAKS("role", SET(control.role, 0)),
    BREAKS("role", SET(control.role, ANCHOR_ROLE_MAX_)),
    BREAKS("log level", SET(control.log_level, LOG_LEVEL_MAX_)),
    PASSES(SET(control.log_level, LOG_LEVEL_MAX_ - 1)),
    BREAKS("string not terminated", FILL(control.project)),
};

static void begin_supervision(void)
{
    begin(MESSAGE_SUPERVISION, sizeof(struct message_supervision));
    message.supervision.worker_count = 1;
    message.supervision.workers[0] = (struct wire_worker){RUNNING};
}

static const struct rule_case worker_rules[] = {
    BREAKS("worker name", SET(supervision.workers[0].name[0], '\0')),
    BREAKS("worker name", FILL(supervision.workers[0].name)),
    BREAKS("worker pid", SET(supervision.workers[0].pid, 0)),
    BREAKS("worker pid", SET(supervision.workers[0].state, WORKER_STATE_RESTARTING)),
    PASSES(SET(supervision.workers[0].state, WORKER_STATE_RESTARTING), SET(supervision.workers[0].pid, 0)),
    BREAKS("worker state", SET(supervision.workers[0].state, WORKER_STATE_MAX_)),
    BREAKS("worker state", SET(supervision.workers[0].state, 0)),
    BREAKS("unused worker not zero", SET(supervision.workers[1].restarts, 1)),
    BREAKS("unused worker not zero", SET(supervision.workers[WORKERS_MAX - 1].since, 1)),
    BREAKS("unused worker not zero", SET(supervision.worker_count, 0)),
    BREAKS("worker name", SET(supervision.worker_count, 2)),
    BREAKS("conditions", SET(supervision.required, READINESS_ALL_ + 1)),
    BREAKS("conditions", SET(supervision.conditions, READINESS_ALL_ + 1)),
    PASSES(SET(supervision.conditions, READINESS_ALL_), SET(supervision.required, READINESS_ALL_)),
    BREAKS("faults", SET(supervision.faults, SUPERVISOR_FAULT_ALL_ + 1)),
    PASSES(SET(supervision.faults, SUPERVISOR_FAULT_ALL_)),
};

static void begin_full_supervision(void)
{
    begin_supervision();
    message.supervision.worker_count = WORKERS_MAX;
    for (size_t i = 0; i < WORKERS_MAX; i++)
        message.supervision.workers[i] = (struct wire_worker){RUNNING};
}

static const struct rule_case full_supervision_rules[] = {
    BREAKS("worker count", SET(supervision.worker_count, WORKERS_MAX + 1)),
    BREAKS("unused worker not zero", SET(supervision.worker_count, WORKERS_MAX - 1)),
    BREAKS("worker pid", SET(supervision.workers[WORKERS_MAX - 1].pid, 0)),
};

static const struct rule_case lease_rules[] = {
    BREAKS("lease state", SET(supervision.leases[FAMILY_INDEX_6].state, LEASE_STATE_MAX_)),
    BREAKS("lease state", SET(supervision.leases[FAMILY_INDEX_4].reserved[0], 1)),
    BREAKS("lease address", SET(supervision.leases[FAMILY_INDEX_6].state, LEASE_STATE_HELD)),
    BREAKS("lease address", SET(supervision.leases[FAMILY_INDEX_4].address, LAN_ADDRESS)),
    PASSES(SET(supervision.leases[FAMILY_INDEX_4].state, LEASE_STATE_HELD),
           SET(supervision.leases[FAMILY_INDEX_4].address, LAN_ADDRESS),
           SET(supervision.leases[FAMILY_INDEX_4].prefix_length, 32)),
    BREAKS("prefix length", SET(supervision.leases[FAMILY_INDEX_4].state, LEASE_STATE_HELD),
           SET(supervision.leases[FAMILY_INDEX_4].address, LAN_ADDRESS),
           SET(supervision.leases[FAMILY_INDEX_4].prefix_length, 33)),
    BREAKS("lease address", SET(supervision.leases[FAMILY_INDEX_4].state, LEASE_STATE_HELD),
           SET(supervision.leases[FAMILY_INDEX_4].address, SIX)),
    BREAKS("address family", SET(supervision.leases[FAMILY_INDEX_4].address.family, 5)),
    BREAKS("address family", SET(supervision.leases[FAMILY_INDEX_6].server.family, 5)),
    BREAKS("reason of a refused lease", SET(supervision.leases[FAMILY_INDEX_4].state, LEASE_STATE_REFUSED)),
    BREAKS("reason of a refused lease", SET(supervision.leases[FAMILY_INDEX_4].reason[0], 'r')),
    BREAKS("reason of a refused lease", SET(supervision.leases[FAMILY_INDEX_4].state, LEASE_STATE_REFUSED),
           FILL(supervision.leases[FAMILY_INDEX_4].reason)),
    BREAKS("retry of a lease", SET(supervision.leases[FAMILY_INDEX_4].retry, 1)),
};

static void begin_refused(void)
{
    begin_supervision();
    message.supervision.leases[FAMILY_INDEX_4] =
        (struct wire_lease_status){.state = LEASE_STATE_REFUSED, .reason = "r", .retry = 1};
}

static const struct rule_case refused_rules[] = {
    PASSES(SET(supervision.leases[FAMILY_INDEX_4].address, LAN_ADDRESS)),
    BREAKS("lease address", SET(supervision.leases[FAMILY_INDEX_4].address, SIX)),
    BREAKS("reason of a refused lease", SET(supervision.leases[FAMILY_INDEX_4].address, LAN_ADDRESS),
           SET(supervision.leases[FAMILY_INDEX_4].state, LEASE_STATE_HELD)),
    BREAKS("retry of a lease", SET(supervision.leases[FAMILY_INDEX_4].address, LAN_ADDRESS),
           SET(supervision.leases[FAMILY_INDEX_4].state, LEASE_STATE_HELD),
           SET(supervision.leases[FAMILY_INDEX_4].reason[0], '\0')),
};

static void what_control_is_told_of_workers_is_checked(void **state)
{
    (void)state;
    EXPECT_EACH(SUPERVISOR_TO_CONTROL, 1, begin_configure_control, configuration_rules);
    EXPECT_EACH(SUPERVISOR_TO_CONTROL, 0, begin_supervision, worker_rules);
    EXPECT_EACH(SUPERVISOR_TO_CONTROL, 0, begin_full_supervision, full_supervision_rules);
}

static void what_control_is_told_of_leases_is_checked(void **state)
{
    (void)state;
    EXPECT_EACH(SUPERVISOR_TO_CONTROL, 0, begin_supervision, lease_rules);
    EXPECT_EACH(SUPERVISOR_TO_CONTROL, 0, begin_refused, refused_rules);
}

static void begin_finding(enum finding_kind kind)
{
    begin(MESSAGE_FINDINGS_ITEMS, sizeof(struct message_findings) + sizeof(struct wire_finding));
    message.findings.item_count = 1;
    message.findings.items[0] = (struct wire_finding){.kind = (uint8_t)kind, .container = "mail"};
    message.findings.items[0].problem = kind == FINDING_EXPOSED ? 0 : PROBLEM_PORT_CONFLICT;
}

static void begin_exposed(void)
{
    begin_finding(FINDING_EXPOSED);
    message.findings.items[0].protocol = IPPROTO_TCP;
    message.findings.items[0].port_first = message.findings.items[0].port_last = 25;
    message.findings.items[0].backend_port_first = 25;
}

static const struct rule_case exposed_rules[] = {
    BREAKS("finding kind", SET(findings.items[0].kind, 0)),
    BREAKS("finding kind", SET(findings.items[0].kind, FINDING_KIND_MAX_)),
    BREAKS("finding ports", SET(findings.items[0].backend_port_first, 0)),
    BREAKS("finding problem", SET(findings.items[0].kind, FINDING_CONFLICT)),
    BREAKS("finding problem", SET(findings.items[0].problem, PROBLEM_PORT_CONFLICT)),
    BREAKS("finding ports", SET(findings.items[0].kind, FINDING_CONFLICT),
           SET(findings.items[0].problem, PROBLEM_PORT_CONFLICT)),
    PASSES(SET(findings.items[0].kind, FINDING_CONFLICT), SET(findings.items[0].problem, PROBLEM_PORT_CONFLICT),
           SET(findings.items[0].backend_port_first, 0)),
    BREAKS("finding reserved", SET(findings.items[0].reserved, 1)),
    BREAKS("finding ports", SET(findings.items[0].port_last, 24)),
    BREAKS("finding ports", SET(findings.items[0].port_first, 0)),
    PASSES(SET(findings.items[0].port_last, 26)),
    PASSES(SET(findings.items[0].protocol, IPPROTO_UDP)),
    BREAKS("finding protocol", SET(findings.items[0].protocol, IPPROTO_SCTP)),
    BREAKS("string not terminated", FILL(findings.items[0].container)),
    BREAKS("string not terminated", FILL(findings.items[0].other)),
    BREAKS("string not terminated", FILL(findings.items[0].reason)),
    PASSES(SET(findings.items[0].address4, LAN_ADDRESS), SET(findings.items[0].address6, SIX)),
    BREAKS("address family", SET(findings.items[0].address4.family, 5)),
    BREAKS("address family", SET(findings.items[0].address6.family, 5)),
    BREAKS("finding address of the other family", SET(findings.items[0].address4, SIX)),
    BREAKS("finding address of the other family", SET(findings.items[0].address6, LAN_ADDRESS)),
    BREAKS("reserved field not zero", SET(findings.reserved, 1)),
};

static void begin_malformed(void)
{
    begin_finding(FINDING_PROBLEM);
}

static const struct rule_case malformed_rules[] = {
    BREAKS("finding with ports", SET(findings.items[0].protocol, IPPROTO_TCP)),
    BREAKS("finding with ports", SET(findings.items[0].port_first, 25)),
    BREAKS("finding with ports", SET(findings.items[0].port_last, 25)),
    BREAKS("finding with ports", SET(findings.items[0].backend_port_first, 25)),
    PASSES(SET(findings.items[0].problem, PROBLEM_DOCKER_AWAY)),
    BREAKS("finding problem", SET(findings.items[0].problem, 1)),
    BREAKS("finding problem", SET(findings.items[0].problem, 0)),
};

static void begin_full_findings(void)
{
    begin(MESSAGE_FINDINGS_ITEMS, sizeof(struct message_findings) + FINDINGS_PER_MESSAGE * sizeof(struct wire_finding));
    message.findings.item_count = FINDINGS_PER_MESSAGE;
    for (size_t i = 0; i < FINDINGS_PER_MESSAGE; i++) {
        message.findings.items[i].kind = FINDING_PROBLEM;
        message.findings.items[i].problem = PROBLEM_LABEL_INVALID;
    }
}

static const struct rule_case full_findings_rules[] = {
    BREAKS("finding kind", SET(findings.items[FINDINGS_PER_MESSAGE - 1].kind, 0)),
};

static void findings_are_checked_item_by_item(void **state)
{
    (void)state;
    EXPECT_EACH(WATCHER_TO_CONTROL, 0, begin_exposed, exposed_rules);
    EXPECT_EACH(KEEPER_TO_CONTROL, 0, begin_malformed, malformed_rules);
    EXPECT_EACH(WATCHER_TO_CONTROL, 0, begin_full_findings, full_findings_rules);
}

static void begin_report(void)
{
    begin(MESSAGE_NETWORK_REPORT, sizeof(struct message_network_report));
    message.report.external.address_count = LINK_ADDRESSES_MAX;
    for (size_t i = 0; i < LINK_ADDRESSES_MAX; i++)
        message.report.external.addresses[i] =
            (struct wire_reported_address){{LAN_ADDRESS}, 24, ADDRESS_ORIGIN_DOCKER, {0}};
}

static const struct rule_case report_rules[] = {
    PASSES(SET(report.external.addresses[0].prefix_length, 32)),
    BREAKS("prefix length", SET(report.external.addresses[0].prefix_length, 33)),
    BREAKS("prefix length", SET(report.external.addresses[LINK_ADDRESSES_MAX - 1].prefix_length, 33)),
    BREAKS("address origin", SET(report.external.addresses[0].origin, ADDRESS_ORIGIN_MAX_)),
    BREAKS("address origin", SET(report.external.addresses[0].origin, 0)),
    BREAKS("address padding not zero", SET(report.external.addresses[0].reserved[0], 1)),
    BREAKS("address padding not zero", SET(report.external.addresses[0].address.reserved[0], 1)),
    BREAKS("unused address not zero", SET(report.external.address_count, LINK_ADDRESSES_MAX - 1)),
    BREAKS("unused address not zero", SET(report.shared.addresses[1].origin, 1)),
    BREAKS("unused address not zero", SET(report.shared.addresses[LINK_ADDRESSES_MAX - 1].origin, 1)),
    BREAKS("address count", SET(report.external.address_count, LINK_ADDRESSES_MAX + 1)),
    BREAKS("string not terminated", FILL(report.shared.name)),
    BREAKS("string not terminated", FILL(report.external.network)),
    BREAKS("link padding not zero", SET(report.shared.reserved[1], 1)),
    BREAKS("unused problem not zero", SET(report.problems[0].kind, 1)),
    BREAKS("unused problem not zero", SET(report.problems[NETWORK_PROBLEMS_MAX - 1].name[0], 'x')),
    BREAKS("problem count", SET(report.problem_count, NETWORK_PROBLEMS_MAX + 1)),
    BREAKS("problem kind", SET(report.problem_count, 1)),
    BREAKS("gateway source", SET(report.gateways[FAMILY_INDEX_6].source, GATEWAY_SOURCE_MAX_)),
    BREAKS("gateway padding not zero", SET(report.gateways[FAMILY_INDEX_6].reserved, 1)),
    BREAKS("address family", SET(report.gateways[FAMILY_INDEX_4].address.family, 5)),
    PASSES(SET(report.gateways[FAMILY_INDEX_4].address, LAN_ADDRESS),
           SET(report.gateways[FAMILY_INDEX_4].source, GATEWAY_SOURCE_MAX_ - 1)),
};

static void begin_troubled_report(void)
{
    begin_report();
    for (size_t i = 0; i < NETWORK_PROBLEMS_MAX; i++)
        message.report.problems[i] = (struct wire_network_problem){.kind = NETWORK_PROBLEM_INNER,
                                                                   .prefix_length = 24,
                                                                   .inner_length = 24,
                                                                   .address = {LAN_ADDRESS},
                                                                   .inner = {LAN_ADDRESS}};
    message.report.problem_count = NETWORK_PROBLEMS_MAX;
}

static const struct rule_case troubled_report_rules[] = {
    PASSES(SET(report.problems[0].kind, NETWORK_PROBLEM_KIND_MAX_ - 1), SET(report.problems[0].family, IP_FAMILY_6)),
    PASSES(SET(report.problems[0].prefix_length, 32), SET(report.problems[0].inner_length, 32)),
    BREAKS("unused problem not zero", SET(report.problem_count, NETWORK_PROBLEMS_MAX - 1)),
    BREAKS("problem kind", SET(report.problems[NETWORK_PROBLEMS_MAX - 1].kind, 0)),
    BREAKS("problem kind", SET(report.problems[0].kind, NETWORK_PROBLEM_KIND_MAX_)),
    BREAKS("problem family", SET(report.problems[0].family, IP_FAMILY_6 + 1)),
    BREAKS("problem family", SET(report.problems[0].family, IP_FAMILY_4 + 1)),
    BREAKS("problem prefix length", SET(report.problems[0].prefix_length, 33)),
    BREAKS("problem prefix length", SET(report.problems[0].inner_length, 33)),
    BREAKS("string not terminated", FILL(report.problems[0].name)),
    BREAKS("problem padding not zero", SET(report.problems[0].reserved[1], 1)),
    BREAKS("address family", SET(report.problems[0].address.family, 5), SET(report.problems[0].prefix_length, 0)),
    BREAKS("address family", SET(report.problems[0].inner.family, 5), SET(report.problems[0].inner_length, 0)),
};

static void the_network_report_is_checked(void **state)
{
    (void)state;
    EXPECT_EACH(NETADMIN_TO_CONTROL, 0, begin_report, report_rules);
    EXPECT_EACH(NETADMIN_TO_CONTROL, 0, begin_troubled_report, troubled_report_rules);
}

static void begin_counters(void)
{
    begin(MESSAGE_COUNTERS_ITEMS, sizeof(struct message_counters) + 2 * sizeof(struct wire_counter));
    message.counters.item_count = 2;
    message.counters.items[0] = (struct wire_counter){.refusal = REFUSAL_MAX_ - 1, .packets = 7};
    message.counters.items[1] = (struct wire_counter){.protocol = IPPROTO_UDP,
                                                      .port_first = 10000,
                                                      .port_last = 20000,
                                                      .flows = 1,
                                                      .packets = 2,
                                                      .bytes = UINT64_MAX};
}

static const struct rule_case counter_rules[] = {
    PASSES(SET(counters.items[1].port_first, 20000)),
    PASSES(SET(counters.items[1].protocol, IPPROTO_TCP)),
    BREAKS("counter ports", SET(counters.items[1].port_first, 20001)),
    BREAKS("counter ports", SET(counters.items[1].port_first, 0)),
    BREAKS("counter protocol", SET(counters.items[1].protocol, IPPROTO_ICMP)),
    BREAKS("counter refusal", SET(counters.items[1].refusal, 1)),
    BREAKS("counter refusal", SET(counters.items[0].refusal, REFUSAL_MAX_)),
    BREAKS("counter ports", SET(counters.items[0].port_last, 1)),
    BREAKS("counter ports", SET(counters.items[0].flows, 1)),
    BREAKS("counter ports", SET(counters.items[0].bytes, 1)),
    BREAKS("counter reserved", SET(counters.items[0].reserved, 1)),
    BREAKS("reserved field not zero", SET(counters.reserved, 1)),
};

static void counters_are_checked_item_by_item(void **state)
{
    (void)state;
    EXPECT_EACH(NETADMIN_TO_CONTROL, 0, begin_counters, counter_rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_control_is_told_of_workers_is_checked),
        cmocka_unit_test(what_control_is_told_of_leases_is_checked),
        cmocka_unit_test(findings_are_checked_item_by_item),
        cmocka_unit_test(the_network_report_is_checked),
        cmocka_unit_test(counters_are_checked_item_by_item),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
