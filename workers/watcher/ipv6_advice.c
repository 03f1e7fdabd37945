/* What keeps IPv6 from working, and the remedy; see ipv6_advice.h. Pure, runs without any privilege. */
#include "workers/watcher/ipv6_advice.h"

#include <stdio.h>

/* Of an endpoint, in the service's part of a Compose file; with the network's name. */
#define ENDPOINT_SYSCTLS "networks: {%.48s: {driver_opts: {com.docker.network.endpoint.sysctls: \""

static bool has_ipv6_subnet(const struct wire_network *network)
{
    for (uint32_t i = 0; i < network->subnet_count; i++) {
        if (network->subnets[i].address.family == IP_FAMILY_6)
            return true;
    }
    return false;
}

enum ipv6_fault ipv6_fault_find(const struct wire_link *link, const struct wire_network *external)
{
    if (link->ipv6_flags & LINK_IPV6_DISABLED)
        return has_ipv6_subnet(external) || link->ipv6_flags & LINK_IPV6_IS_ASKED ? IPV6_FAULT_DISABLED
                                                                                  : IPV6_FAULT_NONE;
    if (link->ipv6_flags & LINK_IPV6_FORWARDS && !(link->ipv6_flags & LINK_IPV6_ACCEPTS_RA))
        return IPV6_FAULT_IGNORES_RA;
    return link->ipv6_flags & LINK_IPV6_FORWARDS ? IPV6_FAULT_IS_ROUTER : IPV6_FAULT_NONE;
}

enum log_level ipv6_fault_level(enum ipv6_fault fault, unsigned int api)
{
    if (fault != IPV6_FAULT_IS_ROUTER)
        return LOG_LEVEL_ERROR;
    return api >= API_WITH_ENDPOINT_SYSCTLS ? LOG_LEVEL_WARN : LOG_LEVEL_INFO;
}

const char *ipv6_fault_message(enum ipv6_fault fault)
{
    switch (fault) {
    case IPV6_FAULT_IGNORES_RA:
        return "external interface ignores router advertisements: accept_ra is below 2 while forwarding is on";
    case IPV6_FAULT_DISABLED:
        return "IPv6 is disabled on the external interface although its network or the address mode wants it";
    case IPV6_FAULT_IS_ROUTER:
        return "on the LAN this is an IPv6 router: it answers for the subnet's router address and says so to the "
               "neighbours";
    case IPV6_FAULT_NONE:
    default:
        return "";
    }
}

/* An IPv6 setting of one interface, as this engine wants it in the service's part of a Compose file. */
static void write_interface_setting(char text[REMEDY_SIZE], unsigned int api, const char *interface,
                                    const char *network, const char *setting, int value)
{
    if (api >= API_WITH_ENDPOINT_SYSCTLS)
        (void)snprintf(text, REMEDY_SIZE, ENDPOINT_SYSCTLS "net.ipv6.conf.IFNAME.%s=%d\"}}}",
                       network[0] ? network : "NETWORK", setting, value);
    else
        (void)snprintf(text, REMEDY_SIZE, "sysctls: {net.ipv6.conf.%s.%s: \"%d\"}", interface, setting, value);
}

/*
 * A host to its link, which hears routers; both settings, since the second holds whatever the first is. Where all
 * sysctls are the container's, runc writes them in any order, and `all` overwrites the interface's: seen with
 * Engine 20.10.
 */
static void write_host_settings(char text[REMEDY_SIZE], unsigned int api, const char *interface, const char *network)
{
    if (api >= API_WITH_ENDPOINT_SYSCTLS)
        (void)snprintf(text, REMEDY_SIZE,
                       ENDPOINT_SYSCTLS "net.ipv6.conf.IFNAME.forwarding=0,net.ipv6.conf.IFNAME.accept_ra=2\"}}}",
                       network[0] ? network : "NETWORK");
    else
        (void)snprintf(text, REMEDY_SIZE,
                       "none before Engine 27, which sets net.ipv6.conf.%s.forwarding and that of `all` in any order",
                       interface);
}

const char *ipv6_fault_remedy(enum ipv6_fault fault, unsigned int api, const char *interface, const char *network,
                              char text[REMEDY_SIZE])
{
    switch (fault) {
    case IPV6_FAULT_IGNORES_RA:
        if (api >= API_WITH_ENDPOINT_SYSCTLS)
            write_host_settings(text, api, interface, network);
        else
            write_interface_setting(text, api, interface, network, "accept_ra", 2);
        break;
    case IPV6_FAULT_IS_ROUTER:
        write_host_settings(text, api, interface, network);
        break;
    case IPV6_FAULT_DISABLED:
        write_interface_setting(text, api, interface, network, "disable_ipv6", 0);
        break;
    case IPV6_FAULT_NONE:
    default:
        text[0] = '\0';
        break;
    }
    return text;
}

enum problem ipv6_fault_problem(enum ipv6_fault fault)
{
    static const enum problem problems[] = {
        [IPV6_FAULT_NONE] = PROBLEM_NONE,
        [IPV6_FAULT_IGNORES_RA] = PROBLEM_IGNORES_ADVERTISEMENTS,
        [IPV6_FAULT_DISABLED] = PROBLEM_IPV6_DISABLED,
        [IPV6_FAULT_IS_ROUTER] = PROBLEM_IS_ROUTER,
    };

    return problems[fault];
}
