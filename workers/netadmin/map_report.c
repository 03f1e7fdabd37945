/* Tells a new watcher what our maps hold; see map_report.h. Runs in anchord-netadmin. */
#include "workers/netadmin/map_report.h"

#include <string.h>

/* One report on one channel: its generation says nothing. */
#define GENERATION 1

static int send_items(const struct wire_exposure *exposures, size_t count, struct channel *watcher)
{
    union {
        struct message_exposures message;
        uint8_t bytes[sizeof(struct message_exposures) + EXPOSURES_PER_MESSAGE * sizeof(struct wire_exposure)];
    } items = {.bytes = {0}};
    size_t size = count * sizeof(*exposures);

    items.message.header = message_header_make(MESSAGE_MAP_ITEMS, sizeof(items.message) + size, GENERATION);
    items.message.item_count = (uint32_t)count;
    memcpy(items.message.items, exposures, size);
    return channel_send_message(watcher, &items.message);
}

/* Adds to *sent. */
static int send_state(const struct map_state *state, enum exposure_access access, struct channel *watcher,
                      uint32_t *sent)
{
    CLEANUP_FREE struct wire_exposure *exposures = NULL;
    size_t count = 0;
    int result = map_state_to_exposures(state, access, &exposures, &count);

    for (size_t first = 0; first < count && result == 0; first += EXPOSURES_PER_MESSAGE) {
        size_t rest = count - first;

        result = send_items(exposures + first, rest < EXPOSURES_PER_MESSAGE ? rest : EXPOSURES_PER_MESSAGE, watcher);
    }
    *sent += (uint32_t)count;
    return result;
}

int map_report_send(const struct map_state *held, const struct map_state *withheld, struct channel *watcher)
{
    struct message_begin begin = {.header = message_header_make(MESSAGE_MAP_BEGIN, sizeof(begin), GENERATION)};
    struct message_commit commit = {.header = message_header_make(MESSAGE_MAP_COMMIT, sizeof(commit), GENERATION)};
    int result = channel_send_message(watcher, &begin);

    if (result == 0)
        result = send_state(held, EXPOSURE_OPEN, watcher, &commit.item_count);
    if (result == 0)
        result = send_state(withheld, EXPOSURE_WITHHELD, watcher, &commit.item_count);
    return result < 0 ? result : channel_send_message(watcher, &commit);
}
