/* The exchange with the supervisor about DHCP; see lease_exchange.h. Runs in anchord-netadmin. */
#include "workers/netadmin/lease_exchange.h"

#include <string.h>

void lease_exchange_tell_link(struct channel *supervisor, const struct network *network,
                              struct message_external_link *sent)
{
    struct message_external_link current = {
        .header = message_header_make(MESSAGE_EXTERNAL_LINK, sizeof(current), 0),
    };

    network_describe_external_link(network, &current);
    if (memcmp(&current, sent, sizeof(current)) == 0)
        return;
    *sent = current;
    (void)channel_send_message(supervisor, &current); /* the end of the loop follows its end */
}

void lease_exchange_handle(struct channel *supervisor, struct network *network, const struct message_lease *message)
{
    struct message_lease_applied answer = {
        .header = message_header_make(MESSAGE_LEASE_APPLIED, sizeof(answer), message->header.generation),
        .family = message->family,
    };

    answer.error = network_set_lease(network, message, answer.reason);
    if (answer.error == 0)
        return;                                      /* answered when its address can be used */
    (void)channel_send_message(supervisor, &answer); /* the end of the loop follows its end */
}

void lease_exchange_tell_addresses(struct channel *supervisor, const struct network *network,
                                   const struct network_view *view, struct message_project_addresses *told)
{
    struct message_project_addresses message = {
        .header = message_header_make(MESSAGE_PROJECT_ADDRESSES, sizeof(message), 0),
    };

    for (size_t i = 0; i < view->external_count; i++) {
        if (network_holds(network, &view->external[i]))
            message.items[message.count++] = wire_address_from(&view->external[i]);
    }
    if (view->host_name[0] == '\0' || memcmp(&message, told, sizeof(message)) == 0)
        return;
    *told = message;
    (void)channel_send_message(supervisor, &message); /* the end of the loop follows its end */
}
