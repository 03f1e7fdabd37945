/* Builds the transactions for our tables; see nft_table.h. Runs in anchord-netadmin. */
#include "workers/netadmin/nft/nft_table.h"

#include "common/text.h"
#include "workers/netadmin/nft/nft_elements.h"
#include "workers/netadmin/nft/nft_rules.h"

#include <arpa/inet.h>
#include <libnftnl/chain.h>
#include <libnftnl/expr.h>
#include <libnftnl/object.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <libnftnl/udata.h>
#include <string.h>

#define PROBE_TABLE "anchord_probe"

/* Which attribute names the table. */
#define TABLE_ATTRIBUTE 1
static_assert((int)NFTA_TABLE_NAME == TABLE_ATTRIBUTE && (int)NFTA_CHAIN_TABLE == TABLE_ATTRIBUTE &&
                  (int)NFTA_RULE_TABLE == TABLE_ATTRIBUTE && (int)NFTA_SET_TABLE == TABLE_ATTRIBUTE &&
                  (int)NFTA_OBJ_TABLE == TABLE_ATTRIBUTE && (int)NFTA_FLOWTABLE_TABLE == TABLE_ATTRIBUTE,
              "the same in every message");

static bool must(struct nft_batch *batch, const void *allocated)
{
    if (!allocated)
        nft_batch_fail(batch, -ENOMEM);
    return allocated;
}

/* --- what should be there -------------------------------------------------------------------------------- */

/* table ip anchord_v4 { }   said to have no flags, so that it is not dormant */
static void add_table(struct nft_batch *batch, const struct nft_family *family, const char *name, uint32_t flags)
{
    struct nftnl_table *table = nftnl_table_alloc();

    if (!must(batch, table))
        return;
    (void)nftnl_table_set_str(table, NFTNL_TABLE_NAME, name);
    nftnl_table_set_u32(table, NFTNL_TABLE_FLAGS, flags);
    nftnl_table_nlmsg_build_payload(
        nft_batch_add(batch, NFT_MSG_NEWTABLE, family->nfproto, NLM_F_CREATE, "add table %s %s", family->name, name),
        table);
    nftnl_table_free(table);
}

/* chain forward { type filter hook forward priority filter; policy drop; } */
static void add_chain(struct nft_batch *batch, const struct nft_family *family, const char *table,
                      const struct nft_chain *wanted)
{
    struct nftnl_chain *chain = nftnl_chain_alloc();

    if (!must(batch, chain))
        return;
    (void)nftnl_chain_set_str(chain, NFTNL_CHAIN_TABLE, table);
    (void)nftnl_chain_set_str(chain, NFTNL_CHAIN_NAME, wanted->name);
    if (wanted->type) {
        (void)nftnl_chain_set_str(chain, NFTNL_CHAIN_TYPE, wanted->type);
        nftnl_chain_set_u32(chain, NFTNL_CHAIN_HOOKNUM, wanted->hook);
        nftnl_chain_set_s32(chain, NFTNL_CHAIN_PRIO, wanted->priority);
        nftnl_chain_set_u32(chain, NFTNL_CHAIN_POLICY, wanted->policy);
    }
    nftnl_chain_nlmsg_build_payload(nft_batch_add(batch, NFT_MSG_NEWCHAIN, family->nfproto, NLM_F_CREATE,
                                                  "add chain %s %s %s", family->name, table, wanted->name),
                                    chain);
    nftnl_chain_free(chain);
}

/*
 * counter refused_closed { packets 7 bytes 420 }
 * One that is there keeps what it has counted.
 */
static void add_counter(struct nft_batch *batch, const struct nft_family *family, const char *table, const char *name,
                        const struct packet_count *initial)
{
    struct nftnl_obj *counter = nftnl_obj_alloc();

    if (!must(batch, counter))
        return;
    nftnl_obj_set_str(counter, NFTNL_OBJ_TABLE, table);
    nftnl_obj_set_str(counter, NFTNL_OBJ_NAME, name);
    nftnl_obj_set_u32(counter, NFTNL_OBJ_TYPE, NFT_OBJECT_COUNTER);
    nftnl_obj_set_u64(counter, NFTNL_OBJ_CTR_PKTS, initial->packets);
    nftnl_obj_set_u64(counter, NFTNL_OBJ_CTR_BYTES, initial->bytes);
    nftnl_obj_nlmsg_build_payload(nft_batch_add(batch, NFT_MSG_NEWOBJ, family->nfproto, NLM_F_CREATE,
                                                "add counter %s %s %s", family->name, table, name),
                                  counter);
    nftnl_obj_free(counter);
}

static void set_userdata(struct nft_batch *batch, struct nftnl_set *set, uint8_t type, const void *bytes,
                         uint8_t length)
{
    struct nftnl_udata_buf *buffer = nftnl_udata_buf_alloc(2U + length);

    if (!buffer || !nftnl_udata_put(buffer, type, length, bytes) ||
        nftnl_set_set_data(set, NFTNL_SET_USERDATA, nftnl_udata_buf_data(buffer), nftnl_udata_buf_len(buffer)) < 0)
        nft_batch_fail(batch, -ENOMEM);
    if (buffer)
        nftnl_udata_buf_free(buffer);
}

static void let_count(struct nft_batch *batch, struct nftnl_set *set)
{
    struct nftnl_expr *counter = nftnl_expr_alloc("counter");

    if (must(batch, counter))
        nftnl_set_add_expr(set, counter); /* whose it is then */
}

/*
 * set external { type ipv4_addr; }
 * map dnat_tcp { type inet_service : ipv4_addr . inet_service; counter; }
 * set traffic_tcp { type inet_service; counter; }
 * set banned_prefixes { type ipv4_addr; flags interval; }
 */
static void add_set(struct nft_batch *batch, const struct nft_family *family, const char *table,
                    enum nft_set_index index, bool counts_ports)
{
    const struct nft_set_shape shape = nft_set_shape_of(family, index);
    const uint32_t layout = NFT_LAYOUT;
    struct nftnl_set *set = nftnl_set_alloc();

    if (!must(batch, set))
        return;
    (void)nftnl_set_set_str(set, NFTNL_SET_TABLE, table);
    (void)nftnl_set_set_str(set, NFTNL_SET_NAME, nft_set_names[index]);
    nftnl_set_set_u32(set, NFTNL_SET_ID, (uint32_t)index + 1); /* the kernel demands one */
    nftnl_set_set_u32(set, NFTNL_SET_KEY_TYPE, shape.key_type);
    nftnl_set_set_u32(set, NFTNL_SET_KEY_LEN, shape.key_length);
    if (index == NFT_SET_EXTERNAL)
        set_userdata(batch, set, NFT_LAYOUT_TYPE, &layout, sizeof(layout));
    if (shape.flags)
        nftnl_set_set_u32(set, NFTNL_SET_FLAGS, shape.flags);
    if (shape.field_count)
        (void)nftnl_set_set_data(set, NFTNL_SET_DESC_CONCAT, shape.fields, shape.field_count);
    if (shape.data_length) {
        nftnl_set_set_u32(set, NFTNL_SET_DATA_TYPE, shape.data_type);
        nftnl_set_set_u32(set, NFTNL_SET_DATA_LEN, shape.data_length);
    }
    if (shape.counts && counts_ports)
        let_count(batch, set);
    nftnl_set_nlmsg_build_payload(nft_batch_add(batch, NFT_MSG_NEWSET, family->nfproto, NLM_F_CREATE, "add %s %s %s %s",
                                                shape.data_length ? "map" : "set", family->name, table,
                                                nft_set_names[index]),
                                  set);
    nftnl_set_free(set);
}

/* set limit_tcp_22_10_minute_5 { type ipv4_addr; size 65536; flags dynamic,timeout; timeout 30s; } */
static void add_limit_set(struct nft_batch *batch, const struct nft_family *family, const char *table,
                          const struct wire_guest *limit)
{
    /* A source that has all of its burst again need not be remembered. */
    uint64_t seconds = (uint64_t)limit->burst * (limit->is_per_minute ? 60 : 1) / limit->rate + 1;
    struct nftnl_set *set = nftnl_set_alloc();
    char name[NFT_LIMIT_NAME_SIZE];

    if (!must(batch, set))
        return;
    (void)nftnl_set_set_str(set, NFTNL_SET_TABLE, table);
    (void)nftnl_set_set_str(set, NFTNL_SET_NAME, nft_limit_name(limit, name));
    nftnl_set_set_u32(set, NFTNL_SET_ID, NFT_SET_INDEX_MAX_ + 1); /* they are looked up by their names */
    nftnl_set_set_u32(set, NFTNL_SET_FLAGS, NFT_LIMIT_SET_FLAGS);
    nftnl_set_set_u32(set, NFTNL_SET_KEY_TYPE, family->address_type);
    nftnl_set_set_u32(set, NFTNL_SET_KEY_LEN, family->address_length);
    nftnl_set_set_u32(set, NFTNL_SET_DESC_SIZE, NFT_LIMIT_SOURCES);
    nftnl_set_set_u64(set, NFTNL_SET_TIMEOUT, seconds * 1000 /* milliseconds */);
    set_userdata(batch, set, NFT_LIMIT_TYPE, limit, sizeof(*limit));
    nftnl_set_nlmsg_build_payload(nft_batch_add(batch, NFT_MSG_NEWSET, family->nfproto, NLM_F_CREATE,
                                                "add set %s %s %s", family->name, table, name),
                                  set);
    nftnl_set_free(set);
}

/* The sets of lists are there only with a list. */
static bool is_wanted(enum nft_set_index set, const struct nft_table_wish *wish)
{
    if (set == NFT_SET_TRAFFIC_TCP || set == NFT_SET_TRAFFIC_UDP)
        return wish->counts_ports;
    return (set != NFT_SET_LISTED && set != NFT_SET_ALLOWED) || guest_list_count(wish->guests, GUEST_PORTS) > 0;
}

bool nft_table_keeps_map(const struct nft_table_content *content, const struct nft_table_wish *wish,
                         enum nft_set_index map)
{
    return content->has_set[map] && content->counts[map] == wish->counts_ports;
}

static void add_objects(struct nft_batch *batch, const struct nft_family *family, const char *table,
                        const struct nft_table_wish *wish, const struct packet_count refused[REFUSAL_MAX_])
{
    for (size_t i = 0; i < REFUSAL_MAX_; i++)
        add_counter(batch, family, table, nft_counter_names[i], &refused[i]);
    for (size_t i = 0; i < NFT_SET_INDEX_MAX_; i++) {
        if (is_wanted((enum nft_set_index)i, wish))
            add_set(batch, family, table, (enum nft_set_index)i, wish->counts_ports);
    }
    for (size_t i = 0; i < wish->guests->count; i++) {
        if (wish->guests->items[i].kind == GUEST_LIMIT)
            add_limit_set(batch, family, table, &wish->guests->items[i]);
    }
    for (size_t i = 0; i < NFT_CHAIN_INDEX_MAX_; i++)
        add_chain(batch, family, table, &nft_chains[i]);
    nft_rules_add(batch, family, table, wish->view, wish->guests, wish->counts_ports);
}

/* --- what should not be there ---------------------------------------------------------------------------- */

/* A message that names a table, and in attribute `name_attribute` something in it, unless `name` is NULL. */
static struct nlmsghdr *name_object(struct nlmsghdr *message, const char *table, uint16_t name_attribute,
                                    const char *name)
{
    mnl_attr_put_strz(message, TABLE_ATTRIBUTE, table);
    if (name)
        mnl_attr_put_strz(message, name_attribute, name);
    return message;
}

/* flush table ip anchord_v4: the rules of all chains, ours and others' */
static void flush_rules(struct nft_batch *batch, const struct nft_family *family)
{
    (void)name_object(
        nft_batch_add(batch, NFT_MSG_DELRULE, family->nfproto, 0, "flush table %s %s", family->name, family->table),
        family->table, 0, NULL);
}

/* delete table ip anchord_v4 */
static void delete_table(struct nft_batch *batch, const struct nft_family *family, const char *name)
{
    (void)name_object(
        nft_batch_add(batch, NFT_MSG_DELTABLE, family->nfproto, 0, "delete table %s %s", family->name, name), name, 0,
        NULL);
}

/* delete chain ip anchord_v4 NAME */
static void delete_intruder(struct nft_batch *batch, const struct nft_family *family,
                            const struct nft_intruder *intruder)
{
    static const struct {
        const char *what;
        uint16_t message_type;
        uint16_t name_attribute;
    } kinds[] = {
        [NFT_OBJECT_SET] = {"set", NFT_MSG_DELSET, NFTA_SET_NAME},
        [NFT_OBJECT_CHAIN] = {"chain", NFT_MSG_DELCHAIN, NFTA_CHAIN_NAME},
        [NFT_OBJECT_STATEFUL] = {"object", NFT_MSG_DELOBJ, NFTA_OBJ_NAME},
        [NFT_OBJECT_FLOWTABLE] = {"flowtable", NFT_MSG_DELFLOWTABLE, NFTA_FLOWTABLE_NAME},
    };
    struct nlmsghdr *message =
        name_object(nft_batch_add(batch, kinds[intruder->kind].message_type, family->nfproto, 0, "delete %s %s %s %s",
                                  kinds[intruder->kind].what, family->name, family->table, intruder->name),
                    family->table, kinds[intruder->kind].name_attribute, intruder->name);

    if (intruder->kind == NFT_OBJECT_STATEFUL)
        mnl_attr_put_u32(message, NFTA_OBJ_TYPE, htonl(intruder->type));
}

/* Users before the used: rules hold everything, the elements of sets hold chains and objects. */
static void remove_intruders(struct nft_batch *batch, const struct nft_family *family,
                             const struct nft_table_content *content)
{
    static const enum nft_object_kind order[] = {NFT_OBJECT_SET, NFT_OBJECT_CHAIN, NFT_OBJECT_STATEFUL,
                                                 NFT_OBJECT_FLOWTABLE};

    for (size_t kind = 0; kind < ARRAY_LENGTH(order); kind++) {
        for (size_t i = 0; i < content->intruder_count; i++) {
            if (content->intruders[i].kind == order[kind])
                delete_intruder(batch, family, &content->intruders[i]);
        }
    }
}

/* Each of the two sets of lists says nothing without the other. */
static bool has_lists(const struct nft_table_content *content)
{
    return content->has_set[NFT_SET_LISTED] && content->has_set[NFT_SET_ALLOWED];
}

/* Lists and limits that are no more; nothing uses them now that the rules are gone. */
static void remove_guests(struct nft_batch *batch, const struct nft_family *family,
                          const struct nft_table_content *content, const struct nft_table_wish *wish)
{
    struct nft_intruder set = {.kind = NFT_OBJECT_SET};

    for (enum nft_set_index i = NFT_SET_LISTED; i <= NFT_SET_ALLOWED; i++) {
        if (content->has_set[i] && !(is_wanted(i, wish) && has_lists(content))) {
            text_copy_cut(set.name, sizeof(set.name), nft_set_names[i]);
            delete_intruder(batch, family, &set);
        }
    }
    for (size_t i = 0; i < content->guests.count; i++) {
        const struct wire_guest *guest = &content->guests.items[i];

        if (guest->kind == GUEST_LIMIT && !guest_list_has(wish->guests, guest)) {
            (void)nft_limit_name(guest, set.name);
            delete_intruder(batch, family, &set);
        }
    }
}

/* What is still there of what it held: sets that are made anew hold nothing. */
static void change_guests(struct nft_batch *batch, const struct nft_family *family,
                          const struct nft_table_content *content, const struct nft_table_wish *wish)
{
    static const struct guest_list nobody;

    if (is_wanted(NFT_SET_LISTED, wish))
        nft_elements_change_guests(batch, family, has_lists(content) ? &content->guests : &nobody, wish->guests);
}

/* Maps that do not count and shall, or the other way round; and what counts traffic where nothing shall. */
static void remove_maps(struct nft_batch *batch, const struct nft_family *family,
                        const struct nft_table_content *content, const struct nft_table_wish *wish)
{
    struct nft_intruder set = {.kind = NFT_OBJECT_SET};

    for (enum nft_set_index i = NFT_SET_DNAT_TCP; i <= NFT_SET_TRAFFIC_UDP; i++) {
        if (!content->has_set[i] || (is_wanted(i, wish) && nft_table_keeps_map(content, wish, i)))
            continue;
        text_copy_cut(set.name, sizeof(set.name), nft_set_names[i]);
        delete_intruder(batch, family, &set);
    }
}

/* --- the addresses of `external` ------------------------------------------------------------------------- */

/* Those of `from` in this family that are not in `without`. Returns how many stand in `ret`. */
static size_t select_addresses(const struct ip_address *from, size_t from_count, const struct ip_address *without,
                               size_t without_count, uint8_t family, struct ip_address *ret)
{
    size_t count = 0;

    for (size_t i = 0; i < from_count; i++) {
        if (from[i].family == family && !ip_address_is_among(&from[i], without, without_count))
            ret[count++] = from[i];
    }
    return count;
}

static void change_external(struct nft_batch *batch, const struct nft_family *family,
                            const struct nft_table_content *content, const struct network_view *view)
{
    size_t had_count = content->has_set[NFT_SET_EXTERNAL] ? content->external_count : 0;
    struct ip_address added[LINK_ADDRESSES_MAX];
    size_t added_count =
        select_addresses(view->external, view->external_count, content->external, had_count, family->family, added);
    struct ip_address *removed = calloc(had_count + 1, sizeof(*removed));
    size_t removed_count;

    if (!must(batch, removed))
        return;
    removed_count =
        select_addresses(content->external, had_count, view->external, view->external_count, family->family, removed);
    nft_elements_change_external(batch, family, NFT_MSG_DELSETELEM, removed, removed_count);
    nft_elements_change_external(batch, family, NFT_MSG_NEWSETELEM, added, added_count);
    free(removed);
}

/* --- whole transactions ---------------------------------------------------------------------------------- */

void nft_table_install(struct nft_batch *batch, const struct nft_family *family,
                       const struct nft_table_content *content, const struct nft_table_wish *wish,
                       const struct map_state_difference difference[PORT_COUNTER_MAX_],
                       const struct port_values *carried, const struct packet_count refused[REFUSAL_MAX_])
{
    add_table(batch, family, family->table, 0);
    if (content->exists)
        flush_rules(batch, family);
    remove_intruders(batch, family, content);
    remove_guests(batch, family, content, wish);
    remove_maps(batch, family, content, wish);
    add_objects(batch, family, family->table, wish, refused);
    change_external(batch, family, content, wish->view);
    change_guests(batch, family, content, wish);
    for (size_t protocol = 0; protocol < PROTOCOL_INDEX_MAX_; protocol++)
        nft_elements_change_map(batch, family, protocol, difference, carried);
    if (content->has_skeleton)
        nft_table_remove_skeleton(batch, family);
    if (content->has_left_trace)
        delete_table(batch, family, NFT_TRACE_TABLE);
}

void nft_table_add_bans(struct nft_batch *batch, const struct nft_family *family)
{
    add_table(batch, family, family->table, 0);
    for (enum nft_set_index set = NFT_SET_BANNED; set <= NFT_SET_BANNED_NEW_PREFIXES; set++)
        add_set(batch, family, family->table, set, false);
}

void nft_table_wake(struct nft_batch *batch, const struct nft_family *family)
{
    add_table(batch, family, family->table, 0);
}

void nft_table_probe(struct nft_batch *batch, const struct nft_family *family, const struct guest_list *guests,
                     bool counts_ports)
{
    const struct ip_address any = {.family = IP_FAMILY_6, .bytes = {0x20, 0x01, 0x0d, 0xb8}}; /* RFC 3849 */
    const struct network_view view = {
        .external_name = "external",
        .shared_name = "shared",
        .egress6_global = any,
        .egress6_unique_local = any,
    };

    const struct nft_table_wish wish = {&view, guests, counts_ports};
    static const struct packet_count nothing[REFUSAL_MAX_];

    add_table(batch, family, PROBE_TABLE, NFT_TABLE_F_DORMANT);
    add_objects(batch, family, PROBE_TABLE, &wish, nothing);
    delete_table(batch, family, PROBE_TABLE);
}

void nft_table_remove(struct nft_batch *batch, const struct nft_family *family)
{
    delete_table(batch, family, family->table);
}

void nft_table_add_skeleton(struct nft_batch *batch, const struct nft_family *family, bool exists)
{
    if (exists)
        delete_table(batch, family, NFT_SKELETON_TABLE);
    add_table(batch, family, NFT_SKELETON_TABLE, 0);
    add_chain(batch, family, NFT_SKELETON_TABLE, &nft_chains[NFT_CHAIN_FORWARD]);
    add_chain(batch, family, NFT_SKELETON_TABLE, &nft_chains[NFT_CHAIN_INPUT]);
    nft_rules_add_skeleton(batch, family);
}

void nft_table_remove_skeleton(struct nft_batch *batch, const struct nft_family *family)
{
    delete_table(batch, family, NFT_SKELETON_TABLE);
}
