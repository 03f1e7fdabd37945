/*
 * The job of an external-rebinder; see follow.h. Runs without any privilege.
 *
 *     the follower is not on the network, or on one of that name that is no more:
 *         backoff -> wait until the network has settled -> disconnect the stale endpoint -> connect -> restart if asked
 *     the follower is on it, and nobody else is:
 *         disconnect, and wait for somebody else, or for a new network of that name
 */
#include "workers/keeper/follow.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"
#include "protocol/event_loop.h"
#include "protocol/findings_sender.h"
#include "protocol/metrics.h"
#include "protocol/problems.h"
#include "workers/keeper/command.h"
#include "workers/keeper/follow_actions.h"
#include "workers/keeper/follow_lists.h"
#include "workers/keeper/memory.h"
#include "workers/keeper/settle.h"

#include <string.h>

/* LIFE-5: "Address already in use" is tried so often, then it is for somebody else to change something. */
#define ADDRESS_TRIES 4
/* What happens to a container without its networks is not urgent, and comes in bunches. */
#define EVENT_DELAY (50 * MICROSECONDS_PER_MILLISECOND)

/* What was said last of why nothing is done, so that it is said once. */
enum notice {
    NOTICE_NONE,
    NOTICE_NO_FOLLOWER,
    NOTICE_NO_NETWORK,
    NOTICE_ODD_FOLLOWER,
    NOTICE_ODD_NETWORK,
    NOTICE_SETTLING,
    NOTICE_ADDRESS_WANTED,
    NOTICE_RELEASED,
    NOTICE_GIVEN_UP,
};

struct follow {
    const struct message_configure_keeper *configuration;
    struct session *session;
    struct settle_times times;
    sd_event_source *poll_timer;
    sd_event_source *look_timer;
    bool is_connected;
    bool is_looking; /* or acting */
    bool must_look_again;
    uint64_t wake_at; /* when something that waits for its time can go on; UINT64_MAX: never */

    /* read anew by each look */
    struct inspection follower;
    struct endpoint endpoint;
    struct network_view network;

    /* kept from look to look */
    char follower_id[DOCKER_ID_SIZE];
    char network_id[DOCKER_ID_SIZE]; /* empty: it was not there */
    bool has_looked;                 /* what is found now happened before our eyes */
    bool is_released;                /* the follower has left that network for others' sake */
    bool may_be_alone;               /* it was joined with nobody there, since nobody came */
    struct settle settle;
    struct memory_entry attempts;
    uint64_t restarted_for; /* when the network was made for which we have restarted the follower; 0: none */
    uint64_t retry_at;
    uint32_t address_tries;
    uint32_t refused_count; /* foreign endpoints when the last of these tries failed */
    char *configured;       /* what the endpoint had, as JSON; NULL: unknown */
    char configured_of[DOCKER_ID_SIZE];
    enum notice notice;
    char problem[FINDING_REASON_SIZE]; /* what status shows of the follower; empty: all is well, or will be */
    struct findings_sender *findings;
    struct follow_lists lists;
    struct follow_action action;
    uint64_t action_started_at;
};

static void release_answers(struct follow *follow)
{
    inspection_release(&follow->follower);
    docker_document_release(&follow->network.document);
}

static void end_look(struct follow *follow)
{
    uint64_t now = clock_monotonic_microseconds();

    release_answers(follow);
    follow->is_looking = false;
    follow->has_looked = true;
    if (follow->must_look_again)
        event_loop_start_timer(follow->look_timer, 0);
    else if (follow->wake_at != UINT64_MAX)
        event_loop_start_timer(follow->look_timer, follow->wake_at > now ? follow->wake_at - now : 0);
}

static void wake(struct follow *follow, uint64_t at)
{
    if (at < follow->wake_at)
        follow->wake_at = at;
}

static void note_problem(struct follow *follow, const char *problem)
{
    text_copy_cut(follow->problem, sizeof(follow->problem), problem ? problem : "");
    findings_sender_schedule_news(follow->findings);
}

/* Is this to be said, because something else was the last that was? */
static bool is_news(struct follow *follow, enum notice notice)
{
    bool is_news = follow->notice != notice;

    follow->notice = notice;
    return is_news;
}

/* --- what a look has found to do ------------------------------------------------------------------------ */

/* May it be done now? Else it is in time, and another look with it. */
static bool may_try(struct follow *follow)
{
    uint64_t now = clock_monotonic_microseconds();
    uint64_t next = memory_next_attempt(&follow->attempts);

    next = follow->retry_at > next ? follow->retry_at : next;
    if (next > now) {
        wake(follow, next);
        return false;
    }
    follow->action_started_at = now;
    return true;
}

/* What a look comes to, once it knows all. */
struct verdict {
    enum { VERDICT_WAIT, VERDICT_ASK_WHO_COMES, VERDICT_REJOIN, VERDICT_LEAVE, VERDICT_RESTART } kind;
    const char *reason; /* of REJOIN and RESTART */
};

static void carry_out(struct follow *follow, struct verdict verdict)
{
    bool is_action = verdict.kind == VERDICT_REJOIN || verdict.kind == VERDICT_LEAVE || verdict.kind == VERDICT_RESTART;

    follow->action.configured = follow->configured;
    switch (is_action && !may_try(follow) ? VERDICT_WAIT : verdict.kind) {
    case VERDICT_ASK_WHO_COMES:
        follow_lists_find_awaited(&follow->lists, follow->follower.id);
        return;
    case VERDICT_REJOIN:
        follow_action_rejoin(&follow->action, verdict.reason);
        return;
    case VERDICT_LEAVE:
        follow_action_leave(&follow->action);
        return;
    case VERDICT_RESTART:
        follow_action_restart(&follow->action, verdict.reason);
        return;
    case VERDICT_WAIT:
    default:
        end_look(follow);
    }
}

static void on_awaited_found(void *userdata, const char *container)
{
    struct follow *follow = userdata;

    if (container[0] == '\0') {
        carry_out(follow, (struct verdict){VERDICT_REJOIN, "the network has settled"});
        return;
    }
    if (is_news(follow, NOTICE_ADDRESS_WANTED))
        log_info("waiting for a container that has a fixed address on the network and does not run",
                 LOG_TEXT("container", container));
    wake(follow, follow->settle.begins + follow->times.limit);
    end_look(follow);
}

static void note_failure(struct follow *follow, const char *what, int error, const char *text)
{
    uint64_t now = clock_monotonic_microseconds();

    metrics_add(METRIC_REBINDS, METRIC_ERROR, 1);
    log_error(what, LOG_PROBLEM(PROBLEM_DETACHED), LOG_TEXT("container", follow->follower.name),
              LOG_TEXT("network", follow->configuration->follow.network), LOG_ERROR_TEXT(text));
    note_problem(follow, text);
    if (command_met_used_address(error, text)) {
        follow->address_tries++;
        follow->refused_count = follow->network.foreign_count;
        follow->retry_at = now + follow->configuration->follow.backoff_milliseconds * MICROSECONDS_PER_MILLISECOND;
    } else {
        memory_note_attempt(&follow->attempts, now);
    }
}

static void note_success(struct follow *follow, enum follow_action_end end)
{
    bool has_joined = end == FOLLOW_ACTION_JOINED;

    if (has_joined) {
        metrics_add(METRIC_REBINDS, METRIC_OK, 1);
        follow->may_be_alone = follow->network.foreign_count == 0;
        if (follow->action.has_restarted)
            follow->restarted_for = follow->network.created;
    } else {
        follow->is_released = true;
    }
    log_info(has_joined ? "network rejoined" : "network left", LOG_TEXT("container", follow->follower.name),
             LOG_TEXT("network", follow->configuration->follow.network),
             LOG_NUMBER("milliseconds",
                        (clock_monotonic_microseconds() - follow->action_started_at) / MICROSECONDS_PER_MILLISECOND));
    follow->notice = NOTICE_NONE;
    note_problem(follow, NULL);
}

static void on_action_end(void *userdata, enum follow_action_end end, const char *what, int error, const char *text)
{
    struct follow *follow = userdata;

    if (end == FOLLOW_ACTION_FAILED)
        note_failure(follow, what, error, text);
    else
        note_success(follow, end);
    follow->must_look_again = true; /* what others did meanwhile */
    end_look(follow);
}

/* --- the follower has to join ---------------------------------------------------------------------------- */

/* Somebody else has the follower's address, and nothing has changed since. */
static bool has_given_up(struct follow *follow)
{
    if (follow->address_tries < ADDRESS_TRIES)
        return false;
    if (follow->network.foreign_count != follow->refused_count) {
        follow->address_tries = 0;
        return false;
    }
    if (is_news(follow, NOTICE_GIVEN_UP))
        log_error("giving up until an endpoint comes or goes: the follower's address is in use",
                  LOG_PROBLEM(PROBLEM_DETACHED), LOG_TEXT("container", follow->follower.name),
                  LOG_TEXT("network", follow->configuration->follow.network), LOG_NUMBER("tries", ADDRESS_TRIES));
    note_problem(follow, "not on the network that it is to stay on: its address there is in use");
    return true;
}

static struct verdict wait_until_settled(struct follow *follow)
{
    uint64_t now = clock_monotonic_microseconds();
    uint64_t next = UINT64_MAX;

    if (follow->settle.begins == 0)
        settle_begin(
            &follow->settle, now,
            follow->has_looked ? follow->configuration->follow.backoff_milliseconds * MICROSECONDS_PER_MILLISECOND : 0);
    switch (settle_look(&follow->settle, &follow->times, now, follow->network.foreign_count, &next)) {
    case SETTLE_SETTLED:
        if (now < follow->settle.begins + follow->times.limit)
            return (struct verdict){.kind = VERDICT_ASK_WHO_COMES};
        return (struct verdict){VERDICT_REJOIN, "somebody with a fixed address has not come, and the time is over"};
    case SETTLE_EXPIRED:
        return (struct verdict){VERDICT_REJOIN, "the network has not settled, and the time is over"};
    case SETTLE_UNSETTLED:
    default:
        if (is_news(follow, NOTICE_SETTLING))
            log_info("the follower is not on the network, waiting until that has settled",
                     LOG_TEXT("container", follow->follower.name),
                     LOG_TEXT("network", follow->configuration->follow.network),
                     LOG_TEXT("network_id", follow->network.id), LOG_TEXT("was_on", follow->endpoint.network_id));
        wake(follow, next);
        return (struct verdict){.kind = VERDICT_WAIT};
    }
}

static struct verdict judge_absent(struct follow *follow)
{
    if (follow->is_released && follow->network.foreign_count == 0) {
        if (is_news(follow, NOTICE_RELEASED))
            log_info("waiting for somebody else on the network",
                     LOG_TEXT("network", follow->configuration->follow.network));
        return (struct verdict){.kind = VERDICT_WAIT};
    }
    follow->is_released = false;
    return has_given_up(follow) ? (struct verdict){.kind = VERDICT_WAIT} : wait_until_settled(follow);
}

/* --- a look ---------------------------------------------------------------------------------------------- */

/*
 * Started before the network was made, so it has seen another one of that name: a restart was due and did not come.
 * When we have restarted it, it has come; and what was made in the future proves nothing.
 */
static bool is_restart_due(const struct follow *follow)
{
    return follow->configuration->follow.restarts == 1 && follow->follower.is_running &&
           follow->follower.started < follow->network.created && follow->restarted_for != follow->network.created &&
           follow->network.created <= clock_real_nanoseconds();
}

static struct verdict judge_present(struct follow *follow)
{
    follow->settle = (struct settle){0};
    follow->address_tries = 0;
    follow->may_be_alone = follow->may_be_alone && follow->network.foreign_count == 0;
    if (follow->follower.is_running && follow->network.foreign_count == 0 && !follow->may_be_alone)
        return (struct verdict){.kind = VERDICT_LEAVE};
    if (endpoint_prevented_start(&follow->follower))
        return (struct verdict){VERDICT_RESTART, "Docker could not start it without the network"};
    if (is_restart_due(follow))
        return (struct verdict){VERDICT_RESTART, "it was started before the network was made"};
    follow->attempts = (struct memory_entry){0};
    follow->notice = NOTICE_NONE;
    note_problem(follow, NULL);
    return (struct verdict){.kind = VERDICT_WAIT};
}

/* Whatever was tried and waited for belongs to another network. */
static void note_network(struct follow *follow)
{
    if (strcmp(follow->network_id, follow->network.id) == 0)
        return;
    memcpy(follow->network_id, follow->network.id, sizeof(follow->network_id));
    follow->is_released = follow->may_be_alone = false;
    follow->settle = (struct settle){0};
    follow->attempts = (struct memory_entry){0};
    follow->address_tries = 0;
}

/* What the follower's endpoint has, as long as Docker still tells it. */
static int remember_configuration(struct follow *follow)
{
    char *configured = NULL;
    int result;

    if (!follow->endpoint.is_there && strcmp(follow->configured_of, follow->follower.id) == 0)
        return 0;
    result = endpoint_copy_configuration(&follow->follower, follow->configuration->follow.network, &configured);
    if (result < 0)
        return result;
    free(follow->configured);
    follow->configured = configured;
    memcpy(follow->configured_of, follow->follower.id, sizeof(follow->configured_of));
    return 0;
}

static bool is_present(const struct follow *follow)
{
    const struct endpoint *endpoint = &follow->endpoint;

    return endpoint->is_there &&
           (endpoint->network_id[0] == '\0' || strcmp(endpoint->network_id, follow->network.id) == 0) &&
           (!follow->follower.is_running || follow->network.has_follower);
}

static void on_network(void *userdata, int error, const char *text)
{
    struct follow *follow = userdata;
    const char *name = follow->configuration->follow.network;
    const char *reason = text;

    if (!session_check_answer(follow->session, error, text))
        return;
    if (error == -ENOENT) {
        follow->network_id[0] = '\0';
        if (is_news(follow, NOTICE_NO_NETWORK))
            log_info("waiting for the network", LOG_TEXT("network", name));
        end_look(follow);
        return;
    }
    if (error == 0)
        error = endpoint_read_network(&follow->network, name, follow->follower.id, &reason);
    if (error < 0) {
        if (is_news(follow, NOTICE_ODD_NETWORK))
            log_error("the network cannot be looked at", LOG_PROBLEM(PROBLEM_DETACHED), LOG_TEXT("network", name),
                      LOG_ERROR_TEXT(reason));
        end_look(follow);
        return;
    }
    note_network(follow);
    endpoint_read(&follow->follower, name, &follow->endpoint);
    error = remember_configuration(follow);
    if (error < 0)
        session_check_sent(follow->session, error);
    else
        carry_out(follow, is_present(follow) ? judge_present(follow) : judge_absent(follow));
}

static void on_follower(void *userdata, int error, const char *text)
{
    struct follow *follow = userdata;
    const char *reason = text;
    bool was_known = follow->follower_id[0] != '\0';

    if (!session_check_answer(follow->session, error, text))
        return;
    if (error == -ENOENT && was_known) { /* recreated, maybe */
        follow->follower_id[0] = '\0';
        follow_lists_find_follower(&follow->lists);
        return;
    }
    if (error == 0)
        error = inspection_read(&follow->follower, &reason);
    if (error == 0 && follow->follower.is_rebinder) {
        reason = "it is a rebinder";
        error = -EINVAL;
    }
    if (error == -ENOENT) {
        if (is_news(follow, NOTICE_NO_FOLLOWER))
            log_info("waiting for the follower", LOG_TEXT("target", follow->configuration->follow.target));
    } else if (error < 0) {
        if (is_news(follow, NOTICE_ODD_FOLLOWER))
            log_error("the follower cannot be looked at", LOG_PROBLEM(PROBLEM_DETACHED),
                      LOG_TEXT("target", follow->configuration->follow.target), LOG_ERROR_TEXT(reason));
    } else {
        memcpy(follow->follower_id, follow->follower.id, sizeof(follow->follower_id));
        session_check_sent(follow->session, docker_client_inspect_network_whole(
                                                session_client(follow->session), follow->configuration->follow.network,
                                                &follow->network.document, on_network, follow));
        return;
    }
    end_look(follow);
}

static void ask_for_follower(struct follow *follow, const char *reference)
{
    session_check_sent(follow->session, docker_client_inspect_whole(session_client(follow->session), reference,
                                                                    &follow->follower.document, on_follower, follow));
}

static void on_follower_found(void *userdata, const char *reference)
{
    ask_for_follower(userdata, reference);
}

static void look(struct follow *follow)
{
    if (!follow->is_connected)
        return;
    if (follow->is_looking) {
        follow->must_look_again = true;
        return;
    }
    follow->is_looking = true;
    follow->must_look_again = false;
    follow->wake_at = UINT64_MAX;
    if (follow->follower_id[0])
        ask_for_follower(follow, follow->follower_id);
    else
        follow_lists_find_follower(&follow->lists);
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
    struct follow *follow = userdata;

    (void)planned;
    event_loop_start_timer(source, follow->configuration->poll_interval_milliseconds * MICROSECONDS_PER_MILLISECOND);
    look(follow);
    return 0;
}

void follow_on_connected(struct follow *follow)
{
    follow->is_connected = true;
    event_loop_start_timer(follow->poll_timer, 0);
}

void follow_on_lost(struct follow *follow)
{
    follow->is_connected = follow->is_looking = false;
    follow->settle = (struct settle){0}; /* nobody has watched */
    release_answers(follow);
}

/* A network's events at once: whoever takes its last other endpoint away is about to remove it. */
void follow_on_event(struct follow *follow, const struct docker_event *event)
{
    /* Whom no look has seen, since he came and went between two. */
    if (strcmp(event->network_id, follow->network_id) == 0 && strcmp(event->container_id, follow->follower_id) != 0 &&
        strcmp(event->action, "disconnect") == 0)
        follow->may_be_alone = false;
    if (follow->is_looking)
        follow->must_look_again = true;
    else
        event_loop_start_timer(follow->look_timer, event->type == DOCKER_EVENT_NETWORK ? 0 : EVENT_DELAY);
}

/* --- construction ---------------------------------------------------------------------------------------- */

static int tell_findings(void *userdata, finding_handler handler, void *handler_userdata)
{
    const struct follow *follow = userdata;
    struct wire_finding finding = {.kind = FINDING_PROBLEM, .problem = PROBLEM_DETACHED};

    if (follow->problem[0] == '\0')
        return 0;
    memcpy(finding.container, follow->configuration->follow.target, sizeof(finding.container));
    memcpy(finding.reason, follow->problem, sizeof(finding.reason));
    return handler(handler_userdata, &finding);
}

int follow_link_control(struct follow *follow, int fd)
{
    return findings_sender_link(follow->findings, fd);
}

int follow_new(sd_event *event, struct session *session, const struct message_configure_keeper *configuration,
               struct follow **ret)
{
    CLEANUP(follow_freep) struct follow *follow = calloc(1, sizeof(*follow));
    int result;

    if (!follow)
        return -ENOMEM;
    follow->configuration = configuration;
    follow->session = session;
    follow->times = (struct settle_times){
        .steady = configuration->follow.steady_milliseconds * MICROSECONDS_PER_MILLISECOND,
        .limit = configuration->follow.settle_limit_milliseconds * MICROSECONDS_PER_MILLISECOND,
    };
    follow->lists = (struct follow_lists){.session = session,
                                          .configuration = configuration,
                                          .on_follower = on_follower_found,
                                          .on_awaited = on_awaited_found,
                                          .userdata = follow};
    follow->action = (struct follow_action){
        .session = session,
        .configuration = configuration,
        .follower = &follow->follower,
        .endpoint = &follow->endpoint,
        .network = &follow->network,
        .on_end = on_action_end,
        .userdata = follow,
    };
    result = follow_lists_prepare(&follow->lists);
    if (result == 0)
        result = event_loop_add_timer(event, CLOCK_MONOTONIC, MICROSECONDS_PER_MILLISECOND, on_poll_time, follow,
                                      &follow->poll_timer);
    if (result >= 0)
        result = event_loop_add_timer(event, CLOCK_MONOTONIC, MICROSECONDS_PER_MILLISECOND, on_look_time, follow,
                                      &follow->look_timer);
    if (result >= 0)
        result = findings_sender_new(event, DIRECTION_CONTROL_TO_KEEPER, tell_findings, follow, &follow->findings);
    if (result < 0)
        return result;
    *ret = TAKE_POINTER(follow);
    return 0;
}

struct follow *follow_free(struct follow *follow)
{
    if (!follow)
        return NULL;
    release_answers(follow);
    (void)findings_sender_free(follow->findings);
    sd_event_source_disable_unref(follow->poll_timer);
    sd_event_source_disable_unref(follow->look_timer);
    follow_lists_release(&follow->lists);
    free(follow->configured);
    free(follow);
    return NULL;
}
