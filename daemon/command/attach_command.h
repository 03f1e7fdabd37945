/*
 * The commands `anchord attach`, `detach` and `list` (HOST-1): put a Compose project that runs on the LAN, take it away
 * again, and show what is there.
 *
 * Called by daemon/main.c, as root on the host; what Docker and the LAN say they hear from anchord-look, which has no
 * rights. Each is in a file of its own, but for attach, which has attach_*.c besides.
 */
#pragma once

/* Each takes what follows the command's name and returns the exit status. */
int attach_command_attach(int argc, char **argv);
int attach_command_detach(int argc, char **argv);
int attach_command_list(int argc, char **argv);
