/* One of our tables as the kernel holds it; see table.h. Runs in anchord-ruleset with CAP_NET_ADMIN. */
#include "workers/commands/ruleset/table.h"

#include "workers/netlink/netlink_message.h"
#include "workers/nftables/set_reading.h"

#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/table.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

#define REQUEST_SIZE 1024
/* A dump's datagram is at most 32 KiB (net/netlink/af_netlink.c); libmnl's own size is a page's. */
#define ANSWER_SIZE (32 * 1024)

void table_clear(struct table *table)
{
    if (table->sets)
        nftnl_set_list_free(table->sets);
    if (table->chains)
        nftnl_chain_list_free(table->chains);
    if (table->rules)
        nftnl_rule_list_free(table->rules);
    if (table->counters)
        nftnl_obj_list_free(table->counters);
    *table = (struct table){.nfproto = table->nfproto, .family = table->family, .name = table->name};
}

/* Whether mnl_cb_run() may go through it. */
static bool is_readable(const void *answer, int rest)
{
    const struct nlmsghdr *message = answer;

    while (netlink_message_is_whole(message, rest))
        message = mnl_nlmsg_next(message, &rest);
    return !mnl_nlmsg_ok(message, rest);
}

/* Sends a request and hands each answer to `on_message`, which returns MNL_CB_OK or MNL_CB_ERROR with errno. */
static int request(struct mnl_socket *socket, struct nlmsghdr *message, mnl_cb_t on_message, void *userdata)
{
    static _Alignas(8) char answer[ANSWER_SIZE]; /* one thread, never re-entered */
    static uint32_t sequence;
    int result = MNL_CB_OK;

    message->nlmsg_seq = ++sequence;
    if (mnl_socket_sendto(socket, message, message->nlmsg_len) < 0)
        return -errno;
    while (result > MNL_CB_STOP) {
        ssize_t length = mnl_socket_recvfrom(socket, answer, sizeof(answer));

        if (length < 0)
            return -errno;
        if (!is_readable(answer, (int)length))
            return -EBADMSG;
        result = mnl_cb_run(answer, (size_t)length, sequence, mnl_socket_get_portid(socket), on_message, userdata);
    }
    /* libmnl takes over whatever number an answer has for its error. */
    return result == MNL_CB_ERROR ? (errno > 0 ? -errno : -EBADMSG) : 0;
}

int table_dump(struct mnl_socket *socket, uint8_t nfproto, uint16_t type, mnl_cb_t on_message, void *userdata)
{
    _Alignas(8) char buffer[REQUEST_SIZE];

    return request(socket, nftnl_nlmsg_build_hdr(buffer, type, nfproto, NLM_F_DUMP, 0), on_message, userdata);
}

static int dump(struct mnl_socket *socket, struct table *table, uint16_t type, mnl_cb_t on_message)
{
    return table_dump(socket, table->nfproto, type, on_message, table);
}

static bool is_wanted(const struct table *table, const char *name)
{
    return name && strcmp(name, table->name) == 0;
}

/* Whether it is of our table and has its own name, which libnftnl's lists want to hash, and our text to compare. */
static bool is_wanted_part(const struct table *table, const char *of_table, const char *name)
{
    return is_wanted(table, of_table) && name;
}

static int out_of_memory(void)
{
    errno = ENOMEM;
    return MNL_CB_ERROR;
}

static int on_table(const struct nlmsghdr *message, void *userdata)
{
    struct table *table = userdata;
    struct nftnl_table *found = nftnl_table_alloc();

    if (!found)
        return out_of_memory();
    if (nftnl_table_nlmsg_parse(message, found) == 0 &&
        is_wanted(table, nftnl_table_get_str(found, NFTNL_TABLE_NAME))) {
        table->exists = true;
        table->flags = nftnl_table_get_u32(found, NFTNL_TABLE_FLAGS);
    }
    nftnl_table_free(found);
    return MNL_CB_OK;
}

static int on_set(const struct nlmsghdr *message, void *userdata)
{
    struct table *table = userdata;
    struct nftnl_set *set = nftnl_set_alloc();

    if (!set)
        return out_of_memory();
    if (set_reading_names_expressions(message) && nftnl_set_nlmsg_parse(message, set) == 0 &&
        is_wanted_part(table, nftnl_set_get_str(set, NFTNL_SET_TABLE), nftnl_set_get_str(set, NFTNL_SET_NAME)))
        nftnl_set_list_add_tail(set, table->sets);
    else
        nftnl_set_free(set);
    return MNL_CB_OK;
}

static int on_chain(const struct nlmsghdr *message, void *userdata)
{
    struct table *table = userdata;
    struct nftnl_chain *chain = nftnl_chain_alloc();

    if (!chain)
        return out_of_memory();
    if (nftnl_chain_nlmsg_parse(message, chain) == 0 &&
        is_wanted_part(table, nftnl_chain_get_str(chain, NFTNL_CHAIN_TABLE),
                       nftnl_chain_get_str(chain, NFTNL_CHAIN_NAME)))
        nftnl_chain_list_add_tail(chain, table->chains);
    else
        nftnl_chain_free(chain);
    return MNL_CB_OK;
}

static int on_rule(const struct nlmsghdr *message, void *userdata)
{
    struct table *table = userdata;
    struct nftnl_rule *rule = nftnl_rule_alloc();

    if (!rule)
        return out_of_memory();
    if (set_reading_names_rule_expressions(message) && nftnl_rule_nlmsg_parse(message, rule) == 0 &&
        is_wanted_part(table, nftnl_rule_get_str(rule, NFTNL_RULE_TABLE), nftnl_rule_get_str(rule, NFTNL_RULE_CHAIN)))
        nftnl_rule_list_add_tail(rule, table->rules);
    else
        nftnl_rule_free(rule);
    return MNL_CB_OK;
}

static int on_object(const struct nlmsghdr *message, void *userdata)
{
    struct table *table = userdata;
    struct nftnl_obj *object = nftnl_obj_alloc();

    if (!object)
        return out_of_memory();
    if (nftnl_obj_nlmsg_parse(message, object) == 0 && is_wanted(table, nftnl_obj_get_str(object, NFTNL_OBJ_TABLE))) {
        if (nftnl_obj_get_u32(object, NFTNL_OBJ_TYPE) == NFT_OBJECT_COUNTER &&
            nftnl_obj_get_str(object, NFTNL_OBJ_NAME)) {
            nftnl_obj_list_add_tail(object, table->counters);
            return MNL_CB_OK;
        }
        table->other_objects++;
    }
    nftnl_obj_free(object);
    return MNL_CB_OK;
}

/* libnftnl keeps a value in an array of this size, and copies whatever length it is told. */
static bool fits(const struct set_value *value)
{
    return value->length <= NFT_DATA_VALUE_MAXLEN;
}

static int add_counter(struct nftnl_set_elem *element, const struct set_counter *counter)
{
    struct nftnl_expr *expression = nftnl_expr_alloc("counter");

    if (!expression)
        return -ENOMEM;
    nftnl_expr_set_u64(expression, NFTNL_EXPR_CTR_PACKETS, counter->packets);
    nftnl_expr_set_u64(expression, NFTNL_EXPR_CTR_BYTES, counter->bytes);
    nftnl_set_elem_add_expr(element, expression); /* whose it is then */
    return 0;
}

static int add_element(const struct set_element *element, void *userdata)
{
    struct nftnl_set_elem *added;

    if (!fits(&element->key) || !fits(&element->data))
        return -EBADMSG;
    added = nftnl_set_elem_alloc();
    if (!added)
        return -ENOMEM;
    if ((element->key.bytes &&
         nftnl_set_elem_set(added, NFTNL_SET_ELEM_KEY, element->key.bytes, (uint32_t)element->key.length) < 0) ||
        (element->data.bytes &&
         nftnl_set_elem_set(added, NFTNL_SET_ELEM_DATA, element->data.bytes, (uint32_t)element->data.length) < 0) ||
        (element->counter.is_there && add_counter(added, &element->counter) < 0)) {
        nftnl_set_elem_free(added);
        return -ENOMEM;
    }
    nftnl_set_elem_set_u32(added, NFTNL_SET_ELEM_FLAGS, element->flags);
    nftnl_set_elem_add(userdata, added);
    return 0;
}

static int on_elements(const struct nlmsghdr *message, void *userdata)
{
    int result = set_reading_elements(message, add_element, userdata);

    if (result == 0)
        return MNL_CB_OK;
    errno = -result;
    return MNL_CB_ERROR;
}

static int read_elements(struct mnl_socket *socket, const struct table *table)
{
    struct nftnl_set_list_iter *iterator = nftnl_set_list_iter_create(table->sets);
    struct nftnl_set *set;
    int result = iterator ? 0 : -ENOMEM;

    while (result == 0 && (set = nftnl_set_list_iter_next(iterator))) {
        _Alignas(8) char buffer[REQUEST_SIZE];
        struct nlmsghdr *message = nftnl_nlmsg_build_hdr(buffer, NFT_MSG_GETSETELEM, table->nfproto, NLM_F_DUMP, 0);

        nftnl_set_elems_nlmsg_build_payload(message, set);
        result = request(socket, message, on_elements, set);
    }
    if (iterator)
        nftnl_set_list_iter_destroy(iterator);
    return result;
}

int table_read(struct mnl_socket *socket, struct table *ret)
{
    int result = dump(socket, ret, NFT_MSG_GETTABLE, on_table);

    if (result < 0 || !ret->exists)
        return result;
    ret->sets = nftnl_set_list_alloc();
    ret->chains = nftnl_chain_list_alloc();
    ret->rules = nftnl_rule_list_alloc();
    ret->counters = nftnl_obj_list_alloc();
    if (!ret->sets || !ret->chains || !ret->rules || !ret->counters)
        return -ENOMEM;
    result = dump(socket, ret, NFT_MSG_GETSET, on_set);
    if (result == 0)
        result = read_elements(socket, ret);
    if (result == 0)
        result = dump(socket, ret, NFT_MSG_GETCHAIN, on_chain);
    if (result == 0)
        result = dump(socket, ret, NFT_MSG_GETRULE, on_rule);
    if (result == 0)
        result = dump(socket, ret, NFT_MSG_GETOBJ, on_object);
    return result;
}
