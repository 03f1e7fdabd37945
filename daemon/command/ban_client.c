/* The conversation of `anchord ban`; see ban_client.h. Runs as whoever types it. */
#include "daemon/command/ban_client.h"

#include "common/cleanup.h"
#include "daemon/supervise/ban_socket.h"
#include "protocol/datagram.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>

/* netadmin may be at its start, or about to be started again. */
#define ANSWER_MILLISECONDS 10000

static const struct message_header nothing; /* MESSAGE_INVALID: before there is an answer */

int ban_client_open(const char *path, struct ban_client *ret)
{
    CLEANUP_FD int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    const char *given = path ? path : getenv("ANCHORD_BAN_SOCKET");
    struct sockaddr_un address;
    int result;

    if (fd < 0)
        return -errno;
    result = ban_socket_address(given && given[0] ? given : NULL, &address);
    if (result < 0)
        return result;
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        return -errno;
    ret->fd = TAKE_FD(fd);
    return 0;
}

void ban_client_close(struct ban_client *client)
{
    close_fd(&client->fd);
}

static int converse(const struct ban_client *client, const struct message_ban_request *request,
                    const struct message_header **ret)
{
    struct pollfd waiting = {.fd = client->fd, .events = POLLIN};
    const char *reason;
    int descriptor = -1;
    int result;

    if (send(client->fd, request, sizeof(*request), MSG_NOSIGNAL) < 0)
        return -errno;
    do {
        result = poll(&waiting, 1, ANSWER_MILLISECONDS);
        if (result == 0)
            return -ETIMEDOUT;
        result = datagram_receive(client->fd, DIRECTION_BANS_TO_BANNER, ret, &descriptor, &reason);
    } while (result == 0);
    close_fd(&descriptor);
    if (result == -ENODATA)
        return -ECONNRESET; /* it was ended, or dropped us */
    return result < 0 ? result : 0;
}

int ban_client_ask(struct ban_client *client, const struct message_ban_request *request, struct message_ban_answer *ret)
{
    const struct message_header *answer = &nothing;
    int result = converse(client, request, &answer);

    if (result < 0)
        return result;
    switch (answer->type) {
    case MESSAGE_BAN_ANSWER:
        memcpy(ret, answer, sizeof(*ret));
        return 0;
    default:
        return -EBADMSG;
    }
}

/* In the list's order, which knows no kinds. */
static bool stands_behind(const struct wire_ban *ban, const struct wire_ban *last)
{
    struct wire_ban same_kind = *last;

    same_kind.kind = ban->kind;
    return wire_ban_compare(ban, &same_kind) > 0;
}

/*
 * Page after page, each behind the last one of the page before: the list may change meanwhile, and is never held whole.
 * Who answers with what was there already would have us print for ever.
 */
int ban_client_list(struct ban_client *client, ban_client_handler on_ban, void *userdata)
{
    struct message_ban_request request = {
        .header = message_header_make(MESSAGE_BAN_REQUEST, sizeof(request), 0),
        .operation = BAN_OPERATION_LIST,
    };

    for (;;) {
        const struct message_header *answer = &nothing;
        const struct message_bans_listed *listed;
        int result = converse(client, &request, &answer);

        if (result < 0)
            return result;
        switch (answer->type) {
        case MESSAGE_BANS_LISTED:
            listed = (const struct message_bans_listed *)answer;
            break;
        default: /* BAN_ANSWER: there are no more */
            return 0;
        }
        for (uint32_t i = 0; i < listed->item_count; i++) {
            if (!stands_behind(&listed->items[i].ban, &request.ban))
                return -EBADMSG;
            on_ban(&listed->items[i], userdata);
            request.ban = listed->items[i].ban;
        }
    }
}
