/*
 * What the two halves of the work on dependents share: dependents.c is about containers that others made,
 * managed_repairs.c about the service-anchors that the keeper itself makes (LIFE-2).
 *
 * For these two only; see dependents.h. Runs without any privilege.
 */
#pragma once

#include "workers/keeper/dependents.h"
#include "workers/keeper/look.h"
#include "workers/keeper/own_anchor.h"
#include "workers/keeper/recreation.h"
#include "workers/keeper/repair.h"

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

/* --- dependents.c, for managed_repairs.c ------------------------------------------------------------------ */

/* What the container that is looked at needs; `has_target`: `target` is there. */
enum repair dependents_choose(struct dependents *dependents, bool has_target);

/* Says that REPAIR_UNKNOWN was all that could be told. */
void dependents_report_order(struct dependents *dependents);

/* Notes an attempt; false: its time has not come, and it is remembered. */
bool dependents_may_try(struct dependents *dependents);

/* Counts a repair that is over, or could not begin; another look follows. */
void dependents_note_result(struct dependents *dependents, bool is_done);

/* `result` of recreation_start() or recreation_start_as(). */
void dependents_check_begun(struct dependents *dependents, int result, const char *reason);

/* Starts the container that is looked at; `message` says why. */
void dependents_start(struct dependents *dependents, const char *message);

/* --- managed_repairs.c, for dependents.c ------------------------------------------------------------------ */

/* The target of a managed service-anchor is in `target`, or there is none. */
void managed_repairs_judge(struct dependents *dependents, bool has_target);

/* Somebody else has made a container of that name. */
void managed_repairs_leave_foreign(struct dependents *dependents);

/* The connection has gone, and with it every answer. */
void managed_repairs_interrupt(struct dependents *dependents);
