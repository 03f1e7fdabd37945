/*
 * The check of a finished Compose file on standard input (SEE-2, `anchord doctor files`).
 *
 * In check_table.c; runs in a process of its own without any privilege, since anybody may have written the file.
 */
#pragma once

#include "workers/commands/doctor/check.h"

int files_check_prepare(struct check_run *run, const char **ret_why);
void files_check(struct check_run *run);
