/*
 * Who waits for counters to be read (SEE-4): netadmin reads them when somebody asks, and never otherwise.
 *
 * Used by control.c and bus_object.c in anchord-control, without any privilege. Who asks is answered when netadmin has
 * told what it read, or some time later anyway, with what was told before.
 */
#pragma once

#include "protocol/channel.h"

#include <systemd/sd-bus.h>

struct counter_readers;

/* `netadmin` is where its channel stands, NULL while there is none. Returns 0 or a negative errno. */
int counter_readers_new(sd_event *event, struct channel *const *netadmin, struct counter_readers **ret)
    __attribute__((warn_unused_result));
struct counter_readers *counter_readers_free(struct counter_readers *readers);

/* The call is answered later, or at once where nobody counts. Returns 1, or a negative errno. */
int counter_readers_add(struct counter_readers *readers, sd_bus_message *call);

/* Answers all of them. */
void counter_readers_answer(struct counter_readers *readers);
