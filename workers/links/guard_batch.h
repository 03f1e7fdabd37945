/*
 * The transaction of the guard as bytes, which a unit test makes and compares (tests/unit/test_guard_table.c): no
 * library that writes nftables is in anchord-links. Filled in and sent by guard.c there.
 */
#pragma once

#define GUARD_TABLE           "anchord_host_XXXXXXXX" /* the project's tag in the place of the digits */
#define GUARD_BATCH_SIZE      2136
#define GUARD_BATCH_REMOVAL   68  /* where the message is that removes the table, which the one before it adds */
#define GUARD_BATCH_ADDITION  116 /* where what is added after it begins */
#define GUARD_BATCH_RULES     556 /* where, behind the sets, elements go */
#define GUARD_BATCH_EDGE_SIZE 20  /* of the messages that begin and end the transaction */
extern const unsigned char guard_batch[GUARD_BATCH_SIZE];
