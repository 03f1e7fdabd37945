/*
 * anchord-look: what Docker and the LAN say about a project that is to be attached, has been or was (HOST-1).
 *
 * Started by the commands `anchord attach`, `detach` and `list`, as whoever typed them, with no environment. It gives
 * up every right before the first foreign byte and tells what it has seen in records of one size
 * (protocol/look_records.h); the command, which runs as root, reads these alone.
 *
 *     anchord-look docker unix:///var/run/docker.sock
 *     anchord-look lan eth0 192.0.2.5 2001:db8::5
 */
#include "common/sandbox.h"
#include "workers/commands/look/look_docker.h"
#include "workers/commands/look/look_lan.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "docker") == 0)
        return look_docker(argv[2]);
    if (argc > 3 && strcmp(argv[1], "lan") == 0)
        return look_lan(argv[2], argv + 3, (size_t)argc - 3);
    (void)fputs("anchord-look: is run by anchord attach, detach and list\n", stderr);
    return EXIT_STATUS_CONFIGURATION;
}
