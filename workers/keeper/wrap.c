/* The job of a wrap-rebinder; see wrap.h. Runs without any privilege. */
#include "workers/keeper/wrap.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"
#include "protocol/metrics.h"
#include "workers/keeper/memory.h"
#include "workers/keeper/recreation.h"
#include "workers/keeper/repair.h"

#include <stdio.h>
#include <string.h>

/* What an engine does to several containers at once becomes one look. */
#define EVENT_DELAY (50 * MICROSECONDS_PER_MILLISECOND)
/* A recreation that nobody has moved on for so long, besides the time that a stop may take, has lost its keeper. */
#define UNATTENDED (30 * MICROSECONDS_PER_SECOND)
/* More containers of one project in others' namespaces are not looked at. */
#define CANDIDATES_MAX 1024
#define COMMAND_SIZE   320

struct candidate {
    char id[DOCKER_ID_SIZE];
    char name[NAME_SIZE];
};

struct wrap {
    const struct message_configure_keeper *configuration;
    struct session *session;
    struct recreation *recreation;
    struct memory memory;
    char *project_filter; /* label=value */
    sd_event_source *poll_timer;
    sd_event_source *look_timer;
    bool is_connected;
    bool is_looking;
    bool must_look_again;
    bool resumes_at_once; /* what is half-done was done by our predecessor, or by us before the connection broke */
    struct candidate *candidates;
    size_t candidate_count;
    size_t next_candidate;
    uint64_t wake_at; /* when something that waits for its time can go on; UINT64_MAX: never */
    size_t dead_count;
    /* of the candidate that is looked at */
    struct memory_entry *entry;
    struct inspection dependent;
    struct inspection target; /* of a half-done recreation the new container */
    struct journal journal;
    bool is_asked_by_id;
    uint64_t repair_started_at;
};

static void look_at_next(struct wrap *wrap);

static void set_timer(sd_event_source *source, uint64_t delay)
{
    (void)sd_event_source_set_time_relative(source, delay); /* a source of our own: neither call can fail */
    (void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static void release_candidates(struct wrap *wrap)
{
    free_pointer(&wrap->candidates);
    wrap->candidate_count = wrap->next_candidate = 0;
    inspection_release(&wrap->dependent);
    inspection_release(&wrap->target);
}

/* False: the connection has gone, and with it this look. */
static bool is_answered(struct wrap *wrap, int error, const char *text)
{
    if (command_was_answered(error) || error == -EMSGSIZE)
        return true;
    session_fail(wrap->session, text);
    return false;
}

/* The end of a question that could not even be put: as if the connection were lost. */
static void check_sent(struct wrap *wrap, int result)
{
    if (result < 0)
        session_fail(wrap->session, log_errno_text(result));
}

/* --- repairing ------------------------------------------------------------------------------------------- */

static void note_result(struct wrap *wrap, bool is_done)
{
    metrics_add(METRIC_REBINDS, is_done ? METRIC_OK : METRIC_ERROR, 1);
    wrap->must_look_again = true; /* others may be pinned to this one */
}

static int64_t milliseconds_since(uint64_t started)
{
    return (int64_t)((clock_monotonic_microseconds() - started) / MICROSECONDS_PER_MILLISECOND);
}

static void on_repaired(void *userdata, int error, const char *text)
{
    struct wrap *wrap = userdata;

    if (!is_answered(wrap, error, text))
        return;
    note_result(wrap, error == 0);
    if (error == 0)
        log_info("container repaired", LOG_TEXT("container", wrap->dependent.name),
                 LOG_NUMBER("milliseconds", milliseconds_since(wrap->repair_started_at)));
    else
        log_error("container cannot be repaired, trying again later", LOG_TEXT("container", wrap->dependent.name),
                  LOG_ERROR_TEXT(text));
    look_at_next(wrap);
}

static void on_recreated(void *userdata, enum recreation_result result, const char *text)
{
    struct wrap *wrap = userdata;
    const char *name = wrap->entry->name;

    note_result(wrap, result == RECREATION_DONE);
    switch (result) {
    case RECREATION_DONE:
        log_info("container recreated", LOG_TEXT("container", name),
                 LOG_NUMBER("milliseconds", milliseconds_since(wrap->repair_started_at)));
        break;
    case RECREATION_TAKEN_BACK:
        log_error("container cannot be recreated, the old one is as it was; trying again later",
                  LOG_TEXT("container", name), LOG_ERROR_TEXT(text));
        break;
    case RECREATION_STUCK:
        log_error("a recreation could neither be finished nor taken back, trying again later",
                  LOG_TEXT("container", name), LOG_ERROR_TEXT(text));
        break;
    case RECREATION_INTERRUPTED:
    default:
        wrap->resumes_at_once = true;
        session_fail(wrap->session, text);
        return;
    }
    look_at_next(wrap);
}

/* Notes an attempt; false: its time has not come, and it is remembered. */
static bool may_try(struct wrap *wrap)
{
    uint64_t now = clock_monotonic_microseconds();
    uint64_t next = memory_next_attempt(wrap->entry);

    if (next > now) {
        wrap->wake_at = next < wrap->wake_at ? next : wrap->wake_at;
        return false;
    }
    memory_note_attempt(wrap->entry, now);
    wrap->repair_started_at = now;
    return true;
}

static void recreate(struct wrap *wrap)
{
    const char *reason = NULL;
    int result;

    log_info("recreating container: its target has another ID now", LOG_TEXT("container", wrap->dependent.name),
             LOG_TEXT("target", wrap->target.name), LOG_TEXT("was_in", wrap->dependent.joined));
    result = recreation_start(wrap->recreation, &wrap->dependent, wrap->target.name, &reason);
    if (result == 0)
        return;
    note_result(wrap, false);
    log_error("container cannot be recreated", LOG_TEXT("container", wrap->dependent.name),
              LOG_ERROR_TEXT(result == -EINVAL ? reason : log_errno_text(result)));
    look_at_next(wrap);
}

static void repair(struct wrap *wrap, enum repair repair)
{
    struct docker_client *client = session_client(wrap->session);

    if (!may_try(wrap)) {
        look_at_next(wrap);
    } else if (repair == REPAIR_RECREATE) {
        recreate(wrap);
    } else if (repair == REPAIR_RESTART) {
        log_info("restarting container: its target was started after it", LOG_TEXT("container", wrap->dependent.name),
                 LOG_TEXT("target", wrap->target.name));
        check_sent(wrap, command_restart(client, wrap->dependent.id, wrap->configuration->stop_timeout_milliseconds,
                                         on_repaired, wrap));
    } else {
        log_info("auto-starting sibling waiting for target", LOG_TEXT("container", wrap->dependent.name),
                 LOG_TEXT("target", wrap->target.name));
        check_sent(wrap, command_start(client, wrap->dependent.id, on_repaired, wrap));
    }
}

/* --- an ordinary container ------------------------------------------------------------------------------- */

/* LIFE-4. Said once, until it is well again. */
static void report_unknown_target(struct wrap *wrap)
{
    const struct inspection *dependent = &wrap->dependent;
    char command[COMMAND_SIZE];

    if (wrap->entry->is_reported)
        return;
    wrap->entry->is_reported = true;
    (void)snprintf(command, sizeof(command), "docker compose -p %s up -d --no-deps --force-recreate %s",
                   dependent->project, dependent->service);
    log_error("dependent in dead netns, and nobody knows the name of its target: set the label anchord.target",
              LOG_TEXT("container", dependent->name), LOG_TEXT("target", dependent->joined),
              LOG_TEXT("command", command));
}

static void wait_for_target(struct wrap *wrap)
{
    if (!wrap->entry->is_reported)
        log_info("waiting for the target to run", LOG_TEXT("container", wrap->dependent.name),
                 LOG_TEXT("target", wrap->target.id[0] ? wrap->target.name : wrap->dependent.target_name));
    wrap->entry->is_reported = true;
}

static void judge(struct wrap *wrap, bool has_target)
{
    enum repair chosen = repair_choose(&wrap->dependent, has_target ? &wrap->target : NULL);

    if (has_target && inspection_is(&wrap->target, wrap->dependent.joined) &&
        strcmp(wrap->entry->joined, wrap->dependent.joined) != 0) {
        memcpy(wrap->entry->joined, wrap->dependent.joined, sizeof(wrap->entry->joined));
        memcpy(wrap->entry->target_name, wrap->target.name, sizeof(wrap->entry->target_name));
    }
    wrap->dead_count += chosen != REPAIR_NONE;
    switch (chosen) {
    case REPAIR_NONE:
        wrap->entry->is_reported = false;
        look_at_next(wrap);
        return;
    case REPAIR_WAIT:
        if (!has_target && wrap->is_asked_by_id)
            report_unknown_target(wrap);
        else
            wait_for_target(wrap);
        look_at_next(wrap);
        return;
    case REPAIR_START:
    case REPAIR_RESTART:
    case REPAIR_RECREATE:
    default:
        repair(wrap, chosen);
    }
}

/* Says what is odd; true: go on with it. */
static bool is_usable(struct wrap *wrap, struct inspection *inspection, int error, const char *text)
{
    const char *reason = text;

    if (error == 0)
        error = inspection_read(inspection, &reason);
    if (error < 0 && error != -ENOENT)
        log_warn("container cannot be looked at, leaving it alone",
                 LOG_TEXT("container", wrap->candidates[wrap->next_candidate - 1].name), LOG_ERROR_TEXT(reason));
    return error == 0;
}

static void on_target(void *userdata, int error, const char *text)
{
    struct wrap *wrap = userdata;

    if (!is_answered(wrap, error, text))
        return;
    if (is_usable(wrap, &wrap->target, error, text))
        judge(wrap, true);
    else if (error == -ENOENT)
        judge(wrap, false);
    else
        look_at_next(wrap);
}

static void ask_for_target(struct wrap *wrap)
{
    const struct inspection *dependent = &wrap->dependent;
    const char *remembered = strcmp(wrap->entry->joined, dependent->joined) == 0 ? wrap->entry->target_name : "";
    const char *reference = dependent->target_name[0] ? dependent->target_name
                            : remembered[0]           ? remembered
                                                      : dependent->joined;

    wrap->is_asked_by_id = reference == dependent->joined;
    check_sent(wrap, docker_client_inspect_whole(session_client(wrap->session), reference, &wrap->target.document,
                                                 on_target, wrap));
}

/* --- a half-done recreation ------------------------------------------------------------------------------ */

/* Has nobody moved it on for a while? Another keeper may be at it. */
static bool is_unattended(struct wrap *wrap, bool has_new)
{
    uint64_t now = clock_monotonic_microseconds();
    uint64_t patience = UNATTENDED + wrap->configuration->stop_timeout_milliseconds * MICROSECONDS_PER_MILLISECOND;
    uint32_t state =
        (has_new ? 1U : 0U) | (has_new && wrap->target.is_running ? 2U : 0U) | (wrap->dependent.is_running ? 4U : 0U);
    struct memory_entry *entry = wrap->entry;

    if (wrap->resumes_at_once)
        return true;
    if (entry->unattended_since == 0 || entry->unattended_state != state) {
        entry->unattended_since = now;
        entry->unattended_state = state;
    }
    if (now >= entry->unattended_since + patience)
        return true;
    if (entry->unattended_since + patience < wrap->wake_at)
        wrap->wake_at = entry->unattended_since + patience;
    return false;
}

static void resume(struct wrap *wrap, bool has_new)
{
    int result;

    if (!is_unattended(wrap, has_new) || !may_try(wrap)) {
        look_at_next(wrap);
        return;
    }
    wrap->entry->unattended_since = 0;
    log_warn(has_new ? "going on with a recreation that was left half-done"
                     : "taking back a recreation that was left half-done",
             LOG_TEXT("container", wrap->journal.name), LOG_TEXT("old", wrap->dependent.id));
    result = recreation_resume(wrap->recreation, &wrap->dependent, &wrap->journal, has_new ? wrap->target.id : NULL,
                               has_new && wrap->target.is_running);
    if (result < 0)
        look_at_next(wrap);
}

static void on_replacement(void *userdata, int error, const char *text)
{
    struct wrap *wrap = userdata;
    bool is_there;

    if (!is_answered(wrap, error, text))
        return;
    is_there = is_usable(wrap, &wrap->target, error, text);
    wrap->dead_count++;
    if (!is_there && error != -ENOENT) {
        look_at_next(wrap);
    } else if (is_there && strcmp(wrap->target.replaces, wrap->dependent.id) != 0) {
        if (!wrap->entry->is_reported)
            log_error("a recreation was left half-done, and somebody else has made a container of that name: remove "
                      "the one that is not wanted",
                      LOG_TEXT("container", wrap->journal.name), LOG_TEXT("old", wrap->dependent.name));
        wrap->entry->is_reported = true;
        look_at_next(wrap);
    } else {
        resume(wrap, is_there);
    }
}

/* --- a look ---------------------------------------------------------------------------------------------- */

static void on_dependent(void *userdata, int error, const char *text)
{
    struct wrap *wrap = userdata;
    bool is_half_done;

    if (!is_answered(wrap, error, text))
        return;
    if (!is_usable(wrap, &wrap->dependent, error, text)) {
        look_at_next(wrap);
        return;
    }
    is_half_done = journal_parse(wrap->dependent.name, &wrap->journal) == 0;
    wrap->entry = memory_see(&wrap->memory, is_half_done ? wrap->journal.name : wrap->dependent.name);
    if (!wrap->entry)
        check_sent(wrap, -ENOMEM);
    else if (is_half_done)
        check_sent(wrap, docker_client_inspect_whole(session_client(wrap->session), wrap->journal.name,
                                                     &wrap->target.document, on_replacement, wrap));
    else
        ask_for_target(wrap);
}

static void end_look(struct wrap *wrap)
{
    uint64_t now = clock_monotonic_microseconds();

    release_candidates(wrap);
    memory_sweep(&wrap->memory);
    metrics_set(METRIC_DEAD_NETNS_DEPENDENTS, 0, wrap->dead_count);
    wrap->is_looking = false;
    wrap->resumes_at_once = false;
    if (wrap->must_look_again)
        set_timer(wrap->look_timer, EVENT_DELAY);
    else if (wrap->wake_at != UINT64_MAX)
        set_timer(wrap->look_timer, wrap->wake_at > now ? wrap->wake_at - now : 0);
}

static void look_at_next(struct wrap *wrap)
{
    inspection_release(&wrap->dependent);
    inspection_release(&wrap->target);
    if (wrap->next_candidate == wrap->candidate_count) {
        end_look(wrap);
        return;
    }
    check_sent(wrap,
               docker_client_inspect_whole(session_client(wrap->session), wrap->candidates[wrap->next_candidate++].id,
                                           &wrap->dependent.document, on_dependent, wrap));
}

static void on_container(void *userdata, const struct docker_container *container)
{
    struct wrap *wrap = userdata;
    struct journal journal;
    struct candidate *candidate;

    if (!container->joins_another && journal_parse(container->name, &journal) < 0)
        return;
    if (wrap->candidate_count == CANDIDATES_MAX)
        return;
    candidate = reallocarray(wrap->candidates, wrap->candidate_count + 1, sizeof(*candidate));
    if (!candidate) {
        log_error("container left out of this look", LOG_TEXT("container", container->name), LOG_ERROR(-ENOMEM));
        return;
    }
    wrap->candidates = candidate;
    candidate += wrap->candidate_count++;
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
    struct wrap *wrap = userdata;

    if (error < 0)
        session_fail(wrap->session, text);
    else
        look_at_next(wrap);
}

static void look(struct wrap *wrap)
{
    static const struct docker_label_names no_labels = {0};
    const char *filters[] = {wrap->project_filter};
    const struct docker_container_query query = {
        .labels = filters,
        .label_count = ARRAY_LENGTH(filters),
        .in_any_state = true,
    };
    const struct docker_container_handlers handlers = {on_container, on_odd_container, on_listed, wrap};

    if (!wrap->is_connected)
        return;
    if (wrap->is_looking) {
        wrap->must_look_again = true;
        return;
    }
    wrap->is_looking = true;
    wrap->must_look_again = false;
    wrap->wake_at = UINT64_MAX;
    wrap->dead_count = 0;
    check_sent(wrap, docker_client_list(session_client(wrap->session), &query, &no_labels, &handlers));
}

static int on_look_time(sd_event_source *source, uint64_t planned, void *userdata)
{
    (void)source;
    (void)planned;
    look(userdata);
    return 0;
}

static int on_poll_time(sd_event_source *source, uint64_t planned, void *userdata)
{
    struct wrap *wrap = userdata;

    (void)planned;
    set_timer(source, wrap->configuration->poll_interval_milliseconds * MICROSECONDS_PER_MILLISECOND);
    look(wrap);
    return 0;
}

void wrap_on_connected(struct wrap *wrap)
{
    wrap->is_connected = true;
    set_timer(wrap->poll_timer, 0);
}

void wrap_on_lost(struct wrap *wrap)
{
    if (recreation_is_running(wrap->recreation))
        wrap->resumes_at_once = true;
    recreation_interrupt(wrap->recreation);
    wrap->is_connected = false;
    wrap->is_looking = false;
    release_candidates(wrap);
}

void wrap_on_event(struct wrap *wrap, const struct docker_event *event)
{
    if (event->type != DOCKER_EVENT_CONTAINER)
        return;
    if (wrap->is_looking)
        wrap->must_look_again = true;
    else
        set_timer(wrap->look_timer, EVENT_DELAY);
}

/* --- construction ---------------------------------------------------------------------------------------- */

static int add_timer(sd_event *event, sd_event_source **ret, sd_event_time_handler_t on_time, struct wrap *wrap)
{
    int result = sd_event_add_time(event, ret, CLOCK_MONOTONIC, 0, MICROSECONDS_PER_MILLISECOND, on_time, wrap);

    return result < 0 ? result : sd_event_source_set_enabled(*ret, SD_EVENT_OFF);
}

int wrap_new(sd_event *event, struct session *session, const struct message_configure_keeper *configuration,
             struct wrap **ret)
{
    CLEANUP(wrap_freep) struct wrap *wrap = calloc(1, sizeof(*wrap));
    int result;

    if (!wrap)
        return -ENOMEM;
    wrap->configuration = configuration;
    wrap->session = session;
    wrap->resumes_at_once = configuration->is_successor == 1;
    if (asprintf(&wrap->project_filter, "com.docker.compose.project=%s", configuration->project) < 0) {
        wrap->project_filter = NULL;
        return -ENOMEM;
    }
    result = add_timer(event, &wrap->poll_timer, on_poll_time, wrap);
    if (result >= 0)
        result = add_timer(event, &wrap->look_timer, on_look_time, wrap);
    if (result >= 0)
        result = recreation_new(event, session_client(session), configuration->stop_timeout_milliseconds, on_recreated,
                                wrap, &wrap->recreation);
    if (result < 0)
        return result;
    *ret = TAKE_POINTER(wrap);
    return 0;
}

struct wrap *wrap_free(struct wrap *wrap)
{
    if (!wrap)
        return NULL;
    (void)recreation_free(wrap->recreation);
    release_candidates(wrap);
    memory_release(&wrap->memory);
    sd_event_source_disable_unref(wrap->poll_timer);
    sd_event_source_disable_unref(wrap->look_timer);
    free(wrap->project_filter);
    free(wrap);
    return NULL;
}
