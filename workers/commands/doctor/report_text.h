/*
 * What `anchord doctor` prints, for people and for programs.
 *
 * Called by main.c, on standard output. No privilege; foreign text colours no terminal and looks like no line of ours.
 */
#pragma once

#include "workers/commands/doctor/runner.h"

/* From what on something is wrong: findings, and whether anything was looked at. */
struct report_summary {
    size_t counts[VERDICT_MAX_];
};

struct report_summary report_summarise(const struct report *report);

/* Returns 0 or a negative errno. */
int report_print_text(const struct report *report, const struct scene *scene) __attribute__((warn_unused_result));

/* docs/doctor.schema.json */
int report_print_json(const struct report *report, const struct scene *scene) __attribute__((warn_unused_result));
