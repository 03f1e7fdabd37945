/* What is done about containers in others' namespaces; see wrap.h. Runs without any privilege. */
#include "workers/keeper/wrap.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"
#include "protocol/metrics.h"
#include "workers/keeper/look.h"
#include "workers/keeper/recreation.h"
#include "workers/keeper/repair.h"
#include "workers/keeper/sibling.h"

#include <stdio.h>
#include <string.h>

/* A recreation that nobody has moved on for so long, besides the time that a stop may take, has lost its keeper. */
#define UNATTENDED (30 * MICROSECONDS_PER_SECOND)

struct wrap {
    const struct message_configure_keeper *configuration;
    struct session *session;
    struct look *look;
    struct recreation *recreation;
    struct findings_sender *findings;
    bool resumes_at_once; /* what is half-done was done by our predecessor, or by us before the connection broke */
    size_t dead_count;
    /* of the container that is looked at */
    struct memory_entry *entry;
    struct inspection *dependent;
    const struct journal *journal; /* NULL: it is an ordinary one */
    struct inspection target;      /* of a half-done recreation the new container */
    char reference[NAME_SIZE];     /* by which its target was asked for */
    bool is_asked_by_id;
    uint64_t repair_started_at;
};

/* Asks about its target, or about the new container of a half-done recreation. */
static void ask_about(struct wrap *wrap, const char *reference, docker_done_handler on_done)
{
    inspection_release(&wrap->target);
    session_check_sent(wrap->session, docker_client_inspect_whole(session_client(wrap->session), reference,
                                                                  &wrap->target.document, on_done, wrap));
}

/* --- repairing ------------------------------------------------------------------------------------------- */

static void note_result(struct wrap *wrap, bool is_done)
{
    metrics_add(METRIC_REBINDS, is_done ? METRIC_OK : METRIC_ERROR, 1);
    look_again(wrap->look); /* others may be pinned to this one */
}

/* LIFE-6: the name that belongs to the ID, which Docker forgets with its container. */
static void remember_target(struct memory_entry *entry, const char *joined, const char *name)
{
    text_copy_cut(entry->joined, sizeof(entry->joined), joined);
    text_copy_cut(entry->target_name, sizeof(entry->target_name), name);
}

static int64_t milliseconds_since(uint64_t started)
{
    return (int64_t)((clock_monotonic_microseconds() - started) / MICROSECONDS_PER_MILLISECOND);
}

static void on_repaired(void *userdata, int error, const char *text)
{
    struct wrap *wrap = userdata;

    if (!session_check_answer(wrap->session, error, text))
        return;
    note_result(wrap, error == 0);
    if (error == 0)
        log_info("container repaired", LOG_TEXT("container", wrap->dependent->name),
                 LOG_NUMBER("milliseconds", milliseconds_since(wrap->repair_started_at)));
    else
        look_note_failure(wrap->look, "container cannot be repaired, trying again later", text);
    look_continue(wrap->look);
}

static void on_recreated(void *userdata, enum recreation_result result, const char *text)
{
    struct wrap *wrap = userdata;

    note_result(wrap, result == RECREATION_DONE);
    switch (result) {
    case RECREATION_DONE:
        if (!wrap->journal) /* else `target` is the new one itself */
            remember_target(wrap->entry, wrap->target.id, wrap->target.name);
        log_info("container recreated", LOG_TEXT("container", wrap->entry->name),
                 LOG_NUMBER("milliseconds", milliseconds_since(wrap->repair_started_at)));
        break;
    case RECREATION_TAKEN_BACK:
        look_note_failure(wrap->look, "container cannot be recreated, the old one is as it was; trying again later",
                          text);
        break;
    case RECREATION_STUCK:
        look_note_failure(wrap->look, "a recreation could neither be finished nor taken back, trying again later",
                          text);
        wrap->entry->is_orphaned = true;
        break;
    case RECREATION_INTERRUPTED:
    default:
        wrap->resumes_at_once = true;
        session_fail(wrap->session, text);
        return;
    }
    look_continue(wrap->look);
}

/* Notes an attempt; false: its time has not come, and it is remembered. */
static bool may_try(struct wrap *wrap)
{
    uint64_t now = clock_monotonic_microseconds();
    uint64_t next = memory_next_attempt(wrap->entry);

    if (next > now) {
        look_wake_at(wrap->look, next);
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

    log_info("recreating container: its target has another ID now", LOG_TEXT("container", wrap->dependent->name),
             LOG_TEXT("target", wrap->target.name), LOG_TEXT("was_in", wrap->dependent->joined));
    result = recreation_start(wrap->recreation, wrap->dependent, wrap->target.name, &reason);
    if (result == 0)
        return;
    note_result(wrap, false);
    look_note_failure(wrap->look, "container cannot be recreated", result == -EINVAL ? reason : log_errno_text(result));
    look_continue(wrap->look);
}

static void repair(struct wrap *wrap, enum repair repair)
{
    struct docker_client *client = session_client(wrap->session);

    if (!may_try(wrap)) {
        look_continue(wrap->look);
    } else if (repair == REPAIR_RECREATE) {
        recreate(wrap);
    } else if (repair == REPAIR_RESTART) {
        log_info("restarting container: its target was started after it", LOG_TEXT("container", wrap->dependent->name),
                 LOG_TEXT("target", wrap->target.name));
        session_check_sent(wrap->session,
                           command_restart(client, wrap->dependent->id, wrap->configuration->stop_timeout_milliseconds,
                                           on_repaired, wrap));
    } else {
        log_info("auto-starting sibling waiting for target", LOG_TEXT("container", wrap->dependent->name),
                 LOG_TEXT("target", wrap->target.name));
        session_check_sent(wrap->session, command_start(client, wrap->dependent->id, on_repaired, wrap));
    }
}

/* --- an ordinary container ------------------------------------------------------------------------------- */

/* LIFE-4. */
static void report(struct wrap *wrap, const char *message, const char *command)
{
    char finding[FINDING_REASON_SIZE];

    (void)snprintf(finding, sizeof(finding), "dependent in dead netns: %s", command);
    if (memory_note_finding(wrap->entry, finding))
        log_error(message, LOG_TEXT("container", wrap->dependent->name), LOG_TEXT("target", wrap->dependent->joined),
                  LOG_TEXT("command", command));
}

static void report_unknown_target(struct wrap *wrap)
{
    char command[SIBLING_COMMAND_SIZE];

    sibling_recreate_command(wrap->dependent, command);
    report(wrap, "dependent in dead netns, and nobody knows the name of its target: set the label anchord.target",
           command);
}

static void wait_for_target(struct wrap *wrap, const char *target)
{
    char finding[FINDING_REASON_SIZE];

    (void)snprintf(finding, sizeof(finding), "dependent in dead netns: waits for %s to run", target);
    if (memory_note_finding(wrap->entry, finding))
        log_info("waiting for the target to run", LOG_TEXT("container", wrap->dependent->name),
                 LOG_TEXT("target", target));
}

static void judge(struct wrap *wrap, bool has_target)
{
    enum repair chosen = repair_choose(wrap->dependent, has_target ? &wrap->target : NULL);

    if (has_target && inspection_is(&wrap->target, wrap->dependent->joined))
        remember_target(wrap->entry, wrap->dependent->joined, wrap->target.name);
    wrap->dead_count += chosen != REPAIR_NONE;
    switch (chosen) {
    case REPAIR_NONE:
        (void)memory_note_finding(wrap->entry, ""); /* that is no news to anybody */
        look_continue(wrap->look);
        return;
    case REPAIR_WAIT:
        if (!has_target && wrap->is_asked_by_id)
            report_unknown_target(wrap);
        else
            wait_for_target(wrap, has_target ? wrap->target.name : wrap->reference);
        look_continue(wrap->look);
        return;
    case REPAIR_START:
    case REPAIR_RESTART:
    case REPAIR_RECREATE:
    default:
        repair(wrap, chosen);
    }
}

/* In a network-anchor (LIFE-1, LIFE-4). */
static void judge_sibling(struct wrap *wrap, bool has_target)
{
    struct sibling_verdict verdict;

    sibling_judge(wrap->entry, wrap->dependent, has_target ? &wrap->target : NULL, wrap->configuration->starts_siblings,
                  clock_monotonic_microseconds(), &verdict);
    switch (verdict.action) {
    case SIBLING_START:
        repair(wrap, REPAIR_START);
        return;
    case SIBLING_REPORT:
        wrap->dead_count++;
        report(wrap, "dependent in dead netns", verdict.command);
        break;
    case SIBLING_LATER:
        look_wake_at(wrap->look, verdict.time);
        break;
    case SIBLING_LEAVE:
    default:
        (void)memory_note_finding(wrap->entry, ""); /* that is no news to anybody */
        break;
    }
    look_continue(wrap->look);
}

static bool is_network_anchor(const struct wrap *wrap)
{
    return wrap->configuration->role == ANCHOR_ROLE_NETWORK;
}

/* Reads what is now in `target`. Returns 0, -ENOENT, or another negative errno, which has been noted. */
static int read_target(struct wrap *wrap, int error, const char *text)
{
    const char *reason = text;

    if (error == 0)
        error = inspection_read(&wrap->target, &reason);
    if (error < 0 && error != -ENOENT)
        look_note_failure(wrap->look, "the container whose namespace it is in cannot be looked at", reason);
    return error;
}

static void on_target(void *userdata, int error, const char *text)
{
    struct wrap *wrap = userdata;

    if (!session_check_answer(wrap->session, error, text))
        return;
    error = read_target(wrap, error, text);
    if (error < 0 && error != -ENOENT)
        look_continue(wrap->look);
    else if (is_network_anchor(wrap))
        judge_sibling(wrap, error == 0);
    else
        judge(wrap, error == 0);
}

static void ask_for_target(struct wrap *wrap)
{
    const struct inspection *dependent = wrap->dependent;
    const char *remembered = strcmp(wrap->entry->joined, dependent->joined) == 0 ? wrap->entry->target_name : "";
    const char *reference = is_network_anchor(wrap)     ? dependent->joined
                            : dependent->target_name[0] ? dependent->target_name
                            : remembered[0]             ? remembered
                                                        : dependent->joined;

    wrap->is_asked_by_id = reference == dependent->joined;
    memcpy(wrap->reference, reference, sizeof(wrap->reference)); /* each of the same size */
    ask_about(wrap, wrap->reference, on_target);
}

/* --- a half-done recreation ------------------------------------------------------------------------------ */

/* Has nobody moved it on for a while? Another keeper may be at it. */
static bool is_unattended(struct wrap *wrap, bool has_new)
{
    uint64_t now = clock_monotonic_microseconds();
    uint64_t patience = UNATTENDED + wrap->configuration->stop_timeout_milliseconds * MICROSECONDS_PER_MILLISECOND;
    uint32_t state =
        (has_new ? 1U : 0U) | (has_new && wrap->target.is_running ? 2U : 0U) | (wrap->dependent->is_running ? 4U : 0U);
    struct memory_entry *entry = wrap->entry;

    if (wrap->resumes_at_once)
        entry->is_orphaned = true;
    if (entry->is_orphaned)
        return true;
    if (entry->unattended_since == 0 || entry->unattended_state != state) {
        entry->unattended_since = now;
        entry->unattended_state = state;
    }
    if (now >= entry->unattended_since + patience)
        return true;
    look_wake_at(wrap->look, entry->unattended_since + patience);
    return false;
}

static void resume(struct wrap *wrap, bool has_new)
{
    int result;

    if (!is_unattended(wrap, has_new) || !may_try(wrap)) {
        look_continue(wrap->look);
        return;
    }
    wrap->entry->unattended_since = 0;
    wrap->entry->is_orphaned = false;
    log_warn(has_new ? "going on with a recreation that was left half-done"
                     : "taking back a recreation that was left half-done",
             LOG_TEXT("container", wrap->journal->name), LOG_TEXT("old", wrap->dependent->id));
    result = recreation_resume(wrap->recreation, wrap->dependent, wrap->journal, has_new ? wrap->target.id : NULL,
                               has_new && wrap->target.is_running);
    if (result < 0)
        look_continue(wrap->look);
}

static void on_replacement(void *userdata, int error, const char *text)
{
    struct wrap *wrap = userdata;

    if (!session_check_answer(wrap->session, error, text))
        return;
    error = read_target(wrap, error, text);
    wrap->dead_count++;
    if (error < 0 && error != -ENOENT) {
        look_continue(wrap->look);
    } else if (error == 0 && strcmp(wrap->target.replaces, wrap->dependent->id) != 0) {
        look_note_failure(wrap->look,
                          "a recreation was left half-done, and somebody else has made a container of that name: "
                          "remove the one that is not wanted",
                          wrap->dependent->name);
        look_continue(wrap->look);
    } else {
        resume(wrap, error == 0);
    }
}

/* --- a look ---------------------------------------------------------------------------------------------- */

static void on_container(void *userdata, struct memory_entry *entry, struct inspection *container,
                         const struct journal *journal)
{
    struct wrap *wrap = userdata;

    wrap->entry = entry;
    wrap->dependent = container;
    wrap->journal = journal;
    if (!journal)
        ask_for_target(wrap);
    else if (is_network_anchor(wrap)) /* a wrap-rebinder's */
        look_continue(wrap->look);
    else
        ask_about(wrap, journal->name, on_replacement);
}

static void on_look_end(void *userdata)
{
    struct wrap *wrap = userdata;

    inspection_release(&wrap->target);
    metrics_set(METRIC_DEAD_NETNS_DEPENDENTS, 0, wrap->dead_count);
    findings_sender_schedule(wrap->findings);
    wrap->dead_count = 0;
    wrap->resumes_at_once = false;
}

void wrap_on_connected(struct wrap *wrap)
{
    look_on_connected(wrap->look);
}

void wrap_on_lost(struct wrap *wrap)
{
    if (recreation_is_running(wrap->recreation))
        wrap->resumes_at_once = true;
    recreation_interrupt(wrap->recreation);
    inspection_release(&wrap->target);
    wrap->dead_count = 0;
    look_on_lost(wrap->look);
}

void wrap_on_event(struct wrap *wrap, const struct docker_event *event)
{
    look_on_event(wrap->look, event);
}

/* --- construction ---------------------------------------------------------------------------------------- */

static int tell_findings(void *userdata, finding_handler handler, void *handler_userdata)
{
    const struct wrap *wrap = userdata;

    return memory_tell(look_memory(wrap->look), handler, handler_userdata);
}

int wrap_link_control(struct wrap *wrap, int fd)
{
    return findings_sender_link(wrap->findings, fd);
}

/* Of everything in the Compose project, or with the labels, that it was given. */
static int make_look(struct wrap *wrap, sd_event *event)
{
    const struct message_configure_keeper *configuration = wrap->configuration;
    const struct look_callbacks callbacks = {on_container, on_look_end, wrap};
    char text[LABEL_SELECTOR_SIZE];
    struct label_selector scope;
    struct label_selector_error error;
    int result;

    if (configuration->label_selector[0] != '\0')
        memcpy(text, configuration->label_selector, sizeof(text));
    else
        (void)snprintf(text, sizeof(text), "com.docker.compose.project=%s", configuration->project);
    result = label_selector_parse(text, &scope, &error);
    return result < 0 ? result
                      : look_new(event, wrap->session, &scope, configuration->poll_interval_milliseconds, &callbacks,
                                 &wrap->look);
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
    result = make_look(wrap, event);
    if (result >= 0)
        result = recreation_new(event, session_client(session), configuration->stop_timeout_milliseconds, on_recreated,
                                wrap, &wrap->recreation);
    if (result >= 0)
        result = findings_sender_new(event, DIRECTION_CONTROL_TO_KEEPER, tell_findings, wrap, &wrap->findings);
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
    (void)findings_sender_free(wrap->findings);
    (void)look_free(wrap->look);
    inspection_release(&wrap->target);
    free(wrap);
    return NULL;
}
