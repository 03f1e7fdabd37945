/*
 * Where something is mounted, compared as Docker compares it.
 *
 * Called by create_body.c. Docker keeps what it was asked for letter for letter in HostConfig ("/data/", "/a//b"), and
 * cleans it where it tells what is mounted (Mounts). Pure, no privilege.
 */
#pragma once

#include "workers/docker/json_slice.h"

/* The text of a JSON string, without its quotes; none for another value. */
struct json_slice mount_path_text(struct json_slice string);

/* The place of a bind's text, "source:/destination:mode", or "/destination" alone: then `ret_has_source` is false. */
struct json_slice mount_path_of_bind(struct json_slice bind, bool *ret_has_source);

/* Are two paths, without quotes, the same place? */
bool mount_path_is_same(struct json_slice one, struct json_slice other);
