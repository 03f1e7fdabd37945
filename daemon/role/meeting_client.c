/* The identity half's side of the meeting; see meeting_client.h. Runs in the supervisor, as root. */
#include "daemon/role/meeting_client.h"

#include "common/clock.h"
#include "common/log.h"
#include "daemon/supervise/meeting_place.h"
#include "daemon/supervise/restart_policy.h"
#include "daemon/supervise/timer.h"
#include "protocol/problems.h"

#include <stdlib.h>

#define TIMER_ACCURACY (50 * MICROSECONDS_PER_MILLISECOND)
/* It costs one system call, and a person may be waiting. */
#define LONGEST_DELAY (5 * MICROSECONDS_PER_SECOND)

struct meeting_client {
    sd_event *event;
    struct sockaddr_un place;
    struct meeting_client_callbacks callbacks;
    struct channel *channel; /* NULL: nobody is met */
    sd_event_source *timer;
    struct restart_policy policy;
    bool is_absence_told;
};

static void try_later(struct meeting_client *client)
{
    timer_set(client->timer, restart_policy_next_delay(&client->policy, clock_monotonic_microseconds()));
}

static void on_message(struct channel *channel, const struct message_header *message, int descriptor, void *userdata)
{
    struct meeting_client *client = userdata;

    (void)channel;
    close_fd(&descriptor); /* the host half sends none: the table has refused it already */
    client->callbacks.on_message(message, client->callbacks.userdata);
}

static void on_closed(struct channel *channel, int error, const char *reason, void *userdata)
{
    struct meeting_client *client = userdata;

    client->channel = channel_free(channel);
    log_warn("the host half has gone: what it made goes on, nothing is followed until it is back",
             LOG_PROBLEM(PROBLEM_NO_HOST_HALF), LOG_TEXT("path", client->place.sun_path), LOG_TEXT("reason", reason),
             LOG_ERROR(error));
    client->callbacks.on_ended(client->callbacks.userdata);
    try_later(client);
}

/* The directory is root's alone; this sees to one that somebody has opened. */
static int check_peer(int fd)
{
    struct ucred credentials;
    socklen_t length = sizeof(credentials);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) < 0)
        return -errno;
    return credentials.uid == 0 ? 0 : -EPERM;
}

static int meet(struct meeting_client *client)
{
    const struct channel_callbacks callbacks = {on_message, on_closed, client};
    CLEANUP_FD int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int result;

    if (fd < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)&client->place, sizeof(client->place)) < 0)
        return -errno;
    result = check_peer(fd);
    return result < 0
               ? result
               : channel_new(client->event, TAKE_FD(fd), DIRECTION_HOST_TO_IDENTITY, &callbacks, &client->channel);
}

static int on_time(sd_event_source *source, uint64_t planned, void *userdata)
{
    struct meeting_client *client = userdata;
    int result;

    (void)source;
    (void)planned;
    restart_policy_started(&client->policy, clock_monotonic_microseconds());
    result = meet(client);
    if (result == 0) {
        client->is_absence_told = false;
        return 0;
    }
    if (!client->is_absence_told)
        log_warn("the host half of attach is not there yet, waiting for it", LOG_PROBLEM(PROBLEM_NO_HOST_HALF),
                 LOG_TEXT("path", client->place.sun_path), LOG_ERROR(result));
    client->is_absence_told = true;
    try_later(client);
    return 0;
}

struct meeting_client *meeting_client_free(struct meeting_client *client)
{
    if (!client)
        return NULL;
    (void)channel_free(client->channel);
    sd_event_source_disable_unref(client->timer);
    sd_event_unref(client->event);
    free(client);
    return NULL;
}

int meeting_client_new(sd_event *event, const char *project, const struct meeting_client_callbacks *callbacks,
                       struct meeting_client **ret)
{
    CLEANUP(meeting_client_freep) struct meeting_client *client = calloc(1, sizeof(*client));
    int result;

    if (!client)
        return -ENOMEM;
    client->event = sd_event_ref(event);
    client->callbacks = *callbacks;
    client->policy.longest_delay = LONGEST_DELAY;
    result = meeting_place_of(project, &client->place);
    if (result == 0)
        result = timer_new(event, CLOCK_MONOTONIC, TIMER_ACCURACY, on_time, client, &client->timer);
    if (result < 0)
        return result;
    timer_set(client->timer, 0);
    *ret = TAKE_POINTER(client);
    return 0;
}

void meeting_client_send(struct meeting_client *client, const struct message_header *message, int descriptor)
{
    if (client->channel)
        (void)channel_send(client->channel, message, descriptor); /* on_closed() hears of a failure */
}

void meeting_client_refuse(struct meeting_client *client, const struct message_header *message)
{
    if (client->channel)
        channel_refuse(client->channel, message, -1);
}
