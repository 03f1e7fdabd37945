/* The choice among a name's addresses; see gateway_answer.h. Pure; runs in anchord-way and its tests. */
#include "workers/way/gateway_answer.h"

/* The link that is up and has `gateway` on link; else one that is down, so that its return is waited for. */
static const struct network_link *find_link_to(const struct link_table *links, const struct ip_address *gateway)
{
    const struct network_link *found = NULL;

    for (size_t i = 0; i < links->count; i++) {
        const struct network_link *link = &links->links[i];

        if (network_link_reaches(link, gateway) && (!found || (link->is_up && !found->is_up)))
            found = link;
    }
    return found;
}

struct gateway_answer gateway_answer_choose(const struct gateway_answers *answers, const struct link_table *links,
                                            const struct ip_address *current)
{
    struct gateway_answer answer = {.link = NULL};

    for (size_t i = 0; i < answers->count; i++) {
        const struct ip_address *candidate = &answers->addresses[i];
        const struct network_link *link = find_link_to(links, candidate);

        if (!link)
            continue;
        answer.on_link++;
        if (answer.link &&
            (ip_address_equal(&answer.address, current) ||
             (!ip_address_equal(candidate, current) && ip_address_compare(candidate, &answer.address) > 0)))
            continue;
        answer.address = *candidate;
        answer.link = link;
    }
    return answer;
}
