/*
 * anchord-watcher: reads Docker, computes which port leads to which container, tells netadmin (DESIGN §1).
 *
 * Started by the supervisor with one socket at descriptor 3, under its own user, without any capability. Trusts the
 * supervisor and netadmin; trusts nothing that Docker says.
 */
#include "common/log.h"
#include "protocol/supervised.h"
#include "workers/watcher/watcher.h"

static int run(sd_event *event)
{
    CLEANUP(watcher_freep) struct watcher *watcher = NULL;
    int result = watcher_new(event, &watcher);

    if (result < 0) {
        log_error("watcher cannot start", LOG_ERROR(result));
        return EXIT_STATUS_CRASH;
    }
    return supervised_loop(event);
}

int main(void)
{
    return supervised_main("watcher", 0, NULL, run);
}
