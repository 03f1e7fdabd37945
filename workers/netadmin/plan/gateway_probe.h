/*
 * Whether a gateway address may be claimed (GW-1), or under attach one that was given be taken (ADDR-13), as pure
 * functions of the time: before we take one, the announcer is asked whether somebody else has it.
 *
 * Used by the network half of anchord-netadmin; no privilege, no side effect. An answer that does not come counts as
 * "free": until the gateway is claimed no container of the project gets anything out.
 */
#pragma once

#include "common/address.h"
#include "protocol/messages.h"

#include <stdbool.h>

/* How long we wait for PROBED: the announcer's own time and as much again for a busy machine. */
#define GATEWAY_ANSWER_MILLISECONDS (2 * PROBE_DURATION_MILLISECONDS)
/* Until a held address is asked for again; the spread keeps two anchors from asking in step for ever. */
#define GATEWAY_RETRY_MILLISECONDS  3000
#define GATEWAY_SPREAD_MILLISECONDS 2000

/* The kernel begins to send on a link up to a second after it came up (net/core/link_watch.c). */
#define GATEWAY_CARRIER_MILLISECONDS 2000

#define GATEWAY_PROBE_NEVER UINT64_MAX

enum gateway_probe_state {
    GATEWAY_PROBE_UNKNOWN,
    GATEWAY_PROBE_ASKED,
    GATEWAY_PROBE_FREE, /* or was when we claimed it */
    GATEWAY_PROBE_HELD,
};

struct gateway_probe {
    struct ip_address address;
    enum gateway_probe_state state;
    uint64_t due; /* monotonic microseconds: no answer comes any more, or time to ask again */
    struct mac_address holder;
};

/* Zero is empty. */
struct gateway_probes {
    struct gateway_probe items[SUBNETS_MAX];
    size_t count;
};

enum gateway_verdict {
    GATEWAY_VERDICT_CLAIM,
    GATEWAY_VERDICT_ASK, /* and say so with gateway_probe_asked() */
    GATEWAY_VERDICT_WAIT,
};

/* What to do at `now` about `address`, which the topology names and which we do not hold. */
enum gateway_verdict gateway_probe_decide(struct gateway_probes *probes, const struct ip_address *address,
                                          uint64_t now);

/* The question was sent at `now`, or could not be and is answered by nobody. */
void gateway_probe_asked(struct gateway_probes *probes, const struct ip_address *address, uint64_t now);

/*
 * The answer came at `now`: `holder`, or zero for nobody; `random` is any number. Returns true when this holder is
 * news. An answer that nobody asked for changes nothing; *ret_is_expected says whether it was.
 */
bool gateway_probe_answered(struct gateway_probes *probes, const struct ip_address *address,
                            const struct mac_address *holder, uint64_t now, uint32_t random, bool *ret_is_expected);

/* Questions to an announcer that is no more are asked again. */
void gateway_probe_forget_questions(struct gateway_probes *probes);

/* When a verdict changes by time alone, or GATEWAY_PROBE_NEVER. */
uint64_t gateway_probe_next(const struct gateway_probes *probes);
