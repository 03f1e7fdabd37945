/*
 * JSON that is put together from pieces, in memory.
 *
 * Called by create_body.c and endpoint.c. Not open_memstream(): glibc's (2.36) loses what it has no memory for, and
 * neither ferror() nor fclose() tells (measured); a container would be created without a part of what it had. Pure, no
 * privilege.
 */
#pragma once

#include "workers/docker/json_slice.h"

struct json_text {
    char *bytes; /* terminated; the caller's to free */
    size_t length;
    size_t size;
    bool has_failed; /* without memory: it is not whole, and takes no more */
};

void json_text_put(struct json_text *text, const char *string);
void json_text_put_slice(struct json_text *text, struct json_slice slice);

/* Gives the whole away. Returns 0, or -ENOMEM: nothing of it is left. */
int json_text_take(struct json_text *text, char **ret) __attribute__((warn_unused_result));
