/*
 * How statements become expressions: what nft_statement.c and nft_statement_count.c append.
 *
 * Inside anchord-netadmin; builds memory, no system call.
 */
#pragma once

#include "workers/netadmin/nft/nft_rule.h"

#include <libnftnl/rule.h> /* before expr.h, which relies on what it includes */

#include <libnftnl/expr.h>
#include <string.h>

/* What an expression says, in libnftnl's terms: a number, or `length` bytes. Of no type: the end. */
struct attribute {
    uint16_t type; /* NFTNL_EXPR_… */
    uint32_t number;
    const void *bytes;
    uint32_t length;
};
#define NUMBER(type_, number_)        ((struct attribute){.type = (type_), .number = (uint32_t)(number_)})
#define BYTES(type_, bytes_, length_) ((struct attribute){.type = (type_), .bytes = (bytes_), .length = (length_)})
#define TEXT(type_, text_)            BYTES(type_, text_, (uint32_t)strlen(text_) + 1)
#define APPEND(rule_, name_, ...)     nft_expression_append(rule_, name_, (const struct attribute[]){__VA_ARGS__, {0}})

/* Appends an expression, unless an allocation failed, now or before. */
void nft_expression_append(struct nft_rule *rule, const char *name, const struct attribute *attributes);

/* register 1 = ct KEY */
void nft_expression_load_conntrack(struct nft_rule *rule, uint32_t key);
/* register 1 = (register 1 & mask) ^ change */
void nft_expression_mask_bits(struct nft_rule *rule, const void *mask, const void *change, uint32_t length);
