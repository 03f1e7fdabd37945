/* Our routing tables; see route_table.h. Runs in anchord-netadmin with CAP_NET_ADMIN. */
#include "workers/netadmin/route/route_table.h"

#include "workers/netlink/network/route_requests.h"

#include <linux/rtnetlink.h>

int route_table_apply_inner(struct rtnetlink *rtnetlink, uint8_t family, const struct inner_prefix *prefixes,
                            size_t count, const struct link_address *remembered)
{
    struct route_list wanted;

    route_plan_list_inner(family, prefixes, count, remembered, &wanted);
    return route_requests_bring_to(rtnetlink, &wanted);
}

int route_table_read_remembered(struct rtnetlink *rtnetlink, uint8_t family, struct link_address *ret)
{
    struct route_list present = {.family = family, .table = INNER_ROUTE_TABLE_NUMBER};
    int result = route_requests_read_ours(rtnetlink, &present);

    route_plan_find_remembered(&present, ret);
    return result;
}

struct trespass {
    uint32_t index;
    const struct wire_network *shared;
};

static bool is_trespasser(const struct route *route, const void *userdata)
{
    const struct trespass *trespass = userdata;

    return route_plan_is_trespasser(route, trespass->index, trespass->shared);
}

int route_table_remove_trespassers(struct rtnetlink *rtnetlink, uint32_t index, const struct wire_network *shared)
{
    const struct trespass trespass = {index, shared};
    struct route_list found = {.family = IP_FAMILY_6, .table = RT_TABLE_MAIN};
    int result = route_requests_read(rtnetlink, is_trespasser, &trespass, &found);

    for (size_t i = 0; i < found.count && result == 0; i++)
        result = route_requests_delete(rtnetlink, &found.routes[i]);
    return result < 0 ? result : (int)found.count;
}

static bool is_router(const struct route *route, const void *userdata)
{
    return route_plan_is_router(route, *(const uint32_t *)userdata);
}

int route_table_read_routers(struct rtnetlink *rtnetlink, uint32_t index, struct gateway *ret, size_t maximum)
{
    struct route_list found = {.family = IP_FAMILY_6, .table = RT_TABLE_MAIN};
    int result = route_requests_read(rtnetlink, is_router, &index, &found);
    size_t count = found.count < maximum ? found.count : maximum;

    for (size_t i = 0; i < count; i++)
        ret[i] = (struct gateway){
            .address = found.routes[i].gateway,
            .preference = found.routes[i].preference,
            .expires_in = found.routes[i].expires_in,
        };
    return result < 0 ? result : (int)count;
}

int route_table_read_lease(struct rtnetlink *rtnetlink, uint8_t family, uint32_t table, struct lease *ret)
{
    struct route_list present = {.family = family, .table = table};
    int result = route_requests_read_ours(rtnetlink, &present);

    route_plan_find_lease(&present, ret);
    return result;
}
