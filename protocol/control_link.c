/* A worker's end of the channel to control; see control_link.h. Runs in the workers, no privilege. */
#include "protocol/control_link.h"

#include "common/log.h"

static void on_control_message(struct channel *channel, const struct message_header *message, int descriptor,
                               void *userdata)
{
    const struct control_link *link = userdata;

    switch (message->type) {
    case MESSAGE_COUNTERS_WANTED: /* netadmin alone is asked, says validate.c */
        link->on_counters_wanted(link->userdata);
        break;
    default:
        channel_refuse(channel, message, descriptor);
        break;
    }
}

static void on_control_closed(struct channel *channel, int error, const char *reason, void *userdata)
{
    (void)channel;
    if (error < 0)
        log_debug("connection to control ended", LOG_TEXT("reason", reason), LOG_ERROR(error));
    control_link_end(userdata);
}

int control_link_take(struct control_link *link, sd_event *event, int fd, enum message_direction receives)
{
    const struct channel_callbacks callbacks = {on_control_message, on_control_closed, link};

    control_link_end(link);
    return channel_new(event, fd, receives, &callbacks, &link->channel);
}

void control_link_end(struct control_link *link)
{
    link->channel = channel_free(link->channel);
}
