/*
 * Parts of a JSON document as they stand in it, byte by byte: what is passed on unread stays what it was.
 *
 * Called by the keeper, which builds a container from another one's inspection (LIFE-7), over a document that a
 * json_reader has checked. Pure; never reads past the bytes that it was given, whatever they hold. Runs without any
 * privilege.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_slice {
    const char *text; /* NULL: there is none; not terminated */
    size_t length;
};

/* The only value of a document, without the white space around it. */
struct json_slice json_slice_of(const char *bytes, size_t length);

/* The value of the object's member `key`; none when there is no such member, or it is null, or `object` is no object.
 */
struct json_slice json_slice_member(struct json_slice object, const char *key);

/* A walk over an object's members or an array's elements, in their order. What is another kind of value has none. */
struct json_walk {
    const char *next;
    const char *end;
};

struct json_walk json_walk_object(struct json_slice object);
struct json_walk json_walk_array(struct json_slice array);
/* False: there is no more. `ret_key` is the key with its quotes. */
bool json_walk_member(struct json_walk *object, struct json_slice *ret_key, struct json_slice *ret_value);
bool json_walk_element(struct json_walk *array, struct json_slice *ret_value);

bool json_slice_is_none(struct json_slice slice);
bool json_slice_is_object(struct json_slice slice);
bool json_slice_is_array(struct json_slice slice);
bool json_slice_is_string(struct json_slice slice);
/* Are these its bytes? `"name"` for a key, `true`. */
bool json_slice_equals(struct json_slice slice, const char *text);
/* An object or array without content, or none. */
bool json_slice_is_empty(struct json_slice slice);

/* A string without its quotes and escapes. Returns 0; -EINVAL (no string, a NUL inside), -ENAMETOOLONG or -ENOMEM. */
int json_slice_copy(struct json_slice slice, char *target, size_t size) __attribute__((warn_unused_result));

/* A whole number from 0 on. Returns 0, -EINVAL or -ERANGE. */
int json_slice_number(struct json_slice slice, uint64_t maximum, uint64_t *ret) __attribute__((warn_unused_result));
