/*
 * The rules for what control is told; see validate_control.h. Runs on both sides of the wall, without any privilege.
 */
#include "protocol/validate_control.h"

#include "common/log.h"
#include "common/text.h"
#include "protocol/validate_parts.h"

#include <netinet/in.h>

const char *check_configure_control(const void *message)
{
    const struct message_configure_control *configuration = message;

    if (!text_is_terminated(configuration->project, sizeof(configuration->project)))
        return "string not terminated";
    if (configuration->role == 0 || configuration->role >= ANCHOR_ROLE_MAX_)
        return "role";
    return configuration->log_level >= LOG_LEVEL_MAX_ ? "log level" : NULL;
}

static const char *check_worker(const struct wire_worker *worker)
{
    if (!text_is_terminated(worker->name, sizeof(worker->name)) || worker->name[0] == '\0')
        return "worker name";
    if (worker->state == 0 || worker->state >= WORKER_STATE_MAX_)
        return "worker state";
    return (worker->state == WORKER_STATE_RUNNING) != (worker->pid != 0) ? "worker pid" : NULL;
}

static const char *check_lease_status(const struct wire_lease_status *lease, uint8_t family)
{
    const char *broken = check_address(&lease->address, true);

    if (!broken)
        broken = check_address(&lease->server, true);
    if (broken)
        return broken;
    if (lease->state >= LEASE_STATE_MAX_ || !is_zero(lease->reserved, sizeof(lease->reserved)))
        return "lease state";
    if (lease->address.family != (lease->state == LEASE_STATE_HELD ? family : IP_FAMILY_NONE) &&
        (lease->state != LEASE_STATE_REFUSED || lease->address.family != family))
        return "lease address";
    if (!text_is_terminated(lease->reason, sizeof(lease->reason)) ||
        (lease->reason[0] != '\0') != (lease->state == LEASE_STATE_REFUSED))
        return "reason of a refused lease";
    if (lease->retry && lease->state != LEASE_STATE_REFUSED)
        return "retry of a lease";
    return lease->prefix_length > ip_family_bits(lease->address.family) ? "prefix length" : NULL;
}

const char *check_supervision(const void *message)
{
    const struct message_supervision *supervision = message;
    const char *broken_lease = check_lease_status(&supervision->leases[FAMILY_INDEX_4], IP_FAMILY_4);

    if (!broken_lease)
        broken_lease = check_lease_status(&supervision->leases[FAMILY_INDEX_6], IP_FAMILY_6);
    if (broken_lease)
        return broken_lease;
    if ((supervision->conditions | supervision->required) & ~(uint32_t)READINESS_ALL_)
        return "conditions";
    if (supervision->faults & ~(uint32_t)SUPERVISOR_FAULT_ALL_)
        return "faults";
    if (supervision->worker_count > WORKERS_MAX)
        return "worker count";
    for (uint32_t i = 0; i < supervision->worker_count; i++) {
        const char *broken = check_worker(&supervision->workers[i]);

        if (broken)
            return broken;
    }
    return is_zero((const uint8_t *)(supervision->workers + supervision->worker_count),
                   (WORKERS_MAX - supervision->worker_count) * sizeof(supervision->workers[0]))
               ? NULL
               : "unused worker not zero";
}

static bool is_problem(uint16_t number)
{
    switch (number) {
#define PROBLEM(name_, number_, severity_, teller_, parent_, visible_after_, title_, remedy_) case (number_):
#define CHECKED(name_, number_, severity_, parent_, visible_after_, title_, remedy_)
#include "protocol/problem_list.h"
#undef PROBLEM
        return true;
    default:
        return false;
    }
}

static const char *check_finding_ports(const struct wire_finding *finding)
{
    if (finding->kind != FINDING_EXPOSED && finding->kind != FINDING_CONFLICT)
        return finding->protocol || finding->port_first || finding->port_last || finding->backend_port_first
                   ? "finding with ports"
                   : NULL;
    if (finding->protocol != IPPROTO_TCP && finding->protocol != IPPROTO_UDP)
        return "finding protocol";
    if (finding->port_first == 0 || finding->port_last < finding->port_first ||
        (finding->kind == FINDING_EXPOSED) != (finding->backend_port_first != 0))
        return "finding ports";
    return NULL;
}

static const char *check_finding(const struct wire_finding *finding)
{
    const char *broken;

    if (finding->kind == 0 || finding->kind >= FINDING_KIND_MAX_)
        return "finding kind";
    if (finding->kind == FINDING_EXPOSED || finding->kind == FINDING_LINK ? finding->problem != 0
                                                                          : !is_problem(finding->problem))
        return "finding problem";
    if (finding->reserved)
        return "finding reserved";
    if (!text_is_terminated(finding->container, sizeof(finding->container)) ||
        !text_is_terminated(finding->other, sizeof(finding->other)) ||
        !text_is_terminated(finding->reason, sizeof(finding->reason)))
        return "string not terminated";
    broken = check_finding_ports(finding);
    if (!broken)
        broken = check_address(&finding->address4, true);
    if (!broken)
        broken = check_address(&finding->address6, true);
    if (broken)
        return broken;
    return finding->address4.family == IP_FAMILY_6 || finding->address6.family == IP_FAMILY_4
               ? "finding address of the other family"
               : NULL;
}

const char *check_findings(const void *message)
{
    const struct message_findings *findings = message;

    if (findings->reserved)
        return "reserved field not zero";
    for (uint32_t i = 0; i < findings->item_count; i++) {
        const char *broken = check_finding(&findings->items[i]);

        if (broken)
            return broken;
    }
    return NULL;
}

static const char *check_reported_address(const struct wire_reported_address *reported)
{
    if (reported->prefix_length > ip_family_bits(reported->address.family))
        return "prefix length";
    if (reported->origin == 0 || reported->origin >= ADDRESS_ORIGIN_MAX_)
        return "address origin";
    if (!is_zero(reported->reserved, sizeof(reported->reserved)))
        return "address padding not zero";
    return check_address(&reported->address, false);
}

static const char *check_reported_link(const struct wire_reported_link *link)
{
    if (!text_is_terminated(link->network, sizeof(link->network)) ||
        !text_is_terminated(link->name, sizeof(link->name)))
        return "string not terminated";
    if (!is_zero(link->reserved, sizeof(link->reserved)))
        return "link padding not zero";
    if (link->address_count > LINK_ADDRESSES_MAX)
        return "address count";
    for (uint32_t i = 0; i < link->address_count; i++) {
        const char *broken = check_reported_address(&link->addresses[i]);

        if (broken)
            return broken;
    }
    return is_zero((const uint8_t *)(link->addresses + link->address_count),
                   (LINK_ADDRESSES_MAX - link->address_count) * sizeof(link->addresses[0]))
               ? NULL
               : "unused address not zero";
}

static const char *check_network_problem(const struct wire_network_problem *problem)
{
    const char *broken = check_address(&problem->address, true);

    if (problem->kind == 0 || problem->kind >= NETWORK_PROBLEM_KIND_MAX_)
        return "problem kind";
    if (problem->family != IP_FAMILY_NONE && problem->family != IP_FAMILY_4 && problem->family != IP_FAMILY_6)
        return "problem family";
    if (problem->prefix_length > ip_family_bits(problem->address.family) ||
        problem->inner_length > ip_family_bits(problem->inner.family))
        return "problem prefix length";
    if (!text_is_terminated(problem->name, sizeof(problem->name)))
        return "string not terminated";
    if (!is_zero(problem->reserved, sizeof(problem->reserved)))
        return "problem padding not zero";
    return broken ? broken : check_address(&problem->inner, true);
}

static const char *check_network_problems(const struct message_network_report *report)
{
    const char *broken = NULL;

    if (report->problem_count > NETWORK_PROBLEMS_MAX)
        return "problem count";
    for (uint32_t i = 0; i < report->problem_count && !broken; i++)
        broken = check_network_problem(&report->problems[i]);
    if (!broken && !is_zero((const uint8_t *)(report->problems + report->problem_count),
                            (NETWORK_PROBLEMS_MAX - report->problem_count) * sizeof(report->problems[0])))
        return "unused problem not zero";
    return broken;
}

const char *check_network_report(const void *message)
{
    const struct message_network_report *report = message;
    const char *broken = check_reported_link(&report->external);

    if (!broken)
        broken = check_reported_link(&report->shared);
    for (size_t i = 0; i < FAMILY_INDEX_MAX_ && !broken; i++) {
        broken = check_address(&report->gateways[i].address, true);
        if (!broken && report->gateways[i].source >= GATEWAY_SOURCE_MAX_)
            broken = "gateway source";
        if (!broken && report->gateways[i].reserved)
            broken = "gateway padding not zero";
    }
    return broken ? broken : check_network_problems(report);
}

static const char *check_counter(const struct wire_counter *counter)
{
    bool is_port = counter->protocol == IPPROTO_TCP || counter->protocol == IPPROTO_UDP;

    if (counter->reserved)
        return "counter reserved";
    if (!is_port && counter->protocol)
        return "counter protocol";
    if (counter->refusal >= REFUSAL_MAX_ || (is_port && counter->refusal))
        return "counter refusal";
    if (is_port ? counter->port_first == 0 || counter->port_last < counter->port_first
                : counter->port_first || counter->port_last || counter->flows || counter->bytes)
        return "counter ports";
    return NULL;
}

const char *check_counters(const void *message)
{
    const struct message_counters *counters = message;

    if (counters->reserved)
        return "reserved field not zero";
    for (uint32_t i = 0; i < counters->item_count; i++) {
        const char *broken = check_counter(&counters->items[i]);

        if (broken)
            return broken;
    }
    return NULL;
}
