/*
 * The registry of problems (SEE-1): everything that anchord may find wrong, once. Included with PROBLEM() defined, by
 * problems.h, problems.c and metrics.c; docs/problems.md has a paragraph on each, and a test sees to it.
 *
 * PROBLEM(name, number, severity, teller, parent, visible after, title, remedy)
 *
 * A number is the code ANC####; it is never given to another one. The teller is who says whether it holds: before that
 * nobody knows. While `parent` holds it is not shown: that one is the cause. A condition that comes and goes in the
 * ordinary course of things is shown once it has held for `visible after` seconds. The remedy may name a command to
 * paste; empty: what is found says its own, for it depends on engine and network.
 *
 * CHECKED() is the same for what only `anchord doctor` or `anchord explain` looks for, when it is called: no running
 * process knows it, so that there is no metric of it, which would say 0 where nobody has looked. It comes after all
 * others.
 *
 * Numbers: 01 labels and ports, 02 the address, 03 ways, 04 Docker and repairs, 05 anchord itself; by doctor alone 06
 * the platform, 07 Compose files, 08 the proof end to end; by explain alone 09.
 */
#ifndef CHECKED
#define CHECKED(name_, number_, severity_, parent_, visible_after_, title_, remedy_) \
    PROBLEM(name_, number_, severity_, DOCTOR, parent_, visible_after_, title_, remedy_)
#endif

/* --- labels and ports --- */
PROBLEM(LABEL_INVALID, 101, ERROR, WATCHER, NONE, 0, "a label is not valid: none of the container's ports is exposed",
        "mend the label, as docs/configuration.md has it, then docker compose up -d")
PROBLEM(PORT_CONFLICT, 102, ERROR, WATCHER, NONE, 0, "a port is exposed twice: the later container is refused",
        "take the port out of one of the two labels, then docker compose up -d")
PROBLEM(TOO_MANY_PORTS, 103, ERROR, WATCHER, NONE, 0, "a container exposes more ports than the maps may still take",
        "expose less: what is in no label costs nothing")
PROBLEM(NO_ADDRESS, 104, WARNING, WATCHER, NONE, 0, "a container has no usable address on transit",
        "name the transit network under networks: of the service, then docker compose up -d")
PROBLEM(NOT_HEALTHY, 105, WARNING, WATCHER, NONE, 0, "a container is not healthy: its ports take nothing new",
        "docker inspect --format '{{json .State.Health}}' CONTAINER   # tells why")
PROBLEM(NO_HEALTH_CHECK, 106, ERROR, WATCHER, NONE, 0,
        "a container's ports wait for its health, and it has no health check",
        "give the service a healthcheck:, or take the label anchord.expose.when away")
PROBLEM(PUBLISHED_WITHHELD, 107, INFO, WATCHER, NONE, 0, "a published port is not exposed on the LAN", "")
PROBLEM(LISTS_TOO_LONG, 108, ERROR, WATCHER, NONE, 0,
        "lists and limits of all containers are too long: one is not exposed",
        "write larger networks into the label anchord.allow")
PROBLEM(NO_LISTS, 109, ERROR, WATCHER, NONE, 0, "this kernel has no lists of sources: ports with one are not exposed",
        "Linux 5.6 has them; without the label anchord.allow the port answers everybody")
PROBLEM(LIST_IN_VAIN, 110, WARNING, WATCHER, NONE, 0,
        "a list or limit names a port that is not exposed: it closes nothing",
        "name the port that clients use, not the container's own")
PROBLEM(LABEL_UNKNOWN, 111, WARNING, WATCHER, NONE, 0, "a label of anchord's is not known: it does nothing",
        "mend its name, then docker compose up -d")
PROBLEM(CONTAINER_NOT_UNDERSTOOD, 112, WARNING, WATCHER, NONE, 0, "what Docker says of a container is not understood",
        "")

/* --- the project's address --- */
PROBLEM(DUPLICATE_ADDRESS, 201, ERROR, NETWORK, NO_EXTERNAL_INTERFACE, 0,
        "another host on the LAN has the project's address",
        "give the project another address, or take it from the other host; anchord notices by itself")
PROBLEM(LEASE_REFUSED, 202, ERROR, SUPERVISOR, NO_EXTERNAL_INTERFACE, 0, "a DHCP server's lease is not taken", "")
PROBLEM(NO_LEASE, 203, ERROR, SUPERVISOR, NO_EXTERNAL_INTERFACE, 20, "no DHCP server gives the project an address",
        "docker logs NETWORK-ANCHOR   # what was asked; is there a DHCP server on this LAN, with addresses left?")
PROBLEM(INNER_ADDRESS, 204, ERROR, NETWORK, NONE, 0,
        "an address from the LAN lies in one of the project's own networks", "give that Docker network another subnet")
PROBLEM(LAN_CONTAINS_INNER, 205, WARNING, NETWORK, NONE, 0, "the LAN contains one of the project's own networks",
        "give that Docker network another subnet: the LAN's hosts with its addresses cannot be reached")
PROBLEM(FIRST_ADDRESS, 206, WARNING, WATCHER, NONE, 0, "the project has the address that is mostly the router's", "")
PROBLEM(POOL_ADDRESS, 207, WARNING, WATCHER, NONE, 0,
        "Docker chose the project's address: it may be another one tomorrow", "")
PROBLEM(IGNORES_ADVERTISEMENTS, 208, ERROR, WATCHER, NONE, 0, "router advertisements are ignored", "")
PROBLEM(IPV6_DISABLED, 209, ERROR, WATCHER, NONE, 0, "IPv6 is disabled on the interface on the LAN", "")
PROBLEM(IS_ROUTER, 210, WARNING, WATCHER, NONE, 0, "the neighbours on the LAN take the project for an IPv6 router", "")
PROBLEM(NO_EXTERNAL_INTERFACE, 211, ERROR, NETWORK, NO_NETWORK, 5, "the interface on the LAN is not there",
        "docker inspect -f '{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}{{.Config.Env}}' "
        "NETWORK-ANCHOR"
        "   # is one of its networks that of ANCHORD_EXT_NETWORK?")
PROBLEM(NOT_ANNOUNCED, 212, WARNING, SUPERVISOR, NONE, 0, "the project's addresses are not announced on the LAN",
        "cap_add: [NET_RAW] for this service, then docker compose up -d")
PROBLEM(NO_EXTERNAL_NETWORK, 213, ERROR, LOG, NONE, 0, "this container is not on the network on the LAN", "")
PROBLEM(GIVEN_ADDRESS_REFUSED, 214, ERROR, LOG, NONE, 0, "the address that was given cannot be used", "")
PROBLEM(SAME_CLIENT_ID, 215, WARNING, LOG, NONE, 0, "another DHCP client on the LAN has our name", "")

/* --- ways out and back --- */
PROBLEM(NO_GATEWAY, 301, ERROR, NETWORK, NO_LEASE, 10, "no gateway is known: nothing leaves",
        "set ANCHORD_EXT_GATEWAY_IP to the router's address")
PROBLEM(NO_GATEWAY_NAMED, 302, WARNING, WATCHER, NONE, 0, "nobody names an IPv4 router", "")
PROBLEM(ROUTES_NOT_TAKEN, 303, WARNING, NETWORK, NONE, 0, "a router advertises routes that are not taken",
        "set net.ipv6.conf.IFNAME.accept_ra_rt_info_max_plen=128 among the sysctls of the network on the LAN")
PROBLEM(FORWARDING_OFF, 304, ERROR, NETWORK, NONE, 0, "IPv6 forwarding is off: no IPv6 reaches or leaves the project",
        "sysctls: {net.ipv6.conf.all.forwarding: \"1\"} for the network-anchor's service, then docker compose up -d")
PROBLEM(TOO_MANY_INTERFACES, 305, WARNING, NETWORK, NONE, 0,
        "more interfaces than are looked at: the last are not guarded", "put fewer networks on the network-anchor")
PROBLEM(TOO_MANY_LINK_ADDRESSES, 306, WARNING, NETWORK, NONE, 0, "more addresses on an interface than are looked at",
        "take addresses away that are not needed")
PROBLEM(TOO_MANY_INNER_NETWORKS, 307, WARNING, NETWORK, NONE, 0, "more inner networks than are guarded",
        "put fewer networks on the network-anchor")
PROBLEM(NO_SHARED_INTERFACE, 308, ERROR, NETWORK, NONE, 5, "the interface on transit is not there",
        "docker network inspect NETWORK   # the shared one: is the network-anchor on it?")
PROBLEM(
    NO_WAY_OUT, 309, ERROR, SUPERVISOR, NO_GATEWAY, 15, "no route to the gateway is in place: nothing leaves",
    "docker logs of this container says what is not there; is the gateway's container running, on a network of both?")
PROBLEM(OTHER_WAY_BACK, 310, ERROR, WATCHER, NONE, 0, "replies do not come back: another network leads out", "")
PROBLEM(INTERNAL_NETWORK, 311, ERROR, WATCHER, NONE, 0, "replies do not come back: transit is internal", "")
PROBLEM(NO_WAY_BACK, 312, ERROR, WATCHER, NONE, 0, "replies do not come back: transit names no gateway", "")
PROBLEM(FOREIGN_WAY_BACK, 313, ERROR, WATCHER, NONE, 0, "replies do not come back: the gateway there is not ours", "")
PROBLEM(SERVICE_ANCHOR_STARTING, 314, INFO, WATCHER, NONE, 0, "a service-anchor is still starting", "")
PROBLEM(SERVICE_ANCHOR_UNHEALTHY, 315, ERROR, WATCHER, NONE, 0, "a service-anchor is not healthy", "")
PROBLEM(ROUTER_SILENT, 316, WARNING, LOG, NONE, 0, "a router does not answer any more", "")
PROBLEM(NO_NETWORK, 317, ERROR, SUPERVISOR, NONE, 10, "this network namespace has no interface but lo",
        "name a network under networks: of the service whose namespace it is, then docker compose up -d")
PROBLEM(NO_SHARED_NETWORK, 318, ERROR, WATCHER, NONE, 0, "this container is on no network with the backends",
        "networks: of this service need a second one, which the services with the label anchord.expose are on")
PROBLEM(NO_BACKEND_NETWORK, 319, WARNING, WATCHER, NONE, 0, "no backend on any network that could be the shared one",
        "set ANCHORD_SHARED_NETWORK, or put a service with the label anchord.expose on a network of this container")
PROBLEM(RULES_CHANGED, 320, WARNING, NETWORK, NONE, 0, "somebody else changes anchord's rules again and again",
        "docker logs of this container names the process, at \"ruleset repaired\": a second anchor, or a firewall's "
        "script?")
PROBLEM(GATEWAY_NOT_CLAIMED, 334, ERROR, LOG, NONE, 0, "somebody else has the gateway address of transit", "")
PROBLEM(TOPOLOGY_REFUSED, 335, ERROR, LOG, NONE, 0,
        "Docker names an address or subnet that the interface does not have", "")
PROBLEM(AUXILIARY_GATEWAY_REFUSED, 336, ERROR, LOG, NONE, 0, "an auxiliary gateway address is not usable", "")

/* --- what is attached --- */
PROBLEM(NO_LINK, 321, ERROR, WATCHER, NONE, 0, "there is no link to a network of the project", "")
PROBLEM(NO_BRIDGE, 322, WARNING, WATCHER, NONE, 0, "a container's default route leads over a network that is no bridge",
        "give the service a bridge network of a higher gw_priority")
PROBLEM(INTERNAL_ONLY, 323, INFO, WATCHER, NONE, 0, "a container is on internal networks only", "")
PROBLEM(NETWORK_UNKNOWN, 324, WARNING, WATCHER, NONE, 0, "Docker does not tell of a network that a container is on", "")
PROBLEM(NO_OWN_NETWORK, 325, INFO, WATCHER, NONE, 0, "a container has no network of its own", "")
PROBLEM(NAMESPACE_NOT_SERVED, 326, ERROR, WATCHER, NONE, 0, "a container does not leave by the project's address", "")
PROBLEM(ICC_DISABLED, 327, WARNING, WATCHER, NONE, 0,
        "a container's network has enable_icc=false: nothing may reach it", "")
PROBLEM(NOT_GUARDED, 328, ERROR, WATCHER, NONE, 0, "more addresses on shared networks than are guarded", "")
PROBLEM(LINKS_NOT_MADE, 329, ERROR, SUPERVISOR, NO_LINK, 10, "the links to the project's networks are not made", "")
PROBLEM(WAYS_NOT_INSTALLED, 330, ERROR, SUPERVISOR, NAMESPACE_NOT_SERVED, 10,
        "not every container has its way to the project's address", "")
PROBLEM(NO_HOST_HALF, 331, ERROR, SUPERVISOR, NONE, 5, "the host half of attach is not there",
        "docker ps -a shows its container, whose name ends in -host-1; docker start brings it back")
PROBLEM(CONTAINER_RULES, 332, WARNING, LOG, NONE, 0, "a container has routing rules of its own, which come before ours",
        "")
PROBLEM(NO_HOST_ROUTE, 333, WARNING, LOG, NONE, 0, "the host gets no route to an address of the project", "")
PROBLEM(VIA_HOST_INNER, 340, WARNING, NETWORK, NONE, 0,
        "what is to go by the host lies in a network of the project: it stays there",
        "anchord detach PROJECT, then attach it with a --via-host that does not name that network")
PROBLEM(TOO_MANY_HOST_ADDRESSES, 341, WARNING, LOG, NONE, 0, "the host has more addresses than the project reaches", "")
PROBLEM(
    NO_CONTAINER, 342, WARNING, WATCHER, DOCKER_AWAY, 30, "no container of the attached project runs",
    "docker ps -a --format '{{.Label \"com.docker.compose.project\"}}'   # is it called otherwise now? anchord detach "
    "PROJECT, then attach it by its name")

/* --- Docker and what the keeper repairs --- */
PROBLEM(DOCKER_AWAY, 401, ERROR, WATCHER, NONE, 10, "Docker cannot be read: what is exposed stays, nothing new is seen",
        "")
PROBLEM(NOT_REPAIRED, 402, ERROR, KEEPER, NONE, 0, "a container is pinned to a network namespace that is gone", "")
PROBLEM(DETACHED, 403, ERROR, KEEPER, NONE, 0, "a container is not on the network that it is to stay on", "")
PROBLEM(OWN_CONTAINER_UNKNOWN, 404, ERROR, LOG, NONE, 0, "Docker does not know the container that anchord runs in", "")
PROBLEM(NAMESPACE_LOST, 405, ERROR, LOG, NONE, 0, "the network namespace was lost: its owner has another one now",
        "docker compose up -d")
PROBLEM(GATE_REFUSED, 406, WARNING, LOG, NONE, 0, "a process of anchord's asked Docker for what it may not", "")

/* --- anchord itself --- */
PROBLEM(WORKER_AWAY, 501, ERROR, SUPERVISOR, NONE, 5, "one of anchord's processes is not there",
        "docker logs of this container tells why it ended; it is started again and again")
PROBLEM(WORKER_RESTARTS, 502, WARNING, SUPERVISOR, NONE, 0, "one of anchord's processes was restarted again and again",
        "docker logs of this container tells why it ended; please report it")
PROBLEM(RULES_NOT_LOADED, 503, ERROR, SUPERVISOR, NONE, 10, "anchord's tables are not in the kernel",
        "docker logs of this container has what the kernel refused, at \"cannot apply\"")
PROBLEM(NOTHING_APPLIED, 504, ERROR, SUPERVISOR, NONE, 10, "what Docker told has not become rules yet",
        "docker logs of this container tells what was refused")
PROBLEM(CAPABILITY_MISSING, 505, ERROR, LOG, NONE, 0, "a capability is missing", "")
PROBLEM(CONFIGURATION_INVALID, 506, ERROR, LOG, NONE, 0, "the configuration is not valid",
        "docker compose run --rm SERVICE config   # every value, where it comes from and what is wrong")
PROBLEM(NO_PLACE, 507, ERROR, LOG, NONE, 0, "there is no place for sockets or files", "tmpfs: [/run] for this service")
PROBLEM(NO_BANS, 508, WARNING, SUPERVISOR, NONE, 0, "nobody can be banned",
        "docker logs of this container has the line that is missing in Compose, at \"nobody can be banned\"")
PROBLEM(BANS_NOT_KEPT, 509, WARNING, LOG, NONE, 0, "the file of bans cannot be read or written", "")
PROBLEM(BANS_NOT_APPLIED, 510, ERROR, LOG, NONE, 0, "bans did not become rules", "")
PROBLEM(NO_METRICS, 511, WARNING, SUPERVISOR, NONE, 0, "no metrics and no health over HTTP: the port is taken",
        "set ANCHORD_METRICS_ADDR to a port that is free, or to \"\" for none")
PROBLEM(KERNEL_TOO_OLD, 512, WARNING, LOG, NONE, 0, "this kernel lacks something that anchord makes use of", "")
PROBLEM(STATE_REFUSED, 513, ERROR, WATCHER, NONE, 0,
        "a new state of the project did not become rules: the last one holds",
        "docker logs of this container has the reason, at \"refused\"")
PROBLEM(NO_MACHINE_ID, 514, ERROR, LOG, NONE, 0, "the machine has no ID", "systemd-machine-id-setup")
PROBLEM(LEFT_OVER, 515, WARNING, LOG, NONE, 0, "a stop did not finish: something of ours may be left", "")

/* --- by doctor alone: the platform (06), Compose files (07), the proof end to end (08) --- */
CHECKED(ENGINE_TOO_OLD, 601, ERROR, NONE, 0, "the Docker Engine is too old for anchord",
        "install Docker Engine 20.10 or newer: https://docs.docker.com/engine/install/")
CHECKED(ROOTLESS, 602, ERROR, NONE, 0, "Docker runs rootless: its containers cannot have an address on the LAN",
        "install Docker as root: https://docs.docker.com/engine/install/")
CHECKED(USER_NAMESPACES, 603, WARNING, NONE, 0,
        "Docker maps users (userns-remap): anchord was tried with attach there, and not as a container",
        "userns_mode: host   # in the network-anchor's service, then: docker compose up -d")
CHECKED(CAPABILITY_NOT_GIVEN, 604, WARNING, NONE, 0,
        "the network-anchor's container was not given a capability that anchord needs", "")
CHECKED(MACVLAN_WITHOUT_GATEWAY, 605, ERROR, NONE, 0,
        "the network on the LAN names no IPv4 gateway, and nothing else does",
        "ANCHORD_EXT_GATEWAY_IP: \"192.168.1.1\"   # your router, in the network-anchor's environment, then: docker "
        "compose up -d")
CHECKED(BRIDGE_NF, 606, ERROR, NONE, 0, "the host drops what comes from the LAN on an internal network",
        "sysctl -w net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0")
CHECKED(REVERSE_PATH, 607, ERROR, NONE, 0,
        "the host's firewall drops IPv6 from the LAN on its bridges: a reverse-path filter",
        "sed -i 's/^IPv6_rpfilter=.*/IPv6_rpfilter=no/' /etc/firewalld/firewalld.conf && systemctl restart firewalld")
CHECKED(OLD_FIREWALL, 608, WARNING, NONE, 0, "Docker's rules stand twice: those of an older iptables are left",
        "iptables-legacy -P FORWARD ACCEPT && iptables-legacy -F && iptables-legacy -X && iptables-legacy -t nat -F && "
        "iptables-legacy -t nat -X\n"
        "systemctl restart docker")
CHECKED(KERNEL_BEFORE_FLOOR, 609, ERROR, NONE, 0, "the kernel is too old for anchord",
        "uname -r   # Linux 4.18 or newer is needed: a newer release of the distribution, or its kernel from backports")
CHECKED(KERNEL_LACKS, 610, ERROR, KERNEL_BEFORE_FLOOR, 0, "the kernel lacks what anchord asks of it",
        "apt install linux-modules-extra-$(uname -r)   # Ubuntu; elsewhere a kernel that was built with it")
CHECKED(COMPOSE_OLD, 611, WARNING, NONE, 0, "Docker Compose is older than what some of anchord's files need",
        "install Docker Compose 2.24 or newer: https://docs.docker.com/compose/install/linux/")
CHECKED(LINK_DOWN, 621, ERROR, NO_EXTERNAL_INTERFACE, 0, "the interface on the LAN is down",
        "ip -br link   # on the host: is the parent of the macvlan UP?")
CHECKED(SMALL_MTU, 622, WARNING, NO_EXTERNAL_INTERFACE, 0,
        "the interface on the LAN takes smaller packets than IPv6 allows", "")
CHECKED(NO_PROJECT_ADDRESS, 623, ERROR, NO_LEASE, 0, "the project has no address on the LAN",
        "docker network inspect NETWORK   # that on the LAN: is the network-anchor on it?")
CHECKED(RENEWAL_FAILS, 624, WARNING, NONE, 0, "the lease of the project's address is not renewed",
        "docker logs NETWORK-ANCHOR   # what was asked; does the DHCP server run?")
CHECKED(
    GATEWAY_SILENT, 625, ERROR, LINK_DOWN, 0, "the gateway does not answer: nothing leaves",
    "ip route show default   # on the host, of the project's LAN: names the router, whose network must be that of the "
    "project's address\n"
    "ANCHORD_EXT_GATEWAY_IP: \"192.168.1.1\"   # that router, in the network-anchor's environment, then: docker "
    "compose up -d\n"
    "anchord detach PROJECT   # where it is attached, instead; then attach it with --gateway and that router")
CHECKED(TABLES_MISSING, 641, ERROR, NO_EXTERNAL_INTERFACE, 0, "anchord's tables are not in the kernel",
        "docker restart NETWORK-ANCHOR")
CHECKED(TABLES_EDITED, 642, ERROR, NONE, 0, "somebody else has changed anchord's tables",
        "docker restart NETWORK-ANCHOR")
CHECKED(ELEMENT_MISSING, 643, ERROR, TABLES_MISSING, 0, "a port that the anchor exposes is not in the kernel's map",
        "docker restart NETWORK-ANCHOR")
CHECKED(FOREIGN_TABLE, 644, ERROR, NONE, 0, "somebody else's table drops packets in the anchor's namespace", "")
CHECKED(FORWARDING4_OFF, 645, ERROR, NONE, 0, "IPv4 forwarding is off: nothing reaches or leaves the project",
        "docker restart NETWORK-ANCHOR")
CHECKED(OTHER_DEFAULT_ROUTE, 646, WARNING, NONE, 0, "a default route leads past the LAN",
        "networks:   # take the network of that interface off the network-anchor's service, then: docker compose up -d")
CHECKED(NO_ANSWER, 661, ERROR, NONE, 0, "the anchor does not answer", "docker restart NETWORK-ANCHOR")
CHECKED(NOT_READY, 662, ERROR, NONE, 0, "the anchor is not ready", "docker logs NETWORK-ANCHOR")
CHECKED(PRIVILEGES, 663, ERROR, NONE, 0, "one of anchord's processes may do more than it should",
        "please report it in private, with the line above, as docs/security.md has it")
CHECKED(SAID_BY_ANCHOR, 664, WARNING, NONE, 0, "the anchor tells a problem without a code",
        "docker exec NETWORK-ANCHOR anchord status")

CHECKED(ANCHORD_STOPPED, 665, ERROR, NONE, 0, "a container of anchord's does not run",
        "docker logs --tail 5 CONTAINER\ndocker start CONTAINER")
CHECKED(BACKEND_STOPPED, 666, WARNING, NONE, 0, "a container whose label exposes ports does not run",
        "docker logs --tail 5 CONTAINER\ndocker start CONTAINER")

/* --- Compose files --- */
CHECKED(FILE_PORTS_LEFT, 702, WARNING, NONE, 0, "a port is still published on the host", "")
CHECKED(FILE_HOST_WAY, 703, WARNING, NONE, 0, "a service leaves with the host's address", "")
CHECKED(FILE_MASQUERADE, 704, WARNING, NONE, 0, "the host is a way out of transit, too", "")
CHECKED(FILE_INTERNAL_TRANSIT, 705, WARNING, NONE, 0, "transit is internal: some hosts drop what comes from the LAN",
        "")
CHECKED(FILE_NO_WAY_BACK6, 706, WARNING, NONE, 0, "transit names no IPv6 gateway", "")
CHECKED(FILE_OTHER_WAY_BACK, 707, WARNING, NONE, 0, "another network may give the default route", "")
CHECKED(FILE_NO_SUCH_SERVICE, 708, ERROR, NONE, 0, "network_mode names a service that is not there", "")
CHECKED(FILE_NEVER_EXPOSED, 709, ERROR, NONE, 0, "a service has a label, and can never be exposed", "")
CHECKED(FILE_REPLICAS, 710, WARNING, NONE, 0, "several containers have one label", "")
CHECKED(FILE_PORT_BY_PROFILE, 711, WARNING, NONE, 0, "a port is exposed twice, by services with profiles", "")
CHECKED(FILE_HEALTH_BY_IMAGE, 712, WARNING, NONE, 0, "ports wait for health, and the file has no health check", "")
CHECKED(FILE_NO_LAN, 713, ERROR, NONE, 0, "the network-anchor is not on the network that it is told", "")
CHECKED(FILE_LAN_UNNAMED, 714, WARNING, NONE, 0, "nothing says which network is the LAN", "")
CHECKED(FILE_LAN_NO_MACVLAN, 715, WARNING, NONE, 0, "the network on the LAN is no macvlan", "")
CHECKED(FILE_NO_TRANSIT, 716, ERROR, NONE, 0, "the network-anchor is on the LAN alone", "")
CHECKED(FILE_TWO_ANCHORS, 717, ERROR, NONE, 0, "two network-anchors look after the same containers", "")
CHECKED(FILE_ONE_TRANSIT, 718, ERROR, NONE, 0, "two network-anchors share one transit network", "")
CHECKED(FILE_SYSCTL_PLACE, 719, WARNING, NONE, 0, "a holder's sysctl stands on the network-anchor", "")
CHECKED(FILE_CAPABILITY_MISSING, 720, ERROR, NONE, 0, "a capability is missing", "")
CHECKED(FILE_CAPABILITY_USEFUL, 721, WARNING, NONE, 0, "a capability is missing that something needs", "")
CHECKED(FILE_CAPABILITY_SURPLUS, 722, WARNING, NONE, 0, "an anchord has more rights than it uses", "")
CHECKED(FILE_NO_RUN, 723, ERROR, NONE, 0, "the root is read-only, and there is no place for sockets", "")
CHECKED(FILE_NO_CONTROL, 724, WARNING, NONE, 0, "the root is read-only, and nobody can ask for the status", "")
CHECKED(FILE_NO_RESTART, 725, WARNING, NONE, 0, "nothing starts an anchord again", "")
CHECKED(FILE_NO_SOCKET, 726, ERROR, NONE, 0, "an anchord has no way to Docker", "")
CHECKED(FILE_SOCKET_SURPLUS, 727, WARNING, NONE, 0, "Docker's socket is mounted without need", "")
CHECKED(FILE_SOCKET_EXPOSED, 728, WARNING, NONE, 0, "a service that the LAN reaches has Docker's socket", "")
CHECKED(FILE_PROXY_FORBIDS, 729, ERROR, NONE, 0, "a socket proxy forbids what an anchord asks", "")
CHECKED(FILE_PROXY_WIDE, 730, WARNING, NONE, 0, "a socket proxy opens more than an anchord asks for", "")
CHECKED(FILE_PROXY_OPEN, 731, ERROR, NONE, 0, "a socket proxy is open to the LAN", "")
CHECKED(FILE_UNPINNED, 732, WARNING, NONE, 0, "the image that holds Docker's socket has no version", "")
CHECKED(FILE_NO_SERVICE_ANCHOR, 733, ERROR, NONE, 0, "applications share the network of what is no service-anchor", "")
CHECKED(FILE_STARTS_EARLY, 734, WARNING, NONE, 0, "an application does not wait for its service-anchor", "")
CHECKED(FILE_UNWATCHED, 735, WARNING, NONE, 0, "a service-anchor's health check is off", "")
CHECKED(FILE_NO_ALIAS, 736, ERROR, NONE, 0, "a service-anchor looks up a name that nobody has", "")
CHECKED(FILE_GATEWAY_PINNED, 737, WARNING, NONE, 0, "a service-anchor's gateway is no fixed address", "")
CHECKED(FILE_FOLLOWS_STRANGER, 738, WARNING, NONE, 0, "an external-rebinder follows nobody of this file", "")
CHECKED(FILE_CANNOT_FOLLOW, 739, ERROR, NONE, 0, "an external-rebinder's target has no networks of its own", "")
CHECKED(FILE_REBINDS_NOBODY, 740, WARNING, NONE, 0, "a wrap-rebinder has nobody to repair", "")
CHECKED(FILE_NO_TARGET_LABEL, 741, WARNING, NONE, 0, "nothing says whose namespace a service is to be in", "")
CHECKED(FILE_MANAGED_UNSELECTED, 742, ERROR, NONE, 0, "a managed service-anchor's label does not count", "")
CHECKED(FILE_NO_STARTER, 743, WARNING, NONE, 0, "nobody starts a held network-anchor that Docker left", "")
CHECKED(FILE_NO_LEASES, 744, WARNING, NONE, 0, "a held network-anchor's leases are not kept", "")
CHECKED(FILE_ATTACH_LABEL, 745, WARNING, NONE, 0, "a half of attach does not say which project it attaches", "")
CHECKED(FILE_NAME_TOO_LONG, 746, WARNING, NONE, 0, "a name is too long for DNS", "")
CHECKED(FILE_VARIABLE_WRONG, 747, ERROR, NONE, 0, "a variable is wrong", "")
CHECKED(FILE_VARIABLE_IGNORED, 748, WARNING, NONE, 0, "a variable is ignored", "")
CHECKED(FILE_NOTHING_EXPOSED, 749, WARNING, LABEL_UNKNOWN, 0, "no service is exposed", "")
CHECKED(FILE_NO_PARENT, 750, ERROR, NONE, 0, "the network on the LAN leads to no LAN", "")

/* --- the proof end to end --- */
CHECKED(CLOSED_PORT, 801, ERROR, NONE, 0, "nobody listens in the container at a port that is exposed",
        "docker logs CONTAINER\nnsenter -t $(docker inspect -f '{{.State.Pid}}' CONTAINER) -n ss -ltnu   # who listens")
CHECKED(LOOPBACK_ONLY, 802, ERROR, NONE, 0, "a service listens on 127.0.0.1 in its container alone",
        "let the application listen on 0.0.0.0 and ::, mostly a setting called bind or listen")
CHECKED(NO_ANSWER_INSIDE, 803, ERROR, NONE, 0, "a container does not answer the network-anchor", "")
CHECKED(ANSWER_ELSEWHERE, 804, ERROR, NONE, 0, "a container's answers to the LAN do not come back to anchord", "")
CHECKED(BRIDGE_FILTER, 805, ERROR, BRIDGE_NF, 0, "the host's firewall drops what goes over the project's own bridge",
        "sysctl -w net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0")
CHECKED(REVERSE_FILTER, 806, ERROR, REVERSE_PATH, 0, "the host's IPv6 reverse-path filter drops bridged packets",
        "sysctl -w net.bridge.bridge-nf-call-ip6tables=0")
CHECKED(FOREIGN_DROP, 807, ERROR, NONE, 0, "packets between the LAN and a container vanish on their way", "")
CHECKED(NO_HAIRPIN, 808, ERROR, NONE, 0, "the project does not reach its own address", "")
CHECKED(LEAVES_ELSEWHERE, 809, ERROR, NONE, 0, "a container does not leave by the project's address", "")
CHECKED(NOTHING_BEYOND, 810, ERROR, NONE, 0, "what a container sends does not get beyond the network-anchor", "")
CHECKED(PATH_MTU, 811, ERROR, NONE, 0, "large packets vanish on their way out", "")
CHECKED(RESOLVER_SILENT, 812, ERROR, NONE, 0, "Docker's resolver does not answer in a container",
        "docker restart CONTAINER   # puts its rules back; until then no name is found there")
CHECKED(NOT_FROM_LAN, 813, ERROR, NONE, 0, "a port does not answer from the LAN, though it does from inside", "")
CHECKED(SOURCE_LOST, 814, WARNING, NONE, 0, "a service does not see its clients' own addresses", "")

/* --- what explain finds to stop a connection, as it is meant to --- */
CHECKED(NOT_EXPOSED, 901, ERROR, NONE, 0, "no container's label exposes the port: clients are refused",
        "labels: {anchord.expose: \"tcp/25\"}   # of the service that is meant, then: docker compose up -d")
CHECKED(SOURCE_BANNED, 902, ERROR, NONE, 0, "the other end is banned", "anchord ban list   # until when, and why")
CHECKED(SOURCE_NOT_ALLOWED, 903, ERROR, NONE, 0, "the port answers some sources alone, and this is none of them",
        "put its network into the label anchord.allow of the service, then: docker compose up -d")
CHECKED(ISOLATED, 904, ERROR, NONE, 0, "only exposed ports lead in, and only the LAN is led out to",
        "ask for the project's own address, and expose the port by the label anchord.expose")
CHECKED(FORGED_SOURCE, 905, ERROR, NONE, 0, "a source of the project's own comes from outside", "")
CHECKED(UNTRACED_DROP, 906, ERROR, NONE, 0, "a packet comes in and is not sent on, and no rule drops it",
        "anchord doctor   # looks at routes and addresses")

#undef CHECKED
