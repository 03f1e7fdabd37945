/*
 * A prober at work: takes requests, lets them run side by side, tells each one's result.
 *
 * Called by main.c in anchord-probe, behind its seal: no privilege, no file, sockets of IP alone. What fails is tried
 * once more before it is told (facts: probes that fail once are the world's most common false alarm).
 */
#pragma once

#include "protocol/probe_records.h"
#include "workers/netlink/rtnetlink.h"

enum probe_state {
    PROBE_STATE_WAITING, /* not begun, or to be begun again */
    PROBE_STATE_RUNNING,
    PROBE_STATE_HELD, /* told, and its connection still open, so that others may look at it */
    PROBE_STATE_OVER,
};

struct probe {
    struct probe_request request;
    struct probe_result result;
    enum probe_state state;
    unsigned int attempts;
    int fd;       /* -1: none */
    int accepted; /* of PROBE_ACCEPT */
    uint64_t due; /* when it is to be begun, or over */
    bool is_told; /* that it is half open */
};

struct prober {
    int channel;
    struct rtnetlink *routes;
    struct rtnetlink *diagnosis; /* NULL: the kernel has none */
    struct probe *probes;
    size_t count;
    size_t capacity;
    uint64_t next_look; /* at the peers of sockets */
    bool has_all;       /* the director sends nothing more */
};

/* Until the director has gone. Returns 0 or a negative errno. */
int prober_run(struct prober *prober) __attribute__((warn_unused_result));

/* connection.c: both return true when the probe's result is complete. */
bool connection_begin(struct probe *probe);
bool connection_go_on(struct probe *probe);
/* What poll(2) is to wait for. */
short connection_events(const struct probe *probe);

/* kernel_look.c: what the kernel of this namespace knows. Into the results of all that watch, or of one. */
void kernel_look_at_peers(struct prober *prober);
void kernel_look_at_listeners(struct prober *prober, struct probe *probe);
void kernel_look_at_route(struct prober *prober, struct probe *probe);
