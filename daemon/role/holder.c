/* Whether a holder owns the namespace; see holder.h. Runs in the supervisor, as root. */
#include "daemon/role/holder.h"

#include "common/cleanup.h"
#include "protocol/holder.h"

#include <sys/socket.h>
#include <sys/un.h>

bool holder_is_there(void)
{
    const struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = HOLDER_NAME};
    CLEANUP_FD int socket_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    /* A datagram socket that is connected sends nothing. */
    return socket_fd >= 0 && connect(socket_fd, (const struct sockaddr *)&name, HOLDER_NAME_LENGTH) == 0;
}
