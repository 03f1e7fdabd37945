/* What the LAN must not name; see inner_guard.h. Runs in anchord-netadmin, no privilege. */
#include "workers/netadmin/address/inner_guard.h"

#include "common/log.h"
#include "workers/netadmin/plan/inner_prefixes.h"
#include "workers/netadmin/plan/map_state.h"

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

/* Notes `address` for `next`; returns whether it is to be said. */
static bool is_news(struct reported_addresses *next, const struct reported_addresses *before,
                    const struct ip_address *address)
{
    next->addresses[next->count++] = *address;
    if (ip_address_is_among(address, before->addresses, before->count))
        return false;
    next->ever++;
    return (next->ever & (next->ever - 1)) == 0;
}

static void report_refused(const struct link_address *address, const struct network_link *link,
                           const struct ip_subnet *inner)
{
    log_error("address from the LAN refused: it lies in an inner network",
              LOG_TEXT("address", IP_ADDRESS_TEXT(&address->address)), LOG_TEXT("inner", IP_SUBNET_TEXT(inner)),
              LOG_TEXT("interface", link->name));
}

static void report_overlap(const struct ip_subnet *lan, const struct network_link *link, const struct ip_subnet *inner)
{
    log_warn("the LAN contains an inner network: its hosts with addresses of that one cannot be reached",
             LOG_TEXT("lan", IP_SUBNET_TEXT(lan)), LOG_TEXT("inner", IP_SUBNET_TEXT(inner)),
             LOG_TEXT("interface", link->name));
}

/* Each number once, here and below: what is beyond is guarded neither by table 24943 nor by the ruleset (WALL-1). */
static void report_left_out_links(struct inner_guard *guard)
{
    size_t left_out = guard->ground->links.left_out;

    if (left_out > 0 && left_out != guard->links_left_out)
        log_warn("too many interfaces: the last ones are not looked at, their networks are not guarded",
                 LOG_NUMBER("guarded", LINKS_MAX), LOG_NUMBER("left_out", left_out));
    guard->links_left_out = left_out;
}

static bool is_overfull(const struct inner_guard *guard, uint32_t index)
{
    for (size_t i = 0; i < guard->overfull.count; i++) {
        if (guard->overfull.indices[i] == index)
            return true;
    }
    return false;
}

/* Each link once, until it has room again. */
static void report_left_out_addresses(struct inner_guard *guard)
{
    struct reported_links next = {0};

    for (size_t i = 0; i < guard->ground->links.count; i++) {
        const struct network_link *link = &guard->ground->links.links[i];

        if (link->left_out == 0 || link->index == external_index(guard))
            continue;
        next.indices[next.count++] = link->index;
        if (!is_overfull(guard, link->index))
            log_warn("more addresses on an inner interface than are looked at: networks of the newest are not guarded "
                     "against what the LAN names",
                     LOG_TEXT("interface", link->name), LOG_NUMBER("served", LINK_ADDRESSES_MAX),
                     LOG_NUMBER("left_out", link->left_out));
    }
    guard->overfull = next;
}

static void report_left_out(struct inner_guard *guard, size_t family_index)
{
    uint8_t family = family_index_to_family(family_index);
    struct inner_prefix prefixes[INNER_PREFIXES_MAX];
    size_t left_out;

    (void)inner_prefixes_list(&guard->ground->links, external_index(guard), family, prefixes, &left_out);
    if (left_out > 0 && left_out != guard->inner_left_out[family_index])
        log_warn("too many inner networks: the last ones are not guarded against what the LAN names",
                 LOG_TEXT("family", ip_family_to_string(family)), LOG_NUMBER("guarded", INNER_PREFIXES_MAX),
                 LOG_NUMBER("left_out", left_out));
    guard->inner_left_out[family_index] = left_out;
}

void inner_guard_report(struct inner_guard *guard)
{
    const struct network_link *external = network_ground_find(guard->ground, DEVICE_SIDE_EXTERNAL);
    struct reported_addresses refused = {.ever = guard->refused.ever};
    struct reported_addresses overlapping = {.ever = guard->overlapping.ever};

    for (uint32_t i = 0; external && i < external->address_count; i++) {
        const struct link_address *address = &external->addresses[i];
        const struct network_link *link;
        struct ip_subnet lan, inner;

        link = inner_guard_find_around(guard, &address->address, &inner);
        if (link && is_news(&refused, &guard->refused, &address->address))
            report_refused(address, link, &inner);
        link = inner_guard_find_within(guard, address, &lan, &inner);
        if (link && is_news(&overlapping, &guard->overlapping, &address->address))
            report_overlap(&lan, link, &inner);
    }
    guard->refused = refused;
    guard->overlapping = overlapping;
    for (size_t i = 0; i < FAMILY_INDEX_MAX_; i++)
        report_left_out(guard, i);
    report_left_out_addresses(guard);
    report_left_out_links(guard);
}
