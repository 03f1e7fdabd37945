/* What the LAN must not name; see inner_guard.h. Runs in anchord-netadmin, no privilege. */
#include "workers/netadmin/address/inner_guard.h"

#include "workers/netadmin/plan/inner_prefixes.h"

static uint32_t external_index(const struct inner_guard *guard)
{
    const struct network_link *external = network_ground_find(guard->ground, DEVICE_SIDE_EXTERNAL);

    return external ? external->index : 0;
}

const struct network_link *inner_guard_find_around(const struct inner_guard *guard, const struct ip_address *address,
                                                   struct ip_subnet *ret)
{
    struct link_address bootstrap = witness_bootstrap(guard->witness, guard->ground, address->family);
    struct ip_subnet host = {*address, ip_family_bits(address->family)};

    if (ip_address_equal(&bootstrap.address, address))
        return NULL;
    return inner_prefixes_find_around(&guard->ground->links, external_index(guard), &host, ret);
}

const struct network_link *inner_guard_find_within(const struct inner_guard *guard, const struct link_address *address,
                                                   struct ip_subnet *ret_lan, struct ip_subnet *ret)
{
    struct ip_subnet lan = {address->address, address->prefix_length};

    lan.address = ip_subnet_first(&lan);
    *ret_lan = lan;
    return inner_guard_find_around(guard, &address->address, ret)
               ? NULL
               : inner_prefixes_find_within(&guard->ground->links, external_index(guard), &lan, ret);
}

struct network_link inner_guard_believed(const struct inner_guard *guard, const struct network_link *external)
{
    struct network_link believed = *external;
    struct ip_subnet inner;

    believed.address_count = 0;
    for (uint32_t i = 0; i < external->address_count; i++) {
        if (!inner_guard_find_around(guard, &external->addresses[i].address, &inner))
            believed.addresses[believed.address_count++] = external->addresses[i];
    }
    return believed;
}
