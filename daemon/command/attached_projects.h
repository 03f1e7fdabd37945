/*
 * The projects that are attached on this host, as `anchord attach` has written them down: a file of variables each,
 * which Compose and systemd read as it stands.
 *
 * Used by the commands attach, detach and list; writing needs root.
 */
#pragma once

#include "daemon/configuration/configuration.h"

#define ATTACHED_DIRECTORY "/etc/anchord"
#define ATTACHED_IMAGE     "ANCHORD_IMAGE" /* what compose/attach.yaml calls it; no variable of a role's */

/* "/etc/anchord/PROJECT.env"; valid until the next call. The project's name is one that the configuration takes. */
const char *attached_projects_path(const char *project);

/* The image (NULL: none, for units) and each variable that attach knows with a comment; those of `environment`,
 * "NAME=value" and ending in NULL, with their value. Whole or not at all, mode 0640. Returns 0 or a negative errno. */
int attached_projects_write(const char *project, const char *image, const char *const environment[])
    __attribute__((warn_unused_result));

/* Around a change that may have to be undone: keeps what is there, or that nothing is; brings that back; forgets it. */
int attached_projects_keep(const char *project) __attribute__((warn_unused_result));
int attached_projects_restore(const char *project) __attribute__((warn_unused_result));
void attached_projects_forget(const char *project);

/* Whether its host half runs: in the network namespace that we are in, the host's. */
bool attached_projects_is_running(const char *project);

/* Takes away the place where its halves met, which Docker made on the host. */
void attached_projects_leave_meeting(const char *project);

/* Called for each, in the order of the alphabet. */
typedef void (*attached_projects_handler)(const char *project, void *userdata);
/* Returns 0 or a negative errno; without the directory there is none. */
int attached_projects_each(attached_projects_handler handler, void *userdata) __attribute__((warn_unused_result));

/* The value of a variable in the project's file, or "": it is not there. Returns 0 or, of a file that cannot be read, a
 * negative errno. */
int attached_projects_read(const char *project, const char *variable, char *ret, size_t size);

/* The whole file as text. Returns 0 or a negative errno: -ENOENT, there is none; -E2BIG, it is longer than `size` less
 * a NUL, which nothing is that attach writes. */
int attached_projects_load(const char *project, char *ret, size_t size) __attribute__((warn_unused_result));
