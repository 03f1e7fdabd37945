/*
 * What the three parts of the conversation with Docker share; see watch.h. Nobody else includes it.
 *
 * watch.c connects, keeps the timers and decides which question comes next; watch_scope.c keeps the table of the
 * containers in scope, by lists and events; watch_questions.c asks for discovery and survey. Runs without any
 * privilege.
 */
#pragma once

#include "common/clock.h"
#include "workers/watcher/changes.h"
#include "workers/watcher/namespace_owners.h"
#include "workers/watcher/watch.h"

/* Containers about which something was logged already. */
#define SAID_MAX 32

struct said {
    char ids[SAID_MAX][DOCKER_ID_SIZE];
    size_t next;
};

enum request {
    REQUEST_NONE,
    REQUEST_CONNECT,
    REQUEST_LIST_ALL,     /* every running container: who are we? */
    REQUEST_LIST_SCOPE,   /* every container in scope */
    REQUEST_LIST_CHANGED, /* those that events named */
    REQUEST_LIST_OWNERS,  /* those whose namespace others have joined */
    REQUEST_SEARCH,       /* who is on one of our networks: such an owner that is not in scope? */
    REQUEST_INSPECTION,   /* of one of which the list of the scope does not tell enough */
    REQUEST_NETWORK,
    REQUEST_SURVEY, /* do replies come back? */
    REQUEST_ATTACHMENT,
};

#define FOLLOWED_NETWORKS_MAX DOCKER_FILTER_IDS_MAX

/*
 * The events of networks, our own and those of the backends, are a stream of their own: Docker compares the labels of
 * the scope with the network's. It tells who of those that we know comes and goes there.
 */
struct network_events {
    struct watch *watch;
    char ids[FOLLOWED_NETWORKS_MAX][DOCKER_ID_SIZE];
    size_t count; /* 0: it is not followed */
};

struct watch {
    sd_event *event;
    struct message_configure_watcher configuration;
    struct discovery *discovery;
    struct path_survey *survey;
    struct attachment *attachment; /* NULL in a network-anchor */
    struct watch_callbacks callbacks;
    struct docker_client *client;
    struct container_table table;
    struct namespace_owners owners;
    struct label_selector selector; /* count 0: the project decides */
    struct docker_label_names labels;
    char *scope_filters[LABEL_SELECTOR_PAIRS_MAX]; /* as Docker's list takes them: `key=value`, or `key` */
    size_t scope_filter_count;
    bool is_started;
    bool has_version;  /* the API version is known */
    bool is_connected; /* likewise, and it was started: requests may be sent */
    bool is_complete;  /* the scope was listed since */
    bool has_listed;   /* the scope was listed once since we run */
    bool must_list;
    bool has_dependent;   /* somebody in scope joins another's namespace: the owner knows */
    enum request request; /* under way */
    uint64_t connected_at;
    uint64_t backoff;
    sd_event_source *step_source; /* defers what must not happen inside the client's handlers */
    sd_event_source *backoff_source;
    sd_event_source *poll_source;
    sd_event_source *round_source;
    sd_event_source *claim_source;  /* by then our gateways are claimed */
    sd_event_source *look_source;   /* the ways back are looked at after a change */
    sd_event_source *survey_source; /* a question of the survey is due */
    sd_event_source *check_source;  /* the next container of `changes` is due */
    struct changes changes;
    struct change asked[DOCKER_FILTER_IDS_MAX]; /* under way */
    size_t asked_count;
    struct network_events network_events;
    struct docker_network searched; /* of REQUEST_SEARCH */
    char searched_id[DOCKER_ID_SIZE];
    size_t search_place;                 /* among our networks */
    struct docker_inspection inspection; /* of REQUEST_INSPECTION, under way */
    char inspected_id[DOCKER_ID_SIZE];
    struct said odd;
    struct said misspelt;
    struct said not_inspected;
    char last_failure[256];
    uint64_t away_since; /* real time; 0 while Docker can be read */
};

/* watch.c: what an answer leads to. */

/* Lets the next question go, from the event loop. */
void watch_schedule_step(struct watch *watch);
void watch_set_timer(sd_event_source *source, uint64_t delay);
void watch_set_timer_at(sd_event_source *source, uint64_t time);
/* Docker is away or talks nonsense: tries again later, with what we know kept. */
void watch_reconnect_later(struct watch *watch, const char *text);
/* The scope is known, or not any more: tells the owner. */
void watch_set_complete(struct watch *watch, bool is_complete);
/* What a proxy denies, what has gone and what is odd are answers, too: the connection is fine. */
bool watch_is_answer(int error);
/* True when the answer can be used; otherwise the connection is given up. */
bool watch_accept_answer(struct watch *watch, int error, const char *text);
void watch_advance_discovery(struct watch *watch, bool is_round);
void watch_look_at_paths(struct watch *watch);
/* After everything else: nothing waits for it. */
void watch_schedule_look_at_paths(struct watch *watch);

/* Follows the events of networks when there are more than before, and lists again. Returns 0 or a negative errno. */
int watch_follow_networks(struct watch *watch) __attribute__((warn_unused_result));
/* One of those that are followed: our own, and what is attached; NULL behind the last. */
const char *watch_network_at(const struct watch *watch, size_t place);
/* Podman filters events otherwise, and lists need more (docs/engines.md): it is asked for everybody. */
bool watch_is_scoped(const struct watch *watch);

/* watch_scope.c */

/* Takes the configuration. Returns 0 or a negative errno. */
int watch_scope_initialise(struct watch *watch) __attribute__((warn_unused_result));
void watch_scope_release(struct watch *watch);
void watch_scope_on_event(void *userdata, const struct docker_event *event);
/* Asks for everybody in scope. Returns 0 or a negative errno. */
int watch_scope_list(struct watch *watch) __attribute__((warn_unused_result));
/* Takes the changed containers that are due; sets the timer for the others when none is. */
bool watch_scope_take_changes(struct watch *watch);
/* Asks for owners of namespaces that are not known yet; *ret_is_asking says whether there is one. */
int watch_scope_list_owners(struct watch *watch, bool *ret_is_asking) __attribute__((warn_unused_result));
/* Asks who is on one of our networks, in search of owners that are not in scope; likewise. */
int watch_scope_search_owners(struct watch *watch, bool *ret_is_asking) __attribute__((warn_unused_result));
/* Asks about a container of which the scope's list does not tell enough; *ret_is_asking says whether there is one. */
int watch_scope_inspect(struct watch *watch, bool *ret_is_asking) __attribute__((warn_unused_result));
/* Asks for those that were taken. */
int watch_scope_list_changed(struct watch *watch) __attribute__((warn_unused_result));

/* watch_questions.c: each returns 0 or a negative errno. */

int watch_ask_for_everybody(struct watch *watch) __attribute__((warn_unused_result));
int watch_ask_for_network(struct watch *watch, const char *network_id, struct docker_network *record)
    __attribute__((warn_unused_result));
int watch_ask_for_survey(struct watch *watch) __attribute__((warn_unused_result));
/* *ret_is_asking says whether there was a question. */
int watch_ask_for_attachment(struct watch *watch, bool *ret_is_asking) __attribute__((warn_unused_result));
