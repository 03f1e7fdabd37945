/* The host's addresses; see host_addresses.h. Runs in anchord-links with CAP_NET_ADMIN. */
#include "workers/links/host_addresses.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

static void on_address(const struct nlmsghdr *message, void *userdata)
{
    struct address_snapshot *snapshot = userdata;
    const struct ifaddrmsg *header = mnl_nlmsg_get_payload(message);
    const struct nlattr *attributes[IFA_MAX + 1];
    const struct nlattr *own;
    struct seen_address *seen = &snapshot->addresses[snapshot->count];
    uint8_t family;

    if (message->nlmsg_type != RTM_NEWADDR || mnl_nlmsg_get_payload_len(message) < sizeof(*header))
        return;
    if (snapshot->count == SEEN_ADDRESSES_MAX) {
        snapshot->left_out++;
        return;
    }
    family = ip_family_from_kernel(header->ifa_family);
    rtnetlink_attributes(message, sizeof(*header), attributes, IFA_MAX);
    own = attributes[IFA_LOCAL] ? attributes[IFA_LOCAL] : attributes[IFA_ADDRESS];
    if (family == IP_FAMILY_NONE || !own || mnl_attr_get_payload_len(own) < ip_family_length(family))
        return;
    seen->subnet.address = ip_address_from_bytes(family, mnl_attr_get_payload(own));
    seen->subnet.prefix_length = header->ifa_prefixlen;
    seen->index = header->ifa_index;
    seen->is_fit = !(rtnetlink_get_u32(attributes[IFA_FLAGS], header->ifa_flags) &
                     (IFA_F_TENTATIVE | IFA_F_DADFAILED | IFA_F_DEPRECATED | IFA_F_TEMPORARY));
    if (!ip_address_is_loopback(&seen->subnet.address) && !ip_address_is_link_local(&seen->subnet.address))
        snapshot->count++;
}

int host_addresses_read(struct rtnetlink *rtnetlink, struct address_snapshot *ret)
{
    int result = -EINTR;

    for (int i = 0; i < LINK_READ_ATTEMPTS && result == -EINTR; i++) {
        ret->count = ret->left_out = 0;
        (void)rtnetlink_begin(rtnetlink, "list addresses", RTM_GETADDR, 0, sizeof(struct ifaddrmsg));
        result = rtnetlink_dump(rtnetlink, on_address, ret);
    }
    return result;
}

void host_addresses_fill_subnets(const struct address_snapshot *snapshot, uint32_t index, struct wire_shared_link *ret)
{
    for (size_t i = 0; i < snapshot->count && ret->subnet_count < SUBNETS_MAX; i++) {
        const struct seen_address *seen = &snapshot->addresses[i];
        struct ip_address first = ip_subnet_first(&seen->subnet);

        if (seen->index == index)
            ret->subnets[ret->subnet_count++] =
                (struct wire_link_address){wire_address_from(&first), seen->subnet.prefix_length, {0}};
    }
}

size_t host_addresses_describe(const struct address_snapshot *snapshot, uint32_t parent,
                               struct message_host_addresses *ret)
{
    ret->count = 0;
    for (size_t i = 0; i < 2 * snapshot->count && ret->count < HOST_ADDRESSES_MAX; i++) {
        bool is_first_pass = i < snapshot->count;
        const struct seen_address *seen = &snapshot->addresses[is_first_pass ? i : i - snapshot->count];
        bool is_on_parent = parent > 0 && seen->index == parent;

        if (is_on_parent == is_first_pass)
            ret->items[ret->count++] = (struct wire_host_address){
                .address = wire_address_from(&seen->subnet.address),
                .is_on_parent = is_on_parent,
            };
    }
    return snapshot->count - ret->count + snapshot->left_out;
}
