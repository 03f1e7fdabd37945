/* Questions for discovery and survey; see watch_internal.h. Runs without any privilege. */
#include "workers/watcher/watch_internal.h"

#include "common/log.h"

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

static void on_all_listed(void *userdata, int error, const char *text)
{
    struct watch *watch = userdata;

    if (!watch_accept_answer(watch, error, text))
        return;
    discovery_end_list(watch->discovery);
    watch_advance_discovery(watch, false);
}

static void on_survey_answered(void *userdata, int error, const char *text)
{
    struct watch *watch = userdata;

    if (!watch_accept_answer(watch, watch_is_answer(error) ? 0 : error, text))
        return;
    path_survey_end_question(watch->survey, error, text);
    watch_look_at_paths(watch);
}

static void on_joined_container(void *userdata, const struct docker_container *container)
{
    struct watch *watch = userdata;

    path_survey_consider(watch->survey, container);
}

static void on_network_inspected(void *userdata, int error, const char *text)
{
    struct watch *watch = userdata;

    if (!watch_accept_answer(watch, error, text))
        return;
    discovery_end_network(watch->discovery);
    watch_advance_discovery(watch, false);
    if (discovery_is_done(watch->discovery))
        watch_set_timer(watch->claim_source, CLAIM_PATIENCE_MICROSECONDS);
    watch_look_at_paths(watch);
}

int watch_ask_for_everybody(struct watch *watch)
{
    const struct docker_container_query query = {0};
    const struct docker_container_handlers handlers = {on_any_container, on_any_odd_container, on_all_listed, watch};

    watch->request = REQUEST_LIST_ALL;
    discovery_begin_list(watch->discovery);
    return docker_client_list(watch->client, &query, &watched_labels, &handlers);
}

int watch_ask_for_survey(struct watch *watch)
{
    /* In any state: of those that run the gate takes it for the question who we are (WALL-7). */
    static const struct docker_container_query everybody = {.in_any_state = true};
    const struct docker_container_handlers handlers = {on_joined_container, on_any_odd_container, on_survey_answered,
                                                       watch};
    struct path_question *question = path_survey_ask(watch->survey, clock_monotonic_microseconds());
    uint64_t next_due = path_survey_next_due(watch->survey);

    if (next_due < UINT64_MAX)
        watch_set_timer_at(watch->survey_source, next_due);
    watch->request = question->kind == PATH_QUESTION_NONE ? REQUEST_NONE : REQUEST_SURVEY;
    switch (question->kind) {
    case PATH_QUESTION_NETWORK:
        return docker_client_inspect_network(watch->client, question->id, &question->network, on_survey_answered,
                                             watch);
    case PATH_QUESTION_JOINED:
        return docker_client_list(watch->client, &everybody, &watched_labels, &handlers);
    case PATH_QUESTION_NONE:
    default:
        return 0;
    }
}

int watch_ask_for_network(struct watch *watch, const char *network_id, struct docker_network *record)
{
    watch->request = REQUEST_NETWORK;
    return docker_client_inspect_network(watch->client, network_id, record, on_network_inspected, watch);
}
