/*
 * One rule as nft prints it; see rule_text.h. Runs in anchord-ruleset, pure.
 *
 * nft's rules are a small program on registers. Ours load one value into register 1, change it at most once, and use
 * it in the next expression; so one remembered value is enough, and whatever departs from that is not understood.
 */
#include "workers/commands/ruleset/rule_text.h"

#include "workers/commands/ruleset/rule_writer.h"

#include <errno.h>
#include <libnftnl/udata.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    bool (*write)(struct rule_writer *writer, const struct nftnl_expr *expression);
    bool is_load; /* begins a new value */
} expressions[] = {
    {"meta", rule_load_meta, true},        {"payload", rule_load_payload, false},
    {"ct", rule_load_ct, false},           {"fib", rule_load_fib, true},
    {"rt", rule_load_route, true},         {"byteorder", rule_swap_bytes, false},
    {"bitwise", rule_change_bits, false},  {"immediate", rule_load_immediate, false},
    {"cmp", rule_write_comparison, false}, {"lookup", rule_write_lookup, false},
    {"nat", rule_write_nat, false},        {"masq", rule_write_masquerade, false},
    {"reject", rule_write_reject, false},  {"exthdr", rule_write_option, false},
    {"objref", rule_write_object, false},
};

static bool begins_value(const struct nftnl_expr *expression, const char *name, bool is_load)
{
    return is_load || (strcmp(name, "payload") == 0 && !nftnl_expr_is_set(expression, NFTNL_EXPR_PAYLOAD_SREG)) ||
           (strcmp(name, "ct") == 0 && !nftnl_expr_is_set(expression, NFTNL_EXPR_CT_SREG)) ||
           (strcmp(name, "immediate") == 0);
}

static bool write_expression(struct rule_writer *writer, const struct nftnl_expr *expression, const char *name)
{
    for (size_t i = 0; i < sizeof(expressions) / sizeof(expressions[0]); i++) {
        if (strcmp(name, expressions[i].name) != 0)
            continue;
        if (begins_value(expression, name, expressions[i].is_load))
            writer->operand = (struct operand){.direction = -1};
        return expressions[i].write(writer, expression);
    }
    return false;
}

static bool is_printable(const uint8_t *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] < ' ' || text[i] > '~' || text[i] == '"')
            return false;
    }
    return true;
}

/*
 * The comment stands in the rule's user data: type, length, value, one after the other (libnftnl, src/udata.c). The
 * kernel does not look into it, so it may be anything. Returns false when that is not what nft writes; *ret NULL: none.
 */
static bool read_comment(const struct nftnl_rule *rule, const char **ret)
{
    uint32_t left = 0;
    const uint8_t *data = nftnl_rule_get_data(rule, NFTNL_RULE_USERDATA, &left);

    *ret = NULL;
    while (data && left > 0) {
        const uint8_t *text;
        uint32_t length;

        if (left < 2 || data[1] > left - 2)
            return false;
        text = data + 2;
        length = data[1];
        if (data[0] == NFTNL_UDATA_RULE_COMMENT) {
            if (length == 0 || text[length - 1] != '\0' || !is_printable(text, length - 1))
                return false;
            *ret = (const char *)text;
        }
        data = text + length;
        left -= 2 + length;
    }
    return true;
}

/* Of lists and limits (workers/netadmin/nft/nft_rules.c), which take more than one register: they have no words here.
 * Whether they are as they should be, `anchord doctor rules` says. */
static bool is_of_guests(const char *comment)
{
    static const char *const comments[] = {"not on the port's list", "within the port's limit",
                                           "above the port's limit"};

    for (size_t i = 0; comment && i < sizeof(comments) / sizeof(comments[0]); i++) {
        if (strcmp(comment, comments[i]) == 0)
            return true;
    }
    return false;
}

int rule_text_format(const struct nftnl_rule *rule, char text[RULE_TEXT_SIZE])
{
    struct rule_writer writer = {
        .text = text,
        .nfproto = (uint8_t)nftnl_rule_get_u32(rule, NFTNL_RULE_FAMILY),
        .range_first = -1,
    };
    struct nftnl_expr_iter *iterator = nftnl_expr_iter_create(rule);
    const char *unknown = iterator ? NULL : "out of memory";
    struct nftnl_expr *expression;
    const char *comment;

    text[0] = '\0';
    while (!unknown && (expression = nftnl_expr_iter_next(iterator))) {
        const char *name = nftnl_expr_get_str(expression, NFTNL_EXPR_NAME);

        if (!write_expression(&writer, expression, name))
            unknown = name;
    }
    rule_write_protocol(&writer);
    if (!read_comment(rule, &comment) && !unknown)
        unknown = "user data";
    if (comment)
        PUT(&writer, "comment \"%s\"", comment);
    if (!unknown && writer.is_cut)
        unknown = "too long";
    if (unknown && is_of_guests(comment))
        (void)snprintf(text, RULE_TEXT_SIZE, "# rule with handle %llu has no words here; its comment: %s",
                       (unsigned long long)nftnl_rule_get_u64(rule, NFTNL_RULE_HANDLE), comment);
    else if (unknown)
        (void)snprintf(text, RULE_TEXT_SIZE, "# rule with handle %llu is not one of anchord's: %s",
                       (unsigned long long)nftnl_rule_get_u64(rule, NFTNL_RULE_HANDLE), unknown);
    if (iterator)
        nftnl_expr_iter_destroy(iterator);
    return unknown ? -ENOTSUP : 0;
}
