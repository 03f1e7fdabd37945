/*
 * A frame that is being built, byte by byte as it will stand on the wire. 48-bit Ethernet only, as Docker's
 * bridges and macvlan are.
 *
 * Used by the announcer's packet builders and their tests; no privilege, no side effect.
 */
#pragma once

#include "common/address.h"

#include <assert.h>
#include <string.h>

/* The longest one that we build: Ethernet, IPv6, neighbour advertisement with its option. */
#define ETHERNET_FRAME_SIZE 86

struct ethernet_frame {
    uint8_t bytes[ETHERNET_FRAME_SIZE];
    size_t length;
};

/* Builders write a fixed number of bytes that fits: anything else is a mistake in the code. */
static inline void frame_put(struct ethernet_frame *frame, const void *bytes, size_t length)
{
    assert(length <= sizeof(frame->bytes) - frame->length);
    memcpy(frame->bytes + frame->length, bytes, length);
    frame->length += length;
}

static inline void frame_put_16(struct ethernet_frame *frame, uint16_t number)
{
    frame_put(frame, (const uint8_t[]){(uint8_t)(number >> 8), (uint8_t)number}, 2);
}

static inline void frame_put_zeros(struct ethernet_frame *frame, size_t length)
{
    static const uint8_t zeros[16];

    frame_put(frame, zeros, length);
}
