/* What the kernel holds of our tables; see nft_dump.h. Runs in anchord-netadmin with CAP_NET_ADMIN. */
#include "workers/netadmin/nft/nft_dump.h"

#include "common/array.h"
#include "common/text.h"
#include "protocol/validate_guests.h"
#include "workers/nftables/set_reading.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/expr.h>
#include <libnftnl/set.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

/* A dump that somebody's commit interrupts starts over, at most this often. */
#define ATTEMPTS_MAX 20
#define REQUEST_SIZE 1024

struct dump {
    struct nfnl_socket *socket;
    const struct nft_family *family;
    struct nft_table_content *content;
    enum nft_set_index set; /* whose elements are being read */
};

void nft_table_content_clear(struct nft_table_content *content)
{
    free(content->intruders);
    free(content->external);
    content->intruders = NULL;
    content->external = NULL;
    guest_list_clear(&content->guests);
    port_values_clear(&content->values);
    for (size_t i = 0; i < PROTOCOL_INDEX_MAX_; i++) {
        free(content->maps[i].elements);
        free(content->traffic[i].elements);
    }
    memset(content, 0, sizeof(*content));
}

static int add_intruder(struct dump *dump, enum nft_object_kind kind, const char *name, uint32_t type)
{
    struct nft_table_content *content = dump->content;
    struct nft_intruder *intruder;

    if (!name)
        return -EBADMSG;
    intruder = array_grow(content->intruders, content->intruder_count, &content->intruder_capacity, sizeof(*intruder));
    if (!intruder)
        return -ENOMEM;
    content->intruders = intruder;
    intruder = &content->intruders[content->intruder_count++];
    intruder->kind = kind;
    intruder->type = type;
    return text_copy(intruder->name, sizeof(intruder->name), name);
}

static bool is_ours(const struct dump *dump, const char *table)
{
    return table && strcmp(table, dump->family->table) == 0;
}

/* --- tables, chains, sets, objects --------------------------------------------------------------------- */

static int on_table(const struct nlmsghdr *message, void *userdata)
{
    struct nft_table_content *content = ((struct dump *)userdata)->content;
    const char *name = nfnl_socket_read_text(message, NFTA_TABLE_NAME);

    if (is_ours(userdata, name)) {
        content->exists = true;
        content->flags = nfnl_socket_read_u32(message, NFTA_TABLE_FLAGS);
    }
    if (name && strcmp(name, NFT_TRACE_TABLE) == 0)
        content->has_left_trace = !(nfnl_socket_read_u32(message, NFTA_TABLE_FLAGS) & NFT_TABLE_F_OWNER);
    content->has_skeleton = content->has_skeleton || (name && strcmp(name, NFT_SKELETON_TABLE) == 0);
    return 0;
}

static bool chain_is_wanted(const struct nftnl_chain *chain)
{
    const char *name = nftnl_chain_get_str(chain, NFTNL_CHAIN_NAME);
    const char *type = nftnl_chain_get_str(chain, NFTNL_CHAIN_TYPE);

    for (size_t i = 0; i < NFT_CHAIN_INDEX_MAX_; i++) {
        if (!name || strcmp(nft_chains[i].name, name) != 0)
            continue;
        if (!nft_chains[i].type)
            return !type && !nftnl_chain_is_set(chain, NFTNL_CHAIN_HOOKNUM);
        return type && strcmp(nft_chains[i].type, type) == 0 &&
               nftnl_chain_get_u32(chain, NFTNL_CHAIN_HOOKNUM) == nft_chains[i].hook &&
               nftnl_chain_get_s32(chain, NFTNL_CHAIN_PRIO) == nft_chains[i].priority;
    }
    return false;
}

static int on_chain(const struct nlmsghdr *message, void *userdata)
{
    struct dump *dump = userdata;
    struct nftnl_chain *chain = nftnl_chain_alloc();
    int result = 0;

    if (!chain)
        return -ENOMEM;
    if (nftnl_chain_nlmsg_parse(message, chain) == 0 && is_ours(dump, nftnl_chain_get_str(chain, NFTNL_CHAIN_TABLE)) &&
        !chain_is_wanted(chain))
        result = add_intruder(dump, NFT_OBJECT_CHAIN, nftnl_chain_get_str(chain, NFTNL_CHAIN_NAME), 0);
    nftnl_chain_free(chain);
    return result;
}

static bool set_has_shape(const struct nftnl_set *set, const struct nft_set_shape *shape)
{
    return nftnl_set_get_u32(set, NFTNL_SET_FLAGS) == shape->flags &&
           nftnl_set_get_u32(set, NFTNL_SET_KEY_TYPE) == shape->key_type &&
           nftnl_set_get_u32(set, NFTNL_SET_KEY_LEN) == shape->key_length &&
           nftnl_set_get_u32(set, NFTNL_SET_DATA_TYPE) == shape->data_type &&
           nftnl_set_get_u32(set, NFTNL_SET_DATA_LEN) == shape->data_length;
}

static int note_expression(struct nftnl_expr *expression, void *userdata)
{
    bool *counts = userdata;

    *counts = strcmp(nftnl_expr_get_str(expression, NFTNL_EXPR_NAME), "counter") == 0;
    return *counts ? 0 : -1;
}

/* Whether its elements count, and do nothing else; *ret stays false for those that do nothing. */
static bool counts_or_nothing(const struct nftnl_set *set, bool *ret)
{
    *ret = false;
    return nftnl_set_expr_foreach(set, note_expression, ret) == 0;
}

/* Of TLVs with a byte for the type and one for the length; *ret stays as it is when none of them says it. */
static void read_userdata(const struct nftnl_set *set, uint8_t type, void *ret, size_t length)
{
    uint32_t size = 0;
    const uint8_t *bytes = nftnl_set_get_data(set, NFTNL_SET_USERDATA, &size);

    for (uint32_t at = 0; bytes && at + 2 <= size && at + 2 + bytes[at + 1] <= size; at += 2 + bytes[at + 1]) {
        if (bytes[at] == type && bytes[at + 1] == length)
            memcpy(ret, &bytes[at + 2], length);
    }
}

/* Is it the set of the limit that it says it is of? */
static bool is_of_limit(const struct dump *dump, const struct nftnl_set *set, struct wire_guest *ret)
{
    const struct nft_set_shape shape = {.flags = NFT_LIMIT_SET_FLAGS,
                                        .key_type = dump->family->address_type,
                                        .key_length = dump->family->address_length};
    char name[NFT_LIMIT_NAME_SIZE];

    read_userdata(set, NFT_LIMIT_TYPE, ret, sizeof(*ret));
    return ret->kind == GUEST_LIMIT && !check_guest(ret) && set_has_shape(set, &shape) &&
           strcmp(nft_limit_name(ret, name), nftnl_set_get_str(set, NFTNL_SET_NAME)) == 0;
}

static int note_set(struct dump *dump, const struct nftnl_set *set)
{
    const char *name = nftnl_set_get_str(set, NFTNL_SET_NAME);
    struct wire_guest limit = {0};
    bool counts;

    if (nftnl_set_get_u32(set, NFTNL_SET_FLAGS) & NFT_SET_ANONYMOUS)
        return 0; /* part of somebody's rule; goes with it */
    for (size_t i = 0; i < NFT_SET_INDEX_MAX_; i++) {
        const struct nft_set_shape shape = nft_set_shape_of(dump->family, (enum nft_set_index)i);

        if (!name || strcmp(name, nft_set_names[i]) != 0)
            continue;
        if (i == NFT_SET_EXTERNAL)
            read_userdata(set, NFT_LAYOUT_TYPE, &dump->content->layout, sizeof(dump->content->layout));
        if (!set_has_shape(set, &shape) || !counts_or_nothing(set, &counts) || counts > shape.counts ||
            (!counts && (i == NFT_SET_TRAFFIC_TCP || i == NFT_SET_TRAFFIC_UDP)))
            continue;
        dump->content->counts[i] = counts;
        dump->content->has_set[i] = i != NFT_SET_EXTERNAL || dump->content->layout == NFT_LAYOUT;
        dump->content->has_older_external |= i == NFT_SET_EXTERNAL && dump->content->layout < NFT_LAYOUT;
        if (dump->content->has_set[i])
            return 0;
    }
    return name && is_of_limit(dump, set, &limit) ? guest_list_add(&dump->content->guests, &limit)
                                                  : add_intruder(dump, NFT_OBJECT_SET, name, 0);
}

static int on_set(const struct nlmsghdr *message, void *userdata)
{
    struct dump *dump = userdata;
    struct nftnl_set *set = nftnl_set_alloc();
    int result = 0;

    if (!set)
        return -ENOMEM;
    if (set_reading_names_expressions(message) && nftnl_set_nlmsg_parse(message, set) == 0 &&
        is_ours(dump, nftnl_set_get_str(set, NFTNL_SET_TABLE)))
        result = note_set(dump, set);
    nftnl_set_free(set);
    return result;
}

static int on_object(const struct nlmsghdr *message, void *userdata)
{
    struct dump *dump = userdata;
    const char *name = nfnl_socket_read_text(message, NFTA_OBJ_NAME);
    uint32_t type = nfnl_socket_read_u32(message, NFTA_OBJ_TYPE);
    struct set_counter counter;

    if (!is_ours(userdata, nfnl_socket_read_text(message, NFTA_OBJ_TABLE)))
        return 0;
    for (size_t i = 0; i < REFUSAL_MAX_; i++) {
        if (!name || type != NFT_OBJECT_COUNTER || strcmp(name, nft_counter_names[i]) != 0)
            continue;
        if (set_reading_named_counter(message, &counter) < 0)
            return -EBADMSG;
        dump->content->refused[i] = (struct packet_count){counter.packets, counter.bytes};
        return 0;
    }
    return add_intruder(userdata, NFT_OBJECT_STATEFUL, name, type);
}

static int on_flowtable(const struct nlmsghdr *message, void *userdata)
{
    if (!is_ours(userdata, nfnl_socket_read_text(message, NFTA_FLOWTABLE_TABLE)))
        return 0;
    return add_intruder(userdata, NFT_OBJECT_FLOWTABLE, nfnl_socket_read_text(message, NFTA_FLOWTABLE_NAME), 0);
}

/* --- elements ------------------------------------------------------------------------------------------ */

/* What nobody of us can have put there makes the whole set a foreign one, to be made anew. */
static int disown_set(struct dump *dump)
{
    dump->content->has_set[dump->set] = false;
    return add_intruder(dump, NFT_OBJECT_SET, nft_set_names[dump->set], 0);
}

/* Of an element that stands for every key nobody tells a key. */
static int note_external(struct dump *dump, const struct set_element *element)
{
    struct nft_table_content *content = dump->content;
    struct ip_address *external;

    if (!element->key.bytes || element->key.length != dump->family->address_length)
        return content->has_set[dump->set] ? disown_set(dump) : 0; /* an older one is made anew anyway */
    external = array_grow(content->external, content->external_count, &content->external_capacity, sizeof(*external));
    if (!external)
        return -ENOMEM;
    content->external = external;
    content->external[content->external_count++] = ip_address_from_bytes(dump->family->family, element->key.bytes);
    return 0;
}

/* Where a map or set of this protocol and family stands in map_state.all. */
static uint8_t place_of(const struct nft_family *family, size_t protocol)
{
    return (uint8_t)(family_index_from_family(family->family) * PROTOCOL_INDEX_MAX_ + protocol);
}

static int note_counted(struct dump *dump, uint16_t port, size_t protocol, enum port_counter counter,
                        const struct set_element *element)
{
    const struct port_value value = {
        {element->counter.packets, element->counter.bytes}, port, place_of(dump->family, protocol), (uint8_t)counter};

    return port_values_add(&dump->content->values, &value);
}

static int note_traffic(struct dump *dump, const struct set_element *element)
{
    size_t protocol = dump->set == NFT_SET_TRAFFIC_TCP ? PROTOCOL_INDEX_TCP : PROTOCOL_INDEX_UDP;
    struct map_element noted = {0};
    uint16_t port;
    int result;

    if (!dump->content->has_set[dump->set])
        return 0;
    if (!element->key.bytes || element->key.length < sizeof(port)) {
        dump->content->traffic[protocol].count = 0;
        return disown_set(dump);
    }
    memcpy(&port, element->key.bytes, sizeof(port));
    noted.port = ntohs(port);
    result = map_add(&dump->content->traffic[protocol], &noted);
    return result < 0 ? result : note_counted(dump, noted.port, protocol, PORT_TRAFFIC, element);
}

static int note_map_element(struct dump *dump, const struct set_element *element)
{
    size_t protocol = dump->set == NFT_SET_DNAT_TCP ? PROTOCOL_INDEX_TCP : PROTOCOL_INDEX_UDP;
    const uint8_t *data = element->data.bytes;
    struct map_element noted = {0};
    uint16_t port;
    int result;

    if (!dump->content->has_set[dump->set])
        return 0;
    if (!element->key.bytes || !data || element->key.length < sizeof(port) ||
        element->data.length < dump->family->address_length + sizeof(noted.backend_port)) {
        dump->content->maps[protocol].count = 0;
        return disown_set(dump);
    }
    memcpy(&port, element->key.bytes, sizeof(port));
    noted.port = ntohs(port);
    memcpy(noted.backend, data, dump->family->address_length);
    memcpy(&port, data + dump->family->address_length, sizeof(port));
    noted.backend_port = ntohs(port);
    result = map_add(&dump->content->maps[protocol], &noted);
    return result < 0 ? result : note_counted(dump, noted.port, protocol, PORT_FLOWS, element);
}

static int note_guest(struct dump *dump, const struct set_element *element)
{
    bool has_source = dump->set == NFT_SET_ALLOWED;
    size_t source_at = 2 * sizeof(uint32_t), length = source_at + (has_source ? dump->family->address_length : 0);
    const uint8_t *key = element->key.bytes, *end = element->key_end.bytes;
    struct wire_guest guest = {.kind = has_source ? GUEST_SOURCE : GUEST_PORTS};
    struct ip_subnet source = {0};
    bool is_subnet = true;
    uint16_t port;

    if (!dump->content->has_set[dump->set])
        return 0;
    if (!key || !end || element->key.length < length || element->key_end.length < length)
        return disown_set(dump);
    guest.protocol = key[0];
    memcpy(&port, key + sizeof(uint32_t), sizeof(port));
    guest.port_first = ntohs(port);
    memcpy(&port, end + sizeof(uint32_t), sizeof(port));
    guest.port_last = ntohs(port);
    if (has_source) {
        const struct ip_address first = ip_address_from_bytes(dump->family->family, key + source_at);
        const struct ip_address last = ip_address_from_bytes(dump->family->family, end + source_at);

        is_subnet = ip_subnet_from_range(&first, &last, &source);
        guest.family = dump->family->family;
        guest.prefix_length = source.prefix_length;
        memcpy(guest.source, source.address.bytes, sizeof(guest.source));
    }
    if (key[0] != end[0] || !is_subnet)
        return disown_set(dump);
    return guest_list_add(&dump->content->guests, &guest);
}

static int on_element(const struct set_element *element, void *userdata)
{
    struct dump *dump = userdata;

    if (dump->set == NFT_SET_LISTED || dump->set == NFT_SET_ALLOWED)
        return note_guest(dump, element);
    if (dump->set == NFT_SET_TRAFFIC_TCP || dump->set == NFT_SET_TRAFFIC_UDP)
        return note_traffic(dump, element);
    return dump->set == NFT_SET_EXTERNAL ? note_external(dump, element) : note_map_element(dump, element);
}

static int on_elements(const struct nlmsghdr *message, void *userdata)
{
    return set_reading_elements(message, on_element, userdata);
}

int nft_dump_elements(struct nfnl_socket *socket, const struct nft_family *family, enum nft_set_index index,
                      nfnl_message_handler on_message, void *userdata)
{
    _Alignas(8) char buffer[REQUEST_SIZE];
    struct nlmsghdr *request = nftnl_nlmsg_build_hdr(buffer, NFT_MSG_GETSETELEM, family->nfproto, NLM_F_DUMP, 0);
    struct nftnl_set *set = nftnl_set_alloc();

    if (!set)
        return -ENOMEM;
    (void)nftnl_set_set_str(set, NFTNL_SET_TABLE, family->table);
    (void)nftnl_set_set_str(set, NFTNL_SET_NAME, nft_set_names[index]);
    nftnl_set_elems_nlmsg_build_payload(request, set);
    nftnl_set_free(set);
    return nfnl_socket_request(socket, request, on_message, userdata);
}

static int dump_objects(struct dump *dump, uint16_t message_type, nfnl_message_handler on_message)
{
    _Alignas(8) char buffer[REQUEST_SIZE];
    struct nlmsghdr *request = nftnl_nlmsg_build_hdr(buffer, message_type, dump->family->nfproto, NLM_F_DUMP, 0);

    return nfnl_socket_request(dump->socket, request, on_message, dump);
}

/* --- what was counted ------------------------------------------------------------------------------------ */

/* So many keys are asked for one by one, each with an answer of its own; more cost less by reading everything. */
#define ASKED_KEYS_MAX 32

struct counted_dump {
    struct port_value sample;
    int (*on_value)(const struct port_value *value, void *userdata);
    void *userdata;
};

static int on_counted(const struct set_element *element, void *userdata)
{
    const struct counted_dump *dump = userdata;
    struct port_value value = dump->sample;
    uint16_t port;

    if (!element->key.bytes || element->key.length < sizeof(port))
        return 0; /* nobody of us put it there */
    memcpy(&port, element->key.bytes, sizeof(port));
    value.port = ntohs(port);
    value.count = (struct packet_count){element->counter.packets, element->counter.bytes};
    return dump->on_value(&value, dump->userdata);
}

static int on_counted_elements(const struct nlmsghdr *message, void *userdata)
{
    return set_reading_elements(message, on_counted, userdata);
}

/* get element ip anchord_v4 dnat_tcp { 25 } */
static int ask_for_port(struct nfnl_socket *socket, const struct nft_family *family, enum nft_set_index index,
                        uint16_t port, struct counted_dump *dump)
{
    _Alignas(8) char buffer[REQUEST_SIZE];
    struct nlmsghdr *request = nftnl_nlmsg_build_hdr(buffer, NFT_MSG_GETSETELEM, family->nfproto, 0, 0);
    const uint16_t key = htons(port);
    struct nlattr *list, *element, *data;

    mnl_attr_put_strz(request, NFTA_SET_ELEM_LIST_TABLE, family->table);
    mnl_attr_put_strz(request, NFTA_SET_ELEM_LIST_SET, nft_set_names[index]);
    list = mnl_attr_nest_start(request, NFTA_SET_ELEM_LIST_ELEMENTS);
    element = mnl_attr_nest_start(request, NFTA_LIST_ELEM);
    data = mnl_attr_nest_start(request, NFTA_SET_ELEM_KEY);
    mnl_attr_put(request, NFTA_DATA_VALUE, sizeof(key), &key);
    mnl_attr_nest_end(request, data);
    mnl_attr_nest_end(request, element);
    mnl_attr_nest_end(request, list);
    return nfnl_socket_request(socket, request, on_counted_elements, dump);
}

int nft_dump_counted(struct nfnl_socket *socket, const struct nft_family *family, size_t protocol_index,
                     enum port_counter counter, const struct map *ports,
                     int (*on_value)(const struct port_value *value, void *userdata), void *userdata)
{
    enum nft_set_index index = nft_counting_set(protocol_index, counter);
    struct counted_dump dump = {
        .sample = {.map = place_of(family, protocol_index), .counter = (uint8_t)counter},
        .on_value = on_value,
        .userdata = userdata,
    };
    int result = 0;

    if (!ports || ports->count > ASKED_KEYS_MAX)
        return nft_dump_elements(socket, family, index, on_counted_elements, &dump);
    for (size_t i = 0; i < ports->count && result == 0; i++) {
        result = ask_for_port(socket, family, index, ports->elements[i].port, &dump);
        if (result == -ENOENT)
            result = 0;
    }
    return result;
}

static int on_refused(const struct nlmsghdr *message, void *userdata)
{
    struct dump *dump = userdata;
    size_t before = dump->content->intruder_count;
    int result = on_object(message, dump);

    dump->content->intruder_count = before;
    return result;
}

int nft_dump_refused(struct nfnl_socket *socket, const struct nft_family *family, struct packet_count ret[REFUSAL_MAX_])
{
    CLEANUP(nft_table_content_clear) struct nft_table_content content = {0};
    struct dump dump = {.socket = socket, .family = family, .content = &content};
    int result = dump_objects(&dump, NFT_MSG_GETOBJ, on_refused);

    memcpy(ret, content.refused, sizeof(content.refused));
    return result;
}

/* --- the whole ------------------------------------------------------------------------------------------ */

static int dump_tables(struct dump *dump)
{
    return dump_objects(dump, NFT_MSG_GETTABLE, on_table);
}

static int dump_once(struct dump *dump)
{
    static const struct {
        nfnl_message_handler on_message;
        uint16_t message_type;
        bool may_be_unknown; /* flowtables are an option of the kernel's build */
    } kinds[] = {
        {on_chain, NFT_MSG_GETCHAIN, false},
        {on_set, NFT_MSG_GETSET, false},
        {on_object, NFT_MSG_GETOBJ, false},
        {on_flowtable, NFT_MSG_GETFLOWTABLE, true},
    };
    int result = dump_tables(dump);

    if (result < 0 || !dump->content->exists)
        return result;
    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
        result = dump_objects(dump, kinds[i].message_type, kinds[i].on_message);
        if (result < 0 && !(kinds[i].may_be_unknown && (result == -EOPNOTSUPP || result == -EINVAL)))
            return result;
    }
    for (size_t i = 0; i < NFT_SET_BANNED; i++) { /* what is banned: nft_bans.c */
        bool is_readable = dump->content->has_set[i] || (i == NFT_SET_EXTERNAL && dump->content->has_older_external);

        dump->set = (enum nft_set_index)i;
        result = is_readable ? nft_dump_elements(dump->socket, dump->family, dump->set, on_elements, dump) : 0;
        if (result < 0)
            return result;
    }
    for (size_t i = 0; i < PROTOCOL_INDEX_MAX_; i++) {
        map_sort(&dump->content->maps[i]);
        map_sort(&dump->content->traffic[i]);
    }
    port_values_sort(&dump->content->values);
    guest_list_sort(&dump->content->guests);
    return 0;
}

/* Reads by `read_once`, again when somebody's commit came between. */
static int dump(struct nfnl_socket *socket, const struct nft_family *family, int (*read_once)(struct dump *dump),
                struct nft_table_content *ret)
{
    struct dump dump = {.socket = socket, .family = family, .content = ret};
    int result = 0;

    for (int attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
        result = read_once(&dump);
        if (result == 0)
            return 0;
        nft_table_content_clear(ret);
        /* -ENOENT: the table or a set went while we read */
        if (result != -EINTR && result != -ENOENT)
            break;
    }
    return result;
}

int nft_dump_table(struct nfnl_socket *socket, const struct nft_family *family, struct nft_table_content *ret)
{
    return dump(socket, family, dump_once, ret);
}

int nft_dump_presence(struct nfnl_socket *socket, const struct nft_family *family, struct nft_table_content *ret)
{
    return dump(socket, family, dump_tables, ret);
}
