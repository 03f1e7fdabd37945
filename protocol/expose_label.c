/* The expose labels as values; see expose_label.h. Pure, runs without any privilege. */
#include "protocol/expose_label.h"

#include "common/cleanup.h"
#include "common/text.h"

#include <netinet/in.h>
#include <string.h>
#include <strings.h>

static const char white_space[] = " \t\n\v\f\r";

struct cursor {
    const char *label;
    const char *at;
    struct expose_error *error;
};

/* A parsed item with the place where it stands, for the error about a port that is named twice. */
struct item {
    struct expose_range range;
    size_t position;
};

static void skip_white_space(struct cursor *cursor)
{
    cursor->at += strspn(cursor->at, white_space);
}

static int fail(struct cursor *cursor, const char *at, const char *reason)
{
    *cursor->error = (struct expose_error){.position = (size_t)(at - cursor->label) + 1, .reason = reason};
    return -EINVAL;
}

static int parse_protocol(struct cursor *cursor, uint8_t *ret)
{
    size_t length;

    skip_white_space(cursor);
    length = strcspn(cursor->at, "/,: \t\n\v\f\r");
    if (length == 3 && strncasecmp(cursor->at, "tcp", length) == 0)
        *ret = IPPROTO_TCP;
    else if (length == 3 && strncasecmp(cursor->at, "udp", length) == 0)
        *ret = IPPROTO_UDP;
    else
        return fail(cursor, cursor->at, length == 0 ? "a protocol is missing" : "the protocol is neither tcp nor udp");
    cursor->at += length;
    skip_white_space(cursor);
    if (*cursor->at != '/')
        return fail(cursor, cursor->at, "a slash and a port are missing behind the protocol");
    cursor->at++;
    return 0;
}

static int parse_port(struct cursor *cursor, uint16_t *ret)
{
    size_t length;
    uint64_t port;

    skip_white_space(cursor);
    length = strspn(cursor->at, "0123456789");
    if (length == 0)
        return fail(cursor, cursor->at, "a port is missing");
    if (text_to_number(cursor->at, length, UINT16_MAX, &port) < 0 || port == 0)
        return fail(cursor, cursor->at, "the port is not between 1 and 65535");
    cursor->at += length;
    skip_white_space(cursor);
    *ret = (uint16_t)port;
    return 0;
}

static int parse_ports(struct cursor *cursor, uint16_t *ret_first, uint16_t *ret_last)
{
    const char *start;
    int result;

    skip_white_space(cursor);
    start = cursor->at;
    result = parse_port(cursor, ret_first);
    if (result < 0)
        return result;
    *ret_last = *ret_first;
    if (*cursor->at != '-')
        return 0;
    cursor->at++;
    result = parse_port(cursor, ret_last);
    if (result == 0 && *ret_last < *ret_first)
        return fail(cursor, start, "the range ends before it begins");
    return result;
}

static int parse_item(struct cursor *cursor, struct item *ret)
{
    struct expose_range *range = &ret->range;
    const char *start;
    uint16_t backend_port_last;
    int result = parse_protocol(cursor, &range->protocol);

    if (result < 0)
        return result;
    result = parse_ports(cursor, &range->port_first, &range->port_last);
    if (result < 0)
        return result;
    range->backend_port_first = range->port_first;
    if (*cursor->at == ':') {
        cursor->at++;
        skip_white_space(cursor);
        start = cursor->at;
        result = parse_ports(cursor, &range->backend_port_first, &backend_port_last);
        if (result < 0)
            return result;
        if (backend_port_last - range->backend_port_first != range->port_last - range->port_first)
            return fail(cursor, start, "the two ranges are not equally long");
    }
    if (*cursor->at != ',' && *cursor->at != '\0')
        return fail(cursor, cursor->at, "neither a comma nor the end of the label");
    return 0;
}

static int compare_items(const void *a, const void *b)
{
    const struct item *first = a;
    const struct item *second = b;

    if (first->range.protocol != second->range.protocol)
        return first->range.protocol < second->range.protocol ? -1 : 1;
    if (first->range.port_first != second->range.port_first)
        return first->range.port_first < second->range.port_first ? -1 : 1;
    return first->position < second->position ? -1 : 1;
}

static int port_shift(const struct expose_range *range)
{
    return range->backend_port_first - range->port_first;
}

/* Sorts; joins what is named twice alike; a port with two backend ports is an error. Returns the new count. */
static int join_items(struct cursor *cursor, struct item *items, size_t count)
{
    size_t kept = 0;

    qsort(items, count, sizeof(*items), compare_items);
    for (size_t i = 1; i < count; i++) {
        struct expose_range *last = &items[kept].range;
        const struct expose_range *next = &items[i].range;

        if (next->protocol != last->protocol || next->port_first > last->port_last) {
            items[++kept] = items[i];
            continue;
        }
        if (port_shift(next) != port_shift(last))
            return fail(cursor,
                        cursor->label + (items[i].position > items[kept].position ? items[i] : items[kept]).position,
                        "the port stands twice, with two backend ports");
        if (next->port_last > last->port_last)
            last->port_last = next->port_last;
    }
    return (int)kept + 1;
}

static int parse_items(struct cursor *cursor, struct item *items, size_t capacity)
{
    size_t count = 0;

    for (;;) {
        int result;

        skip_white_space(cursor);
        if (*cursor->at == ',') { /* an empty entry (DISC-3) */
            cursor->at++;
            continue;
        }
        if (*cursor->at == '\0')
            return count == 0 ? 0 : join_items(cursor, items, count);
        if (count == capacity)
            return fail(cursor, cursor->at, "more ports than a label may name");
        items[count].position = (size_t)(cursor->at - cursor->label);
        result = parse_item(cursor, &items[count]);
        if (result < 0)
            return result;
        count++;
        if (*cursor->at == '\0')
            return join_items(cursor, items, count);
        cursor->at++;
    }
}

static size_t count_items(const char *label)
{
    size_t count = 1;

    for (const char *comma = strchr(label, ','); comma; comma = strchr(comma + 1, ','))
        count++;
    return count < EXPOSE_RANGES_MAX ? count : EXPOSE_RANGES_MAX;
}

int expose_label_parse(const char *label, struct expose_range **ret, struct expose_error *ret_error)
{
    struct cursor cursor = {.label = label, .at = label, .error = ret_error};
    size_t capacity = count_items(label);
    CLEANUP_FREE struct item *items = NULL;
    struct expose_range *ranges;
    int count;

    skip_white_space(&cursor);
    if (*cursor.at == '\0') {
        *ret = NULL;
        return 0;
    }
    items = calloc(capacity, sizeof(*items));
    if (!items)
        return -ENOMEM;
    count = parse_items(&cursor, items, capacity);
    if (count < 0)
        return count;
    if (count == 0) { /* commas alone */
        *ret = NULL;
        return 0;
    }
    ranges = calloc((size_t)count, sizeof(*ranges));
    if (!ranges)
        return -ENOMEM;
    for (int i = 0; i < count; i++)
        ranges[i] = items[i].range;
    *ret = ranges;
    return count;
}

/* Which of `count` words the label is, the first being the default; -EINVAL when it is none. */
static int parse_word(const char *label, const char *const words[], int count)
{
    const char *start = label + strspn(label, white_space);
    size_t length = strcspn(start, white_space);

    if (start[length + strspn(start + length, white_space)] != '\0')
        return -EINVAL;
    if (length == 0)
        return 0;
    for (int i = 0; i < count; i++) {
        if (length == strlen(words[i]) && strncasecmp(start, words[i], length) == 0)
            return i;
    }
    return -EINVAL;
}

int expose_v6_label_parse(const char *label)
{
    /* YAML turns an unquoted `off` or `no` into false (NAT-7). */
    static const char *const words[] = {"auto", "off", "false", "no", "0"};
    int word = parse_word(label, words, ARRAY_LENGTH(words));

    return word < 0 ? word : !word;
}

int expose_when_label_parse(const char *label)
{
    static const char *const words[] = {"started", "healthy"};

    return parse_word(label, words, ARRAY_LENGTH(words));
}
