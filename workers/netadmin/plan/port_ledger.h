/*
 * What went through each exposed port, as it is told (SEE-4): never less than before.
 *
 * The kernel counts in the elements of the maps (new flows) and of the sets `traffic_…` (packets and bytes), which go
 * and come with exposures. A series is one port or range, as it was exposed, over both families; what the elements that
 * went had counted is carried over to the next one of the series. Used by the ruleset half of anchord-netadmin. Pure.
 */
#pragma once

#include "protocol/messages.h"
#include "workers/netadmin/plan/map_difference.h"
#include "workers/netadmin/plan/packet_count.h"
#include "workers/netadmin/plan/port_ranges.h"

enum port_counter {
    PORT_FLOWS,   /* of the maps' elements: `packets` are new flows */
    PORT_TRAFFIC, /* of those of traffic_tcp and traffic_udp, both directions */
    PORT_COUNTER_MAX_,
};

/* What one element has counted. */
struct port_value {
    struct packet_count count;
    uint16_t port;
    uint8_t map; /* its place in map_state.all */
    uint8_t counter;
};

/* Sorted by port_values_sort(). */
struct port_values {
    struct port_value *items;
    size_t count;
    size_t capacity;
};

void port_values_clear(struct port_values *values);
DEFINE_POINTER_CLEANUP(struct port_values, port_values_clear, port_values_clearp);
/* What has counted nothing is left out. Returns 0 or -ENOMEM. */
int port_values_add(struct port_values *values, const struct port_value *value) __attribute__((warn_unused_result));
int port_values_add_all(struct port_values *values, const struct port_values *others)
    __attribute__((warn_unused_result));
void port_values_sort(struct port_values *values);
/* NULL: nothing. */
const struct packet_count *port_values_find(const struct port_values *values, enum port_counter counter, size_t map,
                                            uint16_t port);

struct port_series {
    struct port_range range;
    bool is_exposed;
    uint8_t is_used; /* bits of enum port_counter: its `retired` goes with the transaction in the making */
    struct packet_count told[PORT_COUNTER_MAX_];
    struct packet_count retired[PORT_COUNTER_MAX_]; /* of `told`, what no element has */
    struct packet_count read[PORT_COUNTER_MAX_];    /* what the elements have, during a reading */
};

/* Zero is empty. Sorted by protocol and first port; what is not exposed any more stays for its return. */
struct port_ledger {
    struct port_series *series;
    size_t count;
};

void port_ledger_clear(struct port_ledger *ledger);

/* Before a transaction: opens what is not there yet, as many as COUNTED_PORTS_MAX. Returns 0 or -ENOMEM. */
int port_ledger_open(struct port_ledger *ledger, const struct port_ranges *ranges) __attribute__((warn_unused_result));
/* A series of before this process, with what was told of it. */
int port_ledger_restore(struct port_ledger *ledger, const struct port_range *range,
                        const struct packet_count told[PORT_COUNTER_MAX_]) __attribute__((warn_unused_result));

/* `values` is all that the kernel has: what was told and is not among it is carried by the next elements. */
void port_ledger_settle(struct port_ledger *ledger, const struct port_values *values);

/*
 * What the elements that a transaction adds begin with; `values` has what it removes has counted. *ret must be clear.
 * Returns 0 or -ENOMEM.
 */
int port_ledger_carry(struct port_ledger *ledger, const struct map_state_difference difference[PORT_COUNTER_MAX_],
                      const struct port_values *values, struct port_values *ret) __attribute__((warn_unused_result));
/* It was committed; `ranges` are what is exposed now, NULL: as before. */
void port_ledger_carried(struct port_ledger *ledger, const struct map_state_difference difference[PORT_COUNTER_MAX_],
                         const struct port_values *values, const struct port_ranges *ranges);

/* A reading of everything: begin, note each element, end. */
void port_ledger_begin(struct port_ledger *ledger);
void port_ledger_note(struct port_ledger *ledger, const struct port_value *value);
void port_ledger_end(struct port_ledger *ledger);
