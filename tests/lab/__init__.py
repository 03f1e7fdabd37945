"""The lab: a Docker Engine and a small LAN on one machine, each in namespaces of its own.

Used by the command tests/lab/lab, by the fixtures in tests/e2e/conftest.py and by
compose/quickstart. Runs as root, with Debian's /usr/bin/python3 and its standard library only.
It touches neither the machine's own Docker nor its own network: everything lives in namespaces,
control groups and directories whose names carry the lab's name, so that several labs can run side
by side and `down` finds all of it again, even after a crash.

    machine.py    commands, namespaces, waiting: what the other files stand on
    roots.py      Debian root directories made by mmdebstrap, cached
    images.py     container images made from such roots (there is no registry)
    topology.py   the LAN: switch, two hosts, router, outside server
    segment.py    further LANs, for tests that put servers on them
    dhcp.py       dnsmasq and radvd on a segment; kea.py: Kea; hostile_dhcp.py: a server that lies
    dhcp_messages.py  what is in DHCP packets; host_dhcpcd.py, dhcpcd_versions.py: a host's dhcpcd, other versions of it
    engine.py     dockerd in its own root, network namespace and control group; podman.py: Podman's service
    podman_health.py  what systemd's timers do for Podman: runs health checks
    instance.py   one lab: up, down, status
    compose.py    a Compose project in the lab, as tests use it
    probe.py      what a client does: connect, send, scan, ping (also a command in the test image)
    capture.py    what passes an interface
    services.py   the echo services that containers and the outside server run
"""
