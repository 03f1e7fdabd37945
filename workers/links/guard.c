/* The guard; see guard.h. Runs in anchord-links with CAP_NET_ADMIN. */
#include "workers/links/guard.h"

#include "common/log.h"

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
    char bridge[INTERFACE_NAME_SIZE];
    uint8_t address[sizeof(struct in6_addr)];
};

struct keys {
    const char *set;
    size_t size, count;
    struct key items[GUARDED_MAX];
};

static_assert(BRIDGES_MAX <= 64 && BRIDGES_MAX <= GUARDED_MAX, "a bit and a key for each");

/* In the place of the digits of GUARD_TABLE, wherever it stands. */
static void name_table(unsigned char *bytes, size_t size, uint32_t tag)
{
    char name[sizeof(GUARD_TABLE)];

    (void)snprintf(name, sizeof(name), "anchord_host_%08" PRIx32, tag);
    for (void *at = memmem(bytes, size, GUARD_TABLE, sizeof(name)); at;
         at = memmem(bytes, size, GUARD_TABLE, sizeof(name)))
        memcpy(at, name, sizeof(name));
}

static void add_key(struct keys *keys, const char *bridge, const struct wire_address *address)
{
    struct key *key = &keys->items[keys->count++];

    (void)snprintf(key->bridge, sizeof(key->bridge), "%s", bridge);
    if (address)
        memcpy(key->address, address->bytes, sizeof(key->address));
}

/* Returns how many bytes of elements it has put there. */
static size_t put_elements(unsigned char *at, const struct keys *keys)
{
    struct nlmsghdr *message = mnl_nlmsg_put_header(at);
    struct nfgenmsg *header;
    struct nlattr *list;

    if (keys->count == 0)
        return 0;
    message->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSETELEM;
    message->nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE;
    header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
    header->nfgen_family = NFPROTO_INET;
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

static size_t build(const struct guard *guard, uint32_t tag, const struct message_bridges *bridges, uint64_t allowed,
                    unsigned char *batch)
{
    struct keys all = {.set = "bridges", .size = INTERFACE_NAME_SIZE};
    struct keys owned = {.set = "owned", .size = INTERFACE_NAME_SIZE};
    struct keys guarded4 = {.set = "guarded4", .size = INTERFACE_NAME_SIZE + sizeof(struct in_addr)};
    struct keys guarded6 = {.set = "guarded6", .size = INTERFACE_NAME_SIZE + sizeof(struct in6_addr)};
    const struct keys *const sets[] = {&all, &owned, &guarded4, &guarded6};
    bool is_told = guard->guarded.header.generation == bridges->header.generation;
    size_t size = GUARD_BATCH_RULES;

    for (uint32_t i = 0; i < bridges->count; i++) {
        if (!(allowed >> i & 1))
            continue;
        add_key(&all, bridges->items[i].bridge, NULL);
        if (bridges->items[i].is_owned)
            add_key(&owned, bridges->items[i].bridge, NULL);
    }
    for (uint32_t i = 0; is_told && i < guard->guarded.count; i++) {
        const struct wire_guarded *item = &guard->guarded.items[i];

        if (item->bridge < bridges->count && allowed >> item->bridge & 1)
            add_key(item->address.family == IP_FAMILY_4 ? &guarded4 : &guarded6, bridges->items[item->bridge].bridge,
                    &item->address);
    }
    memcpy(batch, guard_batch, GUARD_BATCH_RULES);
    for (size_t i = 0; i < ARRAY_LENGTH(sets); i++)
        size += put_elements(batch + size, sets[i]);
    memcpy(batch + size, guard_batch + GUARD_BATCH_RULES, GUARD_BATCH_SIZE - GUARD_BATCH_RULES);
    size += GUARD_BATCH_SIZE - GUARD_BATCH_RULES;
    name_table(batch, size, tag);
    return size;
}

/* Others may have flushed it. */
static bool is_there(const struct guard *guard, uint32_t tag)
{
    struct nfgenmsg *header = rtnetlink_begin(guard->netfilter, "look for guard",
                                              NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE, 0, sizeof(*header));

    header->nfgen_family = NFPROTO_INET;
    mnl_attr_put_strz(rtnetlink_message(guard->netfilter), NFTA_TABLE_NAME, GUARD_TABLE);
    name_table((unsigned char *)rtnetlink_message(guard->netfilter), RTNETLINK_REQUEST_SIZE, tag);
    return rtnetlink_execute(guard->netfilter) != -ENOENT;
}

static void say(struct guard *guard, const char *operation, uint32_t tag, int result)
{
    char name[sizeof(GUARD_TABLE)] = GUARD_TABLE;

    name_table((unsigned char *)name, sizeof(name), tag);
    if (result < 0 && result != guard->said)
        log_error("the kernel refused a change of the guard: containers may leave with the host's address",
                  LOG_TEXT("operation", operation), LOG_TEXT("table", name), LOG_ERROR(result));
    guard->said = result;
}

int guard_open(struct guard *guard)
{
    struct mnl_socket *socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);

    return socket ? rtnetlink_adopt(socket, &guard->netfilter) : -errno;
}

void guard_apply(struct guard *guard, uint32_t tag, const struct message_bridges *bridges, uint64_t allowed)
{
    _Alignas(8) unsigned char batch[GUARD_SENT_MAX];
    size_t size = build(guard, tag, bridges, allowed, batch);
    int result;

    if (size == guard->sent_size && memcmp(batch, guard->sent, size) == 0 && is_there(guard, tag))
        return;
    memcpy(guard->sent, batch, size);
    result = rtnetlink_ask_all(guard->netfilter, batch, size);
    guard->sent_size = result < 0 ? 0 : size;
    say(guard, "replace", tag, result);
}

int guard_remove(struct guard *guard, uint32_t tag)
{
    _Alignas(8) unsigned char batch[GUARD_BATCH_ADDITION + GUARD_BATCH_EDGE_SIZE];
    int result;

    memcpy(batch, guard_batch, GUARD_BATCH_ADDITION);
    memcpy(batch + GUARD_BATCH_ADDITION, guard_batch + GUARD_BATCH_SIZE - GUARD_BATCH_EDGE_SIZE, GUARD_BATCH_EDGE_SIZE);
    name_table(batch, sizeof(batch), tag);
    ((struct nlmsghdr *)(batch + GUARD_BATCH_REMOVAL))->nlmsg_flags |= NLM_F_ACK;
    result = rtnetlink_ask_all(guard->netfilter, batch, sizeof(batch));
    say(guard, "remove", tag, result);
    return result;
}
