/* The conversation with Docker; see watch.h. Runs without any privilege. */
#include "workers/watcher/watch.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"
#include "protocol/metrics.h"
#include "workers/watcher/changes.h"

#include <stdio.h>
#include <string.h>

/* Reconnecting: no busy loop, but an engine that restarts is found soon. */
#define BACKOFF_FIRST_MICROSECONDS (100 * MICROSECONDS_PER_MILLISECOND)
#define BACKOFF_MAX_MICROSECONDS   (5 * MICROSECONDS_PER_SECOND)
/* A connection that lived this long ends the backoff. */
#define STABLE_MICROSECONDS (10 * MICROSECONDS_PER_SECOND)
/* Discovery's rounds while something is missing (ADDR-9, DISC-4). */
#define ROUND_MICROSECONDS MICROSECONDS_PER_SECOND
/* Odd containers that were logged already. */
#define ODD_MAX 32

enum request {
    REQUEST_NONE,
    REQUEST_CONNECT,
    REQUEST_LIST_ALL,     /* every running container: who are we? */
    REQUEST_LIST_SCOPE,   /* every container in scope */
    REQUEST_LIST_CHANGED, /* those that events named */
    REQUEST_NETWORK,
    REQUEST_SURVEY, /* do replies come back? */
};

struct watch {
    sd_event *event;
    struct message_configure_watcher configuration;
    struct discovery *discovery;
    struct path_survey *survey;
    struct watch_callbacks callbacks;
    struct docker_client *client;
    struct container_table table;
    char project_label[sizeof("com.docker.compose.project=") + NAME_SIZE];
    bool is_started;
    bool is_connected; /* the API version is known; requests may be sent */
    bool is_complete;  /* the scope was listed since */
    bool has_listed;   /* the scope was listed once since we run */
    bool must_list;
    enum request request; /* under way */
    uint64_t connected_at;
    uint64_t backoff;
    sd_event_source *step_source; /* defers what must not happen inside the client's handlers */
    sd_event_source *backoff_source;
    sd_event_source *poll_source;
    sd_event_source *round_source;
    sd_event_source *claim_source; /* by now our gateways are claimed */
    sd_event_source *check_source; /* the next container of `changes` is due */
    struct changes changes;
    struct change asked[DOCKER_FILTER_IDS_MAX]; /* under way */
    size_t asked_count;
    char odd[ODD_MAX][DOCKER_ID_SIZE];
    size_t odd_next;
    char last_failure[256];
};

struct container_table *watch_table(struct watch *watch)
{
    return watch->has_listed ? &watch->table : NULL;
}

/* Sources of our own with valid arguments: these cannot fail. */
static void schedule_step(struct watch *watch)
{
    (void)sd_event_source_set_enabled(watch->step_source, SD_EVENT_ONESHOT);
}

static void set_timer_at(sd_event_source *source, uint64_t time)
{
    (void)sd_event_source_set_time(source, time);
    (void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static void set_timer(sd_event_source *source, uint64_t delay)
{
    set_timer_at(source, clock_monotonic_microseconds() + delay);
}

static void set_complete(struct watch *watch, bool is_complete)
{
    if (watch->is_complete == is_complete)
        return;
    watch->is_complete = is_complete;
    watch->callbacks.on_connected(watch->callbacks.userdata, is_complete);
}

/* Docker is away or talks nonsense: try again later, with what we know kept. The same failure is said once. */
static void reconnect_later(struct watch *watch, const char *text)
{
    uint64_t now = clock_monotonic_microseconds();

    if (strcmp(watch->last_failure, text) != 0)
        log_error("Docker cannot be read, keeping the last state",
                  LOG_TEXT("docker_host", watch->configuration.docker_host), LOG_ERROR_TEXT(text));
    text_copy_cut(watch->last_failure, sizeof(watch->last_failure), text);
    if (watch->is_connected && now - watch->connected_at >= STABLE_MICROSECONDS)
        watch->backoff = BACKOFF_FIRST_MICROSECONDS;
    docker_client_disconnect(watch->client);
    watch->is_connected = false;
    watch->request = REQUEST_NONE;
    watch->changes.count = 0; /* the list at the reconnect covers them */
    watch->asked_count = 0;
    set_complete(watch, false);
    set_timer(watch->backoff_source, watch->backoff);
    watch->backoff = watch->backoff * 2 < BACKOFF_MAX_MICROSECONDS ? watch->backoff * 2 : BACKOFF_MAX_MICROSECONDS;
}

static void advance_discovery(struct watch *watch, bool is_round)
{
    discovery_advance(watch->discovery, watch_table(watch), docker_client_version(watch->client)->api, is_round);
    if (!discovery_is_done(watch->discovery) && watch->is_connected)
        set_timer(watch->round_source, ROUND_MICROSECONDS);
}

/* DISC-8, after everything else: nothing waits for it. */
static void look_at_paths(struct watch *watch)
{
    if (watch->has_listed && discovery_is_done(watch->discovery))
        path_survey_run(watch->survey, &watch->table, docker_client_version(watch->client)->api);
    schedule_step(watch);
}

/* --- events -------------------------------------------------------------------------------------------- */

static bool is_asked_for(const struct watch *watch, const char *id)
{
    for (size_t i = 0; i < watch->asked_count; i++) {
        if (strcmp(watch->asked[i].id, id) == 0)
            return true;
    }
    return changes_contain(&watch->changes, id);
}

static bool has_project(const struct watch *watch, const struct docker_label *labels)
{
    const struct docker_label *project = &labels[WATCHED_LABEL_PROJECT];

    return project->is_present && strcmp(project->text, watch->configuration.project) == 0;
}

/*
 * Docker sends a container's labels with each of its events, so others' cost us nothing. Network events carry none:
 * they matter for containers that we know or ask for; a container that starts is asked for at its `start`,
 * which follows its `connect`s.
 */
static bool is_relevant(const struct watch *watch, const struct docker_event *event)
{
    if (event->container_id[0] == '\0')
        return false;
    if (container_table_find(&watch->table, event->container_id) || is_asked_for(watch, event->container_id))
        return true;
    if (event->type == DOCKER_EVENT_NETWORK)
        return watch->request == REQUEST_LIST_SCOPE;
    return has_project(watch, event->labels) && event->labels[WATCHED_LABEL_EXPOSE].is_present;
}

static void on_event(void *userdata, const struct docker_event *event)
{
    struct watch *watch = userdata;

    if (event->type == DOCKER_EVENT_CONTAINER)
        path_survey_note_event(watch->survey);
    if (discovery_is_own(watch->discovery, event->container_id))
        discovery_look_again(watch->discovery);
    if (is_relevant(watch, event)) {
        metrics_add(METRIC_DOCKER_EVENTS, METRIC_SOURCE_EVENT, 1);
        if (changes_note(&watch->changes, event->container_id, event->time, clock_monotonic_microseconds()) < 0)
            watch->must_list = true;
    }
    schedule_step(watch);
}

static void on_events_done(void *userdata, int error, const char *text)
{
    struct watch *watch = userdata;

    reconnect_later(watch, error < 0 ? text : "Docker ended the event stream");
}

/* --- answers ------------------------------------------------------------------------------------------- */

static void log_label_fault(const struct docker_container *container, const struct label_fault *fault)
{
    log_error("label is invalid: container is not exposed", LOG_TEXT("container", container->name),
              LOG_TEXT("id", container->id), LOG_TEXT("label", fault->label), LOG_NUMBER("position", fault->position),
              LOG_ERROR_TEXT(fault->reason));
}

static void on_scope_container(void *userdata, const struct docker_container *container)
{
    struct watch *watch = userdata;
    struct label_fault fault;
    int result;

    if (!container->is_running || !has_project(watch, container->labels) ||
        !container->labels[WATCHED_LABEL_EXPOSE].is_present)
        return;
    result = container_table_put(&watch->table, container, &fault);
    if (result < 0)
        log_error("container cannot be kept", LOG_TEXT("container", container->name), LOG_ERROR(result));
    else if (fault.reason)
        log_label_fault(container, &fault);
}

/* Said once per container; what we knew of it stays. */
static void on_odd_container(void *userdata, const char *id, const char *name, const char *reason)
{
    struct watch *watch = userdata;

    container_table_keep(&watch->table, id);
    for (size_t i = 0; i < ODD_MAX; i++) {
        if (watch->odd[i][0] != '\0' && strcmp(watch->odd[i], id) == 0)
            return;
    }
    text_copy_cut(watch->odd[watch->odd_next++ % ODD_MAX], DOCKER_ID_SIZE, id);
    log_warn("odd container in Docker's list, ignoring", LOG_TEXT("container", name), LOG_TEXT("id", id),
             LOG_ERROR_TEXT(reason));
}

static void on_any_container(void *userdata, const struct docker_container *container)
{
    struct watch *watch = userdata;

    discovery_consider(watch->discovery, container);
}

static void on_any_odd_container(void *userdata, const char *id, const char *name, const char *reason)
{
    (void)userdata;
    log_debug("odd container in Docker's list, ignoring", LOG_TEXT("container", name), LOG_TEXT("id", id),
              LOG_ERROR_TEXT(reason));
}

/* True when the answer can be used; otherwise the connection is given up. */
static bool accept_answer(struct watch *watch, int error, const char *text)
{
    watch->request = REQUEST_NONE;
    schedule_step(watch);
    if (error == 0)
        return true;
    reconnect_later(watch, text);
    return false;
}

static void on_all_listed(void *userdata, int error, const char *text)
{
    struct watch *watch = userdata;

    if (!accept_answer(watch, error, text))
        return;
    discovery_end_list(watch->discovery);
    advance_discovery(watch, false);
}

static void on_scope_listed(void *userdata, int error, const char *text)
{
    struct watch *watch = userdata;

    if (!accept_answer(watch, error, text))
        return;
    container_table_end_pass(&watch->table);
    watch->has_listed = true;
    watch->last_failure[0] = '\0';
    set_complete(watch, true);
    advance_discovery(watch, false);
    watch->callbacks.on_changed(watch->callbacks.userdata, 0);
    look_at_paths(watch);
}

static void on_changed_listed(void *userdata, int error, const char *text)
{
    struct watch *watch = userdata;
    uint64_t event_time = UINT64_MAX;

    if (!accept_answer(watch, error, text))
        return;
    for (size_t i = 0; i < watch->asked_count; i++) {
        const struct change *asked = &watch->asked[i];

        container_table_end_pass_for(&watch->table, asked->id);
        if (asked->event_time > 0 && asked->event_time < event_time)
            event_time = asked->event_time;
    }
    changes_put_back(&watch->changes, watch->asked, watch->asked_count, clock_monotonic_microseconds());
    watch->asked_count = 0;
    if (!discovery_is_done(watch->discovery))
        advance_discovery(watch, false);
    watch->callbacks.on_changed(watch->callbacks.userdata, event_time < UINT64_MAX ? event_time : 0);
    look_at_paths(watch);
}

static void on_network_inspected(void *userdata, int error, const char *text)
{
    struct watch *watch = userdata;

    if (!accept_answer(watch, error, text))
        return;
    discovery_end_network(watch->discovery);
    advance_discovery(watch, false);
    if (discovery_is_done(watch->discovery))
        set_timer(watch->claim_source, CLAIM_PATIENCE_MICROSECONDS);
    look_at_paths(watch);
}

/* What a proxy denies, what has gone and what is odd are answers, too: the connection is fine. */
static void on_survey_answered(void *userdata, int error, const char *text)
{
    struct watch *watch = userdata;
    bool is_answer = error == -EACCES || error == -ENOENT || error == -EBADMSG || error == -EMSGSIZE;

    if (!accept_answer(watch, is_answer ? 0 : error, text))
        return;
    path_survey_end_question(watch->survey, error, text);
    look_at_paths(watch);
}

static void on_joined_container(void *userdata, const struct docker_container *container)
{
    struct watch *watch = userdata;

    path_survey_consider(watch->survey, container);
}

/* --- questions ----------------------------------------------------------------------------------------- */

static int list_all(struct watch *watch)
{
    const struct docker_container_query query = {0};
    const struct docker_container_handlers handlers = {on_any_container, on_any_odd_container, on_all_listed, watch};

    watch->request = REQUEST_LIST_ALL;
    discovery_begin_list(watch->discovery);
    return docker_client_list(watch->client, &query, &watched_labels, &handlers);
}

/* Asks for the containers in scope, all of them or those with certain IDs. */
static int list_scope(struct watch *watch, const char *const *ids, size_t id_count, docker_done_handler on_done)
{
    const char *const labels[] = {watch->project_label, watched_labels.names[WATCHED_LABEL_EXPOSE]};
    const struct docker_container_query query = {labels, ARRAY_LENGTH(labels), ids, id_count};
    const struct docker_container_handlers handlers = {on_scope_container, on_odd_container, on_done, watch};

    container_table_begin_pass(&watch->table);
    return docker_client_list(watch->client, &query, &watched_labels, &handlers);
}

static int list_changed(struct watch *watch)
{
    const char *ids[DOCKER_FILTER_IDS_MAX];

    watch->request = REQUEST_LIST_CHANGED;
    for (size_t i = 0; i < watch->asked_count; i++)
        ids[i] = watch->asked[i].id;
    return list_scope(watch, ids, watch->asked_count, on_changed_listed);
}

static int list_whole_scope(struct watch *watch)
{
    watch->request = REQUEST_LIST_SCOPE;
    watch->must_list = false;
    return list_scope(watch, NULL, 0, on_scope_listed);
}

/* Takes the changed containers that are due; sets the timer for the others when none is. */
static bool take_changes(struct watch *watch)
{
    uint64_t next_due;

    watch->asked_count =
        changes_take(&watch->changes, clock_monotonic_microseconds(), watch->asked, ARRAY_LENGTH(watch->asked));
    if (watch->asked_count > 0)
        return true;
    next_due = changes_next_due(&watch->changes);
    if (next_due < UINT64_MAX)
        set_timer_at(watch->check_source, next_due);
    return false;
}

static int ask_for_survey(struct watch *watch)
{
    static const struct docker_container_query everybody = {0};
    const struct docker_container_handlers handlers = {on_joined_container, on_any_odd_container, on_survey_answered,
                                                       watch};
    struct path_question *question = path_survey_ask(watch->survey);

    watch->request = question->kind == PATH_QUESTION_NONE ? REQUEST_NONE : REQUEST_SURVEY;
    switch (question->kind) {
    case PATH_QUESTION_NETWORK:
        return docker_client_inspect_network(watch->client, question->id, &question->network, on_survey_answered,
                                             watch);
    case PATH_QUESTION_MODE:
        return docker_client_inspect_mode(watch->client, question->id, &question->is_service_anchor, on_survey_answered,
                                          watch);
    case PATH_QUESTION_JOINED:
        return docker_client_list(watch->client, &everybody, &watched_labels, &handlers);
    case PATH_QUESTION_NONE:
    default:
        return 0;
    }
}

/* Sends the next question, one at a time: an answer may make others superfluous. */
static int next_question(struct watch *watch)
{
    struct docker_network *record = NULL;
    const char *network_id = discovery_needs_network(watch->discovery, &record);

    if (watch->is_complete && take_changes(watch))
        return list_changed(watch);
    if (discovery_needs_list(watch->discovery))
        return list_all(watch);
    if (watch->must_list)
        return list_whole_scope(watch);
    if (network_id) {
        watch->request = REQUEST_NETWORK;
        return docker_client_inspect_network(watch->client, network_id, record, on_network_inspected, watch);
    }
    return watch->is_complete ? ask_for_survey(watch) : 0;
}

static int on_step(sd_event_source *source, void *userdata)
{
    struct watch *watch = userdata;
    int result;

    (void)source;
    if (!watch->is_connected || watch->request != REQUEST_NONE)
        return 0;
    result = next_question(watch);
    if (result < 0)
        reconnect_later(watch, log_errno_text(result));
    return 0;
}

/* --- connecting and timers ----------------------------------------------------------------------------- */

static void on_connected(void *userdata, int error, const char *text)
{
    struct watch *watch = userdata;
    const struct docker_version *version = docker_client_version(watch->client);

    if (!accept_answer(watch, error, text))
        return;
    log_info("connected to Docker", LOG_TEXT("docker_host", watch->configuration.docker_host),
             LOG_TEXT("engine", version->engine), LOG_NUMBER("api_minor", version->api_negotiated));
    watch->is_connected = true;
    watch->connected_at = clock_monotonic_microseconds();
    watch->must_list = true;
    /* The stream begins before the list is asked for, so nothing falls between the two. */
    error = docker_client_follow_events(watch->client, clock_real_nanoseconds(), &watched_labels, on_event,
                                        on_events_done, watch);
    if (error < 0)
        reconnect_later(watch, log_errno_text(error));
}

static int on_backoff(sd_event_source *source, uint64_t time, void *userdata)
{
    struct watch *watch = userdata;
    int result;

    (void)source;
    (void)time;
    watch->request = REQUEST_CONNECT;
    result = docker_client_connect(watch->client, on_connected, watch);
    if (result < 0)
        reconnect_later(watch, log_errno_text(result));
    return 0;
}

static int on_poll(sd_event_source *source, uint64_t time, void *userdata)
{
    struct watch *watch = userdata;

    (void)time;
    metrics_add(METRIC_DOCKER_EVENTS, METRIC_SOURCE_POLL, 1);
    watch->must_list = true;
    path_survey_note_event(watch->survey);
    if (!discovery_is_done(watch->discovery))
        discovery_look_again(watch->discovery);
    schedule_step(watch);
    set_timer(source, watch->configuration.poll_interval_milliseconds * MICROSECONDS_PER_MILLISECOND);
    return 0;
}

static int on_round(sd_event_source *source, uint64_t time, void *userdata)
{
    struct watch *watch = userdata;

    (void)source;
    (void)time;
    if (watch->is_connected && !discovery_is_done(watch->discovery))
        advance_discovery(watch, true);
    schedule_step(watch);
    return 0;
}

static int on_claim_due(sd_event_source *source, uint64_t time, void *userdata)
{
    (void)source;
    (void)time;
    look_at_paths(userdata);
    return 0;
}

static int on_check(sd_event_source *source, uint64_t time, void *userdata)
{
    (void)source;
    (void)time;
    schedule_step(userdata);
    return 0;
}

void watch_start(struct watch *watch)
{
    if (watch->is_started) {
        advance_discovery(watch, false);
        look_at_paths(watch);
        return;
    }
    watch->is_started = true;
    set_timer(watch->backoff_source, 0);
    set_timer(watch->poll_source, watch->configuration.poll_interval_milliseconds * MICROSECONDS_PER_MILLISECOND);
}

/* Adds a source that is off. `on_timer` NULL: a deferred step. */
static int add_source(struct watch *watch, sd_event_source **ret, uint64_t accuracy, sd_event_time_handler_t on_timer)
{
    int result;

    if (on_timer)
        result = sd_event_add_time(watch->event, ret, CLOCK_MONOTONIC, UINT64_MAX, accuracy, on_timer, watch);
    else
        result = sd_event_add_defer(watch->event, ret, on_step, watch);
    return result < 0 ? result : sd_event_source_set_enabled(*ret, SD_EVENT_OFF);
}

int watch_new(sd_event *event, const struct message_configure_watcher *configuration, const struct docker_host *host,
              struct discovery *discovery, struct path_survey *survey, const struct watch_callbacks *callbacks,
              struct watch **ret)
{
    CLEANUP(watch_freep) struct watch *watch = calloc(1, sizeof(*watch));
    int result;

    if (!watch)
        return -ENOMEM;
    watch->event = event;
    watch->configuration = *configuration;
    watch->discovery = discovery;
    watch->survey = survey;
    watch->callbacks = *callbacks;
    watch->backoff = BACKOFF_FIRST_MICROSECONDS;
    (void)snprintf(watch->project_label, sizeof(watch->project_label), "%s=%s",
                   watched_labels.names[WATCHED_LABEL_PROJECT], configuration->project);
    result = add_source(watch, &watch->step_source, 0, NULL);
    if (result == 0)
        result = add_source(watch, &watch->backoff_source, 1, on_backoff);
    if (result == 0)
        result = add_source(watch, &watch->poll_source, 0, on_poll);
    if (result == 0)
        result = add_source(watch, &watch->round_source, 0, on_round);
    if (result == 0)
        result = add_source(watch, &watch->claim_source, 0, on_claim_due);
    if (result == 0)
        result = add_source(watch, &watch->check_source, MICROSECONDS_PER_MILLISECOND, on_check);
    if (result == 0)
        result = docker_client_new(event, host, &watch->client);
    if (result < 0)
        return result;
    *ret = TAKE_POINTER(watch);
    return 0;
}

struct watch *watch_free(struct watch *watch)
{
    if (!watch)
        return NULL;
    (void)docker_client_free(watch->client);
    container_table_release(&watch->table);
    sd_event_source_disable_unref(watch->step_source);
    sd_event_source_disable_unref(watch->backoff_source);
    sd_event_source_disable_unref(watch->poll_source);
    sd_event_source_disable_unref(watch->round_source);
    sd_event_source_disable_unref(watch->check_source);
    sd_event_source_disable_unref(watch->claim_source);
    free(watch);
    return NULL;
}
