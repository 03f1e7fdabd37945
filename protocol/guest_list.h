/*
 * The lists and limits of one state as a value (GUEST-1, GUEST-3): in one order, nothing twice, nothing overlapping.
 *
 * Made by the watcher from labels (guest_label.h), checked and applied by anchord-netadmin. Pure; no privilege.
 */
#pragma once

#include "protocol/messages.h"

#include <stdbool.h>

/* Zero is empty. */
struct guest_list {
    struct wire_guest *items;
    size_t count;
    size_t capacity;
};

void guest_list_clear(struct guest_list *list);
/* Returns 0 or -ENOMEM. */
int guest_list_add(struct guest_list *list, const struct wire_guest *guest) __attribute__((warn_unused_result));
/* Appends all of `other`. Returns 0 or -ENOMEM. */
int guest_list_add_all(struct guest_list *list, const struct guest_list *other) __attribute__((warn_unused_result));
/* In the order of guest_compare(), each once. */
void guest_list_sort(struct guest_list *list);
bool guest_list_equal(const struct guest_list *a, const struct guest_list *b);

/* By kind, protocol, ports, then the rest: <0, 0, >0. */
int guest_compare(const struct wire_guest *a, const struct wire_guest *b);
struct ip_subnet guest_source(const struct wire_guest *guest);

/*
 * What the kernel takes: sorted, ports that are equal or apart, sources of the same ports that are apart, each beside
 * its ports, no more than the limits. Returns NULL, or the rule that is broken (static storage).
 */
const char *guest_list_check(const struct guest_list *list);

/* How many of a kind there are. */
size_t guest_list_count(const struct guest_list *list, enum guest_kind kind);

/* Whether the port has a list of sources (GUEST_PORTS), or a limit (GUEST_LIMIT). The list must be sorted, as below. */
bool guest_list_names(const struct guest_list *list, enum guest_kind kind, uint8_t protocol, uint16_t port);
bool guest_list_has(const struct guest_list *list, const struct wire_guest *guest);
/* Whether a list keeps this source from the port. */
bool guest_list_refuses(const struct guest_list *list, uint8_t protocol, uint16_t port,
                        const struct ip_address *source);
