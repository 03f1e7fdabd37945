/*
 * Which way the containers of a Compose file leave, and whether replies come back; see files_rules.h. Docker's rules
 * for default routes are those of workers/watcher/return_path.h. Pure, no privilege.
 */
#include "common/text.h"
#include "workers/commands/doctor/files_rules.h"

#include <string.h>

#define MASQUERADE "com.docker.network.bridge.enable_ip_masquerade"

/* --- the default route ----------------------------------------------------------------------------------- */

enum preference {
    PREFERENCE_SHARED,
    PREFERENCE_UNKNOWN, /* what the other network is does not stand in the file */
    PREFERENCE_OTHER,
};

/* IPv4 is what every network of Docker has, but for those that say otherwise. */
static bool has_both_families(const struct project_network *network)
{
    return network->has_ipv6 && !network->lacks_ipv4;
}

static enum preference prefer(const struct project_attachment *other, const struct project_attachment *shared)
{
    bool is_certain = files_is_own_bridge(other->network);
    bool wins;

    if (other->network->is_internal || other->network->lacks_ipv4)
        return PREFERENCE_SHARED;
    if (other->gateway_priority != shared->gateway_priority)
        wins = other->gateway_priority > shared->gateway_priority;
    else if (is_certain && !shared->network->is_external &&
             has_both_families(other->network) != has_both_families(shared->network))
        wins = has_both_families(other->network);
    else
        wins = strcmp(other->network->name, shared->network->name) < 0;
    if (!wins)
        return PREFERENCE_SHARED;
    return is_certain ? PREFERENCE_OTHER : PREFERENCE_UNKNOWN;
}

/* The network that takes the default route away, or may do so. */
static const struct project_attachment *find_rival(const struct files_service *service,
                                                   const struct project_attachment *shared, enum preference *ret)
{
    const struct project_attachment *found = NULL;

    *ret = PREFERENCE_SHARED;
    for (const struct project_attachment *each = service->owner->service->attachments; each; each = each->next) {
        enum preference preference = each == shared ? PREFERENCE_SHARED : prefer(each, shared);

        if (preference > *ret) {
            *ret = preference;
            found = each;
        }
    }
    return found;
}

static void tell_rival(struct files_model *model, const struct files_service *service,
                       const struct project_attachment *shared, const struct project_attachment *rival,
                       enum preference preference)
{
    bool is_certain = preference == PREFERENCE_OTHER;
    const char *owner = service->owner->service->name;

    files_found(
        model,
        &(struct files_finding){
            .problem = is_certain ? PROBLEM_OTHER_WAY_BACK : PROBLEM_FILE_OTHER_WAY_BACK,
            .object = files_object(model, service->owner, files_text(model, "networks.%s", shared->network->key)),
            .sentence = files_text(model, "the network %s %s the container its default route, not %s",
                                   rival->network->key, is_certain ? "gives" : "may give", shared->network->key),
            .why = files_text(model,
                              "replies then leave past the anchor: clients see a timeout. Docker takes the highest "
                              "gw_priority, then a network with both families, then the first name: %s before %s%s",
                              rival->network->name, shared->network->name,
                              is_certain ? "" : "; whether that one leads out does not stand in the file"),
            .remedy = rival->network->is_external
                          ? files_text(model, "services.%s.networks.%s: {gw_priority: %d} (Engine 28 and newer)", owner,
                                       shared->network->key, rival->gateway_priority + 1)
                          : files_text(model,
                                       "services.%s.networks.%s: {gw_priority: %d} (Engine 28 and newer), or "
                                       "networks.%s: {internal: true}",
                                       owner, shared->network->key, rival->gateway_priority + 1, rival->network->key)});
}

/* --- transit itself -------------------------------------------------------------------------------------- */

static void tell_internal(struct files_model *model, const struct project_network *shared,
                          const struct files_service *service)
{
    files_found(model,
                &(struct files_finding){
                    .problem = service ? PROBLEM_INTERNAL_NETWORK : PROBLEM_FILE_INTERNAL_TRANSIT,
                    .object = files_text(model, "networks.%s.internal", shared->key),
                    .sentence = service ? files_text(model, "%s is internal, and %s has no service-anchor", shared->key,
                                                     service->service->name)
                                        : files_text(model, "%s is internal: some hosts drop what comes from the LAN",
                                                     shared->key),
                    .why = service ? "containers on an internal network have no default route to anybody: replies do "
                                     "not come back"
                                   : "where net.bridge.bridge-nf-call-iptables is 1 Docker's own rules drop foreign "
                                     "addresses on an internal bridge; the file does not tell whether it is so here",
                    .remedy = files_text(model,
                                         "networks.%s: {driver_opts: {" MASQUERADE ": \"false\"}} in place of "
                                         "internal: true%s",
                                         shared->key,
                                         service ? ", and the auxiliary gateway, as in compose/example.yaml" : "")});
}

/* The second host of a subnet, or the third when the bridge is the second. */
static const char *propose_gateway(struct files_model *model, const struct project_network *network, uint8_t family)
{
    for (size_t i = 0; i < network->subnet_count; i++) {
        const struct ip_subnet *subnet = &network->subnets[i];
        struct ip_address address = ip_subnet_first(subnet);
        size_t last = ip_family_length(address.family) - 1;

        if (address.family != family)
            continue;
        address.bytes[last] = (uint8_t)(address.bytes[last] + 2);
        return files_text(model, "%s", IP_ADDRESS_TEXT(&address));
    }
    return "…";
}

static void tell_no_gateway(struct files_model *model, const struct project_network *shared,
                            const struct files_service *service, uint8_t family)
{
    const char *key = family == IP_FAMILY_4 ? "DefaultGatewayIPv4" : "DefaultGatewayIPv6";

    files_found(model,
                &(struct files_finding){
                    .problem = family == IP_FAMILY_4 ? PROBLEM_NO_WAY_BACK : PROBLEM_FILE_NO_WAY_BACK6,
                    .object = files_text(model, "networks.%s.ipam.config", shared->key),
                    .sentence = files_text(model, "%s names no %s, and %s has no service-anchor", shared->key, key,
                                           service->service->name),
                    .why = files_text(model,
                                      "the host's bridge is the containers' default route: replies %sleave past "
                                      "the anchor",
                                      family == IP_FAMILY_4 ? "" : "of IPv6 "),
                    .remedy = files_text(model,
                                         "networks.%s.ipam.config, at the subnet: aux_addresses: {%s: \"%s\"}; then "
                                         "docker compose down and up, since a network cannot be changed",
                                         shared->key, key, propose_gateway(model, shared, family))});
}

static bool is_masqueraded(struct files_model *model, const struct project_network *network)
{
    const struct json_tree_value *options = json_tree_member(network->value, "driver_opts");
    const char *masquerade = files_member_text(model, options, MASQUERADE);
    const char *mode = files_member_text(model, options, "com.docker.network.bridge.gateway_mode_ipv4");

    return (!masquerade || strcmp(masquerade, "false") != 0) && (!mode || strcmp(mode, "nat") == 0);
}

static void check_isolation(struct files_model *model, const struct project_network *shared)
{
    if (!files_is_own_bridge(shared) || shared->is_internal || !is_masqueraded(model, shared))
        return;
    files_found(model, &(struct files_finding){
                           .problem = PROBLEM_FILE_MASQUERADE,
                           .object = files_text(model, "networks.%s.driver_opts", shared->key),
                           .sentence = files_text(model, "the host is a way out of %s, too", shared->key),
                           .why = "Docker masquerades what leaves by the bridge: whatever does not take the way to the "
                                  "anchor leaves with the host's address, in place of not at all",
                           .remedy = files_text(model, "networks.%s: {driver_opts: {" MASQUERADE ": \"false\"}}",
                                                shared->key)});
}

/* --- a backend's way back -------------------------------------------------------------------------------- */

/* Once for each network: `told` are those of which it was said. */
struct told {
    const struct project_network *internal;
    const struct project_network *gateway[2];
};

static bool mirrors_to_v6(struct files_model *model, const struct files_service *service)
{
    const char *label = files_label(model, service, "anchord.expose.v6");

    return !label || (strcasecmp(label, "off") != 0 && strcasecmp(label, "false") != 0 &&
                      strcasecmp(label, "no") != 0 && strcmp(label, "0") != 0);
}

/* True when replies come back as far as the file tells. */
static bool check_way_back(struct files_model *model, const struct files_service *service,
                           const struct project_attachment *shared, struct told *told)
{
    const struct project_network *network = shared->network;
    const struct project_attachment *rival;
    enum preference preference;

    if (files_is_own_bridge(network) && network->is_internal) {
        if (told->internal != network)
            tell_internal(model, network, service);
        told->internal = network;
        return false;
    }
    if (files_is_own_bridge(network) && !network->has_gateway && !network->lacks_ipv4) {
        if (told->gateway[0] != network)
            tell_no_gateway(model, network, service, IP_FAMILY_4);
        told->gateway[0] = network;
    }
    if (files_is_own_bridge(network) && network->has_ipv6 && !network->has_gateway6 && mirrors_to_v6(model, service)) {
        if (told->gateway[1] != network)
            tell_no_gateway(model, network, service, IP_FAMILY_6);
        told->gateway[1] = network;
    }
    if (told->gateway[0] == network)
        return false;
    rival = find_rival(service, shared, &preference);
    if (rival)
        tell_rival(model, service, shared, rival, preference);
    return !rival && !network->is_external;
}

static bool is_for_everybody(const struct project_port *port)
{
    struct ip_address address;

    if (port->host_ip[0] == '\0')
        return true;
    return ip_address_parse(port->host_ip, &address) < 0 || !ip_address_is_loopback(&address);
}

/* Replies go to the anchor, which knows nothing of a connection to the host's address. */
static void check_published(struct files_model *model, const struct files_service *service)
{
    const struct project_service *declared = service->service;
    size_t at = 0;

    while (at < declared->port_count && !is_for_everybody(&declared->ports[at]))
        at++;
    if (at == declared->port_count)
        return;
    files_found(
        model,
        &(struct files_finding){
            .problem = PROBLEM_FILE_PORTS_LEFT,
            .object = files_object(model, service, "ports"),
            .sentence = files_text(model, "%s/%u is still published on the host", declared->ports[at].protocol,
                                   declared->ports[at].published_first ? declared->ports[at].published_first
                                                                       : declared->ports[at].target),
            .why = "it answers the host alone: to all others the reply leaves by the anchor, which knows nothing "
                   "of that connection; and it keeps the host's port taken",
            .remedy = files_text(model,
                                 "take services.%s.ports out (in an override: `ports: !reset []`); what the LAN "
                                 "shall reach stands in the label anchord.expose",
                                 declared->name)});
}

/* --- who leaves with the host's address ------------------------------------------------------------------- */

static const struct project_network *find_host_way(struct files_model *model, const struct files_service *service)
{
    for (const struct project_attachment *each = service->service->attachments; each; each = each->next) {
        if (files_is_own_bridge(each->network) && !each->network->is_internal && is_masqueraded(model, each->network))
            return each->network;
    }
    return NULL;
}

static bool is_on_any_anchors_network(const struct files_model *model, const struct files_service *service)
{
    for (const struct files_service *each = model->services; each; each = each->next) {
        if (files_is(each, ROLE_NETWORK_ANCHOR) &&
            ((each->shared && files_attachment(service, each->shared->network)) ||
             (each->lan && files_attachment(service, each->lan->network))))
            return true;
    }
    return false;
}

static void check_host_way(struct files_model *model, const struct files_service *service,
                           const struct files_service *anchor)
{
    const struct project_network *network = find_host_way(model, service);

    if (!network || !anchor->shared || is_on_any_anchors_network(model, service))
        return;
    files_found(model,
                &(struct files_finding){
                    .problem = PROBLEM_FILE_HOST_WAY,
                    .object = files_object(model, service, "networks"),
                    .sentence = files_text(model, "the service leaves with the host's address, by %s", network->key),
                    .why = "it is not on the network of the anchor, and that one leads out; if it is meant so, "
                           "suppress this",
                    .remedy = files_text(model,
                                         "networks.%s: {internal: true} if it needs no way out, or add %s to "
                                         "services.%s.networks",
                                         network->key, anchor->shared->network->key, service->service->name)});
}

/* --- all of it ------------------------------------------------------------------------------------------- */

static void check_service(struct files_model *model, const struct files_service *service, struct told *told)
{
    const struct files_service *anchor = files_anchor_of(model, service);
    const struct project_attachment *shared;
    bool comes_back;

    if (!anchor || !anchor->shared || !service->owner || service->owner == anchor->owner || !files_runs(service))
        return;
    shared = files_attachment(service, anchor->shared->network);
    if (service->owner->service_anchor)
        comes_back = true;
    else if (!shared)
        comes_back = false;
    else if (files_label(model, service, "anchord.expose"))
        comes_back = check_way_back(model, service, shared, told);
    else {
        enum preference preference;

        comes_back = files_is_own_bridge(shared->network) && !shared->network->is_internal &&
                     shared->network->has_gateway && !find_rival(service, shared, &preference);
    }
    if (service->owner == service && comes_back)
        check_published(model, service);
    if (service->owner == service && !service->service_anchor && !service->is_anchord && !anchor->settings.selector[0])
        check_host_way(model, service, anchor);
}

void files_rules_networks(struct files_model *model)
{
    struct told told = {0};

    for (const struct files_service *each = model->services; each; each = each->next)
        check_service(model, each, &told);
    for (const struct project_network *each = model->project->networks; each; each = each->next) {
        bool is_shared = false;

        for (const struct files_service *anchor = model->services; anchor && !is_shared; anchor = anchor->next)
            is_shared = files_is(anchor, ROLE_NETWORK_ANCHOR) && anchor->shared && anchor->shared->network == each;
        if (is_shared)
            check_isolation(model, each);
        if (is_shared && files_is_own_bridge(each) && each->is_internal && told.internal != each)
            tell_internal(model, each, NULL);
    }
}
