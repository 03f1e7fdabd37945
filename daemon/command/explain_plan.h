/*
 * One connection that `anchord explain` is asked about: what anchord says of it, what the kernel does, what was tried
 * (SEE-3).
 *
 * explain_model.c, explain_kernel.c and explain_trace.c fill it; explain_judge.c puts it into words, and is pure.
 */
#pragma once

#include "daemon/command/path_plan.h"
#include "daemon/command/path_status.h"
#include "protocol/explain_records.h"

/* What the anchor says of itself. */
struct explain_model {
    char project[NAME_SIZE];  /* attached by units; "": in a container */
    char external[NAME_SIZE]; /* interfaces */
    char shared[NAME_SIZE];
    struct ip_address own[EXPLAIN_DESTINATIONS_MAX]; /* the project's addresses */
    size_t own_count;
    struct ip_address gateways[2];
    struct path_word *words; /* of containers, in status's order */
    size_t count;
    size_t capacity;
    int error; /* of memory */
};

struct explain_flow {
    bool is_out;
    uint8_t protocol;
    uint16_t port;
    struct ip_address from; /* none: anybody's */
    struct ip_address to;
    const char *container; /* of the way out; "": an address alone was given */
    struct explain_facts facts;
    bool is_from_inside;
    path_result application;
    bool knows_walls;
    char walls[ANSWER_WHY_SIZE / 2]; /* others' chains that drop; may be empty */
};

/* The name as anchord has it, or as Compose does: web of mail-web-1. */
bool explain_is_container(const char *name, const char *asked);

/* The exposure of a port in a family (IP_FAMILY_NONE: in any), or NULL. */
const struct path_word *explain_find_exposure(const struct explain_model *model, uint8_t protocol, uint16_t port,
                                              uint8_t family);
bool explain_is_own(const struct explain_model *model, const struct ip_address *address);

/* Steps from the wire to the application; the first that is FAIL is the wall, and the last one told. */
void explain_judge(const struct explain_model *model, const struct explain_flow *flow, path_reporter report,
                   void *userdata);

/* What anchord says of a container's ports and ways, and is no connection: conflicts and problems. */
void explain_judge_container(const struct explain_model *model, const char *container, path_reporter report,
                             void *userdata);

/* What came of a packet that was followed: `traces`, of one packet, in the kernel's order; 0 of them: none came. */
void explain_judge_trace(const struct explain_model *model, const struct explain_flow *flow,
                         const struct explain_trace *traces, size_t count, struct answer *ret);

/* What stands before `nft …` in a line that is pasted on the host, whose own rules the same words would change. */
#define EXPLAIN_INSIDE_SIZE (sizeof("nsenter -t $(docker inspect -f '{{.State.Pid}}' NETWORK-ANCHOR) -n ") + NAME_SIZE)
const char *explain_inside(const struct explain_model *model, char text[EXPLAIN_INSIDE_SIZE]);
