/* What our tables count (SEE-4); see ruleset.h. Runs in anchord-netadmin with CAP_NET_ADMIN. */
#include "workers/netadmin/ruleset_internal.h"

/* A dump that somebody's commit interrupts starts over, at most this often. */
#define ATTEMPTS_MAX 5

/* --- transactions ---------------------------------------------------------------------------------------- */

static int add_value(const struct port_value *value, void *userdata)
{
    return port_values_add(userdata, value);
}

int ruleset_read_removed(struct ruleset *ruleset, const struct map_state_difference differences[PORT_COUNTER_MAX_],
                         struct port_values *ret)
{
    for (size_t i = 0; i < (size_t)PORT_COUNTER_MAX_ * MAPS_MAX && !ruleset->lacks_counting; i++) {
        enum port_counter counter = (enum port_counter)(i / MAPS_MAX);
        size_t map = i % MAPS_MAX;
        const struct map *removed = &differences[counter].all[map].removed;

        /* When somebody changes them at this moment, what was told comes back with the repair. */
        if (removed->count > 0 &&
            nft_dump_counted(ruleset->socket, &nft_families[map / PROTOCOL_INDEX_MAX_], map % PROTOCOL_INDEX_MAX_,
                             counter, removed, add_value, ret) == -ENOMEM)
            return -ENOMEM;
    }
    port_values_sort(ret);
    return 0;
}

int ruleset_carry(struct ruleset *ruleset, const struct desired_state *next,
                  const struct map_state_difference differences[PORT_COUNTER_MAX_], const struct port_values *values,
                  struct port_values *ret)
{
    int result = 0;

    if (ruleset->lacks_counting)
        return 0;
    if (next)
        result = port_ledger_open(&ruleset->ledger, &next->ranges);
    return result < 0 ? result : port_ledger_carry(&ruleset->ledger, differences, values, ret);
}

int ruleset_settle(struct ruleset *ruleset, const struct nft_table_content tables[FAMILY_INDEX_MAX_])
{
    CLEANUP(port_values_clear) struct port_values all = {0};
    int result = 0;

    for (size_t i = 0; i < FAMILY_INDEX_MAX_ && result == 0; i++)
        result = port_values_add_all(&all, &tables[i].values);
    if (result == 0)
        port_ledger_settle(&ruleset->ledger, &all);
    return result;
}

/* A counter that somebody took away, or made anew, goes on where it was. */
void ruleset_note_refused(struct ruleset *ruleset, size_t family_index, const struct packet_count read[REFUSAL_MAX_])
{
    for (size_t i = 0; i < REFUSAL_MAX_; i++) {
        if (read[i].packets > ruleset->refused[family_index][i].packets)
            ruleset->refused[family_index][i] = read[i];
    }
}

/* --- reading --------------------------------------------------------------------------------------------- */

static int note_value(const struct port_value *value, void *userdata)
{
    port_ledger_note(userdata, value);
    return 0;
}

static int read_family(struct ruleset *ruleset, size_t family_index)
{
    const struct nft_family *family = &nft_families[family_index];
    struct packet_count refused[REFUSAL_MAX_];
    int result = nft_dump_refused(ruleset->socket, family, refused);

    if (result == 0)
        ruleset_note_refused(ruleset, family_index, refused);
    for (size_t i = 0; i < (size_t)PORT_COUNTER_MAX_ * PROTOCOL_INDEX_MAX_ && !ruleset->lacks_counting; i++) {
        size_t protocol = i % PROTOCOL_INDEX_MAX_;

        if (result == 0 && ruleset->held.maps[family_index][protocol].count > 0)
            result = nft_dump_counted(ruleset->socket, family, protocol, (enum port_counter)(i / PROTOCOL_INDEX_MAX_),
                                      NULL, note_value, &ruleset->ledger);
    }
    return result;
}

void ruleset_read_counters(struct ruleset *ruleset)
{
    int result = -EAGAIN;

    for (int attempt = 0; attempt < ATTEMPTS_MAX && ruleset->is_installed; attempt++) {
        result = 0;
        port_ledger_begin(&ruleset->ledger);
        for (size_t i = 0; i < FAMILY_INDEX_MAX_ && result == 0; i++) {
            if (!ruleset->lacks_family[i])
                result = read_family(ruleset, i);
        }
        if (result != -EINTR)
            break;
    }
    if (result == 0)
        port_ledger_end(&ruleset->ledger);
}

int ruleset_restore_counters(struct ruleset *ruleset, const struct metrics_port *ports, size_t count,
                             const uint64_t refused[REFUSAL_MAX_])
{
    int result = 0;

    for (size_t i = 0; i < count && result == 0; i++) {
        const struct port_range range = {ports[i].first, ports[i].last, (uint8_t)ports[i].protocol};
        const struct packet_count told[PORT_COUNTER_MAX_] = {
            [PORT_FLOWS] = {.packets = ports[i].flows},
            [PORT_TRAFFIC] = {ports[i].packets, ports[i].bytes},
        };

        if (range.protocol < PROTOCOL_INDEX_MAX_)
            result = port_ledger_restore(&ruleset->ledger, &range, told);
    }
    for (size_t i = 0; i < REFUSAL_MAX_; i++) {
        uint64_t known = ruleset_refused(ruleset, (enum refusal_reason)i);
        /* What is missing went with a table: the one that has nothing begins with it. */
        size_t family = ruleset->refused[FAMILY_INDEX_6][i].packets ? FAMILY_INDEX_4 : FAMILY_INDEX_6;

        if (refused[i] > known)
            ruleset->refused[family][i].packets += refused[i] - known;
    }
    return result;
}

const struct port_ledger *ruleset_ledger(const struct ruleset *ruleset)
{
    return &ruleset->ledger;
}

uint64_t ruleset_refused(const struct ruleset *ruleset, enum refusal_reason reason)
{
    return ruleset->refused[FAMILY_INDEX_4][reason].packets + ruleset->refused[FAMILY_INDEX_6][reason].packets;
}
