/*
 * Fuzz target: Docker's list of containers, a network, a version, a container's mode (workers/docker). The first byte
 * chooses which, the second how long the pieces are that the rest arrives in; the same comes out of one piece.
 */
#include "tests/fuzz/docker_input.h"
#include "tests/fuzz/target.h"

static const struct docker_label_names labels = {
    .names = {"com.docker.compose.project", "anchord.expose", "anchord.expose.v6"},
    .count = 3,
    .with_ports = true,
};

static void on_container(void *userdata, const struct docker_container *container)
{
    struct digest *digest = userdata;

    if (container->id[0] == '\0' || container->endpoint_count > DOCKER_ENDPOINTS_MAX)
        abort();
    digest->records++;
    digest_add_text(digest, container->id, sizeof(container->id));
    digest_add_text(digest, container->name, sizeof(container->name));
    digest_add(digest, &container->created, sizeof(container->created));
    digest_add(digest, &container->is_running, sizeof(container->is_running));
    digest_add(digest, &container->is_service_anchor, sizeof(container->is_service_anchor));
    digest_add(digest, &container->health, sizeof(container->health));
    digest_add_text(digest, container->joined_id, sizeof(container->joined_id));
    for (size_t i = 0; i < container->endpoint_count; i++) {
        const struct docker_endpoint *endpoint = &container->endpoints[i];

        digest_add_text(digest, endpoint->network, sizeof(endpoint->network));
        digest_add_text(digest, endpoint->network_id, sizeof(endpoint->network_id));
        digest_add(digest, &endpoint->mac, sizeof(endpoint->mac));
        digest_add(digest, &endpoint->address4, sizeof(endpoint->address4));
        digest_add(digest, &endpoint->address6, sizeof(endpoint->address6));
        digest_add(digest, &endpoint->gateway_priority, sizeof(endpoint->gateway_priority));
    }
    if (container->port_count > DOCKER_PORTS_MAX)
        abort();
    for (size_t i = 0; i < container->port_count; i++) {
        const struct docker_port *port = &container->ports[i];

        digest_add(digest, &port->address, sizeof(port->address));
        digest_add(digest, &port->protocol, sizeof(port->protocol));
        digest_add(digest, &port->public_port, sizeof(port->public_port));
        digest_add(digest, &port->private_port, sizeof(port->private_port));
    }
    digest_add_labels(digest, container->labels);
}

static void on_odd(void *userdata, const char *id, const char *name, const char *reason)
{
    struct digest *digest = userdata;

    digest->records++;
    digest_add_text(digest, id, DOCKER_ID_SIZE);
    digest_add_text(digest, name, NAME_SIZE);
    digest_add(digest, reason, strlen(reason));
}

static int read_list(const uint8_t *bytes, size_t length, size_t step, struct digest *digest)
{
    CLEANUP(docker_parser_freep) struct docker_parser *parser = NULL;

    if (docker_parser_new_containers(&labels, on_container, on_odd, digest, &parser) < 0)
        abort();
    return feed_in_pieces(parser, bytes, length, step);
}

static void add_network(struct digest *digest, const struct docker_network *network)
{
    digest->records++;
    digest_add_text(digest, network->id, sizeof(network->id));
    digest_add_text(digest, network->name, sizeof(network->name));
    digest_add_text(digest, network->driver, sizeof(network->driver));
    if (network->id[0] == '\0' || network->name[0] == '\0' || network->subnet_count > SUBNETS_MAX)
        abort();
    for (size_t i = 0; i < network->subnet_count; i++) {
        const struct docker_subnet *subnet = &network->subnets[i];
        uint8_t family = subnet->subnet.address.family;

        if (!family || subnet->subnet.prefix_length > ip_family_length(family) * 8 ||
            (subnet->gateway.family && subnet->gateway.family != family) ||
            (subnet->auxiliary_gateway.family && subnet->auxiliary_gateway.family != family))
            abort();
        digest_add(digest, &subnet->subnet.address, sizeof(subnet->subnet.address));
        digest_add(digest, &subnet->gateway, sizeof(subnet->gateway));
        digest_add(digest, &subnet->auxiliary_gateway, sizeof(subnet->auxiliary_gateway));
    }
}

static void on_attached(void *userdata, const struct docker_attached *attached)
{
    struct digest *digest = userdata;

    if (attached->id[0] == '\0')
        abort();
    digest->records++;
    digest_add_text(digest, attached->id, sizeof(attached->id));
    digest_add_text(digest, attached->name, sizeof(attached->name));
    digest_add(digest, &attached->address4, sizeof(attached->address4));
    digest_add(digest, &attached->address6, sizeof(attached->address6));
}

static int read_network(const uint8_t *bytes, size_t length, size_t step, struct digest *digest)
{
    CLEANUP(docker_parser_freep) struct docker_parser *parser = NULL;
    struct docker_network network;
    int result;

    if (docker_parser_new_network(&network, on_attached, digest, &parser) < 0)
        abort();
    result = feed_in_pieces(parser, bytes, length, step);
    if (result == 0)
        add_network(digest, &network);
    return result;
}

static int read_version(const uint8_t *bytes, size_t length, size_t step, struct digest *digest)
{
    CLEANUP(docker_parser_freep) struct docker_parser *parser = NULL;
    struct docker_version version = {0};
    const char *reason = NULL;
    int result;

    if (docker_parser_new_version(&version, &parser) < 0)
        abort();
    result = feed_in_pieces(parser, bytes, length, step);
    if (result < 0)
        return result;
    digest_add_text(digest, version.engine, sizeof(version.engine));
    if (docker_version_negotiate(&version, &reason) < 0) {
        digest_add(digest, reason, strlen(reason));
        return 0;
    }
    if (version.api_negotiated > version.api || version.api_negotiated < version.api_minimum ||
        version.api_negotiated < DOCKER_API_OLDEST || version.api_negotiated > DOCKER_API_NEWEST)
        abort();
    digest_add(digest, &version.api_negotiated, sizeof(version.api_negotiated));
    return 0;
}

static int read_inspection(const uint8_t *bytes, size_t length, size_t step, struct digest *digest)
{
    CLEANUP(docker_parser_freep) struct docker_parser *parser = NULL;
    struct docker_inspection inspection;
    int result;

    if (docker_parser_new_inspection(&inspection, &parser) < 0)
        abort();
    result = feed_in_pieces(parser, bytes, length, step);
    digest_add(digest, &inspection.is_service_anchor, sizeof(inspection.is_service_anchor));
    digest_add(digest, &inspection.health, sizeof(inspection.health));
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static int (*const readers[])(const uint8_t *, size_t, size_t, struct digest *) = {read_list, read_network,
                                                                                       read_version, read_inspection};
    struct digest whole = {0};
    struct digest pieces = {0};
    char message[64];
    size_t reader;

    if (length < 3)
        return 0;
    reader = bytes[0] % (sizeof(readers) / sizeof(*readers));
    if (readers[reader](bytes + 2, length - 2, length, &whole) !=
        readers[reader](bytes + 2, length - 2, 1 + bytes[1] % 64, &pieces))
        abort();
    if (whole.records != pieces.records || whole.value != pieces.value)
        abort();
    docker_error_message((const char *)bytes + 2, length - 2, message, sizeof(message));
    digest_add_text(&whole, message, sizeof(message));
    return 0;
}
