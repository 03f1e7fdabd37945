/*
 * What the kernel says of nftables sets and rules, read by libmnl where libnftnl 1.2 cannot be trusted with it.
 *
 * A shared room: linked by anchord-netadmin and by anchord-ruleset, both with CAP_NET_ADMIN, for their dumps. Pure; no
 * system call. Fuzzed by tests/fuzz/fuzz_nftables.c on behalf of both.
 */
#pragma once

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Points into the message; bytes NULL: none. */
struct set_value {
    const void *bytes;
    size_t length;
};

struct set_counter {
    bool is_there;
    uint64_t packets;
    uint64_t bytes;
};

struct set_element {
    uint32_t flags; /* NFT_SET_ELEM_…; linux/netfilter/nf_tables.h */
    struct set_value key;
    struct set_value key_end; /* of a range of concatenated keys */
    struct set_value data;
    struct set_counter counter;
};

/* libnftnl takes it for granted that each expression of a set or rule has a name (nftnl_expr_parse), and ends without.
 * Whether this is so in an NFT_MSG_NEWSET or NFT_MSG_NEWRULE: only then may it be parsed. */
bool set_reading_names_expressions(const struct nlmsghdr *set);
bool set_reading_names_rule_expressions(const struct nlmsghdr *rule);

/* Returns 0, or a negative errno, which ends the reading. */
typedef int (*set_reading_handler)(const struct set_element *element, void *userdata);

/* What an NFT_MSG_NEWOBJ of a counter says; none if it says nothing. Returns 0 or -EBADMSG. */
int set_reading_named_counter(const struct nlmsghdr *object, struct set_counter *ret)
    __attribute__((warn_unused_result));

/*
 * Hands each element of an NFT_MSG_NEWSETELEM to the handler, in order. Returns 0, -EBADMSG for what is no list of
 * elements, or the handler's errno. In place of nftnl_set_elems_nlmsg_parse(), which notes an element's attributes by
 * their type in a table of NFTA_SET_ELEM_MAX + 1, and takes types up to NFTA_SET_MAX, which is more: it writes beyond
 * the table (found by fuzzing).
 */
int set_reading_elements(const struct nlmsghdr *message, set_reading_handler on_element, void *userdata)
    __attribute__((warn_unused_result));
