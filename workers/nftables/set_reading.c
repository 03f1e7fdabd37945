/* Sets and rules as the kernel sends them; see set_reading.h. Pure; in programs with CAP_NET_ADMIN. */
#include "workers/nftables/set_reading.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

/* --- names of expressions -------------------------------------------------------------------------------- */

static int note_name(const struct nlattr *attribute, void *userdata)
{
    bool *is_named = userdata;

    *is_named = *is_named || mnl_attr_get_type(attribute) == NFTA_EXPR_NAME;
    return MNL_CB_OK;
}

static int require_name(const struct nlattr *nest, void *userdata)
{
    bool is_named = false;

    (void)userdata;
    return mnl_attr_parse_nested(nest, note_name, &is_named) < 0 || !is_named ? MNL_CB_ERROR : MNL_CB_OK;
}

static int require_named_expressions(const struct nlattr *attribute, void *userdata)
{
    switch (mnl_attr_get_type(attribute)) {
    case NFTA_SET_EXPR:
        return require_name(attribute, userdata);
    case NFTA_SET_EXPRESSIONS:
        return mnl_attr_parse_nested(attribute, require_name, userdata);
    default:
        return MNL_CB_OK;
    }
}

static int require_named_rule_expressions(const struct nlattr *attribute, void *userdata)
{
    return mnl_attr_get_type(attribute) == NFTA_RULE_EXPRESSIONS
               ? mnl_attr_parse_nested(attribute, require_name, userdata)
               : MNL_CB_OK;
}

bool set_reading_names_expressions(const struct nlmsghdr *set)
{
    return mnl_attr_parse(set, sizeof(struct nfgenmsg), require_named_expressions, NULL) >= 0;
}

bool set_reading_names_rule_expressions(const struct nlmsghdr *rule)
{
    return mnl_attr_parse(rule, sizeof(struct nfgenmsg), require_named_rule_expressions, NULL) >= 0;
}

/* --- counters -------------------------------------------------------------------------------------------- */

/* NFTA_COUNTER_BYTES, NFTA_COUNTER_PACKETS */
static int read_counter(const struct nlattr *attribute, void *userdata)
{
    struct set_counter *counter = userdata;
    uint16_t type = mnl_attr_get_type(attribute);
    uint64_t number;

    if (type != NFTA_COUNTER_BYTES && type != NFTA_COUNTER_PACKETS)
        return MNL_CB_OK;
    if (mnl_attr_validate(attribute, MNL_TYPE_U64) < 0)
        return MNL_CB_ERROR;
    number = be64toh(mnl_attr_get_u64(attribute));
    counter->is_there = true;
    if (type == NFTA_COUNTER_BYTES)
        counter->bytes = number;
    else
        counter->packets = number;
    return MNL_CB_OK;
}

static int read_object(const struct nlattr *attribute, void *userdata)
{
    return mnl_attr_get_type(attribute) == NFTA_OBJ_DATA ? mnl_attr_parse_nested(attribute, read_counter, userdata)
                                                         : MNL_CB_OK;
}

int set_reading_named_counter(const struct nlmsghdr *object, struct set_counter *ret)
{
    *ret = (struct set_counter){0};
    return mnl_attr_parse(object, sizeof(struct nfgenmsg), read_object, ret) < 0 ? -EBADMSG : 0;
}

struct expression {
    bool is_counter;
    const struct nlattr *data;
};

static int read_expression(const struct nlattr *attribute, void *userdata)
{
    struct expression *expression = userdata;

    if (mnl_attr_get_type(attribute) == NFTA_EXPR_DATA)
        expression->data = attribute;
    if (mnl_attr_get_type(attribute) != NFTA_EXPR_NAME)
        return MNL_CB_OK;
    if (mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) < 0)
        return MNL_CB_ERROR;
    expression->is_counter = strcmp(mnl_attr_get_str(attribute), "counter") == 0;
    return MNL_CB_OK;
}

/* NFTA_SET_ELEM_EXPR { NFTA_EXPR_NAME, NFTA_EXPR_DATA { … } } */
static int read_element_expression(const struct nlattr *nest, struct set_counter *counter)
{
    struct expression expression = {0};

    if (mnl_attr_parse_nested(nest, read_expression, &expression) < 0)
        return MNL_CB_ERROR;
    return expression.is_counter && expression.data ? mnl_attr_parse_nested(expression.data, read_counter, counter)
                                                    : MNL_CB_OK;
}

/* --- elements -------------------------------------------------------------------------------------------- */

struct reading {
    set_reading_handler on_element;
    void *userdata;
};

static int read_value(const struct nlattr *attribute, void *userdata)
{
    struct set_value *value = userdata;

    if (mnl_attr_get_type(attribute) == NFTA_DATA_VALUE)
        *value = (struct set_value){mnl_attr_get_payload(attribute), mnl_attr_get_payload_len(attribute)};
    return MNL_CB_OK;
}

static int read_element(const struct nlattr *attribute, void *userdata)
{
    struct set_element *element = userdata;

    switch (mnl_attr_get_type(attribute)) {
    case NFTA_SET_ELEM_FLAGS:
        if (mnl_attr_validate(attribute, MNL_TYPE_U32) < 0)
            return MNL_CB_ERROR;
        element->flags = ntohl(mnl_attr_get_u32(attribute));
        return MNL_CB_OK;
    case NFTA_SET_ELEM_KEY:
        return mnl_attr_parse_nested(attribute, read_value, &element->key);
    case NFTA_SET_ELEM_KEY_END:
        return mnl_attr_parse_nested(attribute, read_value, &element->key_end);
    case NFTA_SET_ELEM_DATA:
        return mnl_attr_parse_nested(attribute, read_value, &element->data);
    case NFTA_SET_ELEM_EXPR:
        return read_element_expression(attribute, &element->counter);
    default:
        return MNL_CB_OK;
    }
}

static int on_list_element(const struct nlattr *attribute, void *userdata)
{
    const struct reading *reading = userdata;
    struct set_element element = {0};
    int result;

    if (mnl_attr_get_type(attribute) != NFTA_LIST_ELEM || mnl_attr_parse_nested(attribute, read_element, &element) < 0)
        return -EBADMSG;
    result = reading->on_element(&element, reading->userdata);
    return result < 0 ? result : MNL_CB_OK;
}

static int on_list(const struct nlattr *attribute, void *userdata)
{
    if (mnl_attr_get_type(attribute) != NFTA_SET_ELEM_LIST_ELEMENTS)
        return MNL_CB_OK;
    return mnl_attr_parse_nested(attribute, on_list_element, userdata);
}

/* NFTA_SET_ELEM_LIST_ELEMENTS { NFTA_LIST_ELEM { NFTA_SET_ELEM_KEY { NFTA_DATA_VALUE } … } … } */
int set_reading_elements(const struct nlmsghdr *message, set_reading_handler on_element, void *userdata)
{
    struct reading reading = {on_element, userdata};
    int result = mnl_attr_parse(message, sizeof(struct nfgenmsg), on_list, &reading);

    return result < 0 ? result : 0;
}
