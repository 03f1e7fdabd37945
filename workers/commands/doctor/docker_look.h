/*
 * What Docker says for the checks: the engine, the containers' names and the networks that they are on. No container is
 * inspected: nobody's environment is seen.
 *
 * Called by gather.c in a child of its own, which gives up every privilege before the first foreign byte. What it has
 * heard it hands on as records with the bytes of a document behind each, which its parent does not look into.
 */
#pragma once

#include "workers/commands/doctor/scene.h"

#define DOCKER_LOOK_LIMIT ((size_t)64 * 1024 * 1024)
/* Of one document. */
#define DOCKER_LOOK_DOCUMENT_MAX ((size_t)16 * 1024 * 1024)

enum docker_word_kind {
    DOCKER_WORD_ENGINE = 1, /* name: its version; numbers: API, is it Podman; bytes: its /info */
    DOCKER_WORD_CONTAINER,  /* id, name, project; numbers: enum told_container_flags */
    DOCKER_WORD_NETWORK,    /* id, name; bytes: its inspection */
    DOCKER_WORD_END,        /* error, name: why */
    DOCKER_WORD_MAX_,
};

struct docker_word {
    uint32_t kind;
    int32_t error;
    uint64_t length; /* of the bytes behind it */
    uint32_t numbers[2];
    char id[SCENE_ID_SIZE];
    char name[SCENE_REASON_SIZE];
    char project[NAME_SIZE];
};

/* The child's function (child.h), whose userdata is NULL. */
int docker_look(void *nothing, int output);
