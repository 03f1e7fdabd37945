/* What about the external network costs connections, and the remedy; see external_advice.h. Pure, without privilege. */
#include "workers/watcher/external_advice.h"

#include "common/text.h"

#include <stdio.h>
#include <string.h>

/* Of the IPv4 subnet that holds our address, or the first one; NULL: the network has none. */
static const struct docker_subnet *find_subnet4(const struct docker_network *inspected,
                                                const struct ip_address *address)
{
    const struct docker_subnet *found = NULL;

    for (size_t i = 0; i < inspected->subnet_count; i++) {
        const struct docker_subnet *subnet = &inspected->subnets[i];

        if (subnet->subnet.address.family != IP_FAMILY_4)
            continue;
        if (!found || ip_subnet_contains(&subnet->subnet, address))
            found = subnet;
    }
    return found;
}

/* 192.0.2.1 of 192.0.2.0/24: where most routers are. */
static bool is_first_address(const struct ip_subnet *subnet, const struct ip_address *address)
{
    struct ip_address first = ip_subnet_first(subnet);

    first.bytes[ip_family_length(IP_FAMILY_4) - 1] |= 1;
    return ip_address_equal(&first, address);
}

static void judge_gateway(const struct message_configure_watcher *configuration, const struct own_network *own,
                          const struct docker_network *inspected, bool tells_fixed, struct external_advice *ret)
{
    const struct docker_subnet *subnet = find_subnet4(inspected, &own->address4);
    struct ip_address pinned = wire_address_to(&configuration->pinned_gateway4);
    bool is_pinned = pinned.family != IP_FAMILY_NONE;
    char text[IP_SUBNET_TEXT_SIZE];

    if (!subnet || subnet->gateway.family != IP_FAMILY_NONE)
        return;
    /* A lease names the router. */
    ret->is_given[EXTERNAL_FAULT_NO_GATEWAY] = !is_pinned && configuration->address_mode != ADDRESS_MODE_DHCP_REFRESH;
    (void)snprintf(
        ret->remedies[EXTERNAL_FAULT_NO_GATEWAY], EXTERNAL_REMEDY_SIZE,
        "ipam: {config: [{subnet: %s, gateway: ROUTER}]} with the router's address, in the network, which has "
        "to be made anew; or ANCHORD_EXT_GATEWAY_IP: ROUTER",
        ip_subnet_format(&subnet->subnet, text));
    ret->is_given[EXTERNAL_FAULT_FIRST_ADDRESS] = tells_fixed && !own->has_fixed_address4 &&
                                                  is_first_address(&subnet->subnet, &own->address4) &&
                                                  (!is_pinned || ip_address_equal(&pinned, &own->address4));
    (void)snprintf(ret->remedies[EXTERNAL_FAULT_FIRST_ADDRESS], EXTERNAL_REMEDY_SIZE,
                   "networks: {%.48s: {ipv4_address: ADDRESS}} with a free one of %s", own->name,
                   ip_subnet_format(&subnet->subnet, text));
}

static void judge_address(const struct message_configure_watcher *configuration, const struct own_network *own,
                          struct external_advice *ret)
{
    char text4[IP_ADDRESS_TEXT_SIZE], text6[IP_ADDRESS_TEXT_SIZE];
    /* The address of a lease is the server's to keep, that of an advertisement follows from the MAC address. */
    bool is_loose4 = configuration->address_mode != ADDRESS_MODE_DHCP_REFRESH &&
                     own->address4.family != IP_FAMILY_NONE && !own->has_fixed_address4 &&
                     !ret->is_given[EXTERNAL_FAULT_FIRST_ADDRESS];
    bool is_loose6 = configuration->address_mode == ADDRESS_MODE_BOOTSTRAP && own->address6.family != IP_FAMILY_NONE &&
                     !own->has_fixed_address6;

    ret->is_given[EXTERNAL_FAULT_POOL_ADDRESS] = is_loose4 || is_loose6;
    if (ret->is_given[EXTERNAL_FAULT_POOL_ADDRESS])
        (void)snprintf(ret->remedies[EXTERNAL_FAULT_POOL_ADDRESS], EXTERNAL_REMEDY_SIZE,
                       "networks: {%.48s: {%s%s%s%s%s}}", own->name, is_loose4 ? "ipv4_address: " : "",
                       is_loose4 ? ip_address_format(&own->address4, text4) : "", is_loose4 && is_loose6 ? ", " : "",
                       is_loose6 ? "ipv6_address: " : "", is_loose6 ? ip_address_format(&own->address6, text6) : "");
}

void external_advice_find(const struct message_configure_watcher *configuration, const struct own_network *own,
                          const struct docker_network *inspected, bool tells_fixed, struct external_advice *ret)
{
    memset(ret->is_given, 0, sizeof(ret->is_given));
    text_copy_cut(ret->network, sizeof(ret->network), own->name);
    judge_gateway(configuration, own, inspected, tells_fixed, ret);
    if (tells_fixed)
        judge_address(configuration, own, ret);
}

const char *external_fault_message(enum external_fault fault)
{
    switch (fault) {
    case EXTERNAL_FAULT_NO_GATEWAY:
        return "external network names no gateway: nothing leaves over IPv4";
    case EXTERNAL_FAULT_FIRST_ADDRESS:
        return "external address is the subnet's first, which is mostly the router's: Docker gave it out since the "
               "network names no gateway";
    case EXTERNAL_FAULT_POOL_ADDRESS:
        return "external address is from Docker's pool and not fixed: recreated, this container may get another";
    case EXTERNAL_FAULT_COUNT_:
    default:
        return "";
    }
}

enum log_level external_fault_level(enum external_fault fault)
{
    return fault == EXTERNAL_FAULT_FIRST_ADDRESS ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN;
}

enum problem external_fault_problem(enum external_fault fault)
{
    static const enum problem problems[EXTERNAL_FAULT_COUNT_] = {
        [EXTERNAL_FAULT_NO_GATEWAY] = PROBLEM_NO_GATEWAY_NAMED,
        [EXTERNAL_FAULT_FIRST_ADDRESS] = PROBLEM_FIRST_ADDRESS,
        [EXTERNAL_FAULT_POOL_ADDRESS] = PROBLEM_POOL_ADDRESS,
    };

    return problems[fault];
}
