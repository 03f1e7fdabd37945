/*
 * An answer of Docker's kept whole; see records.h. Reads foreign bytes, runs without any privilege.
 *
 * The JSON reader checks the grammar while the bytes come in, so that what walks over them later (json_slice.c) may
 * rely on it.
 */
#include "workers/docker/parser.h"

#include <string.h>

#define FIRST_SIZE ((size_t)16 * 1024) /* of most containers' inspection */

struct document_record {
    struct docker_document *document;
    size_t size;
    bool is_object;
};

void docker_document_release(struct docker_document *document)
{
    free(document->bytes);
    *document = (struct docker_document){0};
}

static int keep(struct docker_parser *parser, const void *bytes, size_t length)
{
    struct document_record *record = parser->record;
    struct docker_document *document = record->document;
    size_t wanted = document->length + length;
    size_t size = record->size ? record->size : FIRST_SIZE;

    if (wanted > DOCKER_CONTAINER_LENGTH_MAX)
        return -EMSGSIZE;
    while (size < wanted)
        size *= 2;
    if (size > record->size) {
        char *larger = realloc(document->bytes, size);

        if (!larger)
            return -ENOMEM;
        document->bytes = larger;
        record->size = size;
    }
    memcpy(document->bytes + document->length, bytes, length);
    document->length = wanted;
    return 0;
}

static void on_value(void *userdata, unsigned int state, const char *key, const struct json_value *value)
{
    struct docker_parser *parser = userdata;
    struct document_record *record = parser->record;

    (void)state;
    (void)key;
    record->is_object = value->type == JSON_OBJECT;
}

static void on_end(void *userdata, unsigned int state)
{
    (void)userdata;
    (void)state;
}

static const char *check(struct docker_parser *parser)
{
    const struct document_record *record = parser->record;

    return record->is_object ? NULL : "the answer is no object";
}

int docker_parser_new_document(struct docker_document *document, struct docker_parser **ret)
{
    static const struct json_consumer consumer = {
        .on_value = on_value,
        .on_end = on_end,
        .document_max = DOCKER_CONTAINER_LENGTH_MAX,
    };
    struct document_record *record = calloc(1, sizeof(*record));
    int result;

    docker_document_release(document);
    if (record)
        record->document = document;
    result = docker_parser_new(&consumer, check, record, ret);
    if (result < 0)
        return result;
    (*ret)->keep = keep;
    return 0;
}
