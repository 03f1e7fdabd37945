/*
 * GET /networks: who they are; see records.h. Reads foreign bytes, runs without any privilege.
 *
 *     [{"Name": "transit", "Id": "7ea2…", …}, …]
 *
 * What a network is like is asked of each by itself (network_json.c): there are few, and it does not change.
 */
#include "workers/docker/parser.h"

enum state {
    NETWORK = JSON_FIRST_STATE,
    ID,
};

static const struct json_rule rules[] = {
    {JSON_TOP, NETWORK, JSON_EVERY_ELEMENT},
    {NETWORK, ID, "Id"},
};

struct network_list {
    docker_id_handler on_id;
    void *userdata;
    bool top_is_array;
};

static void on_value(void *userdata, unsigned int state, const char *key, const struct json_value *value)
{
    struct docker_parser *parser = userdata;
    struct network_list *list = parser->record;
    char id[DOCKER_ID_SIZE];

    (void)key;
    if (state == JSON_TOP)
        list->top_is_array = value->type == JSON_ARRAY;
    else if (state == ID && docker_id_read(value, id) == 0)
        list->on_id(list->userdata, id);
}

static void on_end(void *userdata, unsigned int state)
{
    (void)userdata;
    (void)state;
}

static const char *check(struct docker_parser *parser)
{
    const struct network_list *list = parser->record;

    return list->top_is_array ? NULL : "the list of networks is no array";
}

int docker_parser_new_network_list(docker_id_handler on_id, void *userdata, struct docker_parser **ret)
{
    static const struct json_consumer consumer = {
        .rules = rules,
        .rule_count = ARRAY_LENGTH(rules),
        .on_value = on_value,
        .on_end = on_end,
        .document_max = DOCKER_NETWORK_LENGTH_MAX,
    };
    struct network_list *list = calloc(1, sizeof(*list));

    if (list) {
        list->on_id = on_id;
        list->userdata = userdata;
    }
    return docker_parser_new(&consumer, check, list, ret);
}
