/*
 * What `anchord explain` prints, for people and for programs (docs/explain.md).
 *
 * Used by explain_command.c, as root; names that it prints come from Docker and from whoever may write tables.
 */
#pragma once

#include "daemon/command/explain_plan.h"

enum explain_end { EXPLAIN_END_REACHES, EXPLAIN_END_STOPPED, EXPLAIN_END_UNKNOWN };

struct explain_output {
    struct yajl_gen_t *generator; /* NULL: for people */
    struct answer wall;           /* of this connection: the first that stops it */
    bool has_wall;
    bool has_unknown;
    size_t steps;
    size_t packets; /* that were printed */
};

/* Returns 0 or -ENOMEM. */
int explain_output_begin(struct explain_output *output, bool as_json) __attribute__((warn_unused_result));
void explain_output_title(struct explain_output *output, const char *title);
/* A path_reporter. */
void explain_output_step(const struct answer *answer, void *userdata);
/* While packets are followed: what rules did to one. */
void explain_output_follow(struct explain_output *output, const char *text);
void explain_output_trace(struct explain_output *output, const struct explain_trace *trace);
/* The verdict on this connection. */
enum explain_end explain_output_verdict(struct explain_output *output);
void explain_output_end(struct explain_output *output);
