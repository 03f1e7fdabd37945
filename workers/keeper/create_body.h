/*
 * The body of ContainerCreate for a container like another one, in another container's network namespace (LIFE-7).
 *
 * Called by recreation.c. Everything of Config and HostConfig travels byte by byte as Docker showed it, also what we
 * do not know; what changes is listed in create_body.c. Pure, no privilege.
 */
#pragma once

#include "workers/keeper/inspection.h"

/*
 * `target`: the name of the container whose namespace it joins. `use_image_id`: of exactly the image that the old one
 * has, not of what that name means by now. The text is the caller's to free. Returns 0, -EBADMSG with *ret_reason
 * (static storage) saying what is odd, or -ENOMEM.
 */
int create_body_make(const struct inspection *old, const char *target, bool use_image_id, const char **ret_reason,
                     char **ret) __attribute__((warn_unused_result));
