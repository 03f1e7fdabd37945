/* The checks of `anchord doctor rules`; see rule_checks.c. */
#pragma once

#include "workers/commands/doctor/check.h"

void rule_check_tables(struct check_run *run);
void rule_check_foreign(struct check_run *run);
void rule_check_forwarding(struct check_run *run);
void rule_check_routing(struct check_run *run);
