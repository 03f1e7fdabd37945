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

int map_report_send(const struct map_state *state, struct channel *watcher)
{
    CLEANUP_FREE struct wire_exposure *exposures = NULL;
    struct message_begin begin = {.header = message_header_make(MESSAGE_MAP_BEGIN, sizeof(begin), GENERATION)};
    struct message_commit commit = {.header = message_header_make(MESSAGE_MAP_COMMIT, sizeof(commit), GENERATION)};
    size_t count = 0;
    int result = map_state_to_exposures(state, &exposures, &count);

    if (result == 0)
        result = channel_send_message(watcher, &begin);
    for (size_t first = 0; first < count && result == 0; first += EXPOSURES_PER_MESSAGE) {
        size_t rest = count - first;

        result = send_items(exposures + first, rest < EXPOSURES_PER_MESSAGE ? rest : EXPOSURES_PER_MESSAGE, watcher);
    }
    if (result < 0)
        return result;
    commit.item_count = (uint32_t)count;
    return channel_send_message(watcher, &commit);
}
