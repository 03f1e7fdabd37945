/* The conversation with Docker; see watch.h. Runs without any privilege. */
#include "workers/watcher/watch_internal.h"

#include "common/log.h"
#include "common/text.h"
#include "protocol/findings_sender.h"
#include "protocol/metrics.h"
#include "protocol/problems.h"

#include <string.h>

/* Reconnecting: no busy loop, but an engine that restarts is found soon. */
#define BACKOFF_FIRST_MICROSECONDS (100 * MICROSECONDS_PER_MILLISECOND)
#define BACKOFF_MAX_MICROSECONDS   (5 * MICROSECONDS_PER_SECOND)
/* A connection that lived this long ends the backoff. */
#define STABLE_MICROSECONDS (10 * MICROSECONDS_PER_SECOND)
/* Discovery's rounds while something is missing (ADDR-9, DISC-4). */
#define ROUND_MICROSECONDS MICROSECONDS_PER_SECOND
/* From a change to the look at its way back: in the same wake-up as control is told of the change. */
#define LOOK_MICROSECONDS          FINDINGS_SEND_DELAY
#define LOOK_ACCURACY_MICROSECONDS FINDINGS_SEND_ACCURACY

/* A container may be connected before its network is followed, and its namespace is wanted from then on (HOST-4). */
#define HINDSIGHT_NANOSECONDS NANOSECONDS_PER_SECOND

struct container_table *watch_table(struct watch *watch)
{
    return watch->has_listed ? &watch->table : NULL;
}

void watch_set_attachment(struct watch *watch, struct attachment *attachment)
{
    watch->attachment = attachment;
    watch->table.expose_from = watch->configuration.expose_from;
    watch->labels.with_ports = watch->configuration.expose_from & EXPOSE_FROM_PUBLISHED;
}

void watch_take_guest_texts(struct watch *watch, char *texts[GUEST_TEXT_MAX_])
{
    for (size_t i = 0; i < GUEST_TEXT_MAX_; i++)
        watch->table.guest_texts[i] = TAKE_POINTER(texts[i]);
}

void watch_set_lacks_lists(struct watch *watch, bool lacks_lists)
{
    watch->table.lacks_lists = lacks_lists;
}

void watch_set_refusal(struct watch *watch, const char *reason)
{
    text_copy_cut(watch->table.refusal, sizeof(watch->table.refusal), reason);
}

void watch_set_parent(struct watch *watch, const struct ip_address *addresses, size_t count)
{
    int result = container_table_set_parent(&watch->table, addresses, count);

    if (result < 0)
        log_error("what is published cannot be exposed", LOG_ERROR(result));
    watch->callbacks.on_changed(watch->callbacks.userdata, 0);
}

/* Sources of our own with valid arguments: these cannot fail. */
void watch_schedule_step(struct watch *watch)
{
    (void)sd_event_source_set_enabled(watch->step_source, SD_EVENT_ONESHOT);
}

void watch_set_timer_at(sd_event_source *source, uint64_t time)
{
    (void)sd_event_source_set_time(source, time);
    (void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

void watch_set_timer(sd_event_source *source, uint64_t delay)
{
    watch_set_timer_at(source, clock_monotonic_microseconds() + delay);
}

/* As it is when the timer runs already: what comes again and again does not put it off. */
static void set_timer_unless_set(sd_event_source *source, uint64_t delay)
{
    int is_set = SD_EVENT_OFF;

    (void)sd_event_source_get_enabled(source, &is_set);
    if (is_set == SD_EVENT_OFF)
        watch_set_timer(source, delay);
}

void watch_set_complete(struct watch *watch, bool is_complete)
{
    if (watch->is_complete == is_complete)
        return;
    watch->is_complete = is_complete;
    if (is_complete)
        watch->away_since = 0;
    watch->callbacks.on_connected(watch->callbacks.userdata, is_complete);
}

struct watch_absence watch_absence(const struct watch *watch)
{
    return (struct watch_absence){
        .since = watch->away_since,
        .reason = watch->last_failure,
        .is_socket = strncmp(watch->configuration.docker_host, "unix:", strlen("unix:")) == 0,
    };
}

/* The same failure is said once. */
void watch_reconnect_later(struct watch *watch, const char *text)
{
    uint64_t now = clock_monotonic_microseconds();

    if (strcmp(watch->last_failure, text) != 0)
        log_error("Docker cannot be read, keeping the last state", LOG_PROBLEM(PROBLEM_DOCKER_AWAY),
                  LOG_TEXT("docker_host", watch->configuration.docker_host), LOG_ERROR_TEXT(text));
    text_copy_cut(watch->last_failure, sizeof(watch->last_failure), text);
    if (!watch->away_since)
        watch->away_since = clock_real_nanoseconds();
    watch->callbacks.on_surveyed(watch->callbacks.userdata);
    if (watch->is_connected && now - watch->connected_at >= STABLE_MICROSECONDS)
        watch->backoff = BACKOFF_FIRST_MICROSECONDS;
    docker_client_disconnect(watch->client);
    watch->is_connected = watch->has_version = false;
    watch->request = REQUEST_NONE;
    watch->changes.count = 0; /* the list at the reconnect covers them */
    watch->asked_count = 0;
    watch->network_events.count = 0;
    watch->search_place = 0;
    watch_set_complete(watch, false);
    watch_set_timer(watch->backoff_source, watch->backoff);
    watch->backoff = watch->backoff * 2 < BACKOFF_MAX_MICROSECONDS ? watch->backoff * 2 : BACKOFF_MAX_MICROSECONDS;
}

void watch_advance_discovery(struct watch *watch, bool is_round)
{
    bool was_done = discovery_is_done(watch->discovery);

    discovery_advance(watch->discovery, watch_table(watch), docker_client_version(watch->client), is_round);
    if (!was_done && discovery_is_done(watch->discovery))
        watch_schedule_look_at_paths(watch);
    if (discovery_needs_rounds(watch->discovery) && watch->is_connected)
        set_timer_unless_set(watch->round_source, ROUND_MICROSECONDS);
}

/* Our gateways are claimed by then: who is blamed for one that is not must not wait for the poll. */
static void look_when_claim_is_due(struct watch *watch)
{
    uint64_t due = path_survey_claim_due(watch->survey);

    if (due > clock_monotonic_microseconds())
        watch_set_timer_at(watch->claim_source, due);
}

/* DISC-8 */
void watch_look_at_paths(struct watch *watch)
{
    int result = watch->is_connected ? watch_follow_networks(watch) : 0;

    if (result < 0)
        watch_reconnect_later(watch, log_errno_text(result));
    if (watch->has_listed && discovery_is_done(watch->discovery)) {
        path_survey_run(watch->survey, &watch->table, docker_client_version(watch->client));
        look_when_claim_is_due(watch);
        watch->callbacks.on_surveyed(watch->callbacks.userdata);
    }
    watch_schedule_step(watch);
}

void watch_schedule_look_at_paths(struct watch *watch)
{
    set_timer_unless_set(watch->look_source, LOOK_MICROSECONDS);
}

bool watch_is_answer(int error)
{
    return error == -EACCES || error == -ENOENT || error == -EBADMSG || error == -EMSGSIZE;
}

bool watch_accept_answer(struct watch *watch, int error, const char *text)
{
    watch->request = REQUEST_NONE;
    watch_schedule_step(watch);
    if (error == 0)
        return true;
    watch_reconnect_later(watch, text);
    return false;
}

/* Sends the next question, one at a time: an answer may make others superfluous. */
static int next_question(struct watch *watch)
{
    struct docker_network *record = NULL;
    const char *network_id = discovery_needs_network(watch->discovery, &record);

    bool is_asking = false;
    int result;

    if (watch->is_complete && watch_scope_take_changes(watch))
        return watch_scope_list_changed(watch);
    if (watch->is_complete) {
        result = watch_scope_list_owners(watch, &is_asking);
        if (!is_asking)
            result = watch_scope_search_owners(watch, &is_asking);
        if (!is_asking)
            result = watch_scope_inspect(watch, &is_asking);
        if (is_asking)
            return result;
    }
    if (watch->is_complete && watch->attachment) {
        result = watch_ask_for_attachment(watch, &is_asking);
        if (is_asking)
            return result;
    }
    if (discovery_needs_list(watch->discovery))
        return watch_ask_for_everybody(watch);
    if (watch->must_list) /* before the networks: the first state knows the owners of namespaces, too (NAT-6) */
        return watch_scope_list(watch);
    if (network_id)
        return watch_ask_for_network(watch, network_id, record);
    return watch->is_complete ? watch_ask_for_survey(watch) : 0;
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
        watch_reconnect_later(watch, log_errno_text(result));
    return 0;
}

/* --- connecting and timers ----------------------------------------------------------------------------- */

bool watch_is_scoped(const struct watch *watch)
{
    return !docker_client_version(watch->client)->is_podman;
}

static void on_events_done(void *userdata, int error, const char *text)
{
    watch_reconnect_later(userdata, error < 0 ? text : "Docker ended the event stream");
}

static void on_network_event(void *userdata, const struct docker_event *event)
{
    const struct network_events *events = userdata;

    watch_scope_on_event(events->watch, event);
}

static void on_network_events_done(void *userdata, int error, const char *text)
{
    const struct network_events *events = userdata;

    on_events_done(events->watch, error, text);
}

/* A stream begins before the list is asked for, so nothing falls between the two. */
static int follow_containers(struct watch *watch)
{
    static const char *const instead[] = {LABEL_SELECTOR_INSTEAD};
    struct docker_event_query query = {
        .since = clock_real_nanoseconds(),
        .labels = &watch->labels,
        .type = DOCKER_EVENT_CONTAINER,
        .filters = (const char *const *)watch->scope_filters,
        .filter_count = watch->scope_filter_count,
    };

    if (!watch_is_scoped(watch)) {
        query.type = DOCKER_EVENT_OTHER;
        query.filter_count = 0;
    } else if (label_selector_is_lost_in_events(&watch->selector)) {
        query.filters = instead;
        query.filter_count = ARRAY_LENGTH(instead);
    }
    watch->must_list = true;
    return docker_client_follow_events(watch->client, &query, watch_scope_on_event, on_events_done, watch);
}

/* Returns whether it was not there. More than there is room for are left to the poll. */
static bool add_network(struct network_events *events, const char *id)
{
    for (size_t i = 0; i < events->count; i++) {
        if (strcmp(events->ids[i], id) == 0)
            return false;
    }
    if (id[0] == '\0' || events->count == FOLLOWED_NETWORKS_MAX)
        return false;
    text_copy_cut(events->ids[events->count++], DOCKER_ID_SIZE, id);
    return true;
}

const char *watch_network_at(const struct watch *watch, size_t place)
{
    size_t count;
    const struct own_network *networks = discovery_own_networks(watch->discovery, &count);

    if (place < count)
        return networks[place].id;
    return watch->attachment ? attachment_network_at(watch->attachment, place - count) : NULL;
}

/* Our own, those of the backends (DISC-8) and what is attached. One that nobody is on any more stays until its place is
 * wanted. */
static bool add_networks(struct watch *watch)
{
    struct container_entry *entry, *next;
    bool is_new = false;
    const char *id;

    for (size_t i = 0; (id = watch_network_at(watch, i)); i++)
        is_new |= add_network(&watch->network_events, id);
    HASH_ITER (hh, watch->table.entries, entry, next) {
        for (size_t i = 0; i < entry->endpoint_count; i++)
            is_new |= add_network(&watch->network_events, entry->endpoints[i].network_id);
    }
    return is_new;
}

/* Networks of the past may have taken all places: those that are there now are followed anew. */
static void make_room_for_networks(struct watch *watch)
{
    if (watch->network_events.count < FOLLOWED_NETWORKS_MAX)
        return;
    watch->network_events.count = 0;
    watch_schedule_look_at_paths(watch);
}

int watch_follow_networks(struct watch *watch)
{
    struct network_events *events = &watch->network_events;
    const char *ids[FOLLOWED_NETWORKS_MAX];
    struct docker_event_query query = {
        .since = clock_real_nanoseconds() - (watch->attachment ? HINDSIGHT_NANOSECONDS : 0),
        .labels = &watch->labels,
        .type = DOCKER_EVENT_NETWORK,
        .networks = ids,
    };

    if (!watch_is_scoped(watch) || !add_networks(watch))
        return 0;
    for (size_t i = 0; i < events->count; i++)
        ids[i] = events->ids[i];
    query.network_count = events->count;
    docker_client_cancel(watch->client, events);
    events->watch = watch;
    watch->must_list = true;
    return docker_client_follow_events(watch->client, &query, on_network_event, on_network_events_done, events);
}

static void follow(struct watch *watch)
{
    const struct docker_version *version = docker_client_version(watch->client);
    int error;

    log_info("connected to Docker", LOG_TEXT("docker_host", watch->configuration.docker_host),
             LOG_TEXT("engine", version->engine), LOG_NUMBER("api_minor", version->api_negotiated));
    watch->is_connected = true;
    watch->connected_at = clock_monotonic_microseconds();
    if (!discovery_is_done(watch->discovery))
        discovery_look_again(watch->discovery); /* the list that was asked for may have failed */
    error = follow_containers(watch);
    if (error == 0)
        error = watch_follow_networks(watch);
    if (error < 0)
        watch_reconnect_later(watch, log_errno_text(error));
    watch_schedule_step(watch);
}

static void on_connected(void *userdata, int error, const char *text)
{
    struct watch *watch = userdata;

    if (!watch_accept_answer(watch, error, text))
        return;
    watch->has_version = true;
    if (watch->is_started)
        follow(watch);
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
        watch_reconnect_later(watch, log_errno_text(result));
    return 0;
}

static int on_poll(sd_event_source *source, uint64_t time, void *userdata)
{
    struct watch *watch = userdata;

    (void)time;
    metrics_add(METRIC_DOCKER_EVENTS, METRIC_SOURCE_POLL, 1);
    watch->must_list = true;
    make_room_for_networks(watch);
    path_survey_note_poll(watch->survey);
    if (!discovery_is_done(watch->discovery))
        discovery_look_again(watch->discovery);
    watch_schedule_step(watch);
    watch_set_timer(source, watch->configuration.poll_interval_milliseconds * MICROSECONDS_PER_MILLISECOND);
    return 0;
}

static int on_round(sd_event_source *source, uint64_t time, void *userdata)
{
    struct watch *watch = userdata;

    (void)source;
    (void)time;
    if (watch->is_connected && !discovery_is_done(watch->discovery))
        watch_advance_discovery(watch, true);
    watch_schedule_step(watch);
    return 0;
}

static int on_look_due(sd_event_source *source, uint64_t time, void *userdata)
{
    (void)source;
    (void)time;
    watch_look_at_paths(userdata);
    return 0;
}

static int on_check(sd_event_source *source, uint64_t time, void *userdata)
{
    (void)source;
    (void)time;
    watch_schedule_step(userdata);
    return 0;
}

void watch_connect(struct watch *watch)
{
    watch_set_timer(watch->backoff_source, 0);
}

void watch_start(struct watch *watch)
{
    if (watch->is_started) {
        watch_advance_discovery(watch, false);
        watch_look_at_paths(watch);
        return;
    }
    watch->is_started = true;
    if (watch->has_version)
        follow(watch);
    watch_set_timer(watch->poll_source, watch->configuration.poll_interval_milliseconds * MICROSECONDS_PER_MILLISECOND);
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
    result = watch_scope_initialise(watch);
    if (result == 0)
        result = add_source(watch, &watch->step_source, 0, NULL);
    if (result == 0)
        result = add_source(watch, &watch->backoff_source, 1, on_backoff);
    if (result == 0)
        result = add_source(watch, &watch->poll_source, 0, on_poll);
    if (result == 0)
        result = add_source(watch, &watch->round_source, 0, on_round);
    if (result == 0)
        result = add_source(watch, &watch->claim_source, 0, on_look_due);
    if (result == 0)
        result = add_source(watch, &watch->look_source, LOOK_ACCURACY_MICROSECONDS, on_look_due);
    if (result == 0)
        result = add_source(watch, &watch->survey_source, 0, on_check);
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
    watch_scope_release(watch);
    sd_event_source_disable_unref(watch->step_source);
    sd_event_source_disable_unref(watch->backoff_source);
    sd_event_source_disable_unref(watch->poll_source);
    sd_event_source_disable_unref(watch->round_source);
    sd_event_source_disable_unref(watch->check_source);
    sd_event_source_disable_unref(watch->survey_source);
    sd_event_source_disable_unref(watch->claim_source);
    sd_event_source_disable_unref(watch->look_source);
    free(watch);
    return NULL;
}
