/*
 * Fuzz target: who gets which port (workers/watcher/exposures), against a plain reference. The bytes are rounds of
 * containers with their claims. After each: every claimed port of every container has exactly one explanation (an
 * entry, a conflict that names the holder, over the limit), and who held a port keeps it (NAT-6).
 */
#include "tests/fuzz/target.h"
#include "workers/watcher/exposures.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define CONTAINERS_MAX 8
#define RANGES_MAX     6
#define ROUNDS_MAX     5
/* How many ports an input may claim, by its first byte: few, for speed, or enough for the limit of the maps. */
#define PORTS_FEW  512
#define PORTS_MANY 40000 /* MAP_ELEMENTS_MAX in two families, and some */

struct input {
    const uint8_t *bytes;
    size_t length;
    size_t ports_left;
};

struct state {
    char ids[CONTAINERS_MAX][2];
    struct expose_range ranges[CONTAINERS_MAX][RANGES_MAX];
    struct exposure_source sources[CONTAINERS_MAX]; /* of this round */
    size_t source_count;
    uint32_t before[PROTOCOL_INDEX_MAX_][UINT16_MAX + 1]; /* who held it after the last round; 0: nobody */
    uint32_t now[PROTOCOL_INDEX_MAX_][UINT16_MAX + 1];
    uint32_t elements[FAMILY_INDEX_MAX_][PROTOCOL_INDEX_MAX_][UINT16_MAX + 1]; /* serial of the backend */
    uint32_t refused_by[UINT16_MAX + 1];
    unsigned int port_end; /* behind the highest port that was ever claimed: what is beyond is zero everywhere */
};

static unsigned int take(struct input *input)
{
    if (input->length == 0)
        return 0;
    input->length--;
    return *input->bytes++;
}

static size_t index_of(uint8_t protocol)
{
    return protocol == IPPROTO_TCP ? PROTOCOL_INDEX_TCP : PROTOCOL_INDEX_UDP;
}

/* --- what the bytes say -------------------------------------------------------------------------------- */

/* Sorted and without overlaps, as a label's ranges are. */
static size_t take_ranges(struct input *input, struct expose_range ranges[RANGES_MAX])
{
    size_t wanted = take(input) % (RANGES_MAX + 1);
    unsigned int next[PROTOCOL_INDEX_MAX_] = {1, 1};
    uint8_t protocol = IPPROTO_TCP;
    size_t count = 0;

    while (count < wanted) {
        unsigned int shape = take(input);
        unsigned int first, length;

        if (shape & 1)
            protocol = IPPROTO_UDP;
        first = next[index_of(protocol)] + take(input);
        length = (shape & 0x0e) == 0x0e ? 256 * (1 + take(input)) : 1 + take(input) % 16;
        if (first + length - 1 > UINT16_MAX || length > input->ports_left)
            break;
        input->ports_left -= length;
        ranges[count++] = (struct expose_range){protocol, 0, (uint16_t)first, (uint16_t)(first + length - 1),
                                                (uint16_t)(1 + (shape >> 2) % (UINT16_MAX + 1 - length))};
        next[index_of(protocol)] = first + length;
    }
    return count;
}

static void clear_tables(struct state *state, bool with_before)
{
    for (size_t i = 0; i < PROTOCOL_INDEX_MAX_; i++) {
        memset(state->now[i], 0, state->port_end * sizeof(state->now[i][0]));
        if (with_before)
            memset(state->before[i], 0, state->port_end * sizeof(state->before[i][0]));
        for (size_t j = 0; j < FAMILY_INDEX_MAX_; j++)
            memset(state->elements[j][i], 0, state->port_end * sizeof(state->elements[j][i][0]));
    }
}

static void note_ports(struct state *state, const struct exposure_source *source)
{
    for (size_t i = 0; i < source->range_count; i++) {
        if (state->port_end <= source->ranges[i].port_last)
            state->port_end = source->ranges[i].port_last + 1U;
    }
}

static void take_round(struct input *input, struct state *state)
{
    unsigned int present = take(input);

    state->source_count = 0;
    for (size_t i = 0; i < CONTAINERS_MAX; i++) {
        struct exposure_source *source = &state->sources[state->source_count];
        unsigned int shape;

        if (!(present & 1U << i))
            continue;
        shape = take(input);
        state->ids[i][0] = (char)('a' + i);
        *source = (struct exposure_source){.serial = (uint32_t)i + 1, .created = shape >> 5, .id = state->ids[i]};
        if (!(shape & 1))
            source->address4 = (struct ip_address){.family = IP_FAMILY_4, .bytes = {172, 30, 0, (uint8_t)(i + 1)}};
        if (shape & 2)
            source->address6 = (struct ip_address){.family = IP_FAMILY_6, .bytes = {0xfd, [15] = (uint8_t)(i + 1)}};
        /* A label may change between rounds here, which is more than Docker does. */
        source->range_count = take_ranges(input, state->ranges[i]);
        source->ranges = state->ranges[i];
        note_ports(state, source);
        state->source_count++;
    }
}

/* --- what must hold ------------------------------------------------------------------------------------ */

static const struct exposure_source *find_backend(const struct state *state, const struct wire_exposure *item)
{
    for (size_t i = 0; i < state->source_count; i++) {
        const struct exposure_source *source = &state->sources[i];
        const struct ip_address *address = item->family == IP_FAMILY_4 ? &source->address4 : &source->address6;

        if (address->family == item->family &&
            memcmp(address->bytes, item->backend, ip_family_length(item->family)) == 0)
            return source;
    }
    abort();
}

static void check_item(const struct exposure_source *source, const struct wire_exposure *item)
{
    for (size_t i = 0; i < source->range_count; i++) {
        const struct expose_range *range = &source->ranges[i];

        if (range->protocol == item->protocol && range->port_first <= item->port_first &&
            range->port_last >= item->port_last &&
            item->backend_port_first - range->backend_port_first == item->port_first - range->port_first)
            return;
    }
    abort(); /* nobody asked for it */
}

/* Fills `elements` and `now`; no port twice, no more than the maps may hold. */
static void read_items(struct state *state, const struct exposure_result *result)
{
    size_t total = 0;

    clear_tables(state, false);
    for (size_t i = 0; i < result->item_count; i++) {
        const struct wire_exposure *item = &result->items[i];
        const struct exposure_source *source = find_backend(state, item);
        size_t family = item->family == IP_FAMILY_4 ? FAMILY_INDEX_4 : FAMILY_INDEX_6;
        size_t protocol = index_of(item->protocol);

        check_item(source, item);
        for (unsigned int port = item->port_first; port <= item->port_last; port++) {
            if (state->elements[family][protocol][port])
                abort();
            if (state->now[protocol][port] && state->now[protocol][port] != source->serial)
                abort(); /* one port, two containers in the two families */
            state->elements[family][protocol][port] = source->serial;
            state->now[protocol][port] = source->serial;
        }
        total += item->port_last - item->port_first + 1U;
    }
    if (total > MAP_ELEMENTS_MAX)
        abort();
}

static bool is_over_limit(const struct exposure_result *result, uint32_t serial)
{
    for (size_t i = 0; i < result->over_limit_count; i++) {
        if (result->over_limit[i] == serial)
            return true;
    }
    return false;
}

/* Fills `refused_by` for the ports of one range. */
static void read_conflicts(struct state *state, const struct exposure_result *result, uint32_t serial,
                           const struct expose_range *range)
{
    memset(&state->refused_by[range->port_first], 0,
           (range->port_last - range->port_first + 1U) * sizeof(*state->refused_by));
    for (size_t i = 0; i < result->conflict_count; i++) {
        const struct exposure_conflict *conflict = &result->conflicts[i];

        for (unsigned int port = conflict->port_first;
             conflict->refused == serial && conflict->protocol == range->protocol && port <= conflict->port_last;
             port++)
            state->refused_by[port] = conflict->holder;
    }
}

/* The reference: who held it and still claims it, else the oldest that claims it. Left out: those over the limit. */
static uint32_t expected_holder(const struct state *state, uint8_t protocol, unsigned int port)
{
    const struct exposure_source *best = NULL;

    for (size_t i = 0; i < state->source_count; i++) {
        const struct exposure_source *source = &state->sources[i];
        bool claims = false;

        for (size_t j = 0; j < source->range_count && (source->address4.family || source->address6.family); j++)
            claims = claims || (source->ranges[j].protocol == protocol && source->ranges[j].port_first <= port &&
                                source->ranges[j].port_last >= port);
        if (claims && source->serial == state->before[index_of(protocol)][port])
            return source->serial;
        if (claims && (!best || source->created < best->created))
            best = source; /* sources come in the order of their IDs */
    }
    return best ? best->serial : 0;
}

static void check_port(const struct state *state, const struct exposure_source *source, uint8_t protocol,
                       unsigned int port)
{
    size_t index = index_of(protocol);

    if (state->now[index][port] != source->serial) {
        if (state->refused_by[port] == 0 || state->refused_by[port] != state->now[index][port])
            abort();
        return;
    }
    if (state->refused_by[port] ||
        (source->address4.family && state->elements[FAMILY_INDEX_4][index][port] != source->serial) ||
        (source->address6.family && state->elements[FAMILY_INDEX_6][index][port] != source->serial))
        abort();
}

static void check_round(struct state *state, const struct exposure_result *result)
{
    read_items(state, result);
    for (size_t i = 0; i < state->source_count; i++) {
        const struct exposure_source *source = &state->sources[i];

        if (is_over_limit(result, source->serial) || (!source->address4.family && !source->address6.family))
            continue;
        for (size_t j = 0; j < source->range_count; j++) {
            const struct expose_range *range = &source->ranges[j];

            read_conflicts(state, result, source->serial, range);
            for (unsigned int port = range->port_first; port <= range->port_last; port++) {
                check_port(state, source, range->protocol, port);
                if (result->over_limit_count == 0 &&
                    state->now[index_of(range->protocol)][port] != expected_holder(state, range->protocol, port))
                    abort();
            }
        }
    }
    for (size_t i = 0; i < PROTOCOL_INDEX_MAX_; i++)
        memcpy(state->before[i], state->now[i], state->port_end * sizeof(state->now[i][0]));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static struct state state;
    struct input input = {bytes, length, PORTS_FEW};
    struct exposures *exposures = NULL;

    if (take(&input) % 64 == 63)
        input.ports_left = PORTS_MANY;
    if (exposures_new(&exposures) < 0)
        abort();
    for (unsigned int round = 0; round < ROUNDS_MAX && input.length > 0; round++) {
        struct exposure_result result;

        take_round(&input, &state);
        if (exposures_compute(exposures, state.sources, state.source_count, &result) < 0)
            abort();
        check_round(&state, &result);
    }
    (void)exposures_free(exposures);
    clear_tables(&state, true);
    state.port_end = 0;
    return 0;
}
