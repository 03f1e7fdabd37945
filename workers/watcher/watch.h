/*
 * The conversation with Docker: connect, list, follow events, poll, reconnect (DISC-1, DISC-2, DISC-6).
 *
 * Owned by watcher.c. Keeps the table of containers current; the cost of an event does not grow with the
 * number of containers: only those that a drained burst of events names are asked for again. While Docker is
 * away the table stays as it is. Runs without any privilege.
 */
#pragma once

#include "workers/docker/client.h"
#include "workers/watcher/attachment.h"
#include "workers/watcher/discovery.h"
#include "workers/watcher/path_survey.h"

struct watch_callbacks {
    /* Connected and listed once, or not any more. */
    void (*on_connected)(void *userdata, bool is_connected);
    /* The table is complete and may differ; `event_time` as in reconcile.h. */
    void (*on_changed)(void *userdata, uint64_t event_time);
    /* Once: a container in scope lives in another one's network namespace, or is to. */
    void (*on_dependent)(void *userdata);
    /* What the survey has found, or whether Docker can be read, may differ. */
    void (*on_surveyed)(void *userdata);
    void *userdata;
};

struct watch;

/*
 * Opens what needs files; talks to nobody before watch_connect(). `discovery` and `survey` must outlive it. Returns
 * 0, or a negative errno with *ret_reason (static storage) for people.
 */
int watch_new(sd_event *event, const struct message_configure_watcher *configuration, const struct docker_host *host,
              struct discovery *discovery, struct path_survey *survey, const struct watch_callbacks *callbacks,
              struct watch **ret) __attribute__((warn_unused_result));
struct watch *watch_free(struct watch *watch);
DEFINE_POINTER_CLEANUP(struct watch, (void)watch_free, watch_freep);

/* Of an attached project; before watch_start(). `attachment` must outlive it. */
void watch_set_attachment(struct watch *watch, struct attachment *attachment);
/* ANCHORD_ALLOW and ANCHORD_LIMIT (GUEST-5), before watch_start(); those that are set are owned from then on. */
void watch_take_guest_texts(struct watch *watch, char *texts[GUEST_TEXT_MAX_]);
/* Whether the kernel has no lists of sources (GUEST-1): findings say it. */
void watch_set_lacks_lists(struct watch *watch, bool lacks_lists);
/* Why netadmin refused the last state; empty: it took it. Findings say it. */
void watch_set_refusal(struct watch *watch, const char *reason);
/* The parent has other addresses (HOST-3); on_changed follows. */
void watch_set_parent(struct watch *watch, const struct ip_address *addresses, size_t count);

/*
 * Asks for Docker's version, which tells nothing that depends on our links, and takes the engine as long as all else
 * together: it runs two programs for it.
 */
void watch_connect(struct watch *watch);

/* Goes on behind that; later calls only let discovery and survey have another look (the links changed). */
void watch_start(struct watch *watch);

/* While Docker cannot be read. */
struct watch_absence {
    uint64_t since;     /* real time in nanoseconds; 0: it can */
    const char *reason; /* of the last failure */
    bool is_socket;     /* DOCKER_HOST is a unix socket */
};

struct watch_absence watch_absence(const struct watch *watch);

/* The containers in scope; NULL until they were listed once. */
struct container_table *watch_table(struct watch *watch);
