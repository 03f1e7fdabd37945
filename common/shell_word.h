/*
 * Foreign text as one word of a shell's command line.
 *
 * Used by whatever prints commands: they are pasted into a terminal by root, and names, labels and paths may be
 * anybody's. Pure, no privilege.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

/*
 * Writes `text` in printable ASCII as a word that a shell reads back byte by byte: as it is, in '…' (POSIX 2.2.2), or,
 * when it holds anything but printable ASCII, in $'…' (POSIX.1-2024 2.2.4; bash, zsh, ksh, busybox).
 */
void shell_word_write(FILE *stream, const char *text);

/* Room for each name that Docker and the kernel give. */
#define SHELL_WORD_SIZE 256

/*
 * The same into an array; returns `target`. What does not fit would lose its closing quote, and what begins with a
 * minus would be an option: both become '', which no command takes.
 */
const char *shell_word_copy(char target[SHELL_WORD_SIZE], const char *text);

/* In the block that it stands in. */
#define SHELL_WORD(text_) shell_word_copy((char[SHELL_WORD_SIZE]){0}, text_)

/*
 * Letters, digits, `_` and `-`, and no `-` first. For nft(8), which reads its own language in its arguments, whatever a
 * shell has quoted: the kernel takes any name for a table or a chain.
 */
bool shell_word_is_plain(const char *text);
