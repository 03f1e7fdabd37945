/*
 * Fuzz target: what netadmin reads of the kernel's links, addresses, routes and rules (workers/netlink). The first
 * byte chooses the reading, the rest is a tape of answers (fake_kernel.h). Whatever the kernel says: a bounded number
 * of requests, texts with an end, and nothing left behind by what fails.
 */
#include "tests/fuzz/fake_kernel.h"
#include "tests/fuzz/target.h"
#include "workers/netadmin/link/address_keeper.h"
#include "workers/netadmin/link/device_settings.h"
#include "workers/netadmin/link/link_details.h"
#include "workers/netadmin/link/link_local.h"
#include "workers/netadmin/route/route_table.h"
#include "workers/netlink/network/route_requests.h"
#include "workers/netlink/network/routing_rules.h"
#include "workers/netlink/plan/links.h"

#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

/* Of one operation here: a reading, each entry of a full list changed or removed, a reading. */
#define REQUESTS_MAX 128

static void check_link(const struct network_link *link)
{
    if (!memchr(link->name, '\0', sizeof(link->name)) || link->address_count > LINK_ADDRESSES_MAX || link->is_up > 1 ||
        link->is_running > 1)
        abort();
    for (uint32_t i = 0; i < link->address_count; i++) {
        if (link->addresses[i].address.family != IP_FAMILY_4 && link->addresses[i].address.family != IP_FAMILY_6)
            abort();
    }
}

/* Also what is done with a link after it was read: its texts and numbers travel into requests. */
static void read_links(struct rtnetlink *rtnetlink)
{
    struct link_table table = {0};
    int result = link_table_read(rtnetlink, &link_details, &table);

    if (table.count > LINKS_MAX || (result < 0 && (table.links || table.count)))
        abort();
    for (size_t i = 0; i < table.count; i++) {
        struct network_link up = table.links[i];
        struct kept_addresses kept;

        check_link(&table.links[i]);
        (void)link_table_find_mac(&table, &up.mac);
        if (device_settings_apply(rtnetlink, up.index, up.name, DEVICE_SIDE_EXTERNAL, &up.settings) > 1 ||
            link_local_settle(rtnetlink, &up) > (int)LINK_ADDRESSES_MAX)
            abort();
        address_keeper_note(&kept, &table.links[i]);
        up.is_up = 1;
        if (kept.count > LINK_ADDRESSES_MAX || address_keeper_restore(rtnetlink, &kept, &up) > (int)LINK_ADDRESSES_MAX)
            abort();
    }
    link_table_clear(&table);
}

static void apply_routes(struct rtnetlink *rtnetlink, uint8_t family, uint32_t table)
{
    const struct network_link external = {.index = 3, .name = "eth0", .is_up = 1};
    struct gateway_choice choice = {.count = 1};
    const struct route_wish wish = {.family = family, .table = table, .external = &external, .choice = &choice};
    struct route_list wanted;

    choice.gateways[0].address = (struct ip_address){.family = family, .bytes = {192, 0, 2, 1}};
    route_plan_list(&wish, &wanted);
    if (route_requests_bring_to(rtnetlink, &wanted) > REQUESTS_MAX || fake_kernel_requests() > REQUESTS_MAX ||
        route_requests_remove_ours(rtnetlink, family, table) > 0)
        abort();
}

static void read_routers(struct rtnetlink *rtnetlink)
{
    struct gateway routers[ROUTERS_MAX];
    int count = route_table_read_routers(rtnetlink, 3, routers, ROUTERS_MAX);

    if (count > (int)ROUTERS_MAX)
        abort();
    for (int i = 0; i < count; i++) {
        if (routers[i].address.family != IP_FAMILY_6)
            abort();
    }
}

static void apply_rules(struct rtnetlink *rtnetlink)
{
    if (routing_rules_exist(rtnetlink, IP_FAMILY_4) > 1 ||
        routing_rules_apply(rtnetlink, IP_FAMILY_6, true) > REQUESTS_MAX ||
        routing_rules_remove(rtnetlink, IP_FAMILY_4) > 0 || fake_kernel_requests() > REQUESTS_MAX)
        abort();
}

static void on_notification(const struct nlmsghdr *message, void *userdata)
{
    const struct nlattr *attributes[RTA_MAX + 1];
    uint32_t *sum = userdata;

    if (mnl_nlmsg_get_payload_len(message) < sizeof(struct rtmsg))
        return;
    rtnetlink_attributes(message, sizeof(struct rtmsg), attributes, RTA_MAX);
    *sum += rtnetlink_get_u32(attributes[RTA_TABLE], RT_TABLE_UNSPEC);
}

static void drain_monitor(void)
{
    CLEANUP(rtnetlink_socket_closep) struct mnl_socket *monitor = NULL;
    uint32_t sum = 0;

    if (rtnetlink_monitor_open(&monitor) < 0)
        abort();
    if (rtnetlink_monitor_drain(monitor, on_notification, &sum) > 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    CLEANUP(rtnetlink_freep) struct rtnetlink *rtnetlink = NULL;

    if (length < 1)
        return 0;
    fake_kernel_start(bytes + 1, length - 1);
    if (rtnetlink_new(&rtnetlink) < 0)
        abort();
    switch (bytes[0] % 6) {
    case 0:
        read_links(rtnetlink);
        break;
    case 1:
        apply_routes(rtnetlink, IP_FAMILY_4, ROUTE_TABLE_NUMBER);
        break;
    case 2:
        apply_routes(rtnetlink, IP_FAMILY_6, RT_TABLE_MAIN);
        break;
    case 3:
        read_routers(rtnetlink);
        break;
    case 4:
        apply_rules(rtnetlink);
        break;
    default:
        drain_monitor();
    }
    return 0;
}
