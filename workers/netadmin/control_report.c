/* Tells control what the network is; see control_report.h. Runs in anchord-netadmin, needs no privilege. */
#include "workers/netadmin/control_report.h"

#include "protocol/control_link.h"

#include <string.h>

struct control_report {
    sd_event *event;
    const struct network *network;
    const struct ruleset *ruleset;
    struct control_link control;
    sd_event_source *post_source;
    struct message_network_report sent; /* header.type MESSAGE_INVALID: nothing yet */
};

static void describe(const struct control_report *report, struct message_network_report *ret)
{
    *ret = (struct message_network_report){.header = message_header_make(MESSAGE_NETWORK_REPORT, sizeof(*ret), 0)};
    network_describe(report->network, ret);
    map_state_count_each(ruleset_held(report->ruleset), ret->entries);
}

static int on_turn(sd_event_source *source, void *userdata)
{
    struct control_report *report = userdata;
    struct message_network_report current;

    (void)source;
    if (!report->control.channel)
        return 0;
    describe(report, &current);
    if (memcmp(&current, &report->sent, sizeof(current)) == 0)
        return 0;
    report->sent = current;
    (void)channel_send_message(report->control.channel, &current); /* control_link.c hears of its end */
    return 0;
}

int control_report_link(struct control_report *report, int fd)
{
    report->sent = (struct message_network_report){0};
    return control_link_take(&report->control, report->event, fd, DIRECTION_CONTROL_TO_NETADMIN);
}

struct control_report *control_report_free(struct control_report *report)
{
    if (!report)
        return NULL;
    control_link_end(&report->control);
    sd_event_source_disable_unref(report->post_source);
    free(report);
    return NULL;
}

int control_report_new(sd_event *event, const struct network *network, const struct ruleset *ruleset,
                       struct control_report **ret)
{
    CLEANUP(control_report_freep) struct control_report *report = calloc(1, sizeof(*report));
    int result;

    if (!report)
        return -ENOMEM;
    report->event = event;
    report->network = network;
    report->ruleset = ruleset;
    result = sd_event_add_post(event, &report->post_source, on_turn, report);
    if (result < 0)
        return result;
    *ret = TAKE_POINTER(report);
    return 0;
}
