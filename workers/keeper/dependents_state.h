/*
 * What the work on dependents goes on with from one answer of Docker to the next: of dependents.c, managed_repairs.c
 * and repairing.c, which stand on one another in this order. Runs without any privilege.
 */
#pragma once

#include "workers/keeper/look.h"
#include "workers/keeper/managed.h"
#include "workers/keeper/own_anchor.h"
#include "workers/keeper/recreation.h"
#include "workers/keeper/session.h"

/* A managed service-anchor that is being made. */
struct creation {
    char *body;                    /* NULL: none is being made */
    bool has_image_id;             /* of `body`: by its name there was none */
    struct docker_document answer; /* to the creation */
};

struct dependents {
    const struct message_configure_keeper *configuration;
    struct session *session;
    struct managed_set *managed_set;
    struct look *look;
    struct recreation *recreation;
    struct findings_sender *findings;
    struct own_anchor_search own_search;
    bool resumes_at_once; /* what is half-done was done by our predecessor, or by us before the connection broke */
    size_t dead_count;
    /* of the container that is looked at */
    enum look_kind kind;
    struct managed *managed; /* by its kind */
    struct memory_entry *entry;
    struct inspection *dependent;
    const struct journal *journal; /* NULL: it is an ordinary one */
    struct inspection target;      /* of a half-done recreation the new container */
    char reference[NAME_SIZE];     /* by which its target was asked for */
    bool is_asked_by_id;
    uint64_t repair_started_at;
    struct creation creation;
};
