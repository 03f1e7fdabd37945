/* Who waits for counters to be read; see counter_readers.h. Runs in anchord-control without any privilege. */
#include "workers/control/counter_readers.h"

#include "common/clock.h"
#include "protocol/event_loop.h"

/* More than there are clients (clients.c). */
#define READERS_MAX 32
/* A reading of all ports that there can be takes a fifth of that. */
#define PATIENCE (1 * MICROSECONDS_PER_SECOND)

struct counter_readers {
    struct channel *const *netadmin;
    sd_event_source *timer;
    sd_bus_message *calls[READERS_MAX];
    size_t count;
};

void counter_readers_answer(struct counter_readers *readers)
{
    for (size_t i = 0; i < readers->count; i++) {
        (void)sd_bus_reply_method_return(readers->calls[i], ""); /* the client may have gone */
        sd_bus_message_unref(readers->calls[i]);
    }
    readers->count = 0;
}

static int on_patience_ends(sd_event_source *source, uint64_t planned, void *userdata)
{
    (void)source;
    (void)planned;
    counter_readers_answer(userdata);
    return 0;
}

int counter_readers_add(struct counter_readers *readers, sd_bus_message *call)
{
    const struct message_ping wanted = {.header = message_header_make(MESSAGE_COUNTERS_WANTED, sizeof(wanted), 0)};

    if (!*readers->netadmin || readers->count == READERS_MAX || channel_send_message(*readers->netadmin, &wanted) < 0)
        return sd_bus_reply_method_return(call, "");
    if (readers->count == 0)
        event_loop_start_timer(readers->timer, PATIENCE);
    readers->calls[readers->count++] = sd_bus_message_ref(call);
    return 1;
}

struct counter_readers *counter_readers_free(struct counter_readers *readers)
{
    if (!readers)
        return NULL;
    for (size_t i = 0; i < readers->count; i++)
        sd_bus_message_unref(readers->calls[i]);
    sd_event_source_disable_unref(readers->timer);
    free(readers);
    return NULL;
}

int counter_readers_new(sd_event *event, struct channel *const *netadmin, struct counter_readers **ret)
{
    struct counter_readers *readers = calloc(1, sizeof(*readers));
    int result;

    if (!readers)
        return -ENOMEM;
    readers->netadmin = netadmin;
    result = event_loop_add_timer(event, CLOCK_MONOTONIC, 10 * MICROSECONDS_PER_MILLISECOND, on_patience_ends, readers,
                                  &readers->timer);
    if (result < 0) {
        (void)counter_readers_free(readers);
        return result;
    }
    *ret = readers;
    return 0;
}
