/*
 * What depends on what was found says so, and nothing else: its cause is to be mended (SEE-2).
 *
 * Used by runner.c, when all checks have answered. Pure, no privilege.
 */
#pragma once

#include "protocol/check_answer.h"

#include <stddef.h>

/* By the parents of the registry, and by the cause that an answer names; it is of the host, or of the same anchor, or
 * file. */
void consequences_mark(struct answer *answers, size_t count);
