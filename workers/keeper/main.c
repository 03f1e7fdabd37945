/*
 * anchord-keeper: repairs what recreated containers leave behind, the only program that may write to Docker (SPEC §6).
 *
 * Started by the supervisor with one socket at descriptor 3, under its own user, without any capability, and only when
 * something is configured that needs it. Trusts the supervisor; trusts nothing that Docker says.
 */
#include "common/log.h"
#include "protocol/supervised.h"
#include "workers/keeper/keeper.h"

static int run(sd_event *event)
{
    CLEANUP(keeper_freep) struct keeper *keeper = NULL;
    int result = keeper_new(event, &keeper);

    if (result < 0) {
        log_error("keeper cannot start", LOG_ERROR(result));
        return EXIT_STATUS_CRASH;
    }
    return supervised_loop(event);
}

int main(void)
{
    return supervised_main("keeper", 0, NULL, run);
}
