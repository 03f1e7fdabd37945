/*
 * What the anchor's other processes told control: the content of `anchord status` (SPEC §9).
 *
 * Filled by control.c, read by bus_object.c, in anchord-control. In memory only; no privilege.
 */
#pragma once

#include "common/cleanup.h"
#include "protocol/messages.h"

#include <stdbool.h>

/* A wire_finding without the room that its texts do not need: there may be thousands. */
struct finding {
    uint8_t kind; /* enum finding_kind */
    uint8_t protocol;
    uint16_t port_first;
    uint16_t port_last;
    uint16_t backend_port_first;
    uint16_t problem; /* enum problem */
    struct wire_address address4;
    struct wire_address address6;
    const char *container; /* these three in `texts` */
    const char *other;
    const char *reason;
    char texts[];
};

struct findings {
    struct finding **items;
    size_t count;
    size_t capacity;
};

/* Who tells of findings; each has a state of its own. */
enum findings_source { FINDINGS_OF_WATCHER, FINDINGS_OF_KEEPER, FINDINGS_SOURCE_MAX_ };

struct told_findings {
    struct findings last; /* committed */
    struct findings incoming;
    bool is_incoming; /* between BEGIN and COMMIT */
    bool has_told;    /* there was a COMMIT */
    uint64_t incoming_generation;
};

/* Conditions of which it counts since when they hold (problems.h); workers come last. */
enum problem_condition {
    CONDITION_NO_EXTERNAL_INTERFACE,
    CONDITION_NO_SHARED_INTERFACE,
    CONDITION_NO_LEASE,
    CONDITION_NO_GATEWAY, /* of each family */
    CONDITION_DOCKER_AWAY = CONDITION_NO_GATEWAY + FAMILY_INDEX_MAX_,
    CONDITION_RULES_NOT_LOADED,
    CONDITION_NOTHING_APPLIED,
    CONDITION_NO_WAY_OUT,
    CONDITION_NO_NETWORK,
    CONDITION_LINKS_NOT_MADE,
    CONDITION_WAYS_NOT_INSTALLED,
    CONDITION_NO_HOST_HALF,
    CONDITION_WORKER,
    CONDITION_MAX_ = CONDITION_WORKER + WORKERS_MAX,
};

#define REPAIRS_TOO_MANY 3 /* within some time; see problems.c */

struct counter_readers;

/* What netadmin counted; in the order of the message. */
struct told_counters {
    struct wire_counter items[REFUSAL_MAX_ + COUNTED_PORTS_MAX];
    size_t count;
};

struct view {
    struct message_configure_control configuration; /* header.type MESSAGE_INVALID: not there yet, as with the others */
    struct message_supervision supervision;
    struct message_network_report report;
    struct counter_readers *counter_readers;
    struct told_counters counters;
    struct told_counters incoming_counters;
    uint64_t incoming_counters_generation; /* 0: none */
    struct told_findings told[FINDINGS_SOURCE_MAX_];
    uint64_t conditions_since[CONDITION_MAX_]; /* monotonic microseconds; 0: does not hold */
    uint64_t repaired_at[REPAIRS_TOO_MANY];    /* of the last repairs, the newest first; likewise */
    uint32_t repairs_seen;                     /* of report.repairs */
    bool has_seen_repairs;
};

void view_clear(struct view *view);

/* A new connection: a half state of the old one is dropped, a committed one stays. */
void view_forget_incoming(struct told_findings *told);

void view_begin_findings(struct told_findings *told, uint64_t generation);
/* Returns 0, -EPROTO without BEGIN or with another generation, -E2BIG above FINDINGS_MAX, or -ENOMEM. */
int view_add_findings(struct told_findings *told, const struct message_findings *message)
    __attribute__((warn_unused_result));
/* Swaps the state. Returns 0, or -EPROTO when it is not complete. */
int view_commit_findings(struct told_findings *told, const struct message_commit *message)
    __attribute__((warn_unused_result));

/* As the findings: begin, items, commit, which returns 0, or -EPROTO when it is not complete. */
void view_begin_counters(struct view *view, uint64_t generation);
int view_add_counters(struct view *view, const struct message_counters *message) __attribute__((warn_unused_result));
int view_commit_counters(struct view *view, const struct message_commit *message) __attribute__((warn_unused_result));

/* Whether everything that must hold holds, as `anchord healthcheck` says (SPEC §8). */
bool view_is_ready(const struct view *view);
