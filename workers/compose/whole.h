/*
 * All that comes out of a descriptor, bounded.
 *
 * Called by anchord-wrap and `anchord doctor files` once they have given their privileges up.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/* Reads all of `file`, with a NUL behind it; the caller frees *ret. Returns its length, -EFBIG above `maximum`, or
 * another negative errno. */
ssize_t whole_read(int file, size_t maximum, char **ret) __attribute__((warn_unused_result));
