/*
 * GET /containers/ID/json, of which we want to know one thing: does the environment say that it is a service-anchor?
 * Reads foreign bytes, runs without any privilege. Other people's environment is neither kept nor shown (SPEC §10).
 *
 *     {"Id": "8dfa…", "Config": {"Env": ["PATH=/usr/bin", "ANCHORD_MODE=service-anchor"], …}, …}
 */
#include "workers/docker/parser.h"

#include <string.h>

enum state {
    CONFIG = JSON_FIRST_STATE,
    ENVIRONMENT,
    VARIABLE,
};

static const struct json_rule rules[] = {
    {JSON_TOP, CONFIG, "Config"},
    {CONFIG, ENVIRONMENT, "Env"},
    {ENVIRONMENT, VARIABLE, JSON_EVERY_ELEMENT},
};

struct mode_record {
    bool *is_service_anchor;
    bool has_config;
};

static void on_value(void *userdata, unsigned int state, const char *key, const struct json_value *value)
{
    static const char wanted[] = "ANCHORD_MODE=service-anchor";
    struct docker_parser *parser = userdata;
    struct mode_record *record = parser->record;

    (void)key;
    if (state == CONFIG)
        record->has_config = value->type == JSON_OBJECT;
    else if (state == VARIABLE && value->type == JSON_STRING && value->length == strlen(wanted) &&
             memcmp(value->text, wanted, value->length) == 0)
        *record->is_service_anchor = true;
}

static void on_end(void *userdata, unsigned int state)
{
    (void)userdata;
    (void)state;
}

static const char *check(struct docker_parser *parser)
{
    const struct mode_record *record = parser->record;

    return record->has_config ? NULL : "the container has no Config";
}

int docker_parser_new_mode(bool *is_service_anchor, struct docker_parser **ret)
{
    static const struct json_consumer consumer = {
        .rules = rules,
        .rule_count = ARRAY_LENGTH(rules),
        .on_value = on_value,
        .on_end = on_end,
        .document_max = DOCKER_CONTAINER_LENGTH_MAX,
    };
    struct mode_record *record = calloc(1, sizeof(*record));
    int result;

    *is_service_anchor = false;
    if (record)
        record->is_service_anchor = is_service_anchor;
    result = docker_parser_new(&consumer, record, ret);
    if (result < 0)
        return result;
    (*ret)->check = check;
    return 0;
}
