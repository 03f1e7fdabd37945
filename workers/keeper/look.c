/* A look at all containers of a scope; see look.h. Runs without any privilege. */
#include "workers/keeper/look.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"

#include <stdio.h>
#include <string.h>

/* What an engine does to several containers at once becomes one look. */
#define EVENT_DELAY (50 * MICROSECONDS_PER_MILLISECOND)
/* Until one that had another name than in the list is looked at again. */
#define RENAMED_DELAY MICROSECONDS_PER_SECOND
/* More containers of one scope in others' namespaces are not looked at. */
#define CANDIDATES_MAX 1024

struct candidate {
    char id[DOCKER_ID_SIZE];
    char name[NAME_SIZE];
    bool is_half_done;
    struct journal journal; /* of one that is half-done */
};

struct look {
    struct session *session;
    struct look_callbacks callbacks;
    struct memory memory;
    struct label_selector scope;
    char *filters[LABEL_SELECTOR_PAIRS_MAX]; /* the same, as Docker's list takes them */
    uint64_t poll_interval;
    sd_event_source *poll_timer;
    sd_event_source *look_timer;
    bool is_connected;
    bool is_looking;
    bool must_look_again;
    uint64_t wake_at; /* when something that waits for its time can go on; UINT64_MAX: never */
    struct candidate *candidates;
    size_t candidate_count;
    size_t next_candidate;
    /* of the candidate that is looked at */
    struct memory_entry *entry;
    struct inspection container;
};

static void set_timer(sd_event_source *source, uint64_t delay)
{
    (void)sd_event_source_set_time_relative(source, delay); /* a source of our own: neither call can fail */
    (void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static void release_candidates(struct look *look)
{
    free_pointer(&look->candidates);
    look->candidate_count = look->next_candidate = 0;
    inspection_release(&look->container);
}

const struct memory *look_memory(const struct look *look)
{
    return &look->memory;
}

void look_note_failure(struct look *look, const char *message, const char *reason)
{
    char finding[FINDING_REASON_SIZE];

    (void)snprintf(finding, sizeof(finding), "%s: %s", message, reason);
    if (memory_note_finding(look->entry, finding))
        log_error(message, LOG_TEXT("container", look->entry->name), LOG_ERROR_TEXT(reason));
    else
        log_debug(message, LOG_TEXT("container", look->entry->name), LOG_ERROR_TEXT(reason));
}

/* --- one container after the other ----------------------------------------------------------------------- */

static void on_inspected(void *userdata, int error, const char *text)
{
    struct look *look = userdata;
    const struct candidate *candidate = &look->candidates[look->next_candidate - 1];
    const char *reason = text;

    if (!session_check_answer(look->session, error, text))
        return;
    if (error == 0)
        error = inspection_read(&look->container, &reason);
    if (error == 0 && strcmp(look->container.name, candidate->name) != 0) {
        /* Another keeper has begun with it since it was listed, or has ended: what it is now is for a new look. */
        look_wake_at(look, clock_monotonic_microseconds() + RENAMED_DELAY);
        look_continue(look);
        return;
    }
    if (error == 0) {
        look->callbacks.on_container(look->callbacks.userdata, look->entry, &look->container,
                                     candidate->is_half_done ? &candidate->journal : NULL);
        return;
    }
    if (error != -ENOENT) /* else it has gone since it was listed */
        look_note_failure(look, "container cannot be looked at, leaving it alone", reason);
    look_continue(look);
}

/* The new container of a recreation that is half-done: whoever looks at the old one decides about both. */
static bool is_successor(const struct look *look, const struct candidate *candidate)
{
    for (size_t i = 0; i < look->candidate_count; i++) {
        if (look->candidates[i].is_half_done && strcmp(look->candidates[i].journal.name, candidate->name) == 0)
            return true;
    }
    return false;
}

static void end(struct look *look)
{
    uint64_t now = clock_monotonic_microseconds();

    release_candidates(look);
    memory_sweep(&look->memory);
    look->is_looking = false;
    look->callbacks.on_end(look->callbacks.userdata);
    if (look->must_look_again)
        set_timer(look->look_timer, EVENT_DELAY);
    else if (look->wake_at != UINT64_MAX)
        set_timer(look->look_timer, look->wake_at > now ? look->wake_at - now : 0);
}

void look_continue(struct look *look)
{
    const struct candidate *candidate;

    inspection_release(&look->container);
    while (look->next_candidate < look->candidate_count && is_successor(look, &look->candidates[look->next_candidate]))
        look->next_candidate++;
    if (look->next_candidate == look->candidate_count) {
        end(look);
        return;
    }
    candidate = &look->candidates[look->next_candidate++];
    look->entry = memory_see(&look->memory, candidate->is_half_done ? candidate->journal.name : candidate->name);
    session_check_sent(look->session, look->entry
                                          ? docker_client_inspect_whole(session_client(look->session), candidate->id,
                                                                        &look->container.document, on_inspected, look)
                                          : -ENOMEM);
}

/* --- the list of them ------------------------------------------------------------------------------------ */

static void on_container(void *userdata, const struct docker_container *container)
{
    struct look *look = userdata;
    struct journal journal = {0};
    bool is_half_done = journal_parse(container->name, &journal) == 0;
    struct candidate *candidate;

    if (!container->is_selected || (!container->joins_another && !is_half_done))
        return;
    if (look->candidate_count == CANDIDATES_MAX)
        return;
    candidate = reallocarray(look->candidates, look->candidate_count + 1, sizeof(*candidate));
    if (!candidate) {
        log_error("container left out of this look", LOG_TEXT("container", container->name), LOG_ERROR(-ENOMEM));
        return;
    }
    look->candidates = candidate;
    candidate += look->candidate_count++;
    *candidate = (struct candidate){.is_half_done = is_half_done, .journal = journal};
    memcpy(candidate->id, container->id, sizeof(candidate->id));
    memcpy(candidate->name, container->name, sizeof(candidate->name));
}

static void on_odd_container(void *userdata, const char *id, const char *name, const char *reason)
{
    (void)userdata;
    log_debug("odd container in Docker's list, ignoring", LOG_TEXT("container", name), LOG_TEXT("id", id),
              LOG_ERROR_TEXT(reason));
}

static void on_listed(void *userdata, int error, const char *text)
{
    struct look *look = userdata;

    if (error < 0)
        session_fail(look->session, text);
    else
        look_continue(look);
}

static void begin(struct look *look)
{
    const struct docker_label_names labels = {.selector = &look->scope};
    const struct docker_container_query query = {
        .labels = (const char *const *)look->filters,
        .label_count = look->scope.count,
        .in_any_state = true,
    };
    const struct docker_container_handlers handlers = {on_container, on_odd_container, on_listed, look};

    if (!look->is_connected)
        return;
    if (look->is_looking) {
        look->must_look_again = true;
        return;
    }
    look->is_looking = true;
    look->must_look_again = false;
    look->wake_at = UINT64_MAX;
    session_check_sent(look->session, docker_client_list(session_client(look->session), &query, &labels, &handlers));
}

/* --- when ------------------------------------------------------------------------------------------------ */

static int on_look_time(sd_event_source *source, uint64_t planned, void *userdata)
{
    (void)source;
    (void)planned;
    begin(userdata);
    return 0;
}

static int on_poll_time(sd_event_source *source, uint64_t planned, void *userdata)
{
    struct look *look = userdata;

    (void)planned;
    set_timer(source, look->poll_interval);
    begin(look);
    return 0;
}

void look_again(struct look *look)
{
    look->must_look_again = true;
}

void look_wake_at(struct look *look, uint64_t time)
{
    if (time < look->wake_at)
        look->wake_at = time;
}

void look_on_connected(struct look *look)
{
    look->is_connected = true;
    set_timer(look->poll_timer, 0);
}

void look_on_lost(struct look *look)
{
    look->is_connected = false;
    look->is_looking = false;
    release_candidates(look);
}

void look_on_event(struct look *look, const struct docker_event *event)
{
    if (event->type != DOCKER_EVENT_CONTAINER)
        return;
    if (look->is_looking)
        look->must_look_again = true;
    else
        set_timer(look->look_timer, EVENT_DELAY);
}

/* --- construction ---------------------------------------------------------------------------------------- */

static int add_timer(sd_event *event, sd_event_source **ret, sd_event_time_handler_t on_time, struct look *look)
{
    int result = sd_event_add_time(event, ret, CLOCK_MONOTONIC, 0, MICROSECONDS_PER_MILLISECOND, on_time, look);

    return result < 0 ? result : sd_event_source_set_enabled(*ret, SD_EVENT_OFF);
}

static int make_filters(struct look *look)
{
    for (size_t i = 0; i < look->scope.count; i++) {
        look->filters[i] =
            docker_label_filter(label_selector_key(&look->scope, i), label_selector_value(&look->scope, i));
        if (!look->filters[i])
            return -ENOMEM;
    }
    return 0;
}

int look_new(sd_event *event, struct session *session, const struct label_selector *scope,
             uint32_t poll_interval_milliseconds, const struct look_callbacks *callbacks, struct look **ret)
{
    CLEANUP(look_freep) struct look *look = calloc(1, sizeof(*look));
    int result;

    if (!look)
        return -ENOMEM;
    look->session = session;
    look->callbacks = *callbacks;
    look->poll_interval = poll_interval_milliseconds * MICROSECONDS_PER_MILLISECOND;
    look->scope = *scope;
    result = make_filters(look);
    if (result >= 0)
        result = add_timer(event, &look->poll_timer, on_poll_time, look);
    if (result >= 0)
        result = add_timer(event, &look->look_timer, on_look_time, look);
    if (result < 0)
        return result;
    *ret = TAKE_POINTER(look);
    return 0;
}

struct look *look_free(struct look *look)
{
    if (!look)
        return NULL;
    release_candidates(look);
    memory_release(&look->memory);
    sd_event_source_disable_unref(look->poll_timer);
    sd_event_source_disable_unref(look->look_timer);
    for (size_t i = 0; i < look->scope.count; i++)
        free(look->filters[i]);
    free(look);
    return NULL;
}
