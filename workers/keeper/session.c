/* The keeper's conversation with Docker; see session.h. Runs without any privilege. */
#include "workers/keeper/session.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"
#include "protocol/event_loop.h"
#include "protocol/problems.h"
#include "workers/keeper/command.h"

#include <string.h>

/* As the watcher's: no busy loop, but an engine that restarts is found soon. */
#define BACKOFF_FIRST (100 * MICROSECONDS_PER_MILLISECOND)
#define BACKOFF_MAX   (5 * MICROSECONDS_PER_SECOND)
/* A connection that lived this long ends the backoff. */
#define STABLE (10 * MICROSECONDS_PER_SECOND)

/* Of containers that the pinned labels do not tell of: a stream of its own. */
struct followed {
    struct session *session;
    char texts[DOCKER_FILTER_IDS_MAX][DOCKER_ID_SIZE];
    const char *ids[DOCKER_FILTER_IDS_MAX]; /* the same */
    size_t count;                           /* 0: there is none */
};

struct session {
    struct docker_client *client;
    const char *docker_host;
    struct session_callbacks callbacks;
    const char *const *labels; /* of those whose events are followed */
    size_t label_count;        /* 0: everybody's */
    struct followed followed;
    sd_event_source *timer; /* the next try */
    bool is_connected;
    uint64_t connected_at;
    uint64_t backoff;
    char last_failure[256];
};

struct docker_client *session_client(struct session *session)
{
    return session->client;
}

static void connect_later(struct session *session, uint64_t delay)
{
    event_loop_start_timer(session->timer, delay);
}

void session_fail(struct session *session, const char *text)
{
    bool was_connected = session->is_connected;

    if (strcmp(session->last_failure, text) != 0)
        log_error("Docker cannot be reached, trying again", LOG_PROBLEM(PROBLEM_DOCKER_AWAY),
                  LOG_TEXT("docker_host", session->docker_host), LOG_ERROR_TEXT(text));
    text_copy_cut(session->last_failure, sizeof(session->last_failure), text);
    if (was_connected && clock_monotonic_microseconds() - session->connected_at >= STABLE)
        session->backoff = BACKOFF_FIRST;
    docker_client_disconnect(session->client);
    session->followed.count = 0;
    session->is_connected = false;
    connect_later(session, session->backoff);
    session->backoff = session->backoff * 2 < BACKOFF_MAX ? session->backoff * 2 : BACKOFF_MAX;
    if (was_connected)
        session->callbacks.on_lost(session->callbacks.userdata);
}

bool session_check_answer(struct session *session, int error, const char *text)
{
    if (command_was_answered(error) || error == -EMSGSIZE)
        return true;
    session_fail(session, text);
    return false;
}

void session_check_sent(struct session *session, int result)
{
    if (result < 0)
        session_fail(session, log_errno_text(result));
}

static void on_event(void *userdata, const struct docker_event *event)
{
    struct session *session = userdata;

    session->callbacks.on_event(session->callbacks.userdata, event);
}

static void on_events_done(void *userdata, int error, const char *text)
{
    session_fail(userdata, error < 0 ? text : "Docker ended the event stream");
}

static void on_followed_event(void *userdata, const struct docker_event *event)
{
    const struct followed *followed = userdata;

    on_event(followed->session, event);
}

static void on_followed_done(void *userdata, int error, const char *text)
{
    const struct followed *followed = userdata;

    on_events_done(followed->session, error, text);
}

static const struct docker_label_names no_labels;

bool session_is_among(const char *const *ids, size_t count, const char *id)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(ids[i], id) == 0)
            return true;
    }
    return false;
}

bool session_follow(struct session *session, const char *const *ids, size_t count)
{
    struct followed *followed = &session->followed;
    const struct docker_event_query query = {
        .since = clock_real_nanoseconds(),
        .labels = &no_labels,
        .type = DOCKER_EVENT_CONTAINER,
        .containers = ids,
        .container_count = count,
    };
    bool is_new = false;

    for (size_t i = 0; i < count; i++)
        is_new |= !session_is_among(followed->ids, followed->count, ids[i]);
    if (!is_new)
        return false;
    docker_client_cancel(session->client, followed);
    followed->session = session;
    followed->count = count;
    for (size_t i = 0; i < count; i++) {
        text_copy_cut(followed->texts[i], DOCKER_ID_SIZE, ids[i]);
        followed->ids[i] = followed->texts[i];
    }
    session_check_sent(
        session, docker_client_follow_events(session->client, &query, on_followed_event, on_followed_done, followed));
    return true;
}

void session_pin(struct session *session, const char *const *labels, size_t count)
{
    session->labels = labels;
    session->label_count = count;
}

static void on_connected(void *userdata, int error, const char *text)
{
    struct session *session = userdata;
    const struct docker_version *version = docker_client_version(session->client);
    struct docker_event_query query = {
        .labels = &no_labels,
        .type = session->label_count > 0 ? DOCKER_EVENT_CONTAINER : DOCKER_EVENT_OTHER,
        .filters = session->labels,
        .filter_count = session->label_count,
    };

    if (error < 0) {
        session_fail(session, text);
        return;
    }
    log_info("connected to Docker", LOG_TEXT("docker_host", session->docker_host), LOG_TEXT("engine", version->engine),
             LOG_NUMBER("api_minor", version->api_negotiated));
    session->is_connected = true;
    session->connected_at = clock_monotonic_microseconds();
    session->last_failure[0] = '\0';
    query.since = clock_real_nanoseconds();
    error = docker_client_follow_events(session->client, &query, on_event, on_events_done, session);
    if (error < 0)
        session_fail(session, log_errno_text(error));
    else
        session->callbacks.on_connected(session->callbacks.userdata);
}

static int on_connect_time(sd_event_source *source, uint64_t planned, void *userdata)
{
    struct session *session = userdata;
    int result = docker_client_connect(session->client, on_connected, session);

    (void)source;
    (void)planned;
    if (result < 0)
        session_fail(session, log_errno_text(result));
    return 0;
}

void session_start(struct session *session)
{
    connect_later(session, 0);
}

int session_new(sd_event *event, const struct docker_host *host, const char *docker_host,
                const struct session_callbacks *callbacks, struct session **ret)
{
    CLEANUP(session_freep) struct session *session = calloc(1, sizeof(*session));
    int result;

    if (!session)
        return -ENOMEM;
    session->docker_host = docker_host;
    session->callbacks = *callbacks;
    session->backoff = BACKOFF_FIRST;
    result = event_loop_add_timer(event, CLOCK_MONOTONIC, MICROSECONDS_PER_MILLISECOND, on_connect_time, session,
                                  &session->timer);
    if (result >= 0)
        result = docker_client_new(event, host, &session->client);
    if (result < 0)
        return result;
    *ret = TAKE_POINTER(session);
    return 0;
}

struct session *session_free(struct session *session)
{
    if (!session)
        return NULL;
    (void)docker_client_free(session->client);
    sd_event_source_disable_unref(session->timer);
    free(session);
    return NULL;
}
