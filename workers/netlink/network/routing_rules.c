/* The rules that lead into our tables; see routing_rules.h. Runs in anchord-netadmin and anchord-way with
 * CAP_NET_ADMIN. */
#include "workers/netlink/network/routing_rules.h"

#include "common/address.h"
#include "common/text.h"
#include "workers/netlink/plan/route_list.h"

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <stdio.h>

/* FRA_SUPPRESS_PREFIXLEN of a rule that suppresses nothing (-1 in net/core/fib_rules.c). */
#define SUPPRESS_NOTHING UINT32_MAX

/* Just before main (32766), so that everybody else's rules come first. */
struct rule {
    uint32_t priority;
    uint32_t table;
    uint32_t suppress_prefix_length;
    uint32_t mark;  /* and its mask; 0: of every packet */
    uint32_t extra; /* ROUTING_RULE_…; 0: always there */
};

#define FIRST_PRIORITY 32760

/* In the order of adding. With the last alone, what is on link would go to the gateway: it comes last, goes first. */
static const struct rule wanted_rules[] = {
    {FIRST_PRIORITY, INNER_ROUTE_TABLE_NUMBER, SUPPRESS_NOTHING, 0, ROUTING_RULE_INNER},
    {32763, RT_TABLE_MAIN, SUPPRESS_NOTHING, ROUTING_MARK, ROUTING_RULE_MARKED},
    {32764, RT_TABLE_MAIN, 0, 0, 0},
    {32765, ROUTE_TABLE_NUMBER, SUPPRESS_NOTHING, 0, 0},
};

/* More of ours than this are seen at the next reading; each removal causes one. */
#define SURPLUS_MAX 8

struct reading {
    uint32_t extra;
    bool found[ARRAY_LENGTH(wanted_rules)];
    struct rule surplus[SURPLUS_MAX];
    size_t surplus_count;
    int others; /* that come before ours */
    uint32_t first_other;
};

/* Any other attribute narrows a rule down. */
static bool is_read(size_t attribute)
{
    return attribute == FRA_PRIORITY || attribute == FRA_TABLE || attribute == FRA_SUPPRESS_PREFIXLEN ||
           attribute == FRA_PROTOCOL || attribute == FRA_PAD || attribute == FRA_FWMARK || attribute == FRA_FWMASK;
}

static bool matches_all_else(const struct fib_rule_hdr *header, const struct nlattr *const *attributes)
{
    if (header->src_len || header->dst_len || header->tos || header->flags & FIB_RULE_INVERT)
        return false;
    for (size_t i = 0; i <= FRA_MAX; i++) {
        if (attributes[i] && !is_read(i))
            return false;
    }
    return true;
}

static bool is_wanted(const struct rule *rule, uint32_t extra)
{
    return (rule->extra & ~extra) == 0;
}

static void on_rule(const struct nlmsghdr *message, void *userdata)
{
    struct reading *reading = userdata;
    const struct nlattr *attributes[FRA_MAX + 1];
    const struct fib_rule_hdr *header = mnl_nlmsg_get_payload(message);
    struct rule rule;
    uint32_t mark;

    if (message->nlmsg_type != RTM_NEWRULE || mnl_nlmsg_get_payload_len(message) < sizeof(*header))
        return;
    rtnetlink_attributes(message, sizeof(*header), attributes, FRA_MAX);
    if (rtnetlink_get_u8(attributes[FRA_PROTOCOL], RTPROT_UNSPEC) != ROUTE_PROTOCOL) {
        rule.priority = rtnetlink_get_u32(attributes[FRA_PRIORITY], 0); /* 0: the kernel's own, to the table local */
        if (rule.priority == 0 || rule.priority >= FIRST_PRIORITY)
            return;
        if (reading->others++ == 0 || rule.priority < reading->first_other)
            reading->first_other = rule.priority;
        return;
    }
    mark = rtnetlink_get_u32(attributes[FRA_FWMARK], 0);
    rule = (struct rule){
        .priority = rtnetlink_get_u32(attributes[FRA_PRIORITY], 0),
        .table = rtnetlink_get_u32(attributes[FRA_TABLE], header->table),
        .suppress_prefix_length = rtnetlink_get_u32(attributes[FRA_SUPPRESS_PREFIXLEN], SUPPRESS_NOTHING),
    };
    for (size_t i = 0; i < ARRAY_LENGTH(wanted_rules); i++) {
        const struct rule *wanted = &wanted_rules[i];

        if (!reading->found[i] && is_wanted(wanted, reading->extra) && header->action == FR_ACT_TO_TBL &&
            rule.priority == wanted->priority && rule.table == wanted->table &&
            rule.suppress_prefix_length == wanted->suppress_prefix_length && mark == wanted->mark &&
            rtnetlink_get_u32(attributes[FRA_FWMASK], wanted->mark) == wanted->mark &&
            matches_all_else(header, attributes)) {
            reading->found[i] = true;
            return;
        }
    }
    if (reading->surplus_count < SURPLUS_MAX)
        reading->surplus[reading->surplus_count++] = rule;
}

static int read_rules(struct rtnetlink *rtnetlink, uint8_t family, struct reading *ret)
{
    struct fib_rule_hdr *header = rtnetlink_begin(rtnetlink, "list", RTM_GETRULE, 0, sizeof(*header));

    header->family = (uint8_t)ip_family_to_kernel(family);
    rtnetlink_describe(rtnetlink, "rules %s", ip_family_to_string(family));
    return rtnetlink_dump(rtnetlink, on_rule, ret);
}

static int change_rule(struct rtnetlink *rtnetlink, const char *operation, uint16_t type, uint8_t family,
                       const struct rule *rule)
{
    uint16_t flags = type == RTM_NEWRULE ? NLM_F_CREATE | NLM_F_EXCL : 0;
    struct fib_rule_hdr *header = rtnetlink_begin(rtnetlink, operation, type, flags, sizeof(*header));
    struct nlmsghdr *message = rtnetlink_message(rtnetlink);

    header->family = (uint8_t)ip_family_to_kernel(family);
    header->action = FR_ACT_TO_TBL;
    mnl_attr_put_u32(message, FRA_PRIORITY, rule->priority);
    mnl_attr_put_u32(message, FRA_TABLE, rule->table);
    mnl_attr_put_u8(message, FRA_PROTOCOL, ROUTE_PROTOCOL);
    if (rule->suppress_prefix_length != SUPPRESS_NOTHING)
        mnl_attr_put_u32(message, FRA_SUPPRESS_PREFIXLEN, rule->suppress_prefix_length);
    if (rule->mark) {
        mnl_attr_put_u32(message, FRA_FWMARK, rule->mark);
        mnl_attr_put_u32(message, FRA_FWMASK, rule->mark);
    }
    rtnetlink_describe(rtnetlink, "%s %u: from all%s lookup %u%s", ip_family_to_string(family), rule->priority,
                       rule->mark ? " fwmark" : "", rule->table,
                       rule->suppress_prefix_length == 0 ? " suppress_prefixlength 0" : "");
    return rtnetlink_execute(rtnetlink);
}

static int delete_rule(struct rtnetlink *rtnetlink, uint8_t family, const struct rule *rule)
{
    int result = change_rule(rtnetlink, "delete rule", RTM_DELRULE, family, rule);

    return result == -ENOENT ? 0 : result;
}

int routing_rules_exist(struct rtnetlink *rtnetlink, uint8_t family)
{
    struct reading reading = {0};
    int result = read_rules(rtnetlink, family, &reading);

    if (result == -EOPNOTSUPP || result == -EAFNOSUPPORT)
        return 0;
    return result == 0 || result == -EINTR ? 1 : result; /* an interrupted dump shows them, too */
}

int routing_rules_apply(struct rtnetlink *rtnetlink, uint8_t family, uint32_t extra)
{
    struct reading reading = {.extra = extra};
    int changes = 0;
    int result = read_rules(rtnetlink, family, &reading);

    if (result < 0)
        return result;
    for (size_t i = 0; i < ARRAY_LENGTH(wanted_rules); i++) {
        if (reading.found[i] || !is_wanted(&wanted_rules[i], extra))
            continue;
        result = change_rule(rtnetlink, "add rule", RTM_NEWRULE, family, &wanted_rules[i]);
        if (result == -EEXIST)
            continue; /* somebody else's that does the same */
        if (result < 0)
            return result;
        changes++;
    }
    for (size_t i = 0; i < reading.surplus_count; i++) {
        result = delete_rule(rtnetlink, family, &reading.surplus[i]);
        if (result < 0)
            return result;
        changes++;
    }
    return changes;
}

int routing_rules_count_others(struct rtnetlink *rtnetlink, uint8_t family, uint32_t *ret_first)
{
    struct reading reading = {0};
    int result = read_rules(rtnetlink, family, &reading);

    *ret_first = reading.first_other;
    return result < 0 ? result : reading.others;
}

int routing_rules_remove(struct rtnetlink *rtnetlink, uint8_t family)
{
    for (size_t i = ARRAY_LENGTH(wanted_rules); i-- > 0;) {
        int result = delete_rule(rtnetlink, family, &wanted_rules[i]);

        if (result < 0)
            return result;
    }
    return 0;
}
