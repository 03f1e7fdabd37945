/*
 * Docker's times.
 *
 * Used by the keeper and by `anchord doctor`, which compare when containers were started. Pure, reads foreign bytes, no
 * privilege.
 */
#pragma once

#include <stdint.h>

/*
 * RFC 3339 with a fraction of up to nine digits, as Docker writes times, in UTC, and Podman, in its machine's time
 * zone. Returns 0 or -EINVAL.
 */
int docker_time_parse(const char *text, uint64_t *ret_nanoseconds) __attribute__((warn_unused_result));
