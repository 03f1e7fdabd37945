/* The list of bans; see ban_store.h. Runs in anchord-bans; pure. */
#include "workers/bans/ban_store.h"

#include "common/array.h"

void ban_store_clear(struct ban_store *store)
{
    for (size_t i = 0; i < store->count; i++)
        free(store->items[i].reason);
    free(store->items);
    *store = (struct ban_store){0};
}

static int compare_place(const struct wire_ban *a, const struct wire_ban *b)
{
    return memcmp(&a->family, &b->family, offsetof(struct wire_ban, is_removed) - offsetof(struct wire_ban, family));
}

/* Where it is, or would be. */
static size_t find(const struct ban_store *store, const struct wire_ban *ban, bool *ret_is_there)
{
    size_t first = 0;
    size_t last = store->count;

    while (first < last) {
        size_t middle = first + (last - first) / 2;

        if (compare_place(&store->items[middle].ban, ban) < 0)
            first = middle + 1;
        else
            last = middle;
    }
    *ret_is_there = first < store->count && compare_place(&store->items[first].ban, ban) == 0;
    return first;
}

static int insert(struct ban_store *store, size_t position, const struct stored_ban *ban, const char **ret_reason)
{
    bool is_single = wire_ban_is_single(&ban->ban);
    struct stored_ban *items;

    *ret_reason = "131072 addresses and prefixes are banned already: `anchord ban flush`, or bans that end (--for)";
    if (store->count >= BANS_MAX)
        return -E2BIG;
    *ret_reason = "1024 prefixes are banned already: ban fewer and wider ones, or single addresses";
    if (!is_single && store->prefix_count >= BAN_PREFIXES_MAX)
        return -E2BIG;
    *ret_reason = "out of memory";
    items = array_grow(store->items, store->count, &store->capacity, sizeof(*items));
    if (!items)
        return -ENOMEM;
    store->items = items;
    memmove(&items[position + 1], &items[position], (store->count - position) * sizeof(*items));
    items[position] = *ban;
    store->count++;
    store->prefix_count += !is_single;
    return 0;
}

int ban_store_put(struct ban_store *store, const struct stored_ban *ban, const char **ret_reason)
{
    struct stored_ban copy = *ban;
    bool is_there;
    size_t position = find(store, &ban->ban, &is_there);
    int result = 0;

    *ret_reason = "out of memory";
    copy.reason = ban->reason && ban->reason[0] ? strdup(ban->reason) : NULL;
    if (ban->reason && ban->reason[0] && !copy.reason)
        return -ENOMEM;
    if (is_there) {
        free(store->items[position].reason);
        store->items[position] = copy;
    } else {
        result = insert(store, position, &copy, ret_reason);
    }
    if (result < 0)
        free(copy.reason);
    return result;
}

static void let_go(struct ban_store *store, struct stored_ban *ban)
{
    store->prefix_count -= !wire_ban_is_single(&ban->ban);
    free(ban->reason);
}

bool ban_store_has(const struct ban_store *store, const struct wire_ban *ban)
{
    bool is_there;

    (void)find(store, ban, &is_there);
    return is_there;
}

bool ban_store_remove(struct ban_store *store, const struct wire_ban *ban)
{
    bool is_there;
    size_t position = find(store, ban, &is_there);

    if (!is_there)
        return false;
    let_go(store, &store->items[position]);
    store->count--;
    memmove(&store->items[position], &store->items[position + 1], (store->count - position) * sizeof(*store->items));
    return true;
}

size_t ban_store_expire(struct ban_store *store, uint64_t now)
{
    size_t kept = 0;
    size_t before = store->count;

    for (size_t i = 0; i < before; i++) {
        if (store->items[i].until && store->items[i].until <= now)
            let_go(store, &store->items[i]);
        else
            store->items[kept++] = store->items[i];
    }
    store->count = kept;
    return before - kept;
}

uint64_t ban_store_next_end(const struct ban_store *store)
{
    uint64_t next = 0;

    for (size_t i = 0; i < store->count; i++) {
        uint64_t until = store->items[i].until;

        if (until && (!next || until < next))
            next = until;
    }
    return next;
}

size_t ban_store_position_behind(const struct ban_store *store, const struct wire_ban *ban)
{
    bool is_there;
    size_t position = find(store, ban, &is_there);

    return position + is_there;
}

/* The outer one of two stands before the inner one: its address is not greater, and its prefix is shorter. */
static void reduce_kind(const struct ban_store *store, uint8_t kind, struct ban_list *ret)
{
    const struct wire_ban *outer = NULL;

    for (size_t i = 0; i < store->count; i++) {
        const struct wire_ban *ban = &store->items[i].ban;

        if (ban->kind != kind || (outer && wire_ban_contains(outer, ban)))
            continue;
        outer = ban;
        ret->items[ret->count++] = *ban;
    }
}

int ban_store_reduce(const struct ban_store *store, struct ban_list *ret)
{
    ret->items = calloc(store->count + 1, sizeof(*ret->items));
    if (!ret->items)
        return -ENOMEM;
    reduce_kind(store, BAN_ALL, ret);
    reduce_kind(store, BAN_NEW_ONLY, ret);
    return 0;
}
