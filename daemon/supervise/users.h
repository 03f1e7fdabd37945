/*
 * Who runs what, by number: the image has no /etc/passwd. Each is a group, too.
 *
 * Used by the supervisors of all roles when they start a worker or a DHCP client, and open what that one may use.
 */
#pragma once

#define WATCHER_USER    24941
#define NETADMIN_USER   24942
#define KEEPER_USER     24943
#define RESOLVER_USER   24944
#define ANNOUNCER_USER  24945
#define CONTROL_USER    24946
#define EXPORTER_USER   24947
#define DHCP_USER       24948 /* of dhcpcd and anchord-lease */
#define GATE_USER       24949
#define WAY_USER        24950
#define BANS_USER       24951
#define LINKS_USER      24952
#define NAMESPACES_USER 24953
