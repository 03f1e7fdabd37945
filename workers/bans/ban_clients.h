/*
 * Who is connected to the ban sockets: `anchord ban`, typed by root or run by fail2ban and the like.
 *
 * Owned by bans.c inside anchord-bans, no privilege. The mode of each socket says who may connect, and nobody can do
 * more here than ban.
 */
#pragma once

#include "protocol/channel.h"

struct ban_clients;
struct ban_client;

/* A request that passed the protocol's gate; answered by ban_client_send(), or later by ban_clients_answer(). */
typedef void (*ban_request_handler)(struct ban_client *client, const struct message_ban_request *request,
                                    void *userdata);

int ban_clients_new(sd_event *event, ban_request_handler on_request, void *userdata, struct ban_clients **ret)
    __attribute__((warn_unused_result));
struct ban_clients *ban_clients_free(struct ban_clients *clients);
DEFINE_POINTER_CLEANUP(struct ban_clients, (void)ban_clients_free, ban_clients_freep);

/* Accepts on this socket, too, and owns it; whether nobody but root may open it. Returns 0 or a negative errno. */
int ban_clients_listen(struct ban_clients *clients, int listener, bool is_roots) __attribute__((warn_unused_result));

/* Whether it came by root's socket. */
bool ban_client_is_root(const struct ban_client *client);

void ban_client_send(struct ban_client *client, const struct message_header *message);

/* Answered when `generation` has been applied: until ban_clients_set_generation() that is not known. */
void ban_client_defer(struct ban_client *client, uint32_t count);
void ban_clients_set_generation(struct ban_clients *clients, uint64_t generation);
/* Those whose generation has come, with what came of it. */
void ban_clients_answer(struct ban_clients *clients, uint64_t generation, bool is_lasting, int error,
                        const char *reason);
