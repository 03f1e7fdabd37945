/*
 * The rules for the messages to control: a part of the gate's table (validate.c), which alone calls them.
 *
 * Length and counts have been checked before. Each returns NULL, or the rule that `message` breaks (static storage).
 */
#pragma once

#include "protocol/messages.h"

const char *check_configure_control(const void *message);
const char *check_supervision(const void *message);
const char *check_findings(const void *message);
const char *check_network_report(const void *message);
const char *check_counters(const void *message);
