/* The containers in scope of an attached project; see members.h. Pure, no privilege. */
#include "workers/watcher/members.h"

#include "common/clock.h"
#include "common/text.h"

#include <errno.h>

/* Before `start` the process may come at any moment: 28.x has it at `network connect`, 20.10 half a second later. */
#define RETRY_MICROSECONDS     (5 * MICROSECONDS_PER_MILLISECOND)
#define RETRY_MAX_MICROSECONDS (20 * MICROSECONDS_PER_MILLISECOND)
/* Afterwards there is a reason that may end. */
#define PATIENT_RETRY_MAX_MICROSECONDS (10 * MICROSECONDS_PER_SECOND)
/* A container that is not started so long after its `network connect` failed to. */
#define START_PATIENCE_MICROSECONDS (30 * MICROSECONDS_PER_SECOND)
/* So often a refusal is ordinary: the first process of a container that starts is not there yet. */
#define ORDINARY_REFUSALS 3

enum state {
    IDLE,   /* nothing is wanted */
    WANTED, /* to be asked for when it is due */
    ASKED,
    SERVED,
};

struct member *members_find(const struct members *members, const char *id)
{
    struct member *member;

    HASH_FIND_STR(members->members, id, member);
    return member;
}

static void remove_member(struct members *members, struct member *member)
{
    HASH_DEL(members->members, member);
    free(member);
}

void members_release(struct members *members)
{
    struct member *member, *next;

    HASH_ITER (hh, members->members, member, next)
        remove_member(members, member);
}

static bool has_namespace(const struct member *member)
{
    return !member->is_in_host_network && !member->is_without_network;
}

static void want(struct member *member, uint64_t now)
{
    if (!has_namespace(member))
        return;
    member->state = WANTED;
    member->tries = 0;
    member->due = now;
    member->error = 0;
    member->reason[0] = '\0';
}

/* --- lists ----------------------------------------------------------------------------------------------- */

void members_begin_pass(struct members *members, uint64_t now)
{
    members->pass++;
    members->pass_began = now;
}

/* Whether it has been connected already, as far as events told. */
static bool take_early_connects(struct members *members, struct member *member, uint64_t now)
{
    bool is_connected = false;

    for (size_t i = 0; i < EARLY_CONNECTS_MAX; i++) {
        if (strcmp(members->early[i].id, member->id) != 0)
            continue;
        members_note_connect(member, members->early[i].time, now);
        members->early[i].id[0] = '\0';
        is_connected = true;
    }
    return is_connected;
}

/* As members_put(); *ret is the member. */
static int add(struct members *members, const char *id, uint64_t now, struct member **ret)
{
    struct member *member = members_find(members, id);

    *ret = member;
    if (member) {
        member->pass = members->pass;
        return 0;
    }
    member = calloc(1, sizeof(*member));
    if (!member)
        return -ENOMEM;
    text_copy_cut(member->id, sizeof(member->id), id);
    HASH_ADD_STR(members->members, id, member);
    if (!member->hh.tbl) {
        free(member);
        return -ENOMEM;
    }
    member->pass = members->pass;
    *ret = member;
    return take_early_connects(members, member, now);
}

int members_note_created(struct members *members, const char *id, uint64_t now)
{
    struct member *member;

    return add(members, id, now, &member);
}

void members_keep(struct members *members, const char *id)
{
    struct member *member = members_find(members, id);

    if (member)
        member->pass = members->pass;
}

int members_put(struct members *members, const struct docker_container *container, uint64_t now)
{
    struct member *member;
    int result = add(members, container->id, now, &member);

    if (result < 0)
        return result;
    text_copy_cut(member->name, sizeof(member->name), container->name);
    member->is_in_host_network = container->is_in_host_network;
    member->is_without_network = container->is_without_network;
    if (!has_namespace(member))
        member->state = IDLE;
    if (container->is_running) {
        member->is_running = true;
        member->deadline = 0;
        if (member->state == IDLE)
            want(member, now);
    } else if (member->started < members->pass_began) {
        member->is_running = false; /* its end was missed, unless it starts just now */
    }
    return result;
}

/* What is on its way from `network connect` to `start` does not run either. */
static bool has_ended(const struct members *members, const struct member *member)
{
    return !member->is_running && member->deadline <= members->pass_began;
}

/* Connected since the pass began: its list may be older. */
static bool is_newer(const struct members *members, const struct member *member)
{
    return member->deadline >= members->pass_began + START_PATIENCE_MICROSECONDS;
}

static void end_member(const struct members *members, struct member *member, member_handler left, void *userdata)
{
    if (is_newer(members, member) || (member->pass == members->pass && !has_ended(members, member)))
        return;
    if (member->state != IDLE)
        left(userdata, member);
    member->is_running = false;
    member->deadline = 0;
    member->state = IDLE;
}

static void remove_if_gone(struct members *members, struct member *member)
{
    if (member->pass != members->pass && !is_newer(members, member))
        remove_member(members, member);
}

void members_end_pass(struct members *members, member_handler left, void *userdata)
{
    struct member *member, *next;

    HASH_ITER (hh, members->members, member, next)
        end_member(members, member, left, userdata);
    HASH_ITER (hh, members->members, member, next)
        remove_if_gone(members, member);
}

void members_end_pass_for(struct members *members, const char *id, member_handler left, void *userdata)
{
    struct member *member = members_find(members, id);

    if (member)
        end_member(members, member, left, userdata);
}

/* --- events ---------------------------------------------------------------------------------------------- */

void members_note_early_connect(struct members *members, const char *id, uint64_t time)
{
    struct early_connect *early = &members->early[members->early_next++ % EARLY_CONNECTS_MAX];

    text_copy_cut(early->id, sizeof(early->id), id);
    early->time = time;
}

void members_note_connect(struct member *member, uint64_t time, uint64_t now)
{
    if (time > 0 && (time < member->ended || time == member->began))
        return; /* of its last life, from the stream that was read later; or told again by one that begins anew */
    if (time > member->began)
        member->began = time;
    if (!member->is_running)
        member->deadline = now + START_PATIENCE_MICROSECONDS;
    if (member->state != ASKED || !member->is_running)
        want(member, now);
}

void members_note_start(struct member *member, uint64_t time, uint64_t now)
{
    if (time > member->began)
        member->began = time;
    member->is_running = true;
    member->started = now;
    member->deadline = 0;
    want(member, now); /* also what is served: whatever happened meanwhile, this is the one that runs */
}

bool members_note_end(struct member *member, uint64_t time)
{
    bool was_wanted = member->state != IDLE;

    if (time > 0 && time < member->began)
        return false; /* of its last life */
    if (time > member->ended)
        member->ended = time;
    member->is_running = false;
    member->deadline = 0;
    member->state = IDLE;
    return was_wanted;
}

/* --- questions and answers ------------------------------------------------------------------------------- */

void members_want_all(struct members *members, uint64_t now)
{
    struct member *member, *next;

    HASH_ITER (hh, members->members, member, next) {
        if (member->is_running || member->deadline > now)
            want(member, now);
    }
}

const struct member *members_take(struct members *members, uint64_t now)
{
    struct member *member, *next;

    HASH_ITER (hh, members->members, member, next) {
        if (member->state != WANTED || member->due > now)
            continue;
        if (!member->is_running && member->deadline <= now) {
            member->state = IDLE; /* it was not started */
            continue;
        }
        member->state = ASKED;
        member->generation = ++members->generation;
        return member;
    }
    return NULL;
}

uint64_t members_next_due(const struct members *members)
{
    struct member *member, *next;
    uint64_t due = UINT64_MAX;

    HASH_ITER (hh, members->members, member, next) {
        if (member->state == WANTED && member->due < due)
            due = member->due;
    }
    return due;
}

static uint64_t retry_delay(const struct member *member)
{
    uint64_t longest = member->is_running ? PATIENT_RETRY_MAX_MICROSECONDS : RETRY_MAX_MICROSECONDS;
    uint64_t delay = RETRY_MICROSECONDS;

    for (unsigned int i = 1; i < member->tries && delay < longest; i++)
        delay *= 2;
    return delay < longest ? delay : longest;
}

bool members_take_answer(struct members *members, const struct message_namespace_answer *answer, uint64_t now)
{
    struct member *member = members_find(members, answer->id);
    bool was_refused = member && member_is_refused(member);

    if (!member || member->state != ASKED || member->generation != answer->header.generation)
        return false;
    member->error = answer->error;
    text_copy_cut(member->reason, sizeof(member->reason), answer->reason);
    if (answer->error == 0) {
        member->state = SERVED;
        member->tries = 0;
    } else {
        member->state = WANTED;
        member->tries++;
        member->due = now + retry_delay(member);
    }
    return was_refused != member_is_refused(member);
}

bool member_is_refused(const struct member *member)
{
    return member->is_running && member->error < 0 && member->tries > ORDINARY_REFUSALS;
}
