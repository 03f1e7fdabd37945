/*
 * Starts anchord-probe in a namespace, asks it, and keeps what it tells (protocol/probe_records.h).
 *
 * Used by path_check.c and explain_kernel.c as root; the prober drops everything before it reads a request.
 */
#pragma once

#include "protocol/probe_records.h"

#include <sys/types.h>

struct path_prober {
    pid_t pid; /* 0: none was started */
    int channel;
    struct probe_result *results; /* by number; outcome 0: not told yet */
    bool *is_watch;               /* by number */
    size_t asked;
    size_t awaited; /* of them; the others watch for what these do */
    size_t told;    /* of those that are awaited */
    bool is_ready;
    bool is_over; /* it tells nothing more */
    int error;    /* why it is over before it was ready */
    struct ip_address address6;
};

/* Starts a program of ours with a socket of SOCK_SEQPACKET as its standard input, and with the arguments as below; it
 * ends with us. Returns our end, or a negative errno. */
int path_prober_spawn(const char *program, int namespace, const char *const *arguments, pid_t *ret_pid)
    __attribute__((warn_unused_result));

/* `arguments`, behind the program's name, ending in NULL: "namespace" gets the number of `namespace`, -1: it has none.
 * What fails is told by is_over and error. */
void path_prober_start(struct path_prober *prober, int namespace, const char *const *arguments);
/* Waits until all of them are ready or over. */
void path_prober_await_ready(struct path_prober *const *probers, size_t count, unsigned int milliseconds);

/* Its result will stand in what is returned, for as long as the prober is; NULL: it takes no more. */
const struct probe_result *path_prober_ask(struct path_prober *prober, const struct probe_request *request);

/* Takes what they tell until all that is awaited is told, or time is over; and for a moment what others have seen. */
void path_prober_collect(struct path_prober *const *probers, size_t count, unsigned int milliseconds);

/* Of one that was started with "walls": the next record. False: there is none, in time. */
bool path_prober_read_wall(struct path_prober *prober, struct probe_wall *ret, int milliseconds);

void path_prober_end(struct path_prober *prober);
