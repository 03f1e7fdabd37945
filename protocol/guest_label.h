/*
 * The labels `anchord.allow` (GUEST-1) and `anchord.limit` (GUEST-3) as values, and ANCHORD_ALLOW and ANCHORD_LIMIT,
 * which say the same of an attached project (GUEST-5): the one place of their grammar.
 *
 * Called by the watcher for each new container, and by the supervisor, which refuses a wrong variable before anything
 * starts. Pure; reads what anybody may write into a Compose file; no privilege. A fuzz target.
 *
 *     label   = [ item *( "," item ) ]       white space may stand around every token; words in any case
 *     item    = [ service ":" ] ( allow / limit )       the service in variables, and only there
 *     allow   = proto "/" port [ "-" port ] "from" source *( source )
 *     limit   = proto "/" port number "/" ( "second" / "minute" ) "per" "source" [ "burst" number ]
 *     proto   = "tcp" / "udp"
 *     source  = address [ "/" prefix-length ]           IPv4 or IPv6, no bits behind the prefix
 *     number  = 1 … 65535, as a port
 *
 * A port that several items of `allow` name answers the sources of all of them; of `limit`, it is an error.
 */
#pragma once

#include "protocol/guest_list.h"

#define GUEST_BURST_DEFAULT 5

struct guest_error {
    size_t position; /* of the byte where the fault begins, counted from 1 */
    const char *reason;
};

/*
 * Parses `text`, of which `which` says the kind, and appends what it says to *ret, sorted, as guest_list_check() wants
 * it. With a service it is a variable's: what it says of that one. Returns 0; -EINVAL with *ret_error, or -ENOMEM; *ret
 * is cleared then.
 */
int guest_label_parse(const char *text, enum guest_text which, const char *service, struct guest_list *ret,
                      struct guest_error *ret_error) __attribute__((warn_unused_result));

/* Whether the variable has an item of the service. */
bool guest_label_names_service(const char *text, const char *service);
