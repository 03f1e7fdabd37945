/* What the other half and DHCP clients may know of the two links; see network.h. Runs in anchord-netadmin, no
 * privilege. */
#include "common/text.h"
#include "workers/netadmin/network_internal.h"
#include "workers/netadmin/plan/egress_choice.h"
#include "workers/netadmin/plan/inner_prefixes.h"

#include <string.h>

/* Sorted, so that two readings of one state are equal; once, although IPv4 may hold it with two prefix lengths. */
static void insert_address(struct network_view *view, const struct ip_address *address)
{
    size_t position = view->external_count;

    while (position > 0 && ip_address_compare(address, &view->external[position - 1]) < 0)
        position--;
    if (view->external_count == LINK_ADDRESSES_MAX ||
        (position > 0 && ip_address_equal(address, &view->external[position - 1])))
        return;
    for (size_t i = view->external_count++; i > position; i--)
        view->external[i] = view->external[i - 1];
    view->external[position] = *address;
}

/* `external` is without inner addresses. */
static void list_external(const struct external_addresses *addresses, const struct network_link *external,
                          struct network_view *ret)
{
    for (size_t i = 0; i < FAMILY_INDEX_MAX_; i++) {
        for (size_t j = 0; j < addresses->families[i].plan.wanted_count; j++)
            insert_address(ret, &addresses->families[i].plan.wanted[j].address.address);
    }
    for (uint32_t i = 0; i < external->address_count; i++) {
        const struct link_address *address = &external->addresses[i];

        if (link_address_is_usable(address) && !ip_address_is_link_local(&address->address))
            insert_address(ret, &address->address);
    }
}

static void list_inner(const struct network_ground *ground, const struct network_link *external,
                       struct network_view *ret)
{
    static const uint8_t families[FAMILY_INDEX_MAX_] = {[FAMILY_INDEX_4] = IP_FAMILY_4, [FAMILY_INDEX_6] = IP_FAMILY_6};

    for (size_t i = 0; i < FAMILY_INDEX_MAX_; i++) {
        struct inner_prefix found[INNER_PREFIXES_MAX];
        size_t left_out; /* inner_guard.c says it */

        ret->inner_count[i] =
            (uint8_t)inner_prefixes_list(&ground->links, external->index, families[i], found, &left_out);
        for (size_t j = 0; j < ret->inner_count[i]; j++)
            ret->inner[i][j] = found[j].subnet;
    }
}

/* Masquerading would take the next hop, which is the only address on the link to the host. */
static struct ip_address first_of_v4(const struct network_view *view)
{
    for (size_t i = 0; i < view->external_count; i++) {
        if (view->external[i].family == IP_FAMILY_4)
            return view->external[i];
    }
    return (struct ip_address){.family = IP_FAMILY_NONE};
}

static void list_leased(const struct known_lease *lease, struct egress_preference *preference)
{
    if (!lease->is_held)
        return;
    preference->leased[preference->leased_count++] = lease->lease.address;
    for (size_t i = 0; i < lease->lease.further_count; i++)
        preference->leased[preference->leased_count++] = lease->lease.further[i].address;
}

bool network_get_view(const struct network *network, struct network_view *ret)
{
    const struct network_link *external = network_ground_find(&network->ground, DEVICE_SIDE_EXTERNAL);
    const struct network_link *shared = network_ground_find(&network->ground, DEVICE_SIDE_SHARED);
    const struct message_advertised *advertised = router_watch_find(&network->routers);
    struct ip_subnet prefixes[ADVERTISED_PREFIXES_MAX];
    struct egress_preference preference = {.is_bootstrap = network->ground.address_mode == ADDRESS_MODE_BOOTSTRAP};
    struct network_link believed;
    struct egress_choice egress;

    if (!external || (!shared && !network->ground.is_attached))
        return false;
    believed = inner_guard_believed(&network->guard, external);
    list_leased(&network->addresses.families[FAMILY_INDEX_6].lease, &preference);
    preference.advertised = prefixes;
    preference.advertised_count = advertised ? advertised->prefix_count : 0;
    for (size_t i = 0; i < preference.advertised_count; i++)
        prefixes[i] = (struct ip_subnet){wire_address_to(&advertised->prefixes[i].address),
                                         advertised->prefixes[i].prefix_length};
    egress = egress_choose(&believed, &preference);
    memset(ret, 0, sizeof(*ret));
    ret->egress6_global = egress.global;
    ret->egress6_unique_local = egress.unique_local;
    text_copy_cut(ret->external_name, sizeof(ret->external_name), external->name);
    text_copy_cut(ret->shared_name, sizeof(ret->shared_name), shared ? shared->name : SHARED_LINKS_PATTERN);
    text_copy_cut(ret->host_name, sizeof(ret->host_name), network->ground.is_attached ? IDENTITY_HOST_LINK : "");
    list_external(&network->addresses, &believed, ret);
    ret->egress4 = first_of_v4(ret);
    list_inner(&network->ground, external, ret);
    return true;
}

void network_view_applied(struct network *network, const struct network_view *view)
{
    struct external_addresses *addresses = &network->addresses;
    bool was_awaited = external_addresses_await_element(addresses);

    addresses->installed_count = view->external_count;
    memcpy(addresses->installed, view->external, sizeof(addresses->installed));
    if (was_awaited || (network->ground.is_attached && !network->ground.has_rules)) {
        network->ground.has_rules = true;
        (void)network_refresh(network); /* reported, and planned again */
    }
}

void network_describe_external_link(const struct network *network, struct message_external_link *ret)
{
    const struct network_link *external = network_ground_find(&network->ground, DEVICE_SIDE_EXTERNAL);

    ret->has_links = link_table_is_connected(&network->ground.links);
    if (network->ground.address_mode != ADDRESS_MODE_DHCP_REFRESH || !external || !external->is_up ||
        external->settings.promote_secondaries != 1)
        return;
    ret->index = external->index;
    ret->is_running = external->is_running;
    text_copy_cut(ret->name, sizeof(ret->name), external->name);
}
