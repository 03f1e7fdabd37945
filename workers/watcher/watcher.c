/* The watcher as a whole; see watcher.h. Runs without any capability. */
#include "workers/watcher/watcher.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/sandbox.h"
#include "protocol/findings_sender.h"
#include "protocol/problems.h"
#include "protocol/supervised.h"
#include "workers/docker/seal.h"
#include "workers/watcher/findings.h"
#include "workers/watcher/reconcile.h"
#include "workers/watcher/watch.h"

#include <string.h>

struct watcher {
    sd_event *event;
    struct channel *supervisor;
    struct findings_sender *control;
    struct netadmin_peer *netadmin; /* NULL between its death and the next LINK */
    struct discovery *discovery;    /* these four: NULL until CONFIGURE_WATCHER */
    struct path_survey *survey;
    struct watch *watch;
    struct reconciler *reconciler;
    struct attachment *attachment;         /* NULL in a network-anchor */
    struct docker_credentials credentials; /* of TLS; empty: none */
    char *guest_texts[GUEST_TEXT_MAX_];    /* until there is a table for them */
    bool has_links;
    bool has_incumbents;
};

/* The loop ends with an exit status; sd_event_exit() can only fail on a loop that has ended. */
static void end(struct watcher *watcher, enum exit_status status)
{
    (void)sd_event_exit(watcher->event, (int)status);
}

static void reconcile(struct watcher *watcher, uint64_t event_time)
{
    struct container_table *table = watch_table(watcher->watch);
    int result;

    if (!table || !watcher->netadmin || !discovery_is_settled(watcher->discovery) ||
        (watcher->attachment && !attachment_is_settled(watcher->attachment)))
        return;
    result = reconciler_run(watcher->reconciler, table, watcher->netadmin, event_time);
    /* netadmin has ended, on purpose when the shared network is another one (DISC-4): its successor gets the state. */
    if (result == -EPIPE || result == -ECONNRESET)
        log_debug("netadmin is gone, its successor gets the state");
    else if (result < 0)
        log_error("desired state cannot be computed or sent", LOG_ERROR(result));
    findings_sender_schedule(watcher->control);
}

/* Later, when nothing else is to be done: netadmin's state never waits for what people read. */
static int tell_findings(void *userdata, finding_handler handler, void *handler_userdata)
{
    struct watcher *watcher = userdata;
    struct container_table *table = watcher->watch ? watch_table(watcher->watch) : NULL;
    struct exposure_result computed;
    struct watch_absence absence = watcher->watch ? watch_absence(watcher->watch) : (struct watch_absence){.since = 0};
    int result = table ? reconciler_compute(watcher->reconciler, table, &computed) : -EAGAIN;

    if (!table && absence.since) /* of nothing else anything is known yet */
        return findings_tell_absence(&absence, handler, handler_userdata);
    if (result < 0)
        return result;
    result = findings_tell(table, &computed, watcher->survey, &absence, discovery_external_advice(watcher->discovery),
                           handler, handler_userdata);
    if (watcher->attachment && result == 0)
        result = attachment_tell(watcher->attachment, table, handler, handler_userdata);
    reconciler_forget_computed(watcher->reconciler);
    return result;
}

/* --- Docker -------------------------------------------------------------------------------------------- */

static void on_docker_connected(void *userdata, bool is_connected)
{
    struct watcher *watcher = userdata;
    const struct message_readiness readiness = {
        .header = message_header_make(MESSAGE_READINESS, sizeof(readiness), 0),
        .conditions = is_connected ? READINESS_DOCKER_CONNECTED : 0,
    };

    (void)channel_send_message(watcher->supervisor, &readiness); /* the end of the loop follows a failure */
    findings_sender_schedule(watcher->control);
}

static void on_docker_changed(void *userdata, uint64_t event_time)
{
    reconcile(userdata, event_time);
}

static void on_dependent(void *userdata)
{
    struct watcher *watcher = userdata;
    const struct message_ping wanted = {message_header_make(MESSAGE_KEEPER_WANTED, sizeof(wanted), 0)};

    (void)channel_send_message(watcher->supervisor, &wanted); /* the end of the loop follows a failure */
}

static void on_findings_changed(void *userdata)
{
    struct watcher *watcher = userdata;

    findings_sender_schedule(watcher->control);
}

static void on_attachment_changed(void *userdata)
{
    reconcile(userdata, 0);
}

static void on_topology(void *userdata, const struct message_topology *topology, const char *shared_id)
{
    struct watcher *watcher = userdata;

    (void)channel_send_message(watcher->supervisor, topology); /* the end of the loop follows a failure */
    reconciler_set_shared(watcher->reconciler, &topology->shared, shared_id);
    path_survey_set_shared(watcher->survey, discovery_shared_network(watcher->discovery), &topology->shared.mac);
    reconcile(watcher, 0);
}

static void on_fatal(void *userdata)
{
    end(userdata, EXIT_STATUS_CONFIGURATION);
}

/* --- netadmin ------------------------------------------------------------------------------------------ */

/* Docker is asked for more than its version only when we can recognise ourselves and know the incumbents (ADDR-10,
 * NAT-6). */
static void start_when_ready(struct watcher *watcher)
{
    if (watcher->has_links && watcher->has_incumbents)
        watch_start(watcher->watch);
}

static void on_links(void *userdata, const struct link_table *links)
{
    struct watcher *watcher = userdata;

    discovery_set_links(watcher->discovery, links);
    path_survey_set_links(watcher->survey, links);
    watcher->has_links = true;
    start_when_ready(watcher);
}

static void on_map(void *userdata, const struct wire_exposure *entries, size_t count)
{
    struct watcher *watcher = userdata;
    int result = reconciler_set_incumbents(watcher->reconciler, entries, count);

    if (result < 0)
        log_error("incumbents cannot be kept, ignoring", LOG_ERROR(result));
    watcher->has_incumbents = true;
    start_when_ready(watcher);
}

static void on_applied(void *userdata, const struct message_applied *applied, uint64_t event_time)
{
    struct watcher *watcher = userdata;

    reconciler_on_applied(watcher->reconciler, applied, event_time);
    watch_set_lacks_lists(watcher->watch, applied->lacks_lists);
    watch_set_refusal(watcher->watch, applied->error ? applied->reason : "");
    findings_sender_schedule(watcher->control);
}

/* netadmin died or broke the protocol; the supervisor will send another LINK. */
static void on_netadmin_closed(void *userdata, int error, const char *reason)
{
    struct watcher *watcher = userdata;

    log_warn("connection to netadmin ended, waiting for the next one", LOG_TEXT("reason", reason), LOG_ERROR(error));
    watcher->netadmin = netadmin_peer_free(watcher->netadmin);
}

static void take_link(struct watcher *watcher, const struct message_link *message, int descriptor)
{
    const struct netadmin_peer_callbacks callbacks = {on_links, on_map, on_applied, on_netadmin_closed, watcher};
    CLEANUP_FD int owned_descriptor = descriptor;
    int result;

    if (message->peer == LINK_PEER_CONTROL) {
        result = findings_sender_link(watcher->control, TAKE_FD(owned_descriptor));
        if (result < 0)
            log_error("channel to control cannot be made", LOG_ERROR(result));
        return;
    }
    if (watcher->attachment && (message->peer == LINK_PEER_LINKS || message->peer == LINK_PEER_NAMESPACES)) {
        result = attachment_link(watcher->attachment, (enum link_peer)message->peer, TAKE_FD(owned_descriptor));
        if (result < 0)
            log_error("channel to the host half cannot be made", LOG_ERROR(result));
        return;
    }
    if (message->peer != LINK_PEER_NETADMIN || !watcher->watch) {
        log_error("unexpected LINK from the supervisor, ignoring", LOG_NUMBER("peer", message->peer));
        return;
    }
    watcher->netadmin = netadmin_peer_free(watcher->netadmin);
    result = netadmin_peer_new(watcher->event, TAKE_FD(owned_descriptor), &callbacks, &watcher->netadmin);
    if (result < 0) {
        log_error("channel to netadmin cannot be made", LOG_ERROR(result));
        end(watcher, EXIT_STATUS_CRASH);
        return;
    }
    reconciler_resend(watcher->reconciler);
    reconcile(watcher, 0);
}

/* --- supervisor ---------------------------------------------------------------------------------------- */

/* HOST-3: what is published on one of the parent's addresses is exposed. */
static void take_host_addresses(struct watcher *watcher, const struct message_host_addresses *message)
{
    struct ip_address parent[HOST_ADDRESSES_MAX];
    size_t count = 0;

    for (uint32_t i = 0; i < message->count; i++) {
        if (message->items[i].is_on_parent)
            parent[count++] = wire_address_to(&message->items[i].address);
    }
    if (watcher->attachment)
        watch_set_parent(watcher->watch, parent, count);
}

static int attach(struct watcher *watcher, const struct message_configure_watcher *configuration)
{
    const struct attachment_callbacks callbacks = {on_attachment_changed, on_findings_changed, watcher};
    int result = attachment_new(watcher->event, configuration, &callbacks, &watcher->attachment);

    if (result < 0)
        return result;
    watch_set_attachment(watcher->watch, watcher->attachment);
    reconciler_set_attached(watcher->reconciler, attachment_networks(watcher->attachment));
    return 0;
}

static int make_rooms(struct watcher *watcher, const struct message_configure_watcher *configuration,
                      const struct docker_host *host)
{
    const struct discovery_callbacks discovery_callbacks = {on_topology, on_findings_changed, on_fatal, watcher};
    const struct watch_callbacks watch_callbacks = {on_docker_connected, on_docker_changed, on_dependent,
                                                    on_findings_changed, watcher};
    int result = reconciler_new(&watcher->reconciler);

    if (result == 0)
        result = path_survey_new(&watcher->survey);
    if (result == 0)
        result = discovery_new(configuration, &discovery_callbacks, &watcher->discovery);
    if (result == 0)
        result = watch_new(watcher->event, configuration, host, watcher->discovery, watcher->survey, &watch_callbacks,
                           &watcher->watch);
    if (result == 0 && configuration->is_attached)
        result = attach(watcher, configuration);
    return result;
}

static void configure(struct watcher *watcher, const struct message_configure_watcher *configuration)
{
    struct docker_host host;
    const char *reason = NULL;
    int result;

    if (watcher->reconciler) {
        log_error("second CONFIGURE_WATCHER from the supervisor, ignoring");
        return;
    }
    log_set_level((enum log_level)configuration->log_level);
    if (docker_host_parse(configuration->asked_at, &host, &reason) < 0) {
        log_error("DOCKER_HOST is invalid", LOG_PROBLEM(PROBLEM_CONFIGURATION_INVALID),
                  LOG_TEXT("docker_host", configuration->asked_at), LOG_ERROR_TEXT(reason));
        end(watcher, EXIT_STATUS_CONFIGURATION);
        return;
    }
    if (docker_credentials_are_complete(&watcher->credentials))
        host.credentials = &watcher->credentials;
    result = make_rooms(watcher, configuration, &host);
    if (result < 0) {
        log_error("watcher cannot start", LOG_ERROR(result));
        end(watcher, EXIT_STATUS_CRASH);
        return;
    }
    watch_take_guest_texts(watcher->watch, watcher->guest_texts);
    result = docker_seal(&host, &reason);
    if (result < 0) {
        log_error("a privilege could not be dropped", LOG_TEXT("step", reason), LOG_ERROR(result));
        end(watcher, EXIT_STATUS_SANDBOX);
        return;
    }
    watch_connect(watcher->watch);
}

/* Without TLS to Docker there is no way on: the supervisor said that there is to be some. */
static void take_credential(struct watcher *watcher, const struct message_docker_credential *message, int descriptor)
{
    CLEANUP_FD int owned_descriptor = descriptor;
    int result =
        docker_credentials_read(&watcher->credentials, (enum docker_credential)message->kind, owned_descriptor);

    if (result == 0)
        return;
    log_error("a file of DOCKER_CERT_PATH cannot be read", LOG_PROBLEM(PROBLEM_DOCKER_AWAY),
              LOG_NUMBER("kind", message->kind), LOG_ERROR(result));
    end(watcher, EXIT_STATUS_CONFIGURATION);
}

/* GUEST-5: what is not known would let in whom it was to keep out. */
static void take_guest_text(struct watcher *watcher, const struct message_guest_text *message)
{
    free(watcher->guest_texts[message->which]);
    watcher->guest_texts[message->which] = strdup(message->text);
    if (!watcher->guest_texts[message->which] || watcher->watch)
        end(watcher, EXIT_STATUS_CRASH);
}

static void on_supervisor_message(const struct message_header *message, int descriptor, void *userdata)
{
    struct watcher *watcher = userdata;

    switch (message->type) {
    case MESSAGE_CONFIGURE_WATCHER:
        configure(watcher, (const struct message_configure_watcher *)message);
        break;
    case MESSAGE_DOCKER_CREDENTIAL:
        take_credential(watcher, (const struct message_docker_credential *)message, descriptor);
        break;
    case MESSAGE_GUEST_TEXT:
        take_guest_text(watcher, (const struct message_guest_text *)message);
        break;
    case MESSAGE_LINK:
        take_link(watcher, (const struct message_link *)message, descriptor);
        break;
    case MESSAGE_HOST_ADDRESSES:
        take_host_addresses(watcher, (const struct message_host_addresses *)message);
        break;
    case MESSAGE_STOP:
        end(watcher, EXIT_STATUS_CLEAN);
        break;
    default:
        supervised_refuse(message, descriptor);
        break;
    }
}

int watcher_new(sd_event *event, struct watcher **ret)
{
    CLEANUP(watcher_freep) struct watcher *watcher = calloc(1, sizeof(*watcher));
    int result;

    if (!watcher)
        return -ENOMEM;
    watcher->event = event;
    result = findings_sender_new(event, DIRECTION_CONTROL_TO_WATCHER, tell_findings, watcher, &watcher->control);
    if (result < 0)
        return result;
    result =
        supervised_join(event, DIRECTION_SUPERVISOR_TO_WATCHER, on_supervisor_message, watcher, &watcher->supervisor);
    if (result < 0)
        return result;
    *ret = TAKE_POINTER(watcher);
    return 0;
}

struct watcher *watcher_free(struct watcher *watcher)
{
    if (!watcher)
        return NULL;
    (void)channel_free(watcher->supervisor);
    (void)netadmin_peer_free(watcher->netadmin);
    (void)findings_sender_free(watcher->control);
    (void)watch_free(watcher->watch);
    (void)attachment_free(watcher->attachment);
    (void)discovery_free(watcher->discovery);
    (void)path_survey_free(watcher->survey);
    (void)reconciler_free(watcher->reconciler);
    docker_credentials_release(&watcher->credentials);
    for (size_t i = 0; i < ARRAY_LENGTH(watcher->guest_texts); i++)
        free(watcher->guest_texts[i]);
    free(watcher);
    return NULL;
}
