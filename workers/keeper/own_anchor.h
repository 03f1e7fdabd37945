/*
 * The network-anchor that the keeper belongs to, as Docker sees it at this moment: its image, and its addresses on the
 * shared network, which are what a managed service-anchor gets when nothing else is configured (LIFE-2).
 *
 * The topology that the supervisor pinned tells the network and the endpoint's MAC; the host name proves nothing
 * (ADDR-10). Under a holder those are the holder's, and we are the one running container that lives in its namespace:
 * the addresses are of the one, the image is of the other. Called by the repairs, one question at a time. Runs without
 * any privilege.
 */
#pragma once

#include "workers/keeper/inspection.h"
#include "workers/keeper/session.h"

#define IMAGE_REFERENCE_SIZE 512

struct own_anchor {
    char image[IMAGE_REFERENCE_SIZE]; /* as it was called when the container was created */
    char image_id[IMAGE_ID_SIZE];
    struct ip_address address4; /* of the two at least one */
    struct ip_address address6;
};

/* `anchor` is NULL when there is none, `text` says why; both are valid during the call. */
typedef void (*own_anchor_handler)(void *userdata, const struct own_anchor *anchor, const char *text);

struct own_anchor_search {
    struct session *session;
    bool is_held;            /* the endpoint is a holder's */
    char network[NAME_SIZE]; /* the shared one; empty: no topology is known yet */
    struct mac_address mac;  /* of the own endpoint on it */
    own_anchor_handler on_done;
    void *userdata;
    char endpoint_id[DOCKER_ID_SIZE]; /* of the container with that endpoint; empty: not found */
    char id[DOCKER_ID_SIZE];          /* ours; empty: not found */
    bool is_ambiguous;                /* several live in the holder's namespace */
    struct own_anchor found;
    struct inspection container;
};

void own_anchor_set_topology(struct own_anchor_search *search, const struct message_topology *topology);

bool own_anchor_can_be_asked(const struct own_anchor_search *search);

/* on_done will come, or the connection is lost. */
void own_anchor_ask(struct own_anchor_search *search, own_anchor_handler on_done, void *userdata);

/* The connection has gone, and with it every answer. */
void own_anchor_release(struct own_anchor_search *search);
