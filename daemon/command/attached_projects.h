/*
 * The projects that are attached on this host, as `anchord attach` has written them down: a file of variables each,
 * which Compose and systemd read as it stands.
 *
 * Used by attach_command.c; writing needs root.
 */
#pragma once

#include "daemon/configuration/configuration.h"

#define ATTACHED_DIRECTORY "/etc/anchord"

/* "/etc/anchord/PROJECT.env"; valid until the next call. The project's name is one that the configuration takes. */
const char *attached_projects_path(const char *project);

/* Each variable that attach knows with a comment; those of `environment`, "NAME=value" and ending in NULL, with their
 * value. Whole or not at all, mode 0640. Returns 0 or a negative errno. */
int attached_projects_write(const char *project, const char *const environment[]) __attribute__((warn_unused_result));

/* Whether its host half runs: in the network namespace that we are in, the host's. */
bool attached_projects_is_running(const char *project);

/* Called for each, in the order of the alphabet. */
typedef void (*attached_projects_handler)(const char *project, void *userdata);
/* Returns 0 or a negative errno; without the directory there is none. */
int attached_projects_each(attached_projects_handler handler, void *userdata) __attribute__((warn_unused_result));

/* The value of a variable in the project's file, or "": it is not there. */
void attached_projects_read(const char *project, const char *variable, char *ret, size_t size);
