/* Lists everybody's chains; see chain_list.h. Runs in anchord-ruleset with CAP_NET_ADMIN. */
#include "workers/commands/ruleset/chain_list.h"

#include "common/cleanup.h"
#include "workers/commands/ruleset/table.h"
#include "workers/nftables/set_reading.h"

#include <libnftnl/expr.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdio.h>
#include <string.h>

#define CHAINS_MAX 65536

struct chain_entry {
    struct nftnl_chain *chain;
    unsigned int drops;
    unsigned int reverse_paths; /* of those */
};

struct chain_list {
    struct chain_entry *entries;
    size_t count;
};

static void chain_list_release(struct chain_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        nftnl_chain_free(list->entries[i].chain);
    free(list->entries);
}

static int fail(int error)
{
    errno = error;
    return MNL_CB_ERROR;
}

static int on_chain(const struct nlmsghdr *message, void *userdata)
{
    struct chain_list *list = userdata;
    struct nftnl_chain *chain = nftnl_chain_alloc();
    struct chain_entry *grown;

    if (!chain)
        return fail(ENOMEM);
    if (list->count == CHAINS_MAX || nftnl_chain_nlmsg_parse(message, chain) < 0 ||
        !nftnl_chain_get_str(chain, NFTNL_CHAIN_TABLE) || !nftnl_chain_get_str(chain, NFTNL_CHAIN_NAME)) {
        nftnl_chain_free(chain);
        return MNL_CB_OK;
    }
    grown = reallocarray(list->entries, list->count + 1, sizeof(*grown));
    if (!grown) {
        nftnl_chain_free(chain);
        return fail(ENOMEM);
    }
    list->entries = grown;
    grown[list->count++] = (struct chain_entry){.chain = chain};
    return MNL_CB_OK;
}

struct found {
    bool drops;
    bool asks_for_route;
};

static int on_expression(struct nftnl_expr *expression, void *userdata)
{
    struct found *found = userdata;
    const char *name = nftnl_expr_get_str(expression, NFTNL_EXPR_NAME);

    if (!name)
        return 0;
    if (strcmp(name, "fib") == 0)
        found->asks_for_route = true;
    if (strcmp(name, "reject") == 0)
        found->drops = true;
    if (strcmp(name, "immediate") == 0 && nftnl_expr_is_set(expression, NFTNL_EXPR_IMM_VERDICT) &&
        nftnl_expr_get_u32(expression, NFTNL_EXPR_IMM_VERDICT) == NF_DROP)
        found->drops = true;
    return 0;
}

static bool is_of(const struct nftnl_rule *rule, const struct nftnl_chain *chain)
{
    const char *table = nftnl_rule_get_str(rule, NFTNL_RULE_TABLE);
    const char *name = nftnl_rule_get_str(rule, NFTNL_RULE_CHAIN);

    return table && name &&
           nftnl_rule_get_u32(rule, NFTNL_RULE_FAMILY) == nftnl_chain_get_u32(chain, NFTNL_CHAIN_FAMILY) &&
           strcmp(table, nftnl_chain_get_str(chain, NFTNL_CHAIN_TABLE)) == 0 &&
           strcmp(name, nftnl_chain_get_str(chain, NFTNL_CHAIN_NAME)) == 0;
}

static int on_rule(const struct nlmsghdr *message, void *userdata)
{
    struct chain_list *list = userdata;
    struct nftnl_rule *rule = nftnl_rule_alloc();
    struct found found = {0};

    if (!rule)
        return fail(ENOMEM);
    if (set_reading_names_rule_expressions(message) && nftnl_rule_nlmsg_parse(message, rule) == 0)
        (void)nftnl_expr_foreach(rule, on_expression, &found);
    for (size_t i = 0; i < list->count && found.drops; i++) {
        if (!is_of(rule, list->entries[i].chain))
            continue;
        list->entries[i].drops++;
        list->entries[i].reverse_paths += found.asks_for_route;
    }
    nftnl_rule_free(rule);
    return MNL_CB_OK;
}

static const char *family_name(uint32_t family)
{
    static const char *const names[] = {
        [NFPROTO_INET] = "inet",     [NFPROTO_IPV4] = "ip",       [NFPROTO_ARP] = "arp",
        [NFPROTO_NETDEV] = "netdev", [NFPROTO_BRIDGE] = "bridge", [NFPROTO_IPV6] = "ip6"};

    return family < ARRAY_LENGTH(names) && names[family] ? names[family] : "other";
}

static const char *hook_name(uint32_t family, uint32_t hook)
{
    static const char *const names[] = {"prerouting", "input", "forward", "output", "postrouting", "ingress"};

    if (family == NFPROTO_NETDEV || family == NFPROTO_ARP)
        return "other";
    return hook < ARRAY_LENGTH(names) ? names[hook] : "other";
}

/* The kernel takes every name. */
static void print_name(const char *name)
{
    for (; *name; name++) {
        bool is_plain = (*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z') ||
                        (*name >= '0' && *name <= '9') || *name == '_' || *name == '-' || *name == '.';

        (void)putchar(is_plain ? *name : '?');
    }
    (void)putchar(' ');
}

static void print_entry(const struct chain_entry *entry)
{
    const struct nftnl_chain *chain = entry->chain;
    uint32_t family = nftnl_chain_get_u32(chain, NFTNL_CHAIN_FAMILY);
    bool is_base = nftnl_chain_is_set(chain, NFTNL_CHAIN_HOOKNUM);

    (void)printf("%s ", family_name(family));
    print_name(nftnl_chain_get_str(chain, NFTNL_CHAIN_TABLE));
    print_name(nftnl_chain_get_str(chain, NFTNL_CHAIN_NAME));
    (void)printf("%s %d %s drops %u fib %u\n",
                 is_base ? hook_name(family, nftnl_chain_get_u32(chain, NFTNL_CHAIN_HOOKNUM)) : "-",
                 is_base ? nftnl_chain_get_s32(chain, NFTNL_CHAIN_PRIO) : 0,
                 is_base && nftnl_chain_get_u32(chain, NFTNL_CHAIN_POLICY) == NF_DROP ? "drop" : "accept", entry->drops,
                 entry->reverse_paths);
}

int chain_list_print(struct mnl_socket *socket)
{
    CLEANUP(chain_list_release) struct chain_list list = {0};
    int result = table_dump(socket, NFPROTO_UNSPEC, NFT_MSG_GETCHAIN, on_chain, &list);

    if (result == 0)
        result = table_dump(socket, NFPROTO_UNSPEC, NFT_MSG_GETRULE, on_rule, &list);
    for (size_t i = 0; i < list.count && result == 0; i++)
        print_entry(&list.entries[i]);
    return result;
}
