/*
 * The lease socket: where anchord-lease tells what dhcpcd told it (DESIGN §1).
 *
 * SOCK_SEQPACKET at $RUNTIME_DIRECTORY/lease.sock, 0600 and dhcpcd's user's own. One message per connection, checked by
 * protocol/validate.c like everything else; whoever connects may be anybody who is that user, so every limit is here:
 * how many at once, for how long, and no second message. Runs in the supervisor, as root.
 */
#pragma once

#include "common/cleanup.h"
#include "protocol/messages.h"

#include <sys/un.h>
#include <systemd/sd-event.h>

#define LEASE_SOCKET_NAME "lease.sock"

struct lease_socket;

/* A valid event; only valid during the call. Whether it fits to what was asked for is the receiver's to judge. */
typedef void (*lease_event_handler)(const struct message_lease_event *event, void *userdata);

int lease_socket_address(struct sockaddr_un *ret) __attribute__((warn_unused_result));

/*
 * Makes the listening socket, in the place of a predecessor's, and gives it to `owner`, for which it needs CAP_CHOWN
 * unless that is root. Returns 0 or a negative errno with *ret untouched.
 */
int lease_socket_listen(uid_t owner, int *ret) __attribute__((warn_unused_result));

/*
 * Accepts on `listener`, which stays the caller's, from processes of user `owner` alone. Returns 0 or a negative errno.
 */
int lease_socket_new(sd_event *event, int listener, uid_t owner, lease_event_handler on_event, void *userdata,
                     struct lease_socket **ret) __attribute__((warn_unused_result));

struct lease_socket *lease_socket_free(struct lease_socket *socket);
DEFINE_POINTER_CLEANUP(struct lease_socket, (void)lease_socket_free, lease_socket_freep);
