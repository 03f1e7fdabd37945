/*
 * The follower's place on the network that it follows; see endpoint.h. Pure, reads foreign bytes, no privilege.
 *
 *     ContainerInspect: {"NetworkSettings": {"Networks": {"peer-bus": {"NetworkID": "9e53…", "Aliases": ["monitor"],
 *                        "IPAMConfig": {"IPv4Address": "172.29.7.9"}, "DriverOpts": null, …}}}, …}
 *     NetworkInspect:   {"Name": "peer-bus", "Id": "9e53…", "Created": "2026-11-22T22:39:23.14547766Z",
 *                        "Containers": {"f5c4…": {"Name": "own-monitor-1", …}, …}, …}
 */
#include "workers/keeper/endpoint.h"

#include "common/cleanup.h"
#include "workers/docker/plain_name.h"
#include "workers/docker/timestamp.h"
#include "workers/keeper/json_text.h"

#include <stdio.h>
#include <string.h>

/* What a person can say of an endpoint (EndpointSettings). Not the MAC address: Docker does not tell a chosen one from
 * its own, and an engine before 28 gives its own to the next container with the same address. */
static const char *const configurable[] = {"IPAMConfig", "Links", "Aliases", "DriverOpts", "GwPriority"};

static struct json_slice endpoint_of(const struct inspection *container, const char *network)
{
    struct json_slice settings = json_slice_member(container->root, "NetworkSettings");

    return json_slice_member(json_slice_member(settings, "Networks"), network);
}

void endpoint_read(const struct inspection *container, const char *network, struct endpoint *ret)
{
    struct json_slice endpoint = endpoint_of(container, network);

    *ret = (struct endpoint){.is_there = !json_slice_is_none(endpoint)};
    if (json_slice_copy(json_slice_member(endpoint, "NetworkID"), ret->network_id, sizeof(ret->network_id)) < 0)
        ret->network_id[0] = '\0';
}

/* "network 9e53… not found", behind other words since 26 (moby daemon/network.go, libnetwork's ErrNoSuchNetwork). */
bool endpoint_prevented_start(const struct inspection *container)
{
    struct json_slice error = json_slice_member(json_slice_member(container->root, "State"), "Error");
    static const char word[] = "network ";
    static const char end[] = " not found\"";

    return container->has_failed_start && error.length > strlen(end) &&
           memmem(error.text, error.length, word, strlen(word)) &&
           memcmp(error.text + error.length - strlen(end), end, strlen(end)) == 0;
}

static void write_compose_aliases(struct json_text *text, const struct inspection *container)
{
    if (!plain_name_is_valid(container->service) || !plain_name_is_valid(container->name))
        return;
    json_text_put(text, "\"Aliases\":[\"");
    json_text_put(text, container->name);
    json_text_put(text, "\",\"");
    json_text_put(text, container->service);
    json_text_put(text, "\"]");
}

static void write_configuration(struct json_text *text, struct json_slice endpoint)
{
    const char *separator = "\"";

    for (size_t i = 0; i < ARRAY_LENGTH(configurable); i++) {
        struct json_slice value = json_slice_member(endpoint, configurable[i]);

        if (json_slice_is_none(value))
            continue;
        json_text_put(text, separator);
        json_text_put(text, configurable[i]);
        json_text_put(text, "\":");
        json_text_put_slice(text, value);
        separator = ",\"";
    }
}

int endpoint_copy_configuration(const struct inspection *container, const char *network, char **ret)
{
    struct json_slice endpoint = endpoint_of(container, network);
    struct json_text text = {0};

    json_text_put(&text, "{");
    if (json_slice_is_none(endpoint))
        write_compose_aliases(&text, container);
    else
        write_configuration(&text, endpoint);
    json_text_put(&text, "}");
    return json_text_take(&text, ret);
}

static void count_endpoints(struct network_view *view, struct json_slice containers, const char *follower_id)
{
    struct json_walk walk = json_walk_object(containers);
    struct json_slice key, value;
    char quoted[DOCKER_ID_SIZE + 2];

    (void)snprintf(quoted, sizeof(quoted), "\"%s\"", follower_id);
    while (json_walk_member(&walk, &key, &value)) {
        if (json_slice_equals(key, quoted))
            view->has_follower = true;
        else if (view->foreign_count < UINT32_MAX)
            view->foreign_count++;
    }
}

int endpoint_read_network(struct network_view *view, const char *name, const char *follower_id, const char **ret_reason)
{
    struct docker_document document = view->document;
    struct json_slice root = json_slice_of(document.bytes, document.length);
    char text[NAME_SIZE];

    *view = (struct network_view){.document = document};
    *ret_reason = "the network has no ID";
    if (json_slice_copy(json_slice_member(root, "Id"), view->id, sizeof(view->id)) < 0 || view->id[0] == '\0' ||
        strspn(view->id, "0123456789abcdef") != strlen(view->id))
        return -EBADMSG;
    *ret_reason = "Docker knows the name as the beginning of another network's ID";
    if (json_slice_copy(json_slice_member(root, "Name"), text, sizeof(text)) < 0 || strcmp(text, name) != 0)
        return -EBADMSG;
    if (json_slice_copy(json_slice_member(root, "Created"), text, sizeof(text)) < 0 ||
        docker_time_parse(text, &view->created) < 0)
        view->created = 0;
    count_endpoints(view, json_slice_member(root, "Containers"), follower_id);
    return 0;
}
