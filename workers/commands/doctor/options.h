/*
 * The arguments of `anchord doctor`.
 *
 * Called by main.c. Pure but for what it prints; no privilege.
 */
#pragma once

#include "workers/commands/doctor/check.h"

#define OPTION_WORDS_MAX 64

/* --suppress CODE[=OBJECT] */
struct suppression {
    enum problem problem;
    const char *object; /* NULL: whatever it is */
};

struct options {
    const char *names[OPTION_WORDS_MAX]; /* checks and groups; none: all that need no naming */
    size_t name_count;
    struct suppression suppressions[OPTION_WORDS_MAX];
    size_t suppression_count;
    const char *anchor;           /* NULL: all */
    const char *files[FILES_MAX]; /* finished Compose files */
    size_t file_count;
    bool as_json, lists, shows_help, fails_only;
    const char *from_lan; /* the word as it was typed; NULL: none */
};

/* Without a trace when all is well; else false, and it was said what is wrong. `arguments` end with NULL. */
bool options_parse(char **arguments, struct options *ret);
void options_print_help(void);
void options_print_list(void);

/* Whether a check is to be run. */
bool options_want(const struct options *options, const struct check *check);
