/*
 * Fuzz target: the gate of every process (protocol/validate). The first byte is direction (low six bits) and number
 * of descriptors, the rest is the datagram. A message that passes is then read in full, as a handler would.
 */
#include "protocol/validate.h"

#include "tests/fuzz/target.h"

#include <string.h>

static uint32_t read_bans(const struct message_header *header)
{
    uint32_t sum = 0;

    if (header->type == MESSAGE_BANS_ITEMS) {
        const struct message_bans *bans = (const void *)header;

        for (uint32_t i = 0; i < bans->item_count; i++)
            sum += wire_ban_is_single(&bans->items[i]) + wire_ban_subnet(&bans->items[i]).prefix_length;
    } else if (header->type == MESSAGE_BANS_LISTED) {
        const struct message_bans_listed *listed = (const void *)header;

        for (uint32_t i = 0; i < listed->item_count; i++)
            sum += (uint32_t)strlen(listed->items[i].reason);
    } else if (header->type == MESSAGE_BAN_REQUEST) {
        sum += (uint32_t)strlen(((const struct message_ban_request *)(const void *)header)->reason);
    } else if (header->type == MESSAGE_BAN_ANSWER) {
        sum += (uint32_t)strlen(((const struct message_ban_answer *)(const void *)header)->reason);
    }
    return sum;
}

static uint32_t read_all(const struct message_header *header)
{
    uint32_t sum = 0;

    if (header->type == MESSAGE_EXPOSURES_ITEMS || header->type == MESSAGE_MAP_ITEMS) {
        const struct message_exposures *exposures = (const void *)header;

        for (uint32_t i = 0; i < exposures->item_count; i++)
            sum += exposures->items[i].port_last;
    } else if (header->type == MESSAGE_LINKS_ITEMS) {
        const struct message_links *links = (const void *)header;

        for (uint32_t i = 0; i < links->item_count; i++) {
            for (uint32_t j = 0; j < links->items[i].address_count; j++)
                sum += links->items[i].addresses[j].prefix_length;
            sum += (uint32_t)strlen(links->items[i].name);
        }
    } else if (header->type == MESSAGE_CONFIGURE_WATCHER) {
        sum += (uint32_t)strlen(((const struct message_configure_watcher *)(const void *)header)->asked_at);
    } else if (header->type == MESSAGE_FINDINGS_ITEMS) {
        const struct message_findings *findings = (const void *)header;

        for (uint32_t i = 0; i < findings->item_count; i++)
            sum += (uint32_t)(strlen(findings->items[i].container) + strlen(findings->items[i].reason));
    } else if (header->type == MESSAGE_SUPERVISION) {
        const struct message_supervision *supervision = (const void *)header;

        for (uint32_t i = 0; i < supervision->worker_count; i++)
            sum += (uint32_t)strlen(supervision->workers[i].name);
    } else if (header->type == MESSAGE_LEASE_EVENT) {
        const struct message_lease_event *event = (const void *)header;

        for (uint32_t i = 0; i < event->lease.route_count; i++)
            sum += event->lease.routes[i].prefix_length;
        for (uint32_t i = 0; i < event->lease.router_count; i++)
            sum += event->lease.routers[i].family;
        for (uint32_t i = 0; i < event->lease.further_count; i++)
            sum += event->lease.further[i].address.family;
        sum += (uint32_t)(strlen(event->interface) + strlen(event->reason));
    } else if (header->type == MESSAGE_BRIDGES) {
        const struct message_bridges *bridges = (const void *)header;

        for (uint32_t i = 0; i < bridges->count; i++)
            sum += (uint32_t)(strlen(bridges->items[i].network_id) + strlen(bridges->items[i].network) +
                              strlen(bridges->items[i].bridge));
    } else if (header->type == MESSAGE_GUARDED) {
        const struct message_guarded *guarded = (const void *)header;

        for (uint32_t i = 0; i < guarded->count; i++)
            sum += guarded->items[i].address.family;
    } else if (header->type == MESSAGE_SHARED_LINKS) {
        const struct message_shared_links *links = (const void *)header;

        for (uint32_t i = 0; i < links->count; i++) {
            for (uint32_t j = 0; j < links->items[i].subnet_count; j++)
                sum += links->items[i].subnets[j].prefix_length;
            sum += (uint32_t)(strlen(links->items[i].name) + strlen(links->items[i].network_id));
        }
    } else if (header->type == MESSAGE_WELCOME) {
        const struct message_welcome *welcome = (const void *)header;

        sum += (uint32_t)(strlen(welcome->project) + strlen(welcome->parent));
    } else if (header->type == MESSAGE_NAMESPACE_WANTED) {
        sum += (uint32_t)strlen(((const struct message_container *)(const void *)header)->id);
    } else if (header->type == MESSAGE_LINK_ANSWER) {
        sum += (uint32_t)strlen(((const struct message_link_answer *)(const void *)header)->name);
    } else if (header->type == MESSAGE_APPLIED) {
        sum += (uint32_t)strlen(((const struct message_applied *)(const void *)header)->reason);
    }
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static _Alignas(8) uint8_t datagram[MESSAGE_LENGTH_MAX];
    volatile uint32_t sum = 0;
    const char *reason = NULL;

    if (length < 1 || length - 1 > sizeof(datagram))
        return 0;
    memcpy(datagram, bytes + 1, length - 1);
    if (message_validate((enum message_direction)((bytes[0] & 0x3f) % DIRECTION_MAX_), datagram, length - 1,
                         bytes[0] >> 6, &reason) == 0)
        sum += read_all((const struct message_header *)(const void *)datagram) +
               read_bans((const struct message_header *)(const void *)datagram);
    (void)sum;
    return 0;
}
