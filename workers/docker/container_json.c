/*
 * GET /containers/json, one container at a time; see records.h. Reads foreign bytes, runs without any privilege.
 *
 *     [{"Id": "8dfa…", "Names": ["/web"], "Created": 1763826000,
 *       "State": "running", "Status": "Up 3 minutes (healthy)",
 *       "Command": "/usr/libexec/anchord/anchord-init service-anchor",
 *       "HostConfig": {"NetworkMode": "mail_transit"},
 *       "Ports": [{"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"}],
 *       "Labels": {"anchord.expose": "tcp/80"},
 *       "NetworkSettings": {"Networks": {"transit": {
 *           "NetworkID": "7ea2…", "IPAddress": "172.30.0.5", "GlobalIPv6Address": "fd30::5",
 *           "MacAddress": "02:42:ac:1e:00:05", "GwPriority": 0}}}}, …]
 */
#include "workers/docker/parser.h"

#include "common/array.h"
#include "common/text.h"

#include <netinet/in.h>
#include <string.h>

enum state {
    CONTAINER = JSON_FIRST_STATE,
    ID,
    NAMES,
    NAME,
    CREATED,
    STATE,
    STATUS,
    COMMAND,
    HOST_CONFIG,
    NETWORK_MODE,
    LABELS,
    LABEL,
    NETWORK_SETTINGS,
    NETWORKS,
    ENDPOINT,
    NETWORK_ID,
    ADDRESS4,
    ADDRESS6,
    MAC,
    GATEWAY_PRIORITY,
    IPAM_CONFIGURATION,
    FIXED_ADDRESS4,
    FIXED_ADDRESS6,
    PORTS,
    PORT,
    PORT_ADDRESS,
    PRIVATE_PORT,
    PUBLIC_PORT,
    PORT_TYPE,
};

static const struct json_rule rules[] = {
    {JSON_TOP, CONTAINER, JSON_EVERY_ELEMENT},
    {CONTAINER, ID, "Id"},
    {CONTAINER, NAMES, "Names"},
    {NAMES, NAME, JSON_EVERY_ELEMENT},
    {CONTAINER, CREATED, "Created"},
    {CONTAINER, STATE, "State"},
    {CONTAINER, STATUS, "Status"},
    {CONTAINER, COMMAND, "Command"},
    {CONTAINER, HOST_CONFIG, "HostConfig"},
    {HOST_CONFIG, NETWORK_MODE, "NetworkMode"},
    {CONTAINER, LABELS, "Labels"},
    {LABELS, LABEL, JSON_EVERY_MEMBER},
    {CONTAINER, NETWORK_SETTINGS, "NetworkSettings"},
    {NETWORK_SETTINGS, NETWORKS, "Networks"},
    {NETWORKS, ENDPOINT, JSON_EVERY_MEMBER},
    {ENDPOINT, NETWORK_ID, "NetworkID"},
    {ENDPOINT, ADDRESS4, "IPAddress"},
    {ENDPOINT, ADDRESS6, "GlobalIPv6Address"},
    {ENDPOINT, MAC, "MacAddress"},
    {ENDPOINT, GATEWAY_PRIORITY, "GwPriority"},
    {ENDPOINT, IPAM_CONFIGURATION, "IPAMConfig"},
    {IPAM_CONFIGURATION, FIXED_ADDRESS4, "IPv4Address"},
    {IPAM_CONFIGURATION, FIXED_ADDRESS6, "IPv6Address"},
    /* These stand last: PORT_RULES of them, for those who want them. */
    {CONTAINER, PORTS, "Ports"},
    {PORTS, PORT, JSON_EVERY_ELEMENT},
    {PORT, PORT_ADDRESS, "IP"},
    {PORT, PRIVATE_PORT, "PrivatePort"},
    {PORT, PUBLIC_PORT, "PublicPort"},
    {PORT, PORT_TYPE, "Type"},
};

#define PORT_RULES 6

struct container_list {
    struct docker_container container;
    struct docker_label_names labels;
    docker_container_handler on_container;
    docker_odd_handler on_odd;
    void *userdata;
    uint32_t matched;       /* of the selector */
    const char *odd_reason; /* the first thing wrong with this container */
    bool top_is_array;
    bool is_argument_service_anchor; /* of this container: its command begins with the word */
    struct docker_port port;         /* that is being read */
    size_t port_capacity;            /* of the parser's array */
};

static void odd(struct container_list *list, const char *reason)
{
    if (!list->odd_reason)
        list->odd_reason = reason;
}

/* The labels' text is not cleared: is_present says whether it counts, and 112 KiB a container are worth it. */
static void begin_container(struct container_list *list, const struct json_value *value)
{
    struct docker_container *container = &list->container;

    list->matched = 0;
    list->is_argument_service_anchor = false;
    list->odd_reason = value->type == JSON_OBJECT ? NULL : "the container is no object";
    memset(container, 0, offsetof(struct docker_container, endpoints));
    for (size_t i = 0; i < DOCKER_LABELS_MAX; i++)
        container->labels[i].is_present = false;
    if (list->odd_reason && value->type != JSON_ARRAY)
        list->on_odd(list->userdata, "", "", list->odd_reason);
}

static void end_container(struct container_list *list)
{
    struct docker_container *container = &list->container;

    if (container->id[0] == '\0')
        odd(list, "no Id");
    /* Docker's Command begins with the entrypoint; Podman's is the arguments alone. */
    if (!container->tells_network_mode && list->is_argument_service_anchor)
        container->is_service_anchor = true;
    container->may_be_service_anchor |= container->is_service_anchor;
    container->is_selected = docker_labels_are_selected(&list->labels, list->matched);
    if (list->odd_reason)
        list->on_odd(list->userdata, container->id, container->name, list->odd_reason);
    else
        list->on_container(list->userdata, container);
}

/* Docker writes names with a slash before them; those with a second one are links from other containers. */
static void read_name(struct container_list *list, const struct json_value *value)
{
    char name[NAME_SIZE] = {0};
    size_t length;

    if (value->type != JSON_STRING || memchr(value->text, '\0', value->length)) {
        odd(list, "a name in Names is no text");
        return;
    }
    length = value->length < sizeof(name) ? value->length : sizeof(name) - 1;
    memcpy(name, value->text, length);
    if (list->container.name[0] == '\0' || !strchr(name + 1, '/'))
        text_copy_cut(list->container.name, sizeof(list->container.name), name[0] == '/' ? name + 1 : name);
}

static void read_label(struct container_list *list, const char *key, const struct json_value *value)
{
    int index = docker_label_find(&list->labels, key);

    if (index >= 0 && docker_label_read(&list->container.labels[index], value) < 0)
        odd(list, "a label that we read is longer than 15999 bytes or no text");
    list->matched |= docker_label_select(&list->labels, key, value);
    if (list->container.unknown_label[0] == '\0' && docker_label_is_unknown(&list->labels, key))
        text_copy_cut(list->container.unknown_label, sizeof(list->container.unknown_label), key);
}

static void begin_endpoint(struct container_list *list, const char *network, const struct json_value *value)
{
    struct docker_container *container = &list->container;
    struct docker_endpoint *endpoint;

    if (value->type == JSON_NULL)
        return;
    if (container->endpoint_count == DOCKER_ENDPOINTS_MAX) {
        odd(list, "attached to more than 32 networks");
        return;
    }
    endpoint = &container->endpoints[container->endpoint_count++];
    *endpoint = (struct docker_endpoint){0};
    if (value->type != JSON_OBJECT)
        odd(list, "an entry of Networks is no object");
    if (network[0] == '\0' || text_copy(endpoint->network, sizeof(endpoint->network), network) < 0)
        odd(list, "a network's name is empty, longer than 127 bytes or no text");
}

/* A container that does not run has "" where another has an address. */
static bool is_empty(const struct json_value *value)
{
    return value->type == JSON_NULL || (value->type == JSON_STRING && value->length == 0);
}

static bool is_text(const struct json_value *value, const char *text)
{
    return value->type == JSON_STRING && value->length == strlen(text) && memcmp(value->text, text, value->length) == 0;
}

/* A number of Go's type int, either sign; one that we cannot hold stands for its sign. */
static int32_t read_priority(const struct json_value *value)
{
    bool is_negative = value->type == JSON_NUMBER && value->text[0] == '-';
    uint64_t number = 0;
    int result = 0;

    if (value->type == JSON_NUMBER)
        result = text_to_number(value->text + is_negative, value->length - is_negative, INT32_MAX, &number);
    if (result == -ERANGE)
        number = INT32_MAX;
    return is_negative ? -(int32_t)number : (int32_t)number;
}

static void read_endpoint(struct container_list *list, unsigned int state, const struct json_value *value)
{
    struct docker_container *container = &list->container;
    struct docker_endpoint *endpoint;
    char text[MAC_ADDRESS_TEXT_SIZE];

    if (list->odd_reason || container->endpoint_count == 0)
        return;
    endpoint = &container->endpoints[container->endpoint_count - 1];
    if (state == NETWORK_ID && !is_empty(value) && docker_id_read(value, endpoint->network_id) < 0)
        odd(list, "NetworkID is no ID");
    else if (state == ADDRESS4 && docker_address_read(value, IP_FAMILY_4, &endpoint->address4) < 0)
        odd(list, "IPAddress is no IPv4 address");
    else if (state == ADDRESS6 && docker_address_read(value, IP_FAMILY_6, &endpoint->address6) < 0)
        odd(list, "GlobalIPv6Address is no IPv6 address");
    else if (state == GATEWAY_PRIORITY)
        endpoint->gateway_priority = read_priority(value);
    else if (state == FIXED_ADDRESS4)
        endpoint->has_fixed_address4 = !is_empty(value);
    else if (state == FIXED_ADDRESS6)
        endpoint->has_fixed_address6 = !is_empty(value);
    else if (state == MAC && !is_empty(value) &&
             (json_value_copy(value, text, sizeof(text)) < 0 || mac_address_parse(text, &endpoint->mac) < 0))
        odd(list, "MacAddress is no MAC address");
}

static void read_state(struct container_list *list, const struct json_value *value)
{
    struct docker_container *container = &list->container;
    char text[32];
    bool is_text = json_value_copy(value, text, sizeof(text)) == 0;

    container->is_paused = is_text && strcmp(text, "paused") == 0;
    container->is_restarting = is_text && strcmp(text, "restarting") == 0;
    container->is_running = is_text && (container->is_paused || strcmp(text, "running") == 0);
}

static bool contains(const struct json_value *value, const char *text)
{
    return value->type == JSON_STRING && memmem(value->text, value->length, text, strlen(text));
}

static void read_health(struct container_list *list, const struct json_value *value)
{
    enum docker_health health = DOCKER_HEALTH_NONE;

    if (contains(value, "(healthy)"))
        health = DOCKER_HEALTH_HEALTHY;
    else if (contains(value, "(unhealthy)"))
        health = DOCKER_HEALTH_UNHEALTHY;
    else if (contains(value, "(health: starting)"))
        health = DOCKER_HEALTH_STARTING;
    list->container.health = health;
}

/* Is it this word, with nothing or a blank behind it? */
static bool begins_with_word(const char *text, const char *end, const char *word)
{
    size_t length = strlen(word);

    return (size_t)(end - text) >= length && memcmp(text, word, length) == 0 &&
           (text + length == end || text[length] == ' ');
}

/* Is it anchord's program, and does no argument name a role? One that begins with `-` names none. */
static bool names_no_role(const char *text, const char *end)
{
    static const char *const programs[] = {"anchord-init", "anchord"};
    const char *blank = memchr(text, ' ', (size_t)(end - text));
    const char *path_end = blank ? blank : end;
    const char *slash = memrchr(text, '/', (size_t)(path_end - text));
    const char *program = slash ? slash + 1 : text;
    bool is_anchord = false;

    for (size_t i = 0; i < ARRAY_LENGTH(programs); i++)
        is_anchord |= begins_with_word(program, end, programs[i]);
    while (blank && blank + 1 < end && blank[1] == '-')
        blank = memchr(blank + 1, ' ', (size_t)(end - blank - 1));
    return is_anchord && (!blank || blank + 1 == end);
}

/* The whole command in one text, a blank between the arguments. */
static void read_command(struct container_list *list, const struct json_value *value)
{
    static const char word[] = " service-anchor";
    const char *end, *found;

    if (value->type != JSON_STRING)
        return;
    end = value->text + value->length;
    found = memmem(value->text, value->length, word, strlen(word));
    list->container.is_service_anchor = found && begins_with_word(found, end, word);
    list->container.may_be_service_anchor = names_no_role(value->text, end);
    list->is_argument_service_anchor = begins_with_word(value->text, end, word + 1);
}

static void read_network_mode(struct container_list *list, const struct json_value *value)
{
    list->container.is_in_host_network = is_text(value, "host");
    list->container.is_without_network = is_text(value, "none");
    list->container.tells_network_mode = value->type == JSON_STRING;
    list->container.joins_another = docker_joined_id_read(value, list->container.joined_id);
}

/* Text that names no protocol of ours is no fault: there is SCTP, and there may be others. */
static uint8_t read_port_type(const struct json_value *value)
{
    if (is_text(value, "tcp"))
        return IPPROTO_TCP;
    return is_text(value, "udp") ? IPPROTO_UDP : 0;
}

static uint16_t read_port_number(struct container_list *list, const struct json_value *value)
{
    uint64_t number = 0;

    if (value->type != JSON_NULL && json_value_number(value, UINT16_MAX, &number) < 0)
        odd(list, "a port in Ports is no port");
    return (uint16_t)number;
}

static void read_port(struct container_list *list, unsigned int state, const struct json_value *value)
{
    struct docker_port *port = &list->port;

    if (state == PORT)
        *port = (struct docker_port){0};
    else if (state == PRIVATE_PORT)
        port->private_port = read_port_number(list, value);
    else if (state == PUBLIC_PORT)
        port->public_port = read_port_number(list, value);
    else if (state == PORT_TYPE)
        port->protocol = read_port_type(value);
    else if (state == PORT_ADDRESS && docker_address_read(value, IP_FAMILY_NONE, &port->address) < 0)
        odd(list, "an IP in Ports is no address");
}

/* What is exposed and not published has no port of the host. */
static void end_port(struct docker_parser *parser)
{
    struct container_list *list = parser->record;
    struct docker_container *container = &list->container;
    struct docker_port *ports;

    if (list->port.public_port == 0 || list->port.private_port == 0 || list->odd_reason)
        return;
    if (container->port_count == DOCKER_PORTS_MAX) {
        odd(list, "publishes more than 65536 ports");
        return;
    }
    ports = array_grow(parser->array, container->port_count, &list->port_capacity, sizeof(*ports));
    if (!ports) {
        odd(list, "there is no memory for its ports");
        return;
    }
    ports[container->port_count++] = list->port;
    container->ports = parser->array = ports;
}

static void on_container_value(struct container_list *list, unsigned int state, const char *key,
                               const struct json_value *value)
{
    if (state == ID && docker_id_read(value, list->container.id) < 0)
        odd(list, "Id is no ID");
    else if (state == NAME)
        read_name(list, value);
    else if (state == CREATED && json_value_number(value, INT64_MAX, &list->container.created) < 0)
        odd(list, "Created is no time");
    else if (state == STATE)
        read_state(list, value);
    else if (state == STATUS)
        read_health(list, value);
    else if (state == COMMAND)
        read_command(list, value);
    else if (state == NETWORK_MODE)
        read_network_mode(list, value);
    else if (state == LABEL)
        read_label(list, key, value);
    else if ((state == LABELS || state == NETWORK_SETTINGS || state == NETWORKS) && value->type != JSON_OBJECT &&
             value->type != JSON_NULL)
        odd(list, "Labels or NetworkSettings is no object");
    else if (state == ENDPOINT)
        begin_endpoint(list, key, value);
    else if (state >= PORT)
        read_port(list, state, value);
    else if (state >= NETWORK_ID && state < PORTS)
        read_endpoint(list, state, value);
}

static void on_value(void *userdata, unsigned int state, const char *key, const struct json_value *value)
{
    struct docker_parser *parser = userdata;
    struct container_list *list = parser->record;

    if (state == JSON_TOP)
        list->top_is_array = value->type == JSON_ARRAY;
    else if (state == CONTAINER)
        begin_container(list, value);
    else
        on_container_value(list, state, key, value);
}

static void on_end(void *userdata, unsigned int state)
{
    struct docker_parser *parser = userdata;

    if (state == CONTAINER)
        end_container(parser->record);
    else if (state == PORT)
        end_port(parser);
}

static const char *check(struct docker_parser *parser)
{
    const struct container_list *list = parser->record;

    return list->top_is_array ? NULL : "the list of containers is no array";
}

int docker_parser_new_containers(const struct docker_label_names *labels, docker_container_handler on_container,
                                 docker_odd_handler on_odd, void *userdata, struct docker_parser **ret)
{
    const struct json_consumer consumer = {
        .rules = rules,
        .rule_count = labels->with_ports ? ARRAY_LENGTH(rules) : ARRAY_LENGTH(rules) - PORT_RULES,
        .on_value = on_value,
        .on_end = on_end,
        .document_max = DOCKER_LIST_LENGTH_MAX,
    };
    struct container_list *list = calloc(1, sizeof(*list));

    if (list) {
        list->labels = *labels;
        list->on_container = on_container;
        list->on_odd = on_odd;
        list->userdata = userdata;
    }
    return docker_parser_new(&consumer, check, list, ret);
}
