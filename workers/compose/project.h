/*
 * A Compose project as `docker compose config --format json` shows it, as far as its network goes.
 *
 * Filled by project.c from the tree (json_tree.h), read by wrap and by doctor's files. Runs without any privilege.
 * Names of services and networks are checked against Compose's own grammar (compose-spec.json: ^[a-zA-Z0-9._-]+$),
 * other texts may hold anything. All pointers live in the tree's arena.
 */
#pragma once

#include "common/address.h"
#include "workers/compose/json_tree.h"

#define PROJECT_NAME_MAX     200
#define PROJECT_SERVICES_MAX 2000

struct project_port {
    const char *protocol; /* "tcp", "udp", or what else stands there */
    const char *host_ip;  /* "" for every address */
    uint16_t target;
    uint16_t published_first; /* 0: Docker chooses */
    uint16_t published_last;
};

struct project_network {
    const char *key;
    const char *name; /* in Docker */
    const char *driver;
    bool is_internal;
    bool is_external;
    bool has_gateway;  /* an auxiliary address DefaultGatewayIPv4: a transit network (SPEC §1, Direct) */
    bool has_gateway6; /* likewise DefaultGatewayIPv6 */
    bool has_ipv6;
    bool lacks_ipv4;    /* enable_ipv4: false */
    bool lacks_gateway; /* names a subnet without `gateway:` */
    const struct ip_subnet *subnets;
    size_t subnet_count;
    const struct json_tree_value *value; /* as it stands there: with `driver_opts` and more; may be null */
    struct project_network *next;
};

struct project_attachment {
    const struct project_network *network;
    const struct json_tree_value *value; /* may be null */
    const char *interface_name;          /* in the container, or NULL */
    int32_t gateway_priority;
    struct project_attachment *next;
};

struct project_service {
    const char *name;
    const struct json_tree_value *value; /* as it stands there */
    const char *network_mode;            /* "" for networks of its own */
    const char *container_name;          /* "" when Compose makes one */
    const char *expose_label;            /* anchord.expose, or NULL */
    const char *host_gateway;            /* what extra_hosts: calls the Docker host (host-gateway), or NULL */
    struct project_port *ports;
    size_t port_count;
    struct project_attachment *attachments;
    int64_t replicas; /* 0: runs no container */
    bool has_expose;
    bool has_profiles;
    bool is_privileged;
    bool is_net_admin;      /* NET_ADMIN, or all capabilities */
    bool is_forwarding;     /* a sysctl lets it forward: its rules may name interfaces */
    bool is_network_anchor; /* its environment has ANCHORD_EXT_NETWORK */
    struct project_service *next;
};

struct project {
    const char *name;
    struct project_service *services; /* in the document's order, which is the alphabet's */
    struct project_network *networks;
};

/* Returns 0, -EBADMSG with *ret_error, or -ENOMEM. */
int project_read(const struct json_tree *tree, struct project *ret, struct json_tree_error *ret_error)
    __attribute__((warn_unused_result));

/* NULL when there is none. */
const struct project_service *project_find_service(const struct project *project, const char *name);
const struct project_network *project_find_network(const struct project *project, const char *key);
