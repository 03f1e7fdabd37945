/* The containers in scope, by lists and events; see watch_internal.h. Runs without any privilege. */
#include "workers/watcher/watch_internal.h"

#include "common/log.h"
#include "common/text.h"
#include "protocol/metrics.h"
#include "protocol/problems.h"

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

/* DISC-2: all labels of the selector, or else the project. */
static bool is_in_scope(const struct watch *watch, bool is_selected, const struct docker_label *labels)
{
    const struct docker_label *project = &labels[WATCHED_LABEL_PROJECT];

    if (watch->selector.count > 0)
        return is_selected;
    return project->is_present && strcmp(project->text, watch->configuration.project) == 0;
}

/*
 * Docker tells of the scope's containers alone, and sends their labels with each event. Network events carry none, and
 * are of everybody on our networks: they matter for containers that we know or ask for; a container that starts is
 * asked for at its `start`, which follows its `connect`s.
 */
static bool is_relevant(const struct watch *watch, const struct docker_event *event)
{
    if (event->container_id[0] == '\0' || strcmp(event->action, "create") == 0) /* what does not run yet has no entry */
        return false;
    if (container_table_find(&watch->table, event->container_id) || is_asked_for(watch, event->container_id) ||
        namespace_owners_contain(&watch->owners, event->container_id))
        return true;
    if (event->type == DOCKER_EVENT_NETWORK)
        return watch->request == REQUEST_LIST_SCOPE;
    return is_in_scope(watch, event->is_selected, event->labels) &&
           (watch->attachment || event->labels[WATCHED_LABEL_EXPOSE].is_present || event->has_unknown_label);
}

/* No event tells what namespace a container will join, and that never changes. Asked until there is one. */
static bool is_possible_dependent(const struct watch *watch, const struct docker_event *event)
{
    return !watch->has_dependent && event->type == DOCKER_EVENT_CONTAINER && strcmp(event->action, "create") == 0 &&
           is_in_scope(watch, event->is_selected, event->labels);
}

void watch_scope_on_event(void *userdata, const struct docker_event *event)
{
    struct watch *watch = userdata;

    if (event->type == DOCKER_EVENT_CONTAINER)
        path_survey_note_event(watch->survey);
    if (discovery_is_own(watch->discovery, event->container_id))
        discovery_look_again(watch->discovery);
    if (watch->attachment)
        attachment_note_event(watch->attachment, event,
                              event->type == DOCKER_EVENT_CONTAINER &&
                                  is_in_scope(watch, event->is_selected, event->labels));
    if (is_relevant(watch, event)) {
        metrics_add(METRIC_DOCKER_EVENTS, METRIC_SOURCE_EVENT, 1);
        if (changes_note(&watch->changes, event->container_id, event->time, clock_monotonic_microseconds()) < 0)
            watch->must_list = true;
    }
    if (is_possible_dependent(watch, event) &&
        changes_note(&watch->changes, event->container_id, 0, clock_monotonic_microseconds()) < 0)
        watch->must_list = true;
    watch_schedule_step(watch);
}

/* --- answers ------------------------------------------------------------------------------------------- */

static void log_label_fault(const struct docker_container *container, const struct label_fault *fault)
{
    log_error("label is invalid: container is not exposed", LOG_PROBLEM(PROBLEM_LABEL_INVALID),
              LOG_TEXT("container", container->name), LOG_TEXT("id", container->id), LOG_TEXT("label", fault->label),
              LOG_NUMBER("position", fault->position), LOG_ERROR_TEXT(fault->reason));
}

/* Has this been said of the container? From now on it has. */
static bool is_said(struct said *said, const char *id)
{
    for (size_t i = 0; i < SAID_MAX; i++) {
        if (said->ids[i][0] != '\0' && strcmp(said->ids[i], id) == 0)
            return true;
    }
    text_copy_cut(said->ids[said->next++ % SAID_MAX], DOCKER_ID_SIZE, id);
    return false;
}

static void warn_of_unknown_label(struct watch *watch, const struct docker_container *container)
{
    if (container->unknown_label[0] == '\0' || is_said(&watch->misspelt, container->id))
        return;
    log_warn("label is unknown, probably misspelt: it does nothing", LOG_PROBLEM(PROBLEM_LABEL_UNKNOWN),
             LOG_TEXT("container", container->name), LOG_TEXT("id", container->id),
             LOG_TEXT("label", container->unknown_label),
             LOG_TEXT("did_you_mean", watched_label_nearest(container->unknown_label)));
}

/* DISC-7: it would wait for ever, and looks like one that is still starting. Said once. */
static void warn_of_missing_health_check(struct container_entry *entry)
{
    if (!entry || !container_entry_lacks_health_check(entry) || entry->is_said_to_lack_health_check)
        return;
    entry->is_said_to_lack_health_check = true;
    log_warn("container has no health check: it is not exposed, since anchord.expose.when is healthy",
             LOG_PROBLEM(PROBLEM_NO_HEALTH_CHECK), LOG_TEXT("container", entry->name), LOG_TEXT("id", entry->id));
}

static void on_scope_container(void *userdata, const struct docker_container *container)
{
    struct watch *watch = userdata;
    struct label_fault fault = {0};
    int result = namespace_owners_put(&watch->owners, container);

    if (!watch->has_dependent && !watch->attachment && container->joins_another &&
        is_in_scope(watch, container->is_selected, container->labels)) {
        watch->has_dependent = true;
        watch->callbacks.on_dependent(watch->callbacks.userdata);
    }
    if (watch->attachment && is_in_scope(watch, container->is_selected, container->labels))
        attachment_put(watch->attachment, container);
    if (container->is_running && is_in_scope(watch, container->is_selected, container->labels)) {
        warn_of_unknown_label(watch, container);
        if (result == 0 && (watch->attachment || container->labels[WATCHED_LABEL_EXPOSE].is_present ||
                            container->unknown_label[0] != '\0')) /* kept for what status tells of it */
            result = container_table_put(&watch->table, container, &fault);
    }
    if (result < 0)
        log_error("container cannot be kept", LOG_TEXT("container", container->name), LOG_ERROR(result));
    else if (fault.reason)
        log_label_fault(container, &fault);
    warn_of_missing_health_check(container_table_find(&watch->table, container->id));
}

/*
 * Said once per container, and shown as long as it is so; what we knew of it stays. Podman lists what events name
 * whatever its labels are: of those nobody knows whether they are in scope.
 */
static void on_odd_container(void *userdata, const char *id, const char *name, const char *reason)
{
    struct watch *watch = userdata;

    container_table_keep(&watch->table, id);
    if (watch_is_scoped(watch) || watch->request == REQUEST_LIST_SCOPE)
        container_table_put_odd(&watch->table, id, name, reason);
    if (watch->attachment)
        attachment_keep(watch->attachment, id);
    if (!is_said(&watch->odd, id))
        log_warn("odd container in Docker's list, ignoring", LOG_PROBLEM(PROBLEM_CONTAINER_NOT_UNDERSTOOD),
                 LOG_TEXT("container", name), LOG_TEXT("id", id), LOG_ERROR_TEXT(reason));
}

/* The table is as Docker says: who has joined whose namespace, and what follows. */
static void tell_changes(struct watch *watch, uint64_t event_time)
{
    int result = namespace_owners_resolve(&watch->owners, &watch->table);

    if (result < 0)
        log_error("network namespaces cannot be followed", LOG_ERROR(result));
    watch_advance_discovery(watch, false);
    watch->callbacks.on_changed(watch->callbacks.userdata, event_time);
    watch_schedule_look_at_paths(watch);
}

static void on_scope_listed(void *userdata, int error, const char *text)
{
    struct watch *watch = userdata;

    if (!watch_accept_answer(watch, error, text))
        return;
    container_table_end_pass(&watch->table);
    namespace_owners_doubt(&watch->owners);
    if (watch->attachment)
        attachment_end_pass(watch->attachment);
    watch->has_listed = true;
    watch->last_failure[0] = '\0';
    watch_set_complete(watch, true);
    tell_changes(watch, 0);
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
        if (watch->attachment)
            attachment_end_pass_for(watch->attachment, asked->id);
        if (asked->event_time > 0 && asked->event_time < event_time)
            event_time = asked->event_time;
    }
    namespace_owners_end_pass(&watch->owners, watch_is_scoped(watch));
    changes_put_back(&watch->changes, watch->asked, watch->asked_count, clock_monotonic_microseconds());
    watch->asked_count = 0;
    tell_changes(watch, event_time < UINT64_MAX ? event_time : 0);
}

static void on_owners_listed(void *userdata, int error, const char *text)
{
    struct watch *watch = userdata;

    if (!watch_accept_answer(watch, error, text))
        return;
    namespace_owners_end_pass(&watch->owners, watch_is_scoped(watch));
    tell_changes(watch, 0);
}

static void on_attached(void *userdata, const struct docker_attached *attached)
{
    struct watch *watch = userdata;
    int result = namespace_owners_put_attached(&watch->owners, watch->searched_id, attached);

    if (result < 0)
        log_error("container cannot be kept", LOG_TEXT("container", attached->name), LOG_ERROR(result));
}

/* A network that has gone, or may not be asked for, has nobody. */
static void on_searched(void *userdata, int error, const char *text)
{
    struct watch *watch = userdata;
    if (!watch_accept_answer(watch, watch_is_answer(error) ? 0 : error, text))
        return;
    if (watch_network_at(watch, ++watch->search_place))
        return;
    watch->search_place = 0;
    namespace_owners_end_search(&watch->owners);
    tell_changes(watch, 0);
}

/* Without an answer it counts as not healthy, and as being in a namespace of its own. */
static void on_inspected(void *userdata, int error, const char *text)
{
    struct watch *watch = userdata;
    struct container_entry *entry = container_table_find(&watch->table, watch->inspected_id);
    bool has_changed = false;

    if (!watch_accept_answer(watch, watch_is_answer(error) ? 0 : error, text))
        return;
    if (!entry || !entry->must_be_inspected)
        return;
    entry->must_be_inspected = false;
    if (error == 0) {
        error = container_entry_take_inspection(entry, &watch->inspection, &has_changed);
        watch->table.has_joined |= entry->joined_id != NULL;
        text = log_errno_text(error);
    }
    if (error < 0 && error != -ENOENT && !is_said(&watch->not_inspected, entry->id))
        log_warn(entry->waits_for_health ? "health of a container is not known: it is withheld"
                                         : "namespace of a container is not known",
                 LOG_PROBLEM(PROBLEM_CONTAINER_NOT_UNDERSTOOD), LOG_TEXT("container", entry->name),
                 LOG_TEXT("id", entry->id), LOG_ERROR_TEXT(text));
    warn_of_missing_health_check(entry);
    if (has_changed)
        tell_changes(watch, 0);
}

/* --- questions ----------------------------------------------------------------------------------------- */

/* Asks for the containers with certain IDs, or for all in scope. */
static int list(struct watch *watch, const char *const *ids, size_t id_count, docker_done_handler on_done)
{
    const struct docker_container_query query = {
        .labels = (const char *const *)watch->scope_filters,
        .label_count = id_count > 0 && !watch_is_scoped(watch) ? 0 : watch->scope_filter_count,
        .ids = ids,
        .id_count = id_count,
        .in_any_state = watch->attachment || !watch->has_dependent,
    };
    const struct docker_container_handlers handlers = {on_scope_container, on_odd_container, on_done, watch};

    namespace_owners_begin_pass(&watch->owners, ids, id_count);
    container_table_begin_pass(&watch->table);
    if (watch->attachment)
        attachment_begin_pass(watch->attachment, id_count == 0);
    return docker_client_list(watch->client, &query, &watch->labels, &handlers);
}

int watch_scope_list_changed(struct watch *watch)
{
    const char *ids[DOCKER_FILTER_IDS_MAX];

    watch->request = REQUEST_LIST_CHANGED;
    for (size_t i = 0; i < watch->asked_count; i++)
        ids[i] = watch->asked[i].id;
    return list(watch, ids, watch->asked_count, on_changed_listed);
}

int watch_scope_list_owners(struct watch *watch, bool *ret_is_asking)
{
    const char *ids[DOCKER_FILTER_IDS_MAX];
    size_t count = namespace_owners_unknown(&watch->owners, ids, ARRAY_LENGTH(ids));

    *ret_is_asking = count > 0;
    if (count == 0)
        return 0;
    watch->request = REQUEST_LIST_OWNERS;
    return list(watch, ids, count, on_owners_listed);
}

int watch_scope_search_owners(struct watch *watch, bool *ret_is_asking)
{
    const char *id = watch_network_at(watch, watch->search_place);

    if (!id) {
        watch->search_place = 0; /* they are others than before */
        id = watch_network_at(watch, 0);
    }
    *ret_is_asking = id && (watch->search_place > 0 || namespace_owners_begin_search(&watch->owners));
    if (!*ret_is_asking)
        return 0;
    watch->request = REQUEST_SEARCH;
    text_copy_cut(watch->searched_id, sizeof(watch->searched_id), id);
    return docker_client_inspect_network(watch->client, watch->searched_id, &watch->searched, on_attached, on_searched,
                                         watch);
}

/* It has come: it is healthy. */
static void on_healthy_container(void *userdata, const struct docker_container *container)
{
    struct watch *watch = userdata;

    if (strcmp(container->id, watch->inspected_id) == 0)
        watch->inspection.health = DOCKER_HEALTH_HEALTHY;
}

/*
 * Docker's list hides the health of a paused container, but is filtered by it; so no inspection is needed, which would
 * show the environment (WALL-7). Engines 28.5 and 20.10 call it unhealthy for so long. Not among the healthy: which of
 * the others it is, it may still become.
 */
static int list_if_healthy(struct watch *watch)
{
    const char *const ids[] = {watch->inspected_id};
    const struct docker_container_query query = {
        .labels = (const char *const *)watch->scope_filters,
        .label_count = watch->scope_filter_count,
        .ids = ids,
        .id_count = 1,
        .health = "healthy",
    };
    const struct docker_container_handlers handlers = {on_healthy_container, on_odd_container, on_inspected, watch};

    watch->inspection = (struct docker_inspection){.health = DOCKER_HEALTH_STARTING};
    return docker_client_list(watch->client, &query, &watch->labels, &handlers);
}

int watch_scope_inspect(struct watch *watch, bool *ret_is_asking)
{
    const struct container_entry *entry = container_table_find_to_ask_about(&watch->table);

    *ret_is_asking = entry != NULL;
    if (!entry)
        return 0;
    watch->request = REQUEST_INSPECTION;
    text_copy_cut(watch->inspected_id, sizeof(watch->inspected_id), entry->id);
    if (entry->tells_network_mode)
        return list_if_healthy(watch);
    return docker_client_inspect_container(watch->client, watch->inspected_id, &watch->inspection, on_inspected, watch);
}

int watch_scope_list(struct watch *watch)
{
    watch->request = REQUEST_LIST_SCOPE;
    watch->must_list = false;
    return list(watch, NULL, 0, on_scope_listed);
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

/* --- configuration ------------------------------------------------------------------------------------- */

static int add_filter(struct watch *watch, const char *key, const char *value)
{
    char *filter = docker_label_filter(key, value);

    if (!filter)
        return -ENOMEM;
    watch->scope_filters[watch->scope_filter_count++] = filter;
    return 0;
}

int watch_scope_initialise(struct watch *watch)
{
    const char *text = watch->configuration.label_selector;
    struct label_selector_error error;
    int result = 0;

    watch->labels = watched_labels;
    if (text[0] == '\0')
        return add_filter(watch, watched_labels.names[WATCHED_LABEL_PROJECT], watch->configuration.project);
    result = label_selector_parse(text, &watch->selector, &error); /* the protocol's gate has let it through */
    watch->labels.selector = &watch->selector;
    for (size_t i = 0; i < watch->selector.count && result == 0; i++)
        result = add_filter(watch, label_selector_key(&watch->selector, i), label_selector_value(&watch->selector, i));
    return result;
}

void watch_scope_release(struct watch *watch)
{
    for (size_t i = 0; i < watch->scope_filter_count; i++)
        free(watch->scope_filters[i]);
    namespace_owners_release(&watch->owners);
    container_table_release(&watch->table);
}
