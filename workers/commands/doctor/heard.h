/*
 * Reading what Docker and an anchor said, in a check's process.
 *
 * Used by the checks, behind the seal. Reads foreign bytes; what is not there, or is something else, is empty.
 */
#pragma once

#include "workers/commands/doctor/scene.h"
#include "workers/docker/json_slice.h"

#define HEARD_TEXT_SIZE 512

/* The document's one value. */
struct json_slice heard(const struct said *said);

/* The text of a member; cut to nothing when it is no text or too long. */
void heard_text(struct json_slice object, const char *key, char ret[HEARD_TEXT_SIZE]);
uint64_t heard_number(struct json_slice object, const char *key);
bool heard_is_true(struct json_slice object, const char *key);

/* A walk over the elements of the member `key`. */
struct json_walk heard_list(struct json_slice object, const char *key);

/* Of `anchord status --json`: the interface on the LAN (`external`) or on the project's network (`shared`), or "". */
void heard_interface(const struct anchor *anchor, const char *key, char ret[HEARD_TEXT_SIZE]);

/* The network of that name or ID among those that the anchors are on; NULL: Docker has not told. */
const struct told_network *heard_network(const struct scene *scene, const char *name);

/* A line of anchord-ruleset --hooks. */
struct heard_chain {
    char family[16], table[128], name[128], hook[16], policy[16];
    int priority;
    unsigned int drops, reverse_paths;
};

/* The next one from *place on, which moves behind it; false: there is no more. */
bool heard_next_chain(const struct said *hooks, size_t *place, struct heard_chain *ret);

/* Of a table of anchord's (WALL-9). */
bool heard_is_own(const struct heard_chain *chain);
