/*
 * Addresses that somebody else on the LAN has, as the kernel's duplicate address detection found (ADDR-13, RFC 4862
 * §5.4).
 *
 * Owned by network.c inside anchord-netadmin; no privilege. An autoconfigured address is removed by the kernel without
 * a word, and made anew with each advertisement: it is remembered until it can be used. The kernel does not say who has
 * it: network.c asks the announcer about each new one.
 */
#pragma once

#include "workers/netadmin/plan/address_plan.h"

/* An address that another host has. */
struct duplicate {
    struct ip_address address;
    struct mac_address holder; /* zero: not known */
};

struct duplicates {
    struct duplicate items[LINK_ADDRESSES_MAX]; /* the newest last */
    size_t count;
};

/* Somebody else has `address`, which the kernel has removed or does not use. Returns whether it is new. */
bool duplicates_note(struct duplicates *duplicates, const struct ip_address *address);

/* The announcer's answer about any address: who has a duplicate. */
void duplicates_note_holder(struct duplicates *duplicates, const struct message_probed *answer);

/* The announcer's word about an address that we use: somebody else has it, too, or nobody any more. */
void duplicates_follow(struct duplicates *duplicates, const struct message_probed *said);

/* Those that are not among the `count` addresses of `held` are no matter of ours any more. */
void duplicates_keep_held(struct duplicates *duplicates, const struct wire_held *held, size_t count);

/* What somebody else has is no problem any more once the server does not give it. */
void duplicates_forget_given_up(struct duplicates *duplicates, const struct known_lease *before,
                                const struct known_lease *after);

/* By the last reading, those that can be used now are nobody else's any more. */
void duplicates_forget_usable(struct duplicates *duplicates, const struct network_link *link);
