/* What the parsers of Docker's answers have in common; see parser.h. Runs without any privilege. */
#include "workers/docker/parser.h"

#include "common/text.h"

#include <string.h>

int docker_parser_new(const struct json_consumer *consumer, docker_parser_check check, void *record,
                      struct docker_parser **ret)
{
    CLEANUP_FREE void *owned_record = record;
    CLEANUP(docker_parser_freep) struct docker_parser *parser = calloc(1, sizeof(*parser));
    struct json_consumer own_consumer = *consumer;
    int result;

    if (!parser || !record)
        return -ENOMEM;
    parser->record = TAKE_POINTER(owned_record);
    parser->check = check;
    own_consumer.userdata = parser;
    result = json_reader_initialise(&parser->reader, &own_consumer);
    if (result < 0)
        return result;
    *ret = TAKE_POINTER(parser);
    return 0;
}

struct docker_parser *docker_parser_free(struct docker_parser *parser)
{
    if (!parser)
        return NULL;
    json_reader_release(&parser->reader);
    free(parser->record);
    free(parser->array);
    free(parser);
    return NULL;
}

int docker_parser_feed(struct docker_parser *parser, const void *bytes, size_t length)
{
    int result = parser->keep ? parser->keep(parser, bytes, length) : 0;

    return result < 0 ? result : json_reader_feed(&parser->reader, bytes, length);
}

int docker_parser_finish(struct docker_parser *parser)
{
    int result = json_reader_finish(&parser->reader);

    if (result < 0)
        return result;
    parser->error = parser->check ? parser->check(parser) : NULL;
    return parser->error ? -EBADMSG : 0;
}

const char *docker_parser_error(const struct docker_parser *parser)
{
    return parser->error ? parser->error : json_reader_error(&parser->reader);
}

int docker_label_find(const struct docker_label_names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->names[i], name) == 0)
            return (int)i;
    }
    return -ENOENT;
}

uint32_t docker_label_select(const struct docker_label_names *names, const char *name, const struct json_value *value)
{
    return names->selector && value->type == JSON_STRING
               ? label_selector_match(names->selector, name, value->text, value->length)
               : 0;
}

bool docker_labels_are_selected(const struct docker_label_names *names, uint32_t matched)
{
    return !names->selector || matched == label_selector_all(names->selector);
}

/* Has it our prefix, or one that was to be ours? */
static bool looks_like_ours(const struct docker_label_names *names, const char *name)
{
    if (strncmp(name, names->own_prefix, strlen(names->own_prefix)) == 0)
        return true;
    for (size_t i = 0; i < names->count; i++) {
        if (strncmp(names->names[i], names->own_prefix, strlen(names->own_prefix)) == 0 &&
            text_is_slip_of(name, names->names[i]))
            return true;
    }
    return false;
}

bool docker_label_is_unknown(const struct docker_label_names *names, const char *name)
{
    const struct label_selector *selector = names->selector;

    if (!names->own_prefix || docker_label_find(names, name) >= 0 || !looks_like_ours(names, name))
        return false;
    for (const char *const *other = names->other_names; other && *other; other++) {
        if (strcmp(*other, name) == 0)
            return false;
    }
    for (size_t i = 0; selector && i < selector->count; i++) {
        if (strcmp(label_selector_key(selector, i), name) == 0)
            return false;
    }
    return true;
}

int docker_label_read(struct docker_label *label, const struct json_value *value)
{
    label->is_present = true;
    return json_value_copy(value, label->text, sizeof(label->text));
}

int docker_id_read(const struct json_value *value, char id[DOCKER_ID_SIZE])
{
    char text[DOCKER_ID_SIZE];

    if (json_value_copy(value, text, sizeof(text)) < 0)
        return -EINVAL;
    if (text[0] == '\0' || strspn(text, "0123456789abcdef") != strlen(text))
        return -EINVAL;
    memcpy(id, text, sizeof(text));
    return 0;
}

/* "container:8dfa…"; other modes are networks' names. */
bool docker_joined_id_read(const struct json_value *value, char id[DOCKER_ID_SIZE])
{
    static const char prefix[] = "container:";
    struct json_value behind = *value;

    id[0] = '\0';
    if (value->type != JSON_STRING || value->length <= strlen(prefix) ||
        memcmp(value->text, prefix, strlen(prefix)) != 0)
        return false;
    behind.text += strlen(prefix);
    behind.length -= strlen(prefix);
    if (docker_id_read(&behind, id) < 0)
        id[0] = '\0';
    return true;
}

int docker_address_read(const struct json_value *value, uint8_t family, struct ip_address *ret)
{
    char text[IP_SUBNET_TEXT_SIZE];
    struct ip_address address = {.family = IP_FAMILY_NONE};

    if (value->type != JSON_NULL && json_value_copy(value, text, sizeof(text)) < 0)
        return -EINVAL;
    if (value->type != JSON_NULL && text[0] != '\0') {
        text[strcspn(text, "/")] = '\0';
        if (ip_address_parse(text, &address) < 0 || (family && address.family != family))
            return -EINVAL;
    }
    *ret = address;
    return 0;
}
