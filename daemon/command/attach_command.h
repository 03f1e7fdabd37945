/*
 * The commands `anchord attach`, `detach` and `list` (HOST-1): look whether a project can be attached, write down how,
 * and say what brings it up.
 *
 * Called by daemon/main.c, as root on the host or in a container with its network; they start nothing.
 */
#pragma once

/* Each takes what follows the command's name and returns the exit status. */
int attach_command_attach(int argc, char **argv);
int attach_command_detach(int argc, char **argv);
int attach_command_list(int argc, char **argv);
