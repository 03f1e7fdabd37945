/* A look at all containers of a scope; see look.h. Runs without any privilege. */
#include "workers/keeper/look.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"
#include "protocol/event_loop.h"
#include "protocol/problems.h"
#include "workers/keeper/known.h"

#include <stdio.h>
#include <string.h>

/* What an engine does to several containers at once becomes one look. */
#define EVENT_DELAY (50 * MICROSECONDS_PER_MILLISECOND)
/* Until one that had another name than in the list is looked at again. */
#define RENAMED_DELAY MICROSECONDS_PER_SECOND
/* More containers of one scope in others' namespaces are not looked at. */
#define CANDIDATES_MAX 1024

/* What is asked of each container in the list besides the scope's labels, in this order. */
enum { MANAGED_BY_LABEL, REPLACES_LABEL, LABEL_COUNT };
static const char *const label_names[] = {[MANAGED_BY_LABEL] = LABEL_MANAGED_BY, [REPLACES_LABEL] = LABEL_REPLACES};
static_assert(LABEL_COUNT <= DOCKER_LABELS_MAX, "the list can tell all of them");

struct candidate {
    char id[DOCKER_ID_SIZE]; /* empty: there is no such container */
    char name[NAME_SIZE];
    char joined_id[DOCKER_ID_SIZE];
    bool is_selected;
    bool is_managed_by_us; /* its label says so */
    bool is_half_done;
    struct journal journal; /* of one that is half-done */
    enum look_kind kind;
    struct managed *managed; /* by its kind */
};

struct look {
    struct session *session;
    struct look_callbacks callbacks;
    struct memory memory;
    struct managed_set *managed;
    struct label_selector scope;
    char *filters[LABEL_SELECTOR_PAIRS_MAX]; /* the same, as Docker's list takes them */
    bool is_pinned;
    struct known known; /* in scope, when it is pinned */
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
    struct look_subject subject; /* the candidate that is looked at */
    struct inspection container; /* of it */
};

static void release_candidates(struct look *look)
{
    free_pointer(&look->candidates);
    look->candidate_count = look->next_candidate = 0;
    known_release(&look->known);
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
    if (memory_note_finding(look->subject.entry, finding))
        log_error(message, LOG_PROBLEM(PROBLEM_NOT_REPAIRED), LOG_TEXT("container", look->subject.entry->name),
                  LOG_ERROR_TEXT(reason));
    else
        log_debug(message, LOG_TEXT("container", look->subject.entry->name), LOG_ERROR_TEXT(reason));
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
        look->callbacks.on_container(look->callbacks.userdata, &look->subject);
        return;
    }
    if (error != -ENOENT) /* else it has gone since it was listed */
        look_note_failure(look, "container cannot be looked at, leaving it alone", reason);
    look_continue(look);
}

/* Of a half-done recreation's old container that which it will have again, or the new one has. */
static const char *name_of(const struct candidate *candidate)
{
    return candidate->is_half_done ? candidate->journal.name : candidate->name;
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
        event_loop_start_timer(look->look_timer, EVENT_DELAY);
    else if (look->wake_at != UINT64_MAX)
        event_loop_start_timer(look->look_timer, look->wake_at > now ? look->wake_at - now : 0);
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
    look->subject = (struct look_subject){
        .kind = candidate->kind,
        .managed = candidate->managed,
        .entry = memory_see(&look->memory, name_of(candidate)),
        .container = &look->container,
        .journal = candidate->is_half_done ? &candidate->journal : NULL,
    };
    if (look->subject.entry && candidate->kind == LOOK_PINNED) /* for as long as it cannot be repaired */
        memory_note_target(look->subject.entry, candidate->joined_id, candidate->managed->configured.name);
    if (!look->subject.entry)
        session_check_sent(look->session, -ENOMEM);
    else if (candidate->kind == LOOK_MISSING)
        look->callbacks.on_container(look->callbacks.userdata, &look->subject);
    else
        session_check_sent(look->session, docker_client_inspect_whole(session_client(look->session), candidate->id,
                                                                      &look->container.document, on_inspected, look));
}

/* --- the list of them ------------------------------------------------------------------------------------ */

/* NULL: there is no more room, or no memory, which has been said. */
static struct candidate *add_candidate(struct look *look, const char *name)
{
    struct candidate *candidates;

    if (look->candidate_count == CANDIDATES_MAX)
        return NULL;
    candidates = reallocarray(look->candidates, look->candidate_count + 1, sizeof(*candidates));
    if (!candidates) {
        log_error("container left out of this look", LOG_TEXT("container", name), LOG_ERROR(-ENOMEM));
        return NULL;
    }
    look->candidates = candidates;
    candidates += look->candidate_count++;
    *candidates = (struct candidate){.kind = LOOK_SCOPED};
    text_copy_cut(candidates->name, sizeof(candidates->name), name);
    return candidates;
}

/* Of a half-done recreation both are seen; the new one tells whom it replaces. */
static void note_managed(struct managed *managed, const struct candidate *candidate,
                         const struct docker_label *replaces)
{
    if (candidate->is_half_done)
        return;
    memcpy(managed->last_id, candidate->id, sizeof(managed->last_id));
    if (replaces->text[0] != '\0')
        text_copy_cut(managed->replaced_id, sizeof(managed->replaced_id), replaces->text);
}

static void on_container(void *userdata, const struct docker_container *container)
{
    struct look *look = userdata;
    struct journal journal = {0};
    bool is_half_done = journal_parse(container->name, &journal) == 0;
    struct candidate *candidate;
    struct managed *managed;

    if (look->is_pinned && container->is_selected && known_add(&look->known, container->id, container->name) < 0)
        log_error("container left out of this look", LOG_TEXT("container", container->name), LOG_ERROR(-ENOMEM));
    managed = managed_set_find(look->managed, is_half_done ? journal.name : container->name);
    if (!container->joins_another && !managed && !(container->is_selected && is_half_done))
        return;
    candidate = add_candidate(look, container->name);
    if (!candidate)
        return;
    candidate->is_selected = container->is_selected;
    candidate->is_half_done = is_half_done;
    candidate->journal = journal;
    candidate->managed = managed;
    candidate->is_managed_by_us = strcmp(container->labels[MANAGED_BY_LABEL].text, MANAGED_BY) == 0;
    memcpy(candidate->id, container->id, sizeof(candidate->id));
    memcpy(candidate->joined_id, container->joined_id, sizeof(candidate->joined_id));
    if (managed && candidate->is_managed_by_us)
        note_managed(managed, candidate, &container->labels[REPLACES_LABEL]);
}

static void on_odd_container(void *userdata, const char *id, const char *name, const char *reason)
{
    (void)userdata;
    log_debug("odd container in Docker's list, ignoring", LOG_TEXT("container", name), LOG_TEXT("id", id),
              LOG_ERROR_TEXT(reason));
}

/*
 * LIFE-3: whose predecessor is this one pinned to? Docker tells it of the last one; of one before that we know when the
 * container could not be repaired then.
 */
static struct managed *find_replaced(struct look *look, const struct candidate *candidate)
{
    struct managed *managed = managed_set_find_replaced(look->managed, candidate->joined_id);
    const struct memory_entry *entry;

    if (managed || !look->managed->repairs_dependents || candidate->joined_id[0] == '\0')
        return managed;
    entry = memory_find(&look->memory, name_of(candidate));
    managed = entry && strcmp(entry->joined, candidate->joined_id) == 0
                  ? managed_set_find(look->managed, entry->target_name)
                  : NULL;
    return managed && strcmp(managed->last_id, candidate->joined_id) != 0 ? managed : NULL;
}

/* Which it is can be told only when the whole list is known. False: it is none of our business. */
static bool classify(struct look *look, struct candidate *candidate)
{
    if (candidate->managed) {
        candidate->kind = candidate->is_managed_by_us ? LOOK_MANAGED : LOOK_FOREIGN;
        candidate->managed->is_seen = true;
        return true;
    }
    candidate->managed = find_replaced(look, candidate);
    candidate->kind = candidate->managed ? LOOK_PINNED : LOOK_SCOPED;
    return candidate->managed || candidate->is_selected;
}

static void classify_all(struct look *look)
{
    size_t kept = 0;

    for (size_t i = 0; i < look->candidate_count; i++) {
        if (classify(look, &look->candidates[i]))
            look->candidates[kept++] = look->candidates[i];
    }
    look->candidate_count = kept;
    for (size_t i = 0; i < look->managed->count; i++) {
        struct managed *managed = &look->managed->items[i];
        struct candidate *missing = managed->is_seen ? NULL : add_candidate(look, managed->configured.name);

        managed->is_seen = false;
        if (!missing)
            continue;
        missing->kind = LOOK_MISSING;
        missing->managed = managed;
    }
}

/* Whoever is not in scope is heard of only when it is asked for. More than there is room for are left to the poll. */
static void follow_joined(struct look *look)
{
    const char *ids[DOCKER_FILTER_IDS_MAX];
    size_t count = 0;

    for (size_t i = 0; i < look->candidate_count && count < ARRAY_LENGTH(ids); i++) {
        const char *id = look->candidates[i].joined_id;

        if (inspection_is_id(id) && !session_is_among(ids, count, id))
            ids[count++] = id;
    }
    if (session_follow(look->session, ids, count))
        look->must_look_again = true;
}

static void on_listed(void *userdata, int error, const char *text)
{
    struct look *look = userdata;

    if (error < 0) {
        session_fail(look->session, text);
        return;
    }
    classify_all(look);
    if (look->is_pinned)
        follow_joined(look);
    if (look->is_connected)
        look_continue(look);
}

static void begin(struct look *look)
{
    struct docker_label_names labels = {.count = LABEL_COUNT, .selector = &look->scope};
    /* Managed ones, and those that are pinned to them, are outside of every scope. */
    const struct docker_container_query query = {
        .labels = (const char *const *)look->filters,
        .label_count = look->managed->count > 0 ? 0 : look->scope.count,
        .in_any_state = true,
    };
    const struct docker_container_handlers handlers = {on_container, on_odd_container, on_listed, look};

    if (!look->is_connected)
        return;
    if (look->is_looking) {
        look->must_look_again = true;
        return;
    }
    memcpy(labels.names, label_names, sizeof(label_names));
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
    event_loop_start_timer(source, look->poll_interval);
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
    event_loop_start_timer(look->poll_timer, 0);
}

void look_on_lost(struct look *look)
{
    look->is_connected = false;
    look->is_looking = false;
    release_candidates(look);
}

void look_soon(struct look *look)
{
    if (look->is_looking)
        look->must_look_again = true;
    else
        event_loop_start_timer(look->look_timer, EVENT_DELAY);
}

void look_on_event(struct look *look, const struct docker_event *event)
{
    if (event->type == DOCKER_EVENT_CONTAINER)
        look_soon(look);
}

/* --- construction ---------------------------------------------------------------------------------------- */

void look_pin(struct look *look)
{
    static const char *const instead[] = {LABEL_SELECTOR_INSTEAD};

    look->is_pinned = true;
    if (label_selector_is_lost_in_events(&look->scope))
        session_pin(look->session, instead, ARRAY_LENGTH(instead));
    else
        session_pin(look->session, (const char *const *)look->filters, look->scope.count);
}

const char *look_find_in_scope(const struct look *look, const char *reference)
{
    return known_find(&look->known, reference);
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

int look_new(sd_event *event, struct session *session, const struct label_selector *scope, struct managed_set *managed,
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
    look->managed = managed;
    result = make_filters(look);
    if (result >= 0)
        result = event_loop_add_timer(event, CLOCK_MONOTONIC, MICROSECONDS_PER_MILLISECOND, on_poll_time, look,
                                      &look->poll_timer);
    if (result >= 0)
        result = event_loop_add_timer(event, CLOCK_MONOTONIC, MICROSECONDS_PER_MILLISECOND, on_look_time, look,
                                      &look->look_timer);
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
