/* What is looked for in Docker's list; see follow_lists.h. Runs without any privilege. */
#include "workers/keeper/follow_lists.h"

#include "common/log.h"

#include <stdio.h>
#include <string.h>

/* Not one of `docker compose run`. */
static void on_container(void *userdata, const struct docker_container *container)
{
    struct follow_lists *lists = userdata;
    const struct docker_label *one_off = &container->labels[0];

    if (one_off->is_present && strcmp(one_off->text, "True") == 0)
        return;
    if (lists->found_id[0] != '\0' && (lists->found_is_running || !container->is_running))
        return;
    memcpy(lists->found_id, container->id, sizeof(lists->found_id));
    lists->found_is_running = container->is_running;
}

static void on_odd_container(void *userdata, const char *id, const char *name, const char *reason)
{
    (void)userdata;
    log_debug("odd container in Docker's list, ignoring", LOG_TEXT("container", name), LOG_TEXT("id", id),
              LOG_ERROR_TEXT(reason));
}

static void on_list_end(void *userdata, int error, const char *text)
{
    const struct follow_lists *lists = userdata;

    if (error < 0)
        session_fail(lists->session, text);
    else
        lists->on_follower(lists->userdata, lists->found_id[0] ? lists->found_id : lists->configuration->follow.target);
}

void follow_lists_find_follower(struct follow_lists *lists)
{
    static const struct docker_label_names labels = {.names = {"com.docker.compose.oneoff"}, .count = 1};
    const char *filters[] = {lists->project_filter, lists->service_filter};
    const struct docker_container_query query = {
        .labels = filters,
        .label_count = ARRAY_LENGTH(filters),
        .in_any_state = true,
    };
    const struct docker_container_handlers handlers = {on_container, on_odd_container, on_list_end, lists};

    lists->found_id[0] = '\0';
    if (lists->configuration->project[0] == '\0')
        lists->on_follower(lists->userdata, lists->configuration->follow.target);
    else
        session_check_sent(lists->session,
                           docker_client_list(session_client(lists->session), &query, &labels, &handlers));
}

static void on_network_container(void *userdata, const struct docker_container *container)
{
    struct follow_lists *lists = userdata;

    if (container->is_running || strcmp(container->id, lists->follower_id) == 0)
        return;
    for (size_t i = 0; i < container->endpoint_count; i++) {
        const struct docker_endpoint *endpoint = &container->endpoints[i];

        if ((endpoint->has_fixed_address4 || endpoint->has_fixed_address6) &&
            strcmp(endpoint->network, lists->configuration->follow.network) == 0)
            memcpy(lists->awaited, container->name, sizeof(lists->awaited));
    }
}

static void on_network_list_end(void *userdata, int error, const char *text)
{
    const struct follow_lists *lists = userdata;

    if (error < 0)
        session_fail(lists->session, text);
    else
        lists->on_awaited(lists->userdata, lists->awaited);
}

void follow_lists_find_awaited(struct follow_lists *lists, const char *follower_id)
{
    static const struct docker_label_names no_labels = {0};
    const struct docker_container_query query = {.network = lists->configuration->follow.network, .in_any_state = true};
    const struct docker_container_handlers handlers = {on_network_container, on_odd_container, on_network_list_end,
                                                       lists};

    lists->follower_id = follower_id;
    lists->awaited[0] = '\0';
    session_check_sent(lists->session,
                       docker_client_list(session_client(lists->session), &query, &no_labels, &handlers));
}

static int make_filter(const char *label, const char *value, char **ret)
{
    if (asprintf(ret, "%s=%s", label, value) >= 0)
        return 0;
    *ret = NULL;
    return -ENOMEM;
}

int follow_lists_prepare(struct follow_lists *lists)
{
    const struct message_configure_keeper *configuration = lists->configuration;
    int result = make_filter("com.docker.compose.project", configuration->project, &lists->project_filter);

    return result < 0 ? result
                      : make_filter("com.docker.compose.service", configuration->follow.target, &lists->service_filter);
}

void follow_lists_release(struct follow_lists *lists)
{
    free_pointer(&lists->project_filter);
    free_pointer(&lists->service_filter);
}
