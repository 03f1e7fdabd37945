/* The first process of a container; see container_process.h. Runs in anchord-namespaces. */
#include "workers/namespaces/container_process.h"

#include "common/text.h"
#include "workers/namespaces/process_text.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

/* cgroup has a line for each hierarchy, of which there are at most some twelve; a longer text counts as none. */
#define PROCESS_TEXT_MAX 16384

struct search {
    const char *id;
    pid_t wanted;
    bool saw_wanted; /* it is of the container */
    int oldest;      /* directory of the oldest so far; -1: none */
    pid_t oldest_pid;
    uint64_t start_time; /* of the oldest */
    char text[PROCESS_TEXT_MAX];
};

/* Reads all of a file below `directory`. Returns its length or a negative errno: -EFBIG when it is longer. */
static ssize_t read_text(int directory, const char *name, char text[PROCESS_TEXT_MAX])
{
    CLEANUP_FD int file = openat(directory, name, O_RDONLY | O_CLOEXEC);
    size_t length = 0;

    if (file < 0)
        return -errno;
    while (length < PROCESS_TEXT_MAX) {
        ssize_t more = read(file, text + length, PROCESS_TEXT_MAX - length);

        if (more < 0)
            return -errno;
        if (more == 0)
            return (ssize_t)length;
        length += (size_t)more;
    }
    return -EFBIG;
}

static bool is_of_container(struct search *search, int directory)
{
    ssize_t length = read_text(directory, "cgroup", search->text);

    return length > 0 && process_text_is_of_container(search->text, (size_t)length, search->id);
}

static int read_start_time(struct search *search, int directory, uint64_t *ret)
{
    ssize_t length = read_text(directory, "stat", search->text);

    return length < 0 ? (int)length : process_text_start_time(search->text, (size_t)length, ret);
}

/* Two that began in the same tick, a hundredth of a second: the lower number was given out first. */
static bool is_older(const struct search *search, uint64_t start_time, pid_t pid)
{
    return search->oldest < 0 || start_time < search->start_time ||
           (start_time == search->start_time && pid < search->oldest_pid);
}

/* A process that ends meanwhile is none. */
static void consider(struct search *search, int processes, const char *name, pid_t pid)
{
    CLEANUP_FD int directory = openat(processes, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
    uint64_t start_time;

    if (directory < 0 || !is_of_container(search, directory) || read_start_time(search, directory, &start_time) < 0)
        return;
    if (pid == search->wanted)
        search->saw_wanted = true;
    if (!is_older(search, start_time, pid))
        return;
    close_fd(&search->oldest);
    search->oldest = TAKE_FD(directory);
    search->oldest_pid = pid;
    search->start_time = start_time;
}

static void look_through(struct search *search, DIR *processes)
{
    struct dirent *entry;

    rewinddir(processes);
    while ((entry = readdir(processes))) {
        uint64_t pid;

        if (text_to_number(entry->d_name, strlen(entry->d_name), INT32_MAX, &pid) == 0)
            consider(search, dirfd(processes), entry->d_name, (pid_t)pid);
    }
}

int container_process_open_namespace(DIR *processes, const char *id, pid_t wanted, const char **ret_reason)
{
    struct search search;
    CLEANUP_FD int oldest = -1;
    int opened;

    search.id = id;
    search.wanted = wanted;
    search.saw_wanted = false;
    search.oldest = -1;
    look_through(&search, processes);
    oldest = search.oldest;
    *ret_reason = "no process is in the container";
    if (oldest < 0)
        return -ESRCH;
    *ret_reason = "the process is not in the container";
    if (wanted && !search.saw_wanted)
        return -ESRCH;
    *ret_reason = "the process is not the container's first one";
    if (wanted && search.oldest_pid != wanted)
        return -EPERM;
    *ret_reason = "the process has no network namespace that can be opened";
    opened = openat(oldest, "ns/net", O_RDONLY | O_CLOEXEC);
    return opened < 0 ? -errno : opened;
}
