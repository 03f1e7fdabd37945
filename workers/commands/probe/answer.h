/*
 * What comes back from a network, read: ICMP errors as the kernel hands them over, and a DNS resolver's answer. Pure.
 *
 * Called by connection.c in anchord-probe, which holds no privilege; the fuzz target calls it, too.
 */
#pragma once

#include "protocol/probe_records.h"

/* Docker's resolver, which every container on a network of its own asks. */
#define DNS_QUERY_SIZE 64

/* A question about a name that is nobody's. Returns its length. */
size_t answer_make_question(uint16_t identifier, const struct ip_address *address, uint8_t question[DNS_QUERY_SIZE]);

/* Whether these bytes answer the question with this identifier, whatever the answer is (RFC 1035 §4.1.1). */
bool answer_is_of_resolver(const uint8_t *bytes, size_t length, uint16_t identifier);

/* Takes the `length` bytes of a struct sock_extended_err, and the address behind it, into `result`. False: it is none
 * of an ICMP error, nor of the path's MTU. */
bool answer_read_error(const void *bytes, size_t length, struct probe_result *result);
