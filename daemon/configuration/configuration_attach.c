/* What an attached project is told; see configuration_attach.h. Pure, no privilege. */
#include "daemon/configuration/configuration_attach.h"

#include "common/cleanup.h"
#include "common/text.h"
#include "daemon/configuration/configuration_parse.h"
#include "daemon/configuration/configuration_problem.h"
#include "protocol/guest_label.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define ITEM_SIZE IP_SUBNET_TEXT_SIZE

/* Holds the position, so it is no constant. */
static char wrong_text[CONFIGURATION_PROBLEM_SIZE];

/* An item of a list with commas, without the white space around it. */
struct item {
    size_t position; /* from 1 on */
    char text[ITEM_SIZE];
};

static const char *wrong(const struct item *item, const char *what)
{
    (void)snprintf(wrong_text, sizeof(wrong_text), "entry %zu, \"%s\": %s", item->position, item->text, what);
    return wrong_text;
}

/* The next one; false: it is longer than anything that belongs there. */
static bool take_item(const char **rest, struct item *item)
{
    const char *start = *rest + strspn(*rest, TEXT_BLANKS);
    const char *comma = strchrnul(start, ',');
    size_t length = (size_t)(comma - start);

    while (length > 0 && strchr(TEXT_BLANKS, start[length - 1]))
        length--;
    *rest = *comma ? comma + 1 : NULL;
    item->position++;
    (void)snprintf(item->text, sizeof(item->text), "%.*s", (int)length, start);
    return length < sizeof(item->text);
}

/* RFC 1122 §3.2.1.3, RFC 3021; of IPv6 the first address is all routers' (RFC 4291 §2.6.1). */
static bool is_host_of(const struct ip_subnet *subnet)
{
    struct ip_address first = ip_subnet_first(subnet), last = ip_subnet_last(subnet);

    if (subnet->prefix_length + 1 >= ip_family_bits(subnet->address.family))
        return true;
    return !ip_address_equal(&subnet->address, &first) &&
           (subnet->address.family == IP_FAMILY_6 || !ip_address_equal(&subnet->address, &last));
}

static const char *check_given(const struct item *item, const struct ip_subnet *given)
{
    if (!ip_address_is_host(&given->address) || ip_address_is_link_local(&given->address))
        return wrong(item, "is no address that a host on the LAN can have");
    if (given->prefix_length == 0 || given->prefix_length == ip_family_bits(given->address.family))
        return wrong(item, "the prefix length is to be that of the LAN, as in 192.0.2.5/24 or 2001:db8::5/64");
    return is_host_of(given) ? NULL : wrong(item, "is the network itself or its broadcast address, which no host has");
}

static const char *add_given(const struct item *item, struct configuration_address *address)
{
    struct ip_subnet given, *place;
    const char *broken;

    if (ip_subnet_parse(item->text, &given) < 0)
        return wrong(item, "is none of dhcp, slaac and ADDRESS/PREFIX, as in 192.0.2.5/24");
    broken = check_given(item, &given);
    if (broken)
        return broken;
    place = given.address.family == IP_FAMILY_4 ? &address->given4 : &address->given6;
    if (place->address.family != IP_FAMILY_NONE)
        return wrong(item,
                     "is a second address of its family: one IPv4 and one IPv6 address is all that a project has");
    *place = given;
    return NULL;
}

const char *configuration_attach_address(const char *text, void *target)
{
    struct configuration_address address = {.mode = ADDRESS_MODE_DHCP_REFRESH};
    struct item item = {0};
    const char *rest = text;

    while (rest) {
        bool is_whole = take_item(&rest, &item);
        bool is_dhcp = is_whole && strcmp(item.text, "dhcp") == 0,
             is_slaac = is_whole && strcmp(item.text, "slaac") == 0;
        const char *broken;

        if ((is_dhcp || is_slaac) && (rest || item.position > 1))
            return wrong(&item, "dhcp and slaac stand alone");
        if (is_slaac)
            address.mode = ADDRESS_MODE_SLAAC_RA_ONLY;
        broken = is_dhcp || is_slaac ? NULL : add_given(&item, &address);
        if (broken)
            return broken;
    }
    memcpy(target, &address, sizeof(address));
    return NULL;
}

const char *configuration_attach_mac(const char *text, void *target)
{
    struct mac_address mac;

    if (mac_address_parse(text, &mac) < 0)
        return "is no MAC address, as in 02:00:00:00:00:05";
    if (!mac_address_is_host(&mac))
        return "is no MAC address that an interface can have: its first byte is even, and not all is zero";
    memcpy(target, &mac, sizeof(mac));
    return NULL;
}

const char *configuration_attach_guard(const char *text, void *target)
{
    bool *ret_is_on = target;

    if (strcasecmp(text, "on") != 0 && strcasecmp(text, "off") != 0)
        return "must be on or off";
    *ret_is_on = strcasecmp(text, "on") == 0;
    return NULL;
}

const char *configuration_attach_bridges(const char *text, void *target)
{
    char names[NAMED_BRIDGES_MAX][INTERFACE_NAME_SIZE] = {{0}};
    struct item item = {0};
    const char *rest = text;

    while (rest) {
        bool is_whole = take_item(&rest, &item);
        const char *broken;

        if (item.position > NAMED_BRIDGES_MAX)
            return wrong(&item, "is one too many: 16 at most");
        broken = item.text[0] == '\0' || !is_whole ? "is no interface name"
                                                   : configuration_parse_interface(item.text, names[item.position - 1]);
        if (broken)
            return wrong(&item, broken);
    }
    memcpy(target, names, sizeof(names));
    return NULL;
}

static bool is_other_kind(const struct ip_subnet *subnet)
{
    return ip_address_is_loopback(&subnet->address) || ip_address_is_multicast(&subnet->address) ||
           ip_address_is_link_local(&subnet->address) || ip_address_is_unspecified(&subnet->address);
}

static const char *check_via_host(const struct item *item, const struct ip_subnet *subnet,
                                  const struct ip_subnet earlier[])
{
    struct ip_address first = ip_subnet_first(subnet);

    if (subnet->prefix_length == 0)
        return wrong(item,
                     "is everything: what is not named goes by the LAN's router; name the networks behind the host");
    if (!ip_address_equal(&first, &subnet->address))
        return wrong(item, "has bits behind its prefix: the network's first address is meant, as in 10.8.0.0/24");
    if (is_other_kind(subnet))
        return wrong(item, "is no network that a host routes to");
    for (size_t i = 0; i + 1 < item->position; i++) {
        if (ip_subnet_overlaps(&earlier[i], subnet))
            return wrong(item, "lies in another entry, or has one in it: one of the two is enough");
    }
    return NULL;
}

const char *configuration_attach_via_host(const char *text, void *target)
{
    struct ip_subnet networks[VIA_HOST_MAX] = {0};
    struct item item = {0};
    const char *rest = text;

    while (rest) {
        bool is_whole = take_item(&rest, &item);
        struct ip_subnet *network = &networks[item.position - 1];
        const char *broken;

        if (item.position > VIA_HOST_MAX)
            return wrong(&item, "is one too many: 16 at most");
        if (!is_whole || ip_subnet_parse(item.text, network) < 0)
            return wrong(&item, "is no network, as in 10.8.0.0/24 or fd08::/64");
        broken = check_via_host(&item, network, networks);
        if (broken)
            return broken;
    }
    memcpy(target, networks, sizeof(networks));
    return NULL;
}

const char *configuration_attach_expose_from(const char *text, void *target)
{
    static const struct {
        const char *name;
        uint32_t bit;
    } sources[] = {{"labels", EXPOSE_FROM_LABELS}, {"published", EXPOSE_FROM_PUBLISHED}};
    struct item item = {0};
    const char *rest = text;
    uint32_t bits = 0;

    while (rest) {
        uint32_t bit = 0;

        if (take_item(&rest, &item)) {
            for (size_t i = 0; i < ARRAY_LENGTH(sources); i++)
                bit |= strcmp(item.text, sources[i].name) == 0 ? sources[i].bit : 0;
        }
        if (bit == 0)
            return wrong(&item, "is neither labels nor published");
        bits |= bit;
    }
    memcpy(target, &bits, sizeof(bits));
    return NULL;
}

/* What a service is told may still be too long for it alone: then that one is not exposed (container_table.c). */
static const char *check_guests(const char *text, enum guest_text which, void *target)
{
    struct guest_list list = {0};
    struct guest_error error = {0};
    int result = guest_label_parse(text, which, "", &list, &error);

    guest_list_clear(&list);
    if (strlen(text) >= GUEST_TEXT_SIZE)
        return "is too long: 15999 bytes at most";
    if (result < 0) {
        (void)snprintf(wrong_text, sizeof(wrong_text), "position %zu: %s", error.position,
                       error.reason ? error.reason : "out of memory");
        return wrong_text;
    }
    memcpy(target, &text, sizeof(text));
    return NULL;
}

const char *configuration_attach_allow(const char *text, void *target)
{
    return check_guests(text, GUEST_TEXT_ALLOW, target);
}

const char *configuration_attach_limit(const char *text, void *target)
{
    return check_guests(text, GUEST_TEXT_LIMIT, target);
}

/* A gateway is a neighbour (RFC 1812 §2.2.5.1); an IPv6 one may be named by its link-local address. */
static void check_gateway(struct configuration *configuration, const struct ip_subnet *given,
                          const struct ip_address *gateway)
{
    if (given->address.family == IP_FAMILY_NONE)
        return;
    if (gateway->family == IP_FAMILY_NONE) {
        if (given->address.family == IP_FAMILY_4) /* IPv6 routers tell of themselves */
            configuration_problem_add(configuration, false, "ANCHORD_EXT_GATEWAY_IP",
                                      "not set: with %s nothing outside of that network is reached",
                                      IP_SUBNET_TEXT(given));
        return;
    }
    if (ip_address_is_link_local(gateway))
        return;
    if (ip_address_equal(&given->address, gateway))
        configuration_problem_add(configuration, true, "ANCHORD_EXT_GATEWAY_IP",
                                  "\"%s\": is the project's own address: give the router's", IP_ADDRESS_TEXT(gateway));
    else if (!ip_subnet_contains(given, gateway))
        configuration_problem_add(configuration, true, "ANCHORD_EXT_GATEWAY_IP",
                                  "\"%s\": is no neighbour of %s: give the router's address inside it",
                                  IP_ADDRESS_TEXT(gateway), IP_SUBNET_TEXT(given));
}

void configuration_attach_check_project(struct configuration *configuration)
{
    static const char inner[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";
    const char *project = configuration->project;

    if (project[0] == '\0')
        return; /* which is said already */
    if (strchr("_-", project[0]) || project[strspn(project, inner)] != '\0')
        configuration_problem_add(configuration, true, "ANCHORD_PROJECT",
                                  "\"%.100s\": is no name of a Compose project: lower-case letters, digits and, not "
                                  "at the beginning, - and _; docker compose ls shows them",
                                  project);
    else if (strlen(project) > ATTACHED_PROJECT_LENGTH_MAX)
        configuration_problem_add(configuration, true, "ANCHORD_PROJECT",
                                  "\"%.100s\": is too long: %d characters at most", project,
                                  ATTACHED_PROJECT_LENGTH_MAX);
}

/* The LAN itself is nearer than by the host, and what it leads to the project from there is refused. */
static void check_via_host_beside(struct configuration *configuration, const struct ip_subnet *given)
{
    for (size_t i = 0; i < VIA_HOST_MAX; i++) {
        const struct ip_subnet *network = &configuration->via_host[i];

        if (given->address.family != IP_FAMILY_NONE && ip_subnet_overlaps(network, given))
            configuration_problem_add(configuration, true, "ANCHORD_VIA_HOST",
                                      "\"%s\": has a part of the LAN of %s in it: name less", IP_SUBNET_TEXT(network),
                                      IP_SUBNET_TEXT(given));
    }
}

void configuration_attach_check(struct configuration *configuration)
{
    configuration_attach_check_project(configuration);
    check_via_host_beside(configuration, &configuration->attach_address.given4);
    check_via_host_beside(configuration, &configuration->attach_address.given6);
    configuration->address_mode = configuration->attach_address.mode;
    check_gateway(configuration, &configuration->attach_address.given4, &configuration->external_gateways.v4);
    check_gateway(configuration, &configuration->attach_address.given6, &configuration->external_gateways.v6);
}
