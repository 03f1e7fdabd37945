/*
 * What does not work as it should, as facts; see network_internal.h. Runs in anchord-netadmin, needs no privilege.
 *
 * What holds now: control puts it into words, says each once in the log, and shows it.
 */
#include "common/text.h"
#include "workers/netadmin/network_internal.h"
#include "workers/netadmin/plan/map_state.h"

static void add(struct message_network_report *report, const struct wire_network_problem *problem)
{
    if (report->problem_count < NETWORK_PROBLEMS_MAX)
        report->problems[report->problem_count++] = *problem;
}

static void add_of_link(struct message_network_report *report, struct wire_network_problem problem,
                        const struct network_link *link, const struct ip_subnet *inner)
{
    problem.inner = wire_address_from(&inner->address);
    problem.inner_length = inner->prefix_length;
    text_copy_cut(problem.name, sizeof(problem.name), link->name);
    add(report, &problem);
}

/* As each router said it last. */
static void add_ignored_routes(const struct router_watch *routers, const struct network_link *external,
                               struct message_network_report *ret)
{
    for (size_t i = 0; i < routers->advertised_recent.count; i++) {
        if (router_watch_ignores_route(external, routers->advertised[i].longest_route))
            add(ret, &(struct wire_network_problem){.kind = NETWORK_PROBLEM_ROUTES,
                                                    .address = routers->advertised[i].router,
                                                    .number = routers->advertised[i].longest_route,
                                                    .limit = external->settings.route_length6});
    }
}

static void add_inner(const struct inner_guard *guard, const struct link_address *address,
                      struct message_network_report *ret)
{
    struct ip_subnet lan, inner = {0};
    const struct network_link *link = inner_guard_find_around(guard, &address->address, &inner);

    if (link)
        add_of_link(ret,
                    (struct wire_network_problem){.kind = NETWORK_PROBLEM_INNER,
                                                  .address = wire_address_from(&address->address)},
                    link, &inner);
    link = inner_guard_find_within(guard, address, &lan, &inner);
    if (link)
        add_of_link(ret,
                    (struct wire_network_problem){.kind = NETWORK_PROBLEM_OVERLAP,
                                                  .address = wire_address_from(&lan.address),
                                                  .prefix_length = lan.prefix_length},
                    link, &inner);
}

/* What is beyond is guarded neither by table 24943 nor by the ruleset (WALL-1). */
static void add_left_out(const struct network_ground *ground, uint32_t external_index,
                         struct message_network_report *ret)
{
    const struct ip_subnet nothing = {.prefix_length = 0};

    if (ground->links.left_out > 0)
        add(ret,
            &(struct wire_network_problem){.kind = NETWORK_PROBLEM_LINKS, .number = (uint32_t)ground->links.left_out});
    for (size_t i = 0; i < ground->links.count; i++) {
        const struct network_link *link = &ground->links.links[i];

        if (link->left_out > 0 && link->index != external_index)
            add_of_link(ret,
                        (struct wire_network_problem){.kind = NETWORK_PROBLEM_LINK_ADDRESSES, .number = link->left_out},
                        link, &nothing);
    }
    for (size_t i = 0; i < FAMILY_INDEX_MAX_; i++) {
        struct inner_prefix prefixes[INNER_PREFIXES_MAX];
        size_t left_out;

        (void)inner_prefixes_list(&ground->links, external_index, family_index_to_family(i), prefixes, &left_out);
        if (left_out > 0)
            add(ret, &(struct wire_network_problem){.kind = NETWORK_PROBLEM_INNER_NETWORKS,
                                                    .family = family_index_to_family(i),
                                                    .number = (uint32_t)left_out,
                                                    .limit = INNER_PREFIXES_MAX});
    }
}

/* HOST-7: only now the project's networks are known. */
static void add_via_host(const struct network_ground *ground, struct message_network_report *ret)
{
    for (size_t i = 0; i < ground->via_host.count; i++) {
        const struct ip_subnet *subnet = &ground->via_host.subnets[i];
        const struct subnet_behind *shared = subnets_behind_find_shared(&ground->behind, subnet);
        struct wire_network_problem problem = {.kind = NETWORK_PROBLEM_VIA_HOST,
                                               .address = wire_address_from(&subnet->address),
                                               .prefix_length = subnet->prefix_length};

        if (!shared)
            continue;
        problem.inner = wire_address_from(&shared->subnet.address);
        problem.inner_length = shared->subnet.prefix_length;
        text_copy_cut(problem.name, sizeof(problem.name), shared->link);
        add(ret, &problem);
    }
}

/* What is ours, and somebody else's, too. */
static void add_contested(const struct duplicates *contested, const struct network_ground *ground,
                          struct message_network_report *ret)
{
    for (enum device_side side = DEVICE_SIDE_EXTERNAL; side <= DEVICE_SIDE_SHARED; side++) {
        const struct network_link *link = network_ground_find(ground, side);

        for (size_t i = 0; link && i < contested->count; i++) {
            struct wire_network_problem problem = {.kind = NETWORK_PROBLEM_CONTESTED,
                                                   .address = wire_address_from(&contested->items[i].address),
                                                   .mac = contested->items[i].holder};

            if (!network_link_find(link, &contested->items[i].address))
                continue;
            text_copy_cut(problem.name, sizeof(problem.name), link->name);
            add(ret, &problem);
        }
    }
}

void network_problems_list(const struct problem_sources *sources, struct message_network_report *ret)
{
    const struct network_ground *ground = sources->guard->ground;
    const struct network_link *external = network_ground_find(ground, DEVICE_SIDE_EXTERNAL);

    if (!ground->has_topology)
        return;
    if (sources->lacks_forwarding6)
        add(ret, &(struct wire_network_problem){.kind = NETWORK_PROBLEM_FORWARDING6});
    for (size_t i = 0; i < sources->duplicates->count && external; i++)
        add(ret, &(struct wire_network_problem){.kind = NETWORK_PROBLEM_DUPLICATE,
                                                .address = wire_address_from(&sources->duplicates->items[i].address),
                                                .mac = sources->duplicates->items[i].holder});
    add_contested(sources->contested, ground, ret);
    if (external)
        add_ignored_routes(sources->routers, external, ret);
    for (uint32_t i = 0; external && i < external->address_count; i++)
        add_inner(sources->guard, &external->addresses[i], ret);
    add_left_out(ground, external ? external->index : 0, ret);
    add_via_host(ground, ret);
}
