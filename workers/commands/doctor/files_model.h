/*
 * What anchord will make of a Compose project: who is an anchord of which role, whose network namespace everybody is
 * in, which network is the LAN and which is transit, who is in whose scope.
 *
 * Made by files_model.c from the project as Compose prints it, read by the rules (files_labels.c …). Pure, no
 * privilege; what stands in the project may be anything. All memory is the arena's.
 */
#pragma once

#include "daemon/configuration/configuration.h"
#include "protocol/label_selector.h"
#include "protocol/problems.h"
#include "workers/compose/project.h"

/* Where a service's network is. */
enum files_place {
    FILES_PLACE_OWN,       /* a namespace of its own, which others may have joined */
    FILES_PLACE_JOINED,    /* that of another service of the project */
    FILES_PLACE_ELSEWHERE, /* that of a container that this project does not know */
    FILES_PLACE_NOWHERE,   /* service: of one that is not there, or a circle */
    FILES_PLACE_HOST,
    FILES_PLACE_NONE,
    FILES_PLACE_BRIDGE, /* Docker's default bridge */
};

/* What an anchord is told by its variables, as far as rules ask for it. */
struct files_settings {
    enum role role;
    bool has_dhcp;   /* leases of a server are taken … */
    bool has_client; /* … by a client of its own */
    bool starts_siblings;
    bool is_gateway_named; /* ANCHORD_EXT_GATEWAY_IP has an IPv4 router */
    enum address_mode address_mode;
    const char *project;
    const char *selector; /* "": none */
    const char *external_network;
    const char *external_interface; /* as given; NULL: the default */
    const char *shared_network;
    const char *docker_host;
    const char *gateway_host_name;
    struct ip_address gateways[2]; /* ANCHORD_GATEWAY_IP; family none: not given */
    const char *follow_network;
    const char *follow_target;
    size_t managed_count;
    const char *unselected_target; /* of a managed service-anchor whose own label does not count; NULL: none */
};

struct files_service {
    const struct project_service *service;
    const struct json_tree_value *value; /* as it stands in the file */
    const struct json_tree_value *labels;
    const char *const *environment; /* NAME=value, to a NULL */
    bool is_anchord;                /* an anchord with a role; its settings count */
    bool is_holder;
    bool is_mistaken; /* a network-anchor by default, whom applications take for a service-anchor */
    struct files_settings settings;
    enum files_place place;
    struct files_service *owner;          /* of the namespace: itself, or whom it joined; NULL: nobody of the project */
    struct files_service *service_anchor; /* of an owner: one that keeps its way */
    /* Of a network-anchor. */
    const struct project_attachment *lan;
    const struct project_attachment *shared;
    struct files_service *next;
};

struct files_report {
    /* `object` and texts hold until it returns. */
    void (*found)(void *userdata, enum problem problem, const char *object, const char *sentence, const char *why,
                  const char *remedy);
    void *userdata;
};

struct files_model {
    struct arena *arena;
    const struct project *project;
    struct files_service *services;
    const struct files_report *report;
    bool is_out_of_memory;
};

/* Also tells what is wrong with the variables of each anchord. Returns 0 or -ENOMEM. */
int files_model_make(struct arena *arena, const struct project *project, const struct files_report *report,
                     struct files_model *ret) __attribute__((warn_unused_result));

/* printf into the arena; "" without memory, which is noted. */
const char *files_text(struct files_model *model, const char *format, ...) __attribute__((format(printf, 2, 3)));

struct files_finding {
    enum problem problem;
    const char *object; /* services.web.labels, as in the file */
    const char *sentence;
    const char *why;
    const char *remedy; /* the lines to change */
};
void files_found(struct files_model *model, const struct files_finding *finding);

/* "services.NAME" or "services.NAME.KEY" */
const char *files_object(struct files_model *model, const struct files_service *service, const char *key);

/* A string, number or boolean as text; NULL when there is none. */
const char *files_member_text(struct files_model *model, const struct json_tree_value *object, const char *key);
/* Of a list of strings; any case when `any_case`. */
bool files_list_has(const struct json_tree_value *list, const char *word);

const char *files_label(struct files_model *model, const struct files_service *service, const char *name);

/* The place on a network of the service that owns its namespace; NULL: not there. */
const struct project_attachment *files_attachment(const struct files_service *service,
                                                  const struct project_network *network);

static inline bool files_is(const struct files_service *service, enum role role)
{
    return service->is_anchord && !service->is_mistaken && service->settings.role == role;
}

/* Has a container at all. */
static inline bool files_runs(const struct files_service *service)
{
    return service->service->replicas > 0;
}

/* The network-anchor of the project that looks after the service: the first, or NULL. */
struct files_service *files_anchor_of(struct files_model *model, const struct files_service *service);

/* A bridge that is made by this file. */
bool files_is_own_bridge(const struct project_network *network);
