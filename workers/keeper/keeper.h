/*
 * The keeper as a whole: the conversation with the supervisor, and the job that it was given (SPEC §6).
 *
 * Made by main.c. Runs without any capability.
 */
#pragma once

#include "common/cleanup.h"

#include <systemd/sd-event.h>

struct keeper;

int keeper_new(sd_event *event, struct keeper **ret) __attribute__((warn_unused_result));
struct keeper *keeper_free(struct keeper *keeper);
DEFINE_POINTER_CLEANUP(struct keeper, (void)keeper_free, keeper_freep);
