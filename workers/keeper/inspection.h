/*
 * What the keeper wants to know of one container, from the answer to its inspection.
 *
 * Used by all of the keeper's repairs. The answer itself stays beside it, for create_body.c; it holds other people's
 * environment, of which nothing is shown (SPEC §10). Pure, reads foreign bytes, no privilege. Fields: API 1.41 … 1.52,
 * ContainerInspect.
 */
#pragma once

#include "workers/docker/json_slice.h"
#include "workers/docker/records.h"
#include "workers/keeper/journal.h"

#define DOCKER_SHORT_ID_LENGTH 12 /* the shortest ID that Docker shows to people */
#define IMAGE_ID_SIZE          80 /* "sha256:" and 64 digits */

struct inspection {
    struct docker_document document; /* owned */
    struct json_slice root;          /* of it */
    char id[DOCKER_ID_SIZE];
    char name[NAME_SIZE];
    char image_id[IMAGE_ID_SIZE];
    bool is_running; /* paused and restarting ones, too, as Docker sees it */
    bool is_paused;
    bool is_restarting;      /* it has ended, and Docker is about to start it again */
    uint64_t restart_count;  /* how often Docker did so since somebody started it */
    bool is_created;         /* and never started */
    bool has_failed_start;   /* Docker could not start it the last time it tried: State.Error */
    bool has_failed_to_join; /* … because there was no namespace to join */
    uint64_t started;        /* nanoseconds since 1970; 0: never */
    char joined[NAME_SIZE];  /* network_mode: container:THIS, an ID or a name; else empty */
    bool is_unhealthy;       /* it has a health check that has not succeeded (yet) */
    bool wants_healthy;      /* Compose would not start it before a container that it depends on is healthy */
    bool removes_itself;     /* --rm */
    bool is_rebinder;        /* its command or environment says so: one of us, which no rebinder touches */
    struct restart_policy_record policy;
    char project[NAME_SIZE]; /* Compose's labels; may be empty */
    char service[NAME_SIZE];
    char target_name[NAME_SIZE];   /* label anchord.target; may be empty */
    char replaces[DOCKER_ID_SIZE]; /* label anchord.replaces: whom it was created in place of; may be empty */
};

/* The label that a recreated container carries, with the ID of the one that it replaces. */
#define LABEL_REPLACES "anchord.replaces"

/* Reads `document` of `inspection`. Returns 0, or -EBADMSG with *ret_reason (static storage) saying what is odd. */
int inspection_read(struct inspection *inspection, const char **ret_reason) __attribute__((warn_unused_result));

/* Releases the document; the structure is as new. */
void inspection_release(struct inspection *inspection);

/* Is `reference` a whole ID? A container whose name looks like one is found by it, too. */
bool inspection_is_id(const char *reference);

/* Is `reference`, an ID, its beginning or a name, this container? */
bool inspection_is(const struct inspection *inspection, const char *reference);
