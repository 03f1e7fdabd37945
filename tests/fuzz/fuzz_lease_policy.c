/*
 * Fuzz target: what netadmin takes of a lease (workers/netadmin/plan/lease_policy). The bytes are a lease of one
 * family, as protocol/validate_lease.c lets it through; the rest of the world is fixed. Whatever is taken must be what
 * the policy's header promises, checked here by other means.
 */
#include "tests/fuzz/target.h"
#include "workers/netadmin/plan/lease_policy.h"

#include <stdlib.h>
#include <string.h>

#define EXTERNAL_INDEX 2

static const struct wire_network shared = {
    .subnet_count = 2,
    .subnets =
        {
            {.address = {.family = IP_FAMILY_4, .bytes = {172, 30}}, .prefix_length = 24},
            {.address = {.family = IP_FAMILY_6, .bytes = {0xfd, 0x30}}, .prefix_length = 64},
        },
};

static struct network_link links[] = {
    {.index = EXTERNAL_INDEX,
     .mtu = 1500,
     .address_count = 1,
     .addresses = {{.address = {IP_FAMILY_4, {10, 99, 0, 50}}}}},
    {.index = EXTERNAL_INDEX + 1, .address_count = 1, .addresses = {{.address = {IP_FAMILY_4, {172, 31, 0, 3}}}}},
};

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void count_refusal(const char *object, const char *reason, void *userdata)
{
    size_t *refusals = userdata;

    require(strlen(object) > 0 && strlen(reason) > 0);
    (*refusals)++;
}

/* What the protocol's check has made sure of. */
static void make_valid(struct wire_lease *lease, uint8_t family)
{
    lease->address.family = family;
    lease->ignores_routers &= 1;
    lease->router_count %= LEASE_ROUTERS_MAX + 1;
    lease->route_count %= LEASE_ROUTES_MAX + 1;
    lease->further_count = family == IP_FAMILY_6 ? lease->further_count % (LEASE_FURTHER_MAX + 1) : 0;
    for (size_t i = 0; i < LEASE_FURTHER_MAX; i++)
        lease->further[i].address.family = IP_FAMILY_6;
    for (size_t i = 0; i < LEASE_ROUTERS_MAX; i++)
        lease->routers[i].family = family;
    for (size_t i = 0; i < LEASE_ROUTES_MAX; i++) {
        lease->routes[i].destination.family = family;
        lease->routes[i].gateway.family = family;
        lease->routes[i].prefix_length %= (uint8_t)(ip_family_bits(family) + 1);
    }
}

static bool is_in_shared(const struct ip_address *address)
{
    struct ip_subnet v4 = {wire_address_to(&shared.subnets[0].address), shared.subnets[0].prefix_length};
    struct ip_subnet v6 = {wire_address_to(&shared.subnets[1].address), shared.subnets[1].prefix_length};

    return ip_subnet_contains(&v4, address) || ip_subnet_contains(&v6, address);
}

static void require_gateway(const struct lease *lease, const struct ip_address *gateway)
{
    require(ip_address_is_host(gateway) && !is_in_shared(gateway) && lease_has_on_link(lease, gateway));
    require(!ip_address_equal(gateway, &lease->address) && !ip_address_equal(gateway, &links[1].addresses[0].address));
}

static void require_routes(const struct lease *lease)
{
    require(lease->route_count <= LEASE_ROUTES_MAX);
    for (size_t i = 0; i < lease->route_count; i++) {
        const struct ip_subnet *destination = &lease->routes[i].destination;
        struct ip_address last = ip_subnet_last(destination);

        require(destination->prefix_length > 0 && !is_in_shared(&destination->address) && !is_in_shared(&last));
        require(!ip_address_is_loopback(&destination->address) && !ip_address_is_multicast(&last));
        if (lease->routes[i].gateway.family != IP_FAMILY_NONE)
            require_gateway(lease, &lease->routes[i].gateway);
        for (size_t j = 0; j < i; j++)
            require(lease->routes[j].destination.prefix_length != destination->prefix_length ||
                    !ip_address_equal(&lease->routes[j].destination.address, &destination->address));
    }
}

static void require_further(const struct lease *lease)
{
    require(lease->further_count <= LEASE_FURTHER_MAX);
    for (size_t i = 0; i < lease->further_count; i++) {
        const struct ip_address *address = &lease->further[i].address;

        require(ip_address_is_host(address) && !ip_address_is_link_local(address) && !is_in_shared(address));
        require(!ip_address_equal(address, &lease->address) && lease->further[i].valid_seconds > 0);
        for (size_t j = 0; j < i; j++)
            require(!ip_address_equal(address, &lease->further[j].address));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct link_table table = {.links = links, .count = sizeof(links) / sizeof(links[0])};
    size_t refusals = 0;
    const struct lease_policy policy = {&shared, &table, EXTERNAL_INDEX, false, count_refusal, &refusals};
    struct wire_lease wire = {.router_count = 0};
    char reason[REASON_SIZE] = "";
    struct lease lease;
    uint8_t family;

    if (size == 0)
        return 0;
    family = data[0] & 1 ? IP_FAMILY_6 : IP_FAMILY_4;
    memcpy(&wire, data + 1, size - 1 < sizeof(wire) ? size - 1 : sizeof(wire));
    make_valid(&wire, family);
    if (lease_policy_check(&policy, family, &wire, &lease, reason) < 0) {
        require(strlen(reason) > 0 && refusals == 0);
        return 0;
    }
    require(ip_address_is_host(&lease.address) && !is_in_shared(&lease.address));
    require(!ip_address_is_link_local(&lease.address) && wire.valid_seconds > 0);
    require(lease.prefix_length == wire.prefix_length && (family == IP_FAMILY_4 || lease.prefix_length == 128));
    require(refusals <= (size_t)wire.route_count + wire.router_count + 1 + wire.further_count);
    require(lease.mtu == 0 || (lease.mtu == wire.mtu && lease.mtu >= 576 && lease.mtu <= 1500));
    if (lease.gateway.family != IP_FAMILY_NONE)
        require_gateway(&lease, &lease.gateway);
    require_routes(&lease);
    require_further(&lease);
    return 0;
}
