/* A JSON document as a tree; see json_tree.h. Runs without any privilege. */
#include "workers/compose/json_tree.h"

#include "common/cleanup.h"
#include "common/text.h"

#include <stdio.h>
#include <string.h>
#include <yajl/yajl_parse.h>

DEFINE_POINTER_CLEANUP(struct yajl_handle_t, yajl_free, yajl_freep);

#define PATH_SIZE 256

struct builder {
    struct json_tree *tree;
    yajl_handle yajl;
    struct json_tree_value *open; /* the innermost object or array that has not ended */
    const char *key;              /* of the next value */
    size_t depth;
    size_t count;
    int result; /* why a callback stopped the parser */
    const char *reason;
};

/* --- where something stands ------------------------------------------------------------------------------ */

static size_t index_of(const struct json_tree_value *value)
{
    size_t index = 0;

    for (const struct json_tree_value *each = value->parent->first; each != value; each = each->next)
        index++;
    return index;
}

/* What is foreign goes to a terminal: nothing but printable ASCII. */
static void append(char path[PATH_SIZE], const char *text)
{
    size_t length = strlen(path);

    for (; *text && length < PATH_SIZE - 1; text++)
        path[length++] = text_printable(*text);
    path[length] = '\0';
}

/* services.web.ports[2] */
static void write_path(const struct json_tree_value *value, char path[PATH_SIZE])
{
    const struct json_tree_value *chain[JSON_TREE_DEPTH_MAX + 1];
    size_t count = 0;

    path[0] = '\0';
    for (; value && value->parent && count < ARRAY_LENGTH(chain); value = value->parent)
        chain[count++] = value;
    while (count-- > 0) {
        if (chain[count]->parent->type == JSON_TREE_ARRAY) {
            char index[32];

            (void)snprintf(index, sizeof(index), "[%zu]", index_of(chain[count]));
            append(path, index);
            continue;
        }
        append(path, path[0] ? "." : "");
        append(path, chain[count]->key);
    }
}

static void describe(const struct json_tree *tree, size_t offset, const struct json_tree_value *value,
                     const char *reason, struct json_tree_error *error)
{
    char path[PATH_SIZE];
    size_t line = 1;
    size_t column = 1;

    for (size_t i = 0; i < offset && i < tree->length; i++) {
        column = tree->bytes[i] == '\n' ? 1 : column + 1;
        line += tree->bytes[i] == '\n';
    }
    write_path(value, path);
    (void)snprintf(error->text, sizeof(error->text), "line %zu, column %zu (byte %zu)%s%s: %s", line, column, offset,
                   path[0] ? ", at " : "", path, reason);
}

int json_tree_fail(const struct json_tree *tree, const struct json_tree_value *value, const char *reason,
                   struct json_tree_error *ret_error)
{
    describe(tree, value->offset, value, reason, ret_error);
    return -EBADMSG;
}

/* --- yajl's callbacks: 1 goes on, 0 stops ---------------------------------------------------------------- */

static int stop(struct builder *builder, int result, const char *reason)
{
    builder->result = result;
    builder->reason = reason;
    return 0;
}

static struct json_tree_value *add(struct builder *builder, enum json_tree_type type)
{
    struct json_tree_value *value;

    if (++builder->count > JSON_TREE_VALUES_MAX) {
        (void)stop(builder, -EMSGSIZE, "more values than a Compose project needs");
        return NULL;
    }
    value = arena_allocate(builder->tree->arena, 1, sizeof(*value));
    if (!value) {
        (void)stop(builder, -ENOMEM, NULL);
        return NULL;
    }
    value->type = type;
    value->key = builder->key ? builder->key : "";
    value->text = "";
    value->offset = yajl_get_bytes_consumed(builder->yajl) - 1;
    value->parent = builder->open;
    builder->key = NULL;
    if (!builder->open)
        builder->tree->root = value;
    else if (builder->open->last)
        builder->open->last->next = value;
    else
        builder->open->first = value;
    if (builder->open)
        builder->open->last = value;
    return value;
}

static const char *copy_text(struct builder *builder, const void *text, size_t length)
{
    const char *copy;

    if (memchr(text, '\0', length)) {
        (void)stop(builder, -EBADMSG, "a NUL character in a string");
        return NULL;
    }
    copy = arena_copy(builder->tree->arena, text, length);
    if (!copy)
        (void)stop(builder, -ENOMEM, NULL);
    return copy;
}

static int on_null(void *context)
{
    return add(context, JSON_TREE_NULL) != NULL;
}

static int on_boolean(void *context, int boolean)
{
    struct json_tree_value *value = add(context, JSON_TREE_BOOLEAN);

    if (!value)
        return 0;
    value->boolean = boolean != 0;
    return 1;
}

static int on_scalar(struct builder *builder, enum json_tree_type type, const void *text, size_t length)
{
    struct json_tree_value *value = add(builder, type);
    const char *copy = value ? copy_text(builder, text, length) : NULL;

    if (!copy)
        return 0;
    value->text = copy;
    return 1;
}

static int on_number(void *context, const char *text, size_t length)
{
    return on_scalar(context, JSON_TREE_NUMBER, text, length);
}

static int on_string(void *context, const unsigned char *text, size_t length)
{
    return on_scalar(context, JSON_TREE_STRING, text, length);
}

static int open_container(struct builder *builder, enum json_tree_type type)
{
    struct json_tree_value *value;

    if (builder->depth == JSON_TREE_DEPTH_MAX)
        return stop(builder, -EMSGSIZE, "deeper than a Compose project gets");
    value = add(builder, type);
    if (!value)
        return 0;
    builder->depth++;
    builder->open = value;
    return 1;
}

static int on_object(void *context)
{
    return open_container(context, JSON_TREE_OBJECT);
}

static int on_array(void *context)
{
    return open_container(context, JSON_TREE_ARRAY);
}

static int on_end(void *context)
{
    struct builder *builder = context;

    builder->depth--;
    builder->open = builder->open->parent;
    return 1;
}

static int on_key(void *context, const unsigned char *key, size_t length)
{
    struct builder *builder = context;

    builder->key = copy_text(builder, key, length);
    return builder->key != NULL;
}

static const yajl_callbacks callbacks = {
    .yajl_null = on_null,
    .yajl_boolean = on_boolean,
    .yajl_number = on_number,
    .yajl_string = on_string,
    .yajl_start_map = on_object,
    .yajl_map_key = on_key,
    .yajl_end_map = on_end,
    .yajl_start_array = on_array,
    .yajl_end_array = on_end,
};

/* --- the document ---------------------------------------------------------------------------------------- */

/* yajl ends its texts in a line feed: "parse error: premature EOF\n". */
static void describe_syntax(const struct builder *builder, struct json_tree_error *error)
{
    unsigned char *message = yajl_get_error(builder->yajl, 0, NULL, 0);
    char reason[160];

    (void)snprintf(reason, sizeof(reason), "%s", message ? (const char *)message : "no JSON");
    reason[strcspn(reason, "\n")] = '\0';
    if (message)
        yajl_free_error(builder->yajl, message);
    describe(builder->tree, yajl_get_bytes_consumed(builder->yajl), builder->open, reason, error);
}

int json_tree_parse(struct arena *arena, const char *bytes, size_t length, struct json_tree *ret,
                    struct json_tree_error *ret_error)
{
    CLEANUP(yajl_freep) struct yajl_handle_t *yajl = NULL;
    struct builder builder = {.tree = ret};
    yajl_status status;

    *ret = (struct json_tree){.arena = arena, .bytes = bytes, .length = length};
    yajl = yajl_alloc(&callbacks, NULL, &builder);
    if (!yajl)
        return -ENOMEM;
    builder.yajl = yajl;
    status = yajl_parse(yajl, (const unsigned char *)bytes, length);
    if (status == yajl_status_ok)
        status = yajl_complete_parse(yajl);
    if (builder.result == -ENOMEM)
        return -ENOMEM;
    if (builder.result < 0) {
        describe(ret, yajl_get_bytes_consumed(yajl), builder.open, builder.reason, ret_error);
        return builder.result;
    }
    if (status == yajl_status_ok && ret->root)
        return 0;
    describe_syntax(&builder, ret_error);
    return -EBADMSG;
}

const struct json_tree_value *json_tree_member(const struct json_tree_value *object, const char *key)
{
    if (!object || object->type != JSON_TREE_OBJECT)
        return NULL;
    for (const struct json_tree_value *member = object->first; member; member = member->next) {
        if (strcmp(member->key, key) == 0)
            return member->type == JSON_TREE_NULL ? NULL : member;
    }
    return NULL;
}

int json_tree_text(const struct json_tree *tree, const struct json_tree_value *value, const char **ret,
                   struct json_tree_error *ret_error)
{
    if (!value)
        return 0;
    if (value->type != JSON_TREE_STRING)
        return json_tree_fail(tree, value, "a string is expected here", ret_error);
    *ret = value->text;
    return 0;
}

int json_tree_boolean(const struct json_tree *tree, const struct json_tree_value *value, bool *ret,
                      struct json_tree_error *ret_error)
{
    if (!value)
        return 0;
    if (value->type != JSON_TREE_BOOLEAN)
        return json_tree_fail(tree, value, "true or false is expected here", ret_error);
    *ret = value->boolean;
    return 0;
}

int json_tree_number(const struct json_tree *tree, const struct json_tree_value *value, int64_t minimum,
                     int64_t maximum, int64_t *ret, struct json_tree_error *ret_error)
{
    bool is_negative;
    uint64_t number;
    char reason[96];

    if (!value)
        return 0;
    is_negative = value->text[0] == '-';
    if (value->type == JSON_TREE_NUMBER &&
        text_to_number(value->text + is_negative, strlen(value->text + is_negative), INT64_MAX, &number) == 0) {
        int64_t found = is_negative ? -(int64_t)number : (int64_t)number;

        if (found >= minimum && found <= maximum) {
            *ret = found;
            return 0;
        }
    }
    (void)snprintf(reason, sizeof(reason), "a whole number from %lld to %lld is expected here", (long long)minimum,
                   (long long)maximum);
    return json_tree_fail(tree, value, reason, ret_error);
}

int json_tree_container(const struct json_tree *tree, const struct json_tree_value *value, enum json_tree_type type,
                        struct json_tree_error *ret_error)
{
    if (!value || value->type == type)
        return 0;
    return json_tree_fail(tree, value,
                          type == JSON_TREE_OBJECT
                              ? "an object is expected here, as `docker compose config --format json` prints it"
                              : "an array is expected here, as `docker compose config --format json` prints it",
                          ret_error);
}
