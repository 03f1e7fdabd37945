/* Host names without threads; see resolver.h. Reads DNS answers, runs without any privilege. */
#include "workers/docker/resolver.h"

#include "common/clock.h"
#include "common/text.h"

#include <ares.h>
#include <arpa/inet.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <utlist.h>

/* Docker's DNS answers within a millisecond; what takes longer is asked again by the caller's backoff. */
#define ATTEMPT_TIMEOUT_MILLISECONDS 1500
#define ATTEMPTS                     2

struct watched_socket {
    struct watched_socket *next;
    struct resolver *resolver;
    int fd;
    sd_event_source *source;
};

struct resolver {
    char *name;
    resolver_handler handler;
    void *userdata;
    sd_event *event;
    ares_channel channel;
    bool library_is_initialised;
    sd_event_source *timer;
    sd_event_source *report; /* defers the handler to the event loop */
    struct watched_socket *sockets;
    bool is_running;
    char fixed[RESOLVED_ADDRESSES_SIZE]; /* from /etc/hosts, or empty */
    char found[RESOLVED_ADDRESSES_SIZE];
    const char *reason;
};

static void update_timer(struct resolver *resolver)
{
    struct timeval maximum = {.tv_sec = 60};
    struct timeval *next = ares_timeout(resolver->channel, &maximum, &maximum);
    uint64_t delay = (uint64_t)next->tv_sec * MICROSECONDS_PER_SECOND + (uint64_t)next->tv_usec;

    /* Cannot fail for a source of our own with valid values. */
    (void)sd_event_source_set_time(resolver->timer, clock_monotonic_microseconds() + delay);
    (void)sd_event_source_set_enabled(resolver->timer, resolver->is_running ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

static int on_socket(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct watched_socket *watched = userdata;
    struct resolver *resolver = watched->resolver; /* c-ares may make us free `watched` */

    (void)source;
    ares_process_fd(resolver->channel, events & (EPOLLIN | EPOLLERR | EPOLLHUP) ? fd : ARES_SOCKET_BAD,
                    events & EPOLLOUT ? fd : ARES_SOCKET_BAD);
    update_timer(resolver);
    return 0;
}

static int on_timer(sd_event_source *source, uint64_t time, void *userdata)
{
    struct resolver *resolver = userdata;

    (void)source;
    (void)time;
    ares_process_fd(resolver->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    update_timer(resolver);
    return 0;
}

static void unwatch(struct resolver *resolver, struct watched_socket *watched)
{
    LL_DELETE(resolver->sockets, watched);
    sd_event_source_disable_unref(watched->source);
    free(watched);
}

/* c-ares says what it waits for; a socket that we cannot watch just runs into the time-out. */
static void on_socket_state(void *userdata, ares_socket_t fd, int readable, int writable)
{
    struct resolver *resolver = userdata;
    uint32_t events = (readable ? (uint32_t)EPOLLIN : 0) | (writable ? (uint32_t)EPOLLOUT : 0);
    struct watched_socket *watched;

    LL_SEARCH_SCALAR(resolver->sockets, watched, fd, fd);
    if (events == 0) {
        if (watched)
            unwatch(resolver, watched);
        return;
    }
    if (watched) {
        (void)sd_event_source_set_io_events(watched->source, events);
        return;
    }
    watched = calloc(1, sizeof(*watched));
    if (!watched)
        return;
    watched->resolver = resolver;
    watched->fd = fd;
    LL_PREPEND(resolver->sockets, watched);
    if (sd_event_add_io(resolver->event, &watched->source, fd, events, on_socket, watched) < 0)
        unwatch(resolver, watched);
}

static void append_address(char addresses[RESOLVED_ADDRESSES_SIZE], int family, const void *bytes)
{
    char text[INET6_ADDRSTRLEN];
    size_t length = strlen(addresses);
    int added;

    if (!inet_ntop(family, bytes, text, sizeof(text)))
        return;
    added = snprintf(addresses + length, RESOLVED_ADDRESSES_SIZE - length, family == AF_INET6 ? "%s[%s]" : "%s%s",
                     length > 0 ? "," : "", text);
    if (added < 0 || (size_t)added >= RESOLVED_ADDRESSES_SIZE - length)
        addresses[length] = '\0'; /* enough addresses */
}

static void on_answer(void *userdata, int status, int timeouts, struct ares_addrinfo *answer)
{
    struct resolver *resolver = userdata;

    (void)timeouts;
    if (status == ARES_EDESTRUCTION)
        return;
    resolver->is_running = false;
    resolver->found[0] = '\0';
    for (struct ares_addrinfo_node *node = answer ? answer->nodes : NULL; node; node = node->ai_next) {
        if (node->ai_family == AF_INET) {
            struct sockaddr_in address;

            memcpy(&address, node->ai_addr, sizeof(address));
            append_address(resolver->found, AF_INET, &address.sin_addr);
        } else if (node->ai_family == AF_INET6) {
            struct sockaddr_in6 address;

            memcpy(&address, node->ai_addr, sizeof(address));
            append_address(resolver->found, AF_INET6, &address.sin6_addr);
        }
    }
    if (answer)
        ares_freeaddrinfo(answer);
    resolver->reason = status == ARES_SUCCESS ? "the name has no address" : ares_strerror(status);
    (void)sd_event_source_set_enabled(resolver->report, SD_EVENT_ONESHOT);
}

static int on_report(sd_event_source *source, void *userdata)
{
    struct resolver *resolver = userdata;

    (void)source;
    if (resolver->found[0] != '\0')
        resolver->handler(resolver->userdata, resolver->found, NULL);
    else
        resolver->handler(resolver->userdata, NULL, resolver->reason);
    return 0;
}

/* /etc/hosts (Compose's extra_hosts) goes before DNS; it does not change while a container lives. */
static void read_hosts_file(struct resolver *resolver)
{
    static const int families[] = {AF_INET, AF_INET6};

    for (size_t i = 0; i < ARRAY_LENGTH(families); i++) {
        struct hostent *host = NULL;

        if (ares_gethostbyname_file(resolver->channel, resolver->name, families[i], &host) != ARES_SUCCESS)
            continue;
        for (char **address = host->h_addr_list; *address; address++)
            append_address(resolver->fixed, families[i], *address);
        ares_free_hostent(host);
    }
}

static int initialise_channel(struct resolver *resolver)
{
    char lookups[] = "b"; /* DNS only: no file is opened later */
    struct ares_options options = {
        .timeout = ATTEMPT_TIMEOUT_MILLISECONDS,
        .tries = ATTEMPTS,
        .lookups = lookups,
        .sock_state_cb = on_socket_state,
        .sock_state_cb_data = resolver,
    };

    if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
        return -ENOMEM;
    resolver->library_is_initialised = true;
    if (ares_init_options(&resolver->channel, &options,
                          ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB) !=
        ARES_SUCCESS)
        return -EIO;
    return 0;
}

static int initialise_sources(struct resolver *resolver)
{
    int result =
        sd_event_add_time(resolver->event, &resolver->timer, CLOCK_MONOTONIC, UINT64_MAX, 1, on_timer, resolver);

    if (result < 0)
        return result;
    result = sd_event_source_set_enabled(resolver->timer, SD_EVENT_OFF);
    if (result < 0)
        return result;
    result = sd_event_add_defer(resolver->event, &resolver->report, on_report, resolver);
    if (result < 0)
        return result;
    return sd_event_source_set_enabled(resolver->report, SD_EVENT_OFF);
}

int resolver_new(sd_event *event, const char *name, resolver_handler handler, void *userdata, struct resolver **ret)
{
    CLEANUP(resolver_freep) struct resolver *resolver = calloc(1, sizeof(*resolver));
    int result;

    if (!resolver)
        return -ENOMEM;
    resolver->event = event;
    resolver->handler = handler;
    resolver->userdata = userdata;
    resolver->name = strdup(name);
    if (!resolver->name)
        return -ENOMEM;
    result = initialise_channel(resolver);
    if (result < 0)
        return result;
    result = initialise_sources(resolver);
    if (result < 0)
        return result;
    read_hosts_file(resolver);
    *ret = TAKE_POINTER(resolver);
    return 0;
}

struct resolver *resolver_free(struct resolver *resolver)
{
    if (!resolver)
        return NULL;
    if (resolver->channel)
        ares_destroy(resolver->channel);
    if (resolver->library_is_initialised)
        ares_library_cleanup();
    while (resolver->sockets)
        unwatch(resolver, resolver->sockets);
    sd_event_source_disable_unref(resolver->timer);
    sd_event_source_disable_unref(resolver->report);
    free(resolver->name);
    free(resolver);
    return NULL;
}

int resolver_start(struct resolver *resolver)
{
    /* NOSORT: sorting would open a socket to every address. */
    const struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC, .ai_flags = ARES_AI_NOSORT};

    if (resolver->fixed[0] != '\0') {
        memcpy(resolver->found, resolver->fixed, sizeof(resolver->found));
        return sd_event_source_set_enabled(resolver->report, SD_EVENT_ONESHOT);
    }
    if (resolver->is_running)
        return 0;
    resolver->is_running = true;
    ares_getaddrinfo(resolver->channel, resolver->name, NULL, &hints, on_answer, resolver);
    update_timer(resolver);
    return 0;
}
