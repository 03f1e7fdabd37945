/*
 * The command `anchord ruleset` (SPEC §9): our nftables tables as they stand in the kernel.
 *
 * Called by main.c, as root with CAP_NET_ADMIN in the anchor's network namespace (`docker exec` gives both). It is
 * another program, workers/ruleset, so that neither the supervisor nor anything that listens links libnftnl.
 */
#pragma once

/* Takes what follows the command's name. Only returns on failure, with the exit status. */
int ruleset_command(int argc, char **argv);
