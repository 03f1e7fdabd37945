/*
 * The Docker API as anchord uses it, read only, on the event loop (DESIGN §2, §3).
 *
 * Called by watcher, keeper and `anchord doctor`; what writes is the keeper's alone (workers/keeper/command.h). Talks
 * to Docker, to the gate or to a socket proxy before it; runs without any privilege. Nothing blocks, nothing is logged
 * here; each failure comes with the operation, its object and the reason in one text. Everything that opens files
 * happens in docker_client_new(), so the caller may seal itself afterwards.
 */
#pragma once

#include "workers/docker/host.h"
#include "workers/docker/records.h"

#include <systemd/sd-event.h>

/* IDs in one filtered list: about 4.6 kB of URL; haproxy, the usual socket proxy, takes 16 kB of request. */
#define DOCKER_FILTER_IDS_MAX 64

struct docker_client;

/* An operation is over: `error` is 0 or a negative errno, `text` tells what failed (valid during the call). */
typedef void (*docker_done_handler)(void *userdata, int error, const char *text);

int docker_client_new(sd_event *event, const struct docker_host *host, struct docker_client **ret)
    __attribute__((warn_unused_result));
struct docker_client *docker_client_free(struct docker_client *client);
DEFINE_POINTER_CLEANUP(struct docker_client, (void)docker_client_free, docker_client_freep);

/*
 * Resolves the host name, asks GET /version, chooses the API version. Cancels whatever ran before. Everything else
 * needs that this has succeeded once. Returns 0 (on_done will come) or a negative errno.
 */
int docker_client_connect(struct docker_client *client, docker_done_handler on_done, void *userdata)
    __attribute__((warn_unused_result));

/* Cancels every operation; no handler comes any more. */
void docker_client_disconnect(struct docker_client *client);

/* The same of those with this `userdata`. */
void docker_client_cancel(struct docker_client *client, const void *userdata);

/* Of the engine that answered last; all zero before. */
const struct docker_version *docker_client_version(const struct docker_client *client);

/* Which containers: all running ones, those with certain labels, certain IDs, on a certain network. */
struct docker_container_query {
    const char *const *labels; /* `key` or `key=value`; all must match */
    size_t label_count;
    const char *const *ids; /* any may match; at most DOCKER_FILTER_IDS_MAX */
    size_t id_count;
    const char *health;  /* `healthy`: of the state of their health check; NULL: any */
    const char *network; /* attached to it, or to be so when they run: its name or ID; NULL: all */
    bool in_any_state;   /* also those that do not run */
};

/*
 * A label as such a query takes it, to be freed by the caller; NULL without memory. Docker's filter `key=value` is
 * exact, but not every engine takes an empty value for one that is to be empty: then it is the key alone, and the
 * caller compares what comes.
 */
char *docker_label_filter(const char *key, const char *value) __attribute__((warn_unused_result));

struct docker_container_handlers {
    docker_container_handler on_container;
    docker_odd_handler on_odd;
    docker_done_handler on_done;
    void *userdata;
};

/* GET /containers/json. Handlers are called while the answer streams in, on_done last. */
int docker_client_list(struct docker_client *client, const struct docker_container_query *query,
                       const struct docker_label_names *labels, const struct docker_container_handlers *handlers)
    __attribute__((warn_unused_result));

/*
 * GET /networks/ID into `network`, which must live until on_done and counts only when `error` is 0. `on_attached`,
 * which may be NULL, is called for each running container that is attached, while the answer streams in.
 */
int docker_client_inspect_network(struct docker_client *client, const char *id, struct docker_network *network,
                                  docker_attached_handler on_attached, docker_done_handler on_done, void *userdata)
    __attribute__((warn_unused_result));

/* GET /networks of those with all of these labels (struct docker_container_query): `on_id` for each. */
int docker_client_list_networks(struct docker_client *client, const char *const *labels, size_t label_count,
                                docker_id_handler on_id, docker_done_handler on_done, void *userdata)
    __attribute__((warn_unused_result));

/* GET /containers/ID/json into `inspection`; the rest as above. */
int docker_client_inspect_container(struct docker_client *client, const char *id, struct docker_inspection *inspection,
                                    docker_done_handler on_done, void *userdata) __attribute__((warn_unused_result));

/*
 * GET /containers/ID/json, whole: what it holds that we do not know is kept, too (LIFE-7). `id` may be a name. The
 * document must live until on_done, counts only when `error` is 0, and is released by the caller. It holds other
 * people's secrets: none of it is logged (SPEC §10).
 */
int docker_client_inspect_whole(struct docker_client *client, const char *id, struct docker_document *document,
                                docker_done_handler on_done, void *userdata) __attribute__((warn_unused_result));

/* GET /networks/REFERENCE, whole, as docker_client_inspect_whole(). */
int docker_client_inspect_network_whole(struct docker_client *client, const char *reference,
                                        struct docker_document *document, docker_done_handler on_done, void *userdata)
    __attribute__((warn_unused_result));

/* GET /info, whole: what the engine is, and how it was set up. */
int docker_client_inspect_engine(struct docker_client *client, struct docker_document *document,
                                 docker_done_handler on_done, void *userdata) __attribute__((warn_unused_result));

/*
 * Which events: of containers with certain labels, of certain containers or networks, or of everybody. Docker compares
 * labels with those of whatever an event is of, and everything must match, so that whoever wants two kinds follows two
 * streams.
 */
struct docker_event_query {
    uint64_t since;                          /* nanoseconds since 1970 */
    const struct docker_label_names *labels; /* to read of containers */
    enum docker_event_type type;             /* DOCKER_EVENT_OTHER: of containers and networks */
    const char *const *filters;              /* as in struct docker_container_query */
    size_t filter_count;
    const char *const *networks; /* their IDs; none: all */
    size_t network_count;
    const char *const *containers; /* their IDs; none: all */
    size_t container_count;
};

/* GET /events. on_done comes when the stream ends, also with error 0. */
int docker_client_follow_events(struct docker_client *client, const struct docker_event_query *query,
                                docker_event_handler on_event, docker_done_handler on_done, void *userdata)
    __attribute__((warn_unused_result));
