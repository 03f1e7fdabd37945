/* What the life of every worker has in common; see supervised.h. Runs in every worker, with the worker's own rights. */
#include "protocol/supervised.h"

#include "common/log.h"
#include "protocol/event_loop.h"
#include "protocol/metrics.h"
#include "protocol/upkeep.h"

/* A process has one supervisor. */
static struct {
    sd_event *event;
    struct channel *channel; /* the owner's; a message comes while it stands */
    supervised_message_handler on_message;
    void *userdata;
} supervised;

int supervised_main(const char *name, uint64_t capabilities, const char *remedy, int (*run)(sd_event *event))
{
    CLEANUP(event_loop_unrefp) sd_event *event = NULL;
    int status = supervised_enter(name, capabilities, remedy);
    int result;

    if (status != EXIT_STATUS_CLEAN)
        return status;
    result = event_loop_new(&event);
    if (result < 0) {
        log_error("cannot make an event loop", LOG_ERROR(result));
        return EXIT_STATUS_CRASH;
    }
    return run(event);
}

static void on_supervisor_message(struct channel *channel, const struct message_header *message, int descriptor,
                                  void *userdata)
{
    (void)userdata;
    supervised.channel = channel;
    switch (message->type) {
    case MESSAGE_METRICS_PAGE:
        metrics_accept(message, descriptor);
        break;
    case MESSAGE_PING: /* without a descriptor, says validate.c */
        log_tell_left_out();
        (void)channel_send_pong(channel, message); /* its end comes as on_supervisor_closed */
        break;
    default:
        supervised.on_message(message, descriptor, supervised.userdata);
        break;
    }
}

void supervised_refuse(const struct message_header *message, int descriptor)
{
    channel_refuse(supervised.channel, message, descriptor);
}

static void on_supervisor_closed(struct channel *channel, int error, const char *reason, void *userdata)
{
    (void)channel;
    (void)userdata;
    if (error < 0)
        log_error("connection to the supervisor ended", LOG_TEXT("reason", reason), LOG_ERROR(error));
    (void)sd_event_exit(supervised.event, EXIT_STATUS_CLEAN);
}

int supervised_join(sd_event *event, enum message_direction receives, supervised_message_handler on_message,
                    void *userdata, struct channel **ret)
{
    const struct channel_callbacks callbacks = {on_supervisor_message, on_supervisor_closed, NULL};

    supervised.event = event;
    supervised.on_message = on_message;
    supervised.userdata = userdata;
    return channel_new(event, SUPERVISOR_DESCRIPTOR, receives, &callbacks, ret);
}

/* As sd_event_run(), with upkeep.h around its two halves. */
static int run_once(sd_event *event)
{
    int result = sd_event_prepare(event);

    if (result == 0)
        result = sd_event_wait(event, upkeep_before_sleep());
    if (result > 0) {
        upkeep_before_work();
        result = sd_event_dispatch(event);
    }
    return result;
}

int supervised_loop(sd_event *event)
{
    int status = EXIT_STATUS_CRASH;
    int result = 0;

    while (result >= 0 && sd_event_get_state(event) != SD_EVENT_FINISHED)
        result = run_once(event);
    if (result >= 0)
        result = sd_event_get_exit_code(event, &status);
    log_tell_left_out();
    if (result < 0) {
        log_error("event loop failed", LOG_ERROR(result));
        return EXIT_STATUS_CRASH;
    }
    return status;
}
