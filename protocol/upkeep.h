/*
 * What every worker does besides its work, without being asked: it renews what it reports of itself, says what its log
 * has left out, and has the kernel end it when it does not come back from what it does.
 *
 * Called by the loops of all workers: supervised.c's, and the gate's own. No process is woken for any of it while
 * nothing happens. Runs with the worker's own rights, needs no privilege.
 */
#pragma once

#include <stdint.h>

/*
 * Before the loop sleeps. Returns how many microseconds it may sleep at most, because something is to be said then;
 * UINT64_MAX: as long as nothing happens.
 */
uint64_t upkeep_before_sleep(void);

/*
 * Before each event is served. When that is not over after UPKEEP_WORK_LIMIT seconds, one less behind other events
 * without a sleep between, the kernel ends the process by SIGALRM, and the supervisor starts another: so a worker that
 * hangs is replaced although nobody has asked it anything.
 */
void upkeep_before_work(void);

#define UPKEEP_WORK_LIMIT 15
