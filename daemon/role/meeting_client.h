/*
 * The identity half's side of the meeting with the host half of attach (HOST-11): connects, and again when it ends.
 *
 * Used by attach.c, as root. Only root can be on the other side: its credentials are looked at.
 */
#pragma once

#include "common/cleanup.h"
#include "protocol/channel.h"

#include <systemd/sd-event.h>

struct meeting_client;

struct meeting_client_callbacks {
    void (*on_message)(const struct message_header *message, void *userdata);
    void (*on_ended)(void *userdata); /* it is tried again by itself */
    void *userdata;
};

/* Tries from the event loop on. Returns 0 or a negative errno. */
int meeting_client_new(sd_event *event, const char *project, const struct meeting_client_callbacks *callbacks,
                       struct meeting_client **ret) __attribute__((warn_unused_result));
struct meeting_client *meeting_client_free(struct meeting_client *client);
DEFINE_POINTER_CLEANUP(struct meeting_client, (void)meeting_client_free, meeting_client_freep);

/* Does nothing while nobody is met. */
void meeting_client_send(struct meeting_client *client, const struct message_header *message, int descriptor);

/* As channel_refuse(): on_ended follows. */
void meeting_client_refuse(struct meeting_client *client, const struct message_header *message);
