/*
 * The managed service-anchors: created when there is none, recreated when they serve a dead namespace or, once, have
 * another image than ours or another gateway than our address (LIFE-2); see managed_repairs.h. Runs without any
 * privilege.
 */
#include "workers/keeper/managed_repairs.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"
#include "protocol/managed_target.h"
#include "workers/keeper/managed_body.h"
#include "workers/keeper/repairing.h"

#include <stdio.h>
#include <string.h>

/* One whose target was restarted ends by itself within this time, and its restart policy has it join again (SA-6). */
#define DEAD_DELAY (3 * MICROSECONDS_PER_SECOND)

static const struct managed_target *configured(const struct dependents *dependents)
{
    return &dependents->managed->configured;
}

static bool has_pinned_image(const struct dependents *dependents)
{
    return configured(dependents)->image[0] != '\0';
}

static bool has_pinned_gateway(const struct dependents *dependents)
{
    return configured(dependents)->gateway4.family != IP_FAMILY_NONE ||
           configured(dependents)->gateway6.family != IP_FAMILY_NONE;
}

static void leave(struct dependents *dependents)
{
    dependents->entry->wrong_since = 0;
    (void)memory_note_finding(dependents->entry, ""); /* that is no news to anybody */
    look_continue(dependents->look);
}

/* --- its body -------------------------------------------------------------------------------------------- */

/* `anchor` is NULL when nothing of it is needed. */
static struct managed_body describe(const struct dependents *dependents, const struct own_anchor *anchor,
                                    bool use_image_id, const char *replaces)
{
    struct managed_body body = {
        .configured = configured(dependents),
        .target_id = dependents->target.id,
        .image = configured(dependents)->image,
        .gateway4 = wire_address_to(&configured(dependents)->gateway4),
        .gateway6 = wire_address_to(&configured(dependents)->gateway6),
        .log_level = (enum log_level)dependents->configuration->log_level,
        .replaces = replaces,
    };

    if (anchor && !has_pinned_image(dependents))
        body.image = use_image_id ? anchor->image_id : anchor->image;
    if (anchor && !has_pinned_gateway(dependents)) {
        body.gateway4 = anchor->address4;
        body.gateway6 = anchor->address6;
    }
    return body;
}

static int make_body(const struct dependents *dependents, const struct own_anchor *anchor, bool use_image_id,
                     const char *replaces, char **ret)
{
    struct managed_body body = describe(dependents, anchor, use_image_id, replaces);

    return managed_body_make(&body, ret);
}

/* --- one that is not there ------------------------------------------------------------------------------- */

static void release_creation(struct creation *creation)
{
    free_pointer(&creation->body);
    docker_document_release(&creation->answer);
}

void managed_repairs_interrupt(struct dependents *dependents)
{
    release_creation(&dependents->creation);
    own_anchor_release(&dependents->own_search);
}

static void end_creation(struct dependents *dependents, const char *failure)
{
    release_creation(&dependents->creation);
    repairing_note_result(dependents, failure == NULL);
    if (failure)
        look_note_failure(dependents->look, "managed service-anchor cannot be created and started, trying again later",
                          failure);
    look_continue(dependents->look);
}

static void on_started(void *userdata, int error, const char *text)
{
    struct dependents *dependents = userdata;

    if (!session_check_answer(dependents->session, error, text))
        return;
    if (error == 0)
        log_info("created and started managed service-anchor", LOG_TEXT("container", configured(dependents)->name),
                 LOG_TEXT("target", dependents->target.name));
    end_creation(dependents, error == 0 ? NULL : text);
}

static void create(struct dependents *dependents, const struct own_anchor *anchor, bool use_image_id);

static void on_created(void *userdata, int error, const char *text)
{
    struct dependents *dependents = userdata;
    struct creation *creation = &dependents->creation;
    struct json_slice answer;
    char id[DOCKER_ID_SIZE];

    if (!session_check_answer(dependents->session, error, text))
        return;
    if (error == -ENOENT && !has_pinned_image(dependents) && !creation->has_image_id) {
        create(dependents, &dependents->own_search.found, true); /* somebody took the name from our image */
        return;
    }
    if (error < 0) {
        end_creation(dependents, text);
        return;
    }
    answer = json_slice_of(creation->answer.bytes, creation->answer.length);
    if (json_slice_copy(json_slice_member(answer, "Id"), id, sizeof(id)) < 0)
        end_creation(dependents, "Docker's answer has no Id");
    else
        session_check_sent(dependents->session,
                           command_start(session_client(dependents->session), id, on_started, dependents));
}

static void create(struct dependents *dependents, const struct own_anchor *anchor, bool use_image_id)
{
    struct creation *creation = &dependents->creation;
    int result;

    release_creation(creation);
    creation->has_image_id = use_image_id;
    result = make_body(dependents, anchor, use_image_id, dependents->managed->last_id, &creation->body);
    if (result == 0)
        result = command_create(session_client(dependents->session), configured(dependents)->name, creation->body,
                                &creation->answer, on_created, dependents);
    session_check_sent(dependents->session, result);
}

/* --- one that is not what it should be ------------------------------------------------------------------- */

static void recreate(struct dependents *dependents, const struct own_anchor *anchor, const char *why)
{
    bool is_ours = anchor && !has_pinned_image(dependents);
    CLEANUP_FREE char *body = NULL;
    CLEANUP_FREE char *body_with_id = NULL;
    struct recreation_bodies bodies = {.image_id = is_ours ? anchor->image_id : ""};
    const char *reason = NULL;
    int result = make_body(dependents, anchor, false, dependents->dependent->id, &body);

    if (result == 0 && is_ours)
        result = make_body(dependents, anchor, true, dependents->dependent->id, &body_with_id);
    if (result < 0) {
        session_check_sent(dependents->session, result);
        return;
    }
    log_info(why, LOG_TEXT("container", dependents->dependent->name), LOG_TEXT("target", dependents->target.name),
             LOG_TEXT("was_in", dependents->dependent->joined));
    bodies.body = body;
    bodies.body_with_id = body_with_id;
    result = recreation_start_as(dependents->recreation, dependents->dependent, &bodies, &reason);
    repairing_check_begun(dependents, result, reason);
}

/* Is it sent to the address that we have now? EXTRA_ENV may send it elsewhere, and wins. */
static bool has_our_gateway(const struct dependents *dependents, const struct own_anchor *anchor)
{
    const struct assignments *environment = &configured(dependents)->environment;
    struct managed_body body = describe(dependents, anchor, false, "");
    struct json_slice config = json_slice_member(dependents->dependent->root, "Config");
    struct json_walk walk = json_walk_array(json_slice_member(config, "Env"));
    struct json_slice assignment;
    char wanted[GATEWAY_ASSIGNMENT_SIZE], quoted[GATEWAY_ASSIGNMENT_SIZE + 2];

    if (has_pinned_gateway(dependents) ||
        assignments_have(environment, "ANCHORD_GATEWAY_IP", strlen("ANCHORD_GATEWAY_IP")))
        return true;
    managed_body_gateway_assignment(&body, wanted);
    (void)snprintf(quoted, sizeof(quoted), "\"%s\"", wanted);
    while (json_walk_element(&walk, &assignment)) {
        if (json_slice_equals(assignment, quoted))
            return true;
    }
    return false;
}

/*
 * What has changed since it was made, "once, at our start"; NULL: nothing. Our address counts as our image does: it was
 * asked for when the service-anchor was made, and a recreated network-anchor may have another one (SA-5).
 */
static const char *outdated_by(struct dependents *dependents, const struct own_anchor *anchor)
{
    bool was_compared = dependents->managed->is_compared;

    if (!anchor)
        return NULL;
    dependents->managed->is_compared = true;
    if (was_compared || !dependents->dependent->is_running)
        return NULL;
    if (!has_pinned_image(dependents) && strcmp(dependents->dependent->image_id, anchor->image_id) != 0)
        return "recreating managed service-anchor: it has another image than ours";
    if (!has_our_gateway(dependents, anchor))
        return "recreating managed service-anchor: its gateway is not our address any more";
    return NULL;
}

/* Its target was started after it: false while it may still end by itself. */
static bool is_dead_for_long(struct dependents *dependents)
{
    uint64_t now = clock_monotonic_microseconds();

    if (dependents->entry->wrong_since == 0)
        dependents->entry->wrong_since = now;
    if (now >= dependents->entry->wrong_since + DEAD_DELAY)
        return true;
    look_wake_at(dependents->look, dependents->entry->wrong_since + DEAD_DELAY);
    return false;
}

static void decide(struct dependents *dependents, const struct own_anchor *anchor)
{
    enum repair repair = REPAIR_NONE;
    bool is_missing = dependents->kind == LOOK_MISSING;
    const char *outdated = NULL;

    if (!is_missing) {
        repair = repairing_choose(dependents, true);
        outdated = outdated_by(dependents, anchor);
    }
    if (repair == REPAIR_UNKNOWN && !outdated) {
        repairing_report_order(dependents);
        look_continue(dependents->look);
        return;
    }
    if (!is_missing && repair == REPAIR_NONE && !outdated) {
        leave(dependents);
        return;
    }
    if ((repair == REPAIR_RESTART && !outdated && !is_dead_for_long(dependents)) || !repairing_may_try(dependents)) {
        look_continue(dependents->look);
        return;
    }
    dependents->entry->wrong_since = 0;
    if (is_missing)
        create(dependents, anchor, false);
    else if (repair == REPAIR_START)
        repairing_start(dependents, "starting managed service-anchor: it was created, and its target runs");
    else
        recreate(dependents, anchor,
                 outdated ? outdated : "recreating managed service-anchor: its network namespace is dead");
}

static void on_own_anchor(void *userdata, const struct own_anchor *anchor, const char *text)
{
    struct dependents *dependents = userdata;

    if (anchor) {
        decide(dependents, anchor);
        return;
    }
    look_note_failure(dependents->look,
                      "managed service-anchor: our own container, whose image and address it is to have, is not found",
                      text);
    look_continue(dependents->look);
}

/* Does what will be done depend on our own container? */
static bool needs_own_anchor(struct dependents *dependents)
{
    enum repair repair;

    if (has_pinned_image(dependents) && has_pinned_gateway(dependents))
        return false;
    if (dependents->kind == LOOK_MISSING || !dependents->managed->is_compared)
        return true;
    repair = repairing_choose(dependents, true);
    return repair != REPAIR_NONE && repair != REPAIR_UNKNOWN;
}

void managed_repairs_judge(struct dependents *dependents, bool has_target)
{
    if (!has_target || !dependents->target.is_running) /* target gone: it is left alone */
        leave(dependents);
    else if (!needs_own_anchor(dependents))
        decide(dependents, NULL);
    else if (own_anchor_can_be_asked(&dependents->own_search))
        own_anchor_ask(&dependents->own_search, on_own_anchor, dependents);
    else /* the topology will come, and with it another look */
        look_continue(dependents->look);
}

void managed_repairs_leave_foreign(struct dependents *dependents)
{
    look_note_failure(dependents->look, "a container has the name of a managed service-anchor, leaving it alone",
                      "it has no label " LABEL_MANAGED_BY "=" MANAGED_BY ": remove it, or set ANCHORD_MANAGED_SA_NAME");
    look_continue(dependents->look);
}
