/*
 * The supervisor of an identity, one address on the LAN: what a network-anchor and the identity half of attach have in
 * common. It starts gate, watcher, netadmin, announcer, control, exporter and DHCP clients, and the one worker that the
 * role alone has, joins them, restarts them, stops them.
 *
 * Called by network_anchor.c and attach.c, as root with the capabilities of privileges.h. It reads nothing but our own
 * fixed-size messages.
 */
#pragma once

#include "daemon/configuration/configuration.h"
#include "daemon/role/gate_worker.h"
#include "daemon/role/raw_sockets.h"
#include "daemon/role/role.h"

enum identity_worker {
    IDENTITY_WATCHER,
    IDENTITY_NETADMIN,
    IDENTITY_ANNOUNCER,
    IDENTITY_GATE,
    IDENTITY_OWN,  /* the role's own: a network-anchor's keeper, way under attach */
    IDENTITY_BANS, /* from the first ban on */
    IDENTITY_WORKER_MAX_,
};

/* Opened before the supervisor was limited; all of it stays the caller's. */
struct identity_openings {
    const struct raw_sockets *raw_sockets;   /* without the one for ARP there is no announcer */
    const struct gate_sockets *gate_sockets; /* all -1 without a gate */
    const struct bans_openings *bans;
    int lease_listener; /* from dhcp_files_make(); -1: there is no DHCP */
};

/* In what a role differs. The functions get `userdata`. */
struct identity_role {
    enum anchor_role name;
    uint32_t conditions; /* enum readiness_condition: those that make it ready */
    enum stop_mode stop_mode;
    struct worker_definition own;
    enum link_peer own_peer;
    bool own_is_needed; /* it runs from the start on, changes the kernel, and is stopped by the stop mode */
    void (*write_watcher)(struct message_configure_watcher *message, void *userdata);
    void (*write_netadmin)(struct message_configure_netadmin *message, void *userdata);
    void (*configure_own)(struct worker *own, void *userdata);
    /* The worker has its configuration, and is joined to the others. */
    void (*on_started)(enum identity_worker which, void *userdata);
    /* One that means nothing to every identity. What the role does not know either, it refuses; NULL: all of them. */
    void (*on_watcher_message)(struct worker *watcher, const struct message_header *message, void *userdata);
    void (*on_netadmin_message)(struct worker *netadmin, const struct message_header *message, void *userdata);
    /* Each of them or NULL, as write_netadmin: after the DHCP clients have heard of it. */
    void (*on_link)(const struct message_external_link *link, void *userdata);
    void (*on_lease_answer)(const struct message_lease_applied *answer, void *userdata);
    void *userdata;
};

struct identity;

/*
 * Makes the workers; nothing is started. `configuration`, `openings` and `role` must outlive it. Returns 0 or a
 * negative errno; *step is what it did last.
 */
int identity_new(const struct configuration *configuration, const struct identity_openings *openings,
                 const struct identity_role *role, struct identity **ret, struct role_step *step)
    __attribute__((warn_unused_result));
struct identity *identity_free(struct identity *identity);
DEFINE_POINTER_CLEANUP(struct identity, (void)identity_free, identity_freep);

sd_event *identity_event(const struct identity *identity);
struct worker *identity_worker(const struct identity *identity, enum identity_worker which);
bool identity_is_stopping(const struct identity *identity);

/* control_worker_set_faults() */
void identity_set_faults(struct identity *identity, uint32_t faults, bool do_hold);

/* Lets people ask already: else they can when it is ready, or a moment after the watcher's first start. */
void identity_show(struct identity *identity);

/* Once: prepares DHCP clients, starts the workers. Returns EXIT_STATUS_CLEAN, or the status to end with, logged. */
int identity_start(struct identity *identity) __attribute__((warn_unused_result));

/* Starts the role's own worker, unless that was wanted before. */
void identity_want_own(struct identity *identity);

/* Ends in order, with this exit status; what it leaves, `mode` says. */
void identity_stop(struct identity *identity, enum stop_mode mode, int exit_status);

/* The loop to its end. Returns the exit status. */
int identity_run(struct identity *identity);
