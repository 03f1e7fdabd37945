/*
 * The watcher's end of the channel to netadmin: links and incumbents come in, exposures go out.
 *
 * Owned by watcher.c, which makes a new one for each LINK from the supervisor. States are swapped whole at
 * their COMMIT (DESIGN §5). Runs without any privilege.
 */
#pragma once

#include "protocol/channel.h"
#include "protocol/guest_list.h"
#include "workers/watcher/links.h"

struct netadmin_peer;

struct netadmin_peer_callbacks {
    /* A complete report of links arrived. */
    void (*on_links)(void *userdata, const struct link_table *links);
    /* What the kernel's maps hold; valid during the call. Comes once per peer. */
    void (*on_map)(void *userdata, const struct wire_exposure *entries, size_t count);
    /* netadmin has dealt with a state; `event_time` is what was given with it. */
    void (*on_applied)(void *userdata, const struct message_applied *applied, uint64_t event_time);
    /* The connection is over; the peer may be freed. */
    void (*on_closed)(void *userdata, int error, const char *reason);
    void *userdata;
};

/* Takes `fd` over, also on failure. Returns 0 or a negative errno. */
int netadmin_peer_new(sd_event *event, int fd, const struct netadmin_peer_callbacks *callbacks,
                      struct netadmin_peer **ret) __attribute__((warn_unused_result));
struct netadmin_peer *netadmin_peer_free(struct netadmin_peer *peer);
DEFINE_POINTER_CLEANUP(struct netadmin_peer, (void)netadmin_peer_free, netadmin_peer_freep);

/*
 * Sends a complete desired state under `generation`, with the lists and limits. `event_time`: of the event that led to
 * it, in nanoseconds since 1970, or 0. Returns 0 or a negative errno; then on_closed follows.
 */
int netadmin_peer_send_exposures(struct netadmin_peer *peer, uint64_t generation, const struct wire_exposure *items,
                                 size_t count, const struct guest_list *guests, uint64_t event_time)
    __attribute__((warn_unused_result));
