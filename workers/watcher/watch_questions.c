/* Questions for discovery and survey; see watch_internal.h. Runs without any privilege. */
#include "workers/watcher/watch_internal.h"

#include "common/log.h"
#include "protocol/managed_target.h"

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
    error = watch_follow_networks(watch);
    if (error < 0)
        watch_reconnect_later(watch, log_errno_text(error));
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

/* Of others outside of the scope nothing is heard. */
static void list_with_label(struct watch *watch, const char *label, docker_done_handler on_done)
{
    const struct docker_container_query query = {.labels = &label, .label_count = 1};
    const struct docker_container_handlers handlers = {on_joined_container, on_any_odd_container, on_done, watch};
    int result = docker_client_list(watch->client, &query, &watched_labels, &handlers);

    if (result < 0)
        watch_reconnect_later(watch, log_errno_text(result));
}

/* Service-anchors of a project that wraps this one (pattern Wrap) say so by their target. */
static void on_managed_joined(void *userdata, int error, const char *text)
{
    if (error < 0)
        on_survey_answered(userdata, error, text);
    else
        list_with_label(userdata, LABEL_TARGET, on_survey_answered);
}

/* Those that the keeper has made carry its label, not the scope's. */
static void on_scope_joined(void *userdata, int error, const char *text)
{
    if (error < 0)
        on_survey_answered(userdata, error, text);
    else
        list_with_label(userdata, LABEL_MANAGED_BY "=" MANAGED_BY, on_managed_joined);
}

static void on_network_inspected(void *userdata, int error, const char *text)
{
    struct watch *watch = userdata;

    if (!watch_accept_answer(watch, error, text))
        return;
    discovery_end_network(watch->discovery);
    watch_advance_discovery(watch, false);
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
    const struct docker_container_query scope = {
        .labels = (const char *const *)watch->scope_filters,
        .label_count = watch->scope_filter_count,
    };
    const struct docker_container_handlers handlers = {on_joined_container, on_any_odd_container, on_scope_joined,
                                                       watch};
    struct path_question *question = path_survey_ask(watch->survey, clock_monotonic_microseconds());
    uint64_t next_due = path_survey_next_due(watch->survey);

    if (next_due < UINT64_MAX)
        watch_set_timer_at(watch->survey_source, next_due);
    watch->request = question->kind == PATH_QUESTION_NONE ? REQUEST_NONE : REQUEST_SURVEY;
    switch (question->kind) {
    case PATH_QUESTION_NETWORK:
        return docker_client_inspect_network(watch->client, question->id, &question->network, NULL, on_survey_answered,
                                             watch);
    case PATH_QUESTION_JOINED:
        return docker_client_list(watch->client, &scope, &watched_labels, &handlers);
    case PATH_QUESTION_NONE:
    default:
        return 0;
    }
}

static void on_attached_container(void *userdata, const struct docker_attached *attached)
{
    struct watch *watch = userdata;

    attachment_put_attached(watch->attachment, attached);
}

/* There may be more to follow. */
static void end_attachment_question(struct watch *watch)
{
    int result = watch_follow_networks(watch);

    if (result < 0)
        watch_reconnect_later(watch, log_errno_text(result));
}

static void on_attachment_network(void *userdata, int error, const char *text)
{
    struct watch *watch = userdata;

    if (!watch_accept_answer(watch, watch_is_answer(error) ? 0 : error, text))
        return;
    attachment_end_inspection(watch->attachment, error);
    end_attachment_question(watch);
}

static void on_network_id(void *userdata, const char *id)
{
    struct watch *watch = userdata;

    attachment_note_network(watch->attachment, id);
}

static void on_attachment_networks(void *userdata, int error, const char *text)
{
    struct watch *watch = userdata;

    if (!watch_accept_answer(watch, watch_is_answer(error) ? 0 : error, text))
        return;
    attachment_end_networks(watch->attachment);
    end_attachment_question(watch);
}

int watch_ask_for_attachment(struct watch *watch, bool *ret_is_asking)
{
    struct docker_network *record = NULL;
    const char *id = NULL;
    enum attachment_question question = attachment_ask(watch->attachment, &id, &record);

    *ret_is_asking = question != ATTACHMENT_QUESTION_NONE;
    if (!*ret_is_asking)
        return 0;
    watch->request = REQUEST_ATTACHMENT;
    if (question == ATTACHMENT_QUESTION_NETWORK)
        return docker_client_inspect_network(watch->client, id, record, on_attached_container, on_attachment_network,
                                             watch);
    return docker_client_list_networks(watch->client, (const char *const *)watch->scope_filters,
                                       watch->scope_filter_count, on_network_id, on_attachment_networks, watch);
}

int watch_ask_for_network(struct watch *watch, const char *network_id, struct docker_network *record)
{
    watch->request = REQUEST_NETWORK;
    return docker_client_inspect_network(watch->client, network_id, record, NULL, on_network_inspected, watch);
}
