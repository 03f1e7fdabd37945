/*
 * anchord-exporter: shows metrics and health over HTTP (SPEC §7, §8).
 *
 * Started by the supervisor with a user of its own, no capability and one socket, descriptor 3. It opens nothing: the
 * listening socket and the metrics pages come from the supervisor, the pages for reading only (DESIGN §1).
 */
#include "common/log.h"
#include "protocol/supervised.h"
#include "workers/exporter/exporter.h"

static int run(sd_event *event)
{
    CLEANUP(exporter_freep) struct exporter *exporter = NULL;
    int result = exporter_new(event, &exporter);

    if (result < 0) {
        log_error("exporter cannot start", LOG_ERROR(result));
        return EXIT_STATUS_CRASH;
    }
    return supervised_loop(event);
}

int main(void)
{
    return supervised_main("exporter", 0, NULL, run);
}
