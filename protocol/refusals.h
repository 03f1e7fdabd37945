/*
 * Why a packet is refused, as far as it is counted (SEE-4): the label `reason` of anchord_refused_total, and what a
 * counter in the tables is named after.
 *
 * Counted by rules of anchord-netadmin (workers/netadmin/nft/nft_rules.c); no privilege to know them.
 */
#pragma once

enum refusal_reason {
    REFUSAL_CLOSED,    /* to a port of the project's address that nobody exposes (NAT-11) */
    REFUSAL_LIST,      /* not on the port's list (GUEST-1) */
    REFUSAL_LIMIT,     /* above the port's limit (GUEST-3) */
    REFUSAL_BAN,       /* from who is banned (GUEST-2) */
    REFUSAL_FORGED,    /* with a source that cannot come from there (WALL-1) */
    REFUSAL_STRAY,     /* of no connection that is open (WALL-4) */
    REFUSAL_ISOLATION, /* not to the project's address, and no way of ours (NAT-10) */
    REFUSAL_EGRESS,    /* out, without an address to leave with (NAT-8) */
    REFUSAL_MAX_,
};
