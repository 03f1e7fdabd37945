/*
 * Foreign text as one word of a shell's command line.
 *
 * Used by remedy.c: what is printed is pasted into a terminal by root, and names, labels and paths may be anybody's.
 * Pure, no privilege.
 */
#pragma once

#include <stdio.h>

/*
 * Writes `text` in printable ASCII as a word that a shell reads back byte by byte: as it is, in '…' (POSIX 2.2.2), or,
 * when it holds anything but printable ASCII, in $'…' (POSIX.1-2024 2.2.4; bash, zsh, ksh, busybox).
 */
void shell_word_write(FILE *stream, const char *text);
