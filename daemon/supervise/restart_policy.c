/* When a process that died is started again; see restart_policy.h. Runs in init and supervisor, no privilege. */
#include "daemon/supervise/restart_policy.h"

#include "common/clock.h"
#include "common/sandbox.h"

#include <signal.h>

#define LONGEST_DELAY   (60 * MICROSECONDS_PER_SECOND)
#define LIFE_THAT_HEALS (60 * MICROSECONDS_PER_SECOND)
/* Enough doublings to pass the longest delay that anybody may ask for, 49 days. */
#define FAILURES_MAX 24

void restart_policy_started(struct restart_policy *policy, uint64_t now)
{
    policy->started_at = now;
}

uint64_t restart_policy_next_delay(struct restart_policy *policy, uint64_t now)
{
    uint64_t longest = policy->longest_delay ? policy->longest_delay : LONGEST_DELAY;
    unsigned int failures = policy->failures;
    uint64_t delay;

    if (now - policy->started_at >= LIFE_THAT_HEALS)
        failures = 0;
    policy->failures = failures < FAILURES_MAX ? failures + 1 : FAILURES_MAX;
    if (failures == 0)
        return 0;
    delay = MICROSECONDS_PER_SECOND << (failures - 1);
    return delay < longest ? delay : longest;
}

bool restart_policy_exit_is_permanent(int code, int status)
{
    return code == CLD_EXITED && (status == EXIT_STATUS_CONFIGURATION || status == EXIT_STATUS_SANDBOX);
}
