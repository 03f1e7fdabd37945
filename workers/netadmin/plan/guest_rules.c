/* What lists and limits ask of the rules; see guest_rules.h. Runs in anchord-netadmin; pure. */
#include "workers/netadmin/plan/guest_rules.h"

void guest_rules_leave_out(struct desired_state *want, const bool lacks_kind[GUEST_KIND_MAX_])
{
    struct guest_list *guests = &want->guests;
    size_t kept = 0;

    for (enum guest_kind kind = GUEST_PORTS; kind < GUEST_KIND_MAX_; kind++) {
        if (!lacks_kind[kind])
            continue;
        map_state_close(&want->open, guests, kind);
        map_state_close(&want->withheld, guests, kind);
    }
    for (size_t i = 0; i < guests->count; i++) {
        enum guest_kind needed = guests->items[i].kind == GUEST_LIMIT ? GUEST_LIMIT : GUEST_PORTS;

        if (!lacks_kind[needed])
            guests->items[kept++] = guests->items[i];
    }
    guests->count = kept;
}

bool guest_rules_need_others(const struct guest_list *have, const struct guest_list *want)
{
    size_t limits = guest_list_count(want, GUEST_LIMIT);
    bool are_others = guest_list_count(have, GUEST_LIMIT) != limits ||
                      !guest_list_count(have, GUEST_PORTS) != !guest_list_count(want, GUEST_PORTS);

    for (size_t i = 0; i < want->count && !are_others; i++)
        are_others = want->items[i].kind == GUEST_LIMIT && !guest_list_has(have, &want->items[i]);
    return are_others;
}
