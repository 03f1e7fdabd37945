/* A table as nft prints it; see table_text.h. Runs in anchord-ruleset. */
#include "workers/commands/ruleset/table_text.h"

#include "common/address.h"
#include "workers/commands/ruleset/rule_text.h"
#include "workers/commands/ruleset/symbols.h"

#include <netinet/in.h> /* before linux/netfilter.h, which then leaves its types alone */

#include <inttypes.h>
#include <libnftnl/expr.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* nftables include/datatype.h: enum datatypes; a concatenation shifts by six bits. */
#define TYPE_IPV4_ADDRESS 7U
#define TYPE_IPV6_ADDRESS 8U
#define TYPE_INET_SERVICE 13U
#define TYPE_BITS         6U
/* Each component of a concatenation takes whole 32-bit registers. */
#define REGISTER_LENGTH 4U

/* --- sets ---------------------------------------------------------------------------------------------- */

static uint32_t address_type(const struct table *table)
{
    return table->nfproto == NFPROTO_IPV4 ? TYPE_IPV4_ADDRESS : TYPE_IPV6_ADDRESS;
}

static const char *address_type_name(const struct table *table)
{
    return table->nfproto == NFPROTO_IPV4 ? "ipv4_addr" : "ipv6_addr";
}

static bool is_address_set(const struct table *table, const struct nftnl_set *set)
{
    return (nftnl_set_get_u32(set, NFTNL_SET_FLAGS) & ~(uint32_t)NFT_SET_INTERVAL) == 0 &&
           nftnl_set_get_u32(set, NFTNL_SET_KEY_TYPE) == address_type(table);
}

static bool is_port_map(const struct table *table, const struct nftnl_set *set)
{
    return nftnl_set_get_u32(set, NFTNL_SET_FLAGS) == NFT_SET_MAP &&
           nftnl_set_get_u32(set, NFTNL_SET_KEY_TYPE) == TYPE_INET_SERVICE &&
           nftnl_set_get_u32(set, NFTNL_SET_DATA_TYPE) == (address_type(table) << TYPE_BITS | TYPE_INET_SERVICE);
}

static unsigned int port_at(const uint8_t *bytes)
{
    return (unsigned int)bytes[0] << 8 | bytes[1];
}

/* A set of ports, whose elements do nothing but count. */
static bool is_port_set(const struct nftnl_set *set)
{
    return nftnl_set_get_u32(set, NFTNL_SET_FLAGS) == 0 &&
           nftnl_set_get_u32(set, NFTNL_SET_KEY_TYPE) == TYPE_INET_SERVICE;
}

static int print_counter(struct nftnl_expr *expression, void *userdata)
{
    (void)userdata;
    if (strcmp(nftnl_expr_get_str(expression, NFTNL_EXPR_NAME), "counter") == 0)
        (void)printf(" counter packets %" PRIu64 " bytes %" PRIu64,
                     nftnl_expr_get_u64(expression, NFTNL_EXPR_CTR_PACKETS),
                     nftnl_expr_get_u64(expression, NFTNL_EXPR_CTR_BYTES));
    return 0;
}

/* 80 counter packets 3 bytes 180 */
static bool print_port(struct nftnl_set_elem *element)
{
    uint32_t length = 0;
    const uint8_t *key = nftnl_set_elem_get(element, NFTNL_SET_ELEM_KEY, &length);

    if (!key || length < 2)
        return false;
    (void)printf("%u", port_at(key));
    (void)nftnl_set_elem_expr_foreach(element, print_counter, NULL);
    return true;
}

/* 10.99.0.50, or 80 counter packets 3 bytes 180 : 172.30.0.5 . 8080 */
static bool print_element(const struct table *table, const struct nftnl_set_elem *element, bool is_map)
{
    struct nftnl_set_elem *readable = (struct nftnl_set_elem *)(uintptr_t)element; /* libnftnl's getter is not const */
    uint8_t family = table->nfproto == NFPROTO_IPV4 ? IP_FAMILY_4 : IP_FAMILY_6;
    size_t address_length = ip_family_length(family);
    uint32_t key_length = 0;
    uint32_t data_length = 0;
    const uint8_t *key = nftnl_set_elem_get(readable, NFTNL_SET_ELEM_KEY, &key_length);
    const uint8_t *data = is_map ? nftnl_set_elem_get(readable, NFTNL_SET_ELEM_DATA, &data_length) : key;
    char text[IP_ADDRESS_TEXT_SIZE];
    struct ip_address address;

    if (!key || !data || key_length < (is_map ? 2 : address_length) ||
        (is_map && data_length < address_length + REGISTER_LENGTH))
        return false;
    address = ip_address_from_bytes(family, data);
    if (is_map && print_port(readable))
        (void)printf(" : %s . %u", ip_address_format(&address, text), port_at(data + address_length));
    else
        (void)printf("%s", ip_address_format(&address, text));
    return true;
}

/* Where intervals begin, or where they end. */
struct borders {
    struct ip_address *items;
    size_t count;
};

static int compare_borders(const void *a, const void *b)
{
    return ip_address_compare(a, b);
}

static void read_borders(const struct table *table, const struct nftnl_set *set, struct borders *starts,
                         struct borders *ends)
{
    struct nftnl_set_elems_iter *iterator = nftnl_set_elems_iter_create(set);
    uint8_t family = table->nfproto == NFPROTO_IPV4 ? IP_FAMILY_4 : IP_FAMILY_6;
    struct nftnl_set_elem *element;

    while (iterator && (element = nftnl_set_elems_iter_next(iterator))) {
        bool is_end = nftnl_set_elem_get_u32(element, NFTNL_SET_ELEM_FLAGS) & NFT_SET_ELEM_INTERVAL_END;
        struct borders *borders = is_end ? ends : starts;
        uint32_t length = 0;
        const void *key = nftnl_set_elem_get(element, NFTNL_SET_ELEM_KEY, &length);
        struct ip_address *items = reallocarray(borders->items, borders->count + 1, sizeof(*items));

        if (!items || !key || length < ip_family_length(family))
            break;
        borders->items = items;
        items[borders->count++] = ip_address_from_bytes(family, key);
    }
    if (iterator)
        nftnl_set_elems_iter_destroy(iterator);
    if (starts->count > 0)
        qsort(starts->items, starts->count, sizeof(*starts->items), compare_borders);
    if (ends->count > 0)
        qsort(ends->items, ends->count, sizeof(*ends->items), compare_borders);
}

/* The shortest prefix of this address that does not reach `end`, the first address that is no part of it, or NULL: up
 * to the last address of all. */
static struct ip_subnet subnet_until(const struct ip_address *start, const struct ip_address *end)
{
    struct ip_subnet subnet = {*start, ip_family_bits(start->family)};

    while (subnet.prefix_length > 0) {
        struct ip_subnet wider = {*start, (uint8_t)(subnet.prefix_length - 1)};
        struct ip_address first = ip_subnet_first(&wider);
        struct ip_address last = ip_subnet_last(&wider);

        if (!ip_address_equal(&first, start) || (end && ip_address_compare(&last, end) >= 0))
            break;
        subnet = wider;
    }
    return subnet;
}

/* Ours are prefixes, in order and apart. */
static void print_intervals(const struct table *table, const struct nftnl_set *set)
{
    struct borders starts = {0};
    struct borders ends = {0};
    size_t next = 0;

    read_borders(table, set, &starts, &ends);
    for (size_t i = 0; i < starts.count; i++) {
        struct ip_subnet subnet;

        while (next < ends.count && ip_address_compare(&ends.items[next], &starts.items[i]) <= 0)
            next++;
        subnet = subnet_until(&starts.items[i], next < ends.count ? &ends.items[next] : NULL);
        (void)printf("%s%s", i == 0 ? "\t\telements = { " : ",\n\t\t\t     ", IP_SUBNET_TEXT(&subnet));
    }
    if (starts.count > 0)
        (void)puts(" }");
    free(starts.items);
    free(ends.items);
}

static void print_elements(const struct table *table, const struct nftnl_set *set, bool is_map)
{
    struct nftnl_set_elems_iter *iterator = nftnl_set_elems_iter_create(set);
    struct nftnl_set_elem *element;
    size_t count = 0;
    size_t skipped = 0;

    while (iterator && (element = nftnl_set_elems_iter_next(iterator))) {
        (void)printf("%s", count++ == 0 ? "\t\telements = { " : ",\n\t\t\t     ");
        if (!(is_port_set(set) ? print_port(element) : print_element(table, element, is_map)))
            skipped++;
    }
    if (count > 0)
        (void)puts(" }");
    if (!iterator || skipped > 0)
        (void)printf("\t\t# %zu elements could not be read\n", skipped);
    if (iterator)
        nftnl_set_elems_iter_destroy(iterator);
}

/* Of lists and limits (GUEST-1, GUEST-3): concatenations of intervals, and sources that come and go. */
static bool is_guest_set(const struct nftnl_set *set, const char *name)
{
    uint32_t flags = nftnl_set_get_u32(set, NFTNL_SET_FLAGS);

    if (strcmp(name, "listed") == 0 || strcmp(name, "allowed") == 0)
        return flags == (NFT_SET_INTERVAL | NFT_SET_CONCAT);
    return strncmp(name, "limit_", strlen("limit_")) == 0 && flags == (NFT_SET_TIMEOUT | NFT_SET_EVAL);
}

static int print_set_expression(struct nftnl_expr *expression, void *userdata)
{
    (void)userdata;
    (void)printf("\t\t%s\n", nftnl_expr_get_str(expression, NFTNL_EXPR_NAME)); /* of ours `counter` alone */
    return 0;
}

static void print_set(const struct table *table, const struct nftnl_set *set)
{
    const char *name = nftnl_set_get_str(set, NFTNL_SET_NAME);
    bool is_map = is_port_map(table, set);
    bool is_ports = is_port_set(set);

    if (!is_map && !is_ports && !is_address_set(table, set)) {
        if (is_guest_set(set, name))
            (void)printf("\t# set or map %s has no words here: nft list set %s %s %s\n\n", name, table->family,
                         table->name, name);
        else if (!(nftnl_set_get_u32(set, NFTNL_SET_FLAGS) & NFT_SET_ANONYMOUS)) /* else part of a rule, said there */
            (void)printf("\t# set or map %s is not one of anchord's\n\n", name);
        return;
    }
    (void)printf("\t%s %s {\n\t\ttype ", is_map ? "map" : "set", name);
    if (is_map)
        (void)printf("inet_service : %s . inet_service\n", address_type_name(table));
    else
        (void)printf("%s\n", is_ports ? "inet_service" : address_type_name(table));
    (void)nftnl_set_expr_foreach(set, print_set_expression, NULL);
    if (nftnl_set_get_u32(set, NFTNL_SET_FLAGS) & NFT_SET_INTERVAL) {
        (void)puts("\t\tflags interval");
        print_intervals(table, set);
    } else {
        print_elements(table, set, is_map);
    }
    (void)puts("\t}\n");
}

static bool is_exact;

void table_text_be_exact(void)
{
    is_exact = true;
}

/* --- chains -------------------------------------------------------------------------------------------- */

static void print_rules(const struct table *table, const char *chain)
{
    struct nftnl_rule_list_iter *iterator = nftnl_rule_list_iter_create(table->rules);
    struct nftnl_rule *rule;

    while (iterator && (rule = nftnl_rule_list_iter_next(iterator))) {
        char text[RULE_TEXT_SIZE];
        int result;

        if (strcmp(nftnl_rule_get_str(rule, NFTNL_RULE_CHAIN), chain) != 0)
            continue;
        result = rule_text_format(rule, text); /* what is not understood stands there as a comment */
        (void)printf("\t\t%s\n", text);
        if (result == 0 || !is_exact)
            continue;
        rule_text_exact(rule, text);
        (void)printf("\t\t#= %s\n", text);
    }
    if (!iterator)
        (void)puts("\t\t# out of memory");
    else
        nftnl_rule_list_iter_destroy(iterator);
}

static void print_chain(const struct table *table, const struct nftnl_chain *chain)
{
    const char *name = nftnl_chain_get_str(chain, NFTNL_CHAIN_NAME);
    uint32_t hook = nftnl_chain_get_u32(chain, NFTNL_CHAIN_HOOKNUM);
    const char *hook_name = symbol_hook(hook);
    char priority[SYMBOL_PRIORITY_SIZE];

    (void)printf("\tchain %s {\n", name);
    if (nftnl_chain_is_set(chain, NFTNL_CHAIN_HOOKNUM))
        (void)printf("\t\ttype %s hook %s priority %s; policy %s;\n", nftnl_chain_get_str(chain, NFTNL_CHAIN_TYPE),
                     hook_name ? hook_name : "?",
                     symbol_priority(hook, nftnl_chain_get_s32(chain, NFTNL_CHAIN_PRIO), priority),
                     nftnl_chain_get_u32(chain, NFTNL_CHAIN_POLICY) == NF_DROP ? "drop" : "accept");
    print_rules(table, name);
    (void)puts("\t}");
}

static void print_counters(const struct table *table)
{
    struct nftnl_obj_list_iter *iterator = nftnl_obj_list_iter_create(table->counters);
    struct nftnl_obj *counter;

    while (iterator && (counter = nftnl_obj_list_iter_next(iterator)))
        (void)printf("\tcounter %s {\n\t\tpackets %" PRIu64 " bytes %" PRIu64 "\n\t}\n\n",
                     nftnl_obj_get_str(counter, NFTNL_OBJ_NAME), nftnl_obj_get_u64(counter, NFTNL_OBJ_CTR_PKTS),
                     nftnl_obj_get_u64(counter, NFTNL_OBJ_CTR_BYTES));
    if (!iterator)
        (void)puts("\t# out of memory");
    else
        nftnl_obj_list_iter_destroy(iterator);
}

void table_text_print(const struct table *table)
{
    struct nftnl_set_list_iter *sets;
    struct nftnl_chain_list_iter *chains;
    struct nftnl_chain *chain;
    struct nftnl_set *set;
    bool is_first = true;

    if (!table->exists)
        return;
    (void)printf("table %s %s {\n", table->family, table->name);
    if (table->flags & NFT_TABLE_F_DORMANT)
        (void)puts("\tflags dormant\n");
    if (table->other_objects > 0)
        (void)printf("\t# %zu stateful objects are not anchord's\n\n", table->other_objects);
    print_counters(table);
    sets = nftnl_set_list_iter_create(table->sets);
    while (sets && (set = nftnl_set_list_iter_next(sets)))
        print_set(table, set);
    chains = nftnl_chain_list_iter_create(table->chains);
    while (chains && (chain = nftnl_chain_list_iter_next(chains))) {
        if (!is_first)
            (void)puts("");
        is_first = false;
        print_chain(table, chain);
    }
    if (!sets || !chains)
        (void)puts("\t# out of memory");
    if (sets)
        nftnl_set_list_iter_destroy(sets);
    if (chains)
        nftnl_chain_list_iter_destroy(chains);
    (void)puts("}");
}
