/* Parts of a JSON document as they stand in it; see json_slice.h. Pure, runs without any privilege. */
#include "workers/docker/json_slice.h"

#include "common/cleanup.h"
#include "common/text.h"
#include "workers/docker/json_reader.h"

#include <string.h>

/* What yajl skips, which has checked the document: two more than RFC 8259 §2 has (yajl 2.1, yajl_lex.c). */
static bool is_space(char character)
{
    return character == ' ' || (character >= '\t' && character <= '\r');
}

static const char *skip_space(const char *next, const char *end)
{
    while (next < end && is_space(*next))
        next++;
    return next;
}

/* Behind the string that begins at `next`. */
static const char *skip_string(const char *next, const char *end)
{
    for (next++; next < end && *next != '"'; next++) {
        if (*next == '\\' && next + 1 < end)
            next++;
    }
    return next < end ? next + 1 : end;
}

/* Behind the value that begins at `next`: brackets are balanced, the document was checked. */
static const char *skip_value(const char *next, const char *end)
{
    size_t depth = 0;

    while (next < end) {
        if (*next == '"') {
            next = skip_string(next, end);
        } else if (*next == '{' || *next == '[') {
            depth++;
            next++;
        } else if (depth > 0 && (*next == '}' || *next == ']')) {
            depth--;
            next++;
        } else if (depth > 0) {
            next++;
            continue;
        } else {
            while (next < end && !is_space(*next) && !strchr(",]}", *next))
                next++;
        }
        if (depth == 0)
            break;
    }
    return next;
}

static struct json_slice take_value(struct json_walk *walk)
{
    struct json_slice value = {.text = walk->next};

    walk->next = skip_value(walk->next, walk->end);
    value.length = (size_t)(walk->next - value.text);
    return value;
}

struct json_slice json_slice_of(const char *bytes, size_t length)
{
    const char *end = bytes + length;
    struct json_walk walk = {.next = length ? skip_space(bytes, end) : bytes, .end = end};

    return walk.next < end ? take_value(&walk) : (struct json_slice){0};
}

bool json_slice_is_object(struct json_slice slice)
{
    return slice.length >= 2 && slice.text[0] == '{';
}

bool json_slice_is_array(struct json_slice slice)
{
    return slice.length >= 2 && slice.text[0] == '[';
}

bool json_slice_is_string(struct json_slice slice)
{
    return slice.length >= 2 && slice.text[0] == '"';
}

static struct json_walk walk_inside(struct json_slice slice, bool is_container)
{
    return is_container ? (struct json_walk){slice.text + 1, slice.text + slice.length - 1} : (struct json_walk){0};
}

struct json_walk json_walk_object(struct json_slice object)
{
    return walk_inside(object, json_slice_is_object(object));
}

struct json_walk json_walk_array(struct json_slice array)
{
    return walk_inside(array, json_slice_is_array(array));
}

/* To the next key or value; false at the end. */
static bool advance(struct json_walk *walk)
{
    if (!walk->next)
        return false;
    walk->next = skip_space(walk->next, walk->end);
    if (walk->next < walk->end && *walk->next == ',')
        walk->next = skip_space(walk->next + 1, walk->end);
    return walk->next < walk->end;
}

bool json_walk_member(struct json_walk *walk, struct json_slice *ret_key, struct json_slice *ret_value)
{
    if (!advance(walk) || *walk->next != '"')
        return false;
    *ret_key = take_value(walk);
    walk->next = skip_space(walk->next, walk->end);
    if (walk->next == walk->end || *walk->next != ':')
        return false;
    walk->next = skip_space(walk->next + 1, walk->end);
    if (walk->next == walk->end)
        return false;
    *ret_value = take_value(walk);
    return ret_value->length > 0;
}

bool json_walk_element(struct json_walk *walk, struct json_slice *ret_value)
{
    if (!advance(walk))
        return false;
    *ret_value = take_value(walk);
    return ret_value->length > 0;
}

bool json_slice_is_none(struct json_slice slice)
{
    return !slice.text || json_slice_equals(slice, "null");
}

bool json_slice_equals(struct json_slice slice, const char *text)
{
    return slice.text && slice.length == strlen(text) && memcmp(slice.text, text, slice.length) == 0;
}

bool json_slice_is_empty(struct json_slice slice)
{
    struct json_walk walk = walk_inside(slice, json_slice_is_object(slice) || json_slice_is_array(slice));

    return !advance(&walk);
}

struct json_slice json_slice_member(struct json_slice object, const char *key)
{
    struct json_walk walk = json_walk_object(object);
    struct json_slice name;
    struct json_slice value;

    while (json_walk_member(&walk, &name, &value)) {
        if (name.length == strlen(key) + 2 && memcmp(name.text + 1, key, name.length - 2) == 0)
            return json_slice_is_none(value) ? (struct json_slice){0} : value;
    }
    return (struct json_slice){0};
}

struct copy {
    char *target;
    size_t size;
    int result;
};

static void on_value(void *userdata, unsigned int state, const char *key, const struct json_value *value)
{
    struct copy *copy = userdata;

    (void)state;
    (void)key;
    copy->result = json_value_copy(value, copy->target, copy->size);
}

static void on_end(void *userdata, unsigned int state)
{
    (void)userdata;
    (void)state;
}

int json_slice_copy(struct json_slice slice, char *target, size_t size)
{
    struct copy copy = {.target = target, .size = size, .result = -EINVAL};
    const struct json_consumer consumer = {
        .on_value = on_value,
        .on_end = on_end,
        .userdata = &copy,
        .document_max = JSON_TOKEN_MAX,
    };
    struct json_reader reader;
    int result;

    if (slice.length == 0 || slice.text[0] != '"')
        return -EINVAL;
    result = json_reader_initialise(&reader, &consumer);
    if (result < 0)
        return result;
    result = json_reader_feed(&reader, slice.text, slice.length);
    if (result == 0)
        result = json_reader_finish(&reader);
    json_reader_release(&reader);
    return result < 0 ? -EINVAL : copy.result;
}

int json_slice_number(struct json_slice slice, uint64_t maximum, uint64_t *ret)
{
    return slice.text ? text_to_number(slice.text, slice.length, maximum, ret) : -EINVAL;
}
