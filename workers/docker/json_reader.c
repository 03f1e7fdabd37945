/* A streaming JSON reader; see json_reader.h. Reads foreign bytes, runs without any privilege. */
#include "workers/docker/json_reader.h"

#include "common/text.h"

#include <string.h>

enum { YAJL_CANCEL, YAJL_CONTINUE };

static size_t position(const struct json_reader *reader)
{
    return reader->fed + yajl_get_bytes_consumed(reader->yajl);
}

static bool rule_matches(const struct json_rule *rule, const struct json_reader *reader)
{
    if (reader->is_array[reader->depth - 1])
        return strcmp(rule->key, JSON_EVERY_ELEMENT) == 0;
    return strcmp(rule->key, JSON_EVERY_MEMBER) == 0 || strcmp(rule->key, reader->key) == 0;
}

/* The state of the value that begins now. */
static uint8_t next_state(const struct json_reader *reader)
{
    uint8_t inside;

    if (reader->depth == 0)
        return JSON_TOP;
    inside = reader->states[reader->depth - 1];
    for (size_t i = 0; i < reader->consumer.rule_count; i++) {
        const struct json_rule *rule = &reader->consumer.rules[i];

        if (rule->inside == inside && inside != JSON_SKIPPED && rule_matches(rule, reader))
            return rule->becomes;
    }
    return JSON_SKIPPED;
}

static uint8_t show_value(struct json_reader *reader, const struct json_value *value)
{
    uint8_t state = next_state(reader);
    bool has_key = reader->depth > 0 && !reader->is_array[reader->depth - 1];

    reader->last_token = position(reader);
    if (state != JSON_SKIPPED)
        reader->consumer.on_value(reader->consumer.userdata, state, has_key ? reader->key : "", value);
    return state;
}

static void end_of_value(struct json_reader *reader)
{
    if (reader->depth == 0)
        reader->document_start = position(reader);
}

static int on_scalar(struct json_reader *reader, const struct json_value *value)
{
    (void)show_value(reader, value);
    end_of_value(reader);
    return YAJL_CONTINUE;
}

static int on_null(void *userdata)
{
    return on_scalar(userdata, &(struct json_value){.type = JSON_NULL});
}

static int on_boolean(void *userdata, int boolean)
{
    return on_scalar(userdata, &(struct json_value){.type = JSON_BOOLEAN, .boolean = boolean != 0});
}

static int on_number(void *userdata, const char *text, size_t length)
{
    return on_scalar(userdata, &(struct json_value){.type = JSON_NUMBER, .text = text, .length = length});
}

static int on_string(void *userdata, const unsigned char *text, size_t length)
{
    return on_scalar(userdata, &(struct json_value){.type = JSON_STRING, .text = (const char *)text, .length = length});
}

static int on_key(void *userdata, const unsigned char *text, size_t length)
{
    struct json_reader *reader = userdata;

    reader->last_token = position(reader);
    if (length >= sizeof(reader->key) || memchr(text, '\0', length))
        length = 0; /* cut, it would be another one's name */
    memcpy(reader->key, text, length);
    reader->key[length] = '\0';
    return YAJL_CONTINUE;
}

static int begin(struct json_reader *reader, enum json_type type)
{
    uint8_t state;

    if (reader->depth == JSON_DEPTH_MAX) {
        reader->error = "JSON nested too deep";
        return YAJL_CANCEL;
    }
    state = show_value(reader, &(struct json_value){.type = type});
    reader->states[reader->depth] = state;
    reader->is_array[reader->depth] = type == JSON_ARRAY;
    reader->depth++;
    return YAJL_CONTINUE;
}

static int on_begin_object(void *userdata)
{
    return begin(userdata, JSON_OBJECT);
}

static int on_begin_array(void *userdata)
{
    return begin(userdata, JSON_ARRAY);
}

static int on_end(void *userdata)
{
    struct json_reader *reader = userdata;
    uint8_t state = reader->states[--reader->depth];

    reader->last_token = position(reader);
    if (state != JSON_SKIPPED)
        reader->consumer.on_end(reader->consumer.userdata, state);
    end_of_value(reader);
    return YAJL_CONTINUE;
}

static const yajl_callbacks callbacks = {
    .yajl_null = on_null,
    .yajl_boolean = on_boolean,
    .yajl_number = on_number,
    .yajl_string = on_string,
    .yajl_start_map = on_begin_object,
    .yajl_map_key = on_key,
    .yajl_end_map = on_end,
    .yajl_start_array = on_begin_array,
    .yajl_end_array = on_end,
};

int json_reader_initialise(struct json_reader *reader, const struct json_consumer *consumer)
{
    *reader = (struct json_reader){.consumer = *consumer};
    reader->yajl = yajl_alloc(&callbacks, NULL, reader);
    if (!reader->yajl)
        return -ENOMEM;
    /* Odd text in a field is that field's fault, not the document's; the log escapes what is no UTF-8. */
    (void)yajl_config(reader->yajl, yajl_dont_validate_strings, 1);
    if (consumer->is_sequence)
        (void)yajl_config(reader->yajl, yajl_allow_multiple_values, 1);
    return 0;
}

void json_reader_release(struct json_reader *reader)
{
    if (reader->yajl)
        yajl_free(reader->yajl);
    reader->yajl = NULL;
}

int json_reader_feed(struct json_reader *reader, const void *bytes, size_t length)
{
    if (reader->error)
        return -EBADMSG;
    if (yajl_parse(reader->yajl, bytes, length) != yajl_status_ok) {
        if (!reader->error)
            reader->error = "malformed JSON";
        return -EBADMSG;
    }
    reader->fed += length;
    if (reader->fed - reader->document_start > reader->consumer.document_max)
        reader->error = "JSON document too long";
    else if (reader->fed - reader->last_token > JSON_TOKEN_MAX)
        reader->error = "JSON string too long";
    return reader->error ? -EMSGSIZE : 0;
}

int json_reader_finish(struct json_reader *reader)
{
    if (reader->error)
        return -EBADMSG;
    if (yajl_complete_parse(reader->yajl) == yajl_status_ok)
        return 0;
    reader->error = "JSON ends within a value";
    return -EBADMSG;
}

const char *json_reader_error(const struct json_reader *reader)
{
    return reader->error ? reader->error : "";
}

int json_value_copy(const struct json_value *value, char *target, size_t size)
{
    if (value->type != JSON_STRING || memchr(value->text, '\0', value->length))
        return -EINVAL;
    if (value->length >= size)
        return -ENAMETOOLONG;
    memset(target, 0, size);
    memcpy(target, value->text, value->length);
    return 0;
}

int json_value_number(const struct json_value *value, uint64_t maximum, uint64_t *ret)
{
    if (value->type != JSON_NUMBER)
        return -EINVAL;
    return text_to_number(value->text, value->length, maximum, ret);
}
