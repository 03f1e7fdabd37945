/*
 * The command `anchord explain`: why a connection reaches what it is meant for, or what stops it first (SEE-3).
 *
 * Called by main.c, as whoever typed it: root, in the network-anchor's container, or on the host with the global option
 * --project. It parses nothing of anybody's: children read the status and the kernel.
 */
#pragma once

/* Returns the exit status: 0 reaches, 1 is stopped, 2 usage, 3 could not look. */
int explain_command(int argc, char **argv);
