/*
 * What the LAN keeps from working, as `anchord status` shows it; see network_internal.h. Runs in anchord-netadmin,
 * needs no privilege.
 *
 * The log says each once, when it comes; this says what holds now.
 */
#include "common/text.h"
#include "workers/netadmin/network_internal.h"

#include <stdarg.h>
#include <stdio.h>

struct problems {
    size_t count;
    char (*texts)[REASON_SIZE];
};

__attribute__((format(printf, 2, 3))) static void add(struct problems *problems, const char *format, ...)
{
    va_list arguments;

    if (problems->count == NETWORK_PROBLEMS_MAX)
        return;
    va_start(arguments, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): the analyzer loses the va_start above */
    (void)vsnprintf(problems->texts[problems->count++], REASON_SIZE, format, arguments);
    va_end(arguments);
}

static void add_duplicates(const struct duplicates *duplicates, struct problems *problems)
{
    for (size_t i = 0; i < duplicates->count; i++) {
        const struct duplicate *duplicate = &duplicates->items[i];
        char mac[MAC_ADDRESS_TEXT_SIZE] = "not known";

        if (!mac_address_is_zero(&duplicate->holder))
            (void)mac_address_format(&duplicate->holder, mac);
        add(problems, "another host on the LAN has %s already (MAC: %s): it is not used here",
            IP_ADDRESS_TEXT(&duplicate->address), mac);
    }
}

/* As each router said it last. */
static void add_ignored_routes(const struct router_watch *routers, const struct network_link *external,
                               struct problems *problems)
{
    for (size_t i = 0; i < routers->advertised_recent.count; i++) {

        if (router_watch_ignores_route(external, routers->advertised[i].longest_route))
            add(problems,
                "router %s advertises routes that are not taken: set "
                "net.ipv6.conf.IFNAME.accept_ra_rt_info_max_plen=128",
                IP_ADDRESS_TEXT(&routers->advertised[i].router));
    }
}

static void add_inner(const struct inner_guard *guard, const struct link_address *address, struct problems *problems)
{
    struct ip_subnet lan, inner;
    const struct network_link *link = inner_guard_find_around(guard, &address->address, &inner);

    if (link)
        add(problems, "%s from the LAN lies in the inner network %s (%s): it is not used",
            IP_ADDRESS_TEXT(&address->address), IP_SUBNET_TEXT(&inner), link->name);
    link = inner_guard_find_within(guard, address, &lan, &inner);
    if (link)
        add(problems, "the LAN, %s, contains the inner network %s (%s): those addresses lead inside",
            IP_SUBNET_TEXT(&lan), IP_SUBNET_TEXT(&inner), link->name);
}

void network_problems_list(const struct problem_sources *sources, char ret[NETWORK_PROBLEMS_MAX][REASON_SIZE])
{
    const struct network_link *external = sources->external;
    struct problems problems = {.texts = ret};

    if (!external)
        return;
    add_duplicates(sources->duplicates, &problems);
    add_ignored_routes(sources->routers, external, &problems);
    for (uint32_t i = 0; i < external->address_count; i++)
        add_inner(sources->guard, &external->addresses[i], &problems);
}
