/* Host names without threads; see lookup.h. Reads DNS answers, runs without any privilege. */
#include "workers/dns/lookup.h"

#include "common/clock.h"

#include <ares.h>
#include <netdb.h>
#include <stdbool.h>
#include <string.h>
#include <utlist.h>

struct watched_socket {
    struct watched_socket *next;
    struct dns_client *client;
    int fd;
    sd_event_source *source;
};

/* What the lookups beside each other share. */
struct dns_client {
    size_t users;
    size_t running; /* of the users: are asking */
    sd_event *event;
    ares_channel channel;
    bool library_is_initialised;
    sd_event_source *timer;
    struct watched_socket *sockets;
};

struct dns_lookup {
    struct dns_client *client;
    char *name;
    dns_lookup_handler handler;
    void *userdata;
    sd_event_source *report; /* defers the handler to the event loop */
    bool is_running;
    int family;              /* AF_INET, AF_INET6 or AF_UNSPEC */
    struct dns_answer fixed; /* from /etc/hosts, or empty */
    struct dns_answer found;
};

static void update_timer(const struct dns_client *client)
{
    struct timeval maximum = {.tv_sec = 60};
    struct timeval *next = ares_timeout(client->channel, &maximum, &maximum);
    uint64_t delay = (uint64_t)next->tv_sec * MICROSECONDS_PER_SECOND + (uint64_t)next->tv_usec;

    /* Cannot fail for a source of our own with valid values. */
    (void)sd_event_source_set_time(client->timer, clock_monotonic_microseconds() + delay);
    (void)sd_event_source_set_enabled(client->timer, client->running > 0 ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

static int on_socket(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct watched_socket *watched = userdata;
    struct dns_client *client = watched->client; /* c-ares may make us free `watched` */

    (void)source;
    ares_process_fd(client->channel, events & (EPOLLIN | EPOLLERR | EPOLLHUP) ? fd : ARES_SOCKET_BAD,
                    events & EPOLLOUT ? fd : ARES_SOCKET_BAD);
    update_timer(client);
    return 0;
}

static int on_timer(sd_event_source *source, uint64_t time, void *userdata)
{
    struct dns_client *client = userdata;

    (void)source;
    (void)time;
    ares_process_fd(client->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    update_timer(client);
    return 0;
}

static void unwatch(struct dns_client *client, struct watched_socket *watched)
{
    LL_DELETE(client->sockets, watched);
    sd_event_source_disable_unref(watched->source);
    free(watched);
}

/* c-ares says what it waits for; a socket that we cannot watch just runs into the time-out. */
static void on_socket_state(void *userdata, ares_socket_t fd, int readable, int writable)
{
    struct dns_client *client = userdata;
    uint32_t events = (readable ? (uint32_t)EPOLLIN : 0) | (writable ? (uint32_t)EPOLLOUT : 0);
    struct watched_socket *watched;

    LL_SEARCH_SCALAR(client->sockets, watched, fd, fd);
    if (events == 0) {
        if (watched)
            unwatch(client, watched);
        return;
    }
    if (watched) {
        (void)sd_event_source_set_io_events(watched->source, events);
        return;
    }
    watched = calloc(1, sizeof(*watched));
    if (!watched)
        return;
    watched->client = client;
    watched->fd = fd;
    LL_PREPEND(client->sockets, watched);
    if (sd_event_add_io(client->event, &watched->source, fd, events, on_socket, watched) < 0)
        unwatch(client, watched);
}

static void append_address(struct dns_answer *answer, int kernel_family, const void *bytes)
{
    uint8_t family = ip_family_from_kernel(kernel_family);

    if (family != IP_FAMILY_NONE && answer->count < DNS_ADDRESSES_MAX)
        answer->addresses[answer->count++] = ip_address_from_bytes(family, bytes);
}

static void append_node(struct dns_answer *answer, const struct ares_addrinfo_node *node)
{
    struct sockaddr_in address4;
    struct sockaddr_in6 address6;

    if (node->ai_family == AF_INET) {
        memcpy(&address4, node->ai_addr, sizeof(address4));
        append_address(answer, AF_INET, &address4.sin_addr);
    } else if (node->ai_family == AF_INET6) {
        memcpy(&address6, node->ai_addr, sizeof(address6));
        append_address(answer, AF_INET6, &address6.sin6_addr);
    }
}

static void on_answer(void *userdata, int status, int timeouts, struct ares_addrinfo *result)
{
    struct dns_lookup *lookup = userdata;

    (void)timeouts;
    if (status == ARES_EDESTRUCTION)
        return;
    lookup->is_running = false;
    lookup->client->running--;
    lookup->found = (struct dns_answer){0};
    for (struct ares_addrinfo_node *node = result ? result->nodes : NULL; node; node = node->ai_next)
        append_node(&lookup->found, node);
    if (result)
        ares_freeaddrinfo(result);
    if (status != ARES_SUCCESS && status != ARES_ENODATA)
        lookup->found.error = ares_strerror(status);
    (void)sd_event_source_set_enabled(lookup->report, SD_EVENT_ONESHOT);
}

static int on_report(sd_event_source *source, void *userdata)
{
    struct dns_lookup *lookup = userdata;

    (void)source;
    lookup->handler(lookup->userdata, &lookup->found);
    return 0;
}

/* /etc/hosts (Compose's extra_hosts) goes before DNS; it does not change while a container lives. */
static void read_hosts_file(struct dns_lookup *lookup)
{
    static const int families[] = {AF_INET, AF_INET6};

    for (size_t i = 0; i < ARRAY_LENGTH(families); i++) {
        struct hostent *host = NULL;

        if (lookup->family != AF_UNSPEC && lookup->family != families[i])
            continue;
        if (ares_gethostbyname_file(lookup->client->channel, lookup->name, families[i], &host) != ARES_SUCCESS)
            continue;
        for (char **address = host->h_addr_list; *address; address++)
            append_address(&lookup->fixed, families[i], *address);
        ares_free_hostent(host);
    }
}

static int initialise_channel(struct dns_client *client, const struct dns_question *question)
{
    char lookups[] = "b"; /* DNS only: no file is opened later */
    struct ares_options options = {
        .timeout = (int)question->timeout_milliseconds,
        .tries = (int)question->attempts,
        .lookups = lookups,
        .sock_state_cb = on_socket_state,
        .sock_state_cb_data = client,
    };

    if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
        return -ENOMEM;
    client->library_is_initialised = true;
    if (ares_init_options(&client->channel, &options,
                          ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB) !=
        ARES_SUCCESS)
        return -EIO;
    return 0;
}

/* Gives up one use; the last one's frees. */
static void leave_client(struct dns_client *client)
{
    if (!client || --client->users > 0)
        return;
    if (client->channel)
        ares_destroy(client->channel);
    if (client->library_is_initialised)
        ares_library_cleanup();
    while (client->sockets)
        unwatch(client, client->sockets);
    sd_event_source_disable_unref(client->timer);
    free(client);
}

static int make_client(sd_event *event, const struct dns_question *question, struct dns_client **ret)
{
    struct dns_client *client = calloc(1, sizeof(*client));
    int result;

    if (!client)
        return -ENOMEM;
    client->event = event;
    client->users = 1;
    *ret = client; /* the caller leaves it, whatever follows */
    result = initialise_channel(client, question);
    if (result == 0)
        result = sd_event_add_time(event, &client->timer, CLOCK_MONOTONIC, UINT64_MAX, 1, on_timer, client);
    return result < 0 ? result : sd_event_source_set_enabled(client->timer, SD_EVENT_OFF);
}

static int join_client(sd_event *event, const struct dns_question *question, struct dns_client **ret)
{
    if (!question->beside)
        return make_client(event, question, ret);
    *ret = question->beside->client;
    (*ret)->users++;
    return 0;
}

int dns_lookup_new(sd_event *event, const struct dns_question *question, dns_lookup_handler handler, void *userdata,
                   struct dns_lookup **ret)
{
    CLEANUP(dns_lookup_freep) struct dns_lookup *lookup = calloc(1, sizeof(*lookup));
    int result;

    if (!lookup)
        return -ENOMEM;
    lookup->handler = handler;
    lookup->family = ip_family_to_kernel(question->family);
    lookup->userdata = userdata;
    lookup->name = strdup(question->name);
    if (!lookup->name)
        return -ENOMEM;
    result = join_client(event, question, &lookup->client);
    if (result >= 0)
        result = sd_event_add_defer(event, &lookup->report, on_report, lookup);
    if (result >= 0)
        result = sd_event_source_set_enabled(lookup->report, SD_EVENT_OFF);
    if (result < 0)
        return result;
    read_hosts_file(lookup);
    *ret = TAKE_POINTER(lookup);
    return 0;
}

struct dns_lookup *dns_lookup_free(struct dns_lookup *lookup)
{
    if (!lookup)
        return NULL;
    /* c-ares ends all that it was asked, or nothing. */
    if (lookup->is_running && lookup->client->users > 1)
        ares_cancel(lookup->client->channel);
    leave_client(lookup->client);
    sd_event_source_disable_unref(lookup->report);
    free(lookup->name);
    free(lookup);
    return NULL;
}

int dns_lookup_start(struct dns_lookup *lookup)
{
    /* NOSORT: sorting would open a socket to every address. */
    const struct ares_addrinfo_hints hints = {.ai_family = lookup->family, .ai_flags = ARES_AI_NOSORT};

    if (lookup->fixed.count > 0) {
        lookup->found = lookup->fixed;
        return sd_event_source_set_enabled(lookup->report, SD_EVENT_ONESHOT);
    }
    if (lookup->is_running)
        return 0;
    lookup->is_running = true;
    lookup->client->running++;
    ares_getaddrinfo(lookup->client->channel, lookup->name, NULL, &hints, on_answer, lookup);
    update_timer(lookup->client);
    return 0;
}
