/* Looks for anchors among the processes; see find_anchors.h. */
#include "workers/commands/doctor/find_anchors.h"

#include "common/cleanup.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* As the kernel cuts it: TASK_COMM_LEN. */
#define NETADMIN "anchord-netadmi"
/* docs/architecture.md. A name anybody gives himself: a user of the host would have root ask him, and hide who runs. */
#define NETADMIN_USER 24942

static bool read_line(const char *path, char *text, size_t size)
{
    CLEANUP_STREAM FILE *stream = fopen(path, "re");

    if (!stream || !fgets(text, (int)size, stream))
        return false;
    text[strcspn(text, "\n")] = '\0';
    return true;
}

/* NOLINTBEGIN(cert-err34-c): the kernel wrote it */
static bool is_of_netadmins_user(const char *process)
{
    char path[288], line[128];
    CLEANUP_STREAM FILE *stream = NULL;
    unsigned int user = 0;

    (void)snprintf(path, sizeof(path), "/proc/%s/status", process);
    stream = fopen(path, "re");
    while (stream && fgets(line, sizeof(line), stream)) {
        if (sscanf(line, "Uid: %u", &user) == 1)
            return user == NETADMIN_USER;
    }
    return false;
}
/* NOLINTEND(cert-err34-c) */

/* The inode of a process's namespace; 0: it may not be looked into. */
static ino_t namespace_of(const char *process, const char *kind)
{
    char path[288];
    struct stat status;

    (void)snprintf(path, sizeof(path), "/proc/%s/ns/%s", process, kind);
    return stat(path, &status) < 0 ? 0 : status.st_ino;
}

/* The 64 digits between /containers/ and / in the mounts that Docker and Podman make for every container. */
static bool find_id(const char *line, char ret[SCENE_ID_SIZE])
{
    const char *found = line;

    while ((found = strstr(found, "containers/")) != NULL) {
        found += strlen("containers/");
        if (strspn(found, "0123456789abcdef") == SCENE_ID_SIZE - 1 && found[SCENE_ID_SIZE - 1] == '/') {
            memcpy(ret, found, SCENE_ID_SIZE - 1);
            ret[SCENE_ID_SIZE - 1] = '\0';
            return true;
        }
    }
    return false;
}

static void read_id(const char *process, char ret[SCENE_ID_SIZE])
{
    char path[288];
    CLEANUP_FREE char *line = NULL;
    CLEANUP_STREAM FILE *stream = NULL;
    size_t capacity = 0;

    (void)snprintf(path, sizeof(path), "/proc/%s/mountinfo", process);
    stream = fopen(path, "re");
    while (stream && getline(&line, &capacity, stream) >= 0) {
        if (find_id(line, ret))
            return;
    }
}

static bool is_known(const struct scene *scene, const ino_t *namespaces, ino_t net)
{
    for (size_t i = 0; i < scene->anchor_count; i++) {
        if (namespaces[i] == net)
            return true;
    }
    return false;
}

/* In the container of an anchor, whose workers are another user's, nothing but their names is to be seen: but then
 * there is no other one. */
static void add(struct scene *scene, const char *process, ino_t *namespaces)
{
    ino_t own = namespace_of("self", "net");
    ino_t net = namespace_of(process, "net");
    struct anchor *anchor = &scene->anchors[scene->anchor_count];

    if (net == 0 && !scene->is_in_container)
        return;
    if (net == 0)
        net = own;
    if (is_known(scene, namespaces, net))
        return;
    *anchor = (struct anchor){.pid = (pid_t)strtol(process, NULL, 10), .is_here = net == own};
    read_id(scene->is_in_container ? "self" : process, anchor->id);
    text_copy_cut(anchor->name, sizeof(anchor->name), anchor->id);
    anchor->name[12] = '\0'; /* Docker's short form */
    if (anchor->id[0] == '\0')
        (void)snprintf(anchor->name, sizeof(anchor->name), "process %.20s", process);
    namespaces[scene->anchor_count++] = net;
}

/* Whoever is in an anchor's network namespace, by docker exec or ip netns exec, means that one. */
static void keep_own(struct scene *scene)
{
    for (size_t i = 0; i < scene->anchor_count; i++) {
        if (!scene->anchors[i].is_here)
            continue;
        scene->anchors[0] = scene->anchors[i];
        scene->anchor_count = 1;
        return;
    }
}

void find_anchors(struct scene *scene)
{
    ino_t namespaces[ANCHORS_MAX] = {0};
    char first[32] = "";
    struct dirent *entry;
    DIR *directory = opendir("/proc");

    scene->is_root = geteuid() == 0;
    (void)read_line("/proc/1/comm", first, sizeof(first));
    scene->is_in_container = strncmp(first, "anchord", strlen("anchord")) == 0 || strcmp(first, "docker-init") == 0 ||
                             strcmp(first, "catatonit") == 0 || strcmp(first, "tini") == 0;
    while (directory && scene->anchor_count < ANCHORS_MAX && (entry = readdir(directory)) != NULL) {
        char path[288], name[32];

        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        (void)snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
        if (read_line(path, name, sizeof(name)) && strcmp(name, NETADMIN) == 0 && is_of_netadmins_user(entry->d_name))
            add(scene, entry->d_name, namespaces);
    }
    if (directory)
        (void)closedir(directory);
    keep_own(scene);
}
