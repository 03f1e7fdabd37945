/*
 * The host half's side of the meeting of attach (HOST-11): listens, and serves one identity half at a time.
 *
 * The socket is made by daemon/main.c before the supervisor is limited; used by attach_host.c, as root. Who is not root
 * is turned away.
 */
#pragma once

#include "common/cleanup.h"
#include "protocol/channel.h"

#include <systemd/sd-event.h>

/* Makes the directory and listens there in the place of a predecessor's. Returns 0, or a negative errno with *ret_path
 * naming what could not be made. */
int meeting_server_listen(const char *project, int *ret_listener, const char **ret_path)
    __attribute__((warn_unused_result));

/* The orderly end: the socket goes. */
void meeting_server_leave(const char *project);

struct meeting_server;

struct meeting_server_callbacks {
    void (*on_met)(void *userdata);    /* the first messages are to be sent */
    void (*on_parted)(void *userdata); /* the identity half has gone; not when a newer one took its place */
    /* `descriptor` is the handler's to close, or -1. */
    void (*on_message)(const struct message_header *message, int descriptor, void *userdata);
    void *userdata;
};

/* `listener` stays the caller's. Returns 0 or a negative errno. */
int meeting_server_new(sd_event *event, int listener, const struct meeting_server_callbacks *callbacks,
                       struct meeting_server **ret) __attribute__((warn_unused_result));
struct meeting_server *meeting_server_free(struct meeting_server *server);
DEFINE_POINTER_CLEANUP(struct meeting_server, (void)meeting_server_free, meeting_server_freep);

/* Does nothing while nobody is met. */
void meeting_server_send(struct meeting_server *server, const struct message_header *message);

/* As channel_refuse(). */
void meeting_server_refuse(struct meeting_server *server, const struct message_header *message, int descriptor);
