/*
 * Notices when somebody else changes our two tables (NAT-15).
 *
 * Called by netadmin.c inside anchord-netadmin; a socket of its own, joined to the kernel's nftables
 * notifications (that needs CAP_NET_ADMIN). Changes by the given port, our own, are dropped in the kernel.
 */
#pragma once

#include "common/cleanup.h"
#include "workers/netadmin/nft/nft_names.h"

#include <systemd/sd-event.h>

/* A burst, and what its first foreign message said, for the log; all empty when notifications were lost. */
struct nft_change {
    char table[32];
    char what[32];                    /* "rule added" */
    char object[64];                  /* the chain, set … concerned */
    char process[32];                 /* the committing process' name, as it calls itself */
    uint32_t process_id;              /* in the kernel's first PID namespace */
    uint32_t messages;                /* how many concerned our tables … */
    bool families[FAMILY_INDEX_MAX_]; /* … and which of the two */
};

struct nft_monitor;

/* Called from the event loop once per drained burst that touched our tables, or was lost in part. */
typedef void (*nft_monitor_handler)(const struct nft_change *change, void *userdata);

/* Opens the socket; before the sandbox is sealed. Returns 0 or a negative errno. */
int nft_monitor_new(sd_event *event, uint32_t own_port, nft_monitor_handler on_change, void *userdata,
                    struct nft_monitor **ret) __attribute__((warn_unused_result));
struct nft_monitor *nft_monitor_free(struct nft_monitor *monitor);
DEFINE_POINTER_CLEANUP(struct nft_monitor, (void)nft_monitor_free, nft_monitor_freep);

/* What others changed since it was put right last, and how often it was. */
struct nft_repairs {
    struct nft_change change;
    bool is_needed;
    uint64_t last;  /* CLOCK_MONOTONIC, microseconds; 0: never */
    uint32_t count; /* without those that only lost notifications called for */
};

/* Of several changes the first one is told of, and all are counted. */
void nft_repairs_want(struct nft_repairs *repairs, const struct nft_change *change);

/* Says and counts that all has been put right. */
void nft_repairs_note(struct nft_repairs *repairs);
