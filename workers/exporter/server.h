/*
 * HTTP for metrics and health (SPEC §7, §8): libmicrohttpd on a listening socket that somebody else made.
 *
 * Owned by exporter.c in anchord-exporter, without any privilege. What clients send is parsed by libmicrohttpd alone
 * and compared with three paths. A client can hold one of SERVER_CONNECTIONS_MAX connections, no more than
 * SERVER_CONNECTIONS_PER_ADDRESS from one address, for SERVER_DEADLINE, however slowly it writes or reads.
 */
#pragma once

#include "common/cleanup.h"
#include "common/clock.h"
#include "workers/exporter/exposition.h"

#include <systemd/sd-event.h>

#define SERVER_CONNECTIONS_MAX         32
#define SERVER_CONNECTIONS_PER_ADDRESS 16
/* Of one connection; the request with its headers has to fit. */
#define SERVER_MEMORY   8192
#define SERVER_DEADLINE (10 * MICROSECONDS_PER_SECOND)

struct server;

/* Somebody reads metrics. */
typedef void (*server_metrics_handler)(void *userdata);

/*
 * Serves `view`, the caller's, on the listening socket `listener`, which it owns from now on. To be called before the
 * sandbox is sealed: it opens descriptors. Returns 0 or a negative errno; *ret is untouched on failure.
 */
int server_new(sd_event *event, int listener, struct metrics_view *view, server_metrics_handler on_metrics,
               void *userdata, struct server **ret) __attribute__((warn_unused_result));
struct server *server_free(struct server *server);
DEFINE_POINTER_CLEANUP(struct server, (void)server_free, server_freep);
