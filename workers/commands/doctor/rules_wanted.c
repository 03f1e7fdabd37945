/* Makes the wanted rules; see rules_wanted.h. Others' words are read, and given to the builder as values alone. */
#include "workers/commands/doctor/rules_wanted.h"

#include "build_information.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "workers/commands/doctor/check.h"
#include "workers/commands/doctor/heard.h"
#include "workers/commands/doctor/heard_tables.h"
#include "workers/commands/ruleset/rule_text.h"
#include "workers/commands/ruleset/symbols.h"
#include "workers/netadmin/nft/nft_rules.h"
#include "workers/netadmin/plan/egress_choice.h"
#include "workers/netadmin/plan/inner_prefixes.h"
#include "workers/netadmin/plan/subnets_behind.h"
#include "workers/netlink/network/link_reading.h"

#include <libnftnl/rule.h> /* before expr.h, which relies on what it includes */

#include <libnftnl/expr.h>
#include <netinet/in.h> /* before linux/netfilter.h, which then leaves its types alone */

#include <linux/netfilter.h>
#include <string.h>

#define INNER_COMMENT " comment \"inner sources come from inside\""

/* --- words ---------------------------------------------------------------------------------------------------- */

/* "global", "unique local"; NULL: it is no address of the project's. */
static const char *scope_of(const struct anchor *anchor, const char *text)
{
    struct json_walk walk = heard_list(heard(&anchor->status), "external_addresses");
    char address[HEARD_TEXT_SIZE];
    struct json_slice row;
    struct ip_address parsed;

    while (json_walk_element(&walk, &row)) {
        heard_text(row, "address", address);
        if (strcmp(address, text) == 0 && ip_address_parse(text, &parsed) == 0)
            return ip_address_is_unique_local(&parsed) ? "unique local" : "global";
    }
    return NULL;
}

const char *rules_word(const struct rules_ground *ground, const char *table, const char *chain, const char *text)
{
    static const char to[] = "snat to ";
    const char *place = strstr(text, to), *end, *scope;

    if (ground->is_attached && strstr(text, " goto refuse_forged" INNER_COMMENT))
        return NULL;
    if (!place)
        return check_text("%s %s: %s", table, chain, text);
    place += strlen(to);
    end = place + strcspn(place, " ");
    scope = scope_of(ground->anchor, check_text("%.*s", (int)(end - place), place));
    if (!scope)
        return check_text("%s %s: %s", table, chain, text);
    return check_text("%s %s: %.*s<%s address of the project's>%s", table, chain, (int)(place - text), text, scope,
                      end);
}

const char *rules_exact_word(const char *table, const char *chain, const char *text)
{
    return check_text("%s %s: = %s", table, chain, text);
}

const char *rules_shown(const char *word)
{
    const char *text = word + strcspn(word, ":") + strlen(": "), *comment = strstr(text, " comment \"");

    if (text[0] != '=')
        return text;
    return comment ? check_text("one without words, with the%s", comment) : "one without words";
}

/* --- what the builder is told ----------------------------------------------------------------------------------- */

/* What the tables of one family have beside rules. */
struct found_sets {
    struct guest_list guests;
    bool counts_ports;
};

static void found_sets_clear(struct found_sets *sets)
{
    guest_list_clear(&sets->guests);
}

/* "limit_tcp_22_10_minute_5" (nft_limit_name()) */
static bool read_limit(const char *name, struct wire_guest *ret)
{
    char proto[8], unit[8], again[NFT_LIMIT_NAME_SIZE];

    *ret = (struct wire_guest){.kind = GUEST_LIMIT};
    /* NOLINTNEXTLINE(cert-err34-c): compared with what it would be written as */
    if (sscanf(name, "limit_%3[a-z]_%hu_%hu_%6[a-z]_%hu", proto, &ret->port_first, &ret->rate, unit, &ret->burst) != 5)
        return false;
    ret->port_last = ret->port_first;
    ret->protocol = strcmp(proto, "tcp") == 0 ? IPPROTO_TCP : IPPROTO_UDP;
    ret->is_per_minute = strcmp(unit, "minute") == 0;
    return strcmp(nft_limit_name(ret, again), name) == 0;
}

static int add_set(struct found_sets *sets, const char *name)
{
    struct wire_guest guest = {.kind = GUEST_PORTS};

    if (strcmp(name, nft_set_names[NFT_SET_TRAFFIC_TCP]) == 0)
        sets->counts_ports = true;
    if (strcmp(name, nft_set_names[NFT_SET_LISTED]) == 0 || read_limit(name, &guest))
        return guest_list_add(&sets->guests, &guest);
    return 0;
}

/* "set or map listed has no words here …": its name, or NULL. */
static const char *strange_set(const char *text)
{
    static const char words[] = "set or map ";
    const char *name = text + strlen(words);

    return strncmp(text, words, strlen(words)) == 0 ? check_text("%.*s", (int)strcspn(name, " "), name) : NULL;
}

bool rules_know_set(const char *text)
{
    const char *name = strange_set(text);
    struct wire_guest limit;

    return name && (strcmp(name, nft_set_names[NFT_SET_LISTED]) == 0 ||
                    strcmp(name, nft_set_names[NFT_SET_ALLOWED]) == 0 || read_limit(name, &limit));
}

static int read_sets(const struct said *rules, const char *table, struct found_sets *ret)
{
    struct table_walk walk = {.rules = rules};
    int result = 0;

    while (result == 0 && heard_next_table_line(&walk)) {
        const struct table_line *line = &walk.line;

        if (strcmp(line->table, table) != 0)
            continue;
        if (line->kind == TABLE_LINE_SET)
            result = add_set(ret, line->object);
        else if (line->kind == TABLE_LINE_STRANGER && strange_set(line->text))
            result = add_set(ret, strange_set(line->text));
    }
    guest_list_sort(&ret->guests);
    return result;
}

/* Those of the link that the anchor uses; what lies in one of its own networks it does not. */
static void keep_told(const struct anchor *anchor, struct network_link *external)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < external->address_count; i++) {
        if (scope_of(anchor, IP_ADDRESS_TEXT(&external->addresses[i].address)))
            external->addresses[kept++] = external->addresses[i];
    }
    external->address_count = kept;
}

/* As network_get_view() in netadmin, as far as rules go: which one of several addresses does not matter here. */
static void look_at_links(const struct anchor *anchor, const struct link_table *links,
                          const struct network_link *external, bool is_attached, struct network_view *ret)
{
    static const uint8_t families[FAMILY_INDEX_MAX_] = {[FAMILY_INDEX_4] = IP_FAMILY_4, [FAMILY_INDEX_6] = IP_FAMILY_6};
    static const struct egress_preference none;
    struct network_link told = *external;
    struct egress_choice egress;

    keep_told(anchor, &told);
    egress = egress_choose(&told, &none);
    ret->egress6_global = egress.global;
    ret->egress6_unique_local = egress.unique_local;
    for (uint32_t i = 0; i < told.address_count && !ret->egress4.family; i++) {
        if (told.addresses[i].address.family == IP_FAMILY_4)
            ret->egress4 = told.addresses[i].address;
    }
    for (size_t i = 0; i < FAMILY_INDEX_MAX_ && !is_attached; i++) {
        struct inner_prefix found[INNER_PREFIXES_MAX];
        size_t left_out;

        ret->inner_count[i] = (uint8_t)inner_prefixes_list(links, external->index, families[i], found, &left_out);
        for (size_t j = 0; j < ret->inner_count[i]; j++)
            ret->inner[i][j] = found[j].subnet;
    }
}

static bool make_view(const struct anchor *anchor, struct rules_ground *ground, struct network_view *ret,
                      const char **ret_why)
{
    CLEANUP(rtnetlink_freep) struct rtnetlink *rtnetlink = NULL;
    CLEANUP(link_table_clear) struct link_table links = {0};
    const struct network_link *external;
    char name[HEARD_TEXT_SIZE], shared[HEARD_TEXT_SIZE];
    int result = rtnetlink_new(&rtnetlink);

    if (result == 0)
        result = link_table_read(rtnetlink, NULL, &links);
    if (result < 0) {
        *ret_why = log_errno_text(result);
        return false;
    }
    heard_interface(anchor, "external", name);
    heard_interface(anchor, "shared", shared);
    external = link_table_find_name(&links, name);
    ground->is_attached = shared[0] == '\0' && link_table_find_name(&links, IDENTITY_HOST_LINK);
    if (!external || (shared[0] == '\0' && !ground->is_attached)) {
        *ret_why = "the anchor has not found both its interfaces";
        return false;
    }
    text_copy_cut(ret->external_name, sizeof(ret->external_name), name);
    text_copy_cut(ret->shared_name, sizeof(ret->shared_name), ground->is_attached ? SHARED_LINKS_PATTERN : shared);
    text_copy_cut(ret->host_name, sizeof(ret->host_name), ground->is_attached ? IDENTITY_HOST_LINK : "");
    look_at_links(anchor, &links, external, ground->is_attached, ret);
    return true;
}

/* --- its rules -------------------------------------------------------------------------------------------------- */

/* libnftnl (1.2.4) writes a counter's name into a message without its end, which the kernel takes, and reads on. */
static int end_name(struct nftnl_expr *expression, void *userdata)
{
    const char *name = strcmp(nftnl_expr_get_str(expression, NFTNL_EXPR_NAME), "objref") == 0
                           ? nftnl_expr_get_str(expression, NFTNL_EXPR_OBJREF_IMM_NAME)
                           : NULL;

    (void)userdata;
    for (size_t i = 0; name && i < REFUSAL_MAX_; i++) {
        if (strncmp(name, nft_counter_names[i], strlen(nft_counter_names[i])) == 0)
            return nftnl_expr_set_str(expression, NFTNL_EXPR_OBJREF_IMM_NAME, nft_counter_names[i]);
    }
    return 0;
}

static bool add_rule(const struct rules_ground *ground, const char *table, const struct nlmsghdr *message,
                     struct words *ret)
{
    struct nftnl_rule *rule = nftnl_rule_alloc();
    bool is_added = rule && nftnl_rule_nlmsg_parse(message, rule) == 0 && nftnl_expr_foreach(rule, end_name, NULL) == 0;

    if (is_added) {
        const char *chain = nftnl_rule_get_str(rule, NFTNL_RULE_CHAIN);
        char text[RULE_TEXT_SIZE];
        const char *word;

        if (rule_text_format(rule, text) == 0) {
            word = rules_word(ground, table, chain, text);
        } else {
            rule_text_exact(rule, text);
            word = rules_exact_word(table, chain, text);
        }
        is_added = !word || words_add(ret, word);
    }
    if (rule)
        nftnl_rule_free(rule);
    return is_added;
}

/* As table_text.c prints it. */
static bool add_chain(const char *table, const struct nft_chain *chain, struct words *ret)
{
    char priority[SYMBOL_PRIORITY_SIZE];
    const char *hook = "";

    if (chain->type)
        hook = check_text("type %s hook %s priority %s; policy %s;", chain->type, symbol_hook(chain->hook),
                          symbol_priority(chain->hook, chain->priority, priority),
                          chain->policy == NF_DROP ? "drop" : "accept");
    return words_add(ret, check_text("%s %s: %s", table, chain->name, hook));
}

static bool add_family(const struct rules_ground *ground, const struct nft_family *family,
                       const struct network_view *view, struct rules_wanted *ret)
{
    CLEANUP(nft_batch_clear) struct nft_batch batch = {0};
    CLEANUP(found_sets_clear) struct found_sets sets = {0};
    const char *table = check_text("%s %s", family->name, family->table);

    if (read_sets(&ground->anchor->rules, table, &sets) < 0)
        return false;
    nft_rules_add(&batch, family, family->table, view, &sets.guests, sets.counts_ports);
    for (size_t i = 0; i < batch.operation_count && !batch.error; i++) {
        if (!add_rule(ground, table, (const struct nlmsghdr *)(batch.bytes + nft_batch_offset(&batch, i)), &ret->rules))
            return false;
    }
    for (size_t i = 0; i < NFT_CHAIN_INDEX_MAX_; i++) {
        if (!add_chain(table, &nft_chains[i], &ret->chains))
            return false;
    }
    return !batch.error;
}

bool rules_want(const struct anchor *anchor, struct rules_ground *ret_ground, struct rules_wanted *ret,
                const char **ret_why)
{
    struct network_view view = {0};
    char version[HEARD_TEXT_SIZE];

    *ret_ground = (struct rules_ground){.anchor = anchor};
    heard_text(heard(&anchor->status), "version", version);
    if (strcmp(version, ANCHORD_VERSION) != 0) {
        *ret_why = version[0] == '\0' ? "the anchor does not tell its version" : "the anchor has another version";
        return false;
    }
    if (!make_view(anchor, ret_ground, &view, ret_why))
        return false;
    *ret_why = "there is too little memory";
    for (size_t i = 0; i < FAMILY_INDEX_MAX_; i++) {
        const char *begin = check_text("table %s %s {", nft_families[i].name, nft_families[i].table);

        /* A kernel without the family has none, and one that somebody deleted is said elsewhere. */
        if (anchor->rules.bytes && memmem(anchor->rules.bytes, anchor->rules.length, begin, strlen(begin)) &&
            !add_family(ret_ground, &nft_families[i], &view, ret))
            return false;
    }
    return true;
}
