/* dhcpcd's environment as one message; see lease_environment.h. Runs in anchord-lease without any privilege. */
#include "workers/lease/lease_environment.h"

#include "common/cleanup.h"
#include "common/text.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define LEASE_VARIABLE_SIZE 48 /* "new_dhcp6_ia_na1_ia_addr17_vltime" and room */
/* dhcpcd takes what a server without a lease time gives for an hour (src/dhcp.h: DEFAULT_LEASETIME). */
#define LEASE_SECONDS_DEFAULT 3600

/* The addresses of our one IA_NA that are not over, in the server's order. */
struct identity {
    size_t count;
    struct wire_leased_address addresses[LEASE_IDENTITY_READ_MAX];
};

struct parser {
    const char *const *environment;
    struct message_lease_event event;
    struct lease_omissions omissions;
    struct lease_problem problem;
};

/* The reasons that say something about a lease; any other one is PROGRESS. */
static const struct {
    const char *reason;
    enum lease_event_kind kind;
    enum ip_family family;
} reasons[] = {
    {"BOUND", LEASE_EVENT_HELD, IP_FAMILY_4},         {"RENEW", LEASE_EVENT_HELD, IP_FAMILY_4},
    {"REBIND", LEASE_EVENT_HELD, IP_FAMILY_4},        {"REBOOT", LEASE_EVENT_HELD, IP_FAMILY_4},
    {"TIMEOUT", LEASE_EVENT_HELD, IP_FAMILY_4},       {"NAK", LEASE_EVENT_LOST, IP_FAMILY_4},
    {"EXPIRE", LEASE_EVENT_LOST, IP_FAMILY_4},        {"EXPIRED", LEASE_EVENT_LOST, IP_FAMILY_4},
    {"STOP", LEASE_EVENT_STOPPED, IP_FAMILY_4},       {"BOUND6", LEASE_EVENT_HELD, IP_FAMILY_6},
    {"RENEW6", LEASE_EVENT_HELD, IP_FAMILY_6},        {"REBIND6", LEASE_EVENT_HELD, IP_FAMILY_6},
    {"REBOOT6", LEASE_EVENT_HELD, IP_FAMILY_6},       {"EXPIRE6", LEASE_EVENT_LOST, IP_FAMILY_6},
    {"STOP6", LEASE_EVENT_STOPPED, IP_FAMILY_6},      {"RELEASE6", LEASE_EVENT_STOPPED, IP_FAMILY_6},
    {"STOPPED", LEASE_EVENT_STOPPED, IP_FAMILY_NONE},
};

static int refuse(struct parser *parser, const char *variable, const char *reason)
{
    parser->problem = (struct lease_problem){variable, reason};
    return -EBADMSG;
}

/* The value of `name`, or NULL. */
static const char *find(const struct parser *parser, const char *name)
{
    size_t length = strlen(name);

    for (size_t i = 0; parser->environment[i]; i++) {
        if (strncmp(parser->environment[i], name, length) == 0 && parser->environment[i][length] == '=')
            return parser->environment[i] + length + 1;
    }
    return NULL;
}

/* --- values -------------------------------------------------------------------------------------------- */

/* All `length` bytes at `text`. Returns 0 or -EINVAL. */
static int parse_address(const char *text, size_t length, uint8_t family, struct ip_address *ret)
{
    char copy[IP_ADDRESS_TEXT_SIZE];
    struct ip_address address;

    if (length >= sizeof(copy))
        return -EINVAL;
    memcpy(copy, text, length);
    copy[length] = '\0';
    if (ip_address_parse(copy, &address) < 0 || address.family != family)
        return -EINVAL;
    *ret = address;
    return 0;
}

/* Seconds that fit into 32 bits, as on the wire; a variable that is not there leaves *ret. */
static int take_seconds(struct parser *parser, const char *name, const char *known_as, uint32_t *ret)
{
    const char *text = find(parser, name);
    uint64_t number;

    if (!text)
        return 0;
    if (text_to_number(text, strlen(text), UINT32_MAX, &number) < 0)
        return refuse(parser, known_as, "is no number of seconds");
    *ret = (uint32_t)number;
    return 0;
}

/* The next word of a list that spaces separate; false at its end. */
static bool next_word(const char **position, const char **ret_word, size_t *ret_length)
{
    *position += strspn(*position, " ");
    *ret_word = *position;
    *ret_length = strcspn(*position, " ");
    *position += *ret_length;
    return *ret_length > 0;
}

/* --- IPv4 ---------------------------------------------------------------------------------------------- */

static int take_address4(struct parser *parser)
{
    static const char name[] = "new_ip_address";
    static const char prefix_name[] = "new_subnet_cidr";
    const char *text = find(parser, name);
    const char *prefix = find(parser, prefix_name);
    struct ip_address address;
    uint64_t prefix_length;

    if (!text || parse_address(text, strlen(text), IP_FAMILY_4, &address) < 0)
        return refuse(parser, name, text ? "is no IPv4 address" : "is not there");
    if (!ip_address_is_host(&address))
        return refuse(parser, name, "is an address that no host can have");
    if (!prefix || text_to_number(prefix, strlen(prefix), 32, &prefix_length) < 0 || prefix_length == 0)
        return refuse(parser, prefix_name, "is no prefix length");
    parser->event.lease.address = wire_address_from(&address);
    parser->event.lease.prefix_length = (uint8_t)prefix_length;
    return 0;
}

static int take_server(struct parser *parser)
{
    static const char name[] = "new_dhcp_server_identifier";
    const char *text = find(parser, name);
    struct ip_address address;

    if (!text)
        return 0;
    if (parse_address(text, strlen(text), IP_FAMILY_4, &address) < 0)
        return refuse(parser, name, "is no IPv4 address");
    parser->event.lease.server = wire_address_from(&address);
    return 0;
}

/* Option 3, in the server's order of preference (RFC 2132 §3.5). */
static int take_routers(struct parser *parser)
{
    static const char name[] = "new_routers";
    const char *position = find(parser, name);
    struct wire_lease *lease = &parser->event.lease;
    const char *word;
    size_t length;

    while (position && next_word(&position, &word, &length)) {
        struct ip_address address;

        if (parse_address(word, length, IP_FAMILY_4, &address) < 0)
            return refuse(parser, name, "is no list of IPv4 addresses");
        if (lease->router_count < LEASE_ROUTERS_MAX)
            lease->routers[lease->router_count++] = wire_address_from(&address);
    }
    return 0;
}

/* "10.99.0.0/16" and its gateway. Host bits that a server has set mean nothing (RFC 3442, page 3). */
static int parse_route(const char *destination, size_t destination_length, const char *gateway, size_t gateway_length,
                       struct wire_route *ret)
{
    const char *slash = memchr(destination, '/', destination_length);
    size_t address_length = slash ? (size_t)(slash - destination) : 0;
    struct ip_subnet subnet;
    struct ip_address first, gateway_address;
    uint64_t prefix_length;

    if (!slash || parse_address(destination, address_length, IP_FAMILY_4, &subnet.address) < 0 ||
        text_to_number(slash + 1, destination_length - address_length - 1, 32, &prefix_length) < 0 ||
        parse_address(gateway, gateway_length, IP_FAMILY_4, &gateway_address) < 0)
        return -EINVAL;
    subnet.prefix_length = (uint8_t)prefix_length;
    first = ip_subnet_first(&subnet);
    *ret = (struct wire_route){
        .destination = wire_address_from(&first),
        .gateway = wire_address_from(&gateway_address),
        .prefix_length = subnet.prefix_length,
    };
    return 0;
}

/* A default route always finds room: without it the project could not be reached any more. */
static void add_route(struct parser *parser, const struct wire_route *route)
{
    struct wire_lease *lease = &parser->event.lease;

    if (lease->route_count < LEASE_ROUTES_MAX) {
        lease->routes[lease->route_count++] = *route;
        return;
    }
    parser->omissions.routes++;
    if (route->prefix_length == 0)
        lease->routes[LEASE_ROUTES_MAX - 1] = *route;
}

/* Option 121: pairs of destination and gateway. Its presence alone makes option 3 void (RFC 3442). */
static int take_routes(struct parser *parser)
{
    static const char name[] = "new_classless_static_routes";
    const char *position = find(parser, name);
    const char *destination, *gateway;
    size_t destination_length, gateway_length;

    if (!position)
        return 0;
    parser->event.lease.ignores_routers = 1;
    while (next_word(&position, &destination, &destination_length)) {
        struct wire_route route;

        if (!next_word(&position, &gateway, &gateway_length) ||
            parse_route(destination, destination_length, gateway, gateway_length, &route) < 0)
            return refuse(parser, name, "is no list of IPv4 subnets and gateways");
        add_route(parser, &route);
    }
    return 0;
}

/* Option 26. A lease without one, or with nonsense in its place, is as good as any. */
static void take_mtu(struct parser *parser)
{
    const char *text = find(parser, "new_interface_mtu");
    uint64_t number;

    if (!text)
        return;
    if (text_to_number(text, strlen(text), UINT16_MAX, &number) < 0 || number < LEASE_MTU_MIN)
        parser->omissions.mtu = true;
    else
        parser->event.lease.mtu = (uint16_t)number;
}

static int take_lease4(struct parser *parser)
{
    static const char lease_name[] = "new_dhcp_lease_time";
    static const char renewal_name[] = "new_dhcp_renewal_time";
    static const char rebinding_name[] = "new_dhcp_rebinding_time";
    struct wire_lease *lease = &parser->event.lease;
    int result = take_address4(parser);

    lease->valid_seconds = LEASE_SECONDS_DEFAULT;
    if (result == 0)
        result = take_server(parser);
    if (result == 0)
        result = take_seconds(parser, lease_name, lease_name, &lease->valid_seconds);
    if (result == 0)
        result = take_seconds(parser, renewal_name, renewal_name, &lease->renewal_seconds);
    if (result == 0)
        result = take_seconds(parser, rebinding_name, rebinding_name, &lease->rebinding_seconds);
    if (result == 0 && lease->valid_seconds == 0)
        result = refuse(parser, lease_name, "is zero");
    lease->preferred_seconds = lease->valid_seconds;
    take_mtu(parser);
    if (result == 0)
        result = take_routers(parser);
    return result < 0 ? result : take_routes(parser);
}

/* --- IPv6 ---------------------------------------------------------------------------------------------- */

/* Of the two that are told apart: what the internet answers, and what a site alone does. */
static bool is_global(const struct wire_leased_address *leased)
{
    struct ip_address address = wire_address_to(&leased->address);

    return !ip_address_is_unique_local(&address) && !ip_address_is_link_local(&address);
}

static bool is_listed(const struct identity *identity, const struct wire_leased_address *leased)
{
    for (size_t i = 0; i < identity->count; i++) {
        if (memcmp(&identity->addresses[i].address, &leased->address, sizeof(leased->address)) == 0)
            return true;
    }
    return false;
}

/* Address number `number` of the IA_NA, if there is one; one that is over is left out. Returns 0 or a negative errno.
 */
static int take_address6(struct parser *parser, int number, struct identity *identity)
{
    static const char known_as[] = "new_dhcp6_ia_na1_ia_addr1";
    struct wire_leased_address leased = {.valid_seconds = 0};
    char name[LEASE_VARIABLE_SIZE];
    struct ip_address address;
    const char *text;
    int result;

    (void)snprintf(name, sizeof(name), "new_dhcp6_ia_na1_ia_addr%d_vltime", number);
    result = take_seconds(parser, name, "new_dhcp6_ia_na1_ia_addr1_vltime", &leased.valid_seconds);
    (void)snprintf(name, sizeof(name), "new_dhcp6_ia_na1_ia_addr%d_pltime", number);
    if (result == 0)
        result = take_seconds(parser, name, "new_dhcp6_ia_na1_ia_addr1_pltime", &leased.preferred_seconds);
    (void)snprintf(name, sizeof(name), "new_dhcp6_ia_na1_ia_addr%d", number);
    text = find(parser, name);
    if (result < 0 || !text)
        return result;
    if (parse_address(text, strlen(text), IP_FAMILY_6, &address) < 0)
        return refuse(parser, known_as, "is no IPv6 address");
    if (!ip_address_is_host(&address))
        return refuse(parser, known_as, "is an address that no host can have");
    if (leased.preferred_seconds > leased.valid_seconds) /* RFC 8415 §21.6: such an address is to be discarded */
        return refuse(parser, known_as, "is preferred for longer than it is valid");
    leased.address = wire_address_from(&address);
    if (leased.valid_seconds > 0 && !is_listed(identity, &leased))
        identity->addresses[identity->count++] = leased;
    return 0;
}

/* How much better than none: of a scope that has none yet, so that each has its best one; preferred before deprecated
 * (RFC 6724 §5, rule 3); then what the internet answers. */
static int rank_address6(const struct wire_leased_address *leased, const bool has_scope[2])
{
    return 1 + (has_scope[is_global(leased)] ? 0 : 4) + (leased->preferred_seconds > 0 ? 2 : 0) +
           (is_global(leased) ? 1 : 0);
}

/* The best one, taken out of `identity`; among equals the first, in the server's order. */
static struct wire_leased_address take_best6(struct identity *identity, bool has_scope[2])
{
    struct wire_leased_address best;
    size_t position = 0;
    int best_rank = 0;

    for (size_t i = 0; i < identity->count; i++) {
        int rank = rank_address6(&identity->addresses[i], has_scope);

        if (rank > best_rank) {
            best_rank = rank;
            position = i;
        }
    }
    best = identity->addresses[position];
    has_scope[is_global(&best)] = true;
    identity->count--;
    memmove(&identity->addresses[position], &identity->addresses[position + 1],
            (identity->count - position) * sizeof(best));
    return best;
}

static void choose_addresses6(struct parser *parser, struct identity *identity)
{
    struct wire_lease *lease = &parser->event.lease;
    bool has_scope[2] = {false, false};
    struct wire_leased_address best = take_best6(identity, has_scope);

    lease->address = best.address;
    lease->prefix_length = 128; /* DHCPv6 gives none: what is on link is for router advertisements to say */
    lease->valid_seconds = best.valid_seconds;
    lease->preferred_seconds = best.preferred_seconds;
    while (identity->count > 0 && lease->further_count < LEASE_FURTHER_MAX)
        lease->further[lease->further_count++] = take_best6(identity, has_scope);
    for (size_t i = 0; i < identity->count; i++)
        parser->omissions.addresses[parser->omissions.address_count++] =
            wire_address_to(&identity->addresses[i].address);
    parser->omissions.is_identity_longer = find(parser, "new_dhcp6_ia_na1_ia_addr17") != NULL;
}

static int take_lease6(struct parser *parser)
{
    static const char renewal_name[] = "new_dhcp6_ia_na1_t1";
    static const char rebinding_name[] = "new_dhcp6_ia_na1_t2";
    struct wire_lease *lease = &parser->event.lease;
    struct identity identity = {.count = 0};
    int result = 0;

    for (int number = 1; number <= LEASE_IDENTITY_READ_MAX && result == 0; number++)
        result = take_address6(parser, number, &identity);
    if (result == 0 && identity.count == 0)
        return refuse(parser, "new_dhcp6_ia_na1_ia_addr1", "is not there, or is not valid any more");
    if (result == 0)
        choose_addresses6(parser, &identity);
    if (result == 0)
        result = take_seconds(parser, renewal_name, renewal_name, &lease->renewal_seconds);
    if (result == 0)
        result = take_seconds(parser, rebinding_name, rebinding_name, &lease->rebinding_seconds);
    return result;
}

static_assert(LEASE_IDENTITY_READ_MAX == 16, "the name of the first variable that is not read");

/* --- the event ----------------------------------------------------------------------------------------- */

/* dhcpcd's last word says by if_down whether it was told to release (measured; src/script.c). */
static bool has_released(const struct parser *parser)
{
    const char *is_down = find(parser, "if_down");

    return strcmp(parser->event.reason, "STOPPED") == 0 && is_down && strcmp(is_down, "true") == 0;
}

static int take_reason(struct parser *parser)
{
    const char *reason = find(parser, "reason");

    if (!reason || *reason == '\0')
        return refuse(parser, "reason", "is not there");
    for (const char *character = reason; *character; character++) {
        if (!isupper((unsigned char)*character) && !isdigit((unsigned char)*character) && *character != '_')
            return refuse(parser, "reason", "is none of dhcpcd's");
    }
    parser->event.kind = LEASE_EVENT_PROGRESS;
    for (size_t i = 0; i < ARRAY_LENGTH(reasons); i++) {
        if (strcmp(reasons[i].reason, reason) == 0) {
            parser->event.kind = reasons[i].kind;
            parser->event.family = reasons[i].family;
        }
    }
    text_copy_cut(parser->event.reason, sizeof(parser->event.reason), reason);
    if (has_released(parser))
        parser->event.kind = LEASE_EVENT_RELEASED;
    return 0;
}

static int take_interface(struct parser *parser)
{
    const char *interface = find(parser, "interface");
    const char *carrier = find(parser, "ifcarrier");

    if (!interface || *interface == '\0' ||
        text_copy(parser->event.interface, sizeof(parser->event.interface), interface) < 0)
        return refuse(parser, "interface", "is no interface name");
    parser->event.is_carrier_down = carrier && strcmp(carrier, "down") == 0;
    return 0;
}

/* Nothing half understood travels on, but that there was something does. */
static void make_unusable(struct parser *parser)
{
    struct message_lease_event *event = &parser->event;

    event->kind = LEASE_EVENT_UNUSABLE;
    event->lease = (struct wire_lease){.valid_seconds = 0};
    (void)snprintf(event->problem, sizeof(event->problem), "%s %s", parser->problem.variable, parser->problem.reason);
    parser->omissions = (struct lease_omissions){.routes = 0};
}

int lease_environment_parse(const char *const environment[], struct message_lease_event *ret,
                            struct lease_omissions *ret_omissions, struct lease_problem *ret_problem)
{
    struct parser parser = {
        .environment = environment,
        .event.header = message_header_make(MESSAGE_LEASE_EVENT, sizeof(parser.event), 0),
    };
    int result = take_reason(&parser);

    if (result == 0)
        result = take_interface(&parser);
    if (result < 0) {
        *ret_problem = parser.problem;
        return result;
    }
    if (parser.event.kind == LEASE_EVENT_HELD &&
        (parser.event.family == IP_FAMILY_4 ? take_lease4(&parser) : take_lease6(&parser)) < 0)
        make_unusable(&parser);
    *ret = parser.event;
    *ret_omissions = parser.omissions;
    return 0;
}

void lease_environment_age(struct message_lease_event *event, uint64_t age)
{
    struct wire_lease *lease = &event->lease;

    if (event->kind != LEASE_EVENT_HELD || strcmp(event->reason, "TIMEOUT") != 0)
        return;
    lease->renewal_seconds = lease->rebinding_seconds = 0; /* nobody is asked to renew it */
    if (age >= lease->valid_seconds) {
        event->kind = LEASE_EVENT_LOST;
        event->lease = (struct wire_lease){.valid_seconds = 0};
        text_copy_cut(event->reason, sizeof(event->reason), "EXPIRE");
        return;
    }
    if (lease->valid_seconds != LEASE_SECONDS_FOREVER)
        lease->valid_seconds -= (uint32_t)age;
    lease->preferred_seconds = lease->valid_seconds; /* DHCPv4 has one time for both */
}
