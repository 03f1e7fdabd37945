/*
 * What we read of Docker's answers, one record at a time, each by a streaming parser.
 *
 * The parsers are pure (bytes in, records out) and read foreign bytes split anywhere; they run without any
 * privilege, in client.c and in the fuzz targets. Fields: Docker Engine API 1.41 … 1.52, `ContainerList`,
 * `NetworkInspect`, `SystemEvents`, `SystemVersion`; only fields that all of these versions have.
 */
#pragma once

#include "common/address.h"
#include "protocol/messages.h"
#include "workers/docker/json_reader.h"

/* Limits on what Docker can make grow. */
#define DOCKER_ID_SIZE              65 /* 64 hexadecimal digits (SHA-256) and the NUL */
#define DOCKER_ENDPOINTS_MAX        32 /* per container; one with more is refused as odd */
#define DOCKER_LABELS_MAX           7  /* that a caller may ask for */
#define DOCKER_LABEL_SIZE           GUEST_TEXT_SIZE
#define DOCKER_PORTS_MAX            65536 /* published by a container, each address of the host counted; likewise */
#define DOCKER_ACTION_SIZE          32
#define DOCKER_LIST_LENGTH_MAX      ((size_t)64 * 1024 * 1024)
#define DOCKER_NETWORK_LENGTH_MAX   ((size_t)16 * 1024 * 1024) /* names every attached container */
#define DOCKER_CONTAINER_LENGTH_MAX ((size_t)4 * 1024 * 1024)  /* every label and variable */
#define DOCKER_EVENT_LENGTH_MAX     ((size_t)1024 * 1024)      /* carries every label */
#define DOCKER_VERSION_LENGTH_MAX   ((size_t)64 * 1024)

struct docker_label {
    bool is_present;
    char text[DOCKER_LABEL_SIZE];
};

/* A container's place on one network. */
struct docker_endpoint {
    char network[NAME_SIZE];
    char network_id[DOCKER_ID_SIZE];
    struct mac_address mac; /* zero when there is none */
    struct ip_address address4;
    struct ip_address address6; /* GlobalIPv6Address */
    int32_t gateway_priority;   /* GwPriority, since API 1.48 (Engine 28.0); 0 where it is not known */
    bool has_fixed_address4;    /* IPAMConfig: somebody chose it, and no other will do */
    bool has_fixed_address6;
};

enum docker_health {
    DOCKER_HEALTH_NONE, /* no health check, or its state is not told */
    DOCKER_HEALTH_STARTING,
    DOCKER_HEALTH_HEALTHY,
    DOCKER_HEALTH_UNHEALTHY,
};

/* A container's port that the host answers at. */
struct docker_port {
    struct ip_address address; /* of the host; of no family where the engine names none: all of them */
    uint8_t protocol;          /* IPPROTO_TCP, IPPROTO_UDP; 0: another one */
    uint16_t public_port;
    uint16_t private_port;
};

struct docker_container {
    char id[DOCKER_ID_SIZE];
    char name[NAME_SIZE]; /* for people; cut when it is longer */
    uint64_t created;     /* seconds since 1970 */
    bool is_running;      /* State running or paused: it holds its addresses (DISC-6) */
    bool is_paused;
    bool is_restarting;         /* it has ended, and Docker starts it again */
    bool is_service_anchor;     /* its command has the argument `service-anchor` (SPEC §1) */
    bool may_be_service_anchor; /* or it is anchord's without a role: its environment names one, which no list tells */
    enum docker_health health;  /* from Status, which is for people: "Up 3 minutes (healthy)" */
    bool is_selected;           /* it has all labels of the caller's selector */
    char unknown_label[64];     /* one of anchord's that the caller does not know, cut; else empty */
    bool tells_network_mode;    /* Podman's list does not: the next two are false and empty; nor does it tell health */
    bool joins_another;         /* network_mode: container:ANYTHING */
    char joined_id[DOCKER_ID_SIZE]; /* network_mode: container:ID, else empty */
    bool is_in_host_network;        /* network_mode: host */
    bool is_without_network;        /* network_mode: none */
    size_t port_count;
    const struct docker_port *ports; /* in no order; valid while the handler runs; none unless asked for */
    size_t endpoint_count;
    struct docker_endpoint endpoints[DOCKER_ENDPOINTS_MAX];
    struct docker_label labels[DOCKER_LABELS_MAX]; /* by the place of their name in the caller's list */
};

struct docker_subnet {
    struct ip_subnet subnet;
    struct ip_subnet range;              /* IPRange, that Docker gives addresses from; of no family without one */
    struct ip_address gateway;           /* may be none */
    struct ip_address auxiliary_gateway; /* DefaultGatewayIPv4 or …6, or the label (GW-1); may be none */
};

struct docker_network {
    char id[DOCKER_ID_SIZE];
    char name[NAME_SIZE];
    char driver[NAME_SIZE];
    bool is_internal;
    bool is_without_icc;              /* of inter-container communication */
    char bridge[INTERFACE_NAME_SIZE]; /* that its options name; empty: Docker's own name for it */
    char project[NAME_SIZE];          /* whose label it carries; empty: none's */
    size_t subnet_count;
    struct docker_subnet subnets[SUBNETS_MAX];
};

/* A running container's place on an inspected network, as Containers of the network tells it. */
struct docker_attached {
    char id[DOCKER_ID_SIZE]; /* the container's */
    char name[NAME_SIZE];    /* for people; empty when it is longer */
    struct ip_address address4;
    struct ip_address address6;
};

enum docker_event_type {
    DOCKER_EVENT_OTHER,
    DOCKER_EVENT_CONTAINER,
    DOCKER_EVENT_NETWORK,
};

/* What of an inspected container Podman's list does not tell, or none. */
struct docker_inspection {
    bool is_service_anchor;         /* by its environment */
    enum docker_health health;      /* also while it is paused */
    char joined_id[DOCKER_ID_SIZE]; /* network_mode: container:ID, else empty */
    uint64_t pid;                   /* of its first process, as the engine's host has it; 0: it does not run */
};

struct docker_event {
    enum docker_event_type type;
    char action[DOCKER_ACTION_SIZE];               /* `health_status: healthy` comes without what follows the colon */
    char container_id[DOCKER_ID_SIZE];             /* the container's; of a network event the one attached, or empty */
    char network_id[DOCKER_ID_SIZE];               /* of a network event of Docker's; empty with Podman */
    uint64_t time;                                 /* nanoseconds since 1970 */
    bool is_selected;                              /* as a container's; of container events */
    bool has_unknown_label;                        /* likewise */
    struct docker_label labels[DOCKER_LABELS_MAX]; /* of container events; Docker sends them with each */
};

/* API versions 1.x: only the number behind the point counts. */
#define DOCKER_API_OLDEST 41 /* Engine 20.10 */
#define DOCKER_API_NEWEST 57 /* read from its public description; Engine 29 begins at 52 */

struct docker_version {
    char engine[NAME_SIZE];      /* "28.5.2" */
    unsigned int api;            /* the newest that the engine speaks, 1.`api` */
    unsigned int api_minimum;    /* the oldest */
    unsigned int api_negotiated; /* what we speak with it */
    bool is_podman;              /* one of Components is the "Podman Engine" (docs/engines.md) */
};

/* A whole answer as it came; checked to be JSON. All zero before its first use, released by its owner. */
struct docker_document {
    char *bytes; /* not terminated */
    size_t length;
};

void docker_document_release(struct docker_document *document);

/* Which labels to read; all that is pointed to must outlive the parser. */
struct docker_label_names {
    const char *names[DOCKER_LABELS_MAX]; /* to keep */
    size_t count;
    const char *own_prefix;         /* a label with it, or nearly, that is in neither list is unknown; NULL: none */
    const char *const *other_names; /* ends with NULL */
    const struct label_selector *selector; /* to compare with; NULL: everybody is selected */
    bool with_ports;                       /* a container's published ports are to be read, too */
};

/*
 * One parser serves one answer. `on_odd` tells of a record that was left out, with the reason (static
 * storage) and as much of its ID and name as was read; the others are not affected (DISC-1).
 */
struct docker_parser;

typedef void (*docker_container_handler)(void *userdata, const struct docker_container *container);
typedef void (*docker_odd_handler)(void *userdata, const char *id, const char *name, const char *reason);
typedef void (*docker_attached_handler)(void *userdata, const struct docker_attached *attached);
typedef void (*docker_id_handler)(void *userdata, const char *id);
typedef void (*docker_event_handler)(void *userdata, const struct docker_event *event);

int docker_parser_new_containers(const struct docker_label_names *labels, docker_container_handler on_container,
                                 docker_odd_handler on_odd, void *userdata, struct docker_parser **ret)
    __attribute__((warn_unused_result));
int docker_parser_new_events(const struct docker_label_names *labels, docker_event_handler on_event, void *userdata,
                             struct docker_parser **ret) __attribute__((warn_unused_result));
/*
 * `network` and `version` are the caller's and must outlive the parser; they count after finish() only. `on_attached`
 * may be NULL; a container that is not to be understood is passed over.
 */
int docker_parser_new_network(struct docker_network *network, docker_attached_handler on_attached, void *userdata,
                              struct docker_parser **ret) __attribute__((warn_unused_result));
/* Of a list of networks the IDs; what has none is passed over. */
int docker_parser_new_network_list(docker_id_handler on_id, void *userdata, struct docker_parser **ret)
    __attribute__((warn_unused_result));
int docker_parser_new_version(struct docker_version *version, struct docker_parser **ret)
    __attribute__((warn_unused_result));
/*
 * Reads of a container's environment only whether ANCHORD_MODE is service-anchor (SPEC §1); nothing of it is kept.
 * `inspection` is the caller's, as above.
 */
int docker_parser_new_inspection(struct docker_inspection *inspection, struct docker_parser **ret)
    __attribute__((warn_unused_result));

/* Keeps the whole answer, an object, in `document`, which is emptied first and is the caller's, as above. */
int docker_parser_new_document(struct docker_document *document, struct docker_parser **ret)
    __attribute__((warn_unused_result));

struct docker_parser *docker_parser_free(struct docker_parser *parser);
DEFINE_POINTER_CLEANUP(struct docker_parser, (void)docker_parser_free, docker_parser_freep);

/* As json_reader_feed() and json_reader_finish(); finish() also refuses a record that lacks what we need. */
int docker_parser_feed(struct docker_parser *parser, const void *bytes, size_t length)
    __attribute__((warn_unused_result));
int docker_parser_finish(struct docker_parser *parser) __attribute__((warn_unused_result));
const char *docker_parser_error(const struct docker_parser *parser);

/*
 * Chooses the version to speak: the engine's newest, at most DOCKER_API_NEWEST. Returns 0; -EPROTONOSUPPORT
 * when the ranges do not meet, with *ret_reason (static storage) naming both ends.
 */
int docker_version_negotiate(struct docker_version *version, const char **ret_reason)
    __attribute__((warn_unused_result));

/* The text of Docker's error answer {"message": …}, or "" when `bytes` is none. Always terminates `text`. */
void docker_error_message(const char *bytes, size_t length, char *text, size_t size);
