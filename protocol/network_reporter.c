/* Tells control what the network is; see network_reporter.h. Runs in netadmin and way, needs no privilege. */
#include "protocol/network_reporter.h"

#include "common/log.h"

#include <string.h>

static int on_turn(sd_event_source *source, void *userdata)
{
    struct network_reporter *reporter = userdata;
    struct message_network_report current = {
        .header = message_header_make(MESSAGE_NETWORK_REPORT, sizeof(current), 0),
    };

    (void)source;
    if (!reporter->control.channel || !reporter->describe(&current, reporter->userdata) ||
        memcmp(&current, &reporter->sent, sizeof(current)) == 0)
        return 0;
    reporter->sent = current;
    (void)channel_send_message(reporter->control.channel, &current); /* control_link.c hears of its end */
    return 0;
}

int network_reporter_open(struct network_reporter *reporter, sd_event *event, network_description describe,
                          void *userdata)
{
    int result = sd_event_add_post(event, &reporter->post_source, on_turn, reporter);

    reporter->describe = describe;
    reporter->userdata = userdata;
    return result < 0 ? result : 0;
}

void network_reporter_close(struct network_reporter *reporter)
{
    control_link_end(&reporter->control);
    sd_event_source_disable_unref(reporter->post_source);
}

void network_reporter_link(struct network_reporter *reporter, int fd, enum message_direction receives)
{
    int result = control_link_take(&reporter->control, sd_event_source_get_event(reporter->post_source), fd, receives);

    reporter->sent = (struct message_network_report){0};
    if (result < 0)
        log_error("cannot use the link to control", LOG_ERROR(result));
}
