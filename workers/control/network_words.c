/* The words for netadmin's facts; see network_words.h. Runs in anchord-control, without any privilege. */
#include "workers/control/network_words.h"

#include "common/log.h"
#include "protocol/problems.h"

#include <stdio.h>
#include <string.h>

/* NAT-13: no netlink message reaches this setting. */
#define FORWARDING6_REMEDY "sysctls: net.ipv6.conf.all.forwarding: \"1\""

#define ROUTES_REMEDY                                                                                                  \
    "com.docker.network.endpoint.sysctls: net.ipv6.conf.IFNAME.accept_ra_rt_info_max_plen=128, beside those that are " \
    "there; before Engine 27: sysctls: net.ipv6.conf.eth0.accept_ra_rt_info_max_plen: \"128\""

static void format_subnet(const struct wire_address *address, uint8_t prefix_length, char ret[IP_SUBNET_TEXT_SIZE])
{
    struct ip_subnet subnet = {wire_address_to(address), prefix_length};

    (void)ip_subnet_format(&subnet, ret);
}

/* --- status ---------------------------------------------------------------------------------------------- */

enum problem network_words_describe(const struct wire_network_problem *problem, char ret[NETWORK_WORDS_SIZE])
{
    static const enum problem problems[NETWORK_PROBLEM_KIND_MAX_] = {
        [NETWORK_PROBLEM_DUPLICATE] = PROBLEM_DUPLICATE_ADDRESS,
        [NETWORK_PROBLEM_ROUTES] = PROBLEM_ROUTES_NOT_TAKEN,
        [NETWORK_PROBLEM_INNER] = PROBLEM_INNER_ADDRESS,
        [NETWORK_PROBLEM_OVERLAP] = PROBLEM_LAN_CONTAINS_INNER,
        [NETWORK_PROBLEM_LINKS] = PROBLEM_TOO_MANY_INTERFACES,
        [NETWORK_PROBLEM_LINK_ADDRESSES] = PROBLEM_TOO_MANY_LINK_ADDRESSES,
        [NETWORK_PROBLEM_INNER_NETWORKS] = PROBLEM_TOO_MANY_INNER_NETWORKS,
        [NETWORK_PROBLEM_FORWARDING6] = PROBLEM_FORWARDING_OFF,
        [NETWORK_PROBLEM_VIA_HOST] = PROBLEM_VIA_HOST_INNER,
        [NETWORK_PROBLEM_CONTESTED] = PROBLEM_DUPLICATE_ADDRESS,
    };
    struct ip_address address = wire_address_to(&problem->address);
    char mac[MAC_ADDRESS_TEXT_SIZE] = "not known";
    char inner[IP_SUBNET_TEXT_SIZE];
    char lan[IP_SUBNET_TEXT_SIZE];

    ret[0] = '\0';
    if (!mac_address_is_zero(&problem->mac))
        (void)mac_address_format(&problem->mac, mac);
    format_subnet(&problem->inner, problem->inner_length, inner);
    format_subnet(&problem->address, problem->prefix_length, lan);
    if (problem->kind == NETWORK_PROBLEM_CONTESTED)
        (void)snprintf(ret, NETWORK_WORDS_SIZE,
                       "another host has %s, too (%s, MAC: %s): it is used here and defended, and reaches now the one, "
                       "now the other",
                       IP_ADDRESS_TEXT(&address), problem->name, mac);
    if (problem->kind == NETWORK_PROBLEM_DUPLICATE)
        (void)snprintf(ret, NETWORK_WORDS_SIZE, "another host on the LAN has %s already (MAC: %s): it is not used here",
                       IP_ADDRESS_TEXT(&address), mac);
    if (problem->kind == NETWORK_PROBLEM_ROUTES)
        (void)snprintf(ret, NETWORK_WORDS_SIZE, "router %s advertises routes that are not taken",
                       IP_ADDRESS_TEXT(&address));
    if (problem->kind == NETWORK_PROBLEM_INNER)
        (void)snprintf(ret, NETWORK_WORDS_SIZE, "%s from the LAN lies in the inner network %s (%s): it is not used",
                       IP_ADDRESS_TEXT(&address), inner, problem->name);
    if (problem->kind == NETWORK_PROBLEM_OVERLAP)
        (void)snprintf(ret, NETWORK_WORDS_SIZE,
                       "the LAN, %s, contains the inner network %s (%s): those addresses lead inside", lan, inner,
                       problem->name);
    if (problem->kind == NETWORK_PROBLEM_LINKS || problem->kind == NETWORK_PROBLEM_INNER_NETWORKS)
        (void)snprintf(ret, NETWORK_WORDS_SIZE, "%u beyond what is looked at are not guarded", problem->number);
    if (problem->kind == NETWORK_PROBLEM_LINK_ADDRESSES)
        (void)snprintf(ret, NETWORK_WORDS_SIZE, "%u addresses of %s beyond what is looked at are not guarded",
                       problem->number, problem->name);
    if (problem->kind == NETWORK_PROBLEM_VIA_HOST)
        (void)snprintf(ret, NETWORK_WORDS_SIZE, "%s lies in %s (%s)", lan, inner, problem->name);
    return problems[problem->kind];
}

/* --- the log: links -------------------------------------------------------------------------------------- */

static void log_link(const char *side, enum problem problem, bool is_by_network,
                     const struct wire_reported_link *before, const struct wire_reported_link *now)
{
    bool is_said = mac_address_equal(&before->mac, &now->mac) && before->index == now->index;
    char message[64];

    if (mac_address_is_zero(&now->mac) || is_said)
        return;
    if (now->index == 0) {
        (void)snprintf(message, sizeof(message), "%s interface not there", side);
        log_warn(message, LOG_PROBLEM(problem), LOG_TEXT("network", now->network),
                 LOG_TEXT("mac", MAC_ADDRESS_TEXT(&now->mac)));
        return;
    }
    (void)snprintf(message, sizeof(message), "%s interface resolved%s", side, is_by_network ? " by network" : "");
    log_info(message, LOG_TEXT("interface", now->name), LOG_TEXT("network", now->network),
             LOG_TEXT("mac", MAC_ADDRESS_TEXT(&now->mac)), LOG_NUMBER("index", now->index),
             LOG_NUMBER("mtu", now->mtu));
}

/* Of inner links a problem says it, where it means something else. */
static void log_left_out(const struct wire_reported_link *before, const struct wire_reported_link *now)
{
    if (now->left_out > 0 && before->left_out == 0)
        log_warn("more addresses on the interface than anchord serves: temporary, deprecated and advertised ones are "
                 "left out, then the newest",
                 LOG_PROBLEM(PROBLEM_TOO_MANY_LINK_ADDRESSES), LOG_TEXT("interface", now->name),
                 LOG_NUMBER("served", LINK_ADDRESSES_MAX), LOG_NUMBER("left_out", now->left_out));
}

/* --- the log: gateways ----------------------------------------------------------------------------------- */

static const char *why_no_gateway(const struct message_network_report *report,
                                  const struct wire_reported_gateway *gateway)
{
    if (report->external.index == 0)
        return "the external interface is not there";
    if (!gateway->is_link_up)
        return "the external interface is down";
    switch (gateway->source) {
    case GATEWAY_SOURCE_PIN:
        return "the gateway of ANCHORD_EXT_GATEWAY_IP is not on link";
    case GATEWAY_SOURCE_IPAM:
        return "the network's IPAM gateway is not on link";
    case GATEWAY_SOURCE_LEASE:
        return "the lease's gateway is not on link";
    default:
        return "no gateway is pinned, configured in IPAM or advertised";
    }
}

static void log_gateway(const struct message_network_report *report, size_t family_index)
{
    static const char *const families[FAMILY_INDEX_MAX_] = {"v4", "v6"};
    static const char *const sources[GATEWAY_SOURCE_MAX_] = {
        [GATEWAY_SOURCE_NONE] = "none",        [GATEWAY_SOURCE_PIN] = "pin",     [GATEWAY_SOURCE_IPAM] = "IPAM",
        [GATEWAY_SOURCE_ADVERTISEMENT] = "RA", [GATEWAY_SOURCE_LEASE] = "lease", [GATEWAY_SOURCE_DNS] = "DNS",
    };
    const struct wire_reported_gateway *gateway = &report->gateways[family_index];
    struct ip_address address = wire_address_to(&gateway->address);

    if (address.family == IP_FAMILY_NONE)
        log_at(gateway->is_expected ? LOG_LEVEL_WARN : LOG_LEVEL_INFO,
               "unreachable: no external gateway, nothing leaves", LOG_PROBLEM(PROBLEM_NO_GATEWAY),
               LOG_TEXT("family", families[family_index]), LOG_TEXT("reason", why_no_gateway(report, gateway)));
    else
        log_info("external gateway chosen", LOG_TEXT("family", families[family_index]),
                 LOG_TEXT("gateway", IP_ADDRESS_TEXT(&address)), LOG_TEXT("source", sources[gateway->source]),
                 LOG_TEXT("interface", report->external.name), LOG_NUMBER("routers", gateway->router_count));
}

/* --- the log: problems ----------------------------------------------------------------------------------- */

/* Whether `b` is what was said when `a` was; a number that matters is said again. */
static bool is_same(const struct wire_network_problem *a, const struct wire_network_problem *b)
{
    bool has_number = a->kind == NETWORK_PROBLEM_LINKS || a->kind == NETWORK_PROBLEM_INNER_NETWORKS;

    return a->kind == b->kind && a->family == b->family && (!has_number || a->number == b->number) &&
           memcmp(&a->address, &b->address, sizeof(a->address)) == 0 && a->prefix_length == b->prefix_length &&
           (a->kind != NETWORK_PROBLEM_LINK_ADDRESSES || strcmp(a->name, b->name) == 0);
}

static const struct wire_network_problem *find(const struct message_network_report *report, uint32_t count,
                                               const struct wire_network_problem *problem)
{
    for (uint32_t i = 0; i < count; i++) {
        if (is_same(&report->problems[i], problem))
            return &report->problems[i];
    }
    return NULL;
}

/* Of the address `address`. */
static void log_address(const struct wire_network_problem *problem, const char *interface)
{
    struct ip_address address = wire_address_to(&problem->address);
    char inner[IP_SUBNET_TEXT_SIZE];
    char lan[IP_SUBNET_TEXT_SIZE];

    format_subnet(&problem->inner, problem->inner_length, inner);
    format_subnet(&problem->address, problem->prefix_length, lan);
    if (problem->kind == NETWORK_PROBLEM_DUPLICATE)
        log_error("another host on the LAN has this address already, it is not used",
                  LOG_PROBLEM(PROBLEM_DUPLICATE_ADDRESS), LOG_TEXT("address", IP_ADDRESS_TEXT(&address)),
                  LOG_TEXT("interface", interface));
    if (problem->kind == NETWORK_PROBLEM_CONTESTED)
        log_error("another host has this address, too: it is used here and defended",
                  LOG_PROBLEM(PROBLEM_DUPLICATE_ADDRESS), LOG_TEXT("address", IP_ADDRESS_TEXT(&address)),
                  LOG_TEXT("interface", problem->name), LOG_TEXT("mac", MAC_ADDRESS_TEXT(&problem->mac)));
    if (problem->kind == NETWORK_PROBLEM_INNER)
        log_error("address from the LAN refused: it lies in an inner network", LOG_PROBLEM(PROBLEM_INNER_ADDRESS),
                  LOG_TEXT("address", IP_ADDRESS_TEXT(&address)), LOG_TEXT("inner", inner),
                  LOG_TEXT("interface", problem->name));
    if (problem->kind == NETWORK_PROBLEM_OVERLAP)
        log_warn("the LAN contains an inner network: its hosts with addresses of that one cannot be reached",
                 LOG_PROBLEM(PROBLEM_LAN_CONTAINS_INNER), LOG_TEXT("lan", lan), LOG_TEXT("inner", inner),
                 LOG_TEXT("interface", problem->name));
    if (problem->kind == NETWORK_PROBLEM_VIA_HOST)
        log_warn("what is to go by the host lies in a network of the project: it stays there",
                 LOG_PROBLEM(PROBLEM_VIA_HOST_INNER), LOG_TEXT("variable", "ANCHORD_VIA_HOST"),
                 LOG_TEXT("network", lan), LOG_TEXT("inner", inner), LOG_TEXT("interface", problem->name));
    if (problem->kind == NETWORK_PROBLEM_ROUTES)
        log_warn("a router advertises routes that are not taken: accept_ra_rt_info_max_plen is too small",
                 LOG_PROBLEM(PROBLEM_ROUTES_NOT_TAKEN), LOG_TEXT("gateway", IP_ADDRESS_TEXT(&address)),
                 LOG_TEXT("interface", interface), LOG_NUMBER("prefix_length", problem->number),
                 LOG_NUMBER("accept_ra_rt_info_max_plen", problem->limit), LOG_TEXT("compose", ROUTES_REMEDY));
}

/* What is beyond is not guarded (WALL-1). */
static void log_limit(const struct wire_network_problem *problem)
{
    if (problem->kind == NETWORK_PROBLEM_LINKS)
        log_warn("too many interfaces: the last ones are not looked at, their networks are not guarded",
                 LOG_PROBLEM(PROBLEM_TOO_MANY_INTERFACES), LOG_NUMBER("guarded", LINKS_MAX),
                 LOG_NUMBER("left_out", problem->number));
    if (problem->kind == NETWORK_PROBLEM_LINK_ADDRESSES)
        log_warn("more addresses on an inner interface than are looked at: networks of the newest are not guarded "
                 "against what the LAN names",
                 LOG_PROBLEM(PROBLEM_TOO_MANY_LINK_ADDRESSES), LOG_TEXT("interface", problem->name),
                 LOG_NUMBER("served", LINK_ADDRESSES_MAX), LOG_NUMBER("left_out", problem->number));
    if (problem->kind == NETWORK_PROBLEM_INNER_NETWORKS)
        log_warn("too many inner networks: the last ones are not guarded against what the LAN names",
                 LOG_PROBLEM(PROBLEM_TOO_MANY_INNER_NETWORKS), LOG_TEXT("family", ip_family_to_string(problem->family)),
                 LOG_NUMBER("guarded", problem->limit), LOG_NUMBER("left_out", problem->number));
    if (problem->kind == NETWORK_PROBLEM_FORWARDING6)
        log_error("IPv6 forwarding is off: no IPv6 reaches or leaves the project; add to this service in Compose",
                  LOG_PROBLEM(PROBLEM_FORWARDING_OFF), LOG_TEXT("remedy", FORWARDING6_REMEDY));
}

static bool is_seldom(const struct network_words *words, uint8_t kind)
{
    uint64_t ever = words->ever[kind];

    return (ever & (ever - 1)) != 0;
}

/* What anybody on the LAN can bring again and again is said ever more seldom, a router's routes once. */
static bool is_to_be_said(struct network_words *words, uint8_t kind)
{
    uint64_t ever = ++words->ever[kind];

    if (kind == NETWORK_PROBLEM_ROUTES)
        return ever == 1;
    return (kind != NETWORK_PROBLEM_INNER && kind != NETWORK_PROBLEM_OVERLAP && kind != NETWORK_PROBLEM_CONTESTED) ||
           !is_seldom(words, kind);
}

static void log_problem(struct network_words *words, const struct message_network_report *before,
                        const struct message_network_report *now, uint32_t index)
{
    const struct wire_network_problem *problem = &now->problems[index];
    const struct wire_network_problem *known = find(before, before->problem_count, problem);
    struct ip_address address = wire_address_to(&problem->address);

    if (!known && !find(now, index, problem) && is_to_be_said(words, problem->kind)) {
        log_address(problem, now->external.name);
        log_limit(problem);
    }
    if (problem->kind == NETWORK_PROBLEM_DUPLICATE && !mac_address_is_zero(&problem->mac) &&
        (!known || !mac_address_equal(&known->mac, &problem->mac)))
        log_error("the host that has this address", LOG_PROBLEM(PROBLEM_DUPLICATE_ADDRESS),
                  LOG_TEXT("address", IP_ADDRESS_TEXT(&address)), LOG_TEXT("interface", now->external.name),
                  LOG_TEXT("mac", MAC_ADDRESS_TEXT(&problem->mac)));
}

/* Given up, it is no problem any more, and not ours either. */
static void log_end(const struct network_words *words, const struct wire_network_problem *problem,
                    const struct message_network_report *now)
{
    const struct wire_reported_link *external = &now->external;
    bool is_contested = problem->kind == NETWORK_PROBLEM_CONTESTED;
    struct ip_address address = wire_address_to(&problem->address);

    if ((!is_contested && problem->kind != NETWORK_PROBLEM_DUPLICATE) || find(now, now->problem_count, problem) ||
        (is_contested && is_seldom(words, problem->kind)))
        return;
    for (uint32_t i = 0; i < external->address_count; i++) {
        if (memcmp(&external->addresses[i].address, &problem->address, sizeof(problem->address)) == 0)
            log_info(is_contested ? "no other host has this address any more"
                                  : "an address that another host had can be used now",
                     LOG_TEXT("address", IP_ADDRESS_TEXT(&address)), LOG_TEXT("interface", external->name));
    }
}

void network_words_log(struct network_words *words, const struct message_network_report *before,
                       const struct message_network_report *now)
{
    /* Only where ANCHORD_EXT_NETWORK decided does the external network have a name here (ADDR-9). */
    log_link("external", PROBLEM_NO_EXTERNAL_INTERFACE, now->external.network[0] != '\0', &before->external,
             &now->external);
    log_link("shared", PROBLEM_NO_SHARED_INTERFACE, false, &before->shared, &now->shared);
    log_left_out(&before->external, &now->external);
    for (size_t i = 0; i < FAMILY_INDEX_MAX_; i++) {
        const struct wire_reported_gateway *known = &before->gateways[i], *gateway = &now->gateways[i];
        bool is_missed = gateway->is_expected && !known->is_expected && gateway->address.family == IP_FAMILY_NONE;

        if (gateway->decision && (gateway->decision != known->decision || is_missed))
            log_gateway(now, i);
    }
    for (uint32_t i = 0; i < now->problem_count; i++)
        log_problem(words, before, now, i);
    for (uint32_t i = 0; i < before->problem_count; i++)
        log_end(words, &before->problems[i], now);
}
