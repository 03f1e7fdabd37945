/*
 * What the firewall of a namespace drops by itself, as far as nftables knows of it: rules of iptables-nft, too.
 *
 * Called by main.c in anchord-probe as root, which the kernel asks for; the process reads nothing but what the kernel
 * says, and ends.
 */
#pragma once

/* Tells records of struct probe_wall. Returns 0 or a negative errno. */
int walls_tell(int channel) __attribute__((warn_unused_result));
