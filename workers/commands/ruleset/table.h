/*
 * One of our tables as the kernel holds it: asked for in full, kept as libnftnl's objects.
 *
 * Used by main.c and table_text.c in anchord-ruleset, which may read nftables (CAP_NET_ADMIN) and never writes.
 */
#pragma once

#include "common/cleanup.h"

#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/object.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <stdbool.h>
#include <stdint.h>

struct table {
    uint8_t nfproto; /* NFPROTO_IPV4, NFPROTO_IPV6 */
    const char *family;
    const char *name;
    bool exists;
    uint32_t flags;
    struct nftnl_set_list *sets; /* with their elements */
    struct nftnl_chain_list *chains;
    struct nftnl_rule_list *rules;
    struct nftnl_obj_list *counters;
    size_t other_objects; /* quotas, flowtables …: not ours */
};

/*
 * Reads the table that `ret` names; the caller clears it, also after a failure. A table that is not there is no error.
 * Returns 0 or a negative errno; -EINTR when somebody changed it meanwhile: clear it and read again.
 */
int table_read(struct mnl_socket *socket, struct table *ret) __attribute__((warn_unused_result));
void table_clear(struct table *table);

/* The messages of a dump of `type` (NFT_MSG_GET…) of `nfproto`, all families with NFPROTO_UNSPEC, each to `on_message`,
 * which returns MNL_CB_OK or MNL_CB_ERROR with errno. Returns as table_read(). */
int table_dump(struct mnl_socket *socket, uint8_t nfproto, uint16_t type, mnl_cb_t on_message, void *userdata)
    __attribute__((warn_unused_result));
