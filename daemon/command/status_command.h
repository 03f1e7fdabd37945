/*
 * The commands `anchord status` and `anchord healthcheck` (SPEC §8, §9).
 *
 * Called by daemon/main.c, as whoever types them; they ask the control socket and nothing else, never TCP.
 */
#pragma once

/* Both take what follows the command's name; they print, and return the exit status. */
int status_command(int argc, char **argv);
int status_command_healthcheck(int argc, char **argv);
