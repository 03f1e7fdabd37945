/* Whether the namespace ends with us; see container_home.h. Runs in the supervisor, as root. */
#include "daemon/role/container_home.h"

#include "common/cleanup.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* TASK_COMM_LEN of the kernel, and the end of the line. */
#define PROCESS_NAME_SIZE 17

/* Ours, and what `init: true` puts in front of it: Docker's and Podman's. */
static const char *const container_inits[] = {"anchord-init", "docker-init", "catatonit"};

bool container_home_ends_with_us(void)
{
    char name[PROCESS_NAME_SIZE] = "";
    CLEANUP_FD int descriptor = open("/proc/1/comm", O_RDONLY | O_CLOEXEC);
    ssize_t length = descriptor < 0 ? -1 : read(descriptor, name, sizeof(name) - 1);

    if (length <= 0)
        return false;
    name[strcspn(name, "\n")] = '\0';
    for (size_t i = 0; i < ARRAY_LENGTH(container_inits); i++) {
        if (strcmp(name, container_inits[i]) == 0)
            return true;
    }
    return false;
}

enum stop_mode container_home_choose_stop_mode(enum on_stop on_stop)
{
    if (on_stop == ON_STOP_KEEP)
        return STOP_KEEP_STATE;
    return on_stop == ON_STOP_REMOVE || container_home_ends_with_us() ? STOP_TEAR_DOWN : STOP_LEAVE_CLOSED;
}
