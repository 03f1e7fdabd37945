/*
 * What `anchord wrap` will do with each service of a project, and what it cannot do.
 *
 * Made by plan.c (ports: plan_ports.c; names and subnets: plan_transit.c; what else is said: plan_remarks.c) from the
 * project and the options; printed by override.c and compared by check.c. Pure; runs in anchord-wrap without any
 * privilege. Everything lives in the arena.
 */
#pragma once

#include "workers/commands/wrap/options.h"
#include "workers/compose/project.h"

/* Behind the project's name: transit in Docker. Engines before 28 take the default route of the first by name. */
#define TRANSIT_SUFFIX "_0-transit"

/* A port of the project's address, and the port in the container that it goes to. */
struct planned_exposure {
    bool is_udp;
    uint8_t families; /* 1 << OPTIONS_IPV4, 1 << OPTIONS_IPV6: those that the host published it for */
    uint16_t port;
    uint16_t target;
};

struct planned_service {
    const struct project_service *service;
    struct planned_service *owner; /* of its network namespace: itself, or by network_mode another; NULL: none here */
    struct planned_exposure *exposures; /* an owner's, with those of the services that joined it */
    size_t exposure_count;
    size_t exposure_capacity;
    const struct project_port **kept_ports; /* still published, for the host itself */
    size_t kept_count;
    const char *label;            /* anchord.expose to set, or NULL */
    bool must_remove_ports;       /* some of its ports are published no more */
    bool must_join;               /* is not on transit yet, and has to */
    bool must_leave_mode;         /* network_mode goes, since it is Docker's default bridge */
    bool is_refused;              /* stays as it is */
    int32_t gateway_priority;     /* 0: none is needed */
    const char **interface_names; /* of transit, then of each attachment; NULL: nothing of its depends on them */
};

struct plan_finding {
    bool is_problem;     /* was not done; else a remark */
    const char *service; /* NULL: the project as a whole */
    const char *text;    /* printable ASCII */
    struct plan_finding *next;
};

/* The names in Compose of what is added. */
struct plan_names {
    const char *network_anchor;
    const char *lan;
    const char *transit;
};

struct plan {
    struct arena *arena;
    const struct project *project;
    const struct wrap_options *options;
    struct planned_service *services;
    size_t service_count;
    bool is_wrapped; /* the project holds a network-anchor already */
    bool has_ipv6;   /* transit has it; else the project is of IPv4 alone */
    struct plan_names names;
    struct ip_subnet subnets[OPTIONS_FAMILIES];
    struct ip_address bridges[OPTIONS_FAMILIES];
    struct ip_address gateways[OPTIONS_FAMILIES];
    struct plan_finding *findings; /* in the order of the services */
    struct plan_finding **findings_end;
    size_t problem_count;
};

/* Returns 0, -ENOMEM, or -EINVAL when the option --subnet does not fit; then the only finding says why. */
int plan_make(struct arena *arena, const struct project *project, const struct wrap_options *options, struct plan *ret)
    __attribute__((warn_unused_result));

/* Whether the override changes this service at all. */
bool plan_changes(const struct planned_service *planned);
