/*
 * The tables that keep a namespace closed (WALL-3), as one constant nftables transaction: what anchord-netadmin puts
 * there itself, byte for byte (tests/unit/test_hold.c compares), so that a network-anchor takes it for its own.
 *
 * Sent by main.c. skeleton.c is made by that test; little endian, as all machines that the image is made for.
 */
#pragma once

#include <stddef.h>

extern const unsigned char skeleton_batch[];
extern const size_t skeleton_batch_size;
