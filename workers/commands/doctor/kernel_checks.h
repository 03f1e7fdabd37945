/* The checks of the kernel and of Docker Compose; see check_table.c. */
#pragma once

#include "workers/commands/doctor/check.h"

void kernel_check(struct check_run *run);

int compose_prepare(struct check_run *run, const char **ret_why);
void compose_check(struct check_run *run);
