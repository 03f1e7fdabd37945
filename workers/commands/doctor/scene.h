/*
 * What there is for the checks of `anchord doctor` to look at: the anchors that run, and what Docker, each anchor and
 * the kernel said of them.
 *
 * gather.c makes it, as whoever typed the command; checks read it, without privilege. The bytes are what others have
 * said, as it came: the process that gathers does not look into them.
 */
#pragma once

#include "common/text.h"
#include "protocol/messages_parts.h"

#include <sys/types.h>

#define ANCHORS_MAX 32
/* Where an answer names its anchor's place: ANCHORS_MAX is the host, files come behind. A finding depends on those of
 * the same place, and of the host. */
#define FILES_BEGIN       (ANCHORS_MAX + 1)
#define FILES_MAX         64
#define SCENE_ID_SIZE     65
#define SCENE_REASON_SIZE 256

struct said {
    char *bytes; /* not terminated; NULL: nothing */
    size_t length;
    int error; /* a negative errno: why there is nothing */
    char reason[SCENE_REASON_SIZE];
};

/* A network-anchor, or what attaches a project: who has netadmin among his processes. */
struct anchor {
    pid_t pid;              /* of its netadmin, as we see it */
    bool is_here;           /* we are in its network namespace */
    char id[SCENE_ID_SIZE]; /* of its container; empty: none, or not to be seen */
    char name[NAME_SIZE];   /* of the container, or of its project, else of its ID */
    char project[NAME_SIZE];
    struct said status; /* anchord status --json */
    struct said rules;  /* anchord-ruleset: our tables */
    struct said again;  /* the same a moment later: a dump of a table that grows may miss elements */
    struct said after;  /* its status after both: what is told of exposures and what the kernel holds change together */
    struct said hooks;  /* anchord-ruleset --hooks: everybody's chains */
};

struct told_network {
    char id[SCENE_ID_SIZE];
    char name[NAME_SIZE];
    struct said inspection;
};

enum told_container_flags {
    CONTAINER_STOPPED = 1 << 0,  /* neither runs nor is paused */
    CONTAINER_RESTARTS = 1 << 1, /* the same, and Docker starts it again */
    CONTAINER_IS_ANCHORD = 1 << 2,
    CONTAINER_IS_EXPOSED = 1 << 3, /* by its label */
};

/* An anchord, or what has the label, that does not run. */
struct told_stopped {
    char name[NAME_SIZE];
    char project[NAME_SIZE];
    uint32_t flags;
};

struct scene {
    bool is_root;
    bool is_in_container;     /* PID 1 is no host's */
    const char *from_lan;     /* the option as it was typed; NULL: none */
    const char *only;         /* the anchor that was named; NULL: all */
    const char *const *files; /* likewise */
    size_t file_count;
    struct anchor anchors[ANCHORS_MAX];
    size_t anchor_count;
    struct said hooks; /* anchord-ruleset --hooks where we are */
    int docker_error;  /* 0: it has answered */
    char docker_reason[SCENE_REASON_SIZE];
    char docker_host[192];
    char engine[NAME_SIZE]; /* "28.5.2" */
    unsigned int api;
    bool is_podman;
    struct said info;              /* GET /info */
    struct told_network *networks; /* that containers are on */
    size_t network_count, network_capacity;
    struct told_stopped *stopped;
    size_t stopped_count, stopped_capacity;
};

void scene_release(struct scene *scene);
/* Of the anchors from `kept` on. */
void scene_release_anchors(struct scene *scene, size_t kept);
