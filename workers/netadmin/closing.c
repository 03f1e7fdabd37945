/* Closed before the tables come and while they go; see closing.h. Runs in anchord-netadmin with CAP_NET_ADMIN. */
#include "workers/netadmin/closing.h"

#include "common/log.h"
#include "workers/netadmin/nft/nft_names.h"

void closing_begin(struct ruleset *ruleset)
{
    for (size_t i = 0; i < FAMILY_INDEX_MAX_; i++) {
        struct nft_failure failure = {0};
        int result = ruleset_close(ruleset, i, &failure);

        if (result < 0)
            log_error("cannot close the namespace until the tables are installed",
                      LOG_TEXT("operation", failure.operation), LOG_ERROR(result));
        else if (result > 0)
            log_info("closed until the tables are installed",
                     LOG_TEXT("family", ip_family_to_string(nft_families[i].family)));
    }
}

void closing_end(struct ruleset *ruleset, struct network *network, bool is_left_closed)
{
    struct nft_failure failure = {0};
    int result = ruleset_remove(ruleset, true, &failure);

    if (result < 0)
        log_error("nat teardown", LOG_TEXT("operation", failure.operation), LOG_ERROR(result));
    result = network_tear_down(network);
    if (result < 0)
        log_error("nat teardown", LOG_TEXT("operation", "remove routes, rules and claimed addresses"),
                  LOG_ERROR(result));
    if (is_left_closed)
        return;
    result = ruleset_remove(ruleset, false, &failure);
    if (result < 0)
        log_error("nat teardown", LOG_TEXT("operation", failure.operation), LOG_ERROR(result));
}
