/* The guard; see guard.h. Runs in anchord-links with CAP_NET_ADMIN. */
#include "workers/links/guard.h"

#include "common/log.h"
#include "protocol/problems.h"

#include <netinet/in.h> /* before linux/netfilter.h, which then leaves its types alone */

#include <inttypes.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* What an element looks like to the kernel: the second part is cut to the set's. */
struct key {
    char name[INTERFACE_NAME_SIZE];
    uint8_t address[sizeof(struct in6_addr)];
};

struct keys {
    const char *set;
    size_t size, count;
    struct key items[GUARDED_MAX];
};

static_assert(BRIDGES_MAX <= 64 && BRIDGES_MAX <= GUARDED_MAX, "a bit and a key for each");

/* What the two tables differ in. */
static const struct guard_shape {
    uint8_t family;
    bool has_bridges; /* the set of all of them, and that of the parent */
    size_t rules, size;
    const unsigned char *batch;
    const char *risk;
} shapes[GUARD_TABLE_MAX_] = {
    [GUARD_BRIDGES] = {NFPROTO_INET, true, GUARD_BATCH_RULES, GUARD_BATCH_SIZE, guard_batch,
                       "containers may leave with the host's address, and others come with it"},
    [GUARD_PORTS] = {NFPROTO_BRIDGE, false, GUARD_PORT_RULES, GUARD_PORT_BATCH_SIZE, guard_port_batch,
                     "who shares a network with the project may leave with its address"},
};

/* The project's tag, wherever digits are to stand. */
static void name_table(unsigned char *bytes, size_t size, uint32_t tag)
{
    char digits[sizeof(GUARD_DIGITS)];

    (void)snprintf(digits, sizeof(digits), "%08" PRIx32, tag);
    for (void *at = memmem(bytes, size, GUARD_DIGITS, strlen(digits)); at;
         at = memmem(bytes, size, GUARD_DIGITS, strlen(digits)))
        memcpy(at, digits, strlen(digits));
}

static void add_key(struct keys *keys, const char *name, const struct wire_address *address)
{
    struct key *key = &keys->items[keys->count++];

    (void)snprintf(key->name, sizeof(key->name), "%s", name);
    if (address)
        memcpy(key->address, address->bytes, sizeof(key->address));
}

/* Returns how many bytes of elements it has put there. */
static size_t put_elements(unsigned char *at, uint8_t family, const struct keys *keys)
{
    struct nlmsghdr *message = mnl_nlmsg_put_header(at);
    struct nfgenmsg *header;
    struct nlattr *list;

    if (keys->count == 0)
        return 0;
    message->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSETELEM;
    message->nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE;
    header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
    header->nfgen_family = family;
    mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_TABLE, GUARD_TABLE);
    mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_SET, keys->set);
    list = mnl_attr_nest_start(message, NFTA_SET_ELEM_LIST_ELEMENTS);
    for (size_t i = 0; i < keys->count; i++) {
        struct nlattr *element = mnl_attr_nest_start(message, NFTA_LIST_ELEM);
        struct nlattr *key = mnl_attr_nest_start(message, NFTA_SET_ELEM_KEY);

        mnl_attr_put(message, NFTA_DATA_VALUE, keys->size, &keys->items[i]);
        mnl_attr_nest_end(message, key);
        mnl_attr_nest_end(message, element);
    }
    mnl_attr_nest_end(message, list);
    return message->nlmsg_len;
}

static size_t build(const struct guard *guard, const struct guard_shape *shape, const struct message_bridges *bridges,
                    const struct guard_names *names, unsigned char *batch)
{
    struct keys parent = {.set = "parent", .size = INTERFACE_NAME_SIZE};
    struct keys all = {.set = "bridges", .size = INTERFACE_NAME_SIZE};
    struct keys owned = {.set = "owned", .size = INTERFACE_NAME_SIZE};
    struct keys guarded4 = {.set = "guarded4", .size = INTERFACE_NAME_SIZE + sizeof(struct in_addr)};
    struct keys guarded6 = {.set = "guarded6", .size = INTERFACE_NAME_SIZE + sizeof(struct in6_addr)};
    const struct keys *const sets[] = {&parent, &all, &owned, &guarded4, &guarded6};
    bool is_told = guard->guarded.header.generation == bridges->header.generation;
    size_t size = shape->rules;

    if (shape->has_bridges)
        add_key(&parent, guard->parent, NULL);
    for (uint32_t i = 0; i < bridges->count; i++) {
        if (names->names[i] && shape->has_bridges)
            add_key(&all, names->names[i], NULL);
        if (names->names[i] && bridges->items[i].is_owned)
            add_key(&owned, names->names[i], NULL);
    }
    for (uint32_t i = 0; is_told && i < guard->guarded.count; i++) {
        const struct wire_guarded *item = &guard->guarded.items[i];

        if (item->bridge < bridges->count && names->names[item->bridge])
            add_key(item->address.family == IP_FAMILY_4 ? &guarded4 : &guarded6, names->names[item->bridge],
                    &item->address);
    }
    memcpy(batch, shape->batch, shape->rules);
    for (size_t i = 0; i < ARRAY_LENGTH(sets); i++)
        size += put_elements(batch + size, shape->family, sets[i]);
    memcpy(batch + size, shape->batch + shape->rules, shape->size - shape->rules);
    size += shape->size - shape->rules;
    name_table(batch, size, guard->tag);
    return size;
}

static void say(struct guard *guard, enum guard_table which, const char *operation, int result)
{
    char name[sizeof(GUARD_TABLE)] = GUARD_TABLE;

    name_table((unsigned char *)name, sizeof(name), guard->tag);
    if (result < 0 && result != guard->sent[which].said)
        log_error("the kernel refused a change of the guard", LOG_TEXT("operation", operation), LOG_TEXT("table", name),
                  LOG_TEXT("risk", shapes[which].risk), LOG_ERROR(result));
    guard->sent[which].said = result;
}

int guard_open(struct guard *guard)
{
    struct mnl_socket *socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
    int result = socket ? rtnetlink_adopt(socket, &guard->netfilter) : -errno;

    return result < 0 ? result : rtnetlink_filter_monitor_open(&guard->monitor);
}

void guard_close(struct guard *guard)
{
    guard->netfilter = rtnetlink_free(guard->netfilter);
    rtnetlink_socket_closep(&guard->monitor);
}

/* Attribute 1 names the table in all messages of nftables. */
static void on_notification(const struct nlmsghdr *message, void *userdata)
{
    struct guard *guard = userdata;
    char name[sizeof(GUARD_TABLE)] = GUARD_TABLE;
    const struct nlattr *attributes[NFTA_TABLE_NAME + 1];

    if (message->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES ||
        mnl_nlmsg_get_payload_len(message) < sizeof(struct nfgenmsg) ||
        message->nlmsg_pid == mnl_socket_get_portid(rtnetlink_socket(guard->netfilter)))
        return;
    name_table((unsigned char *)name, sizeof(name), guard->tag);
    rtnetlink_attributes(message, sizeof(struct nfgenmsg), attributes, NFTA_TABLE_NAME);
    if (!attributes[NFTA_TABLE_NAME] || mnl_attr_get_payload_len(attributes[NFTA_TABLE_NAME]) != sizeof(name) ||
        memcmp(mnl_attr_get_payload(attributes[NFTA_TABLE_NAME]), name, sizeof(name)) != 0)
        return;
    for (size_t i = 0; i < GUARD_TABLE_MAX_; i++)
        guard->sent[i].size = 0;
}

bool guard_hear(struct guard *guard)
{
    bool was_sent = guard->sent[GUARD_BRIDGES].size > 0 || guard->sent[GUARD_PORTS].size > 0;

    if (rtnetlink_monitor_drain(guard->monitor, on_notification, guard) < 0) {
        for (size_t i = 0; i < GUARD_TABLE_MAX_; i++)
            guard->sent[i].size = 0; /* nobody knows what was lost */
    }
    if (!was_sent || guard->sent[GUARD_BRIDGES].size > 0 || guard->sent[GUARD_PORTS].size > 0)
        return false;
    log_warn("the guard was changed by somebody else, putting it back", LOG_PROBLEM(PROBLEM_RULES_CHANGED));
    return true;
}

void guard_apply(struct guard *guard, enum guard_table which, const struct message_bridges *bridges,
                 const struct guard_names *names)
{
    struct guard_sent *sent = &guard->sent[which];
    _Alignas(8) unsigned char batch[GUARD_SENT_MAX];
    size_t size = build(guard, &shapes[which], bridges, names, batch);
    int result;

    if (size == sent->size && memcmp(batch, sent->bytes, size) == 0)
        return;
    memcpy(sent->bytes, batch, size);
    result = rtnetlink_ask_all(guard->netfilter, batch, size);
    sent->size = result < 0 ? 0 : size;
    say(guard, which, "replace", result);
}

int guard_remove(struct guard *guard, enum guard_table which)
{
    _Alignas(8) unsigned char batch[GUARD_BATCH_ADDITION + GUARD_BATCH_EDGE_SIZE];
    const struct guard_shape *shape = &shapes[which];
    int result;

    memcpy(batch, shape->batch, GUARD_BATCH_ADDITION);
    memcpy(batch + GUARD_BATCH_ADDITION, shape->batch + shape->size - GUARD_BATCH_EDGE_SIZE, GUARD_BATCH_EDGE_SIZE);
    name_table(batch, sizeof(batch), guard->tag);
    ((struct nlmsghdr *)(batch + GUARD_BATCH_REMOVAL))->nlmsg_flags |= NLM_F_ACK;
    result = rtnetlink_ask_all(guard->netfilter, batch, sizeof(batch));
    guard->sent[which].size = 0;
    say(guard, which, "remove", result);
    return result;
}

bool guard_stands(struct guard *guard, enum guard_table which)
{
    _Alignas(8) unsigned char request[128];
    char name[sizeof(GUARD_TABLE)] = GUARD_TABLE;
    struct nlmsghdr *message = mnl_nlmsg_put_header(request);
    struct nfgenmsg *header;

    name_table((unsigned char *)name, sizeof(name), guard->tag);
    message->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE;
    message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
    header->nfgen_family = shapes[which].family;
    mnl_attr_put_strz(message, NFTA_TABLE_NAME, name);
    return rtnetlink_ask(guard->netfilter, message, NULL, NULL) == 0;
}
