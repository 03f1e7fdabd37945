/* The check of `anchord doctor path`; see path_group.c. */
#pragma once

#include "workers/commands/doctor/check.h"

void path_group_check(struct check_run *run);
