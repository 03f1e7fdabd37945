/* A Compose project from its JSON; see project.h. Runs without any privilege. */
#include "workers/compose/project.h"

#include "common/cleanup.h"
#include "common/text.h"

#include <string.h>
#include <strings.h>

struct reader {
    const struct json_tree *tree;
    struct project *project;
    struct json_tree_error *error;
};

static int fail(struct reader *reader, const struct json_tree_value *value, const char *reason)
{
    return json_tree_fail(reader->tree, value, reason, reader->error);
}

static int read_text(struct reader *reader, const struct json_tree_value *object, const char *key, const char **ret)
{
    return json_tree_text(reader->tree, json_tree_member(object, key), ret, reader->error);
}

static int read_boolean(struct reader *reader, const struct json_tree_value *object, const char *key, bool *ret)
{
    return json_tree_boolean(reader->tree, json_tree_member(object, key), ret, reader->error);
}

/* *ret is the member, or NULL when it is not there. */
static int read_container(struct reader *reader, const struct json_tree_value *object, const char *key,
                          enum json_tree_type type, const struct json_tree_value **ret)
{
    *ret = json_tree_member(object, key);
    return json_tree_container(reader->tree, *ret, type, reader->error);
}

static const struct json_tree_value *first_of(const struct json_tree_value *container)
{
    return container ? container->first : NULL;
}

static int check_name(struct reader *reader, const struct json_tree_value *value, const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t length = strlen(name);

    if (length == 0 || length > PROJECT_NAME_MAX || strspn(name, allowed) != length)
        return fail(reader, value, "a name of up to 200 letters, digits, dots, underscores and hyphens is expected");
    return 0;
}

/* --- networks -------------------------------------------------------------------------------------------- */

static int read_subnets(struct reader *reader, const struct json_tree_value *configurations,
                        struct project_network *network)
{
    struct ip_subnet *subnets;
    size_t count = 0;

    for (const struct json_tree_value *each = first_of(configurations); each; each = each->next)
        count++;
    subnets = arena_allocate(reader->tree->arena, count, sizeof(*subnets));
    if (!subnets)
        return -ENOMEM;
    network->subnets = subnets;
    for (const struct json_tree_value *each = first_of(configurations); each; each = each->next) {
        const char *text = NULL;
        int result = read_text(reader, each, "subnet", &text);

        if (result < 0)
            return result;
        if (text && ip_subnet_parse(text, &subnets[network->subnet_count]) < 0)
            return fail(reader, json_tree_member(each, "subnet"), "a subnet is expected here");
        network->subnet_count += text != NULL;
        if (json_tree_member(json_tree_member(each, "aux_addresses"), "DefaultGatewayIPv4"))
            network->has_gateway = true;
        if (json_tree_member(json_tree_member(each, "aux_addresses"), "DefaultGatewayIPv6"))
            network->has_gateway6 = true;
        if (text && !json_tree_member(each, "gateway"))
            network->lacks_gateway = true;
    }
    return 0;
}

static int read_network(struct reader *reader, const struct json_tree_value *value, struct project_network *network)
{
    const struct json_tree_value *configurations = NULL;
    bool has_ipv4 = true;
    int result = check_name(reader, value, value->key);

    network->key = value->key;
    network->name = value->key;
    network->driver = "";
    network->value = value;
    if (result == 0 && value->type != JSON_TREE_NULL)
        result = json_tree_container(reader->tree, value, JSON_TREE_OBJECT, reader->error);
    if (result == 0)
        result = read_text(reader, value, "name", &network->name);
    if (result == 0)
        result = read_text(reader, value, "driver", &network->driver);
    if (result == 0)
        result = read_boolean(reader, value, "internal", &network->is_internal);
    if (result == 0)
        result = read_boolean(reader, value, "external", &network->is_external);
    if (result == 0)
        result = read_boolean(reader, value, "enable_ipv6", &network->has_ipv6);
    if (result == 0)
        result = read_boolean(reader, value, "enable_ipv4", &has_ipv4);
    network->lacks_ipv4 = !has_ipv4;
    if (result == 0)
        result = read_container(reader, json_tree_member(value, "ipam"), "config", JSON_TREE_ARRAY, &configurations);
    return result == 0 ? read_subnets(reader, configurations, network) : result;
}

static int read_networks(struct reader *reader)
{
    struct project_network **end = &reader->project->networks;
    const struct json_tree_value *networks = NULL;
    int result = read_container(reader, reader->tree->root, "networks", JSON_TREE_OBJECT, &networks);

    for (const struct json_tree_value *each = first_of(networks); each && result == 0; each = each->next) {
        struct project_network *network = arena_allocate(reader->tree->arena, 1, sizeof(*network));

        if (!network)
            return -ENOMEM;
        result = read_network(reader, each, network);
        *end = network;
        end = &network->next;
    }
    return result;
}

/* --- a service's ports ----------------------------------------------------------------------------------- */

/* "", "443", "8000-8010" */
static bool parse_published(const char *text, struct project_port *port)
{
    const char *hyphen = strchr(text, '-');
    size_t length = hyphen ? (size_t)(hyphen - text) : strlen(text);
    uint64_t first;
    uint64_t last;

    if (text[0] == '\0')
        return true;
    if (text_to_number(text, length, UINT16_MAX, &first) < 0)
        return false;
    last = first;
    if (hyphen && text_to_number(hyphen + 1, strlen(hyphen + 1), UINT16_MAX, &last) < 0)
        return false;
    if (last < first || (first == 0 && last > 0))
        return false;
    port->published_first = (uint16_t)first;
    port->published_last = (uint16_t)last;
    return true;
}

static int read_port(struct reader *reader, const struct json_tree_value *value, struct project_port *port)
{
    const char *published = "";
    int64_t target = 0;
    int result;

    if (value->type != JSON_TREE_OBJECT)
        return fail(reader, value, "a port in the long form is expected, as `config` prints it without --no-normalize");
    port->protocol = "tcp";
    port->host_ip = "";
    result = json_tree_number(reader->tree, json_tree_member(value, "target"), 1, UINT16_MAX, &target, reader->error);
    if (result == 0)
        result = read_text(reader, value, "published", &published);
    if (result == 0)
        result = read_text(reader, value, "protocol", &port->protocol);
    if (result == 0)
        result = read_text(reader, value, "host_ip", &port->host_ip);
    if (result < 0)
        return result;
    if (target == 0)
        return fail(reader, value, "the port has no target");
    port->target = (uint16_t)target;
    if (!parse_published(published, port))
        return fail(reader, json_tree_member(value, "published"), "a port or a range of ports is expected here");
    return 0;
}

static int read_ports(struct reader *reader, const struct json_tree_value *value, struct project_service *service)
{
    const struct json_tree_value *ports = NULL;
    size_t count = 0;
    int result = read_container(reader, value, "ports", JSON_TREE_ARRAY, &ports);

    if (result < 0)
        return result;
    for (const struct json_tree_value *each = first_of(ports); each; each = each->next)
        count++;
    service->ports = arena_allocate(reader->tree->arena, count, sizeof(*service->ports));
    if (!service->ports)
        return -ENOMEM;
    for (const struct json_tree_value *each = first_of(ports); each && result == 0; each = each->next)
        result = read_port(reader, each, &service->ports[service->port_count++]);
    return result;
}

/* --- services -------------------------------------------------------------------------------------------- */

static int read_attachments(struct reader *reader, const struct json_tree_value *value, struct project_service *service)
{
    struct project_attachment **end = &service->attachments;
    const struct json_tree_value *networks = NULL;
    int result = read_container(reader, value, "networks", JSON_TREE_OBJECT, &networks);

    for (const struct json_tree_value *each = first_of(networks); each && result == 0; each = each->next) {
        struct project_attachment *attachment = arena_allocate(reader->tree->arena, 1, sizeof(*attachment));
        int64_t priority = 0;

        if (!attachment)
            return -ENOMEM;
        attachment->network = project_find_network(reader->project, each->key);
        if (!attachment->network)
            return fail(reader, each, "the project has no network of this name");
        result = json_tree_number(reader->tree, json_tree_member(each, "gw_priority"), INT32_MIN, INT32_MAX, &priority,
                                  reader->error);
        if (result == 0)
            result = read_text(reader, each, "interface_name", &attachment->interface_name);
        attachment->gateway_priority = (int32_t)priority;
        attachment->value = each;
        *end = attachment;
        end = &attachment->next;
    }
    return result;
}

static int read_replicas(struct reader *reader, const struct json_tree_value *value, struct project_service *service)
{
    const struct json_tree_value *deployed = json_tree_member(json_tree_member(value, "deploy"), "replicas");
    int64_t scale = 1;
    int result;

    result = json_tree_number(reader->tree, json_tree_member(value, "scale"), 0, INT32_MAX, &scale, reader->error);
    service->replicas = scale;
    if (result == 0)
        result = json_tree_number(reader->tree, deployed, 0, INT32_MAX, &service->replicas, reader->error);
    if (scale == 0) /* Compose takes this one when both are there */
        service->replicas = 0;
    return result;
}

/* `[NET_ADMIN, CAP_SYS_TIME]`: whether it may change addresses, routes and packet filters. */
static int read_capabilities(struct reader *reader, const struct json_tree_value *value,
                             struct project_service *service)
{
    const struct json_tree_value *added = NULL;
    int result = read_container(reader, value, "cap_add", JSON_TREE_ARRAY, &added);

    for (const struct json_tree_value *each = first_of(added); each && result == 0; each = each->next) {
        const char *name = "";

        result = json_tree_text(reader->tree, each, &name, reader->error);
        if (strncasecmp(name, "CAP_", strlen("CAP_")) == 0)
            name += strlen("CAP_");
        service->is_net_admin |= strcasecmp(name, "NET_ADMIN") == 0 || strcasecmp(name, "ALL") == 0;
    }
    return result;
}

/* `{net.ipv4.ip_forward: "1"}` */
static int read_sysctls(struct reader *reader, const struct json_tree_value *value, struct project_service *service)
{
    const struct json_tree_value *sysctls = NULL;
    int result = read_container(reader, value, "sysctls", JSON_TREE_OBJECT, &sysctls);

    for (const struct json_tree_value *each = first_of(sysctls); each && result == 0; each = each->next) {
        size_t length = strlen(each->key);
        bool is_forwarding =
            strcmp(each->key, "net.ipv4.ip_forward") == 0 ||
            (length > strlen(".forwarding") && strcmp(each->key + length - strlen(".forwarding"), ".forwarding") == 0);

        service->is_forwarding |= is_forwarding && each->text && strcmp(each->text, "0") != 0;
    }
    return result;
}

/* `["NAME=host-gateway"]`; Compose before 2.24 printed a colon. */
static int read_extra_hosts(struct reader *reader, const struct json_tree_value *value, struct project_service *service)
{
    const struct json_tree_value *hosts = NULL;
    int result = read_container(reader, value, "extra_hosts", JSON_TREE_ARRAY, &hosts);

    for (const struct json_tree_value *each = first_of(hosts); each && result == 0; each = each->next) {
        const char *entry = "";
        size_t length;

        result = json_tree_text(reader->tree, each, &entry, reader->error);
        length = strcspn(entry, "=:");
        if (service->host_gateway || !entry[length] || strcmp(entry + length + 1, "host-gateway") != 0)
            continue;
        service->host_gateway = arena_copy(reader->tree->arena, entry, length);
        if (!service->host_gateway)
            return -ENOMEM;
    }
    return result;
}

static int read_expose_label(struct reader *reader, const struct json_tree_value *value,
                             struct project_service *service)
{
    const struct json_tree_value *labels = NULL;
    int result = read_container(reader, value, "labels", JSON_TREE_OBJECT, &labels);

    return result < 0 ? result : read_text(reader, labels, "anchord.expose", &service->expose_label);
}

static int read_service(struct reader *reader, const struct json_tree_value *value, struct project_service *service)
{
    const struct json_tree_value *environment = NULL;
    int result = check_name(reader, value, value->key);

    service->name = value->key;
    service->value = value;
    service->network_mode = "";
    service->container_name = "";
    if (result == 0)
        result = json_tree_container(reader->tree, value, JSON_TREE_OBJECT, reader->error);
    if (result == 0)
        result = read_text(reader, value, "network_mode", &service->network_mode);
    if (result == 0)
        result = read_text(reader, value, "container_name", &service->container_name);
    if (result == 0)
        result = read_boolean(reader, value, "privileged", &service->is_privileged);
    if (result == 0)
        result = read_container(reader, value, "environment", JSON_TREE_OBJECT, &environment);
    if (result == 0)
        result = read_expose_label(reader, value, service);
    if (result == 0)
        result = read_replicas(reader, value, service);
    if (result == 0)
        result = read_capabilities(reader, value, service);
    if (result == 0)
        result = read_sysctls(reader, value, service);
    if (result == 0)
        result = read_extra_hosts(reader, value, service);
    if (result == 0)
        result = read_attachments(reader, value, service);
    if (result < 0)
        return result;
    service->has_expose = first_of(json_tree_member(value, "expose")) != NULL;
    service->has_profiles = first_of(json_tree_member(value, "profiles")) != NULL;
    service->is_network_anchor = json_tree_member(environment, "ANCHORD_EXT_NETWORK") != NULL;
    return read_ports(reader, value, service);
}

static int read_services(struct reader *reader)
{
    struct project_service **end = &reader->project->services;
    const struct json_tree_value *services = NULL;
    size_t count = 0;
    int result = read_container(reader, reader->tree->root, "services", JSON_TREE_OBJECT, &services);

    if (result == 0 && !first_of(services))
        return fail(reader, reader->tree->root,
                    "no services: is this what `docker compose config --format json` printed?");
    for (const struct json_tree_value *each = first_of(services); each && result == 0; each = each->next) {
        struct project_service *service = arena_allocate(reader->tree->arena, 1, sizeof(*service));

        if (!service)
            return -ENOMEM;
        if (++count > PROJECT_SERVICES_MAX)
            return fail(reader, each, "more than 2000 services");
        if (project_find_service(reader->project, each->key))
            return fail(reader, each, "this service stands here twice");
        result = read_service(reader, each, service);
        *end = service;
        end = &service->next;
    }
    return result;
}

int project_read(const struct json_tree *tree, struct project *ret, struct json_tree_error *ret_error)
{
    struct reader reader = {.tree = tree, .project = ret, .error = ret_error};
    int result;

    *ret = (struct project){.name = ""};
    result = json_tree_container(tree, tree->root, JSON_TREE_OBJECT, ret_error);
    if (result == 0)
        result = read_text(&reader, tree->root, "name", &ret->name);
    if (result == 0)
        result = json_tree_member(tree->root, "name")
                     ? check_name(&reader, json_tree_member(tree->root, "name"), ret->name)
                     : fail(&reader, tree->root, "the project's name is missing, which `docker compose config` prints");
    if (result == 0)
        result = read_networks(&reader);
    return result == 0 ? read_services(&reader) : result;
}

const struct project_service *project_find_service(const struct project *project, const char *name)
{
    for (const struct project_service *service = project->services; service; service = service->next) {
        if (strcmp(service->name, name) == 0)
            return service;
    }
    return NULL;
}

const struct project_network *project_find_network(const struct project *project, const char *key)
{
    for (const struct project_network *network = project->networks; network; network = network->next) {
        if (strcmp(network->key, key) == 0)
            return network;
    }
    return NULL;
}
