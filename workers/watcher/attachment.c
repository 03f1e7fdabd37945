/* The watcher of an attached project; see attachment.h. Runs without any privilege. */
#include "workers/watcher/attachment.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"
#include "protocol/problems.h"
#include "workers/watcher/attachment_findings.h"

struct attachment {
    struct attachment_callbacks callbacks;
    struct members members;
    struct scope_networks networks;
    struct host_half *host_half;
    sd_event_source *timer; /* the next namespace is to be asked for */
    bool is_listed;         /* everybody in scope was listed once: namespaces can be told that these are all */
    bool is_pass;           /* over all networks: ends with the list of the project's own */
    bool must_list_networks;
    char asked_id[DOCKER_ID_SIZE]; /* of the inspection under way */
    struct docker_network answer;
    size_t told_unguarded;
    struct message_bridges bridges; /* too large for the stack */
    struct message_guarded guarded;
};

/* --- the host half --------------------------------------------------------------------------------------- */

/* Sources of our own with valid arguments: these cannot fail. */
static void set_timer(struct attachment *attachment)
{
    uint64_t due = members_next_due(&attachment->members);

    (void)sd_event_source_set_time(attachment->timer, due);
    (void)sd_event_source_set_enabled(attachment->timer, due < UINT64_MAX ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

static void serve(struct attachment *attachment)
{
    const struct member *member;

    if (!host_half_has_namespaces(attachment->host_half))
        return;
    while ((member = members_take(&attachment->members, clock_monotonic_microseconds())))
        host_half_want(attachment->host_half, member->id, member->generation);
    set_timer(attachment);
}

static int on_timer(sd_event_source *source, uint64_t time, void *userdata)
{
    (void)source;
    (void)time;
    serve(userdata);
    return 0;
}

static void on_left(void *userdata, const struct member *member)
{
    struct attachment *attachment = userdata;

    host_half_leave(attachment->host_half, member->id);
}

static void send_networks(struct attachment *attachment)
{
    if (!attachment->is_listed || !scope_networks_are_settled(&attachment->networks))
        return;
    attachment->bridges = (struct message_bridges){.count = 0};
    attachment->guarded = (struct message_guarded){.count = 0};
    scope_networks_fill(&attachment->networks, &attachment->bridges, &attachment->guarded);
    if (attachment->networks.unguarded > attachment->told_unguarded)
        log_warn("more addresses on networks shared with others than are guarded: what is left out may leave with the "
                 "host's address, and not with the project's",
                 LOG_PROBLEM(PROBLEM_NOT_GUARDED), LOG_NUMBER("guarded", GUARDED_MAX),
                 LOG_NUMBER("left_out", attachment->networks.unguarded));
    attachment->told_unguarded = attachment->networks.unguarded;
    host_half_send_networks(attachment->host_half, &attachment->bridges, &attachment->guarded);
}

int attachment_link(struct attachment *attachment, enum link_peer peer, int fd)
{
    int result = host_half_link(attachment->host_half, peer, fd);

    if (result < 0)
        return result;
    if (peer == LINK_PEER_LINKS) {
        send_networks(attachment);
        return 0;
    }
    members_want_all(&attachment->members, clock_monotonic_microseconds());
    serve(attachment);
    if (attachment->is_listed)
        host_half_commit(attachment->host_half);
    return 0;
}

static void on_link_answer(void *userdata, const struct message_link_answer *answer)
{
    struct attachment *attachment = userdata;

    if (answer->network_id[0] == '\0' || /* the macvlan: the supervisor knows */
        !scope_networks_set_link(&attachment->networks, answer->network_id, answer->name, answer->error,
                                 answer->reason))
        return;
    if (answer->error < 0)
        log_warn("no link to a network: its containers are not reached", LOG_PROBLEM(PROBLEM_NO_LINK),
                 LOG_TEXT("network", answer->network_id), LOG_TEXT("reason", answer->reason), LOG_ERROR(answer->error));
    attachment->callbacks.on_changed(attachment->callbacks.userdata);
}

static void on_namespace_answer(void *userdata, const struct message_namespace_answer *answer)
{
    struct attachment *attachment = userdata;

    if (members_take_answer(&attachment->members, answer, clock_monotonic_microseconds())) {
        if (answer->error < 0)
            log_warn("network namespace of a container is not served: it does not leave by the project's address",
                     LOG_PROBLEM(PROBLEM_NAMESPACE_NOT_SERVED), LOG_TEXT("container", answer->id),
                     LOG_TEXT("reason", answer->reason), LOG_ERROR(answer->error));
        attachment->callbacks.on_found(attachment->callbacks.userdata);
    }
    serve(attachment);
}

static void on_namespaces_closed(void *userdata)
{
    struct attachment *attachment = userdata;

    /* Whatever is due waits for the next LINK. */
    (void)sd_event_source_set_enabled(attachment->timer, SD_EVENT_OFF);
}

/* --- events ---------------------------------------------------------------------------------------------- */

static void log_no_memory(const char *what, int result)
{
    log_error("what is attached cannot be kept", LOG_TEXT("id", what), LOG_ERROR(result));
}

/* After a container was noted, or put: it may be on one of the networks already. */
static void end_noting(struct attachment *attachment, const char *id, int result)
{
    if (result < 0)
        log_no_memory(id, result);
    else if (result > 0)
        scope_networks_look_at_all(&attachment->networks);
}

/* Its networks exist already (Compose makes them first), and nobody else tells of those that are new. */
static void note_created(struct attachment *attachment, const char *id)
{
    end_noting(attachment, id, members_note_created(&attachment->members, id, clock_monotonic_microseconds()));
    attachment->must_list_networks = true;
}

static void note_container_event(struct attachment *attachment, const struct docker_event *event, bool is_in_scope)
{
    uint64_t now = clock_monotonic_microseconds();
    bool is_start = strcmp(event->action, "start") == 0;
    struct member *member;

    if (is_in_scope && (is_start || strcmp(event->action, "create") == 0) &&
        !members_find(&attachment->members, event->container_id))
        note_created(attachment, event->container_id);
    member = members_find(&attachment->members, event->container_id);
    if (!member)
        return;
    if (is_start)
        members_note_start(member, event->time, now);
    else if ((strcmp(event->action, "die") == 0 || strcmp(event->action, "destroy") == 0) &&
             members_note_end(member, event->time))
        host_half_leave(attachment->host_half, member->id);
}

static void note_network_event(struct attachment *attachment, const struct docker_event *event)
{
    struct member *member = members_find(&attachment->members, event->container_id);
    bool is_connect = strcmp(event->action, "connect") == 0;

    if (strcmp(event->action, "destroy") == 0 && scope_networks_remove(&attachment->networks, event->network_id)) {
        send_networks(attachment);
        attachment->callbacks.on_changed(attachment->callbacks.userdata);
    }
    if (!member && is_connect)
        members_note_early_connect(&attachment->members, event->container_id, event->time);
    if (!member)
        return;
    (void)scope_networks_look_again(&attachment->networks, event->network_id);
    if (is_connect)
        members_note_connect(member, event->time, clock_monotonic_microseconds());
}

void attachment_note_event(struct attachment *attachment, const struct docker_event *event, bool is_in_scope)
{
    if (event->type == DOCKER_EVENT_CONTAINER)
        note_container_event(attachment, event, is_in_scope);
    else
        note_network_event(attachment, event);
    serve(attachment);
}

/* --- lists ----------------------------------------------------------------------------------------------- */

void attachment_begin_pass(struct attachment *attachment, bool is_complete)
{
    members_begin_pass(&attachment->members, clock_monotonic_microseconds());
    if (!is_complete)
        return;
    scope_networks_begin_pass(&attachment->networks);
    attachment->is_pass = true;
}

void attachment_note_network(struct attachment *attachment, const char *network_id)
{
    int result = scope_networks_note(&attachment->networks, network_id);

    if (result < 0)
        log_no_memory(network_id, result);
}

/* Docker lists the special networks of these modes, too. */
void attachment_put(struct attachment *attachment, const struct docker_container *container)
{
    end_noting(attachment, container->id, members_put(&attachment->members, container, clock_monotonic_microseconds()));
    if (container->is_in_host_network || container->is_without_network)
        return;
    for (size_t i = 0; i < container->endpoint_count; i++)
        attachment_note_network(attachment, container->endpoints[i].network_id);
}

void attachment_keep(struct attachment *attachment, const char *id)
{
    members_keep(&attachment->members, id);
}

void attachment_end_pass(struct attachment *attachment)
{
    bool is_first = !attachment->is_listed;

    members_end_pass(&attachment->members, on_left, attachment);
    attachment->must_list_networks = true;
    attachment->is_listed = true;
    serve(attachment);
    if (is_first)
        host_half_commit(attachment->host_half);
}

void attachment_end_pass_for(struct attachment *attachment, const char *id)
{
    members_end_pass_for(&attachment->members, id, on_left, attachment);
    serve(attachment);
}

/* --- questions ------------------------------------------------------------------------------------------- */

enum attachment_question attachment_ask(struct attachment *attachment, const char **ret_id,
                                        struct docker_network **ret_record)
{
    const char *id;

    if (attachment->must_list_networks) {
        attachment->must_list_networks = false; /* what happens from now on asks again */
        return ATTACHMENT_QUESTION_NETWORKS;
    }
    id = scope_networks_needs_inspection(&attachment->networks);
    if (!id)
        return ATTACHMENT_QUESTION_NONE;
    text_copy_cut(attachment->asked_id, sizeof(attachment->asked_id), id);
    *ret_id = attachment->asked_id;
    *ret_record = &attachment->answer;
    return ATTACHMENT_QUESTION_NETWORK;
}

void attachment_put_attached(struct attachment *attachment, const struct docker_attached *attached)
{
    int result = members_find(&attachment->members, attached->id)
                     ? scope_networks_put_attached(&attachment->networks, attachment->asked_id, attached)
                     : 0;

    if (result < 0)
        log_no_memory(attached->id, result);
}

void attachment_end_inspection(struct attachment *attachment, int error)
{
    scope_networks_end_inspection(&attachment->networks, attachment->asked_id, error, &attachment->answer);
    send_networks(attachment);
    attachment->callbacks.on_changed(attachment->callbacks.userdata);
}

void attachment_end_networks(struct attachment *attachment)
{
    if (attachment->is_pass)
        scope_networks_end_pass(&attachment->networks);
    attachment->is_pass = false;
    send_networks(attachment);
    attachment->callbacks.on_changed(attachment->callbacks.userdata);
}

bool attachment_is_settled(const struct attachment *attachment)
{
    return attachment->is_listed && scope_networks_are_settled(&attachment->networks);
}

const char *attachment_network_at(const struct attachment *attachment, size_t place)
{
    return scope_networks_at(&attachment->networks, place);
}

const struct scope_networks *attachment_networks(const struct attachment *attachment)
{
    return &attachment->networks;
}

/* --- for people ------------------------------------------------------------------------------------------ */

int attachment_tell(const struct attachment *attachment, const struct container_table *table, finding_handler handler,
                    void *userdata)
{
    return attachment_findings_tell(&attachment->members, &attachment->networks, table, handler, userdata);
}

/* --- construction ---------------------------------------------------------------------------------------- */

struct attachment *attachment_free(struct attachment *attachment)
{
    if (!attachment)
        return NULL;
    sd_event_source_disable_unref(attachment->timer);
    (void)host_half_free(attachment->host_half);
    members_release(&attachment->members);
    scope_networks_release(&attachment->networks);
    free(attachment);
    return NULL;
}

int attachment_new(sd_event *event, const struct message_configure_watcher *configuration,
                   const struct attachment_callbacks *callbacks, struct attachment **ret)
{
    CLEANUP(attachment_freep) struct attachment *attachment = calloc(1, sizeof(*attachment));
    struct host_half_callbacks half_callbacks = {on_link_answer, on_namespace_answer, on_namespaces_closed, NULL};
    int result;

    if (!attachment)
        return -ENOMEM;
    attachment->callbacks = *callbacks;
    text_copy_cut(attachment->networks.project, sizeof(attachment->networks.project), configuration->project);
    half_callbacks.userdata = attachment;
    result = host_half_new(event, &half_callbacks, &attachment->host_half);
    if (result == 0)
        result = sd_event_add_time(event, &attachment->timer, CLOCK_MONOTONIC, UINT64_MAX, MICROSECONDS_PER_MILLISECOND,
                                   on_timer, attachment);
    if (result >= 0)
        result = sd_event_source_set_enabled(attachment->timer, SD_EVENT_OFF);
    if (result < 0)
        return result;
    *ret = TAKE_POINTER(attachment);
    return 0;
}
