/* What status shows of the network half; see network.h. Runs in anchord-netadmin, needs no privilege. */
#include "common/text.h"
#include "workers/netadmin/network_internal.h"
#include "workers/netadmin/plan/gateway_claim.h"

static bool is_claimed(const struct witness *witness, const struct ip_address *address)
{
    struct gateway_claim claims[SUBNETS_MAX];
    size_t count = gateway_claim_list(&witness->shared_believed, claims);

    for (size_t i = 0; i < count; i++) {
        if (ip_address_equal(&claims[i].address, address))
            return true;
    }
    return false;
}

static enum address_origin origin_of(const struct external_addresses *addresses, enum device_side side,
                                     const struct link_address *address)
{
    const struct known_lease *lease = &addresses->families[address->address.family == IP_FAMILY_6].lease;

    if (side == DEVICE_SIDE_SHARED && is_claimed(addresses->witness, &address->address))
        return ADDRESS_ORIGIN_CLAIMED;
    if (side == DEVICE_SIDE_EXTERNAL && (address_is_leased(address) || known_lease_names(lease, &address->address)))
        return ADDRESS_ORIGIN_LEASE;
    return address->flags & IFA_F_PERMANENT ? ADDRESS_ORIGIN_DOCKER : ADDRESS_ORIGIN_SLAAC;
}

static void describe_link(const struct external_addresses *addresses, enum device_side side,
                          struct wire_reported_link *ret)
{
    const struct network_ground *ground = addresses->ground;
    const struct network_link *link = network_ground_find(ground, side);
    const struct wire_network *wire =
        side == DEVICE_SIDE_SHARED ? &ground->topology.shared : &ground->topology.external;

    text_copy_cut(ret->network, sizeof(ret->network), ground->has_topology ? wire->name : "");
    if (ground->has_topology)
        ret->mac = wire->mac;
    if (!link)
        return;
    text_copy_cut(ret->name, sizeof(ret->name), link->name);
    ret->index = link->index;
    ret->mtu = link->mtu;
    ret->left_out = link->left_out;
    for (uint32_t i = 0; i < link->address_count; i++) {
        const struct link_address *address = &link->addresses[i];
        struct wire_reported_address *reported = &ret->addresses[ret->address_count];

        if (ip_address_is_link_local(&address->address) || !link_address_is_usable(address))
            continue;
        ret->address_count++;
        reported->address = wire_address_from(&address->address);
        reported->prefix_length = address->prefix_length;
        reported->origin = (uint8_t)origin_of(addresses, side, address);
    }
}

void network_describe(const struct network *network, struct message_network_report *ret)
{
    const struct problem_sources sources = {
        .lacks_forwarding6 = network->lacks_forwarding6,
        .duplicates = &network->duplicates,
        .contested = &network->announcer.contested,
        .routers = &network->routers,
        .guard = &network->guard,
    };

    const struct network_link *external = network_ground_find(&network->ground, DEVICE_SIDE_EXTERNAL);

    describe_link(&network->addresses, DEVICE_SIDE_EXTERNAL, &ret->external);
    describe_link(&network->addresses, DEVICE_SIDE_SHARED, &ret->shared);
    for (size_t i = 0; i < FAMILY_INDEX_MAX_; i++) {
        const struct family_state *family = &network->families[i];

        ret->gateways[i] = (struct wire_reported_gateway){
            .source = family->choice.source,
            .decision = family->decisions,
            .router_count = (uint8_t)family->choice.count,
            .is_expected = family_routes_expect_gateway(&network->ground, family),
            .is_link_up = external && external->is_up,
        };
        if (family->link_index && family->choice.count > 0)
            ret->gateways[i].address = wire_address_from(&family->choice.gateways[0].address);
    }
    network_problems_list(&sources, ret);
}
