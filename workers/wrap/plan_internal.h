/* The parts of the plan among themselves; see plan.h. */
#pragma once

#include "workers/wrap/plan.h"

/* Adds a finding; `format` and what it prints may hold foreign text. Returns 0 or -ENOMEM. */
int plan_report(struct plan *plan, bool is_problem, const struct project_service *service, const char *format, ...)
    __attribute__((format(printf, 4, 5), warn_unused_result));

#define PLAN_PROBLEM(plan, service, ...) plan_report(plan, true, service, __VA_ARGS__)
#define PLAN_NOTE(plan, service, ...)    plan_report(plan, false, service, __VA_ARGS__)

/* Who has each port of the project's address already, by protocol (tcp, udp). */
struct plan_claims {
    struct {
        struct planned_service *holder;
        uint16_t target;
    } ports[2][UINT16_MAX + 1];
};

/* Sorts the ports of one service into exposures of its namespace's owner, kept ones and refused ones. 0 or -ENOMEM. */
int plan_ports(struct plan *plan, struct plan_claims *claims, struct planned_service *planned)
    __attribute__((warn_unused_result));

/* Makes the label from the exposures. 0 or -ENOMEM. */
int plan_label(struct plan *plan, struct planned_service *planned) __attribute__((warn_unused_result));

/* Chooses names, subnets and gateways. 0, -EINVAL with a finding, or -ENOMEM. */
int plan_transit(struct plan *plan) __attribute__((warn_unused_result));
