/* The parts of the plan among themselves; see plan.h. */
#pragma once

#include "workers/commands/wrap/plan.h"

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

/* "tcp/80:8080, udp/53": all that the service publishes, in the arena. NULL without memory. */
const char *plan_ports_text(struct plan *plan, const struct project_service *service);

/* Says what becomes of the ports that are bound to an address of the host, once it stands who joins. 0 or -ENOMEM. */
int plan_bound_ports(struct plan *plan, const struct planned_service *planned) __attribute__((warn_unused_result));

/* Makes the label from the exposures. 0 or -ENOMEM. */
int plan_label(struct plan *plan, struct planned_service *planned) __attribute__((warn_unused_result));

/* Docker's default bridge (network_mode: bridge). */
bool plan_is_default_bridge(const struct project_service *service);
/* Has a default route of Docker's that is not transit's. */
bool plan_has_way_out(const struct project_service *service);
bool plan_is_on(const struct project_service *service, const char *network);
/* Is on internal networks alone and has not asked to be exposed: Docker publishes none of its ports. */
bool plan_is_closed(const struct project_service *service);
/* A network on which it may have an address on the LAN, which its way out makes reachable from elsewhere; or NULL. */
const struct project_network *plan_network_on_lan(const struct plan *plan, const struct project_service *service);

/* Says what else is worth knowing, of one service that owns its namespace and of the project. 0 or -ENOMEM. */
int plan_remark_service(struct plan *plan, const struct planned_service *planned) __attribute__((warn_unused_result));
int plan_remark_project(struct plan *plan) __attribute__((warn_unused_result));

/* Chooses names, subnets and gateways. 0, -EINVAL with a finding, or -ENOMEM. */
int plan_transit(struct plan *plan) __attribute__((warn_unused_result));
