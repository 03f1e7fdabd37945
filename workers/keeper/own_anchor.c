/* The network-anchor that the keeper belongs to; see own_anchor.h. Runs without any privilege. */
#include "workers/keeper/own_anchor.h"

#include "common/log.h"

#include <string.h>

void own_anchor_set_topology(struct own_anchor_search *search, const struct message_topology *topology)
{
    memcpy(search->network, topology->shared.name, sizeof(search->network)); /* each of the same size */
    search->mac = topology->shared.mac;
}

bool own_anchor_can_be_asked(const struct own_anchor_search *search)
{
    return search->network[0] != '\0';
}

static void fail(struct own_anchor_search *search, const char *text)
{
    inspection_release(&search->container);
    search->on_done(search->userdata, NULL, text);
}

static void on_inspected(void *userdata, int error, const char *text)
{
    struct own_anchor_search *search = userdata;
    const char *reason = text;

    if (!session_check_answer(search->session, error, text))
        return;
    if (error == 0)
        error = inspection_read(&search->container, &reason);
    if (error < 0) {
        fail(search, reason);
        return;
    }
    memcpy(search->found.image_id, search->container.image_id, sizeof(search->found.image_id));
    if (json_slice_copy(json_slice_member(json_slice_member(search->container.root, "Config"), "Image"),
                        search->found.image, sizeof(search->found.image)) < 0 ||
        search->found.image_id[0] == '\0') {
        fail(search, "Docker does not tell its image");
        return;
    }
    inspection_release(&search->container);
    search->on_done(search->userdata, &search->found, "");
}

static void on_container(void *userdata, const struct docker_container *container)
{
    struct own_anchor_search *search = userdata;

    for (size_t i = 0; i < container->endpoint_count; i++) {
        const struct docker_endpoint *endpoint = &container->endpoints[i];

        if (!mac_address_equal(&endpoint->mac, &search->mac))
            continue;
        memcpy(search->endpoint_id, container->id, sizeof(search->endpoint_id));
        search->found.address4 = endpoint->address4;
        search->found.address6 = endpoint->address6;
    }
}

static void on_odd_container(void *userdata, const char *id, const char *name, const char *reason)
{
    (void)userdata;
    log_debug("odd container in Docker's list, ignoring", LOG_TEXT("container", name), LOG_TEXT("id", id),
              LOG_ERROR_TEXT(reason));
}

static void inspect(struct own_anchor_search *search)
{
    session_check_sent(search->session, docker_client_inspect_whole(session_client(search->session), search->id,
                                                                    &search->container.document, on_inspected, search));
}

static void on_guest(void *userdata, const struct docker_container *container)
{
    struct own_anchor_search *search = userdata;

    if (!container->is_running || strcmp(container->joined_id, search->endpoint_id) != 0)
        return;
    search->is_ambiguous = search->id[0] != '\0';
    memcpy(search->id, container->id, sizeof(search->id));
}

static void on_guests_listed(void *userdata, int error, const char *text)
{
    struct own_anchor_search *search = userdata;

    if (error < 0)
        session_fail(search->session, text);
    else if (search->is_ambiguous)
        fail(search, "several containers live in the holder's network namespace");
    else if (search->id[0] == '\0')
        fail(search, "no running container lives in the holder's network namespace");
    else
        inspect(search);
}

static void list_guests(struct own_anchor_search *search)
{
    static const struct docker_label_names no_labels = {0};
    static const struct docker_container_query everybody = {0};
    const struct docker_container_handlers handlers = {on_guest, on_odd_container, on_guests_listed, search};

    session_check_sent(search->session,
                       docker_client_list(session_client(search->session), &everybody, &no_labels, &handlers));
}

static void on_listed(void *userdata, int error, const char *text)
{
    struct own_anchor_search *search = userdata;

    if (error < 0) {
        session_fail(search->session, text);
    } else if (search->endpoint_id[0] == '\0') {
        fail(search, "no container on transit has our MAC address");
    } else if (search->found.address4.family == IP_FAMILY_NONE && search->found.address6.family == IP_FAMILY_NONE) {
        fail(search, "we have no address on transit");
    } else if (search->is_held) {
        list_guests(search);
    } else {
        memcpy(search->id, search->endpoint_id, sizeof(search->id));
        inspect(search);
    }
}

void own_anchor_ask(struct own_anchor_search *search, own_anchor_handler on_done, void *userdata)
{
    static const struct docker_label_names no_labels = {0};
    const struct docker_container_query query = {.network = search->network};
    const struct docker_container_handlers handlers = {on_container, on_odd_container, on_listed, search};

    own_anchor_release(search);
    search->on_done = on_done;
    search->userdata = userdata;
    session_check_sent(search->session,
                       docker_client_list(session_client(search->session), &query, &no_labels, &handlers));
}

void own_anchor_release(struct own_anchor_search *search)
{
    inspection_release(&search->container);
    search->endpoint_id[0] = search->id[0] = '\0';
    search->is_ambiguous = false;
    search->found = (struct own_anchor){0};
}
