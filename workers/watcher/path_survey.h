/*
 * Looks after the way back of every backend (DISC-8): asks Docker what is needed for that, keeps the findings, logs
 * each once with its remedy, and once more when it has ended.
 *
 * Owned by watcher.c; watch.c asks Docker the questions that are open here. A backend whose replies come back costs at
 * most one inspect of each other network that it is on; only one that seems broken is looked into: is it, or does
 * somebody in its namespace run, a service-anchor? Runs without any privilege.
 */
#pragma once

#include "workers/watcher/container_table.h"
#include "workers/watcher/links.h"
#include "workers/watcher/return_path.h"

#define PATH_FINDINGS_MAX 256

struct path_finding {
    uint32_t serial; /* of the container (container_table.h) */
    char container[NAME_SIZE];
    char container_id[DOCKER_ID_SIZE];
    uint8_t family; /* enum ip_family; none: both */
    enum return_path_fault fault;
    char other[NAME_SIZE]; /* the network or the service-anchor that is to blame; may be empty */
    char remedy[RETURN_PATH_REMEDY_SIZE];
};

struct path_survey;

int path_survey_new(struct path_survey **ret) __attribute__((warn_unused_result));
struct path_survey *path_survey_free(struct path_survey *survey);
DEFINE_POINTER_CLEANUP(struct path_survey, (void)path_survey_free, path_survey_freep);

/* The shared network and our own MAC address on it. Needed before anything is found. */
void path_survey_set_shared(struct path_survey *survey, const struct docker_network *network,
                            const struct mac_address *mac);
/* netadmin's report of our links: which gateways we hold. */
void path_survey_set_links(struct path_survey *survey, const struct link_table *links);

/* Looks at every backend with what is known. `engine` is copied. */
void path_survey_run(struct path_survey *survey, const struct container_table *table,
                     const struct docker_version *engine);

/* From this time on (monotonic microseconds) a gateway that we do not hold is somebody else's: worth a run. */
uint64_t path_survey_claim_due(const struct path_survey *survey);

/* Who shares whose namespace may have changed: asked for again if that matters. */
void path_survey_note_event(struct path_survey *survey);

/* It is time to look again. What is being asked for already is new enough: else a poll as frequent as the question
 * would make each answer old before it comes. */
void path_survey_note_poll(struct path_survey *survey);

enum path_question_kind {
    PATH_QUESTION_NONE,
    PATH_QUESTION_NETWORK, /* inspect the network `id` into `network` */
    PATH_QUESTION_JOINED,  /* show the containers that may have joined others to path_survey_consider() */
};

struct path_question {
    enum path_question_kind kind;
    char id[DOCKER_ID_SIZE];
    struct docker_network network;
};

/* When there is a question that waits for its time (monotonic microseconds); UINT64_MAX: none does. */
uint64_t path_survey_next_due(const struct path_survey *survey);

/* The question to ask at `now`, to be ended before the next; it is ours. */
struct path_question *path_survey_ask(struct path_survey *survey, uint64_t now);
void path_survey_consider(struct path_survey *survey, const struct docker_container *container);
/* Takes the answer; with an `error` it is not asked again: the check is left out, which is said once, with `text`. */
void path_survey_end_question(struct path_survey *survey, int error, const char *text);

/* What stands now, for people; valid until the next run. */
const struct path_finding *path_survey_findings(const struct path_survey *survey, size_t *ret_count);
