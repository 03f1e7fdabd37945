/* What is done about containers in others' namespaces; see dependents.h. Runs without any privilege. */
#include "workers/keeper/dependents.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"
#include "protocol/metrics.h"
#include "protocol/problems.h"
#include "workers/keeper/managed_repairs.h"
#include "workers/keeper/repairing.h"
#include "workers/keeper/sibling.h"

#include <stdio.h>
#include <string.h>

/* A recreation that nobody has moved on for so long, besides the time that a stop may take, has lost its keeper. */
#define UNATTENDED (30 * MICROSECONDS_PER_SECOND)

/* Asks about its target, or about the new container of a half-done recreation. */
static void ask_about(struct dependents *dependents, const char *reference, docker_done_handler on_done)
{
    inspection_release(&dependents->target);
    session_check_sent(dependents->session,
                       docker_client_inspect_whole(session_client(dependents->session), reference,
                                                   &dependents->target.document, on_done, dependents));
}

/* --- repairing ------------------------------------------------------------------------------------------- */

static void on_recreated(void *userdata, enum recreation_result result, const char *text)
{
    struct dependents *dependents = userdata;
    char command[SIBLING_COMMAND_SIZE];
    char reason[FINDING_REASON_SIZE];

    repairing_note_result(dependents, result == RECREATION_DONE);
    switch (result) {
    case RECREATION_DONE:
        if (!dependents->journal) { /* else `target` is the new one itself */
            memory_note_target(dependents->entry, dependents->target.id, dependents->target.name);
            start_order_note_joined(&dependents->entry->starts, dependents->target.started);
        }
        log_info("container recreated", LOG_TEXT("container", dependents->entry->name),
                 LOG_NUMBER("milliseconds", repairing_milliseconds(dependents)));
        if (dependents->kind == LOOK_MANAGED)
            log_info("created and started managed service-anchor", LOG_TEXT("container", dependents->entry->name),
                     LOG_TEXT("target", dependents->managed->configured.target));
        break;
    case RECREATION_REFUSED:
        sibling_recreate_command(dependents->dependent, command);
        (void)snprintf(reason, sizeof(reason), "%s: %s", text, command);
        look_note_failure(dependents->look, "container cannot be recreated as it is", reason);
        break;
    case RECREATION_TAKEN_BACK:
        look_note_failure(dependents->look,
                          "container cannot be recreated, the old one is as it was; trying again later", text);
        break;
    case RECREATION_STUCK:
        look_note_failure(dependents->look, "a recreation could neither be finished nor taken back, trying again later",
                          text);
        dependents->entry->is_orphaned = true;
        break;
    case RECREATION_INTERRUPTED:
    default:
        dependents->resumes_at_once = true;
        session_fail(dependents->session, text);
        return;
    }
    look_continue(dependents->look);
}

static void recreate(struct dependents *dependents)
{
    const char *reason = NULL;
    int result;

    log_info("recreating container: its target has another ID now", LOG_TEXT("container", dependents->dependent->name),
             LOG_TEXT("target", dependents->target.name), LOG_TEXT("was_in", dependents->dependent->joined));
    result = recreation_start(dependents->recreation, dependents->dependent, dependents->target.name, &reason);
    repairing_check_begun(dependents, result, reason);
}

static void repair(struct dependents *dependents, enum repair repair)
{
    struct docker_client *client = session_client(dependents->session);

    if (!repairing_may_try(dependents)) {
        look_continue(dependents->look);
    } else if (repair == REPAIR_RECREATE) {
        recreate(dependents);
    } else if (repair == REPAIR_RESTART) {
        log_info("restarting container: its target was started after it",
                 LOG_TEXT("container", dependents->dependent->name), LOG_TEXT("target", dependents->target.name));
        session_check_sent(dependents->session, command_restart(client, dependents->dependent->id,
                                                                dependents->configuration->stop_timeout_milliseconds,
                                                                repairing_on_done, dependents));
    } else {
        repairing_start(dependents, "auto-starting sibling waiting for target");
    }
}

/* --- an ordinary container ------------------------------------------------------------------------------- */

/* LIFE-4. */
static void report(struct dependents *dependents, const char *message, const char *command)
{
    char finding[FINDING_REASON_SIZE];

    (void)snprintf(finding, sizeof(finding), "dependent in dead netns: %s", command);
    if (memory_note_finding(dependents->entry, finding))
        log_error(message, LOG_PROBLEM(PROBLEM_NOT_REPAIRED), LOG_TEXT("container", dependents->dependent->name),
                  LOG_TEXT("target", dependents->dependent->joined), LOG_TEXT("command", command));
}

static void report_unknown_target(struct dependents *dependents)
{
    char command[SIBLING_COMMAND_SIZE];

    sibling_recreate_command(dependents->dependent, command);
    report(dependents, "dependent in dead netns, and nobody knows the name of its target: set the label anchord.target",
           command);
}

static void wait_for_target(struct dependents *dependents, const char *target)
{
    char finding[FINDING_REASON_SIZE];

    (void)snprintf(finding, sizeof(finding), "dependent in dead netns: waits for %s to run", target);
    if (memory_note_finding(dependents->entry, finding))
        log_info("waiting for the target to run", LOG_TEXT("container", dependents->dependent->name),
                 LOG_TEXT("target", target));
}

static void judge(struct dependents *dependents, bool has_target)
{
    enum repair chosen = repairing_choose(dependents, has_target);

    if (chosen == REPAIR_START && !dependents->configuration->starts_siblings)
        chosen = REPAIR_NONE;
    if (has_target && inspection_is(&dependents->target, dependents->dependent->joined))
        memory_note_target(dependents->entry, dependents->dependent->joined, dependents->target.name);
    dependents->dead_count += chosen != REPAIR_NONE && chosen != REPAIR_UNKNOWN;
    switch (chosen) {
    case REPAIR_NONE:
        (void)memory_note_finding(dependents->entry, ""); /* that is no news to anybody */
        look_continue(dependents->look);
        return;
    case REPAIR_UNKNOWN:
        repairing_report_order(dependents);
        look_continue(dependents->look);
        return;
    case REPAIR_WAIT:
        if (!has_target && dependents->is_asked_by_id)
            report_unknown_target(dependents);
        else
            wait_for_target(dependents, has_target ? dependents->target.name : dependents->reference);
        look_continue(dependents->look);
        return;
    case REPAIR_START:
    case REPAIR_RESTART:
    case REPAIR_RECREATE:
    default:
        repair(dependents, chosen);
    }
}

/* In a network-anchor (LIFE-1, LIFE-4). */
static void judge_sibling(struct dependents *dependents, bool has_target)
{
    struct sibling_verdict verdict;

    sibling_judge(dependents->entry, dependents->dependent, has_target ? &dependents->target : NULL,
                  dependents->configuration->starts_siblings, repairing_order(dependents, has_target),
                  clock_monotonic_microseconds(), &verdict);
    switch (verdict.action) {
    case SIBLING_START:
        repair(dependents, REPAIR_START);
        return;
    case SIBLING_REPORT:
        dependents->dead_count++;
        report(dependents, "dependent in dead netns", verdict.command);
        break;
    case SIBLING_UNKNOWN:
        repairing_report_order(dependents);
        break;
    case SIBLING_LATER:
        look_wake_at(dependents->look, verdict.time);
        break;
    case SIBLING_LEAVE:
    default:
        (void)memory_note_finding(dependents->entry, ""); /* that is no news to anybody */
        break;
    }
    look_continue(dependents->look);
}

static bool is_network_anchor(const struct dependents *dependents)
{
    return dependents->configuration->role == ANCHOR_ROLE_NETWORK;
}

/* Without managed service-anchors it needs to know nothing but what is in its scope, and whom that has joined. */
static bool is_pinned(const struct dependents *dependents)
{
    return is_network_anchor(dependents) && dependents->configuration->managed_count == 0;
}

/* Reads what is now in `target`. Returns 0, -ENOENT, or another negative errno, which has been noted. */
static int read_target(struct dependents *dependents, int error, const char *text)
{
    const char *reason = text;

    if (error == 0)
        error = inspection_read(&dependents->target, &reason);
    if (error < 0 && error != -ENOENT)
        look_note_failure(dependents->look, "the container whose namespace it is in cannot be looked at", reason);
    return error;
}

static void on_target(void *userdata, int error, const char *text)
{
    struct dependents *dependents = userdata;

    if (!session_check_answer(dependents->session, error, text))
        return;
    error = read_target(dependents, error, text);
    if (error < 0 && error != -ENOENT)
        look_continue(dependents->look);
    else if (dependents->kind == LOOK_MANAGED || dependents->kind == LOOK_MISSING)
        managed_repairs_judge(dependents, error == 0);
    else if (dependents->kind == LOOK_SCOPED && is_network_anchor(dependents))
        judge_sibling(dependents, error == 0);
    else
        judge(dependents, error == 0);
}

/* Where to look for the container whose namespace it should be in. */
static const char *target_of(const struct dependents *dependents)
{
    const struct inspection *dependent = dependents->dependent;
    const struct memory_entry *entry = dependents->entry;

    if (dependents->kind == LOOK_MANAGED || dependents->kind == LOOK_MISSING)
        return dependents->managed->configured.target;
    if (dependents->kind == LOOK_PINNED)
        return dependents->managed->configured.name;
    if (is_network_anchor(dependents))
        return dependent->joined;
    if (dependent->target_name[0])
        return dependent->target_name;
    return strcmp(entry->joined, dependent->joined) == 0 && entry->target_name[0] ? entry->target_name
                                                                                  : dependent->joined;
}

/* The gate lets a network-anchor's keeper ask by a whole ID alone (WALL-7). */
static bool may_ask_by_name(const struct dependents *dependents)
{
    const struct message_configure_keeper *configuration = dependents->configuration;

    return !is_pinned(dependents) || strcmp(configuration->asked_at, configuration->docker_host) == 0;
}

static void ask_for_target(struct dependents *dependents)
{
    const char *reference = target_of(dependents);
    const char *id = look_find_in_scope(dependents->look, reference);

    dependents->is_asked_by_id = reference == dependents->dependent->joined;
    text_copy_cut(dependents->reference, sizeof(dependents->reference), id ? id : reference);
    if (inspection_is_id(dependents->reference) || may_ask_by_name(dependents))
        ask_about(dependents, dependents->reference, on_target);
    else
        on_target(dependents, -ENOENT, "");
}

/* --- a half-done recreation ------------------------------------------------------------------------------ */

/* Has nobody moved it on for a while? Another keeper may be at it. */
static bool is_unattended(struct dependents *dependents, bool has_new)
{
    uint64_t now = clock_monotonic_microseconds();
    uint64_t patience =
        UNATTENDED + dependents->configuration->stop_timeout_milliseconds * MICROSECONDS_PER_MILLISECOND;
    uint32_t state = (has_new ? 1U : 0U) | (has_new && dependents->target.is_running ? 2U : 0U) |
                     (dependents->dependent->is_running ? 4U : 0U);
    struct memory_entry *entry = dependents->entry;

    if (dependents->resumes_at_once)
        entry->is_orphaned = true;
    if (entry->is_orphaned)
        return true;
    if (entry->unattended_since == 0 || entry->unattended_state != state) {
        entry->unattended_since = now;
        entry->unattended_state = state;
    }
    if (now >= entry->unattended_since + patience)
        return true;
    look_wake_at(dependents->look, entry->unattended_since + patience);
    return false;
}

static void resume(struct dependents *dependents, bool has_new)
{
    int result;

    if (!is_unattended(dependents, has_new) || !repairing_may_try(dependents)) {
        look_continue(dependents->look);
        return;
    }
    dependents->entry->unattended_since = 0;
    dependents->entry->is_orphaned = false;
    log_warn(has_new ? "going on with a recreation that was left half-done"
                     : "taking back a recreation that was left half-done",
             LOG_TEXT("container", dependents->journal->name), LOG_TEXT("old", dependents->dependent->id));
    result = recreation_resume(dependents->recreation, dependents->dependent, dependents->journal,
                               has_new ? dependents->target.id : NULL, has_new && dependents->target.is_running);
    if (result < 0)
        look_continue(dependents->look);
}

static void on_replacement(void *userdata, int error, const char *text)
{
    struct dependents *dependents = userdata;

    if (!session_check_answer(dependents->session, error, text))
        return;
    error = read_target(dependents, error, text);
    dependents->dead_count++;
    if (error < 0 && error != -ENOENT) {
        look_continue(dependents->look);
    } else if (error == 0 && strcmp(dependents->target.replaces, dependents->dependent->id) != 0) {
        look_note_failure(dependents->look,
                          "a recreation was left half-done, and somebody else has made a container of that name: "
                          "remove the one that is not wanted",
                          dependents->dependent->name);
        look_continue(dependents->look);
    } else {
        resume(dependents, error == 0);
    }
}

/* --- a look ---------------------------------------------------------------------------------------------- */

static void on_container(void *userdata, const struct look_subject *subject)
{
    struct dependents *dependents = userdata;

    dependents->kind = subject->kind;
    dependents->managed = subject->managed;
    dependents->entry = subject->entry;
    dependents->dependent = subject->container;
    dependents->journal = subject->journal;
    if (subject->kind == LOOK_FOREIGN)
        managed_repairs_leave_foreign(dependents);
    else if (!subject->journal)
        ask_for_target(dependents);
    else if (is_network_anchor(dependents) && subject->kind == LOOK_SCOPED) /* a wrap-rebinder's */
        look_continue(dependents->look);
    else
        ask_about(dependents, subject->journal->name, on_replacement);
}

static void on_look_end(void *userdata)
{
    struct dependents *dependents = userdata;

    inspection_release(&dependents->target);
    metrics_set(METRIC_DEAD_NETNS_DEPENDENTS, 0, dependents->dead_count);
    findings_sender_schedule_news(dependents->findings);
    dependents->dead_count = 0;
    dependents->resumes_at_once = false;
}

void dependents_on_connected(struct dependents *dependents)
{
    look_on_connected(dependents->look);
}

void dependents_on_lost(struct dependents *dependents)
{
    if (recreation_is_running(dependents->recreation))
        dependents->resumes_at_once = true;
    recreation_interrupt(dependents->recreation);
    managed_repairs_interrupt(dependents);
    inspection_release(&dependents->target);
    dependents->dead_count = 0;
    look_on_lost(dependents->look);
}

void dependents_set_topology(struct dependents *dependents, const struct message_topology *topology)
{
    own_anchor_set_topology(&dependents->own_search, topology);
    look_soon(dependents->look);
}

void dependents_on_event(struct dependents *dependents, const struct docker_event *event)
{
    look_on_event(dependents->look, event);
}

/* --- construction ---------------------------------------------------------------------------------------- */

static int tell_findings(void *userdata, finding_handler handler, void *handler_userdata)
{
    const struct dependents *dependents = userdata;

    return memory_tell(look_memory(dependents->look), handler, handler_userdata);
}

int dependents_link_control(struct dependents *dependents, int fd)
{
    return findings_sender_link(dependents->findings, fd);
}

/* Of everything in the Compose project, or with the labels, that it was given. */
static int make_look(struct dependents *dependents, sd_event *event)
{
    const struct message_configure_keeper *configuration = dependents->configuration;
    const struct look_callbacks callbacks = {on_container, on_look_end, dependents};
    char text[LABEL_SELECTOR_SIZE];
    struct label_selector scope;
    struct label_selector_error error;
    int result;

    if (configuration->label_selector[0] != '\0')
        memcpy(text, configuration->label_selector, sizeof(text));
    else
        (void)snprintf(text, sizeof(text), "com.docker.compose.project=%s", configuration->project);
    result = label_selector_parse(text, &scope, &error);
    if (result == 0)
        result = look_new(event, dependents->session, &scope, dependents->managed_set,
                          configuration->poll_interval_milliseconds, &callbacks, &dependents->look);
    if (result == 0 && is_pinned(dependents))
        look_pin(dependents->look);
    return result;
}

int dependents_new(sd_event *event, struct session *session, const struct message_configure_keeper *configuration,
                   struct managed_set *managed, struct dependents **ret)
{
    CLEANUP(dependents_freep) struct dependents *dependents = calloc(1, sizeof(*dependents));
    int result;

    if (!dependents)
        return -ENOMEM;
    dependents->configuration = configuration;
    dependents->session = session;
    dependents->own_search.session = session;
    dependents->own_search.is_held = dependents->configuration->is_held == 1;
    dependents->managed_set = managed;
    dependents->resumes_at_once = configuration->is_successor == 1;
    result = make_look(dependents, event);
    if (result >= 0)
        result = recreation_new(event, session_client(session), configuration->stop_timeout_milliseconds, on_recreated,
                                dependents, &dependents->recreation);
    if (result >= 0)
        result =
            findings_sender_new(event, DIRECTION_CONTROL_TO_KEEPER, tell_findings, dependents, &dependents->findings);
    if (result < 0)
        return result;
    *ret = TAKE_POINTER(dependents);
    return 0;
}

struct dependents *dependents_free(struct dependents *dependents)
{
    if (!dependents)
        return NULL;
    (void)recreation_free(dependents->recreation);
    (void)findings_sender_free(dependents->findings);
    (void)look_free(dependents->look);
    managed_repairs_interrupt(dependents);
    inspection_release(&dependents->target);
    free(dependents);
    return NULL;
}
