/*
 * The transactions of the guard as bytes, which a unit test makes and compares (tests/unit/test_guard_table.c): no
 * library that writes nftables is in anchord-links. Filled in and sent by guard.c there.
 */
#pragma once

#define GUARD_DIGITS          "XXXXXXXX" /* in the place of the project's tag */
#define GUARD_TABLE           "anchord_host_" GUARD_DIGITS
#define GUARD_PORTS_PREFIX    "anc" GUARD_DIGITS "b" /* of the outer ends (link_names.h) */
#define GUARD_HOST_LINK       "anc" GUARD_DIGITS "h" /* that of host0 */
#define GUARD_BATCH_SIZE      2800
#define GUARD_PORT_BATCH_SIZE 2268
#define GUARD_BATCH_REMOVAL   68  /* where the message is that removes the table, which the one before it adds */
#define GUARD_BATCH_ADDITION  116 /* where what is added after it begins */
#define GUARD_BATCH_RULES     652 /* where, behind the sets, elements go */
#define GUARD_PORT_RULES      460 /* the same of the table of ports */
#define GUARD_BATCH_EDGE_SIZE 20  /* of the messages that begin and end the transaction */
extern const unsigned char guard_batch[GUARD_BATCH_SIZE];
extern const unsigned char guard_port_batch[GUARD_PORT_BATCH_SIZE];
