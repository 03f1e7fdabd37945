/*
 * Problems: what anchord finds wrong, by code (SEE-1). The registry itself is problem_list.h.
 *
 * Findings carry one from watcher and keeper to control, the log names one, `anchord status`, `anchord doctor` and the
 * metric anchord_problem show them. Used by every process, needs no privilege; the table of texts is linked by those
 * who read it alone.
 */
#pragma once

#include "common/log.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define PROBLEM(name_, number_, severity_, teller_, parent_, visible_after_, title_, remedy_) \
    PROBLEM_##name_ = (number_),
enum problem {
    PROBLEM_NONE,
#include "protocol/problem_list.h"
};
#undef PROBLEM

/* Positions in the table, without gaps. */
#define PROBLEM(name_, number_, severity_, teller_, parent_, visible_after_, title_, remedy_) PROBLEM_INDEX_##name_,
enum problem_index {
#include "protocol/problem_list.h"
    PROBLEM_INDEX_MAX_,
};
#undef PROBLEM

/* So many of them, the first, are told by running processes. */
#define PROBLEM(name_, number_, severity_, teller_, parent_, visible_after_, title_, remedy_) PROBLEM_TOLD_##name_,
#define CHECKED(name_, number_, severity_, parent_, visible_after_, title_, remedy_)
enum problem_told {
#include "protocol/problem_list.h"
    PROBLEMS_TOLD,
};
#undef PROBLEM

enum problem_severity {
    PROBLEM_SEVERITY_INFO,    /* as it was set up; only worth knowing */
    PROBLEM_SEVERITY_WARNING, /* works, and will not for ever or not for everybody */
    PROBLEM_SEVERITY_ERROR,   /* something that is wanted does not work */
};

/* Who tells control whether it holds. */
enum problem_teller {
    PROBLEM_TELLER_WATCHER,
    PROBLEM_TELLER_KEEPER,
    PROBLEM_TELLER_NETWORK,    /* netadmin's or way's report */
    PROBLEM_TELLER_SUPERVISOR, /* of workers and leases */
    PROBLEM_TELLER_LOG,        /* nobody: only the log has it, when it happens */
    PROBLEM_TELLER_DOCTOR,     /* nobody, but `anchord doctor` when it is called */
};

struct problem_definition {
    enum problem problem;
    enum problem_severity severity;
    enum problem_teller teller;
    enum problem parent; /* PROBLEM_NONE: none */
    uint32_t visible_after_seconds;
    const char *title;
    const char *remedy; /* may be empty */
};

/* By position, below PROBLEM_INDEX_MAX_. */
const struct problem_definition *problem_definition(size_t index);

/* The position of what may be no problem at all: -EINVAL then. */
int problem_find(uint32_t problem, size_t *ret) __attribute__((warn_unused_result));

#define PROBLEM_REMEDY_SIZE 1024
/* A remedy with the container's name wherever it says `place`, as a word of the shell; cut if it does not fit. */
const char *problem_remedy_fill(const char *remedy, const char *place, const char *container,
                                char target[PROBLEM_REMEDY_SIZE]);

/* error, warning or info */
const char *problem_severity_to_string(enum problem_severity severity);

/* ANC0101 and its NUL */
#define PROBLEM_CODE_SIZE 8
static inline const char *problem_code(enum problem problem, char text[PROBLEM_CODE_SIZE])
{
    (void)snprintf(text, PROBLEM_CODE_SIZE, "ANC%04u", (unsigned int)problem % 10000U);
    return text;
}

/* The field `code` of a log line; holds until the end of the statement. */
#define LOG_PROBLEM(problem_) LOG_TEXT("code", problem_code((problem_), (char[PROBLEM_CODE_SIZE]){0}))
