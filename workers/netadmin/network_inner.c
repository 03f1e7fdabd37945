/*
 * What the LAN must not name (WALL-2): the networks of the namespace's other links; see network_internal.h. Runs in
 * anchord-netadmin with CAP_NET_ADMIN.
 *
 * Two walls. Table 24943 is looked up before main, so that no route that a lease or an advertisement brings decides
 * about an inner address. An *address* is another matter, since the kernel's table `local` comes before every rule: a
 * lease's is never added, and what the kernel made of an advertisement itself is no address of the project's.
 */
#include "common/log.h"
#include "workers/netadmin/network_internal.h"
#include "workers/netadmin/plan/inner_prefixes.h"

#include <errno.h>

static uint32_t external_index(const struct network *network)
{
    const struct network_link *external = network_ground_find(&network->ground, DEVICE_SIDE_EXTERNAL);

    return external ? external->index : 0;
}

const struct network_link *network_find_inner_around(const struct network *network, const struct ip_address *address,
                                                     struct ip_subnet *ret)
{
    struct link_address bootstrap = witness_bootstrap(&network->witness, &network->ground, address->family);
    struct ip_subnet host = {*address, ip_family_bits(address->family)};

    if (ip_address_equal(&bootstrap.address, address))
        return NULL;
    return inner_prefixes_find_around(&network->ground.links, external_index(network), &host, ret);
}

const struct network_link *network_find_inner_within(const struct network *network, const struct link_address *address,
                                                     struct ip_subnet *ret_lan, struct ip_subnet *ret)
{
    struct ip_subnet lan = {address->address, address->prefix_length};

    lan.address = ip_subnet_first(&lan);
    *ret_lan = lan;
    return network_find_inner_around(network, &address->address, ret)
               ? NULL
               : inner_prefixes_find_within(&network->ground.links, external_index(network), &lan, ret);
}

struct network_link network_external_without_inner(const struct network *network, const struct network_link *external)
{
    struct network_link believed = *external;
    struct ip_subnet inner;

    believed.address_count = 0;
    for (uint32_t i = 0; i < external->address_count; i++) {
        if (!network_find_inner_around(network, &external->addresses[i].address, &inner))
            believed.addresses[believed.address_count++] = external->addresses[i];
    }
    return believed;
}

/* The supervisor learns at once that what it takes for held is not, not with the next renewal. */
static void give_up_lease(struct network *network, size_t family_index, const struct network_link *link,
                          const struct ip_subnet *inner)
{
    struct family_addresses *addresses = &network->addresses[family_index];
    bool is_told = addresses->lease.is_held;
    char reason[INNER_REASON_SIZE];

    addresses->lease = (struct known_lease){.is_known = true};
    addresses->has_in_force = false;
    if (is_told)
        network_answer_lease(network, family_index, -EPERM, inner_prefix_reason(inner, link, reason));
}

static const struct ip_address *leased_address(const struct network *network, size_t family_index)
{
    const struct family_addresses *addresses = &network->addresses[family_index];

    if (addresses->lease.is_held)
        return &addresses->lease.lease.address;
    return addresses->has_in_force ? &addresses->in_force.address : NULL;
}

/* The link whose network, in *ret, a leased address lies in, which is said; or NULL. */
static const struct network_link *find_reason(const struct network *network, const struct ip_address *address,
                                              struct ip_subnet *ret)
{
    char text[IP_ADDRESS_TEXT_SIZE];
    char inner_text[IP_SUBNET_TEXT_SIZE];
    const struct network_link *link = network_find_inner_around(network, address, ret);

    if (link)
        log_error("leased address given up: it lies in an inner network",
                  LOG_TEXT("address", ip_address_format(address, text)),
                  LOG_TEXT("inner", ip_subnet_format(ret, inner_text)), LOG_TEXT("interface", link->name));
    return link;
}

static void refuse_inner_further(const struct network *network, struct known_lease *state)
{
    struct lease *lease = &state->lease;
    struct ip_subnet inner;
    size_t kept = 0;

    for (size_t i = 0; i < lease->further_count; i++) {
        if (find_reason(network, &lease->further[i].address, &inner))
            continue;
        lease->further[kept] = lease->further[i];
        state->further[kept++] = state->further[i];
    }
    lease->further_count = kept;
}

void network_refuse_inner_leases(struct network *network)
{
    for (size_t i = 0; i < FAMILY_INDEX_MAX_; i++) {
        const struct ip_address *address = leased_address(network, i);
        const struct network_link *link;
        struct ip_subnet inner;

        refuse_inner_further(network, &network->addresses[i].lease);
        link = address ? find_reason(network, address, &inner) : NULL;
        if (link)
            give_up_lease(network, i, link, &inner);
    }
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
    char text[IP_ADDRESS_TEXT_SIZE];
    char inner_text[IP_SUBNET_TEXT_SIZE];

    log_error("address from the LAN refused: it lies in an inner network",
              LOG_TEXT("address", ip_address_format(&address->address, text)),
              LOG_TEXT("inner", ip_subnet_format(inner, inner_text)), LOG_TEXT("interface", link->name));
}

static void report_overlap(const struct ip_subnet *lan, const struct network_link *link, const struct ip_subnet *inner)
{
    char text[IP_SUBNET_TEXT_SIZE];
    char inner_text[IP_SUBNET_TEXT_SIZE];

    log_warn("the LAN contains an inner network: its hosts with addresses of that one cannot be reached",
             LOG_TEXT("lan", ip_subnet_format(lan, text)), LOG_TEXT("inner", ip_subnet_format(inner, inner_text)),
             LOG_TEXT("interface", link->name));
}

/* Each number once, here and below: what is beyond is guarded neither by table 24943 nor by the ruleset (WALL-1). */
static void report_left_out_links(struct network *network)
{
    size_t left_out = network->ground.links.left_out;

    if (left_out > 0 && left_out != network->links_left_out)
        log_warn("too many interfaces: the last ones are not looked at, their networks are not guarded",
                 LOG_NUMBER("guarded", LINKS_MAX), LOG_NUMBER("left_out", left_out));
    network->links_left_out = left_out;
}

static bool is_overfull(const struct network *network, uint32_t index)
{
    for (size_t i = 0; i < network->overfull.count; i++) {
        if (network->overfull.indices[i] == index)
            return true;
    }
    return false;
}

/* Each link once, until it has room again. */
static void report_left_out_addresses(struct network *network)
{
    struct reported_links next = {0};

    for (size_t i = 0; i < network->ground.links.count; i++) {
        const struct network_link *link = &network->ground.links.links[i];

        if (link->left_out == 0 || link->index == external_index(network))
            continue;
        next.indices[next.count++] = link->index;
        if (!is_overfull(network, link->index))
            log_warn("more addresses on an inner interface than are looked at: networks of the newest are not guarded "
                     "against what the LAN names",
                     LOG_TEXT("interface", link->name), LOG_NUMBER("served", LINK_ADDRESSES_MAX),
                     LOG_NUMBER("left_out", link->left_out));
    }
    network->overfull = next;
}

static void report_left_out(struct network *network, size_t family_index)
{
    uint8_t family = network->families[family_index].family;
    struct inner_prefix prefixes[INNER_PREFIXES_MAX];
    size_t left_out;

    (void)inner_prefixes_list(&network->ground.links, external_index(network), family, prefixes, &left_out);
    if (left_out > 0 && left_out != network->inner_left_out[family_index])
        log_warn("too many inner networks: the last ones are not guarded against what the LAN names",
                 LOG_TEXT("family", ip_family_to_string(family)), LOG_NUMBER("guarded", INNER_PREFIXES_MAX),
                 LOG_NUMBER("left_out", left_out));
    network->inner_left_out[family_index] = left_out;
}

void network_report_inner(struct network *network)
{
    const struct network_link *external = network_ground_find(&network->ground, DEVICE_SIDE_EXTERNAL);
    struct reported_addresses refused = {.ever = network->refused.ever};
    struct reported_addresses overlapping = {.ever = network->overlapping.ever};

    for (uint32_t i = 0; external && i < external->address_count; i++) {
        const struct link_address *address = &external->addresses[i];
        const struct network_link *link;
        struct ip_subnet lan, inner;

        link = network_find_inner_around(network, &address->address, &inner);
        if (link && is_news(&refused, &network->refused, &address->address))
            report_refused(address, link, &inner);
        link = network_find_inner_within(network, address, &lan, &inner);
        if (link && is_news(&overlapping, &network->overlapping, &address->address))
            report_overlap(&lan, link, &inner);
    }
    network->refused = refused;
    network->overlapping = overlapping;
    for (size_t i = 0; i < FAMILY_INDEX_MAX_; i++)
        report_left_out(network, i);
    report_left_out_addresses(network);
    report_left_out_links(network);
}
