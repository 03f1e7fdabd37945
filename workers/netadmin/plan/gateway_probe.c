/* Claim, ask or wait; see gateway_probe.h. Pure; runs in anchord-netadmin and its tests. */
#include "workers/netadmin/plan/gateway_probe.h"

#include "common/time_units.h"

static struct gateway_probe *find(struct gateway_probes *probes, const struct ip_address *address)
{
    for (size_t i = 0; i < probes->count; i++) {
        if (ip_address_equal(&probes->items[i].address, address))
            return &probes->items[i];
    }
    return NULL;
}

enum gateway_verdict gateway_probe_decide(struct gateway_probes *probes, const struct ip_address *address, uint64_t now)
{
    const struct gateway_probe *probe = find(probes, address);

    if (!probe || probe->state == GATEWAY_PROBE_UNKNOWN)
        return GATEWAY_VERDICT_ASK;
    if (probe->state == GATEWAY_PROBE_FREE)
        return GATEWAY_VERDICT_CLAIM;
    if (now < probe->due)
        return GATEWAY_VERDICT_WAIT;
    return probe->state == GATEWAY_PROBE_ASKED ? GATEWAY_VERDICT_CLAIM : GATEWAY_VERDICT_ASK;
}

void gateway_probe_asked(struct gateway_probes *probes, const struct ip_address *address, uint64_t now)
{
    struct gateway_probe *probe = find(probes, address);

    if (!probe && probes->count < SUBNETS_MAX) {
        probe = &probes->items[probes->count++];
        *probe = (struct gateway_probe){.address = *address};
    }
    if (!probe)
        return;
    probe->state = GATEWAY_PROBE_ASKED;
    probe->due = now + GATEWAY_ANSWER_MILLISECONDS * MICROSECONDS_PER_MILLISECOND;
}

bool gateway_probe_answered(struct gateway_probes *probes, const struct ip_address *address,
                            const struct mac_address *holder, uint64_t now, uint32_t random, bool *ret_is_expected)
{
    struct gateway_probe *probe = find(probes, address);
    uint64_t retry = GATEWAY_RETRY_MILLISECONDS + random % GATEWAY_SPREAD_MILLISECONDS;
    bool is_news;

    *ret_is_expected = probe && probe->state == GATEWAY_PROBE_ASKED;
    if (!*ret_is_expected)
        return false;
    is_news = !mac_address_is_zero(holder) && !mac_address_equal(holder, &probe->holder);
    probe->holder = *holder;
    probe->state = mac_address_is_zero(holder) ? GATEWAY_PROBE_FREE : GATEWAY_PROBE_HELD;
    probe->due = now + retry * MICROSECONDS_PER_MILLISECOND;
    return is_news;
}

void gateway_probe_forget_questions(struct gateway_probes *probes)
{
    for (size_t i = 0; i < probes->count; i++) {
        if (probes->items[i].state == GATEWAY_PROBE_ASKED)
            probes->items[i].state = GATEWAY_PROBE_UNKNOWN;
    }
}

uint64_t gateway_probe_next(const struct gateway_probes *probes)
{
    uint64_t next = GATEWAY_PROBE_NEVER;

    for (size_t i = 0; i < probes->count; i++) {
        const struct gateway_probe *probe = &probes->items[i];
        bool waits = probe->state == GATEWAY_PROBE_ASKED || probe->state == GATEWAY_PROBE_HELD;

        if (waits && probe->due < next)
            next = probe->due;
    }
    return next;
}
