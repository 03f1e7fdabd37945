/* Where the ban socket is; see ban_socket.h. Runs in the supervisor, as root, and in `anchord ban`. */
#include "daemon/supervise/ban_socket.h"

#include "common/text.h"
#include "daemon/supervise/runtime_directory.h"

#define BAN_SOCKET_NAME "ban.sock"

int ban_socket_address(const char *path, struct sockaddr_un *ret)
{
    if (!path)
        return runtime_directory_socket(BAN_SOCKET_NAME, ret);
    ret->sun_family = AF_UNIX;
    return text_copy(ret->sun_path, sizeof(ret->sun_path), path);
}
