/* Links and addresses; see link_reading.h. Runs in anchord-netadmin and anchord-way; needs the request
 * socket only. */
#include "workers/netlink/network/link_reading.h"

#include "common/text.h"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

/* linux/rtnetlink.h; spares some hundred bytes of counters a link. */
#define DUMP_FILTER RTEXT_FILTER_SKIP_STATS

/* A dump that another change interrupted is read again at once, this often. */
#define READ_ATTEMPTS 8

struct reading {
    const struct link_details *details;
    struct link_table *table;
    int error;
};

/* Returns a zeroed link at the end of the table, or NULL. */
static struct network_link *append_link(struct reading *reading)
{
    struct link_table *table = reading->table;
    struct network_link *links;

    if (table->count == LINKS_MAX) {
        table->left_out++;
        return NULL;
    }
    links = reallocarray(table->links, table->count + 1, sizeof(*links));
    if (!links) {
        reading->error = -ENOMEM;
        return NULL;
    }
    table->links = links;
    memset(&links[table->count], 0, sizeof(*links));
    return &links[table->count++];
}

static void on_link(const struct nlmsghdr *message, void *userdata)
{
    struct reading *reading = userdata;
    const struct nlattr *attributes[IFLA_MAX + 1];
    const struct ifinfomsg *header = mnl_nlmsg_get_payload(message);
    struct network_link *link;
    const struct nlattr *name;
    const struct nlattr *mac;

    if (message->nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(message) < sizeof(*header) ||
        header->ifi_flags & IFF_LOOPBACK)
        return;
    rtnetlink_attributes(message, sizeof(*header), attributes, IFLA_MAX);
    name = attributes[IFLA_IFNAME];
    mac = attributes[IFLA_ADDRESS];
    if (!name || !text_is_terminated(mnl_attr_get_payload(name), mnl_attr_get_payload_len(name)))
        return;
    link = append_link(reading);
    if (!link)
        return;
    link->index = (uint32_t)header->ifi_index;
    link->mtu = rtnetlink_get_u32(attributes[IFLA_MTU], 0);
    text_copy_cut(link->name, sizeof(link->name), mnl_attr_get_str(name));
    if (mac && mnl_attr_get_payload_len(mac) == sizeof(link->mac))
        memcpy(&link->mac, mnl_attr_get_payload(mac), sizeof(link->mac));
    link->is_up = header->ifi_flags & IFF_UP ? 1 : 0;
    link->is_running = header->ifi_flags & IFF_RUNNING ? 1 : 0;
    if (reading->details)
        link->settings = reading->details->read_settings(attributes[IFLA_AF_SPEC]);
}

uint32_t link_address_parse(const struct nlmsghdr *message, struct link_address *ret)
{
    const struct nlattr *attributes[IFA_MAX + 1];
    const struct ifaddrmsg *header = mnl_nlmsg_get_payload(message);
    const struct nlattr *address;
    struct ifa_cacheinfo lifetimes = {0};
    uint8_t family;

    if (mnl_nlmsg_get_payload_len(message) < sizeof(*header))
        return 0;
    family = ip_family_from_kernel(header->ifa_family);
    rtnetlink_attributes(message, sizeof(*header), attributes, IFA_MAX);
    /* With a peer, IFA_ADDRESS is the peer's; IPv6 without one has IFA_ADDRESS alone. */
    address = attributes[IFA_LOCAL] ? attributes[IFA_LOCAL] : attributes[IFA_ADDRESS];
    if (family == IP_FAMILY_NONE || !address || mnl_attr_get_payload_len(address) != ip_family_length(family))
        return 0;
    if (attributes[IFA_CACHEINFO] && mnl_attr_get_payload_len(attributes[IFA_CACHEINFO]) >= sizeof(lifetimes))
        memcpy(&lifetimes, mnl_attr_get_payload(attributes[IFA_CACHEINFO]), sizeof(lifetimes));
    *ret = (struct link_address){
        .address = ip_address_from_bytes(family, mnl_attr_get_payload(address)),
        .prefix_length = header->ifa_prefixlen,
        .protocol = rtnetlink_get_u8(attributes[IFA_PROTO], IFAPROT_UNSPEC),
        .flags = rtnetlink_get_u32(attributes[IFA_FLAGS], header->ifa_flags),
        .created = lifetimes.cstamp,
    };
    return header->ifa_index;
}

static void append_address(struct reading *reading, struct network_link *link, const struct link_address *address)
{
    if (link->address_count < LINK_ADDRESSES_MAX) {
        link->addresses[link->address_count++] = *address;
        return;
    }
    link->left_out++;
    if (reading->details)
        reading->details->make_room(link, address);
}

static void on_address(const struct nlmsghdr *message, void *userdata)
{
    struct reading *reading = userdata;
    struct link_address address;
    uint32_t index = message->nlmsg_type == RTM_NEWADDR ? link_address_parse(message, &address) : 0;
    struct network_link *link = index ? link_table_find_index(reading->table, index) : NULL;

    if (link)
        append_address(reading, link, &address);
}

static int dump_links(struct rtnetlink *rtnetlink, struct reading *reading)
{
    (void)rtnetlink_begin(rtnetlink, "list", RTM_GETLINK, 0, sizeof(struct ifinfomsg));
    rtnetlink_describe(rtnetlink, "links");
    mnl_attr_put_u32(rtnetlink_message(rtnetlink), IFLA_EXT_MASK, DUMP_FILTER);
    return rtnetlink_dump(rtnetlink, on_link, reading);
}

static int dump_addresses(struct rtnetlink *rtnetlink, struct reading *reading)
{
    (void)rtnetlink_begin(rtnetlink, "list", RTM_GETADDR, 0, sizeof(struct ifaddrmsg));
    rtnetlink_describe(rtnetlink, "addresses");
    return rtnetlink_dump(rtnetlink, on_address, reading);
}

static int read_once(struct rtnetlink *rtnetlink, const struct link_details *details, struct link_table *ret)
{
    struct reading reading = {.details = details, .table = ret};
    int result = dump_links(rtnetlink, &reading);

    if (result == 0)
        result = dump_addresses(rtnetlink, &reading);
    if (result == 0)
        result = reading.error;
    if (result < 0)
        link_table_clear(ret);
    return result;
}

int link_table_read(struct rtnetlink *rtnetlink, const struct link_details *details, struct link_table *ret)
{
    int result = -EINTR;

    for (int i = 0; i < READ_ATTEMPTS && result == -EINTR; i++)
        result = read_once(rtnetlink, details, ret);
    return result;
}
