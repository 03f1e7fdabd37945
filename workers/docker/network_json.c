/*
 * GET /networks/ID; see records.h. Reads foreign bytes, runs without any privilege.
 *
 *     {"Name": "transit", "Id": "7ea2…", "Driver": "bridge", "Internal": false,
 *      "IPAM": {"Config": [{"Subnet": "172.30.0.0/24", "Gateway": "172.30.0.1",
 *                           "AuxiliaryAddresses": {"DefaultGatewayIPv4": "172.30.0.2"}}]},
 *      "Containers": {"8dfa…": {"Name": "web", "IPv4Address": "172.30.0.5/24", "IPv6Address": ""}},
 *      "Options": {"com.docker.network.bridge.name": "mail0"},
 *      "Labels": {"anchord.gateway.v4": "172.30.0.2", "com.docker.compose.project": "mail"}, …}
 *
 * Podman (5.8) takes no auxiliary addresses: there, labels of the network say the same (GW-1).
 */
#include "workers/docker/parser.h"

#include <string.h>
#include <strings.h>

enum state {
    ID = JSON_FIRST_STATE,
    NAME,
    DRIVER,
    INTERNAL,
    IPAM,
    CONFIGURATIONS,
    CONFIGURATION,
    SUBNET,
    RANGE,
    GATEWAY,
    AUXILIARY,
    AUXILIARY_GATEWAY4,
    AUXILIARY_GATEWAY6,
    OPTIONS,
    BRIDGE,
    ICC,
    LABELS,
    PROJECT,
    LABELLED_GATEWAY4,
    LABELLED_GATEWAY6,
    CONTAINERS,
    ATTACHED,
    ATTACHED_NAME,
    ATTACHED_ADDRESS4,
    ATTACHED_ADDRESS6,
};

static const struct json_rule rules[] = {
    {JSON_TOP, ID, "Id"},
    {JSON_TOP, NAME, "Name"},
    {JSON_TOP, DRIVER, "Driver"},
    {JSON_TOP, INTERNAL, "Internal"},
    {JSON_TOP, IPAM, "IPAM"},
    {IPAM, CONFIGURATIONS, "Config"},
    {CONFIGURATIONS, CONFIGURATION, JSON_EVERY_ELEMENT},
    {CONFIGURATION, SUBNET, "Subnet"},
    {CONFIGURATION, RANGE, "IPRange"},
    {CONFIGURATION, GATEWAY, "Gateway"},
    {CONFIGURATION, AUXILIARY, "AuxiliaryAddresses"},
    {AUXILIARY, AUXILIARY_GATEWAY4, "DefaultGatewayIPv4"},
    {AUXILIARY, AUXILIARY_GATEWAY6, "DefaultGatewayIPv6"},
    {JSON_TOP, OPTIONS, "Options"},
    {OPTIONS, BRIDGE, "com.docker.network.bridge.name"},
    {OPTIONS, ICC, "com.docker.network.bridge.enable_icc"},
    {JSON_TOP, LABELS, "Labels"},
    {LABELS, PROJECT, "com.docker.compose.project"},
    {LABELS, LABELLED_GATEWAY4, "anchord.gateway.v4"},
    {LABELS, LABELLED_GATEWAY6, "anchord.gateway.v6"},
    {JSON_TOP, CONTAINERS, "Containers"},
    {CONTAINERS, ATTACHED, JSON_EVERY_MEMBER},
    {ATTACHED, ATTACHED_NAME, "Name"},
    {ATTACHED, ATTACHED_ADDRESS4, "IPv4Address"},
    {ATTACHED, ATTACHED_ADDRESS6, "IPv6Address"},
};

struct network_record {
    struct docker_network *network;
    struct ip_address labelled[2]; /* gateways: IPv4, IPv6; none without the label */
    const char *broken;
    docker_attached_handler on_attached;
    void *userdata;
    struct docker_attached attached;
    bool is_attached_odd;
};

static struct docker_subnet *current_subnet(struct network_record *record)
{
    return &record->network->subnets[record->network->subnet_count - 1];
}

static const char *begin_subnet(struct network_record *record)
{
    if (record->network->subnet_count == SUBNETS_MAX)
        return "the network has more than 4 subnets";
    record->network->subnet_count++;
    *current_subnet(record) = (struct docker_subnet){0};
    return NULL;
}

static const char *read_subnet(struct network_record *record, const struct json_value *value)
{
    char text[IP_SUBNET_TEXT_SIZE];

    if (json_value_copy(value, text, sizeof(text)) < 0 || ip_subnet_parse(text, &current_subnet(record)->subnet) < 0)
        return "a Subnet in IPAM.Config is no subnet";
    current_subnet(record)->subnet.address = ip_subnet_first(&current_subnet(record)->subnet);
    return NULL;
}

/* Empty where there is none. */
static const char *read_range(struct network_record *record, const struct json_value *value)
{
    char text[IP_SUBNET_TEXT_SIZE];
    struct ip_subnet range;

    if (json_value_copy(value, text, sizeof(text)) < 0)
        return "an IPRange in IPAM.Config is no subnet";
    if (text[0] == '\0')
        return NULL;
    if (ip_subnet_parse(text, &range) < 0)
        return "an IPRange in IPAM.Config is no subnet";
    range.address = ip_subnet_first(&range);
    current_subnet(record)->range = range;
    return NULL;
}

static const char *read_text(const struct json_value *value, char *target, size_t size, const char *broken)
{
    return json_value_copy(value, target, size) < 0 ? broken : NULL;
}

/* No interface and no project of ours has a longer one. */
static const char *read_if_short(const struct json_value *value, char *target, size_t size)
{
    if (json_value_copy(value, target, size) < 0)
        target[0] = '\0';
    return NULL;
}

static const char *read_address(const struct json_value *value, uint8_t family, struct ip_address *target,
                                const char *broken)
{
    return docker_address_read(value, family, target) < 0 ? broken : NULL;
}

/* The texts that Docker takes for it. */
static bool is_false(const struct json_value *value)
{
    char text[sizeof("false")];

    return json_value_copy(value, text, sizeof(text)) >= 0 &&
           (strcasecmp(text, "false") == 0 || strcasecmp(text, "f") == 0 || strcmp(text, "0") == 0);
}

static const char *read_value(struct network_record *record, unsigned int state, const struct json_value *value)
{
    struct docker_network *network = record->network;

    switch ((int)state) {
    case JSON_TOP:
        return value->type == JSON_OBJECT ? NULL : "the network is no object";
    case ID:
        return docker_id_read(value, network->id) < 0 ? "the network's Id is no ID" : NULL;
    case NAME:
        return read_text(value, network->name, sizeof(network->name), "the network's Name is no text or too long");
    case DRIVER:
        return read_text(value, network->driver, sizeof(network->driver),
                         "the network's Driver is no text or too long");
    case INTERNAL:
        network->is_internal = value->type == JSON_BOOLEAN && value->boolean;
        return NULL;
    case BRIDGE:
        return read_if_short(value, network->bridge, sizeof(network->bridge));
    case ICC:
        network->is_without_icc = is_false(value);
        return NULL;
    case PROJECT:
        return read_if_short(value, network->project, sizeof(network->project));
    case CONFIGURATION:
        return begin_subnet(record);
    case SUBNET:
        return read_subnet(record, value);
    case RANGE:
        return read_range(record, value);
    case GATEWAY:
        return read_address(value, IP_FAMILY_NONE, &current_subnet(record)->gateway,
                            "a Gateway in IPAM.Config is no address");
    case AUXILIARY_GATEWAY4:
        return read_address(value, IP_FAMILY_4, &current_subnet(record)->auxiliary_gateway,
                            "DefaultGatewayIPv4 is no IPv4 address");
    case AUXILIARY_GATEWAY6:
        return read_address(value, IP_FAMILY_6, &current_subnet(record)->auxiliary_gateway,
                            "DefaultGatewayIPv6 is no IPv6 address");
    case LABELLED_GATEWAY4:
        return read_address(value, IP_FAMILY_4, &record->labelled[0], "anchord.gateway.v4 is no IPv4 address");
    case LABELLED_GATEWAY6:
        return read_address(value, IP_FAMILY_6, &record->labelled[1], "anchord.gateway.v6 is no IPv6 address");
    default:
        return NULL;
    }
}

static void begin_attached(struct network_record *record, const char *id, const struct json_value *value)
{
    const struct json_value key = {.type = JSON_STRING, .text = id, .length = strlen(id)};

    record->attached = (struct docker_attached){0};
    record->is_attached_odd = value->type != JSON_OBJECT || docker_id_read(&key, record->attached.id) < 0;
}

/* Other people's containers: what is odd about one is no reason to doubt the network. */
static void read_attached(struct network_record *record, unsigned int state, const char *key,
                          const struct json_value *value)
{
    struct docker_attached *attached = &record->attached;

    if (state == ATTACHED)
        begin_attached(record, key, value);
    else if (state == ATTACHED_NAME && json_value_copy(value, attached->name, sizeof(attached->name)) < 0)
        attached->name[0] = '\0';
    else if (state == ATTACHED_ADDRESS4)
        record->is_attached_odd |= docker_address_read(value, IP_FAMILY_4, &attached->address4) < 0;
    else if (state == ATTACHED_ADDRESS6)
        record->is_attached_odd |= docker_address_read(value, IP_FAMILY_6, &attached->address6) < 0;
}

static void on_value(void *userdata, unsigned int state, const char *key, const struct json_value *value)
{
    struct docker_parser *parser = userdata;
    struct network_record *record = parser->record;

    if (state >= CONTAINERS)
        read_attached(record, state, key, value);
    else if (!record->broken)
        record->broken = read_value(record, state, value);
}

static void on_end(void *userdata, unsigned int state)
{
    struct docker_parser *parser = userdata;
    struct network_record *record = parser->record;

    if (state == ATTACHED && record->on_attached && !record->is_attached_odd)
        record->on_attached(record->userdata, &record->attached);
}

/* A gateway of another family than its subnet would pass nobody's check later. */
static const char *check_subnet(const struct docker_subnet *subnet)
{
    uint8_t family = subnet->subnet.address.family;

    if (family == IP_FAMILY_NONE)
        return "an entry of IPAM.Config without Subnet";
    if (subnet->range.address.family && !ip_subnet_contains(&subnet->subnet, &subnet->range.address))
        return "an IPRange in IPAM.Config outside of its subnet";
    if ((subnet->gateway.family && subnet->gateway.family != family) ||
        (subnet->auxiliary_gateway.family && subnet->auxiliary_gateway.family != family))
        return "a gateway in IPAM.Config of another family than its subnet";
    return NULL;
}

/* Labels may stand before or behind the subnets. An auxiliary address says more: Docker itself knows it. */
static const char *place_labelled(struct docker_network *network, const struct ip_address *gateway)
{
    if (gateway->family == IP_FAMILY_NONE)
        return NULL;
    for (size_t i = 0; i < network->subnet_count; i++) {
        struct docker_subnet *subnet = &network->subnets[i];

        if (!ip_subnet_contains(&subnet->subnet, gateway))
            continue;
        if (subnet->auxiliary_gateway.family == IP_FAMILY_NONE)
            subnet->auxiliary_gateway = *gateway;
        return NULL;
    }
    return "a label anchord.gateway.v4 or .v6 is in no subnet of the network";
}

static const char *check(struct docker_parser *parser)
{
    struct network_record *record = parser->record;
    const char *broken = record->broken;

    if (!broken && (record->network->id[0] == '\0' || record->network->name[0] == '\0'))
        broken = "the network has no Id or no Name";
    for (size_t i = 0; i < record->network->subnet_count && !broken; i++)
        broken = check_subnet(&record->network->subnets[i]);
    for (size_t i = 0; i < ARRAY_LENGTH(record->labelled) && !broken; i++)
        broken = place_labelled(record->network, &record->labelled[i]);
    return broken;
}

int docker_parser_new_network(struct docker_network *network, docker_attached_handler on_attached, void *userdata,
                              struct docker_parser **ret)
{
    static const struct json_consumer consumer = {
        .rules = rules,
        .rule_count = ARRAY_LENGTH(rules),
        .on_value = on_value,
        .on_end = on_end,
        .document_max = DOCKER_NETWORK_LENGTH_MAX,
    };
    struct network_record *record = calloc(1, sizeof(*record));

    *network = (struct docker_network){0};
    if (record) {
        record->network = network;
        record->on_attached = on_attached;
        record->userdata = userdata;
    }
    return docker_parser_new(&consumer, check, record, ret);
}
