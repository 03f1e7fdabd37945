/* Which container are we? See own_container.h. Runs in the supervisor, as root. */
#include "daemon/role/own_container.h"

#include "common/cleanup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID_DIGITS 64

/* 36 35 98:0 /docker/containers/8dfa…/hostname /etc/hostname rw,relatime … */
bool own_container_read_line(const char *line, char id[CONTAINER_ID_SIZE])
{
    static const char *const files[] = {"/etc/hostname", "/etc/hosts", "/etc/resolv.conf"};
    char root[512], mount_point[64];
    char *rest = root;
    const char *part;
    bool is_asked = false, is_found = false;

    if (sscanf(line, "%*s %*s %*s %511s %63s", root, mount_point) != 2)
        return false;
    for (size_t i = 0; i < ARRAY_LENGTH(files); i++)
        is_asked |= strcmp(mount_point, files[i]) == 0;
    while (is_asked && !is_found && (part = strsep(&rest, "/"))) {
        is_found = strlen(part) == ID_DIGITS && strspn(part, "0123456789abcdef") == ID_DIGITS;
        if (is_found)
            memcpy(id, part, ID_DIGITS + 1);
    }
    return is_found;
}

void own_container_find_id(char id[CONTAINER_ID_SIZE])
{
    CLEANUP_STREAM FILE *mounts = fopen("/proc/self/mountinfo", "re");
    CLEANUP_FREE char *line = NULL;
    bool is_found = false;
    size_t size = 0;

    memset(id, 0, CONTAINER_ID_SIZE);
    while (mounts && !is_found && getline(&line, &size, mounts) >= 0)
        is_found = own_container_read_line(line, id);
}
