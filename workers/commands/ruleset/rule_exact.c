/*
 * All of a rule, to be compared; see rule_text.h. Pure: in anchord-ruleset of what the kernel holds, in anchord-doctor
 * of what netadmin's builder makes.
 *
 * The kernel gives back what it was told, and says what was left to it (measured): NAT's flags and the ends of its
 * ranges, a time-out of none, no flags; every fourth of the 32-bit registers has the number of the 128-bit one that
 * begins there.
 */
#include "workers/commands/ruleset/rule_text.h"
#include "workers/commands/ruleset/rule_writer.h"

#include <libnftnl/udata.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SMALL_REGISTERS 4U /* in each of the others */

/* " reg 8" becomes " reg 1", and so on. */
static void unify_registers(char *text)
{
    static const char word[] = "reg ";
    char *place = text;

    while ((place = strstr(place, word))) {
        char *number = place + strlen(word), *end = number;
        unsigned long value = strtoul(number, &end, 10);

        place = number;
        if (value < NFT_REG32_00 || (value - NFT_REG32_00) % SMALL_REGISTERS != 0)
            continue;
        *number++ = (char)('1' + (value - NFT_REG32_00) / SMALL_REGISTERS); /* there are four */
        memmove(number, end, strlen(end) + 1);
    }
}

/* Takes `what` away, where it stands. */
static void cut(char *text, const char *what)
{
    char *place = strstr(text, what);

    if (place)
        memmove(place, place + strlen(what), strlen(place + strlen(what)) + 1);
}

/* The upper end of a range that is one value. */
static void cut_equal_end(char *text, const char *first, const char *last)
{
    char *begin = strstr(text, first), *end = strstr(text, last);
    size_t length = end ? strcspn(end + strlen(last), " ") : 0;

    if (begin && end && strncmp(begin + strlen(first), end + strlen(last), length) == 0 &&
        strchr(" ", begin[strlen(first) + length]))
        memmove(end, end + strlen(last) + length, strlen(end + strlen(last) + length) + 1);
}

static void unify(char *text, const struct nftnl_expr *expression, const char *name)
{
    char *flags = strcmp(name, "nat") == 0 ? strstr(text, "flags 0x") : NULL;

    unify_registers(text);
    if (flags && (nftnl_expr_get_u32(expression, NFTNL_EXPR_NAT_FLAGS) &
                  ~(uint32_t)(NF_NAT_RANGE_MAP_IPS | NF_NAT_RANGE_PROTO_SPECIFIED)) == 0)
        *flags = '\0';
    for (size_t length = strlen(text); length > 0 && strchr(" \n", text[length - 1]);)
        text[--length] = '\0';
    if (strcmp(name, "nat") == 0) {
        cut_equal_end(text, "addr_min reg ", " addr_max reg ");
        cut_equal_end(text, "proto_min reg ", " proto_max reg ");
    } else if (strcmp(name, "lookup") == 0 && nftnl_expr_get_u32(expression, NFTNL_EXPR_LOOKUP_FLAGS) == 0) {
        cut(text, " 0x0");
    } else if (strcmp(name, "dynset") == 0 && nftnl_expr_get_u64(expression, NFTNL_EXPR_DYNSET_TIMEOUT) == 0) {
        cut(text, " timeout 0ms");
    }
}

static void write_expression(struct rule_writer *writer, const struct nftnl_expr *expression)
{
    const char *name = nftnl_expr_get_str(expression, NFTNL_EXPR_NAME);
    char text[RULE_TEXT_SIZE] = "";

    if (nftnl_expr_snprintf(text, sizeof(text), expression, NFTNL_OUTPUT_DEFAULT, 0) >= (int)sizeof(text))
        writer->is_cut = true;
    unify(text, expression, name);
    rule_put_raw(writer, "%s%s %s", writer->length > 0 ? "; " : "", name, text);
}

/* Libnftnl knows no bound of it; nft's begins the user data. */
static void write_user_data(struct rule_writer *writer, const struct nftnl_rule *rule)
{
    uint32_t length = 0;
    const uint8_t *data = nftnl_rule_get_data(rule, NFTNL_RULE_USERDATA, &length);

    if (!data || length < 2)
        return;
    rule_put_raw(writer, "%s", data[0] == NFTNL_UDATA_RULE_COMMENT ? " comment \"" : " user data \"");
    for (uint32_t i = 2; i < length; i++) {
        if (data[i] != '\0' || i + 1 < length)
            rule_put_raw(writer, "%c", data[i] >= ' ' && data[i] <= '~' && data[i] != '"' ? (char)data[i] : '?');
    }
    rule_put_raw(writer, "\"");
}

void rule_text_exact(const struct nftnl_rule *rule, char text[RULE_TEXT_SIZE])
{
    struct rule_writer writer = {.text = text};
    struct nftnl_expr_iter *iterator = nftnl_expr_iter_create(rule);
    struct nftnl_expr *expression;

    text[0] = '\0';
    while (iterator && (expression = nftnl_expr_iter_next(iterator)))
        write_expression(&writer, expression);
    write_user_data(&writer, rule);
    if (writer.is_cut) /* none of ours */
        (void)snprintf(text, RULE_TEXT_SIZE, "too long");
    for (char *place = text; *place; place++) {
        if (*place < ' ' || *place > '~')
            *place = '?'; /* names are anybody's */
    }
    if (iterator)
        nftnl_expr_iter_destroy(iterator);
}
