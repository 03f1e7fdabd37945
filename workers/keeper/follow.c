/*
 * The job of an external-rebinder; see follow.h. Runs without any privilege.
 *
 *     the follower is not on the network, or on one of that name that is no more:
 *         backoff -> wait until the network has settled -> disconnect the stale endpoint -> connect -> restart if asked
 *     the follower is on it, and nobody else is:
 *         disconnect, and wait for somebody else, or for a new network of that name
 */
#include "workers/keeper/follow_internal.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"

#include <stdio.h>
#include <string.h>

/* LIFE-5: "Address already in use" is tried so often, then it is for somebody else to change something. */
#define ADDRESS_TRIES 4
/* What happens to a container without its networks is not urgent, and comes in bunches. */
#define EVENT_DELAY (50 * MICROSECONDS_PER_MILLISECOND)

static void set_timer(sd_event_source *source, uint64_t delay)
{
    (void)sd_event_source_set_time_relative(source, delay); /* a source of our own: neither call can fail */
    (void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static void release_answers(struct follow *follow)
{
    inspection_release(&follow->follower);
    docker_document_release(&follow->network.document);
}

void follow_end_look(struct follow *follow)
{
    uint64_t now = clock_monotonic_microseconds();

    release_answers(follow);
    follow->is_looking = false;
    follow->has_looked = true;
    if (follow->must_look_again)
        set_timer(follow->look_timer, 0);
    else if (follow->wake_at != UINT64_MAX)
        set_timer(follow->look_timer, follow->wake_at > now ? follow->wake_at - now : 0);
}

/* False: the connection has gone, and with it this look. */
bool follow_is_answered(struct follow *follow, int error, const char *text)
{
    if (command_was_answered(error) || error == -EMSGSIZE)
        return true;
    session_fail(follow->session, text);
    return false;
}

/* The end of a question that could not even be put: as if the connection were lost. */
void follow_check_sent(struct follow *follow, int result)
{
    if (result < 0)
        session_fail(follow->session, log_errno_text(result));
}

void follow_wake(struct follow *follow, uint64_t at)
{
    if (at < follow->wake_at)
        follow->wake_at = at;
}

void follow_note_problem(struct follow *follow, const char *problem)
{
    text_copy_cut(follow->problem, sizeof(follow->problem), problem ? problem : "");
    findings_sender_schedule(follow->findings);
}

/* Is this to be said, because something else was the last that was? */
static bool is_news(struct follow *follow, enum notice notice)
{
    bool is_news = follow->notice != notice;

    follow->notice = notice;
    return is_news;
}

/* --- the follower has to join ---------------------------------------------------------------------------- */

static void on_network_container(void *userdata, const struct docker_container *container)
{
    struct follow *follow = userdata;

    if (container->is_running || strcmp(container->id, follow->follower.id) == 0)
        return;
    for (size_t i = 0; i < container->endpoint_count; i++) {
        const struct docker_endpoint *endpoint = &container->endpoints[i];

        if ((endpoint->has_fixed_address4 || endpoint->has_fixed_address6) &&
            strcmp(endpoint->network, follow->configuration->follow.network) == 0)
            memcpy(follow->wanted_by, container->name, sizeof(follow->wanted_by));
    }
}

static void on_odd_container(void *userdata, const char *id, const char *name, const char *reason)
{
    (void)userdata;
    log_debug("odd container in Docker's list, ignoring", LOG_TEXT("container", name), LOG_TEXT("id", id),
              LOG_ERROR_TEXT(reason));
}

/* A fixed address is free as long as its owner does not run, and Docker would give it to the follower. */
static void on_network_containers(void *userdata, int error, const char *text)
{
    struct follow *follow = userdata;

    if (error < 0) {
        session_fail(follow->session, text);
        return;
    }
    if (follow->wanted_by[0] == '\0') {
        follow_rejoin(follow, "the network has settled");
        return;
    }
    if (is_news(follow, NOTICE_ADDRESS_WANTED))
        log_info("waiting for a container that has a fixed address on the network and does not run",
                 LOG_TEXT("container", follow->wanted_by));
    follow_wake(follow, follow->settle.begins + follow->times.limit);
    follow_end_look(follow);
}

static void ask_for_fixed_addresses(struct follow *follow)
{
    static const struct docker_label_names no_labels = {0};
    const struct docker_container_query query = {.network = follow->configuration->follow.network,
                                                 .in_any_state = true};
    const struct docker_container_handlers handlers = {on_network_container, on_odd_container, on_network_containers,
                                                       follow};

    follow->wanted_by[0] = '\0';
    follow_check_sent(follow, docker_client_list(session_client(follow->session), &query, &no_labels, &handlers));
}

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
                  LOG_TEXT("container", follow->follower.name),
                  LOG_TEXT("network", follow->configuration->follow.network), LOG_NUMBER("tries", ADDRESS_TRIES));
    follow_note_problem(follow, "not on the network that it is to stay on: its address there is in use");
    return true;
}

static void wait_until_settled(struct follow *follow)
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
            ask_for_fixed_addresses(follow);
        else
            follow_rejoin(follow, "somebody with a fixed address has not come, and the time is over");
        return;
    case SETTLE_EXPIRED:
        follow_rejoin(follow, "the network has not settled, and the time is over");
        return;
    case SETTLE_UNSETTLED:
    default:
        if (is_news(follow, NOTICE_SETTLING))
            log_info("the follower is not on the network, waiting until that has settled",
                     LOG_TEXT("container", follow->follower.name),
                     LOG_TEXT("network", follow->configuration->follow.network),
                     LOG_TEXT("network_id", follow->network.id), LOG_TEXT("was_on", follow->endpoint.network_id));
        follow_wake(follow, next);
        follow_end_look(follow);
    }
}

static void judge_absent(struct follow *follow)
{
    if (follow->is_released && follow->network.foreign_count == 0) {
        if (is_news(follow, NOTICE_RELEASED))
            log_info("waiting for somebody else on the network",
                     LOG_TEXT("network", follow->configuration->follow.network));
        follow_end_look(follow);
        return;
    }
    follow->is_released = false;
    if (has_given_up(follow))
        follow_end_look(follow);
    else
        wait_until_settled(follow);
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

static void judge_present(struct follow *follow)
{
    follow->settle = (struct settle){0};
    follow->address_tries = 0;
    follow->may_be_alone = follow->may_be_alone && follow->network.foreign_count == 0;
    if (follow->follower.is_running && follow->network.foreign_count == 0 && !follow->may_be_alone) {
        follow_leave(follow);
    } else if (endpoint_prevented_start(&follow->follower)) {
        follow_restart(follow, "Docker could not start it without the network");
    } else if (is_restart_due(follow)) {
        follow_restart(follow, "it was started before the network was made");
    } else {
        follow->attempts = (struct memory_entry){0};
        follow->notice = NOTICE_NONE;
        follow_note_problem(follow, NULL);
        follow_end_look(follow);
    }
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

    if (!follow_is_answered(follow, error, text))
        return;
    if (error == -ENOENT) {
        follow->network_id[0] = '\0';
        if (is_news(follow, NOTICE_NO_NETWORK))
            log_info("waiting for the network", LOG_TEXT("network", name));
        follow_end_look(follow);
        return;
    }
    if (error == 0)
        error = network_view_read(&follow->network, name, follow->follower.id, &reason);
    if (error < 0) {
        if (is_news(follow, NOTICE_ODD_NETWORK))
            log_error("the network cannot be looked at", LOG_TEXT("network", name), LOG_ERROR_TEXT(reason));
        follow_end_look(follow);
        return;
    }
    note_network(follow);
    endpoint_read(&follow->follower, name, &follow->endpoint);
    error = remember_configuration(follow);
    if (error < 0)
        follow_check_sent(follow, error);
    else if (is_present(follow))
        judge_present(follow);
    else
        judge_absent(follow);
}

static void find_follower(struct follow *follow);

static void on_follower(void *userdata, int error, const char *text)
{
    struct follow *follow = userdata;
    const char *reason = text;
    bool was_known = follow->follower_id[0] != '\0';

    if (!follow_is_answered(follow, error, text))
        return;
    if (error == -ENOENT && was_known) { /* recreated, maybe */
        follow->follower_id[0] = '\0';
        find_follower(follow);
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
            log_error("the follower cannot be looked at", LOG_TEXT("target", follow->configuration->follow.target),
                      LOG_ERROR_TEXT(reason));
    } else {
        memcpy(follow->follower_id, follow->follower.id, sizeof(follow->follower_id));
        follow_check_sent(follow, docker_client_inspect_network_whole(session_client(follow->session),
                                                                      follow->configuration->follow.network,
                                                                      &follow->network.document, on_network, follow));
        return;
    }
    follow_end_look(follow);
}

static void ask_for_follower(struct follow *follow, const char *reference)
{
    follow_check_sent(follow, docker_client_inspect_whole(session_client(follow->session), reference,
                                                          &follow->follower.document, on_follower, follow));
}

/* Not one of `docker compose run`. */
static void on_service_container(void *userdata, const struct docker_container *container)
{
    struct follow *follow = userdata;
    const struct docker_label *one_off = &container->labels[0];

    if (one_off->is_present && strcmp(one_off->text, "True") == 0)
        return;
    if (follow->found_id[0] != '\0' && (follow->found_is_running || !container->is_running))
        return;
    memcpy(follow->found_id, container->id, sizeof(follow->found_id));
    follow->found_is_running = container->is_running;
}

static void on_service(void *userdata, int error, const char *text)
{
    struct follow *follow = userdata;

    if (error < 0)
        session_fail(follow->session, text);
    else
        ask_for_follower(follow, follow->found_id[0] ? follow->found_id : follow->configuration->follow.target);
}

/* A service of our own project, where that is known; if there is none, a container of that name. */
static void find_follower(struct follow *follow)
{
    static const struct docker_label_names labels = {.names = {"com.docker.compose.oneoff"}, .count = 1};
    const char *filters[] = {follow->project_filter, follow->service_filter};
    const struct docker_container_query query = {
        .labels = filters,
        .label_count = ARRAY_LENGTH(filters),
        .in_any_state = true,
    };
    const struct docker_container_handlers handlers = {on_service_container, on_odd_container, on_service, follow};

    follow->found_id[0] = '\0';
    if (follow->configuration->project[0] == '\0')
        ask_for_follower(follow, follow->configuration->follow.target);
    else
        follow_check_sent(follow, docker_client_list(session_client(follow->session), &query, &labels, &handlers));
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
        find_follower(follow);
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
    set_timer(source, follow->configuration->poll_interval_milliseconds * MICROSECONDS_PER_MILLISECOND);
    look(follow);
    return 0;
}

void follow_on_connected(struct follow *follow)
{
    follow->is_connected = true;
    set_timer(follow->poll_timer, 0);
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
        set_timer(follow->look_timer, event->type == DOCKER_EVENT_NETWORK ? 0 : EVENT_DELAY);
}

/* --- construction ---------------------------------------------------------------------------------------- */

static int add_timer(sd_event *event, sd_event_source **ret, sd_event_time_handler_t on_time, struct follow *follow)
{
    int result = sd_event_add_time(event, ret, CLOCK_MONOTONIC, 0, MICROSECONDS_PER_MILLISECOND, on_time, follow);

    return result < 0 ? result : sd_event_source_set_enabled(*ret, SD_EVENT_OFF);
}

static int tell_findings(void *userdata, finding_handler handler, void *handler_userdata)
{
    const struct follow *follow = userdata;
    struct wire_finding finding = {.kind = FINDING_DETACHED};

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

static int make_filter(const char *label, const char *value, char **ret)
{
    if (asprintf(ret, "%s=%s", label, value) >= 0)
        return 0;
    *ret = NULL;
    return -ENOMEM;
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
    result = make_filter("com.docker.compose.project", configuration->project, &follow->project_filter);
    if (result == 0)
        result = make_filter("com.docker.compose.service", configuration->follow.target, &follow->service_filter);
    if (result == 0)
        result = add_timer(event, &follow->poll_timer, on_poll_time, follow);
    if (result >= 0)
        result = add_timer(event, &follow->look_timer, on_look_time, follow);
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
    free(follow->project_filter);
    free(follow->service_filter);
    free(follow->configured);
    free(follow);
    return NULL;
}
