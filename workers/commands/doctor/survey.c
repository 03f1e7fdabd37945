/* Looks at every container in another one's network namespace; see survey.h. Runs without any privilege. */
#include "workers/commands/doctor/survey.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"

#include <stdio.h>
#include <string.h>

/* So many questions one after the other without an answer, 10 s each: Docker does not answer any more. */
#define UNANSWERED_MAX 3

struct candidate {
    char id[DOCKER_ID_SIZE];
    char name[NAME_SIZE];
};

struct survey {
    sd_event *event;
    struct docker_client *client;
    struct findings *findings;
    struct survey_failure *failure;
    struct candidate *candidates;
    size_t candidate_count;
    size_t next_candidate;
    unsigned int unanswered;
    int list_error; /* of a handler during the list, which cannot fail itself */
    struct docker_document document;
    struct container dependent; /* the one that is looked at */
};

static void survey_release(struct survey *survey)
{
    free(survey->candidates);
    docker_document_release(&survey->document);
}

/* Ends the loop with `error`; sd_event_exit() can only fail on a loop that has ended. */
static void end(struct survey *survey, int error, const char *text)
{
    if (error < 0)
        text_copy_cut(survey->failure->text, sizeof(survey->failure->text), text);
    (void)sd_event_exit(survey->event, error);
}

static void look_at_next(struct survey *survey);

/* The end of a step that could not even be begun. */
static void check(struct survey *survey, int result)
{
    if (result < 0)
        end(survey, result, log_errno_text(result));
}

/* Names the container that is looked at among those that could not be, and goes on. */
static void leave_out(struct survey *survey, const char *reason)
{
    int result = findings_add_unread(survey->findings, survey->candidates[survey->next_candidate - 1].name, reason);

    if (result < 0)
        check(survey, result);
    else
        look_at_next(survey);
}

/* Was there an answer, of whatever kind? */
static bool is_answered(int error)
{
    return error == 0 || error == -ENOENT || error == -EEXIST || error == -EACCES || error == -EBADMSG ||
           error == -EREMOTEIO || error == -EMSGSIZE;
}

static void on_failed(struct survey *survey, int error, const char *text)
{
    survey->unanswered = is_answered(error) ? 0 : survey->unanswered + 1;
    if (survey->unanswered == UNANSWERED_MAX)
        end(survey, error, text);
    else
        leave_out(survey, text);
}

/* `owner` is in the findings. */
static void judge(struct survey *survey, struct owner_findings *owner)
{
    enum namespace_fate fate = container_judge(&survey->dependent, owner->owner, clock_real_nanoseconds());
    int result = 0;

    if (fate == NAMESPACE_UNKNOWN) {
        leave_out(survey,
                  "it or the container whose namespace it is in was started in the future: since the clock was set "
                  "back, nobody can tell whether that namespace is alive");
        return;
    }
    survey->findings->examined_count++;
    if (fate != NAMESPACE_ALIVE)
        result = findings_add(survey->findings, owner, &survey->dependent, fate);
    if (result < 0)
        check(survey, result);
    else
        look_at_next(survey);
}

static void on_owner(void *userdata, int error, const char *text)
{
    struct survey *survey = userdata;
    const char *reason = text;
    struct container owner;

    if (error < 0 && error != -ENOENT) {
        on_failed(survey, error, text);
        return;
    }
    survey->unanswered = 0;
    if (error == 0 && container_read(&survey->document, &owner, &reason) < 0) {
        leave_out(survey, reason);
        return;
    }
    error = findings_add_owner(survey->findings, survey->dependent.joined, error == 0 ? &owner : NULL);
    if (error < 0)
        check(survey, error);
    else
        judge(survey, findings_find_owner(survey->findings, survey->dependent.joined));
}

static void on_dependent(void *userdata, int error, const char *text)
{
    struct survey *survey = userdata;
    const char *reason = text;
    struct owner_findings *owner;

    if (error == -ENOENT) { /* it went in the meantime */
        look_at_next(survey);
        return;
    }
    if (error < 0) {
        on_failed(survey, error, text);
        return;
    }
    survey->unanswered = 0;
    if (container_read(&survey->document, &survey->dependent, &reason) < 0) {
        leave_out(survey, reason);
        return;
    }
    if (survey->dependent.joined[0] == '\0') {
        look_at_next(survey);
        return;
    }
    owner = findings_find_owner(survey->findings, survey->dependent.joined);
    if (owner)
        judge(survey, owner);
    else
        check(survey, docker_client_inspect_whole(survey->client, survey->dependent.joined, &survey->document, on_owner,
                                                  survey));
}

static void look_at_next(struct survey *survey)
{
    if (survey->next_candidate == survey->candidate_count) {
        end(survey, 0, "");
        return;
    }
    check(survey, docker_client_inspect_whole(survey->client, survey->candidates[survey->next_candidate++].id,
                                              &survey->document, on_dependent, survey));
}

/* --- the list -------------------------------------------------------------------------------------------- */

static void add_candidate(struct survey *survey, const char *id, const char *name)
{
    struct candidate *candidates =
        reallocarray(survey->candidates, survey->candidate_count + 1, sizeof(*survey->candidates));

    if (!candidates) {
        survey->list_error = -ENOMEM;
        return;
    }
    survey->candidates = candidates;
    candidates += survey->candidate_count++;
    text_copy_cut(candidates->id, sizeof(candidates->id), id);
    text_copy_cut(candidates->name, sizeof(candidates->name), name);
}

static void on_container(void *userdata, const struct docker_container *container)
{
    if (container->joins_another || !container->tells_network_mode)
        add_candidate(userdata, container->id, container->name);
}

/* What is odd in the list may have nothing to do with its namespace: its inspection decides. */
static void on_odd_container(void *userdata, const char *id, const char *name, const char *reason)
{
    struct survey *survey = userdata;

    if (id[0] != '\0')
        add_candidate(survey, id, name);
    else if (findings_add_unread(survey->findings, name, reason) < 0)
        survey->list_error = -ENOMEM;
}

static void on_listed(void *userdata, int error, const char *text)
{
    struct survey *survey = userdata;

    if (error < 0)
        end(survey, error, text);
    else if (survey->list_error < 0)
        check(survey, survey->list_error);
    else
        look_at_next(survey);
}

static void on_connected(void *userdata, int error, const char *text)
{
    static const struct docker_label_names no_labels = {0};
    static const struct docker_container_query everything = {.in_any_state = true};
    struct survey *survey = userdata;
    const struct docker_container_handlers handlers = {on_container, on_odd_container, on_listed, survey};

    if (error < 0) {
        end(survey, error, text);
        return;
    }
    survey->failure->is_connecting = false;
    check(survey, docker_client_list(survey->client, &everything, &no_labels, &handlers));
}

int survey_run(sd_event *event, struct docker_client *client, struct findings *findings,
               struct survey_failure *ret_failure)
{
    CLEANUP(survey_release)
    struct survey survey = {
        .event = event,
        .client = client,
        .findings = findings,
        .failure = ret_failure,
    };
    int result = docker_client_connect(client, on_connected, &survey);

    *ret_failure = (struct survey_failure){.is_connecting = true};
    if (result == 0)
        result = sd_event_loop(event);
    if (result < 0 && ret_failure->text[0] == '\0')
        text_copy_cut(ret_failure->text, sizeof(ret_failure->text), log_errno_text(result));
    docker_client_disconnect(client);
    return result;
}
