/* The links of one identity; see identity_links.h. Runs in anchord-links with CAP_NET_ADMIN. */
#include "workers/links/identity_links.h"

#include "common/log.h"
#include "common/text.h"
#include "protocol/problems.h"

#include <stdio.h>
#include <string.h>

/* --- reading --------------------------------------------------------------------------------------------- */

static bool is_of_interest(const char *name, const void *userdata)
{
    const struct identity_links *links = userdata;

    if (strcmp(name, links->configuration.parent) == 0 || link_names_number(name, links->configuration.tag) != NO_LINK)
        return true;
    for (uint32_t i = 0; i < links->bridges.count; i++) {
        if (strcmp(name, links->bridges.items[i].bridge) == 0)
            return true;
    }
    return false;
}

static bool is_inner(const char *name, const void *userdata)
{
    (void)userdata;
    return strncmp(name, "anc", 3) == 0;
}

static int read_side(struct rtnetlink *rtnetlink, link_filter is_wanted, const void *userdata,
                     struct link_snapshot *ret)
{
    int result = link_requests_read(rtnetlink, is_wanted, userdata, ret);

    if (result < 0)
        log_error("cannot read the links", LOG_ERROR(result));
    return result;
}

static int read_links(struct identity_links *links)
{
    int result = read_side(links->host, is_of_interest, links, &links->seen_host);

    links->seen_identity.count = 0;
    if (result == 0 && links->identity)
        result = read_side(links->identity, is_inner, NULL, &links->seen_identity);
    return result;
}

/* A pair that is this project's by its name and by its alias, and, unless it is NULL, that network's. One without an
 * alias is what a process left that was killed before it could give it one: nobody's network's. */
static bool is_ours(const struct identity_links *links, const struct seen_link *link, const char *network_id)
{
    if (link_names_number(link->name, links->configuration.tag) == NO_LINK)
        return false;
    return link->alias[0] == '\0' ? !network_id
                                  : link_names_alias_is_of(link->alias, links->configuration.project, network_id);
}

static const struct seen_link *find_outer(const struct identity_links *links, const char *network_id)
{
    for (size_t i = 0; i < links->seen_host.count; i++) {
        if (is_ours(links, &links->seen_host.links[i], network_id))
            return &links->seen_host.links[i];
    }
    return NULL;
}

/* --- changing -------------------------------------------------------------------------------------------- */

static int execute(struct rtnetlink *rtnetlink)
{
    const struct rtnetlink_request *request = rtnetlink_request(rtnetlink);
    int result = rtnetlink_execute(rtnetlink);

    if (result < 0)
        log_error("the kernel refused a change of a link", LOG_TEXT("operation", request->operation),
                  LOG_TEXT("object", request->object), LOG_TEXT("kernel", request->kernel_text), LOG_ERROR(result));
    return result;
}

static int delete_link(struct rtnetlink *rtnetlink, const struct seen_link *link)
{
    link_requests_delete(rtnetlink, link);
    return execute(rtnetlink);
}

static int set_mtu(struct rtnetlink *rtnetlink, const struct seen_link *link, uint32_t mtu)
{
    if (link->mtu == mtu)
        return 0;
    link_requests_set_mtu(rtnetlink, link, mtu);
    return execute(rtnetlink);
}

/* --- the macvlan ----------------------------------------------------------------------------------------- */

static int judge_parent(const struct seen_link *parent, const char **ret_reason)
{
    *ret_reason = "there is no such parent";
    if (!parent)
        return -ENODEV;
    *ret_reason = "the parent is a port of a bridge: take the bridge";
    return parent->is_bridge_port ? -EBUSY : 0;
}

static int apply_external(struct identity_links *links, const char **ret_reason)
{
    const struct message_configure_links *configuration = &links->configuration;
    const struct seen_link *parent = link_snapshot_find(&links->seen_host, configuration->parent);
    const struct seen_link *external = link_snapshot_find(&links->seen_identity, IDENTITY_EXTERNAL_LINK);
    int result = judge_parent(parent, ret_reason);

    if (result < 0)
        return result;
    *ret_reason = "the kernel refused the macvlan";
    if (external && external->lower == parent->index && mac_address_equal(&external->mac, &configuration->external_mac))
        return set_mtu(links->identity, external, parent->mtu);
    if (external)
        result = delete_link(links->identity, external);
    if (result < 0)
        return result;
    link_requests_add_external(links->host, parent, links->namespace, &configuration->external_mac);
    return execute(links->host);
}

/* --- pairs ----------------------------------------------------------------------------------------------- */

static bool is_pinned(const struct identity_links *links, const char *bridge)
{
    for (size_t i = 0; i < NAMED_BRIDGES_MAX; i++) {
        if (strcmp(links->configuration.named_bridges[i], bridge) == 0)
            return true;
    }
    return false;
}

static bool is_repeated(const struct identity_links *links, uint32_t item)
{
    for (uint32_t i = 0; i < item; i++) {
        if (strcmp(links->bridges.items[i].bridge, links->bridges.items[item].bridge) == 0 ||
            strcmp(links->bridges.items[i].network_id, links->bridges.items[item].network_id) == 0)
            return true;
    }
    return false;
}

static int judge_bridge(const struct identity_links *links, uint32_t item, const char **ret_reason)
{
    const struct wire_bridge *wanted = &links->bridges.items[item];
    const struct seen_link *bridge = link_snapshot_find(&links->seen_host, wanted->bridge);

    *ret_reason = "the parent is no bridge of the project";
    if (strcmp(wanted->bridge, links->configuration.parent) == 0)
        return -EPERM;
    *ret_reason = "the bridge has a name of its own, which ANCHORD_BRIDGES does not name";
    if (!link_names_is_dockers(wanted) && !is_pinned(links, wanted->bridge))
        return -EPERM;
    *ret_reason = "the bridge or its network was named before";
    if (is_repeated(links, item))
        return -EPERM;
    *ret_reason = "there is no such bridge";
    if (!bridge)
        return -ENODEV;
    *ret_reason = "the link is no bridge";
    return bridge->is_bridge ? 0 : -ENOTSUP;
}

/* The lowest number that neither end of a pair has; there are as many as bridges. */
static uint32_t free_number(const struct identity_links *links)
{
    for (uint32_t number = 0; number < BRIDGES_MAX; number++) {
        char outer[INTERFACE_NAME_SIZE];
        char inner[INTERFACE_NAME_SIZE];

        link_names_outer(outer, links->configuration.tag, number);
        link_names_inner(inner, number);
        if (!link_snapshot_find(&links->seen_host, outer) && !link_snapshot_find(&links->seen_identity, inner))
            return number;
    }
    return NO_LINK;
}

static int make_pair(struct identity_links *links, const struct wire_bridge *wanted, const struct seen_link *bridge,
                     char name[INTERFACE_NAME_SIZE])
{
    uint32_t number = wanted == &host_link ? HOST_LINK : free_number(links);
    struct link_end outer = {.mac = link_names_outer_mac(links->configuration.tag, number)};
    struct link_end inner = {.mac = links->configuration.inner_mac};
    char alias[LINK_ALIAS_SIZE];
    int result;

    if (number == NO_LINK)
        return -ENOSPC;
    link_names_outer(outer.name, links->configuration.tag, number);
    link_names_inner(inner.name, number);
    memcpy(name, inner.name, sizeof(inner.name));
    link_names_alias(alias, links->configuration.project, wanted);
    link_requests_add_pair(links->host, bridge, &outer, &inner, links->namespace);
    result = execute(links->host);
    if (result == 0 && number == HOST_LINK) {
        link_requests_set_eui64(links->host, outer.name);
        if (rtnetlink_execute(links->host) < 0)
            log_debug("no link-local address for host0: the host has no IPv6");
    }
    if (result == 0) {
        link_requests_dress(links->host, outer.name, alias);
        result = execute(links->host);
    }
    /* The next pair of this turn must not take the number. */
    return result < 0 ? result : read_links(links);
}

/* Enslaved again when the bridge was made anew, as large as it. */
static int follow_bridge(struct identity_links *links, const struct seen_link *outer, const struct seen_link *inner,
                         const struct seen_link *bridge)
{
    int result = set_mtu(links->identity, inner, bridge->mtu);

    if (result == 0)
        result = set_mtu(links->host, outer, bridge->mtu);
    if (result < 0 || (outer->master == bridge->index && outer->is_up))
        return result;
    link_requests_enslave(links->host, outer, bridge);
    return execute(links->host);
}

/* `bridge`: as large as it and on it; of host0 a copy of the parent, without a master. */
static int apply_pair(struct identity_links *links, const struct wire_bridge *wanted, struct seen_link bridge,
                      char name[INTERFACE_NAME_SIZE])
{
    const struct seen_link *outer = find_outer(links, wanted->network_id);
    const struct seen_link *inner = NULL;
    int result = 0;

    if (outer) {
        link_names_inner(name, link_names_number(outer->name, links->configuration.tag));
        inner = link_snapshot_find(&links->seen_identity, name);
    }
    if (inner && inner->lower == outer->index)
        return follow_bridge(links, outer, inner, &bridge);
    if (outer) { /* its other end is in an earlier identity */
        result = delete_link(links->host, outer);
        if (result == 0)
            result = read_links(links);
    }
    return result < 0 ? result : make_pair(links, wanted, &bridge, name);
}

static int apply_network(struct identity_links *links, uint32_t item, char name[INTERFACE_NAME_SIZE],
                         const char **ret_reason)
{
    const struct wire_bridge *wanted = &links->bridges.items[item];
    int result = judge_bridge(links, item, ret_reason);

    if (result < 0)
        return result;
    *ret_reason = "the kernel refused the pair";
    return apply_pair(links, wanted, *link_snapshot_find(&links->seen_host, wanted->bridge), name);
}

/* host0, as large as the parent, and the routes by it (HOST-7). */
static void apply_host_link(struct identity_links *links)
{
    const struct seen_link *parent = link_snapshot_find(&links->seen_host, links->configuration.parent);
    char name[INTERFACE_NAME_SIZE];
    const struct seen_link *outer;

    if (!parent || apply_pair(links, &host_link, (struct seen_link){.mtu = parent->mtu}, name) < 0)
        return; /* said, or by the macvlan's outcome */
    outer = find_outer(links, host_link.network_id);
    parent = link_snapshot_find(&links->seen_host, links->configuration.parent);
    if (!outer || !parent)
        return;
    links->host_addresses.host_mac = outer->mac;
    host_routes_apply(links->host, &links->configuration, &links->routes, &links->addresses, parent->index,
                      outer->index);
}

/* Also a bridge that is not there yet: nobody leaves from it. */
static void apply_guard(struct identity_links *links)
{
    struct guard_names bridges = {{NULL}}, ports = {{NULL}};
    const char *reason;

    links->closed = (struct message_bridges){.header = links->bridges.header};
    for (uint32_t i = 0; i < links->bridges.count; i++) {
        const struct wire_bridge *wanted = &links->bridges.items[i];
        const struct seen_link *outer = find_outer(links, wanted->network_id);
        int judged = judge_bridge(links, i, &reason);

        bridges.names[i] = judged != -EPERM ? wanted->bridge : NULL;
        if (judged != -EPERM)
            links->closed.items[links->closed.count++] = *wanted;
        ports.names[i] = judged == 0 && outer ? outer->name : NULL;
    }
    if (links->configuration.is_guarded)
        guard_apply(&links->guard, GUARD_BRIDGES, &links->bridges, &bridges);
    guard_apply(&links->guard, GUARD_PORTS, &links->bridges, &ports);
}

void identity_links_remember(struct identity_links *links, const struct message_bridges *remembered)
{
    struct guard_names names = {{NULL}};
    const char *reason;

    if (links->bridges.header.type == MESSAGE_BRIDGES || !links->configuration.is_guarded ||
        guard_stands(&links->guard, GUARD_BRIDGES))
        return;
    links->bridges = *remembered; /* to be judged as all others */
    for (uint32_t i = 0; i < links->bridges.count; i++)
        names.names[i] = judge_bridge(links, i, &reason) != -EPERM ? links->bridges.items[i].bridge : NULL;
    guard_apply(&links->guard, GUARD_BRIDGES, &links->bridges, &names);
    log_info("closed the networks that were closed before", LOG_NUMBER("count", links->bridges.count));
    links->bridges = (struct message_bridges){0};
}

static bool is_wanted(const struct identity_links *links, const struct seen_link *outer)
{
    const char *reason;

    if (is_ours(links, outer, host_link.network_id))
        return true;
    for (uint32_t i = 0; i < links->bridges.count; i++) {
        /* A bridge that is not there yet, or not any more, leaves the pair where it is. */
        int judged = judge_bridge(links, i, &reason);

        if ((judged == 0 || judged == -ENODEV) && is_ours(links, outer, links->bridges.items[i].network_id))
            return true;
    }
    return false;
}

static int remove_pairs(struct identity_links *links, bool are_all)
{
    int first_error = 0;

    for (size_t i = 0; i < links->seen_host.count; i++) {
        const struct seen_link *link = &links->seen_host.links[i];
        int result = 0;

        if (is_ours(links, link, NULL) && (are_all || !is_wanted(links, link)))
            result = delete_link(links->host, link);
        if (result < 0 && first_error == 0)
            first_error = result;
    }
    return first_error;
}

/* --- turns ----------------------------------------------------------------------------------------------- */

static void add_outcome(struct identity_links *links, const char *network_id, const char *name, int error,
                        const char *reason)
{
    struct link_outcome *outcome = &links->outcomes[links->outcome_count++];

    *outcome = (struct link_outcome){.error = error};
    text_copy_cut(outcome->network_id, sizeof(outcome->network_id), network_id);
    if (error < 0)
        text_copy_cut(outcome->reason, sizeof(outcome->reason), reason);
    else
        text_copy_cut(outcome->name, sizeof(outcome->name), name);
}

/* The pair of the network `item`, which stands. */
static void share(struct identity_links *links, uint32_t item, const char *name)
{
    const struct wire_bridge *wanted = &links->bridges.items[item];
    const struct seen_link *outer = find_outer(links, wanted->network_id);
    const struct seen_link *bridge = link_snapshot_find(&links->seen_host, wanted->bridge);
    struct wire_shared_link *shared = &links->shared.items[links->shared.count];

    if (!outer || !bridge)
        return; /* gone meanwhile: the next turn tells */
    links->shared.count++;
    shared->number = link_names_number(outer->name, links->configuration.tag);
    shared->mtu = bridge->mtu;
    memcpy(shared->name, name, sizeof(shared->name));
    memcpy(shared->network_id, wanted->network_id, sizeof(shared->network_id));
    host_addresses_fill_subnets(&links->addresses, bridge->index, shared);
}

static void say_left_out(struct identity_links *links, size_t left_out)
{
    if (left_out > 0 && left_out != links->left_out)
        log_warn("the host has more addresses than the project reaches: those on the parent come first",
                 LOG_PROBLEM(PROBLEM_TOO_MANY_HOST_ADDRESSES), LOG_NUMBER("reached", HOST_ADDRESSES_MAX),
                 LOG_NUMBER("left_out", left_out));
    links->left_out = left_out;
}

static int read_addresses(struct identity_links *links)
{
    const struct seen_link *parent = link_snapshot_find(&links->seen_host, links->configuration.parent);
    const struct seen_link *outer = find_outer(links, host_link.network_id);
    int result = host_addresses_read(links->host, &links->addresses);

    if (result < 0)
        log_error("cannot read the host's addresses", LOG_ERROR(result));
    links->shared =
        (struct message_shared_links){.header = message_header_make(MESSAGE_SHARED_LINKS, sizeof(links->shared), 0)};
    links->host_addresses = (struct message_host_addresses){
        .header = message_header_make(MESSAGE_HOST_ADDRESSES, sizeof(links->host_addresses), 0)};
    say_left_out(links, host_addresses_describe(&links->addresses, parent ? parent->index : 0, &links->host_addresses));
    if (outer) /* a successor, which has no identity yet, tells what its predecessor told: else the routes would go */
        links->host_addresses.host_mac = outer->mac;
    return result;
}

int identity_links_apply(struct identity_links *links)
{
    const char *reason = NULL;
    int result;

    links->outcome_count = 0;
    result = read_links(links);
    if (result == 0)
        result = read_addresses(links);
    if (result < 0)
        return result;
    /* A successor leaves what stands until it was told. */
    if (links->bridges.header.type == MESSAGE_BRIDGES)
        apply_guard(links);
    if (!links->identity)
        return 0;
    if (links->bridges.header.type == MESSAGE_BRIDGES)
        result = remove_pairs(links, false);
    if (result == 0)
        result = read_links(links);
    if (result < 0)
        return result;
    result = apply_external(links, &reason);
    add_outcome(links, "", IDENTITY_EXTERNAL_LINK, result, reason);
    apply_host_link(links);
    for (uint32_t i = 0; i < links->bridges.count; i++) {
        char name[INTERFACE_NAME_SIZE] = "";

        result = apply_network(links, i, name, &reason);
        if (result == 0)
            share(links, i, name);
        add_outcome(links, links->bridges.items[i].network_id, name, result, reason);
    }
    if (links->bridges.header.type == MESSAGE_BRIDGES)
        apply_guard(links); /* with the pairs that were made */
    return 0;
}

static bool is_external(const char *name, const void *userdata)
{
    (void)userdata;
    return strcmp(name, IDENTITY_EXTERNAL_LINK) == 0;
}

/* Each side by itself: whatever is in the identity's namespace must not keep what is the host's. */
int identity_links_undo(struct identity_links *links)
{
    const struct seen_link *external;
    int result = read_side(links->host, is_of_interest, links, &links->seen_host);
    int second = guard_remove(&links->guard, GUARD_BRIDGES);

    if (result == 0)
        result = remove_pairs(links, true);
    if (result == 0)
        result = second;
    second = guard_remove(&links->guard, GUARD_PORTS); /* when there is none any more */
    if (result == 0)
        result = second;
    links->seen_identity.count = 0;
    second = 0;
    if (links->identity)
        second = read_side(links->identity, is_external, NULL, &links->seen_identity);
    external = link_snapshot_find(&links->seen_identity, IDENTITY_EXTERNAL_LINK);
    if (second == 0 && external)
        second = delete_link(links->identity, external);
    return result < 0 ? result : second;
}
