/* The memory behind the metrics pages; see metrics_store.h. Runs in anchord-init and the supervisor, as root. */
#include "daemon/supervise/metrics_store.h"

#include "common/log.h"
#include "protocol/metrics.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* The size is fixed for good: no writer can make a reader's mapping fault. */
#define PAGE_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

struct store_page {
    int page;
    int view;
};

static struct store_page store[METRICS_WRITER_MAX_];
static bool store_is_open;

static int make_page(int *ret)
{
    CLEANUP_FD int page = memfd_create("anchord-metrics", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    /* A new memfd is open to all: whoever can read it could open it again by way of /proc for writing. */
    if (page < 0 || fchmod(page, 0600) < 0 || ftruncate(page, METRICS_PAGE_SIZE) < 0 ||
        fcntl(page, F_ADD_SEALS, PAGE_SEALS) < 0)
        return -errno;
    *ret = TAKE_FD(page);
    return 0;
}

/* The copy has no close-on-exec flag: that is what it is for. */
static int bequeath_page(int descriptor)
{
    CLEANUP_FD int page = -1;
    int result = make_page(&page);

    if (result < 0)
        return result;
    if (page == descriptor) /* already there: dup2(2) would leave the flag */
        return fcntl(TAKE_FD(page), F_SETFD, 0) < 0 ? -errno : 0;
    return dup2(page, descriptor) < 0 ? -errno : 0;
}

void metrics_store_bequeath(void)
{
    int result = 0;

    for (int writer = 0; writer < METRICS_WRITER_MAX_ && result == 0; writer++)
        result = bequeath_page(METRICS_DESCRIPTOR_FIRST + writer);
    if (result < 0)
        log_warn("metrics will not outlive a supervisor", LOG_ERROR(result));
}

/* True when `descriptor` is such a page and now belongs to this process alone. */
static bool inherit_page(int descriptor)
{
    struct stat status;

    return fcntl(descriptor, F_GET_SEALS) == PAGE_SEALS && fstat(descriptor, &status) == 0 &&
           status.st_size == METRICS_PAGE_SIZE && fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0;
}

/* A descriptor of its own for the exporter: neither write(2) nor a writable mapping works on it. */
static int open_view(int page, int *ret)
{
    char path[32];
    int view;

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", page);
    view = open(path, O_RDONLY | O_CLOEXEC);
    if (view < 0)
        return -errno;
    *ret = view;
    return 0;
}

int metrics_store_open(void)
{
    int result = 0;

    /* All that is inherited before anything is made: a descriptor of ours may get one of these numbers. */
    for (int writer = 0; writer < METRICS_WRITER_MAX_; writer++) {
        bool is_inherited = inherit_page(METRICS_DESCRIPTOR_FIRST + writer);

        store[writer] = (struct store_page){is_inherited ? METRICS_DESCRIPTOR_FIRST + writer : -1, -1};
    }
    for (int writer = 0; writer < METRICS_WRITER_MAX_ && result == 0; writer++) {
        if (store[writer].page < 0)
            result = make_page(&store[writer].page);
        if (result == 0)
            result = open_view(store[writer].page, &store[writer].view);
    }
    store_is_open = result == 0;
    return result; /* what was made before a failure stays open, unused, in a process that goes on without metrics */
}

int metrics_store_page(enum metrics_writer writer)
{
    return store_is_open ? store[writer].page : -1;
}

int metrics_store_view(enum metrics_writer writer)
{
    return store_is_open ? store[writer].view : -1;
}
