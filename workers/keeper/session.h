/*
 * The keeper's conversation with Docker: connect, follow events, reconnect.
 *
 * Called by keeper.c and the repairs. Runs without any privilege.
 */
#pragma once

#include "workers/docker/client.h"

struct session_callbacks {
    /* Connected, and events follow from here on; everything may have changed. */
    void (*on_connected)(void *userdata);
    /* Not any more: every operation that ran is forgotten, without an answer. */
    void (*on_lost)(void *userdata);
    void (*on_event)(void *userdata, const struct docker_event *event);
    void *userdata;
};

struct session;

/* Opens what needs files and talks to nobody yet. Returns 0 or a negative errno. */
int session_new(sd_event *event, const struct docker_host *host, const char *docker_host,
                const struct session_callbacks *callbacks, struct session **ret) __attribute__((warn_unused_result));
struct session *session_free(struct session *session);
DEFINE_POINTER_CLEANUP(struct session, (void)session_free, session_freep);

/*
 * Before the start: events of containers with these labels alone (as docker_label_filter() writes them; they must
 * outlive the session) instead of everybody's, and of those of session_follow().
 */
void session_pin(struct session *session, const char *const *labels, size_t count);

void session_start(struct session *session);

/*
 * Follows these containers, too, at most DOCKER_FILTER_IDS_MAX, whatever labels they have. True: one is new, and what
 * happened to it before is not told. On failure on_lost comes.
 */
bool session_follow(struct session *session, const char *const *ids, size_t count);

bool session_is_among(const char *const *ids, size_t count, const char *id);

/* For questions and commands between on_connected and on_lost. */
struct docker_client *session_client(struct session *session);

/* An operation showed that the connection is none: on_lost comes now, on_connected later. */
void session_fail(struct session *session, const char *text);

/* The end of any operation. False: it was no answer but the end of the connection, and on_lost has come. */
bool session_check_answer(struct session *session, int error, const char *text) __attribute__((warn_unused_result));

/* `result` of putting a question. One that could not even be put counts as a lost connection: on_lost comes now. */
void session_check_sent(struct session *session, int result);
