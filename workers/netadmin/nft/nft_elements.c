/* Messages that change elements; see nft_elements.h. Runs in anchord-netadmin. */
#include "workers/netadmin/nft/nft_elements.h"

#include <arpa/inet.h>
#include <libnftnl/expr.h>
#include <libnftnl/set.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

/* Protocol, port and an IPv6 address, in whole registers each. */
#define GUEST_KEY_LENGTH_MAX (2 * sizeof(uint32_t) + 16)

struct element_list {
    struct nft_batch *batch;
    struct nftnl_set *set; /* NULL after an allocation failed */
};

static struct element_list list_begin(struct nft_batch *batch, const struct nft_family *family, enum nft_set_index set)
{
    struct element_list list = {.batch = batch, .set = nftnl_set_alloc()};

    if (!list.set) {
        nft_batch_fail(batch, -ENOMEM);
        return list;
    }
    (void)nftnl_set_set_str(list.set, NFTNL_SET_TABLE, family->table);
    (void)nftnl_set_set_str(list.set, NFTNL_SET_NAME, nft_set_names[set]);
    return list;
}

/* A range of keys, and a value; each NULL if there is none. */
struct element_rest {
    const void *key_end;
    const void *data;
    uint32_t data_length;
};

static struct nftnl_set_elem *list_add(struct element_list *list, const void *key, uint32_t key_length,
                                       struct element_rest rest)
{
    struct nftnl_set_elem *element = list->set ? nftnl_set_elem_alloc() : NULL;

    if (!element) {
        nft_batch_fail(list->batch, -ENOMEM);
        return NULL;
    }
    (void)nftnl_set_elem_set(element, NFTNL_SET_ELEM_KEY, key, key_length);
    if (rest.key_end)
        (void)nftnl_set_elem_set(element, NFTNL_SET_ELEM_KEY_END, rest.key_end, key_length);
    if (rest.data)
        (void)nftnl_set_elem_set(element, NFTNL_SET_ELEM_DATA, rest.data, rest.data_length);
    nftnl_set_elem_add(list->set, element);
    return element;
}

static void list_end(struct element_list *list, const struct nft_family *family, enum nft_set_index set,
                     uint16_t message_type)
{
    bool adds = message_type == NFT_MSG_NEWSETELEM;
    struct nlmsghdr *message;

    if (!list->set)
        return;
    message = nft_batch_add(list->batch, message_type, family->nfproto, adds ? NLM_F_CREATE : 0, "%s element %s %s %s",
                            adds ? "add" : "delete", family->name, family->table, nft_set_names[set]);
    nftnl_set_elems_nlmsg_build_payload(message, list->set);
    nftnl_set_free(list->set);
}

/* One set in the making of a transaction: which of the ports' two, and what its elements begin with. */
struct counting_set {
    const struct nft_family *family;
    enum nft_set_index index;
    enum port_counter counter;
    size_t map; /* its place in map_state.all */
    const struct port_values *carried;
};

static void set_counter(struct nft_batch *batch, struct nftnl_set_elem *element, const struct packet_count *count)
{
    struct nftnl_expr *counter = nftnl_expr_alloc("counter");

    if (!counter) {
        nft_batch_fail(batch, -ENOMEM);
        return;
    }
    nftnl_expr_set_u64(counter, NFTNL_EXPR_CTR_PACKETS, count->packets);
    nftnl_expr_set_u64(counter, NFTNL_EXPR_CTR_BYTES, count->bytes);
    nftnl_set_elem_add_expr(element, counter); /* whose it is then */
}

/*
 * add element ip anchord_v4 dnat_tcp { 25 counter packets 7 bytes 420 : 172.30.0.5 . 25, … }
 * add element ip anchord_v4 traffic_tcp { 25 counter packets 90 bytes 6000, … }
 * delete element ip anchord_v4 dnat_tcp { 25, … }
 * Key: the port in network order. Value: the address, then the port in a 32-bit register of its own.
 */
static void change_elements(struct nft_batch *batch, const struct counting_set *set, uint16_t message_type,
                            const struct map *map, size_t first, size_t last)
{
    const uint32_t value_length = set->family->address_length + (uint32_t)sizeof(uint32_t);
    bool adds = message_type == NFT_MSG_NEWSETELEM;
    struct element_list list;

    if (first == last)
        return;
    list = list_begin(batch, set->family, set->index);
    for (size_t i = first; i < last; i++) {
        const struct map_element *element = &map->elements[i];
        const struct packet_count *count =
            adds ? port_values_find(set->carried, set->counter, set->map, element->port) : NULL;
        uint16_t key = htons(element->port);
        uint16_t backend_port = htons(element->backend_port);
        uint8_t value[16 + sizeof(uint32_t)] = {0};
        struct nftnl_set_elem *added;

        memcpy(value, element->backend, set->family->address_length);
        memcpy(value + set->family->address_length, &backend_port, sizeof(backend_port));
        added = list_add(&list, &key, sizeof(key),
                         (struct element_rest){.data = adds && set->counter == PORT_FLOWS ? value : NULL,
                                               .data_length = value_length});
        if (added && count)
            set_counter(batch, added, count);
    }
    list_end(&list, set->family, set->index, message_type);
}

/* Where the next ports of a difference begin. */
struct walk {
    size_t removed;
    size_t added;
};

/* As many ports as a message takes. */
static void walk_on(const struct map_difference *difference, struct walk *walk)
{
    for (size_t ports = 0; ports < NFT_COUNTING_PER_MESSAGE; ports++) {
        const struct map *removed = &difference->removed, *added = &difference->added;
        unsigned int old_port = walk->removed < removed->count ? removed->elements[walk->removed].port : UINT32_MAX;
        unsigned int new_port = walk->added < added->count ? added->elements[walk->added].port : UINT32_MAX;
        unsigned int port = old_port < new_port ? old_port : new_port;

        if (port == UINT32_MAX)
            break;
        walk->removed += old_port == port;
        walk->added += new_port == port;
    }
}

static void change_set(struct nft_batch *batch, const struct counting_set *set, const struct map_difference *difference)
{
    struct walk next = {0};

    while (next.removed < difference->removed.count || next.added < difference->added.count) {
        struct walk from = next;

        walk_on(difference, &next);
        nft_batch_start_group(batch);
        change_elements(batch, set, NFT_MSG_DELSETELEM, &difference->removed, from.removed, next.removed);
        change_elements(batch, set, NFT_MSG_NEWSETELEM, &difference->added, from.added, next.added);
    }
}

void nft_elements_change_map(struct nft_batch *batch, const struct nft_family *family, size_t protocol_index,
                             const struct map_state_difference difference[PORT_COUNTER_MAX_],
                             const struct port_values *carried)
{
    const size_t family_index = family_index_from_family(family->family);

    for (enum port_counter counter = 0; counter < PORT_COUNTER_MAX_; counter++) {
        const struct counting_set set = {family, nft_counting_set(protocol_index, counter), counter,
                                         family_index * PROTOCOL_INDEX_MAX_ + protocol_index, carried};

        change_set(batch, &set, &difference[counter].maps[family_index][protocol_index]);
    }
}

/* add element ip anchord_v4 external { 10.99.0.50 } */
void nft_elements_change_external(struct nft_batch *batch, const struct nft_family *family, uint16_t message_type,
                                  const struct ip_address *addresses, size_t count)
{
    for (size_t first = 0; first < count; first += NFT_ELEMENTS_PER_MESSAGE) {
        struct element_list list = list_begin(batch, family, NFT_SET_EXTERNAL);

        for (size_t i = first; i < count && i < first + NFT_ELEMENTS_PER_MESSAGE; i++)
            (void)list_add(&list, addresses[i].bytes, family->address_length, (struct element_rest){0});
        list_end(&list, family, NFT_SET_EXTERNAL, message_type);
    }
}

/* An interval is where it begins, and where the next address is no part of it; the last one of all has no next. */
static void add_ban(struct element_list *list, const struct nft_family *family, const struct wire_ban *ban)
{
    struct ip_subnet subnet = wire_ban_subnet(ban);
    struct ip_address end = ip_subnet_last(&subnet);
    struct nftnl_set_elem *element = list_add(list, ban->bytes, family->address_length, (struct element_rest){0});
    size_t digit = family->address_length;

    if (wire_ban_is_single(ban) || !element)
        return;
    while (digit > 0 && ++end.bytes[digit - 1] == 0)
        digit--;
    if (digit == 0)
        return;
    element = list_add(list, end.bytes, family->address_length, (struct element_rest){0});
    if (element)
        nftnl_set_elem_set_u32(element, NFTNL_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
}

/* add element ip anchord_v4 banned { 192.0.2.7, … }: those of `list` that are of this set, and removed or not */
static void change_bans(struct nft_batch *batch, const struct nft_family *family, enum nft_set_index set,
                        const struct ban_list *list, bool is_removed)
{
    uint16_t message_type = is_removed ? NFT_MSG_DELSETELEM : NFT_MSG_NEWSETELEM;
    size_t next = 0;

    while (next < list->count) {
        struct element_list elements = {.batch = batch};
        size_t count = 0;

        for (; next < list->count && count < NFT_ELEMENTS_PER_MESSAGE; next++) {
            const struct wire_ban *ban = &list->items[next];

            if (ban->family != family->family || ban->is_removed != is_removed || nft_set_of_ban(ban) != set)
                continue;
            if (count++ == 0)
                elements = list_begin(batch, family, set);
            add_ban(&elements, family, ban);
        }
        if (count > 0 && !(nft_set_shape_of(family, set).flags & NFT_SET_INTERVAL))
            nft_batch_start_group(batch);
        list_end(&elements, family, set, message_type);
    }
}

/* flush set ip anchord_v4 banned: of intervals, which are few, in one transaction with those that come instead */
static void replace_set(struct nft_batch *batch, const struct nft_family *family, enum nft_set_index set,
                        const struct ban_list *list)
{
    struct element_list none;

    nft_batch_start_group(batch);
    none = list_begin(batch, family, set);
    list_end(&none, family, set, NFT_MSG_DELSETELEM);
    change_bans(batch, family, set, list, false);
}

void nft_elements_replace_bans(struct nft_batch *batch, const struct nft_family *family, const struct ban_list *list)
{
    for (size_t set = NFT_SET_BANNED; set <= NFT_SET_BANNED_NEW_PREFIXES; set++)
        replace_set(batch, family, (enum nft_set_index)set, list);
}

void nft_elements_add_bans(struct nft_batch *batch, const struct nft_family *family, const struct ban_list *changes,
                           const struct ban_list *list, bool has_foreign_prefixes)
{
    bool is_changed[NFT_SET_INDEX_MAX_] = {false};

    for (size_t i = 0; i < changes->count; i++)
        is_changed[nft_set_of_ban(&changes->items[i])] |= changes->items[i].family == family->family;
    change_bans(batch, family, NFT_SET_BANNED, changes, false);
    change_bans(batch, family, NFT_SET_BANNED_NEW, changes, false);
    if (is_changed[NFT_SET_BANNED_PREFIXES] || has_foreign_prefixes)
        replace_set(batch, family, NFT_SET_BANNED_PREFIXES, list);
    if (is_changed[NFT_SET_BANNED_NEW_PREFIXES] || has_foreign_prefixes)
        replace_set(batch, family, NFT_SET_BANNED_NEW_PREFIXES, list);
}

void nft_elements_remove_bans(struct nft_batch *batch, const struct nft_family *family, const struct ban_list *changes)
{
    change_bans(batch, family, NFT_SET_BANNED, changes, true);
    change_bans(batch, family, NFT_SET_BANNED_NEW, changes, true);
}

/* --- lists ----------------------------------------------------------------------------------------------- */

/* Of intervals the last key counts as well. Returns the length. */
static uint32_t write_guest_key(const struct wire_guest *guest, bool is_end, uint8_t key[GUEST_KEY_LENGTH_MAX])
{
    const uint16_t port = htons(is_end ? guest->port_last : guest->port_first);
    const struct ip_subnet source = guest_source(guest);
    const struct ip_address address = is_end ? ip_subnet_last(&source) : source.address;
    size_t length = ip_family_length(guest->family);

    memset(key, 0, GUEST_KEY_LENGTH_MAX);
    key[0] = guest->protocol;
    memcpy(key + sizeof(uint32_t), &port, sizeof(port));
    memcpy(key + 2 * sizeof(uint32_t), address.bytes, length);
    return (uint32_t)(2 * sizeof(uint32_t) + length);
}

/*
 * add element ip anchord_v4 listed { tcp . 8000-8010, … }
 * add element ip anchord_v4 allowed { tcp . 8000-8010 . 10.0.0.0/8, … }
 */
static void change_guests(struct nft_batch *batch, const struct nft_family *family, enum guest_kind kind,
                          uint16_t message_type, const struct guest_list *from, const struct guest_list *without)
{
    enum nft_set_index set = kind == GUEST_PORTS ? NFT_SET_LISTED : NFT_SET_ALLOWED;
    struct element_list list = {0};
    size_t count = 0;

    for (size_t i = 0; i < from->count; i++) {
        const struct wire_guest *guest = &from->items[i];
        uint8_t key[GUEST_KEY_LENGTH_MAX], end[GUEST_KEY_LENGTH_MAX];

        if (guest->kind != kind || (kind == GUEST_SOURCE && guest->family != family->family) ||
            guest_list_has(without, guest))
            continue;
        if (count == 0)
            list = list_begin(batch, family, set);
        (void)write_guest_key(guest, true, end);
        (void)list_add(&list, key, write_guest_key(guest, false, key), (struct element_rest){.key_end = end});
        if (++count == NFT_GUESTS_PER_MESSAGE) {
            list_end(&list, family, set, message_type);
            count = 0;
        }
    }
    if (count > 0)
        list_end(&list, family, set, message_type);
}

void nft_elements_change_guests(struct nft_batch *batch, const struct nft_family *family, const struct guest_list *have,
                                const struct guest_list *want)
{
    for (enum guest_kind kind = GUEST_PORTS; kind <= GUEST_SOURCE; kind++) {
        change_guests(batch, family, kind, NFT_MSG_DELSETELEM, have, want);
        change_guests(batch, family, kind, NFT_MSG_NEWSETELEM, want, have);
    }
}
