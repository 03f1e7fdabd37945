/*
 * A kernel for fuzz targets and unit tests: netlink sockets whose answers come from a tape of bytes, without any
 * system call. The program is linked with --wrap for the functions that fake_kernel.c defines (meson.build).
 *
 * The tape is a row of datagrams, each behind four bytes: flags (FAKE_KERNEL_…), how it fails (FAKE_KERNEL_FAILURES),
 * and its length, little-endian. Sequence and port number of each message in it are set to those that are expected,
 * so that an answer is one. Behind the end of the tape the kernel is silent (EAGAIN).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum fake_kernel_flag {
    FAKE_KERNEL_KEEP_SEQUENCE = 1, /* as it stands in the bytes: a late answer */
    FAKE_KERNEL_KEEP_PORT = 2,
    FAKE_KERNEL_FAILS = 4,       /* the read fails with the errno chosen by the second byte */
    FAKE_KERNEL_FOREIGN = 8,     /* sent by another process */
    FAKE_KERNEL_SEND_FAILS = 16, /* and the request before it fails with that errno */
    FAKE_KERNEL_ENDS_DUMP = 32,  /* NLMSG_DONE follows */
};

#define FAKE_KERNEL_HEADER_SIZE 4

/* The bytes must stay until the next start. */
void fake_kernel_start(const uint8_t *tape, size_t length);

/* Requests and batches that were sent since the start. */
size_t fake_kernel_requests(void);
