/* Tells a new watcher what our maps hold; see map_report.h. Runs in anchord-netadmin. */
#include "workers/netadmin/map_report.h"

#include "protocol/metrics.h"
#include "protocol/state_sender.h"

/* One report on one channel: its generation says nothing. */
#define GENERATION 1

static const struct state_form form = {MESSAGE_MAP_BEGIN, MESSAGE_MAP_ITEMS, MESSAGE_MAP_COMMIT, EXPOSURES_PER_MESSAGE,
                                       sizeof(struct wire_exposure)};

/* Adds to *sent. */
static int send_state(const struct map_state *state, enum exposure_access access, struct channel *watcher, size_t *sent)
{
    CLEANUP_FREE struct wire_exposure *exposures = NULL;
    size_t count = 0;
    int result = map_state_to_exposures(state, access, &exposures, &count);

    *sent += count;
    return result < 0 ? result : state_sender_add(watcher, &form, GENERATION, exposures, count);
}

int map_report_send(const struct map_state *held, const struct map_state *withheld, struct channel *watcher)
{
    size_t sent = 0;
    int result = state_sender_begin(watcher, &form, GENERATION);

    if (result == 0)
        result = send_state(held, EXPOSURE_OPEN, watcher, &sent);
    if (result == 0)
        result = send_state(withheld, EXPOSURE_WITHHELD, watcher, &sent);
    return result < 0 ? result : state_sender_commit(watcher, &form, GENERATION, sent);
}

void map_report_count(const struct map_state *held)
{
    for (size_t family = 0; family < FAMILY_INDEX_MAX_; family++) {
        for (size_t protocol = 0; protocol < PROTOCOL_INDEX_MAX_; protocol++)
            metrics_set(METRIC_DNAT_ENTRIES, metric_cell(family, protocol), held->maps[family][protocol].count);
    }
}
