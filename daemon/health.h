/*
 * `anchord healthcheck` and the supervisor's side of it (SPEC §8): one socket, one fixed-size answer.
 *
 * The supervisor listens on DIRECTORY/health, writes its answer to whoever connects as its own user, and closes; it
 * reads nothing. DIRECTORY is /run/anchord, or RUNTIME_DIRECTORY, which systemd sets for a unit. Once the worker
 * `control` holds the control socket, its answer to the same question replaces this file.
 */
#pragma once

#include "common/cleanup.h"
#include "protocol/messages.h"

#include <systemd/sd-event.h>

struct health;

/* Listens. Returns 0 or a negative errno; then there is no health check, everything else works. */
int health_new(sd_event *event, struct health **ret) __attribute__((warn_unused_result));
struct health *health_free(struct health *health);
DEFINE_POINTER_CLEANUP(struct health, (void)health_free, health_freep);

/* What the next ones who ask are told: enum readiness_condition, those that must hold and those that do. */
void health_publish(struct health *health, uint32_t required, uint32_t held);

/* "route_installed: false" of all conditions together, separated by commas. */
#define HEALTH_TEXT_SIZE 128

/* The required conditions that do not hold, as text; empty when all do. Returns `text`. */
const char *health_format(uint32_t required, uint32_t held, char text[HEALTH_TEXT_SIZE]);

/* The command: asks, prints `ready` or the unmet conditions. Returns the exit status, 0 or 1. */
int health_command(void);
