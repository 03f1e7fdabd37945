/* Tells of what the tables count; see counters_peer.h. Runs in anchord-netadmin. */
#include "workers/netadmin/counters_peer.h"

#include "common/clock.h"
#include "common/log.h"
#include "protocol/metrics.h"
#include "protocol/state_sender.h"

/* Of all time that reading takes at most. */
#define READING_SHARE 500

static const struct state_form form = {MESSAGE_COUNTERS_BEGIN, MESSAGE_COUNTERS_ITEMS, MESSAGE_COUNTERS_COMMIT,
                                       COUNTERS_PER_MESSAGE, sizeof(struct wire_counter)};

static struct metrics_port ports[COUNTED_PORTS_MAX]; /* one thread, never re-entered */
static struct wire_counter counters[REFUSAL_MAX_ + COUNTED_PORTS_MAX];

void counters_peer_restore(struct counters_peer *peer)
{
    size_t count = metrics_own_ports(ports);
    uint64_t refused[REFUSAL_MAX_];

    for (size_t i = 0; i < REFUSAL_MAX_; i++)
        refused[i] = metrics_own(METRIC_REFUSED, i);
    if (ruleset_restore_counters(peer->ruleset, ports, count, refused) < 0)
        log_error("what was counted before is not known", LOG_ERROR(-ENOMEM));
}

static size_t list_ports(const struct port_ledger *ledger)
{
    size_t count = 0;

    for (size_t i = 0; i < ledger->count; i++) {
        const struct port_series *series = &ledger->series[i];

        if (series->is_exposed)
            ports[count++] = (struct metrics_port){
                .first = series->range.first,
                .last = series->range.last,
                .protocol = series->range.protocol,
                .flows = series->told[PORT_FLOWS].packets,
                .packets = series->told[PORT_TRAFFIC].packets,
                .bytes = series->told[PORT_TRAFFIC].bytes,
            };
    }
    return count;
}

/* Whatever differs makes another number, but for what nobody can make. */
static uint64_t digest(uint64_t sum, uint64_t number)
{
    return (sum ^ number) * UINT64_C(0x100000001b3); /* FNV-1a's prime */
}

static uint64_t list_counters(const struct ruleset *ruleset, size_t port_count)
{
    uint64_t sum = port_count + 1;

    for (size_t i = 0; i < REFUSAL_MAX_; i++) {
        counters[i] =
            (struct wire_counter){.refusal = (uint8_t)i, .packets = ruleset_refused(ruleset, (enum refusal_reason)i)};
        sum = digest(sum, counters[i].packets);
    }
    for (size_t i = 0; i < port_count; i++) {
        counters[REFUSAL_MAX_ + i] = (struct wire_counter){
            .protocol = protocol_index_to_protocol(ports[i].protocol),
            .port_first = ports[i].first,
            .port_last = ports[i].last,
            .flows = ports[i].flows,
            .packets = ports[i].packets,
            .bytes = ports[i].bytes,
        };
        sum = digest(digest(sum, (uint64_t)ports[i].first << 16 | ports[i].last), ports[i].flows);
        sum = digest(digest(sum, ports[i].packets), ports[i].bytes);
    }
    return sum;
}

void counters_peer_tell(struct counters_peer *peer)
{
    size_t port_count = ruleset_lacks_counting(peer->ruleset) ? 0 : list_ports(ruleset_ledger(peer->ruleset));
    uint64_t sum = list_counters(peer->ruleset, port_count);

    metrics_set_ports(ports, port_count);
    for (size_t i = 0; i < REFUSAL_MAX_; i++)
        metrics_set(METRIC_REFUSED, i, counters[i].packets);
    if (!peer->control->channel || sum == peer->told)
        return;
    if (state_sender_send(peer->control->channel, &form, ++peer->generation, counters, REFUSAL_MAX_ + port_count) == 0)
        peer->told = sum;
}

void counters_peer_look(struct counters_peer *peer, bool is_control)
{
    uint64_t start = clock_monotonic_microseconds();

    if (start >= peer->next_reading) {
        ruleset_read_counters(peer->ruleset);
        peer->next_reading = clock_monotonic_microseconds();
        peer->next_reading += (peer->next_reading - start) * READING_SHARE;
    }
    if (is_control)
        peer->told = 0; /* it waits for an answer */
    counters_peer_tell(peer);
}

static void on_counters_wanted(void *userdata)
{
    counters_peer_look(userdata, true);
}

void counters_peer_prepare(struct counters_peer *peer, struct ruleset *ruleset, struct control_link *control)
{
    *peer = (struct counters_peer){.ruleset = ruleset, .control = control};
    control->on_counters_wanted = on_counters_wanted;
    control->userdata = peer;
}
