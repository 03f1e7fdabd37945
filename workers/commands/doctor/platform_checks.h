/* The checks of `anchord doctor platform`; see platform_checks.c. */
#pragma once

#include "workers/commands/doctor/check.h"

void platform_check_engine(struct check_run *run);
void platform_check_setup(struct check_run *run);
void platform_check_capabilities(struct check_run *run);
void platform_check_macvlan_gateway(struct check_run *run);
void platform_check_transit(struct check_run *run);
void platform_check_bridge_nf(struct check_run *run);
int platform_prepare_legacy(struct check_run *run, const char **ret_why);
void platform_check_firewall(struct check_run *run);
