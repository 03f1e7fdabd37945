/*
 * One request of a client, as it came: is it canonical, and may it be asked? (WALL-7)
 *
 * Called by relay.c with whatever has arrived. Reads a client's bytes, so it trusts none of them; pure, without any
 * privilege. A head that is anything but the one that libcurl writes for our clients is refused: Docker takes bare line
 * feeds, folded lines, two lengths, absolute forms and more, and every leniency is a way to say two things at once.
 */
#pragma once

#include "workers/gate/table.h"

#include <stdint.h>

#define GATE_BODY_MAX    UINT64_C(8388608) /* a container's whole configuration, twice */
#define GATE_REASON_SIZE 256

struct gate_request {
    size_t taken;             /* bytes of the client's head; its body follows */
    uint64_t body_length;     /* to be copied, exactly */
    struct gate_buffer bytes; /* for Docker: the head */
};

enum request_verdict {
    REQUEST_INCOMPLETE, /* more of it must come */
    REQUEST_ALLOWED,    /* *ret is filled */
    REQUEST_REFUSED,    /* `reason` says why, for people and for JSON: printable, without quotation marks */
};

/* A NUL stands behind the `length` bytes. GATE_BUFFER_SIZE of them without an end are too many. */
enum request_verdict request_read(enum gate_client client, const struct message_configure_gate *scope,
                                  const char *bytes, size_t length, struct gate_request *ret,
                                  char reason[GATE_REASON_SIZE]);
