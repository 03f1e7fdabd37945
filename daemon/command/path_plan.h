/*
 * What the group `path` of anchord doctor proves, port by port and container by container: what was tried, and
 * what came of it (SEE-2).
 *
 * path_check.c fills it and lets it be tried; path_judge.c and path_judge_way.c read it, and are pure.
 */
#pragma once

#include "common/address.h"
#include "protocol/check_answer.h"
#include "protocol/probe_records.h"

#define PATH_PORTS_MAX      200 /* of one family each; what is beyond is said */
#define PATH_CONTAINERS_MAX 64

/* NULL: it was not tried; outcome 0: nothing was told, as by what only watches for others. */
typedef const struct probe_result *path_result;

static inline enum probe_outcome path_outcome(path_result result)
{
    return result ? (enum probe_outcome)result->outcome : (enum probe_outcome)0;
}

/* A container that something is exposed of, by its addresses on the shared network. */
struct path_container {
    const char *name;
    int namespace;                  /* -1: it cannot be looked into */
    struct ip_address addresses[2]; /* v4, v6; may be none */
    const char *findings[2];        /* what anchord itself says of its way, by family; may be empty */
    uint32_t causes[2];             /* enum problem: of these */
    bool is_elsewhere[2];           /* that its answers do not come back was told already */
    path_result routes[2];          /* to the LAN */
    path_result resolver;           /* whether Docker's resolver is there */
    path_result question;
};

struct path_port {
    uint8_t protocol; /* IPPROTO_TCP or IPPROTO_UDP */
    uint8_t family;
    uint16_t port;         /* of the project's address; of a range the first, which alone is tried */
    uint16_t backend_port; /* in the container */
    bool has_guests;       /* a list says who may come in */
    const struct path_container *container;
    struct ip_address own;     /* the project's address */
    struct ip_address backend; /* the container's */
    path_result listeners;     /* in the container */
    path_result inside;        /* from the network-anchor, with its inner address */
    path_result as_client;     /* from there with the project's address, which is none of the inner network */
    path_result client_seen;   /* whether that one came to the container */
    path_result hairpin;       /* from a container, or from the network-anchor, to the project's address */
    path_result from_lan;
    path_result lan_seen;
    bool is_seen_twice; /* both were tried again: what is not seen then is not there */
};

/* Bytes of IP: what Ethernet takes, and what every tunnel takes. */
#define PATH_LARGE 1500
#define PATH_SMALL 1400

/* Packets that end at one router. Routers answer few of them a second, so one follows the other: the large one; where
 * that is lost, a small one; where that is answered, the large one again. */
struct path_ladder {
    path_result large;
    path_result small;
    path_result again;
};

/* The way out, tried from one container. */
struct path_way_out {
    const struct path_container *container;
    uint8_t family;
    struct path_ladder near; /* to the first router behind the network-anchor */
    struct path_ladder far;  /* to the second */
    path_result router;      /* TCP to the gateway itself, where it has more than a link-local address */
    path_result lan_seen;    /* what the throw-away host on the LAN has seen of it */
};

/* What else there is to know. */
struct path_scene {
    const char *name;                /* of the network-anchor's container; NULL or empty: none, or we are in it */
    bool is_on_host;                 /* containers can be looked into */
    bool filters_bridges[2];         /* bridge-nf-call-iptables, -ip6tables of the host */
    bool has_walls;                  /* the host's firewall drops something, or cannot be read */
    bool has_reverse_path;           /* a rule on the host drops by the IPv6 reverse path */
    char walls[ANSWER_WHY_SIZE / 2]; /* foreign chains of the host that drop; may be empty */
    struct ip_address own[2];        /* the project's addresses */
    struct ip_address lan[2];        /* of the throw-away host; may be none */
    const struct ip_address *anchor; /* all of the network-anchor's addresses */
    size_t anchor_count;
    struct ip_address gateways[2];
};

typedef void (*path_reporter)(const struct answer *answer, void *userdata);

/* Replies and what leaves do not come to anchord. */
bool path_is_way(uint16_t problem);

/* path_judge.c, path_judge_way.c: each reports at least one answer. True: the answers of the port's container do not
 * come back, which is said once of each family. */
bool path_judge_port(const struct path_scene *scene, const struct path_port *port, path_reporter report,
                     void *userdata);
void path_judge_container(const struct path_scene *scene, const struct path_container *container, path_reporter report,
                          void *userdata);
void path_judge_way_out(const struct path_scene *scene, const struct path_way_out *way, path_reporter report,
                        void *userdata);
