/*
 * GET /containers/ID/json, of which we want to know what Podman's list does not tell: whether the environment makes
 * it a service-anchor, its health, and whose namespace it has joined; `anchord attach` asks for its process. Docker
 * is not asked for it by a role (WALL-7). Called by client.c. Reads foreign bytes, runs without any privilege. Other
 * people's environment is neither kept nor shown (SPEC §10).
 *
 *     {"Id": "8dfa…", "State": {"Status": "paused", "Pid": 4711, "Health": {"Status": "healthy", …}, …},
 *      "HostConfig": {"NetworkMode": "container:4f1c…", …},
 *      "Config": {"Env": ["PATH=/usr/bin", "ANCHORD_MODE=service-anchor"], …}, …}
 */
#include "workers/docker/parser.h"

#include <string.h>

enum state {
    CONFIG = JSON_FIRST_STATE,
    ENVIRONMENT,
    VARIABLE,
    STATE,
    HEALTH,
    HEALTH_STATUS,
    PROCESS,
    HOST_CONFIG,
    NETWORK_MODE,
};

static const struct json_rule rules[] = {
    {JSON_TOP, CONFIG, "Config"},
    {CONFIG, ENVIRONMENT, "Env"},
    {ENVIRONMENT, VARIABLE, JSON_EVERY_ELEMENT},
    {JSON_TOP, STATE, "State"},
    {STATE, HEALTH, "Health"},
    {HEALTH, HEALTH_STATUS, "Status"},
    {STATE, PROCESS, "Pid"},
    {JSON_TOP, HOST_CONFIG, "HostConfig"},
    {HOST_CONFIG, NETWORK_MODE, "NetworkMode"},
};

struct inspection_record {
    struct docker_inspection *inspection;
    bool has_config;
};

/* Other words than these: "none", and what a later engine may say. */
static enum docker_health read_health(const struct json_value *value)
{
    static const char *const words[] = {
        [DOCKER_HEALTH_STARTING] = "starting",
        [DOCKER_HEALTH_HEALTHY] = "healthy",
        [DOCKER_HEALTH_UNHEALTHY] = "unhealthy",
    };
    char text[16];

    if (json_value_copy(value, text, sizeof(text)) < 0)
        return DOCKER_HEALTH_NONE;
    for (size_t i = DOCKER_HEALTH_STARTING; i < ARRAY_LENGTH(words); i++) {
        if (strcmp(text, words[i]) == 0)
            return (enum docker_health)i;
    }
    return DOCKER_HEALTH_NONE;
}

static void on_value(void *userdata, unsigned int state, const char *key, const struct json_value *value)
{
    static const char wanted[] = "ANCHORD_MODE=service-anchor";
    struct docker_parser *parser = userdata;
    struct inspection_record *record = parser->record;

    (void)key;
    if (state == CONFIG)
        record->has_config = value->type == JSON_OBJECT;
    else if (state == VARIABLE && value->type == JSON_STRING && value->length == strlen(wanted) &&
             memcmp(value->text, wanted, value->length) == 0)
        record->inspection->is_service_anchor = true;
    else if (state == HEALTH_STATUS)
        record->inspection->health = read_health(value);
    else if (state == PROCESS && json_value_number(value, INT32_MAX, &record->inspection->pid) < 0)
        record->inspection->pid = 0;
    else if (state == NETWORK_MODE)
        (void)docker_joined_id_read(value, record->inspection->joined_id);
}

static void on_end(void *userdata, unsigned int state)
{
    (void)userdata;
    (void)state;
}

static const char *check(struct docker_parser *parser)
{
    const struct inspection_record *record = parser->record;

    return record->has_config ? NULL : "the container has no Config";
}

int docker_parser_new_inspection(struct docker_inspection *inspection, struct docker_parser **ret)
{
    static const struct json_consumer consumer = {
        .rules = rules,
        .rule_count = ARRAY_LENGTH(rules),
        .on_value = on_value,
        .on_end = on_end,
        .document_max = DOCKER_CONTAINER_LENGTH_MAX,
    };
    struct inspection_record *record = calloc(1, sizeof(*record));

    *inspection = (struct docker_inspection){0};
    if (record)
        record->inspection = inspection;
    return docker_parser_new(&consumer, check, record, ret);
}
