/*
 * GET /version and Docker's error answers; see records.h. Reads foreign bytes, runs without any privilege.
 *
 *     {"Version": "28.5.2", "ApiVersion": "1.51", "MinAPIVersion": "1.24", "Components": [{"Name": "Engine", …}, …], …}
 *     {"message": "No such container: web"}
 */
#include "workers/docker/parser.h"

#include "common/text.h"

#include <string.h>

enum state {
    ENGINE = JSON_FIRST_STATE,
    API,
    API_MINIMUM,
    COMPONENTS,
    COMPONENT,
    COMPONENT_NAME,
    MESSAGE,
};

static const struct json_rule version_rules[] = {
    {JSON_TOP, ENGINE, "Version"},
    {JSON_TOP, API, "ApiVersion"},
    {JSON_TOP, API_MINIMUM, "MinAPIVersion"},
    {JSON_TOP, COMPONENTS, "Components"},
    {COMPONENTS, COMPONENT, JSON_EVERY_ELEMENT},
    {COMPONENT, COMPONENT_NAME, "Name"},
};

static const struct json_rule error_rules[] = {
    {JSON_TOP, MESSAGE, "message"},
};

struct version_record {
    struct docker_version *version;
    const char *broken;
};

/* "1.51" -> 51 */
static const char *read_api(const struct json_value *value, unsigned int *ret)
{
    static const char major[] = "1.";
    uint64_t minor;

    if (value->type != JSON_STRING || value->length <= strlen(major) ||
        strncmp(value->text, major, strlen(major)) != 0 ||
        text_to_number(value->text + strlen(major), value->length - strlen(major), UINT16_MAX, &minor) < 0)
        return "the API version is not 1.x";
    *ret = (unsigned int)minor;
    return NULL;
}

/* Docker Engine's own component is called "Engine". */
static bool is_podman(const struct json_value *value)
{
    static const char name[] = "Podman Engine";

    return value->type == JSON_STRING && value->length == strlen(name) && memcmp(value->text, name, value->length) == 0;
}

static void on_version_value(void *userdata, unsigned int state, const char *key, const struct json_value *value)
{
    struct docker_parser *parser = userdata;
    struct version_record *record = parser->record;
    const char *broken = NULL;

    (void)key;
    if (state == ENGINE && json_value_copy(value, record->version->engine, sizeof(record->version->engine)) < 0)
        broken = "the engine's version is no text or too long";
    else if (state == API)
        broken = read_api(value, &record->version->api);
    else if (state == API_MINIMUM && value->length > 0)
        broken = read_api(value, &record->version->api_minimum);
    else if (state == COMPONENT_NAME && is_podman(value))
        record->version->is_podman = true;
    if (!record->broken)
        record->broken = broken;
}

static void on_end(void *userdata, unsigned int state)
{
    (void)userdata;
    (void)state;
}

static const char *check_version(struct docker_parser *parser)
{
    const struct version_record *record = parser->record;

    if (record->broken)
        return record->broken;
    return record->version->api == 0 ? "no ApiVersion: this is no Docker API" : NULL;
}

int docker_parser_new_version(struct docker_version *version, struct docker_parser **ret)
{
    static const struct json_consumer consumer = {
        .rules = version_rules,
        .rule_count = ARRAY_LENGTH(version_rules),
        .on_value = on_version_value,
        .on_end = on_end,
        .document_max = DOCKER_VERSION_LENGTH_MAX,
    };
    struct version_record *record = calloc(1, sizeof(*record));

    *version = (struct docker_version){0};
    if (record)
        record->version = version;
    return docker_parser_new(&consumer, check_version, record, ret);
}

int docker_version_negotiate(struct docker_version *version, const char **ret_reason)
{
    if (version->api_minimum > version->api) {
        *ret_reason = "the engine's oldest API version is newer than its newest";
        return -EPROTONOSUPPORT;
    }
    if (version->api < DOCKER_API_OLDEST) {
        *ret_reason = "the engine is too old: API 1.41 (Engine 20.10) is the oldest supported";
        return -EPROTONOSUPPORT;
    }
    if (version->api_minimum > DOCKER_API_NEWEST) {
        *ret_reason = "the engine is too new: it does not speak API 1.57 or older any more";
        return -EPROTONOSUPPORT;
    }
    version->api_negotiated = version->api < DOCKER_API_NEWEST ? version->api : DOCKER_API_NEWEST;
    return 0;
}

struct error_record {
    char *text;
    size_t size;
};

static void on_error_value(void *userdata, unsigned int state, const char *key, const struct json_value *value)
{
    struct docker_parser *parser = userdata;
    struct error_record *record = parser->record;
    size_t length = value->length < record->size ? value->length : record->size - 1;

    (void)key;
    if (state != MESSAGE || value->type != JSON_STRING)
        return;
    memcpy(record->text, value->text, length);
    record->text[length] = '\0';
}

void docker_error_message(const char *bytes, size_t length, char *text, size_t size)
{
    static const struct json_consumer consumer = {
        .rules = error_rules,
        .rule_count = ARRAY_LENGTH(error_rules),
        .on_value = on_error_value,
        .on_end = on_end,
        .document_max = DOCKER_VERSION_LENGTH_MAX,
    };
    CLEANUP(docker_parser_freep) struct docker_parser *parser = NULL;
    struct error_record *record = calloc(1, sizeof(*record));

    text[0] = '\0';
    if (record)
        *record = (struct error_record){.text = text, .size = size};
    if (docker_parser_new(&consumer, NULL, record, &parser) < 0)
        return;
    if (docker_parser_feed(parser, bytes, length) < 0 || docker_parser_finish(parser) < 0)
        text[0] = '\0';
}
