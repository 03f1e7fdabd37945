/* Who is banned, as a value; see ban_list.h. Pure. */
#include "protocol/ban_list.h"

void ban_list_clear(struct ban_list *list)
{
    free(list->items);
    *list = (struct ban_list){0};
}

static const char *check_order(const struct ban_list *list)
{
    for (size_t i = 1; i < list->count; i++) {
        if (wire_ban_compare(&list->items[i - 1], &list->items[i]) >= 0)
            return "bans that are not sorted";
    }
    return NULL;
}

/* An interval set takes no two that overlap; the outer one stands before the inner one. */
static const char *check_prefixes(const struct ban_list *list)
{
    const struct wire_ban *last = NULL;
    size_t count = 0;

    for (size_t i = 0; i < list->count; i++) {
        const struct wire_ban *ban = &list->items[i];

        if (wire_ban_is_single(ban))
            continue;
        if (last && last->kind == ban->kind && wire_ban_contains(last, ban))
            return "banned prefixes that overlap";
        last = ban;
        count++;
    }
    return count > BAN_PREFIXES_MAX ? "more banned prefixes than are allowed" : NULL;
}

static const char *merge(const struct ban_list *have, const struct ban_list *changes, struct ban_list *ret)
{
    size_t next = 0;

    for (size_t i = 0; i < changes->count; i++) {
        struct wire_ban change = changes->items[i];
        bool is_there;

        while (next < have->count && wire_ban_compare(&have->items[next], &change) < 0)
            ret->items[ret->count++] = have->items[next++];
        is_there = next < have->count && wire_ban_compare(&have->items[next], &change) == 0;
        if (is_there != change.is_removed)
            return "a change of another list of bans than the one that is held";
        if (is_there)
            next++;
        else
            ret->items[ret->count++] = change;
    }
    while (next < have->count)
        ret->items[ret->count++] = have->items[next++];
    return NULL;
}

int ban_list_merge(const struct ban_list *have, const struct ban_list *changes, struct ban_list *ret,
                   const char **ret_reason)
{
    CLEANUP(ban_list_clear) struct ban_list merged = {0};

    *ret_reason = "out of memory";
    merged.items = calloc(have->count + changes->count + 1, sizeof(*merged.items));
    if (!merged.items)
        return -ENOMEM;
    *ret_reason = check_order(changes);
    if (!*ret_reason)
        *ret_reason = merge(have, changes, &merged);
    if (!*ret_reason)
        *ret_reason = check_prefixes(&merged);
    if (*ret_reason)
        return -EBADMSG;
    *ret_reason = "more bans than are allowed";
    if (merged.count > BANS_MAX)
        return -E2BIG;
    *ret = merged;
    merged = (struct ban_list){0};
    return 0;
}

int ban_list_compare(const struct ban_list *have, const struct ban_list *want, struct ban_list *ret)
{
    size_t old = 0;
    size_t new = 0;

    ret->items = calloc(have->count + want->count + 1, sizeof(*ret->items));
    if (!ret->items)
        return -ENOMEM;
    while (old < have->count || new < want->count) {
        int order = old == have->count   ? 1
                    : new == want->count ? -1
                                         : wire_ban_compare(&have->items[old], &want->items[new]);

        if (order < 0) {
            ret->items[ret->count] = have->items[old];
            ret->items[ret->count++].is_removed = 1;
        } else if (order > 0) {
            ret->items[ret->count++] = want->items[new];
        }
        old += order <= 0;
        new += order >= 0;
    }
    return 0;
}
