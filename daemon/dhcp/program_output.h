/*
 * What a foreign program writes to its output, as lines of our log: bounded in length and number, and escaped.
 *
 * Used by dhcp_client.c, in the supervisor, as root; the text is hostile, and goes nowhere but into the log.
 */
#pragma once

#include "common/cleanup.h"
#include "common/log.h"

#include <systemd/sd-event.h>

struct program_output;

/* Returns the level that a line is logged at; the line is only valid during the call. */
typedef enum log_level (*program_output_judge)(const char *line, void *userdata);

/*
 * Reads from a new pipe and logs each line as `message` with the fields `family` and `text`; both strings must live as
 * long. *ret_write_end is the caller's: the program's standard output or error. What it writes is handled before what
 * it does otherwise. Returns 0 or a negative errno.
 */
int program_output_new(sd_event *event, const char *message, const char *family, program_output_judge judge,
                       void *userdata, struct program_output **ret, int *ret_write_end)
    __attribute__((warn_unused_result));

/* Logs what is left of a last line. NULL is fine. Returns NULL. */
struct program_output *program_output_free(struct program_output *output);
DEFINE_POINTER_CLEANUP(struct program_output, (void)program_output_free, program_output_freep);
