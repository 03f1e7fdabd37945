/* The role attach; see attach.h. Runs as root, reads only our own messages. */
#include "daemon/role/attach.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/sandbox.h"
#include "daemon/role/container_home.h"
#include "daemon/role/given_addresses.h"
#include "daemon/role/meeting_client.h"
#include "daemon/role/way_worker.h"
#include "daemon/supervise/netlink_socket.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>

#define OWN_NAMESPACE "/proc/self/ns/net"

/* HOST-12; the lease is none of it, as in a network-anchor. */
#define READY_CONDITIONS \
    (READINESS_TABLES_INSTALLED | READINESS_RECONCILED | READINESS_LINKS_MADE | READINESS_WAYS_INSTALLED)

/* Who talks to whom across the two halves. */
static const struct crossing {
    enum host_worker host;
    enum link_peer host_name;
    enum identity_worker own;
    enum link_peer own_name;
} crossings[] = {
    {HOST_WORKER_LINKS, LINK_PEER_LINKS, IDENTITY_WATCHER, LINK_PEER_WATCHER},
    {HOST_WORKER_NAMESPACES, LINK_PEER_NAMESPACES, IDENTITY_WATCHER, LINK_PEER_WATCHER},
    {HOST_WORKER_NAMESPACES, LINK_PEER_NAMESPACES, IDENTITY_OWN, LINK_PEER_WAY},
};

struct attach {
    struct configuration *configuration;
    struct identity *identity;
    struct meeting_client *meeting;
    bool is_met;                         /* its WELCOME was taken */
    bool runs_on_host[HOST_WORKER_MAX_]; /* as long as it is met */
    int exit_status;                     /* other than clean: what ends the loop */
    /* The last ones, for a worker or a host half that is started anew; all zero: none yet. */
    struct message_welcome welcome; /* pinned */
    struct message_shared_links shared_links;
    struct message_host_addresses host_addresses;
    struct message_project_addresses project_addresses;
};

/* --- the workers ------------------------------------------------------------------------------------------ */

static void write_watcher(struct message_configure_watcher *message, void *userdata)
{
    const struct attach *attach = userdata;

    message->is_attached = true;
    message->expose_from = attach->configuration->expose_from;
}

static void write_netadmin(struct message_configure_netadmin *message, void *userdata)
{
    const struct attach *attach = userdata;

    message->is_attached = true;
    message->next_hop = attach->welcome.next_hop;
    message->claim_gateway = false;
    for (size_t i = 0; i < VIA_HOST_MAX && attach->configuration->via_host[i].address.family != IP_FAMILY_NONE; i++) {
        const struct ip_subnet *network = &attach->configuration->via_host[i];

        message->via_host[message->via_host_count++] =
            (struct wire_link_address){wire_address_from(&network->address), network->prefix_length, {0}};
    }
}

static void configure_way(struct worker *way, void *userdata)
{
    const struct attach *attach = userdata;

    way_worker_tell_attached(way, &attach->welcome.next_hop, &attach->welcome.inner_mac,
                             attach->configuration->log_level);
}

static bool is_known(const struct message_header *last)
{
    return last->magic == MESSAGE_MAGIC;
}

static void send_if_known(const struct attach *attach, enum identity_worker which, const struct message_header *message)
{
    if (is_known(message))
        worker_send(identity_worker(attach->identity, which), message, -1);
}

/* What the watcher finds in a network-anchor: here the host half has made it. */
static void send_topology(const struct attach *attach)
{
    struct message_topology message = {
        .header = message_header_make(MESSAGE_TOPOLOGY, sizeof(message), 0),
        .external = {.name = IDENTITY_EXTERNAL_LINK, .mac = attach->welcome.external_mac},
        .is_final = true,
    };

    worker_send(identity_worker(attach->identity, IDENTITY_NETADMIN), &message.header, -1);
}

/* A connection across the halves, if both ends run. The older one that they may have, each gives up. */
static void cross(const struct attach *attach, const struct crossing *crossing)
{
    struct worker *own = identity_worker(attach->identity, crossing->own);
    const struct message_link to_own = {
        .header = message_header_make(MESSAGE_LINK, sizeof(to_own), 0),
        .peer = crossing->host_name,
    };
    const struct message_meeting_link to_host = {
        .header = message_header_make(MESSAGE_MEETING_LINK, sizeof(to_host), 0),
        .worker = crossing->host,
        .peer = crossing->own_name,
    };
    int ends[2];
    int result;

    if (!attach->is_met || !attach->runs_on_host[crossing->host] || !worker_is_running(own))
        return;
    result = channel_make_pair(ends);
    if (result < 0) {
        log_error("cannot join the halves, starting a worker again", LOG_TEXT("name", worker_name(own)),
                  LOG_ERROR(result));
        worker_kill(own);
        return;
    }
    worker_send(own, &to_own.header, ends[0]);
    meeting_client_send(attach->meeting, &to_host.header, ends[1]);
    close_fd(&ends[0]);
    close_fd(&ends[1]);
}

static void on_started(enum identity_worker which, void *userdata)
{
    const struct attach *attach = userdata;

    if (which == IDENTITY_NETADMIN) {
        send_topology(attach);
        send_if_known(attach, which, &attach->shared_links.header);
        given_addresses_send(&attach->configuration->attach_address, identity_worker(attach->identity, which));
    }
    if (which == IDENTITY_NETADMIN || which == IDENTITY_WATCHER)
        send_if_known(attach, which, &attach->host_addresses.header);
    for (size_t i = 0; i < ARRAY_LENGTH(crossings); i++) {
        if (crossings[i].own == which)
            cross(attach, &crossings[i]);
    }
}

/* "at 192.0.2.5, 2001:db8::5" */
static void show_place(const struct attach *attach)
{
    char place[READINESS_PLACE_SIZE] = "without an address";
    size_t length = 0;

    for (uint32_t i = 0; i < attach->project_addresses.count && length < sizeof(place); i++) {
        struct ip_address address = wire_address_to(&attach->project_addresses.items[i]);

        length += (size_t)snprintf(place + length, sizeof(place) - length, "%s%s", i == 0 ? "at " : ", ",
                                   IP_ADDRESS_TEXT(&address));
    }
    readiness_set_place(place);
}

static void on_netadmin_message(struct worker *netadmin, const struct message_header *message, void *userdata)
{
    struct attach *attach = userdata;

    switch (message->type) {
    case MESSAGE_PROJECT_ADDRESSES:
        attach->project_addresses = *(const struct message_project_addresses *)message;
        show_place(attach);
        meeting_client_send(attach->meeting, message, -1);
        break;
    default:
        worker_refuse(netadmin, message);
        break;
    }
}

static void on_lease_answer(const struct message_lease_applied *answer, void *userdata)
{
    const struct attach *attach = userdata;

    if (configuration_has_given_address(attach->configuration))
        given_addresses_take_answer(&attach->configuration->attach_address, answer);
}

/* --- the host half ---------------------------------------------------------------------------------------- */

/* HOST-2: two hosts may run a project of the same name. */
static void make_dhcp_name(struct configuration *configuration, const struct message_welcome *welcome)
{
    char name[DHCP_NAME_SIZE];

    if (configuration->dhcp_name_is_given)
        return;
    (void)snprintf(name, sizeof(name), "%.*s-%08x%08x", DHCP_NAME_SIZE - 18, configuration->dhcp_name,
                   welcome->client_hash[0], welcome->client_hash[1]);
    memcpy(configuration->dhcp_name, name, sizeof(name));
}

static int send_own_namespace(struct attach *attach)
{
    struct message_identity message = {
        .header = message_header_make(MESSAGE_LINKS_IDENTITY, sizeof(message), 0),
        .kind = IDENTITY_NAMESPACE,
    };
    CLEANUP_FD int namespace = open(OWN_NAMESPACE, O_RDONLY | O_CLOEXEC);
    CLEANUP_FD int socket = -1;
    int result = namespace < 0 ? -errno : netlink_socket_open(NETLINK_ROUTE, 0, &socket);

    if (result < 0)
        return result;
    meeting_client_send(attach->meeting, &message.header, namespace);
    message.kind = IDENTITY_SOCKET;
    meeting_client_send(attach->meeting, &message.header, socket);
    return 0;
}

static bool is_same_identity(const struct message_welcome *one, const struct message_welcome *other)
{
    return strcmp(one->project, other->project) == 0 && mac_address_equal(&one->inner_mac, &other->inner_mac) &&
           memcmp(&one->next_hop, &other->next_hop, sizeof(one->next_hop)) == 0 && one->tag == other->tag &&
           mac_address_equal(&one->external_mac, &other->external_mac) &&
           memcmp(one->client_hash, other->client_hash, sizeof(one->client_hash)) == 0;
}

static void begin(struct attach *attach)
{
    make_dhcp_name(attach->configuration, &attach->welcome);
    attach->exit_status = identity_start(attach->identity);
    if (attach->exit_status != EXIT_STATUS_CLEAN)
        (void)sd_event_exit(identity_event(attach->identity), attach->exit_status);
}

static void take_welcome(struct attach *attach, const struct message_welcome *welcome)
{
    bool is_first = !is_known(&attach->welcome.header);

    if (strcmp(welcome->project, attach->configuration->project) != 0 ||
        (!is_first && !is_same_identity(&attach->welcome, welcome))) {
        log_error("the host half is of another identity than this one, refusing it; a restart takes it",
                  LOG_TEXT("project", welcome->project));
        meeting_client_refuse(attach->meeting, &welcome->header);
        return;
    }
    attach->welcome = *welcome;
    attach->is_met = true;
    identity_set_faults(attach->identity, SUPERVISOR_FAULT_NO_HOST_HALF, false);
    log_info("the halves have met", LOG_TEXT("parent", welcome->parent),
             LOG_TEXT("mac", MAC_ADDRESS_TEXT(&welcome->external_mac)));
    if (is_known(&attach->project_addresses.header))
        meeting_client_send(attach->meeting, &attach->project_addresses.header, -1);
    if (is_first && !identity_is_stopping(attach->identity))
        begin(attach);
}

static void take_host_worker(struct attach *attach, const struct message_host_worker_started *started)
{
    int result = started->worker == HOST_WORKER_LINKS ? send_own_namespace(attach) : 0;

    if (result < 0) {
        log_error("cannot hand the network namespace to the host half", LOG_ERROR(result));
        meeting_client_refuse(attach->meeting, &started->header);
        return;
    }
    attach->runs_on_host[started->worker] = true;
    for (size_t i = 0; i < ARRAY_LENGTH(crossings); i++) {
        if (crossings[i].host == started->worker)
            cross(attach, &crossings[i]);
    }
}

static void on_host_message(const struct message_header *message, void *userdata)
{
    struct attach *attach = userdata;

    switch (message->type) {
    case MESSAGE_WELCOME:
        take_welcome(attach, (const struct message_welcome *)message);
        break;
    case MESSAGE_HOST_WORKER_STARTED:
        take_host_worker(attach, (const struct message_host_worker_started *)message);
        break;
    case MESSAGE_SHARED_LINKS:
        attach->shared_links = *(const struct message_shared_links *)message;
        send_if_known(attach, IDENTITY_NETADMIN, message);
        break;
    case MESSAGE_HOST_ADDRESSES:
        attach->host_addresses = *(const struct message_host_addresses *)message;
        send_if_known(attach, IDENTITY_NETADMIN, message);
        send_if_known(attach, IDENTITY_WATCHER, message);
        break;
    default:
        meeting_client_refuse(attach->meeting, message);
        break;
    }
}

static void on_meeting_ended(void *userdata)
{
    struct attach *attach = userdata;

    attach->is_met = false;
    identity_set_faults(attach->identity, SUPERVISOR_FAULT_NO_HOST_HALF, true);
    memset(attach->runs_on_host, 0, sizeof(attach->runs_on_host));
}

/* --- construction ----------------------------------------------------------------------------------------- */

static void release(struct attach *attach)
{
    attach->meeting = meeting_client_free(attach->meeting);
    attach->identity = identity_free(attach->identity);
}

int attach_run(struct configuration *configuration, const struct identity_openings *openings)
{
    CLEANUP(release) struct attach attach = {.configuration = configuration, .exit_status = EXIT_STATUS_CLEAN};
    const struct meeting_client_callbacks callbacks = {on_host_message, on_meeting_ended, &attach};
    const struct identity_role role = {
        .name = ANCHOR_ROLE_ATTACH,
        .conditions = READY_CONDITIONS,
        .stop_mode = container_home_choose_stop_mode(configuration->on_stop),
        .own = way_worker_definition(),
        .own_peer = LINK_PEER_WAY,
        .own_is_needed = true,
        .write_watcher = write_watcher,
        .write_netadmin = write_netadmin,
        .configure_own = configure_way,
        .on_started = on_started,
        .on_netadmin_message = on_netadmin_message,
        .on_lease_answer = on_lease_answer,
        .userdata = &attach,
    };
    struct role_step step;
    int result = identity_new(configuration, openings, &role, &attach.identity, &step);

    if (result == 0) {
        step = (struct role_step){"meet the host half", "timer"};
        result =
            meeting_client_new(identity_event(attach.identity), configuration->project, &callbacks, &attach.meeting);
    }
    if (result < 0)
        return role_cannot_prepare(&step, result);
    identity_set_faults(attach.identity, SUPERVISOR_FAULT_NO_HOST_HALF, true); /* until there is a WELCOME */
    identity_show(attach.identity);
    return identity_run(attach.identity);
}
