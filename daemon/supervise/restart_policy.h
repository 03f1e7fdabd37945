/*
 * When a process that died is started again (DESIGN §2): 0, 1, 2, 4 … 60 s, from the start after a minute of life. A
 * DHCP client has a limit of its own (ADDR-6).
 *
 * Used by anchord-init for the supervisor and by the supervisor for its workers and DHCP clients. Pure: the caller
 * brings the clock, so that a test can bring another one; no privilege.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* All zero: nothing was started yet. */
struct restart_policy {
    unsigned int failures;  /* deaths in a row, each before a minute of life was over */
    uint64_t started_at;    /* monotonic microseconds */
    uint64_t longest_delay; /* microseconds; 0: a minute */
};

void restart_policy_started(struct restart_policy *policy, uint64_t now);

/* The process died (or could not be started) at `now`: how many microseconds to wait before the next start. */
uint64_t restart_policy_next_delay(struct restart_policy *policy, uint64_t now);

/*
 * True when the end of a worker says that another try cannot help: its configuration or a privilege is wrong.
 * `code` and `status` are si_code and si_status of waitid(2).
 */
bool restart_policy_exit_is_permanent(int code, int status);
