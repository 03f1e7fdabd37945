/*
 * What the parsers of records.h have in common; for the files that implement them only.
 * Reads foreign bytes, runs without any privilege.
 */
#pragma once

#include "workers/docker/records.h"

struct docker_parser;

/* Called by docker_parser_finish() after a complete document: NULL, or what is wrong with it. */
typedef const char *(*docker_parser_check)(struct docker_parser *parser);

struct docker_parser {
    struct json_reader reader;
    docker_parser_check check; /* or NULL */
    /* Called with the bytes of the answer before they are read, or NULL. Returns 0 or a negative errno. */
    int (*keep)(struct docker_parser *parser, const void *bytes, size_t length);
    const char *error;
    void *record; /* owned, or NULL */
    void *array;  /* of the record, that grows; owned, or NULL */
    void *userdata;
};

/* Makes a parser around `record` (owned from now on, also on failure). */
int docker_parser_new(const struct json_consumer *consumer, docker_parser_check check, void *record,
                      struct docker_parser **ret) __attribute__((warn_unused_result));

/* Which of the selector's pairs the label satisfies, as bits. */
uint32_t docker_label_select(const struct docker_label_names *names, const char *name, const struct json_value *value);
/* Do these bits, of all labels, satisfy it? */
bool docker_labels_are_selected(const struct docker_label_names *names, uint32_t matched);
/* Does it look like one of ours without being one? */
bool docker_label_is_unknown(const struct docker_label_names *names, const char *name);
/* The place of `name` in `names`, or -ENOENT. */
int docker_label_find(const struct docker_label_names *names, const char *name);

/* Copies a label's value; -EINVAL or -ENAMETOOLONG as json_value_copy(). */
int docker_label_read(struct docker_label *label, const struct json_value *value) __attribute__((warn_unused_result));

/* Reads an ID: 1 … 64 hexadecimal digits. Returns 0 or -EINVAL. */
int docker_id_read(const struct json_value *value, char id[DOCKER_ID_SIZE]) __attribute__((warn_unused_result));

/* Reads a NetworkMode: true when it is that of a container which has joined another's namespace. `id` is empty when the
 * other is not named by its ID. */
bool docker_joined_id_read(const struct json_value *value, char id[DOCKER_ID_SIZE]);

/* Reads an address of `family`; null and "" are none. A prefix length behind a slash is ignored. */
int docker_address_read(const struct json_value *value, uint8_t family, struct ip_address *ret)
    __attribute__((warn_unused_result));
