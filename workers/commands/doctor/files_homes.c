/*
 * The network-anchors of a Compose file and their two networks: the LAN and transit; see files_rules.h. Pure, no
 * privilege.
 */
#include "common/text.h"
#include "workers/commands/doctor/files_rules.h"

#include <string.h>

#define FORWARDING6      "net.ipv6.conf.all.forwarding"
#define ENDPOINT_SYSCTLS "com.docker.network.endpoint.sysctls"
#define HOST_SYSCTLS     "net.ipv6.conf.IFNAME.forwarding=0,net.ipv6.conf.IFNAME.accept_ra=2"

static bool has_sysctl(struct files_model *model, const struct files_service *service, const char *name,
                       const char *value)
{
    const char *text = files_member_text(model, json_tree_member(service->value, "sysctls"), name);

    return text && strcmp(text, value) == 0;
}

/* --- the network on the LAN ------------------------------------------------------------------------------ */

/* Compose's name of a network is not Docker's, and Docker's is the one that counts. */
static const struct project_network *find_by_key(const struct files_service *anchor)
{
    for (const struct project_attachment *each = anchor->owner->service->attachments; each; each = each->next) {
        if (strcmp(each->network->key, anchor->settings.external_network) == 0)
            return each->network;
    }
    return NULL;
}

static void tell_no_lan(struct files_model *model, const struct files_service *anchor)
{
    const char *name = anchor->settings.external_network;
    const struct project_network *meant = find_by_key(anchor);
    const char *owner = anchor->owner->service->name;

    files_found(
        model,
        &(struct files_finding){
            .problem = PROBLEM_FILE_NO_LAN,
            .object = files_object(model, anchor, "environment.ANCHORD_EXT_NETWORK"),
            .sentence = meant ? files_text(model, "Docker calls that network %s, not %s", meant->name, name)
                              : files_text(model, "%s is not on a network that Docker calls %s", owner, name),
            .why = "the network-anchor ends 10 s after its start, naming the networks that it is on",
            .remedy = meant ? files_text(model, "services.%s.environment: {ANCHORD_EXT_NETWORK: %s}",
                                         anchor->service->name, meant->name)
                            : files_text(model,
                                         "networks.lan: {name: %s, external: true}, and lan under services.%s.networks",
                                         name, owner)});
}

static void check_lan_name(struct files_model *model, const struct files_service *anchor)
{
    const struct project_attachment *attachments = anchor->owner->service->attachments;
    bool is_fixed = false;

    for (const struct project_attachment *each = attachments; each; each = each->next)
        is_fixed |= each->interface_name != NULL;
    if (is_fixed || !attachments || !attachments->next)
        return;
    files_found(model, &(struct files_finding){
                           .problem = PROBLEM_FILE_LAN_UNNAMED,
                           .object = files_object(model, anchor, "environment"),
                           .sentence = "ANCHORD_EXT_NETWORK does not say which network is the LAN",
                           .why = "the interface is taken for the LAN that is called ANCHORD_EXT_IFACE (eth0), and "
                                  "Docker gives that name to any of the networks, another one from start to start",
                           .remedy = files_text(model,
                                                "services.%s.environment: {ANCHORD_EXT_NETWORK: lan}, by the name "
                                                "that `docker network ls` shows",
                                                anchor->service->name)});
}

static void check_macvlan(struct files_model *model, const struct project_network *lan)
{
    bool is_ipvlan = strcmp(lan->driver, "ipvlan") == 0;

    if (lan->is_external || strcmp(lan->driver, "macvlan") == 0 || (!files_is_own_bridge(lan) && !is_ipvlan))
        return;
    files_found(
        model, &(struct files_finding){
                   .problem = PROBLEM_FILE_LAN_NO_MACVLAN,
                   .object = files_text(model, "networks.%s.driver", lan->key),
                   .sentence = files_text(model, "the network on the LAN is %s, not macvlan",
                                          is_ipvlan ? "ipvlan" : "a bridge of this host"),
                   .why = is_ipvlan ? "all containers of an ipvlan network have the host's MAC, by which the interface "
                                      "would be found; not tried"
                                    : "no machine of the LAN has an address on it, so that none reaches the project "
                                      "at its address, unless this host or a router leads there",
                   .remedy = files_text(model,
                                        "networks.%s: {driver: macvlan, driver_opts: {parent: eth0}, ipam: {config: "
                                        "[{subnet: 192.0.2.0/24, gateway: 192.0.2.1}]}} with your LAN's",
                                        lan->key)});
}

/* Docker makes an interface that leads nowhere, and says nothing. */
static void check_parent(struct files_model *model, const struct project_network *lan)
{
    const char *parent = files_member_text(model, json_tree_member(lan->value, "driver_opts"), "parent");

    if (lan->is_external || strcmp(lan->driver, "macvlan") != 0 || (parent && *parent))
        return;
    files_found(model,
                &(struct files_finding){
                    .problem = PROBLEM_FILE_NO_PARENT,
                    .object = files_text(model, "networks.%s.driver_opts", lan->key),
                    .sentence = "the macvlan network on the LAN names no parent",
                    .why = "Docker then makes an interface of its own that leads nowhere, and says nothing of it",
                    .remedy = files_text(model,
                                         "networks.%s.driver_opts: {parent: eth0}, by the host's interface on the LAN "
                                         "(`ip -br link` has its name)",
                                         lan->key)});
}

static void check_router(struct files_model *model, const struct files_service *anchor)
{
    const struct project_network *lan = anchor->lan->network;

    if (lan->is_external || strcmp(lan->driver, "macvlan") != 0 || anchor->settings.is_gateway_named ||
        anchor->settings.has_dhcp || (lan->subnet_count > 0 && !lan->lacks_gateway))
        return;
    files_found(model,
                &(struct files_finding){
                    .problem = PROBLEM_NO_GATEWAY_NAMED,
                    .object = files_text(model, "networks.%s.ipam.config", lan->key),
                    .sentence = "a macvlan network names no gateway, and ANCHORD_EXT_GATEWAY_IP is not set",
                    .why =
                        "anchord takes no gateway that is configured nowhere: nothing leaves; and Engine 29 gives the "
                        "subnet's first address, mostly the router's, to a container",
                    .remedy = files_text(model,
                                         "networks.%s.ipam.config, at the subnet: gateway: with your router's address, "
                                         "or services.%s.environment: {ANCHORD_EXT_GATEWAY_IP: …}",
                                         lan->key, anchor->service->name)});
}

static void check_fixed(struct files_model *model, const struct files_service *anchor)
{
    const char *key = anchor->lan->network->key;

    if (anchor->settings.has_dhcp || files_member_text(model, anchor->lan->value, "ipv4_address") ||
        anchor->lan->network->lacks_ipv4)
        return;
    files_found(model,
                &(struct files_finding){
                    .problem = PROBLEM_POOL_ADDRESS,
                    .object = files_object(model, anchor->owner, files_text(model, "networks.%s", key)),
                    .sentence = "the project's address on the LAN is not fixed",
                    .why = "Docker takes one from its pool: after a recreation it may be another, where neither "
                           "DNS records nor the router's forwarding lead; and others on the LAN may have it",
                    .remedy = files_text(model, "services.%s.networks.%s: {ipv4_address: …}, one that nobody has",
                                         anchor->owner->service->name, key)});
}

/* --- IPv6 ------------------------------------------------------------------------------------------------ */

static bool has_lan_ipv6(struct files_model *model, const struct files_service *anchor)
{
    return files_member_text(model, anchor->lan->value, "ipv6_address") || anchor->lan->network->has_ipv6 ||
           anchor->settings.address_mode == ADDRESS_MODE_SLAAC_RA_ONLY;
}

static void check_forwarding(struct files_model *model, const struct files_service *anchor)
{
    const struct files_service *owner = anchor->owner;

    if (anchor->shared && files_is_own_bridge(anchor->shared->network) && anchor->shared->network->has_ipv6 &&
        !has_sysctl(model, owner, FORWARDING6, "1"))
        files_found(model,
                    &(struct files_finding){
                        .problem = PROBLEM_FORWARDING_OFF,
                        .object = files_object(model, owner, "sysctls"),
                        .sentence = "IPv6 is not forwarded: nothing of IPv6 comes in or leaves",
                        .why = "the LAN and transit have IPv6, and whoever is in the container cannot switch "
                               "forwarding on; IPv4 works without this line",
                        .remedy = files_text(model, "services.%s.sysctls: [" FORWARDING6 "=1]", owner->service->name)});
    if (owner != anchor && has_sysctl(model, anchor, FORWARDING6, "1"))
        files_found(
            model,
            &(struct files_finding){
                .problem = PROBLEM_FILE_SYSCTL_PLACE,
                .object = files_object(model, anchor, "sysctls"),
                .sentence = files_text(model, "the sysctl stands on %s, and the namespace is %s's",
                                       anchor->service->name, owner->service->name),
                .why = "at each of its starts it sets forwarding on every interface there is, also on the "
                       "one on the LAN, where the project is a host",
                .remedy = files_text(model, "move " FORWARDING6 "=1 to services.%s.sysctls", owner->service->name)});
}

static bool has_old_accept_ra(const struct files_service *service)
{
    const struct json_tree_value *sysctls = json_tree_member(service->value, "sysctls");

    for (const struct json_tree_value *each = sysctls ? sysctls->first : NULL; each; each = each->next) {
        if (strncmp(each->key, "net.ipv6.conf.", strlen("net.ipv6.conf.")) == 0 && strstr(each->key, ".accept_ra") &&
            strncmp(each->key, "net.ipv6.conf.all.", strlen("net.ipv6.conf.all.")) != 0)
            return true;
    }
    return false;
}

static void check_advertisements(struct files_model *model, const struct files_service *anchor)
{
    const char *key = anchor->lan->network->key;
    const char *sysctls =
        files_member_text(model, json_tree_member(anchor->lan->value, "driver_opts"), ENDPOINT_SYSCTLS);
    const char *remedy =
        files_text(model,
                   "services.%s.networks.%s: {driver_opts: {" ENDPOINT_SYSCTLS ": \"" HOST_SYSCTLS "\"}} (engines "
                   "before 27: sysctls: [net.ipv6.conf.eth0.accept_ra=2])",
                   anchor->owner->service->name, key);
    const char *object = files_object(model, anchor->owner, files_text(model, "networks.%s.driver_opts", key));

    if (!has_sysctl(model, anchor->owner, FORWARDING6, "1") || has_old_accept_ra(anchor->owner))
        return;
    if (!sysctls || !strstr(sysctls, "accept_ra=2"))
        files_found(model,
                    &(struct files_finding){
                        .problem = PROBLEM_IGNORES_ADVERTISEMENTS,
                        .object = object,
                        .sentence = "what routers on the LAN advertise is not heard",
                        .why = "the kernel ignores advertisements where it forwards, unless accept_ra is 2 on the "
                               "very interface; net.ipv6.conf.all.accept_ra does nothing",
                        .remedy = remedy});
    else if (!strstr(sysctls, ".forwarding=0"))
        files_found(model, &(struct files_finding){
                               .problem = PROBLEM_IS_ROUTER,
                               .object = object,
                               .sentence = "the neighbours on the LAN take the project for an IPv6 router",
                               .why = "the interface on the LAN inherits forwarding from the namespace's sysctl, and "
                                      "says so in its neighbour advertisements",
                               .remedy = remedy});
}

/* --- transit --------------------------------------------------------------------------------------------- */

static void tell_no_transit(struct files_model *model, const struct files_service *anchor)
{
    const char *wanted = anchor->settings.shared_network;

    files_found(model,
                &(struct files_finding){
                    .problem = PROBLEM_FILE_NO_TRANSIT,
                    .object = files_object(model, anchor->owner, "networks"),
                    .sentence = wanted[0] ? files_text(model, "%s is not on %s, which ANCHORD_SHARED_NETWORK names",
                                                       anchor->owner->service->name, wanted)
                                          : "the network-anchor is on the LAN alone",
                    .why = "it reaches containers on a network that both are on; without one it exposes nothing",
                    .remedy = files_text(model,
                                         "add transit to services.%s.networks, and to the networks of what "
                                         "is to be reached",
                                         anchor->owner->service->name)});
}

/* --- several in one project ------------------------------------------------------------------------------ */

static bool is_same_scope(const struct files_service *a, const struct files_service *b)
{
    if (a->settings.selector[0] || b->settings.selector[0])
        return strcmp(a->settings.selector, b->settings.selector) == 0;
    return strcmp(a->settings.project, b->settings.project) == 0;
}

static void check_twins(struct files_model *model, const struct files_service *anchor,
                        const struct files_service *other)
{
    if (is_same_scope(anchor, other))
        files_found(model,
                    &(struct files_finding){
                        .problem = PROBLEM_FILE_TWO_ANCHORS,
                        .object = files_object(model, other, "environment"),
                        .sentence = files_text(model, "%s looks after the same containers", anchor->service->name),
                        .why = "both expose every port, at two addresses, and replies leave by one of them",
                        .remedy = files_text(model,
                                             "services.%s.environment: {ANCHORD_LABEL_SELECTOR: identity=…}, another "
                                             "one for services.%s, and those labels on the containers",
                                             other->service->name, anchor->service->name)});
    if (anchor->shared && other->shared && anchor->shared->network == other->shared->network &&
        anchor->shared->network->has_gateway && anchor->owner != other->owner)
        files_found(model, &(struct files_finding){
                               .problem = PROBLEM_FILE_ONE_TRANSIT,
                               .object = files_object(model, other->owner, "networks"),
                               .sentence = files_text(model, "%s is the transit network of %s, too",
                                                      other->shared->network->key, anchor->service->name),
                               .why = "a network has one default gateway, and one network-anchor holds it: what the "
                                      "other one exposes gets no replies back",
                               .remedy = files_text(model,
                                                    "a transit network for each, as compose/example-authentik.yaml has "
                                                    "it, and services.%s on its own",
                                                    other->owner->service->name)});
}

static void tell_on_the_host(struct files_model *model, const struct files_service *anchor)
{
    files_found(model, &(struct files_finding){
                           .problem = PROBLEM_FILE_NO_LAN,
                           .object = files_object(model, anchor, "network_mode"),
                           .sentence = "the network-anchor is on the host's network",
                           .why = "the project's address, routes and rules belong into a network namespace of its own",
                           .remedy = files_text(model,
                                                "services.%s: `networks: [lan, transit]` in place of `network_mode: "
                                                "host`",
                                                anchor->service->name)});
}

static void check_anchor(struct files_model *model, const struct files_service *anchor)
{
    for (const struct files_service *each = anchor->next; each; each = each->next) {
        if (files_is(each, ROLE_NETWORK_ANCHOR))
            check_twins(model, anchor, each);
    }
    if (anchor->place == FILES_PLACE_HOST)
        tell_on_the_host(model, anchor);
    if (!anchor->owner || anchor->settings.role != ROLE_NETWORK_ANCHOR)
        return;
    if (!anchor->settings.external_network[0])
        check_lan_name(model, anchor);
    else if (!anchor->lan)
        tell_no_lan(model, anchor);
    if (!anchor->shared && anchor->lan)
        tell_no_transit(model, anchor);
    if (!anchor->lan)
        return;
    check_macvlan(model, anchor->lan->network);
    check_parent(model, anchor->lan->network);
    check_router(model, anchor);
    check_fixed(model, anchor);
    if (!has_lan_ipv6(model, anchor))
        return;
    check_forwarding(model, anchor);
    check_advertisements(model, anchor);
}

static void tell_mistaken(struct files_model *model, const struct files_service *service)
{
    files_found(model,
                &(struct files_finding){
                    .problem = PROBLEM_FILE_NO_SERVICE_ANCHOR,
                    .object = files_object(model, service, "command"),
                    .sentence = "applications share its network, and it is no service-anchor",
                    .why = "without a role an anchord is a network-anchor: it looks for a LAN and finds none",
                    .remedy = files_text(model, "services.%s: {command: [service-anchor]}", service->service->name)});
}

void files_rules_homes(struct files_model *model)
{
    for (const struct files_service *each = model->services; each; each = each->next) {
        if (files_is(each, ROLE_NETWORK_ANCHOR))
            check_anchor(model, each);
        if (each->is_mistaken)
            tell_mistaken(model, each);
        if (each->place == FILES_PLACE_NOWHERE)
            files_found(model, &(struct files_finding){
                                   .problem = PROBLEM_FILE_NO_SUCH_SERVICE,
                                   .object = files_object(model, each, "network_mode"),
                                   .sentence = files_text(model, "%s: there is no such service, or it leads back here",
                                                          each->service->network_mode),
                                   .why = "Docker cannot make the container",
                                   .remedy = files_text(model,
                                                        "services.%s.network_mode: service: and the name of a "
                                                        "service of this file",
                                                        each->service->name)});
    }
}
