/*
 * Reads what an anchor says of itself, for `anchord explain` (SEE-3): records that a child made of it, who is
 * nobody.
 *
 * Used by explain_command.c, as root.
 */
#pragma once

#include "daemon/command/explain_plan.h"

/* Of the anchor that runs here; *ret is cleared first. Returns 0 or a negative errno: -ENOENT, -ECONNREFUSED: none
 * does. */
int explain_model_read(struct explain_model *ret) __attribute__((warn_unused_result));
void explain_model_clear(struct explain_model *model);

/* The container's address of a family, by a port of it that is exposed; none: there is no such. */
struct ip_address explain_model_address(const struct explain_model *model, const char *container, uint8_t family);
