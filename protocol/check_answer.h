/*
 * What a check of `anchord doctor` answers (SEE-2): records of one size on a pipe, from whoever looks, who may read
 * foreign bytes, to the process that prints.
 *
 * Written by the checks in workers/commands/doctor and by the command's own check of the path; read by anchord-doctor.
 */
#pragma once

#include "common/text.h"
#include "protocol/messages_parts.h"
#include "protocol/problems.h"

enum verdict {
    VERDICT_OK = 1,
    VERDICT_WARN,
    VERDICT_FAIL,
    VERDICT_SKIP,    /* what it would look at depends on what is wrong already, or is not there */
    VERDICT_UNKNOWN, /* could not be looked at from here: neither good nor bad */
    VERDICT_MAX_,
};

#define ANSWER_SENTENCE_SIZE 384
#define ANSWER_WHY_SIZE      512
#define ANSWER_REMEDY_SIZE   1024

struct answer {
    uint32_t check;   /* its place in the table, which the reader fills */
    uint32_t anchor;  /* its place in the scene, likewise */
    uint32_t verdict; /* enum verdict */
    uint32_t problem; /* enum problem; PROBLEM_NONE: none */
    uint32_t cause;   /* enum problem, likewise: what the anchor says itself; where that is found, this follows */
    char object[NAME_SIZE];
    char sentence[ANSWER_SENTENCE_SIZE];
    char why[ANSWER_WHY_SIZE];       /* may be empty */
    char remedy[ANSWER_REMEDY_SIZE]; /* lines to paste; may be empty */
};

/* PIPE_BUF: a record is written whole or not at all. */
static_assert(sizeof(struct answer) <= 4096, "atomic on a pipe");

/* WARN or FAIL as the registry has it, or OK for what is only worth knowing. */
static inline enum verdict answer_verdict_of(enum problem_severity severity)
{
    return severity == PROBLEM_SEVERITY_ERROR     ? VERDICT_FAIL
           : severity == PROBLEM_SEVERITY_WARNING ? VERDICT_WARN
                                                  : VERDICT_OK;
}

static inline bool answer_is_valid(const struct answer *answer)
{
    return answer->verdict > 0 && answer->verdict < VERDICT_MAX_ &&
           text_is_terminated(answer->object, sizeof(answer->object)) &&
           text_is_terminated(answer->sentence, sizeof(answer->sentence)) &&
           text_is_terminated(answer->why, sizeof(answer->why)) &&
           text_is_terminated(answer->remedy, sizeof(answer->remedy));
}
