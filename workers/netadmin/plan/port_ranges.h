/*
 * The ports as they were exposed, one by one or as ranges: what a series of metrics stands for (SEE-4).
 *
 * Used by the ruleset half of anchord-netadmin. Pure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct port_range {
    uint16_t first;
    uint16_t last;
    uint8_t protocol; /* PROTOCOL_INDEX_… */
};

struct port_ranges {
    struct port_range *items;
    size_t count;
    size_t capacity;
};

void port_ranges_clear(struct port_ranges *ranges);
/* Returns 0 or -ENOMEM. */
int port_ranges_add(struct port_ranges *ranges, const struct port_range *range) __attribute__((warn_unused_result));
int port_ranges_add_all(struct port_ranges *ranges, const struct port_ranges *others)
    __attribute__((warn_unused_result));
/* By protocol and first port, each once: both families have the same. */
void port_ranges_sort(struct port_ranges *ranges);
int port_range_compare(const void *a, const void *b);
