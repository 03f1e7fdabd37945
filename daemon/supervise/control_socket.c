/* The control socket; see control_socket.h. Runs in the supervisor, as root; the path also in the commands. */
#include "daemon/supervise/control_socket.h"

#include "daemon/supervise/runtime_directory.h"
#include "protocol/control_interface.h"

#define CONNECTIONS_WAITING_MAX 16

int control_socket_address(struct sockaddr_un *ret)
{
    return runtime_directory_socket(CONTROL_SOCKET_NAME, ret);
}

int control_socket_listen(int *ret)
{
    const struct runtime_directory_listener listener = {.type = SOCK_STREAM, .waiting_max = CONNECTIONS_WAITING_MAX};
    struct sockaddr_un address;
    int result = control_socket_address(&address);

    if (result == 0)
        result = runtime_directory_make();
    return result < 0 ? result : runtime_directory_listen(&address, &listener, ret);
}

void control_socket_remove(void)
{
    struct sockaddr_un address;

    if (control_socket_address(&address) == 0)
        (void)unlink(address.sun_path); /* a socket that stays only refuses connections */
}
