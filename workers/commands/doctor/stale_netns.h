/*
 * `anchord doctor stale-netns`: the containers of a host that live in a dead network namespace (SPEC §9).
 *
 * Called by main.c, which has read nothing yet. Runs as whoever typed it, needs nothing but Docker's socket, gives up
 * every privilege before it asks, and changes nothing.
 */
#pragma once

/* With what follows `doctor`, NULL at its end. Returns the exit status. */
int stale_netns_command(char **arguments);
