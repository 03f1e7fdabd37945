/*
 * What the life of every worker has in common: how it begins, how it hears of its supervisor, how it ends.
 *
 * Called by the workers' main() and constructors; runs with the worker's own rights, needs no privilege.
 */
#pragma once

#include "protocol/channel.h"
#include "protocol/supervised_start.h"

/*
 * The whole main() of a worker: names it in the log, enters the sandbox with exactly `capabilities` (1 << CAP_…),
 * blocks what would end it by signal, makes an event loop that works behind the seal and calls `run`, which returns an
 * enum exit_status. A missing capability ends it with EXIT_STATUS_CONFIGURATION and `remedy` in the log; NULL: there is
 * none to miss. Returns the exit status of the process.
 */
int supervised_main(const char *name, uint64_t capabilities, const char *remedy, int (*run)(sd_event *event));

/* As channel_message_handler, for what is left to the worker; it owns `descriptor`. */
typedef void (*supervised_message_handler)(const struct message_header *message, int descriptor, void *userdata);

/*
 * Makes the channel to the supervisor on SUPERVISOR_DESCRIPTOR. PING is answered and a METRICS_PAGE taken here;
 * everything else goes to `on_message`. The end of the connection without a STOP is the supervisor's crash: it ends the
 * event loop, and what the kernel holds stays for a successor (NAT-14, SA-4). Returns 0 or a negative errno; call it
 * once.
 */
int supervised_join(sd_event *event, enum message_direction receives, supervised_message_handler on_message,
                    void *userdata, struct channel **ret) __attribute__((warn_unused_result));

/* As channel_refuse(), on the channel to the supervisor: the default of a supervised_message_handler. */
void supervised_refuse(const struct message_header *message, int descriptor);

/* Runs the loop to its end, logging when it fails. Returns an enum exit_status. */
int supervised_loop(sd_event *event);
