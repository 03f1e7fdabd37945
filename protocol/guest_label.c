/* Who may come in, as labels and variables say it; see guest_label.h. Pure, no privilege. */
#include "protocol/guest_label.h"

#include "common/array.h"
#include "common/cleanup.h"
#include "common/text.h"

#include <netinet/in.h>
#include <string.h>
#include <strings.h>

/* What ends a word; an address may hold colons, a service and a protocol may not. */
#define BLANKS      " \t\n\v\f\r"
#define WORD_ENDS   "/,:" BLANKS
#define ITEM_ENDS   "," BLANKS
#define DIGITS      "0123456789"
#define TOO_MANY    "more sources than the 1,024 that a label may name, counted for each range of ports by itself"
#define BITS_BEHIND "bits behind the prefix length are set: give the network's own address, or one address"

struct cursor {
    const char *text;
    const char *at;
    struct guest_error *error;
};

/* A source of an item with its ports, which may overlap those of another one. */
struct claim {
    uint8_t protocol;
    uint16_t port_first;
    uint16_t port_last;
    struct ip_subnet source;
    size_t position;
};

struct claims {
    struct claim *items;
    size_t count, capacity;
};

static int fail(struct cursor *cursor, const char *at, const char *reason)
{
    *cursor->error = (struct guest_error){.position = (size_t)(at - cursor->text) + 1, .reason = reason};
    return -EINVAL;
}

static void skip_blanks(struct cursor *cursor)
{
    cursor->at += strspn(cursor->at, BLANKS);
}

static bool is_at_end(const struct cursor *cursor)
{
    return *cursor->at == ',' || *cursor->at == '\0';
}

/* Takes the word if it stands there. */
static bool take_word(struct cursor *cursor, const char *word)
{
    size_t length = strlen(word);

    skip_blanks(cursor);
    if (strcspn(cursor->at, WORD_ENDS) != length || strncasecmp(cursor->at, word, length) != 0)
        return false;
    cursor->at += length;
    return true;
}

static int parse_number(struct cursor *cursor, const char *missing, const char *wrong, uint16_t *ret)
{
    size_t length;
    uint64_t number;

    skip_blanks(cursor);
    length = strspn(cursor->at, DIGITS);
    if (length == 0)
        return fail(cursor, cursor->at, missing);
    if (text_to_number(cursor->at, length, UINT16_MAX, &number) < 0 || number == 0)
        return fail(cursor, cursor->at, wrong);
    cursor->at += length;
    *ret = (uint16_t)number;
    return 0;
}

static int parse_port(struct cursor *cursor, uint16_t *ret)
{
    return parse_number(cursor, "a port is missing", "the port is not between 1 and 65535", ret);
}

/* tcp/25 or, where a range may stand, tcp/25-30 */
static int parse_ports(struct cursor *cursor, bool may_be_range, struct claim *ret)
{
    const char *start;
    int result;

    skip_blanks(cursor);
    start = cursor->at;
    if (take_word(cursor, "tcp"))
        ret->protocol = IPPROTO_TCP;
    else if (take_word(cursor, "udp"))
        ret->protocol = IPPROTO_UDP;
    else
        return fail(cursor, start,
                    strcspn(start, WORD_ENDS) == 0 ? "a protocol is missing" : "the protocol is neither tcp nor udp");
    skip_blanks(cursor);
    if (*cursor->at != '/')
        return fail(cursor, cursor->at, "a slash and a port are missing behind the protocol");
    cursor->at++;
    skip_blanks(cursor);
    start = cursor->at;
    result = parse_port(cursor, &ret->port_first);
    if (result < 0)
        return result;
    ret->port_last = ret->port_first;
    skip_blanks(cursor);
    if (*cursor->at != '-')
        return 0;
    if (!may_be_range)
        return fail(cursor, cursor->at, "a limit is of one port, not of a range");
    cursor->at++;
    result = parse_port(cursor, &ret->port_last);
    return result == 0 && ret->port_last < ret->port_first ? fail(cursor, start, "the range ends before it begins")
                                                           : result;
}

/* --- sources --------------------------------------------------------------------------------------------- */

static int parse_source(struct cursor *cursor, struct ip_subnet *ret)
{
    char text[IP_SUBNET_TEXT_SIZE];
    size_t length = strcspn(cursor->at, ITEM_ENDS);
    struct ip_address first;
    int result = -EINVAL;

    if (length < sizeof(text)) {
        memcpy(text, cursor->at, length);
        text[length] = '\0';
        result = strchr(text, '/') ? ip_subnet_parse(text, ret) : ip_address_parse(text, &ret->address);
        if (result == 0 && !strchr(text, '/'))
            ret->prefix_length = ip_family_bits(ret->address.family);
    }
    if (result < 0)
        return fail(cursor, cursor->at, "is no address and no network, as 192.0.2.0/24 or 2001:db8::/32 is one");
    first = ip_subnet_first(ret);
    if (!ip_address_equal(&first, &ret->address))
        return fail(cursor, cursor->at, BITS_BEHIND);
    cursor->at += length;
    return 0;
}

static int add_claim(struct cursor *cursor, struct claims *claims, const struct claim *claim)
{
    struct claim *items;

    if (claims->count == GUEST_SOURCES_PER_LABEL_MAX)
        return fail(cursor, cursor->text + claim->position, TOO_MANY);
    items = array_grow(claims->items, claims->count, &claims->capacity, sizeof(*items));
    if (!items)
        return -ENOMEM;
    claims->items = items;
    items[claims->count++] = *claim;
    return 0;
}

/* tcp/22 from 192.0.2.0/24 2001:db8::/32 */
static int parse_allow(struct cursor *cursor, bool is_meant, struct claims *claims)
{
    struct claim claim = {0};
    int result = parse_ports(cursor, true, &claim);

    if (result < 0)
        return result;
    if (!take_word(cursor, "from"))
        return fail(cursor, cursor->at, "the word from is missing behind the port");
    skip_blanks(cursor);
    if (is_at_end(cursor))
        return fail(cursor, cursor->at, "an address or a network is missing");
    while (!is_at_end(cursor)) {
        claim.position = (size_t)(cursor->at - cursor->text);
        result = parse_source(cursor, &claim.source);
        if (result == 0 && is_meant)
            result = add_claim(cursor, claims, &claim);
        if (result < 0)
            return result;
        skip_blanks(cursor);
    }
    return 0;
}

/* --- from claims to lists -------------------------------------------------------------------------------- */

static int compare_bounds(const void *a, const void *b)
{
    uint32_t first = *(const uint32_t *)a, second = *(const uint32_t *)b;

    return (first > second) - (first < second);
}

/* Of its sources those that no other one contains; they stand at the end of the list, from `begin` on. */
static void drop_contained(struct guest_list *list, size_t begin)
{
    struct guest_list tail = {.items = list->items + begin, .count = list->count - begin};
    size_t kept = 1;

    guest_list_sort(&tail);
    for (size_t i = 1; i < tail.count; i++) {
        const struct ip_subnet last = guest_source(&tail.items[kept - 1]);
        const struct ip_subnet next = guest_source(&tail.items[i]);

        if (!ip_subnet_contains(&last, &next.address))
            tail.items[kept++] = tail.items[i];
    }
    list->count = begin + kept;
}

/* The ports first … last, in which no item begins or ends. */
static int add_ports(struct cursor *cursor, const struct claims *claims, const struct wire_guest *ports,
                     struct guest_list *ret)
{
    size_t begin = ret->count + 1;
    int result = 0;

    for (size_t i = 0; i < claims->count && result == 0; i++) {
        const struct claim *claim = &claims->items[i];
        struct wire_guest guest = *ports;

        if (claim->protocol != ports->protocol || claim->port_first > ports->port_first ||
            claim->port_last < ports->port_last)
            continue;
        if (ret->count < begin)
            result = guest_list_add(ret, ports);
        guest.kind = GUEST_SOURCE;
        guest.family = claim->source.address.family;
        guest.prefix_length = claim->source.prefix_length;
        memcpy(guest.source, claim->source.address.bytes, sizeof(guest.source));
        if (result == 0)
            result = guest_list_add(ret, &guest);
        if (result == 0 && ret->count > 2 * GUEST_SOURCES_PER_LABEL_MAX)
            result = fail(cursor, cursor->text + claim->position, TOO_MANY);
    }
    if (result == 0 && ret->count > begin)
        drop_contained(ret, begin);
    return result;
}

static int add_protocol(struct cursor *cursor, const struct claims *claims, uint8_t protocol, struct guest_list *ret)
{
    uint32_t bounds[2 * GUEST_SOURCES_PER_LABEL_MAX]; /* where something else begins */
    size_t count = 0;
    int result = 0;

    for (size_t i = 0; i < claims->count; i++) {
        if (claims->items[i].protocol != protocol)
            continue;
        bounds[count++] = claims->items[i].port_first;
        bounds[count++] = claims->items[i].port_last + 1U;
    }
    qsort(bounds, count, sizeof(bounds[0]), compare_bounds);
    for (size_t i = 1; i < count && result == 0; i++) {
        const struct wire_guest ports = {
            .kind = GUEST_PORTS,
            .protocol = protocol,
            .port_first = (uint16_t)bounds[i - 1],
            .port_last = (uint16_t)(bounds[i] - 1),
        };

        if (bounds[i - 1] < bounds[i])
            result = add_ports(cursor, claims, &ports, ret);
    }
    return result;
}

static int make_lists(struct cursor *cursor, const struct claims *claims, struct guest_list *ret)
{
    CLEANUP(guest_list_clear) struct guest_list made = {0};
    int result = add_protocol(cursor, claims, IPPROTO_TCP, &made);

    if (result == 0)
        result = add_protocol(cursor, claims, IPPROTO_UDP, &made);
    if (result == 0 && guest_list_count(&made, GUEST_SOURCE) > GUEST_SOURCES_PER_LABEL_MAX)
        result = fail(cursor, cursor->text, TOO_MANY);
    return result < 0 ? result : guest_list_add_all(ret, &made);
}

/* --- limits ---------------------------------------------------------------------------------------------- */

/* tcp/22 10/minute per source burst 20 */
static int parse_limit(struct cursor *cursor, bool is_meant, struct guest_list *ret)
{
    struct claim ports = {0};
    struct wire_guest limit = {.kind = GUEST_LIMIT, .burst = GUEST_BURST_DEFAULT};
    const char *start = cursor->at;
    int result = parse_ports(cursor, false, &ports);

    if (result == 0)
        result = parse_number(cursor, "how many connections a source may begin is missing, as in 10/minute",
                              "the number is not between 1 and 65535", &limit.rate);
    if (result < 0)
        return result;
    skip_blanks(cursor);
    if (*cursor->at != '/')
        return fail(cursor, cursor->at, "a slash and second or minute are missing behind the number");
    cursor->at++;
    limit.is_per_minute = take_word(cursor, "minute");
    if (!limit.is_per_minute && !take_word(cursor, "second"))
        return fail(cursor, cursor->at, "the unit of time is neither second nor minute");
    if (!take_word(cursor, "per") || !take_word(cursor, "source"))
        return fail(cursor, cursor->at, "the words per source are missing");
    if (take_word(cursor, "burst"))
        result = parse_number(cursor, "a number is missing behind burst", "the number is not between 1 and 65535",
                              &limit.burst);
    limit.protocol = ports.protocol;
    limit.port_first = limit.port_last = ports.port_first;
    for (size_t i = 0; i < ret->count && result == 0 && is_meant; i++) {
        if (ret->items[i].protocol == limit.protocol && ret->items[i].port_first == limit.port_first)
            result = fail(cursor, start, "the port has a limit already");
    }
    if (result == 0 && is_meant && ret->count == GUEST_LIMITS_MAX)
        result = fail(cursor, start, "more limits than the 32 that there may be");
    return result < 0 || !is_meant ? result : guest_list_add(ret, &limit);
}

/* --- the whole ------------------------------------------------------------------------------------------- */

/* web: … *ret_is_meant says whether it is the service's that is asked about. */
static int parse_service(struct cursor *cursor, const char *service, bool *ret_is_meant)
{
    size_t length = strcspn(cursor->at, WORD_ENDS);
    const char *start = cursor->at;

    *ret_is_meant = strlen(service) == length && memcmp(start, service, length) == 0;
    cursor->at += length;
    skip_blanks(cursor);
    if (*cursor->at != ':' || length == 0)
        return fail(cursor, start, "a service and a colon are missing before the protocol, as in web: tcp/443 …");
    cursor->at++;
    return 0;
}

static int parse_item(struct cursor *cursor, enum guest_text which, const char *service, struct claims *claims,
                      struct guest_list *limits)
{
    bool is_meant = true;
    int result = service ? parse_service(cursor, service, &is_meant) : 0;

    skip_blanks(cursor);
    if (result == 0)
        result =
            which == GUEST_TEXT_ALLOW ? parse_allow(cursor, is_meant, claims) : parse_limit(cursor, is_meant, limits);
    skip_blanks(cursor);
    if (result == 0 && !is_at_end(cursor))
        return fail(cursor, cursor->at, "neither a comma nor the end");
    return result;
}

static int parse_items(struct cursor *cursor, enum guest_text which, const char *service, struct claims *claims,
                       struct guest_list *limits)
{
    int result = 0;

    while (result == 0) {
        skip_blanks(cursor);
        if (*cursor->at == '\0')
            return 0;
        if (*cursor->at == ',') /* an empty one */
            cursor->at++;
        else
            result = parse_item(cursor, which, service, claims, limits);
    }
    return result;
}

int guest_label_parse(const char *text, enum guest_text which, const char *service, struct guest_list *ret,
                      struct guest_error *ret_error)
{
    struct cursor cursor = {.text = text, .at = text, .error = ret_error};
    CLEANUP(guest_list_clear) struct guest_list limits = {0};
    struct claims claims = {0};
    int result = parse_items(&cursor, which, service, &claims, &limits);

    if (result == 0)
        result = make_lists(&cursor, &claims, ret);
    if (result == 0)
        result = guest_list_add_all(ret, &limits);
    free(claims.items);
    if (result < 0)
        guest_list_clear(ret);
    else
        guest_list_sort(ret);
    return result;
}

bool guest_label_names_service(const char *text, const char *service)
{
    size_t length = strlen(service);

    while (*text) {
        const char *end;

        text += strspn(text, ITEM_ENDS);
        end = text + strcspn(text, WORD_ENDS);
        if ((size_t)(end - text) == length && memcmp(text, service, length) == 0 && end[strspn(end, BLANKS)] == ':')
            return true;
        text += strcspn(text, ",");
    }
    return false;
}
