/* The containers in scope, by lists and events; see watch_internal.h. Runs without any privilege. */
#include "workers/watcher/watch_internal.h"

#include "common/log.h"
#include "common/text.h"
#include "protocol/metrics.h"

#include <string.h>

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

void watch_scope_on_event(void *userdata, const struct docker_event *event)
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
    watch_schedule_step(watch);
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

static void on_scope_listed(void *userdata, int error, const char *text)
{
    struct watch *watch = userdata;

    if (!watch_accept_answer(watch, error, text))
        return;
    container_table_end_pass(&watch->table);
    watch->has_listed = true;
    watch->last_failure[0] = '\0';
    watch_set_complete(watch, true);
    watch_advance_discovery(watch, false);
    watch->callbacks.on_changed(watch->callbacks.userdata, 0);
    watch_look_at_paths(watch);
}

static void on_changed_listed(void *userdata, int error, const char *text)
{
    struct watch *watch = userdata;
    uint64_t event_time = UINT64_MAX;

    if (!watch_accept_answer(watch, error, text))
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
        watch_advance_discovery(watch, false);
    watch->callbacks.on_changed(watch->callbacks.userdata, event_time < UINT64_MAX ? event_time : 0);
    watch_look_at_paths(watch);
}

/* --- questions ----------------------------------------------------------------------------------------- */

/* Asks for the containers in scope, all of them or those with certain IDs. */
static int list_scope(struct watch *watch, const char *const *ids, size_t id_count, docker_done_handler on_done)
{
    const char *const labels[] = {watch->project_label, watched_labels.names[WATCHED_LABEL_EXPOSE]};
    const struct docker_container_query query = {labels, ARRAY_LENGTH(labels), ids, id_count};
    const struct docker_container_handlers handlers = {on_scope_container, on_odd_container, on_done, watch};

    container_table_begin_pass(&watch->table);
    return docker_client_list(watch->client, &query, &watched_labels, &handlers);
}

int watch_scope_list_changed(struct watch *watch)
{
    const char *ids[DOCKER_FILTER_IDS_MAX];

    watch->request = REQUEST_LIST_CHANGED;
    for (size_t i = 0; i < watch->asked_count; i++)
        ids[i] = watch->asked[i].id;
    return list_scope(watch, ids, watch->asked_count, on_changed_listed);
}

int watch_scope_list(struct watch *watch)
{
    watch->request = REQUEST_LIST_SCOPE;
    watch->must_list = false;
    return list_scope(watch, NULL, 0, on_scope_listed);
}

bool watch_scope_take_changes(struct watch *watch)
{
    uint64_t next_due;

    watch->asked_count =
        changes_take(&watch->changes, clock_monotonic_microseconds(), watch->asked, ARRAY_LENGTH(watch->asked));
    if (watch->asked_count > 0)
        return true;
    next_due = changes_next_due(&watch->changes);
    if (next_due < UINT64_MAX)
        watch_set_timer_at(watch->check_source, next_due);
    return false;
}
