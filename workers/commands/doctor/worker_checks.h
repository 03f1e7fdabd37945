/* The checks of `anchord doctor workers`; see worker_checks.c. */
#pragma once

#include "workers/commands/doctor/check.h"

void worker_check_answers(struct check_run *run);
void worker_check_ready(struct check_run *run);
void worker_check_problems(struct check_run *run);
void worker_check_privileges(struct check_run *run);
void worker_check_restarts(struct check_run *run);
void worker_check_stopped(struct check_run *run);
