/* Backends that no element named before; see newcomers.h. Pure; runs in anchord-netadmin and its tests. */
#include "workers/netadmin/plan/newcomers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BACKEND_SIZE sizeof(((struct map_element *)0)->backend)

void backend_list_clear(struct backend_list *list)
{
    free(list->items);
    *list = (struct backend_list){0};
}

static int compare_backends(const void *a, const void *b)
{
    return memcmp(a, b, BACKEND_SIZE);
}

bool backend_list_contains(const struct backend_list *list, const uint8_t backend[16])
{
    return list->count > 0 && bsearch(backend, list->items, list->count, BACKEND_SIZE, compare_backends);
}

/* The ports of a range have one backend: what repeats the one before is left out at once. */
static void append(struct backend_list *list, const struct map *map)
{
    for (size_t i = 0; i < map->count; i++) {
        const uint8_t *backend = map->elements[i].backend;

        if (list->count == 0 || memcmp(list->items[list->count - 1], backend, BACKEND_SIZE) != 0)
            memcpy(list->items[list->count++], backend, BACKEND_SIZE);
    }
}

static void sort_and_drop_repeated(struct backend_list *list)
{
    size_t kept = 0;

    if (list->count > 1)
        qsort(list->items, list->count, BACKEND_SIZE, compare_backends);
    for (size_t i = 0; i < list->count; i++) {
        if (kept == 0 || memcmp(list->items[kept - 1], list->items[i], BACKEND_SIZE) != 0)
            memmove(list->items[kept++], list->items[i], BACKEND_SIZE);
    }
    list->count = kept;
}

static int list_backends(const struct map *tcp, const struct map *udp, struct backend_list *ret)
{
    size_t most = tcp->count + udp->count;

    if (most == 0)
        return 0;
    ret->items = calloc(most, BACKEND_SIZE);
    if (!ret->items)
        return -ENOMEM;
    append(ret, tcp);
    append(ret, udp);
    sort_and_drop_repeated(ret);
    return 0;
}

static bool is_named(const struct map_state *state, size_t family_index, const uint8_t backend[16])
{
    for (size_t protocol = 0; protocol < PROTOCOL_INDEX_MAX_; protocol++) {
        const struct map *map = &state->maps[family_index][protocol];

        for (size_t i = 0; i < map->count; i++) {
            if (memcmp(map->elements[i].backend, backend, BACKEND_SIZE) == 0)
                return true;
        }
    }
    return false;
}

/* Both are sorted: one walk through both. */
static void drop_known(struct backend_list *list, const struct backend_list *known)
{
    size_t kept = 0;
    size_t position = 0;

    for (size_t i = 0; i < list->count; i++) {
        while (position < known->count && compare_backends(known->items[position], list->items[i]) < 0)
            position++;
        if (position == known->count || compare_backends(known->items[position], list->items[i]) != 0)
            memmove(list->items[kept++], list->items[i], BACKEND_SIZE);
    }
    list->count = kept;
}

int newcomers_list(const struct map_state *before, const struct map_state_difference *difference, size_t family_index,
                   struct backend_list *ret)
{
    const struct map_difference *maps = difference->maps[family_index];
    struct backend_list known = {0};
    int result = list_backends(&maps[PROTOCOL_INDEX_TCP].added, &maps[PROTOCOL_INDEX_UDP].added, ret);

    /* As a container that starts: one look through what is there costs less than sorting it. */
    if (result == 0 && ret->count == 1) {
        ret->count = is_named(before, family_index, ret->items[0]) ? 0 : 1;
        return 0;
    }
    if (result == 0 && ret->count > 0)
        result = list_backends(&before->maps[family_index][PROTOCOL_INDEX_TCP],
                               &before->maps[family_index][PROTOCOL_INDEX_UDP], &known);
    if (result == 0)
        drop_known(ret, &known);
    else
        backend_list_clear(ret);
    backend_list_clear(&known);
    return result;
}
