/* The difference between two maps; see map_difference.h. Runs in anchord-netadmin; pure. */
#include "workers/netadmin/plan/map_difference.h"

void map_difference_clear(struct map_difference *difference)
{
    free(difference->removed.elements);
    free(difference->added.elements);
    *difference = (struct map_difference){0};
}

bool map_difference_is_empty(const struct map_difference *difference)
{
    return difference->removed.count == 0 && difference->added.count == 0;
}

static int collect(const struct map *have, const struct map *want, struct map_difference *difference)
{
    size_t i = 0;
    size_t j = 0;
    int result = 0;

    while (result == 0 && (i < have->count || j < want->count)) {
        const struct map_element *old = i < have->count ? &have->elements[i] : NULL;
        const struct map_element *new = j < want->count ? &want->elements[j] : NULL;
        bool takes_old = old && (!new || old->port <= new->port);
        bool takes_new = new && (!old || new->port <= old->port);

        i += takes_old;
        j += takes_new;
        if (takes_old && takes_new && map_element_equal(old, new))
            continue;
        if (takes_old)
            result = map_add(&difference->removed, old);
        if (takes_new && result == 0)
            result = map_add(&difference->added, new);
    }
    return result;
}

int map_difference_compute(const struct map *have, const struct map *want, struct map_difference *ret)
{
    int result = collect(have, want, ret);

    if (result < 0)
        map_difference_clear(ret);
    return result;
}

/* Those of `from` that `without` does not have. */
static int copy_ports(const struct map *from, const struct map *without, struct map *ret)
{
    int result = 0;

    for (size_t i = 0; i < from->count && result == 0; i++) {
        const struct map_element port = {.port = from->elements[i].port};

        if (!map_find(without, port.port))
            result = map_add(ret, &port);
    }
    return result;
}

int map_difference_of_ports(const struct map_difference *difference, struct map_difference *ret)
{
    int result = copy_ports(&difference->removed, &difference->added, &ret->removed);

    if (result == 0)
        result = copy_ports(&difference->added, &difference->removed, &ret->added);
    if (result < 0)
        map_difference_clear(ret);
    return result;
}

int map_state_difference_compute(const struct map_state *have, const struct map_state *want,
                                 struct map_state_difference *ret)
{
    for (size_t i = 0; i < MAPS_MAX; i++) {
        int result = map_difference_compute(&have->all[i], &want->all[i], &ret->all[i]);

        if (result < 0) {
            map_state_difference_clear(ret);
            return result;
        }
    }
    return 0;
}

void map_state_difference_clear(struct map_state_difference *difference)
{
    for (size_t i = 0; i < MAPS_MAX; i++)
        map_difference_clear(&difference->all[i]);
}

bool map_state_difference_is_empty(const struct map_state_difference *difference)
{
    for (size_t i = 0; i < MAPS_MAX; i++) {
        if (!map_difference_is_empty(&difference->all[i]))
            return false;
    }
    return true;
}
