/*
 * `anchord ban`: who may not come in (GUEST-2).
 *
 * Called by main.c as whoever typed it: the mode of the ban socket says who may. Not part of the supervisor.
 */
#pragma once

/* With what follows `ban`; returns the exit status. */
int ban_command(int argc, char **argv);
