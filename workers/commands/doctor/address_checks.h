/* The checks of `anchord doctor address`; see address_checks.c. */
#pragma once

#include "workers/commands/doctor/check.h"

void address_check_link(struct check_run *run);
void address_check_addresses(struct check_run *run);
void address_check_lease(struct check_run *run);
int address_prepare_lan(struct check_run *run, const char **ret_why);
void address_check_duplicate(struct check_run *run);
void address_check_gateway(struct check_run *run);
void address_check_advertisements(struct check_run *run);
