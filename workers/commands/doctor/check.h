/*
 * A check of `anchord doctor`, what it is shown, and what it answers (SEE-2).
 *
 * Each check runs in a process of its own, which ends at its time limit and cannot take the others with it. It has
 * given up every privilege before `run` is called, so that it may read what Docker, the LAN and an anchord say;
 * what needs a privilege, a namespace to go into or a socket to open, its `prepare` does, which reads none of that. Its
 * answers are records of one size on a pipe: main's process, root perhaps, reads nothing else of it.
 */
#pragma once

#include "protocol/check_answer.h"
#include "workers/commands/doctor/scene.h"

enum check_group {
    GROUP_PLATFORM = 1,
    GROUP_FILES,
    GROUP_ADDRESS,
    GROUP_RULES,
    GROUP_PATH,
    GROUP_WORKERS,
    GROUP_MAX_,
};

/* "platform" */
const char *check_group_to_string(enum check_group group);

/* "OK" */
const char *verdict_to_string(enum verdict verdict);

/* What `prepare` has opened for `run`; -1 where there is nothing. */
#define CHECK_FILES_MAX 8
struct check_files {
    int files[CHECK_FILES_MAX];
};

/* Where a check stands while it runs. */
struct check_run {
    const struct scene *scene;
    const struct anchor *anchor; /* NULL: it is of the host */
    struct check_files files;
    const char *file; /* of the check of files: as it was named; NULL: standard input */
    uint32_t check, anchor_index;
    int output;
    size_t answered;
};

enum check_flags {
    CHECK_OF_ANCHOR = 1 << 0,     /* once for each anchor, in its network namespace; else once */
    CHECK_READS_STATUS = 1 << 1,  /* without an answer of the anchor it is UNKNOWN */
    CHECK_READS_RULES = 1 << 2,   /* likewise without its tables */
    CHECK_READS_DOCKER = 1 << 3,  /* likewise without Docker's answers */
    CHECK_ON_HOST = 1 << 4,       /* in a container it is UNKNOWN */
    CHECK_WHEN_NAMED = 1 << 5,    /* by itself or by its group alone */
    CHECK_KEEPS_RIGHTS = 1 << 6,  /* reads nothing that anybody but the kernel says, and keeps its privileges */
    CHECK_STAYS_OUTSIDE = 1 << 7, /* goes into no namespace */
    CHECK_OF_FILE = 1 << 9,       /* once for each file that was named */
    CHECK_LOOKS_TWICE = 1 << 10,  /* at tables that change meanwhile: needs what was said a moment later */
    CHECK_OWN_ANSWERS = 1 << 8,   /* says itself what it cannot know; the flags above only tell what it looks at */
};

struct check {
    enum check_group group;
    const char *name;  /* unique among all */
    const char *title; /* what holds when it is OK, a short clause */
    unsigned int flags;
    unsigned int seconds; /* its time limit; 0: CHECK_SECONDS */
    /* As whoever typed the command, in the anchor's namespace. Returns 0; or a negative errno with *ret_why. */
    int (*prepare)(struct check_run *run, const char **ret_why);
    void (*run)(struct check_run *run);
};

#define CHECK_SECONDS 8

/* --- what `run` says; any number of them, an OK only when it is all --- */

/* OK, with what was found. */
void check_is_well(struct check_run *run, const char *object, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Nothing to look at. */
void check_skip(struct check_run *run, const char *object, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Could not be looked at. `remedy` may be NULL: what is to be run on the host. */
void check_is_unknown(struct check_run *run, const char *object, const char *remedy, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* What is wrong: WARN or FAIL as the registry has it. NULL: its title, its remedy; a remedy has lines to paste. */
struct finding_texts {
    const char *object;
    const char *sentence;
    const char *why;
    const char *remedy;
};
void check_found(struct check_run *run, enum problem problem, const struct finding_texts *texts);

/* A text that lives until the end of the process. */
const char *check_text(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* `command` as it is to be typed on the host, or here, so that it happens in the anchor's network namespace. */
const char *check_inside(const struct check_run *run, const char *command);

/* Where everything can be looked at: a line to paste on the host. */
const char *check_on_host(const struct check_run *run);
