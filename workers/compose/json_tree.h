/*
 * A JSON document as a tree, and errors that say where in it.
 *
 * Called by project.c with what `docker compose config --format json` printed: anybody may have written the Compose
 * file behind it. Runs in anchord-wrap and anchord-doctor without any privilege. yajl does the grammar (RFC 8259) and
 * checks UTF-8. A tree is fine here: the command ends when it has printed its answer.
 */
#pragma once

#include "workers/compose/arena.h"

#include <stdbool.h>
#include <stdint.h>

/* Limits: a project of 1000 services, or of 60,000 published ports, stays below them. */
#define JSON_TREE_BYTES_MAX  ((size_t)32 * 1024 * 1024)
#define JSON_TREE_VALUES_MAX ((size_t)1000 * 1000)
#define JSON_TREE_DEPTH_MAX  32

enum json_tree_type {
    JSON_TREE_NULL,
    JSON_TREE_BOOLEAN,
    JSON_TREE_NUMBER,
    JSON_TREE_STRING,
    JSON_TREE_OBJECT,
    JSON_TREE_ARRAY,
};

struct json_tree_value {
    enum json_tree_type type;
    const char *key;  /* of a member of an object; "" otherwise */
    const char *text; /* a string without its escapes, or a number as written; NUL-terminated, none inside */
    bool boolean;
    size_t offset; /* of the last byte of its first token, counted from 0 */
    struct json_tree_value *parent;
    struct json_tree_value *first; /* of an object's or array's content, in the document's order */
    struct json_tree_value *last;
    struct json_tree_value *next;
};

struct json_tree {
    struct arena *arena;
    const char *bytes;
    size_t length;
    struct json_tree_value *root;
};

#define JSON_TREE_ERROR_SIZE 512

/* For people: line, column, byte, path, and what is wrong. ASCII. */
struct json_tree_error {
    char text[JSON_TREE_ERROR_SIZE];
};

/* Parses `length` bytes, which must outlive the tree. Returns 0, -EBADMSG or -EMSGSIZE with *ret_error, or -ENOMEM. */
int json_tree_parse(struct arena *arena, const char *bytes, size_t length, struct json_tree *ret,
                    struct json_tree_error *ret_error) __attribute__((warn_unused_result));

/* The member of an object that is called `key` and is not null; NULL if there is none or it is no object. */
const struct json_tree_value *json_tree_member(const struct json_tree_value *object, const char *key);

/* Writes what is wrong with `value` and where it stands. Returns -EBADMSG. */
int json_tree_fail(const struct json_tree *tree, const struct json_tree_value *value, const char *reason,
                   struct json_tree_error *ret_error);

/*
 * What a value must be. All return 0, or -EBADMSG with *ret_error.
 * A missing one (NULL) leaves *ret untouched and is fine.
 */
int json_tree_text(const struct json_tree *tree, const struct json_tree_value *value, const char **ret,
                   struct json_tree_error *ret_error) __attribute__((warn_unused_result));
int json_tree_boolean(const struct json_tree *tree, const struct json_tree_value *value, bool *ret,
                      struct json_tree_error *ret_error) __attribute__((warn_unused_result));
int json_tree_number(const struct json_tree *tree, const struct json_tree_value *value, int64_t minimum,
                     int64_t maximum, int64_t *ret, struct json_tree_error *ret_error)
    __attribute__((warn_unused_result));
/* An object or array, as `type` says. */
int json_tree_container(const struct json_tree *tree, const struct json_tree_value *value, enum json_tree_type type,
                        struct json_tree_error *ret_error) __attribute__((warn_unused_result));
