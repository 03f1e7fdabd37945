/* Who is banned, in our tables (GUEST-2); see ruleset.h. Runs in anchord-netadmin with CAP_NET_ADMIN. */
#include "workers/netadmin/nft/nft_bans.h"
#include "workers/netadmin/nft/nft_elements.h"
#include "workers/netadmin/nft/nft_table.h"
#include "workers/netadmin/ruleset_internal.h"

bool ruleset_must_add_bans(const struct ruleset *ruleset, const struct nft_table_content *content)
{
    bool has_sets = true;

    for (size_t set = NFT_SET_BANNED; set <= NFT_SET_BANNED_NEW_PREFIXES; set++)
        has_sets = has_sets && content->has_set[set];
    return ruleset->has_bans && (!ruleset->is_installed || !has_sets);
}

bool ruleset_fill_bans(struct ruleset *ruleset, const struct nft_family *family)
{
    CLEANUP(nft_batch_clear) struct nft_batch batch = {0};
    struct nft_failure unsaid;

    if (!nft_bans_are_many(&ruleset->bans))
        return false;
    nft_table_add_bans(&batch, family);
    return nfnl_socket_commit(ruleset->socket, &batch, &unsaid) == 0 &&
           nft_bans_replace(ruleset->socket, family, &ruleset->bans, &unsaid) == 0;
}

static int commit_bans(struct ruleset *ruleset, bool is_whole, const struct ban_list *changes,
                       struct nft_failure *failure)
{
    int result = 0;

    for (size_t i = 0; i < FAMILY_INDEX_MAX_ && result == 0; i++) {
        if (!ruleset->lacks_family[i])
            result = is_whole ? nft_bans_replace(ruleset->socket, &nft_families[i], &ruleset->bans, failure)
                              : nft_bans_change(ruleset->socket, &nft_families[i], changes, &ruleset->bans, failure);
    }
    ruleset->is_installed = result == 0;
    return result;
}

int ruleset_change_bans(struct ruleset *ruleset, bool is_whole, const struct ban_list *changes,
                        struct nft_failure *failure)
{
    static const struct ban_list none;
    struct ban_list next = {0};
    const char *reason = NULL;
    int result;

    if (!is_whole && !ruleset->has_bans)
        return ruleset_fail(failure, -EBADMSG, "changes of a list of bans that was never sent");
    result = ban_list_merge(is_whole ? &none : &ruleset->bans, changes, &next, &reason);
    if (result < 0)
        return ruleset_fail(failure, result, reason);
    ban_list_clear(&ruleset->bans);
    ruleset->bans = next;
    ruleset->has_bans = true;
    return ruleset->is_installed ? commit_bans(ruleset, is_whole, changes, failure) : 1;
}

int ruleset_read_bans(const struct ruleset *ruleset, size_t family_index, struct ban_list *ret)
{
    return nft_bans_read(ruleset->socket, &nft_families[family_index], ret);
}
