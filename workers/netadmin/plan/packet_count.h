/*
 * What a counter of nftables says (SEE-4).
 *
 * Used by anchord-netadmin; pure.
 */
#pragma once

#include <stdint.h>

struct packet_count {
    uint64_t packets;
    uint64_t bytes;
};
