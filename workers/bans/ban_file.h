/*
 * The file of bans: one line each, in the worker's directory, which is where it runs.
 *
 * Used by bans.c inside anchord-bans, with no other right than to that directory. Changes are appended; a file with
 * many lines that mean nothing any more is written anew beside the old one, and takes its place.
 *
 *     ban 192.0.2.7/32 all 1764520000 1764505600 sshd: 5 failures       until, added: seconds since 1970; 0: for good
 *     ban 2001:db8:1:2::/64 new 0 1764505600
 *     unban 192.0.2.7/32
 *     flush
 */
#pragma once

#include "workers/bans/ban_store.h"

struct ban_file {
    int fd; /* at its end; -1: it cannot be written, which was said */
    size_t lines;
    bool is_unsynced;
    bool is_new; /* there was none: what the kernel holds, if anything, somebody else was told */
};

/* Reads what is there into an empty store; what is no line of ours is said and left out. Returns 0 or a negative errno:
 * the store has what could be read then. */
int ban_file_load(struct ban_file *file, struct ban_store *store) __attribute__((warn_unused_result));
void ban_file_close(struct ban_file *file);

void ban_file_note_ban(struct ban_file *file, const struct stored_ban *ban);
void ban_file_note_unban(struct ban_file *file, const struct wire_ban *ban);
void ban_file_note_flush(struct ban_file *file);

/* Brings it to the disk; writes it anew where that is due. */
void ban_file_sync(struct ban_file *file, const struct ban_store *store);
