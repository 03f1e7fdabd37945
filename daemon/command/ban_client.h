/*
 * The conversation of `anchord ban` with anchord-bans: one request, one answer.
 *
 * Used by ban_command.c, as whoever typed it. Waits, since nothing else is to be done meanwhile.
 */
#pragma once

#include "protocol/messages.h"

struct ban_client {
    int fd;
};

/* Connects to the socket at `path`; NULL: that of ANCHORD_BAN_SOCKET, else the one in the runtime directory. Returns 0,
 * or a negative errno: -ENOENT and -ECONNREFUSED when nothing runs here, -EACCES when others may. */
int ban_client_open(const char *path, struct ban_client *ret) __attribute__((warn_unused_result));
void ban_client_close(struct ban_client *client);

/* Returns 0 with the answer, or a negative errno: -ETIMEDOUT when none came, -EBADMSG when it makes no sense. */
int ban_client_ask(struct ban_client *client, const struct message_ban_request *request, struct message_ban_answer *ret)
    __attribute__((warn_unused_result));

typedef void (*ban_client_handler)(const struct wire_listed_ban *listed, void *userdata);

/* Hands each ban to the handler, by address. Returns as ban_client_ask(). */
int ban_client_list(struct ban_client *client, ban_client_handler on_ban, void *userdata)
    __attribute__((warn_unused_result));
