/*
 * An nftables table that belongs to one socket: the kernel lets nobody else change it and takes it away when the last
 * copy of the socket is closed, whatever ended its process (NFT_TABLE_F_OWNER, kernel 5.12). Only CAP_NET_ADMIN can
 * make one, so it says more than a name that anybody may bind.
 *
 * Used by namespace_lock.c, as root with CAP_NET_ADMIN raised for the one request. Built by hand, since every message
 * has one fixed size and the supervisor links no netlink library for it.
 */
#pragma once

#include <stdbool.h>

/* Both are called anchord_lock; two families are two tables. */
enum lock_table {
    LOCK_TABLE_ACTIVE,  /* table ip anchord_lock: its owner is active */
    LOCK_TABLE_STANDBY, /* table ip6 anchord_lock: its owner stands by */
};

/* A netlink socket that can own tables. Returns 0 or a negative errno. */
int lock_table_open(int *ret_fd) __attribute__((warn_unused_result));

/* 1: there, whoever owns it. 0: not there. Else a negative errno; -EPERM without CAP_NET_ADMIN. */
int lock_table_exists(int fd, enum lock_table table) __attribute__((warn_unused_result));

/*
 * Makes `table`, owned by `fd`; removes the other one, which `fd` owns, in the same transaction if `gives_up_other`.
 * Returns 0; -EEXIST or -EPERM: somebody else was faster; another negative errno: the kernel cannot do it.
 */
int lock_table_take(int fd, enum lock_table table, bool gives_up_other) __attribute__((warn_unused_result));
