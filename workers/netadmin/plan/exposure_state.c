/* Collects a desired state; see exposure_state.h. Runs in anchord-netadmin; pure. */
#include "workers/netadmin/plan/exposure_state.h"

#include "common/text.h"

#include <stdio.h>

void exposure_state_clear(struct exposure_state *state)
{
    desired_state_clear(&state->collected);
    *state = (struct exposure_state){0};
}

void exposure_state_begin(struct exposure_state *state, uint64_t generation)
{
    exposure_state_clear(state);
    state->is_open = true;
    state->generation = generation;
}

static void refuse(struct exposure_state *state, int error, const char *reason)
{
    if (state->error)
        return;
    state->error = error;
    text_copy_cut(state->reason, sizeof(state->reason), reason);
    desired_state_clear(&state->collected);
}

/* Counts what every message with items begins with. */
static int count_items(struct exposure_state *state, const struct message_header *header, uint32_t item_count)
{
    if (!state->is_open || header->generation != state->generation || item_count > UINT32_MAX - state->item_count)
        return -EPROTO;
    state->item_count += item_count;
    return 0;
}

int exposure_state_add_guests(struct exposure_state *state, const struct message_guests *message)
{
    struct guest_list *guests = &state->collected.guests;
    int result = count_items(state, &message->header, message->item_count);

    if (result < 0)
        return result;
    for (uint32_t i = 0; i < message->item_count && !state->error; i++) {
        if (guests->count == 2 * GUEST_SOURCES_MAX + GUEST_LIMITS_MAX)
            refuse(state, -E2BIG, "more lists and limits than are allowed");
        else if (guest_list_add(guests, &message->items[i]) < 0)
            refuse(state, -ENOMEM, "out of memory");
    }
    return 0;
}

int exposure_state_add(struct exposure_state *state, const struct message_exposures *message)
{
    int counted = count_items(state, &message->header, message->item_count);

    if (counted < 0)
        return counted;
    for (uint32_t i = 0; i < message->item_count && !state->error; i++) {
        const struct wire_exposure *item = &message->items[i];
        bool is_open = item->access == EXPOSURE_OPEN;
        size_t ports = (size_t)item->port_last - item->port_first + 1;
        const struct port_range range = {item->port_first, item->port_last,
                                         (uint8_t)protocol_index_from_protocol(item->protocol)};
        int result = -E2BIG;

        if (desired_state_count(&state->collected) + ports <= MAP_ELEMENTS_MAX)
            result = map_state_expand(is_open ? &state->collected.open : &state->collected.withheld, item);
        if (result == 0)
            result = port_ranges_add(&state->collected.ranges, &range);
        if (result == -E2BIG)
            refuse(state, result, "more map elements than are allowed");
        else if (result < 0)
            refuse(state, result, "out of memory");
    }
    return 0;
}

static void refuse_duplicate(struct exposure_state *state, size_t map_index, uint16_t port)
{
    char reason[REASON_SIZE];

    (void)snprintf(reason, sizeof(reason), "%s/%u twice for %s",
                   map_index % PROTOCOL_INDEX_MAX_ == PROTOCOL_INDEX_TCP ? "tcp" : "udp", (unsigned int)port,
                   ip_family_to_string(family_index_to_family(map_index / PROTOCOL_INDEX_MAX_)));
    refuse(state, -EEXIST, reason);
}

/* Says which port stands twice; the maps are sorted. No array in this loop: the compiler would clear it each time. */
static void refuse_duplicates(struct exposure_state *state, const struct map_state *collected)
{
    for (size_t map_index = 0; map_index < MAPS_MAX; map_index++) {
        const struct map *map = &collected->all[map_index];

        for (size_t i = 1; i < map->count; i++) {
            if (map->elements[i].port == map->elements[i - 1].port) {
                refuse_duplicate(state, map_index, map->elements[i].port);
                return;
            }
        }
    }
}

int exposure_state_commit(struct exposure_state *state, const struct message_commit *message, struct desired_state *ret,
                          char reason[REASON_SIZE])
{
    const char *broken;
    int result;

    if (!state->is_open || message->header.generation != state->generation)
        return -EPROTO;
    if (message->item_count != state->item_count)
        refuse(state, -EBADMSG, "COMMIT names another number of items than travelled");
    map_state_sort(&state->collected.open);
    map_state_sort(&state->collected.withheld);
    port_ranges_sort(&state->collected.ranges);
    refuse_duplicates(state, &state->collected.open);
    refuse_duplicates(state, &state->collected.withheld);
    broken = guest_list_check(&state->collected.guests);
    if (broken)
        refuse(state, -EINVAL, broken);
    result = state->error;
    if (result < 0) {
        text_copy_cut(reason, REASON_SIZE, state->reason);
    } else {
        *ret = state->collected;
        state->collected = (struct desired_state){0};
    }
    exposure_state_clear(state);
    return result;
}
