/* Who is banned, in the kernel's sets; see nft_bans.h. Runs in anchord-netadmin with CAP_NET_ADMIN. */
#include "workers/netadmin/nft/nft_bans.h"

#include "common/array.h"
#include "protocol/validate_bans.h"
#include "workers/netadmin/nft/nft_dump.h"
#include "workers/netadmin/nft/nft_elements.h"
#include "workers/nftables/set_reading.h"

#include <string.h>

#define MANY 2000
/* No more is read than anchord-bans could have had put there. */
#define READ_MAX BANS_MAX

bool nft_bans_are_many(const struct ban_list *list)
{
    return list->count > MANY;
}

static int commit_changes(struct nfnl_socket *socket, const struct nft_family *family, const struct ban_list *changes,
                          const struct ban_list *list, bool has_foreign_prefixes, struct nft_failure *failure)
{
    CLEANUP(nft_batch_clear) struct nft_batch added = {.is_in_pieces = true};
    CLEANUP(nft_batch_clear) struct nft_batch removed = {.is_in_pieces = true};
    int result;

    nft_elements_add_bans(&added, family, changes, list, has_foreign_prefixes);
    nft_elements_remove_bans(&removed, family, changes);
    result = nfnl_socket_commit(socket, &added, failure);
    return result < 0 ? result : nfnl_socket_commit(socket, &removed, failure);
}

int nft_bans_change(struct nfnl_socket *socket, const struct nft_family *family, const struct ban_list *changes,
                    const struct ban_list *list, struct nft_failure *failure)
{
    return commit_changes(socket, family, changes, list, false, failure);
}

/* --- what the sets hold ---------------------------------------------------------------------------------- */

struct reading {
    const struct nft_family *family;
    enum ban_kind kind; /* whose set is being read */
    struct ban_list list;
    size_t capacity;
};

static int add(struct reading *reading, const struct wire_ban *ban)
{
    struct wire_ban *items = array_grow(reading->list.items, reading->list.count, &reading->capacity, sizeof(*items));

    if (!items)
        return -ENOMEM;
    reading->list.items = items;
    items[reading->list.count++] = *ban;
    return 0;
}

/* An element that is none of ours, such as one that stands for every key, or one too many, ends it: -EBADMSG. Of an
 * interval the first address counts, and the next one behind it as `is_removed`. */
static int note_element(const struct set_element *element, void *userdata)
{
    struct reading *reading = userdata;
    struct wire_ban ban = {.kind = (uint8_t)reading->kind, .family = reading->family->family};

    if (!element->key.bytes || element->key.length != reading->family->address_length || element->key_end.bytes ||
        reading->list.count >= READ_MAX)
        return -EBADMSG;
    memcpy(ban.bytes, element->key.bytes, element->key.length);
    ban.prefix_length = ip_family_bits(ban.family);
    if (!wire_ban_is_single(&ban)) /* it stands for the /64 whose first address it looks like */
        ban.prefix_length = BAN_NETWORK6;
    ban.is_removed = (element->flags & NFT_SET_ELEM_INTERVAL_END) != 0;
    return add(reading, &ban);
}

static int on_elements(const struct nlmsghdr *message, void *userdata)
{
    return set_reading_elements(message, note_element, userdata);
}

static int compare_bans(const void *a, const void *b)
{
    return wire_ban_compare(a, b);
}

static int read_singles(struct nfnl_socket *socket, struct reading *reading)
{
    int result = 0;

    for (reading->kind = BAN_ALL; reading->kind <= BAN_NEW_ONLY && result == 0; reading->kind++) {
        const struct wire_ban any = {.kind = (uint8_t)reading->kind, .family = IP_FAMILY_4, .prefix_length = 32};

        result = nft_dump_elements(socket, reading->family, nft_set_of_ban(&any), on_elements, reading);
    }
    if (result == 0 && reading->list.count > 0)
        qsort(reading->list.items, reading->list.count, sizeof(*reading->list.items), compare_bans);
    return result;
}

/* --- prefixes -------------------------------------------------------------------------------------------- */

/* What begins where another one ends stands behind that end. */
static int compare_boundaries(const void *a, const void *b)
{
    const struct wire_ban *one = a, *other = b;
    int order = memcmp(one->bytes, other->bytes, sizeof(one->bytes));

    return order ? order : other->is_removed - one->is_removed;
}

/* An interval without an end goes on to the last address of all. */
static struct ip_address find_last(const struct wire_ban *begin, const struct wire_ban *end)
{
    const struct ip_subnet all = {.address.family = begin->family};
    struct ip_address last = ip_subnet_last(&all);
    size_t digit = ip_family_length(begin->family);

    if (!end)
        return last;
    memcpy(last.bytes, end->bytes, sizeof(last.bytes));
    while (digit > 0 && last.bytes[digit - 1]-- == 0)
        digit--;
    return last;
}

static int read_prefixes(struct nfnl_socket *socket, const struct nft_family *family, enum ban_kind kind,
                         struct reading *ret)
{
    const struct wire_ban any = {.kind = (uint8_t)kind, .family = IP_FAMILY_4, .prefix_length = BAN_PREFIX4_LEAST};
    struct reading boundaries = {.family = family, .kind = kind};
    int result = nft_dump_elements(socket, family, nft_set_of_ban(&any), on_elements, &boundaries);
    const struct wire_ban *items = boundaries.list.items;

    if (boundaries.list.count > 0)
        qsort(boundaries.list.items, boundaries.list.count, sizeof(*items), compare_boundaries);
    for (size_t i = 0; i < boundaries.list.count && result == 0; i++) {
        const bool has_end = i + 1 < boundaries.list.count;
        const struct ip_address first = ip_address_from_bytes(family->family, items[i].bytes);
        const struct ip_address last = find_last(&items[i], has_end ? &items[i + 1] : NULL);
        struct wire_ban ban = {.kind = (uint8_t)kind, .family = family->family};
        struct ip_subnet subnet;

        if (items[i].is_removed || !ip_subnet_from_range(&first, &last, &subnet))
            continue;
        memcpy(ban.bytes, items[i].bytes, sizeof(ban.bytes));
        ban.prefix_length = subnet.prefix_length;
        result = add(ret, &ban);
    }
    ban_list_clear(&boundaries.list);
    return result;
}

int nft_bans_read(struct nfnl_socket *socket, const struct nft_family *family, struct ban_list *ret)
{
    struct reading reading = {.family = family};
    int result = read_singles(socket, &reading);

    for (enum ban_kind kind = BAN_ALL; kind <= BAN_NEW_ONLY && result == 0; kind++)
        result = read_prefixes(socket, family, kind, &reading);
    for (size_t i = 0; i < reading.list.count && result == 0; i++) {
        if (!check_ban(&reading.list.items[i])) /* what others put there may be anything */
            reading.list.items[ret->count++] = reading.list.items[i];
    }
    if (result < 0)
        ban_list_clear(&reading.list);
    ret->items = reading.list.items;
    return result;
}

/* --- all of it ------------------------------------------------------------------------------------------- */

static int select_singles(const struct ban_list *list, uint8_t family, struct ban_list *ret)
{
    ret->items = calloc(list->count + 1, sizeof(*ret->items));
    if (!ret->items)
        return -ENOMEM;
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].family == family && wire_ban_is_single(&list->items[i]))
            ret->items[ret->count++] = list->items[i];
    }
    return 0;
}

/* What is to be changed of single keys; fails where that cannot be told. */
static int find_changes(struct nfnl_socket *socket, const struct nft_family *family, const struct ban_list *list,
                        struct ban_list *ret)
{
    struct reading reading = {.family = family};
    CLEANUP(ban_list_clear) struct ban_list wanted = {0};
    int result = read_singles(socket, &reading);

    if (result == 0)
        result = select_singles(list, family->family, &wanted);
    if (result == 0)
        result = ban_list_compare(&reading.list, &wanted, ret);
    ban_list_clear(&reading.list);
    return result;
}

int nft_bans_replace(struct nfnl_socket *socket, const struct nft_family *family, const struct ban_list *list,
                     struct nft_failure *failure)
{
    CLEANUP(nft_batch_clear) struct nft_batch batch = {0};
    CLEANUP(ban_list_clear) struct ban_list changes = {0};

    if (nft_bans_are_many(list) && find_changes(socket, family, list, &changes) == 0)
        return commit_changes(socket, family, &changes, list, true, failure);
    nft_elements_replace_bans(&batch, family, list);
    return nfnl_socket_commit(socket, &batch, failure);
}
