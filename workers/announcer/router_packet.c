/* Router advertisements read; see router_packet.h. Pure; runs in anchord-announcer and its tests. */
#include "workers/announcer/router_packet.h"

#include "common/clock.h"
#include "workers/neighbours/neighbour_packet.h"

#include <errno.h>
#include <netinet/icmp6.h>
#include <string.h>

#define HEADER_LENGTH      16
#define OPTION_LENGTH_UNIT 8U

/* RFC 4861 §4.6.2 */
#define PREFIX_OPTION_LENGTH      32
#define PREFIX_LENGTH_OFFSET      2
#define PREFIX_FLAGS_OFFSET       3
#define PREFIX_ON_LINK_OR_ADDRESS (ND_OPT_PI_FLAG_ONLINK | ND_OPT_PI_FLAG_AUTO)
#define PREFIX_PREFERRED_OFFSET   8
#define PREFIX_OFFSET             16
/* RFC 4861 §4.6.4 */
#define MTU_OPTION_LENGTH 8
#define MTU_OFFSET        4
/* RFC 4191 §2.3; netinet/icmp6.h has none of it */
#define OPTION_ROUTE_INFORMATION 24
#define ROUTE_LENGTH_OFFSET      2

static uint32_t read_32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* A prefix that is no longer preferred is none that the router names: RFC 4862 §5.5.4. */
static void read_prefix(const uint8_t *option, struct message_advertised *advertised)
{
    struct ip_subnet subnet = {ip_address_from_bytes(IP_FAMILY_6, option + PREFIX_OFFSET),
                               option[PREFIX_LENGTH_OFFSET]};
    struct ip_address first;

    if (subnet.prefix_length == 0 || subnet.prefix_length > ip_family_bits(IP_FAMILY_6) ||
        !(option[PREFIX_FLAGS_OFFSET] & PREFIX_ON_LINK_OR_ADDRESS) || read_32(option + PREFIX_PREFERRED_OFFSET) == 0 ||
        advertised->prefix_count == ADVERTISED_PREFIXES_MAX)
        return;
    first = ip_subnet_first(&subnet);
    if (ip_address_is_link_local(&first) || ip_address_is_multicast(&first))
        return;
    advertised->prefixes[advertised->prefix_count++] = (struct wire_prefix){
        .address = wire_address_from(&first),
        .prefix_length = subnet.prefix_length,
    };
}

static void read_option(const uint8_t *option, size_t length, struct message_advertised *advertised)
{
    if (option[0] == ND_OPT_PREFIX_INFORMATION && length == PREFIX_OPTION_LENGTH)
        read_prefix(option, advertised);
    else if (option[0] == ND_OPT_MTU && length == MTU_OPTION_LENGTH)
        advertised->mtu = read_32(option + MTU_OFFSET);
    else if (option[0] == OPTION_ROUTE_INFORMATION && option[ROUTE_LENGTH_OFFSET] <= ip_family_bits(IP_FAMILY_6) &&
             option[ROUTE_LENGTH_OFFSET] > advertised->longest_route)
        advertised->longest_route = option[ROUTE_LENGTH_OFFSET];
}

int router_parse(const void *message, size_t length, int hop_limit, const struct ip_address *source,
                 struct message_advertised *ret)
{
    const uint8_t *bytes = message;
    struct message_advertised parsed = {.router = wire_address_from(source)};

    if (length < HEADER_LENGTH || bytes[0] != ND_ROUTER_ADVERT || bytes[1] != 0 || hop_limit != NEIGHBOUR_HOP_LIMIT ||
        !ip_address_is_link_local(source))
        return -EBADMSG;
    for (size_t at = HEADER_LENGTH; at < length;) {
        size_t option_length = length - at >= 2 ? bytes[at + 1] * (size_t)OPTION_LENGTH_UNIT : 0;

        if (option_length == 0 || option_length > length - at)
            return -EBADMSG;
        read_option(bytes + at, option_length, &parsed);
        at += option_length;
    }
    *ret = parsed;
    return 0;
}

/* The one of a link, or a place for it that none is in, or none in this second; NULL: there is no such place. */
static struct advertisement_budget *find_budget(struct advertisements *advertisements, uint32_t index, uint64_t now)
{
    struct advertisement_budget *place = NULL;

    for (size_t i = 0; i < LINKS_MAX; i++) {
        struct advertisement_budget *budget = &advertisements->budgets[i];

        if (budget->index == index)
            return budget;
        if (budget->index == 0 || now - budget->second_begins >= MICROSECONDS_PER_SECOND)
            place = budget;
    }
    if (place)
        *place = (struct advertisement_budget){.index = index};
    return place;
}

static bool may_tell(struct advertisements *advertisements, uint32_t index, uint64_t now)
{
    struct advertisement_budget *budget = find_budget(advertisements, index, now);

    if (budget && now - budget->second_begins >= MICROSECONDS_PER_SECOND) {
        budget->second_begins = now;
        budget->told = 0;
    }
    if (!budget || budget->told == ADVERTISEMENTS_PER_SECOND)
        return false;
    budget->told++;
    return true;
}

static struct link_advertisements *find_link(struct advertisements *advertisements, uint32_t index)
{
    for (size_t i = 0; i < advertisements->recent.count; i++) {
        if (advertisements->links[i].index == index)
            return &advertisements->links[i];
    }
    return NULL;
}

static struct link_advertisements *add_link(struct advertisements *advertisements, uint32_t index)
{
    struct link_advertisements *link =
        &advertisements->links[recent_next(&advertisements->recent, ADVERTISED_LINKS_MAX)];

    *link = (struct link_advertisements){.index = index};
    return link;
}

static struct message_advertised *find(struct link_advertisements *link, const struct message_advertised *advertised)
{
    for (size_t i = 0; i < link->recent.count; i++) {
        if (memcmp(&link->items[i].router, &advertised->router, sizeof(advertised->router)) == 0)
            return &link->items[i];
    }
    return NULL;
}

bool advertisements_note(struct advertisements *advertisements, const struct message_advertised *advertised,
                         uint64_t now)
{
    struct link_advertisements *link = find_link(advertisements, advertised->index);
    struct message_advertised *item = link ? find(link, advertised) : NULL;

    if ((item && memcmp(item, advertised, sizeof(*item)) == 0) || !may_tell(advertisements, advertised->index, now))
        return false;
    link = link ? link : add_link(advertisements, advertised->index);
    item = item ? item : &link->items[recent_next(&link->recent, ADVERTISERS_MAX)];
    *item = *advertised;
    return true;
}
