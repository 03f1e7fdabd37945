/*
 * One dhcpcd: its process, its output, its restarts, its end. What its script says about leases arrives elsewhere
 * (lease_socket.h); this file knows nothing of them.
 *
 * Used by dhcp_family.c and dhcp_setbacks.c; runs in the supervisor, as root. Nothing here waits: all goes by the event
 * loop.
 *
 * The contract with dhcpcd (measured with 9.4.1 and 10.1): it runs as a user of its own that is in no passwd, so
 * that it stays one process; SIGALRM: release the lease and end; SIGTERM: end and keep it, also what the kernel sends
 * when we die; SIGHUP: ask the servers again; SIGUSR1: renew. It ends with 0 too when another dhcpcd has its interface,
 * so an end that nobody asked for is a failure whatever the status says.
 */
#pragma once

#include "common/cleanup.h"
#include "daemon/configuration/configuration.h"
#include "daemon/dhcp/dhcp_saying.h"

#include <systemd/sd-event.h>

struct dhcp_client;

struct dhcp_client_callbacks {
    void (*on_started)(struct dhcp_client *client, void *userdata);
    /* It is dead and reaped; unless it was stopped it is going to be started again. */
    void (*on_ended)(struct dhcp_client *client, bool has_released, void *userdata);
    void (*on_said)(struct dhcp_client *client, const struct dhcp_saying *saying, void *userdata);
    void *userdata;
};

/* `configuration` must outlive the client. Returns 0 or a negative errno. */
int dhcp_client_new(sd_event *event, const struct configuration *configuration, uint8_t family,
                    const struct dhcp_client_callbacks *callbacks, struct dhcp_client **ret)
    __attribute__((warn_unused_result));

/* Frees; kills the process if there is one. NULL is fine. Returns NULL. */
struct dhcp_client *dhcp_client_free(struct dhcp_client *client);
DEFINE_POINTER_CLEANUP(struct dhcp_client, (void)dhcp_client_free, dhcp_client_freep);

/* The interface to run on, or "": none. It is started, ended, or moved accordingly. */
void dhcp_client_set_interface(struct dhcp_client *client, const char *interface);

/* SIGUSR1 and SIGHUP. */
void dhcp_client_renew(struct dhcp_client *client);
void dhcp_client_ask_again(struct dhcp_client *client);

/*
 * Gives back what it holds, which nobody uses, and starts anew `delay` microseconds later with nothing in mind: it asks
 * whoever answers first, not the server of before. Without a process: at its next start, however soon that is.
 */
void dhcp_client_start_over(struct dhcp_client *client, uint64_t delay);

/* Ends it without a release, and starts it `delay` microseconds later: it asks whether its lease still counts. */
void dhcp_client_pause(struct dhcp_client *client, uint64_t delay);

/* A server that is not to be listened to from the next start on; none: all are. */
void dhcp_client_ignore_server(struct dhcp_client *client, const struct ip_address *server);

/* Ends it for good, with a release unless it `keeps_lease`; killed after `deadline` microseconds. on_ended follows if
 * it is running. */
void dhcp_client_end(struct dhcp_client *client, bool keeps_lease, uint64_t deadline);

/* At once; it is going to be started again. */
void dhcp_client_kill(struct dhcp_client *client);

bool dhcp_client_is_running(const struct dhcp_client *client);

/* What status shows of it. */
void dhcp_client_describe(const struct dhcp_client *client, struct wire_worker *ret);

/* The program, or NULL when it is not installed. */
const char *dhcp_client_program(void);
