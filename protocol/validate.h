/*
 * The gate of every process: is this datagram a message that may come from there?
 *
 * Called by protocol/datagram.c on each datagram before anything acts; pure, without side effects, without privileges.
 * It is a fuzz target (tests/fuzz).
 */
#pragma once

#include "protocol/messages.h"

/*
 * Checks `length` bytes at `datagram` (aligned to 8) with `descriptor_count` descriptors against the table
 * of `direction` and the rules of the type: magic, version, type, exact or counted length, reserved fields
 * zero, strings terminated, counts, families, prefixes, ports, enums and flags in range.
 * Whether an address may be used is the receiver's policy, not asked here.
 * Returns 0; or -EBADMSG with *ret_reason (static storage) saying which rule failed.
 */
int message_validate(enum message_direction direction, const void *datagram, size_t length, size_t descriptor_count,
                     const char **ret_reason) __attribute__((warn_unused_result));
