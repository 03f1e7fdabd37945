/* A connection between two workers; see join.h. Runs in the supervisor, as root. */
#include "daemon/supervise/join.h"

#include "common/log.h"
#include "protocol/channel.h"

void join_members(struct join_member one, struct join_member other)
{
    struct message_link to_one = {
        .header = message_header_make(MESSAGE_LINK, sizeof(to_one), 0),
        .peer = other.name,
    };
    struct message_link to_other = to_one;
    int ends[2];
    int result;

    if (!worker_is_running(one.worker) || !worker_is_running(other.worker))
        return;
    result = channel_make_pair(ends);
    if (result < 0) {
        log_error("cannot join the workers, restarting one of them", LOG_ERROR(result));
        worker_kill(one.worker);
        return;
    }
    to_other.peer = one.name;
    worker_send(one.worker, &to_one.header, ends[0]);
    worker_send(other.worker, &to_other.header, ends[1]);
    close_fd(&ends[0]);
    close_fd(&ends[1]);
}
