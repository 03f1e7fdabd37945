/*
 * A streaming JSON reader that shows a consumer only the values that it asked for.
 *
 * Called by the parsers beside it (container_json.c …) with whatever bytes the transport delivers, split
 * anywhere. Reads foreign bytes; runs without any privilege. yajl does the grammar (RFC 8259); no tree is built.
 *
 * A consumer names its values by rules: "the member `key` of a value in state `inside` is in state `becomes`".
 * The top value is in state JSON_TOP. What no rule names is skipped whole, at any depth up to the limit.
 */
#pragma once

#include "common/cleanup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <yajl/yajl_parse.h>

/* Limits on what a peer can make grow. */
#define JSON_DEPTH_MAX 48
#define JSON_KEY_SIZE  256                   /* of a member's name; a longer one, or one with a NUL, counts as "" */
#define JSON_TOKEN_MAX ((size_t)1024 * 1024) /* one string, or white space, without an end */

enum { JSON_SKIPPED = 0, JSON_TOP = 1, JSON_FIRST_STATE = 2 };

/* In place of a key: every element of an array; every member of an object. */
#define JSON_EVERY_ELEMENT "[]"
#define JSON_EVERY_MEMBER  "*"

struct json_rule {
    uint8_t inside;
    uint8_t becomes;
    const char *key;
};

enum json_type {
    JSON_NULL,
    JSON_BOOLEAN,
    JSON_NUMBER,
    JSON_STRING,
    JSON_OBJECT,
    JSON_ARRAY,
};

/* Of an object or array there is only the type: its content follows in calls of its own. */
struct json_value {
    enum json_type type;
    bool boolean;
    const char *text; /* string (unescaped, may hold NUL) or number; not terminated */
    size_t length;
};

struct json_consumer {
    const struct json_rule *rules;
    size_t rule_count;
    /* A value in `state` begins; `key` is its member name ("" in an array). */
    void (*on_value)(void *userdata, unsigned int state, const char *key, const struct json_value *value);
    /* The object or array in `state` ended. */
    void (*on_end)(void *userdata, unsigned int state);
    void *userdata;
    size_t document_max; /* bytes of one top value */
    bool is_sequence;    /* several top values may follow one another (Docker's events) */
};

struct json_reader {
    yajl_handle yajl;
    struct json_consumer consumer;
    uint8_t states[JSON_DEPTH_MAX];
    bool is_array[JSON_DEPTH_MAX];
    size_t depth;
    char key[JSON_KEY_SIZE];
    size_t fed;            /* bytes before this chunk */
    size_t document_start; /* offset behind the last complete top value */
    size_t last_token;     /* offset of the last token seen */
    const char *error;
};

/* Makes `reader` ready. Returns 0 or -ENOMEM. */
int json_reader_initialise(struct json_reader *reader, const struct json_consumer *consumer)
    __attribute__((warn_unused_result));
void json_reader_release(struct json_reader *reader);

/*
 * Reads `length` more bytes. Returns 0, -EBADMSG (no JSON, too deep) or -EMSGSIZE (over a limit); then the
 * reader is spent and json_reader_error() says why.
 */
int json_reader_feed(struct json_reader *reader, const void *bytes, size_t length) __attribute__((warn_unused_result));

/* The input is over: 0, or -EBADMSG when it ended within a value or held none. */
int json_reader_finish(struct json_reader *reader) __attribute__((warn_unused_result));

const char *json_reader_error(const struct json_reader *reader);

/* Copies a string value; -EINVAL for another type or one with a NUL inside, -ENAMETOOLONG. */
int json_value_copy(const struct json_value *value, char *target, size_t size) __attribute__((warn_unused_result));

/* A whole number from 0 to `maximum`: 0, -EINVAL or -ERANGE. */
int json_value_number(const struct json_value *value, uint64_t maximum, uint64_t *ret)
    __attribute__((warn_unused_result));
