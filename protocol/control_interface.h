/*
 * The names of the operator's interface: a D-Bus object, peer to peer over a unix socket (SPEC §9).
 *
 * anchord-control offers it, the commands `anchord status` and `anchord healthcheck` read it; no privilege.
 */
#pragma once

/* $RUNTIME_DIRECTORY (systemd.exec(5), RuntimeDirectory=) or this; a directory that only root may enter. */
#define CONTROL_DIRECTORY   "/run/anchord"
#define CONTROL_SOCKET_NAME "control.sock"

#define CONTROL_OBJECT    "/org/anchord/Anchor1"
#define CONTROL_INTERFACE "org.anchord.Anchor1"
