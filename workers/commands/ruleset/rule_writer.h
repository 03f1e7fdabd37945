/*
 * What the parts of rule_text.c share: the text so far, the value in register 1, the words for fields.
 *
 * rule_load.c and rule_compare.c put values there and write what they are compared with, rule_statement.c writes
 * what is done. Each function that takes an expression returns false when it is not one that our rules have. Pure.
 */
#pragma once

#include <libnftnl/rule.h> /* before expr.h, which relies on what it includes */

#include <libnftnl/expr.h>
#include <stdbool.h>
#include <stdint.h>

#define WORD_SIZE      160
#define ADDRESS4_BYTES 4
#define ADDRESS6_BYTES 16

enum operand_kind {
    OPERAND_NONE,
    OPERAND_META,
    OPERAND_PAYLOAD,
    OPERAND_CT,
    OPERAND_FIB,
    OPERAND_IMMEDIATE,
    OPERAND_ROUTE,
    OPERAND_MAP, /* `word` is "tcp dport map @dnat_tcp" */
};

/* What stands in register 1. */
struct operand {
    enum operand_kind kind;
    uint32_t key; /* of META, CT and ROUTE; base of PAYLOAD; flags of FIB */
    uint32_t offset;
    uint32_t length;
    bool is_masked;
    uint8_t mask[ADDRESS6_BYTES];
    uint8_t change[ADDRESS6_BYTES];
    uint8_t value[ADDRESS6_BYTES]; /* of IMMEDIATE */
    int direction;                 /* of CT; -1: not said */
    char word[WORD_SIZE];
};

struct rule_writer {
    char *text;
    size_t length;
    bool is_cut;
    uint8_t nfproto;
    struct operand operand;
    uint8_t protocol; /* matched by meta l4proto and not written yet: the next match may imply it; 0: none */
    int range_first;  /* of a comparison `>=` whose `<=` follows; -1: none */
};

/* Appends; too much is remembered in is_cut. */
__attribute__((format(printf, 2, 3))) void rule_put_raw(struct rule_writer *writer, const char *format, ...);
const char *rule_separator(const struct rule_writer *writer);

/* A match of the protocol that nothing implied stands for itself. */
void rule_write_protocol(struct rule_writer *writer);

/* Appends a word of the rule. */
#define PUT(writer_, ...)                                       \
    do {                                                        \
        rule_write_protocol(writer_);                           \
        rule_put_raw((writer_), "%s", rule_separator(writer_)); \
        rule_put_raw((writer_), __VA_ARGS__);                   \
    } while (0)

const char *rule_family_name(const struct rule_writer *writer);
uint32_t rule_address_length(const struct rule_writer *writer);
/* "ip daddr" of an offset in the network header, or NULL. RFC 791 §3.1, RFC 8200 §3. */
const char *rule_network_field(const struct rule_writer *writer, uint32_t offset);
bool rule_is_time_to_live(const struct rule_writer *writer, uint32_t offset);
const char *rule_time_to_live_field(const struct rule_writer *writer);
/* A mask keeps bits; what also turns some over has no words of ours. */
bool rule_turns_bits_over(const struct operand *operand);
bool rule_uses_register_1(const struct nftnl_expr *expression, uint16_t attribute);

bool rule_load_meta(struct rule_writer *writer, const struct nftnl_expr *expression);
bool rule_load_payload(struct rule_writer *writer, const struct nftnl_expr *expression);
bool rule_load_ct(struct rule_writer *writer, const struct nftnl_expr *expression);
bool rule_load_fib(struct rule_writer *writer, const struct nftnl_expr *expression);
bool rule_load_route(struct rule_writer *writer, const struct nftnl_expr *expression);
bool rule_swap_bytes(struct rule_writer *writer, const struct nftnl_expr *expression);
bool rule_load_immediate(struct rule_writer *writer, const struct nftnl_expr *expression);
bool rule_change_bits(struct rule_writer *writer, const struct nftnl_expr *expression);
bool rule_write_comparison(struct rule_writer *writer, const struct nftnl_expr *expression);
bool rule_write_lookup(struct rule_writer *writer, const struct nftnl_expr *expression);
bool rule_write_nat(struct rule_writer *writer, const struct nftnl_expr *expression);
bool rule_write_masquerade(struct rule_writer *writer, const struct nftnl_expr *expression);
bool rule_write_reject(struct rule_writer *writer, const struct nftnl_expr *expression);
bool rule_write_object(struct rule_writer *writer, const struct nftnl_expr *expression);
bool rule_write_option(struct rule_writer *writer, const struct nftnl_expr *expression);
