/* One container recreated; see recreation.h. Runs without any privilege. */
#include "workers/keeper/recreation.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"
#include "workers/keeper/create_body.h"
#include "workers/keeper/references.h"

#include <stdio.h>
#include <string.h>

/*
 * When the new one is looked at after its start. Early, so that one that never came up is soon taken back; and again,
 * since Docker calls one that ends again and again running, and the old one is removed after the last look.
 */
static const uint64_t verify_delays[] = {500 * MICROSECONDS_PER_MILLISECOND, 1500 * MICROSECONDS_PER_MILLISECOND};
#define FAILURE_SIZE 448

enum step {
    CHECK_REFERENCE, /* once for each */
    RENAME_OLD,
    HOLD_OLD,
    CREATE_NEW,
    EXAMINE_NEW,
    STOP_OLD,
    START_NEW,
    VERIFY_NEW,
    REMOVE_OLD,
    REMOVE_NEW,
    RESTORE_POLICY,
    START_OLD,
    RENAME_BACK,
    END_DONE,
    END_TAKEN_BACK,
    END_STUCK,
    END_REFUSED,
};

struct recreation {
    struct docker_client *client;
    sd_event_source *verify_timer;
    uint32_t stop_timeout;
    recreation_handler on_done;
    void *userdata;
    bool is_running;
    enum step step;
    char old_id[DOCKER_ID_SIZE];
    char new_id[DOCKER_ID_SIZE];      /* empty: there is none */
    char wanted_image[IMAGE_ID_SIZE]; /* empty: whatever the body names */
    bool old_may_run;                 /* it has not been stopped by us */
    struct references references;     /* to be looked at before anything is changed */
    size_t next_reference;
    struct journal journal;
    char journal_name[NAME_SIZE];
    char *body;         /* with the image's name */
    char *body_with_id; /* with its ID; NULL: there is none */
    struct docker_document answer;
    struct inspection examined;
    size_t verify_count;        /* looks at the new one since its start */
    uint64_t verified_started;  /* its StartedAt at the first of them */
    char failure[FAILURE_SIZE]; /* the first */
};

static void run(struct recreation *recreation, enum step step);
static void on_answer(void *userdata, int error, const char *text);

/* --- the steps ------------------------------------------------------------------------------------------- */

static int check_reference(struct recreation *recreation)
{
    const struct reference *reference = &recreation->references.items[recreation->next_reference];

    return docker_client_inspect_whole(recreation->client, reference->container, &recreation->examined.document,
                                       on_answer, recreation);
}

static int rename_old(struct recreation *recreation)
{
    return command_rename(recreation->client, recreation->old_id, recreation->journal_name, on_answer, recreation);
}

static int hold_old(struct recreation *recreation)
{
    return command_set_restart_policy(recreation->client, recreation->old_id, "{\"Name\":\"no\"}", on_answer,
                                      recreation);
}

static int create_new(struct recreation *recreation)
{
    const char *body = recreation->body ? recreation->body : recreation->body_with_id;

    return command_create(recreation->client, recreation->journal.name, body, &recreation->answer, on_answer,
                          recreation);
}

static int examine_new(struct recreation *recreation)
{
    return docker_client_inspect_whole(recreation->client, recreation->new_id, &recreation->examined.document,
                                       on_answer, recreation);
}

static int stop_old(struct recreation *recreation)
{
    recreation->old_may_run = false;
    return command_stop(recreation->client, recreation->old_id, recreation->stop_timeout, on_answer, recreation);
}

static int start_new(struct recreation *recreation)
{
    return command_start(recreation->client, recreation->new_id, on_answer, recreation);
}

/* After a while; on_verify_time() asks. */
static int verify_new(struct recreation *recreation)
{
    int result = sd_event_source_set_time_relative(recreation->verify_timer, verify_delays[recreation->verify_count]);

    return result < 0 ? result : sd_event_source_set_enabled(recreation->verify_timer, SD_EVENT_ONESHOT);
}

static int on_verify_time(sd_event_source *source, uint64_t planned, void *userdata)
{
    struct recreation *recreation = userdata;
    int result = examine_new(recreation);

    (void)source;
    (void)planned;
    if (result < 0)
        on_answer(recreation, result, log_errno_text(result));
    return 0;
}

static int remove_old(struct recreation *recreation)
{
    return command_remove(recreation->client, recreation->old_id, on_answer, recreation);
}

static int remove_new(struct recreation *recreation)
{
    return command_remove(recreation->client, recreation->new_id, on_answer, recreation);
}

static int restore_policy(struct recreation *recreation)
{
    char policy[RESTART_POLICY_JSON_SIZE];

    journal_restart_policy_format(&recreation->journal.policy, policy);
    return command_set_restart_policy(recreation->client, recreation->old_id, policy, on_answer, recreation);
}

static int start_old(struct recreation *recreation)
{
    return command_start(recreation->client, recreation->old_id, on_answer, recreation);
}

static int rename_back(struct recreation *recreation)
{
    return command_rename(recreation->client, recreation->old_id, recreation->journal.name, on_answer, recreation);
}

/* --- what follows what ----------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    int (*send)(struct recreation *recreation);
    enum step next;
    enum step after_failure;
} steps[] = {
    [CHECK_REFERENCE] = {"looking at what it refers to", check_reference, RENAME_OLD, END_REFUSED},
    [RENAME_OLD] = {"renaming the old one", rename_old, HOLD_OLD, END_TAKEN_BACK},
    [HOLD_OLD] = {"taking the old one's restart policy away", hold_old, CREATE_NEW, RESTORE_POLICY},
    [CREATE_NEW] = {"creating the new one", create_new, EXAMINE_NEW, RESTORE_POLICY},
    [EXAMINE_NEW] = {"looking at the new one", examine_new, STOP_OLD, REMOVE_NEW},
    [STOP_OLD] = {"stopping the old one", stop_old, START_NEW, REMOVE_NEW},
    [START_NEW] = {"starting the new one", start_new, VERIFY_NEW, REMOVE_NEW},
    [VERIFY_NEW] = {"verifying the new one", verify_new, REMOVE_OLD, REMOVE_NEW},
    [REMOVE_OLD] = {"removing the old one", remove_old, END_DONE, END_STUCK},
    [REMOVE_NEW] = {"removing the new one", remove_new, RESTORE_POLICY, END_STUCK},
    [RESTORE_POLICY] = {"giving the old one its restart policy back", restore_policy, START_OLD, END_STUCK},
    /* In a namespace that has gone it cannot start: that is why it is recreated. */
    [START_OLD] = {"starting the old one", start_old, RENAME_BACK, RENAME_BACK},
    [RENAME_BACK] = {"giving the old one its name back", rename_back, END_TAKEN_BACK, END_STUCK},
};

static void forget(struct recreation *recreation)
{
    (void)sd_event_source_set_enabled(recreation->verify_timer, SD_EVENT_OFF); /* our own: it cannot fail */
    free_pointer(&recreation->body);
    free_pointer(&recreation->body_with_id);
    docker_document_release(&recreation->answer);
    inspection_release(&recreation->examined);
    recreation->is_running = false;
}

static void end(struct recreation *recreation, enum recreation_result result)
{
    forget(recreation);
    recreation->on_done(recreation->userdata, result, recreation->failure);
}

static void run(struct recreation *recreation, enum step step)
{
    int result;

    if (step == START_OLD && (recreation->old_may_run || !recreation->journal.was_running))
        step = RENAME_BACK;
    if (step >= END_DONE) {
        end(recreation, step == END_DONE         ? RECREATION_DONE
                        : step == END_TAKEN_BACK ? RECREATION_TAKEN_BACK
                        : step == END_REFUSED    ? RECREATION_REFUSED
                                                 : RECREATION_STUCK);
        return;
    }
    log_debug("recreation goes on", LOG_TEXT("container", recreation->journal.name),
              LOG_TEXT("step", steps[step].name));
    recreation->step = step;
    result = steps[step].send(recreation);
    if (result < 0) /* without memory: as if the connection were lost, a later keeper knows what to do */
        on_answer(recreation, result, log_errno_text(result));
}

static void note_failure(struct recreation *recreation, const char *text)
{
    if (recreation->failure[0] == '\0')
        (void)snprintf(recreation->failure, sizeof(recreation->failure), "%s: %s", steps[recreation->step].name, text);
}

static void fail(struct recreation *recreation, const char *text)
{
    note_failure(recreation, text);
    run(recreation, steps[recreation->step].after_failure);
}

/* Its next reference, or the first step that changes something. */
static void check_references(struct recreation *recreation)
{
    run(recreation, recreation->next_reference < recreation->references.count ? CHECK_REFERENCE : RENAME_OLD);
}

/* --- answers --------------------------------------------------------------------------------------------- */

static void take_created(struct recreation *recreation)
{
    const struct docker_document *answer = &recreation->answer;
    struct json_slice id = json_slice_member(json_slice_of(answer->bytes, answer->length), "Id");

    if (json_slice_copy(id, recreation->new_id, sizeof(recreation->new_id)) < 0) {
        recreation->new_id[0] = '\0';
        fail(recreation, "Docker's answer has no Id");
        return;
    }
    run(recreation, EXAMINE_NEW);
}

/* By its name the image may be another one by now, or none: then by its ID. */
static void create_by_image_id(struct recreation *recreation)
{
    free_pointer(&recreation->body);
    run(recreation, CREATE_NEW);
}

static void fail_reference(struct recreation *recreation, const char *what)
{
    const struct reference *reference = &recreation->references.items[recreation->next_reference];
    char text[FAILURE_SIZE - 64];

    (void)snprintf(text, sizeof(text), "its %s names the container %s, which %s", reference->part, reference->container,
                   what);
    fail(recreation, text);
}

static void take_reference(struct recreation *recreation)
{
    const char *reason = NULL;

    if (inspection_read(&recreation->examined, &reason) < 0) {
        fail(recreation, reason);
    } else if (recreation->references.items[recreation->next_reference].must_run && !recreation->examined.is_running) {
        fail_reference(recreation, "does not run");
    } else {
        recreation->next_reference++;
        check_references(recreation);
    }
}

/* It stays up: since the first look it was not started again, by Docker or by anybody. */
static void take_verified(struct recreation *recreation)
{
    const struct inspection *new = &recreation->examined;

    if (!new->is_running) {
        fail(recreation, "it did not keep running");
        return;
    }
    if (recreation->verify_count == 0)
        recreation->verified_started = new->started;
    if (new->is_restarting || new->restart_count > 0 || new->started != recreation->verified_started) {
        fail(recreation, "it does not stay up: it ended and was started again");
        return;
    }
    recreation->verify_count++;
    run(recreation, recreation->verify_count < ARRAY_LENGTH(verify_delays) ? VERIFY_NEW : REMOVE_OLD);
}

static void take_examined(struct recreation *recreation)
{
    const char *reason = NULL;

    if (inspection_read(&recreation->examined, &reason) < 0) {
        fail(recreation, reason);
        return;
    }
    if (recreation->step == VERIFY_NEW) {
        take_verified(recreation);
        return;
    }
    if (recreation->wanted_image[0] == '\0' || strcmp(recreation->examined.image_id, recreation->wanted_image) == 0) {
        run(recreation, STOP_OLD);
        return;
    }
    if (recreation->body && recreation->body_with_id) {
        free_pointer(&recreation->body);
        run(recreation, REMOVE_NEW);
        return;
    }
    fail(recreation, "it has another image than the one that was asked for");
}

static void on_answer(void *userdata, int error, const char *text)
{
    struct recreation *recreation = userdata;

    if (!command_was_answered(error)) {
        note_failure(recreation, text);
        end(recreation, RECREATION_INTERRUPTED);
        return;
    }
    if (error == -ENOENT && (recreation->step == REMOVE_OLD || recreation->step == REMOVE_NEW))
        error = 0; /* somebody else was faster */
    if (error == -ENOENT && recreation->step == CHECK_REFERENCE) {
        fail_reference(recreation, "is no more");
        return;
    }
    if (error == -ENOENT && recreation->step == CREATE_NEW && recreation->body && recreation->body_with_id) {
        create_by_image_id(recreation);
        return;
    }
    if (error < 0) {
        fail(recreation, text);
        return;
    }
    if (recreation->step == CHECK_REFERENCE)
        take_reference(recreation);
    else if (recreation->step == CREATE_NEW)
        take_created(recreation);
    else if (recreation->step == EXAMINE_NEW || recreation->step == VERIFY_NEW)
        take_examined(recreation);
    else if (recreation->step == REMOVE_NEW && !recreation->body && recreation->failure[0] == '\0')
        run(recreation, CREATE_NEW);
    else
        run(recreation, steps[recreation->step].next);
}

/* --- beginning ------------------------------------------------------------------------------------------- */

static void prepare(struct recreation *recreation, const struct inspection *old)
{
    forget(recreation);
    memcpy(recreation->old_id, old->id, sizeof(recreation->old_id));
    recreation->wanted_image[0] = '\0';
    recreation->new_id[0] = '\0';
    recreation->failure[0] = '\0';
    recreation->verify_count = 0;
    recreation->references.count = recreation->next_reference = 0;
    recreation->old_may_run = old->is_running;
    recreation->is_running = true;
}

/* Notes what the journal will say, and finds out whether there can be one. */
static int prepare_journal(struct recreation *recreation, const struct inspection *old, const char **ret_reason)
{
    if (old->removes_itself) {
        *ret_reason = "it was started with --rm, and would be gone when it stops";
        return -EINVAL;
    }
    prepare(recreation, old);
    recreation->journal = (struct journal){.policy = old->policy, .was_running = old->is_running};
    memcpy(recreation->journal.name, old->name, sizeof(recreation->journal.name));
    *ret_reason = "its name is too long for the mark that the old one needs";
    return journal_format(&recreation->journal, recreation->journal_name) < 0 ? -EINVAL : 0;
}

static int begin(struct recreation *recreation, int result)
{
    if (result < 0) {
        forget(recreation);
        return result == -ENOMEM ? result : -EINVAL;
    }
    check_references(recreation);
    return 0;
}

int recreation_start(struct recreation *recreation, struct inspection *old, const char *target, const char **ret_reason)
{
    int result = prepare_journal(recreation, old, ret_reason);

    if (result == 0) {
        memcpy(recreation->wanted_image, old->image_id, sizeof(recreation->wanted_image)); /* each of the same size */
        result = create_body_make(old, target, false, ret_reason, &recreation->body);
    }
    if (result == 0)
        result = create_body_make(old, target, true, ret_reason, &recreation->body_with_id);
    if (result == 0)
        result = references_read(old, &recreation->references, ret_reason);
    return begin(recreation, result);
}

int recreation_start_as(struct recreation *recreation, const struct inspection *old,
                        const struct recreation_bodies *bodies, const char **ret_reason)
{
    int result = prepare_journal(recreation, old, ret_reason);

    if (result == 0) {
        recreation->body = strdup(bodies->body);
        recreation->body_with_id = bodies->body_with_id ? strdup(bodies->body_with_id) : NULL;
        text_copy_cut(recreation->wanted_image, sizeof(recreation->wanted_image), bodies->image_id);
        if (!recreation->body || (bodies->body_with_id && !recreation->body_with_id))
            result = -ENOMEM;
    }
    return begin(recreation, result);
}

int recreation_resume(struct recreation *recreation, const struct inspection *old, const struct journal *journal,
                      const char *created, bool created_runs)
{
    prepare(recreation, old);
    recreation->journal = *journal;
    if (created && text_copy(recreation->new_id, sizeof(recreation->new_id), created) < 0)
        return -EINVAL;
    if (!created)
        text_copy_cut(recreation->failure, sizeof(recreation->failure), "it was left half-done, without a new one");
    run(recreation, !created ? RESTORE_POLICY : created_runs ? VERIFY_NEW : STOP_OLD);
    return 0;
}

void recreation_interrupt(struct recreation *recreation)
{
    if (recreation->is_running)
        forget(recreation);
}

bool recreation_is_running(const struct recreation *recreation)
{
    return recreation->is_running;
}

int recreation_new(sd_event *event, struct docker_client *client, uint32_t stop_timeout_milliseconds,
                   recreation_handler on_done, void *userdata, struct recreation **ret)
{
    CLEANUP(recreation_freep) struct recreation *recreation = calloc(1, sizeof(*recreation));
    int result;

    if (!recreation)
        return -ENOMEM;
    recreation->client = client;
    recreation->stop_timeout = stop_timeout_milliseconds;
    recreation->on_done = on_done;
    recreation->userdata = userdata;
    result = sd_event_add_time(event, &recreation->verify_timer, CLOCK_MONOTONIC, 0, 0, on_verify_time, recreation);
    if (result >= 0)
        result = sd_event_source_set_enabled(recreation->verify_timer, SD_EVENT_OFF);
    if (result < 0)
        return result;
    *ret = TAKE_POINTER(recreation);
    return 0;
}

struct recreation *recreation_free(struct recreation *recreation)
{
    if (!recreation)
        return NULL;
    forget(recreation);
    sd_event_source_disable_unref(recreation->verify_timer);
    free(recreation);
    return NULL;
}
