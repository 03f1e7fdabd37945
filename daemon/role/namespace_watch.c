/* The end of a joined namespace; see namespace_watch.h. Runs in the supervisor, as root. */
#include "daemon/role/namespace_watch.h"

#include "common/clock.h"
#include "daemon/role/owner_state.h"
#include "daemon/supervise/timer.h"

#include <sys/inotify.h>
#include <sys/stat.h>

#define HOSTS_FILE "/etc/hosts"

/* Docker writes the file some 100 ms before the owner runs; a restart policy must not come before that. */
#define REST_TIME (2 * MICROSECONDS_PER_SECOND)

struct namespace_watch {
    namespace_watch_handler on_lost;
    void *userdata;
    sd_event_source *hosts_source; /* NULL: the file is not shared with anybody, or not there */
    sd_event_source *timer;
    struct owner_state owner;
    bool has_links;
};

/* Returns true when the namespace is lost and its owner runs again. */
static bool look(struct namespace_watch *watch)
{
    struct stat status;

    if (watch->hosts_source && stat(HOSTS_FILE, &status) == 0)
        return owner_state_look(&watch->owner, watch->has_links, status.st_size);
    return !watch->has_links;
}

static int on_timer(sd_event_source *source, uint64_t planned, void *userdata)
{
    struct namespace_watch *watch = userdata;

    (void)source;
    (void)planned;
    if (look(watch))
        watch->on_lost(watch->userdata);
    return 0;
}

static int on_hosts_changed(sd_event_source *source, const struct inotify_event *event, void *userdata)
{
    const struct namespace_watch *watch = userdata;

    (void)source;
    (void)event;
    timer_set(watch->timer, REST_TIME);
    return 0;
}

/* Docker mounts the owner's file over ours; elsewhere it says nothing, and the links alone count. */
static bool hosts_file_is_mounted(void)
{
    struct stat file, root;

    return stat(HOSTS_FILE, &file) == 0 && stat("/", &root) == 0 && file.st_dev != root.st_dev;
}

void namespace_watch_set_links(struct namespace_watch *watch, bool has_links)
{
    watch->has_links = has_links;
    if (has_links && watch->owner.alive_size == 0)
        (void)look(watch); /* the owner may be stopped before the file is at rest */
    timer_set(watch->timer, REST_TIME);
}

int namespace_watch_new(sd_event *event, namespace_watch_handler on_lost, void *userdata, struct namespace_watch **ret)
{
    CLEANUP(namespace_watch_freep) struct namespace_watch *watch = calloc(1, sizeof(*watch));
    int result;

    if (!watch)
        return -ENOMEM;
    watch->on_lost = on_lost;
    watch->userdata = userdata;
    watch->owner.lost_size = -1;
    watch->has_links = true;
    result = timer_new(event, CLOCK_MONOTONIC, 0, on_timer, watch, &watch->timer);
    if (result < 0)
        return result;
    /* inotify's instances are limited per user, over all containers: without one the links alone count. */
    if (hosts_file_is_mounted())
        (void)sd_event_add_inotify(event, &watch->hosts_source, HOSTS_FILE, IN_CLOSE_WRITE | IN_MODIFY,
                                   on_hosts_changed, watch);
    *ret = TAKE_POINTER(watch);
    return 0;
}

struct namespace_watch *namespace_watch_free(struct namespace_watch *watch)
{
    if (!watch)
        return NULL;
    sd_event_source_disable_unref(watch->hosts_source);
    sd_event_source_disable_unref(watch->timer);
    free(watch);
    return NULL;
}
