/*
 * The records on standard output.
 *
 * Used by look_docker.c and look_lan.c in anchord-look, without privilege.
 */
#pragma once

#include "protocol/look_records.h"

/* Returns 0 or a negative errno: the command has gone. */
int look_report(const struct look_record *record) __attribute__((warn_unused_result));

/* The last record. Returns the exit status: nobody looks at it but people who try the program by hand. */
int look_report_end(int error, const char *text);
