"""The pattern service-anchors (SPEC §5): the same machine on the LAN as with Direct, whatever Docker does to the
containers and the networks around it.

One running project for the tests that break nothing; the others make their own.
"""

import contextlib
import itertools
import json
import os
import re
import signal
import time

import pytest

from direct import ANCHOR, FAMILIES, mail_services
from lab import compose, images
from lab.instance import OUTSIDE_PORT
from lab.machine import CHECKOUT, wait_until
from service_anchors import INTERVAL_SECONDS, ServiceAnchors, anchor_of, service_anchor

pytestmark = pytest.mark.every_engine
_source_ports = itertools.count(23000)  # below the ephemeral ones, which may be taken
EXPOSED = (("tcp", 25, "smtp"), ("tcp", 80, "web"), ("udp", 443, "web"), ("tcp", 53, "dns"), ("udp", 53, "dns"))


def running(request, lab, services, hint):
    made = ServiceAnchors(lab, services, metrics=True, name=compose.unique_name(hint))
    with compose.discarded_afterwards(request, made):
        yield made.ready()


@pytest.fixture(scope="module")
def mail(request, lab, anchord_image):
    yield from running(request, lab, mail_services(), "anchored")


@pytest.fixture
def fragile(request, lab, anchord_image):
    """A project of its own, for a test that breaks it."""
    yield from running(request, lab, mail_services(), "fragile")


def leaves_as_project(mail, name, family, proto="tcp"):
    outside = mail.lab.outside.addresses[FAMILIES.index(family)]
    answer = mail.probe(name, proto, outside, OUTSIDE_PORT, timeout=0.5).split()
    return len(answer) == 3 and answer[1] == mail.at(family)


def status(mail):
    return json.loads(mail.exec(ANCHOR, "anchord", "status", "--json").stdout)


def started_at(mail, *names):
    return {name: mail.inspect(name)["State"]["StartedAt"] for name in names}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("proto,port,name", EXPOSED)
def test_service_sees_the_clients_real_address_and_port(lab, mail, each_bridge_filter, family, proto, port, name):
    """NAT-1, NAT-2 with the label on the service-anchor."""
    for client in (lab.lanhost1, lab.outside):
        address, source_port = client.addresses[FAMILIES.index(family)], next(_source_ports)
        assert client.probe(proto, mail.at(family), port, source_port=source_port) == f"{name} {address} {source_port}"


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("proto", ("tcp", "udp"))
def test_every_service_leaves_with_the_projects_address(mail, each_bridge_filter, family, proto):
    """NAT-8, SA-2."""
    for name in ("smtp", "web", "dns"):
        assert leaves_as_project(mail, name, family, proto)


@pytest.mark.parametrize("family", FAMILIES)
def test_closed_ports_and_hairpin(lab, mail, family):
    """NAT-9, NAT-11: one machine also from inside."""
    assert lab.lanhost1.probe("tcp", mail.at(family), 81) == "refused"
    for origin in ("smtp", "web"):
        assert mail.probe(origin, "tcp", mail.at(family), 80).startswith("web ")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_lan_host_that_routes_inside_finds_exactly_the_exposed_ports(lab, mail, each_bridge_filter, family):
    """NAT-10, NAT-11: TCP, UDP and ping; the same ports are open to a neighbour inside."""
    index, ports = FAMILIES.index(family), (22, 25, 53, 80, 443, 5432, 8080, 8443, 9090)
    inner = {name: mail.inner(name, family) for name in ("smtp", "web", "dns")}
    lab.lanhost2.add_route(mail.transit[index], mail.at(family))
    try:
        for name, address in (*inner.items(), (ANCHOR, mail.address(ANCHOR, "transit", family))):
            assert lab.lanhost2.scan_tcp(address, ports, timeout=0.3).silent == set(ports), name
            assert lab.lanhost2.scan_udp(address, ports, timeout=0.3).silent == set(ports), name
            assert lab.lanhost2.ping(address, timeout=0.3) is None, name
    finally:
        lab.lanhost2.delete_route(mail.transit[index])
    assert mail.namespace("dns").scan_tcp(inner["web"], ports).open == {8080}
    assert lab.lanhost2.scan_tcp(mail.at(family), ports).open == {25, 53, 80}


def remove(mail, anchor, name):
    """The guest first: Podman does not remove an owner before."""
    for each in (name, anchor):
        mail.compose("rm", "--stop", "--force", each)


def test_services_come_and_go_and_a_neighbours_connection_stays(lab, fragile):
    """DISC-6, NAT-4: restarted, recreated, removed; smtp's clients notice nothing."""
    pair = (anchor_of("web"), "web")
    with lab.lanhost1.connect(fragile.at(4), 25) as four, lab.lanhost1.connect(fragile.at(6), 25) as six:
        # Compose restarts web, too (depends_on: restart): it must join the new namespace.
        fragile.compose("restart", "--timeout", "0", anchor_of("web"))
        for family in FAMILIES:
            fragile.wait_answer("tcp", 80, "web", family=family, deadline=20)
        if lab.engine.suite == "podman":  # where Compose's recreation fails: it replaces the owner first
            remove(fragile, *pair)
            fragile.up("--no-deps", *pair)
        else:
            fragile.recreate(*pair)
        for family in FAMILIES:
            fragile.wait_answer("udp", 443, "web", family=family, deadline=20)
            wait_until(lambda: leaves_as_project(fragile, "web", family), 10, f"web leaves by IPv{family}")
        remove(fragile, *pair)
        for family in FAMILIES:
            fragile.wait_refused("tcp", 80, family=family)
        assert four.alive() and six.alive()


def test_disc5_a_labelled_guest_beside_a_service_anchor_with_labels(mail):
    """One namespace, three containers: the service-anchor's label and the guest's count, each for its own ports."""
    owner = mail.container(anchor_of("smtp"))
    with mail.extra_container("guest", network=f"container:{owner}", tcp="7500,7501", udp="7500",
                              expose="tcp/7500,tcp/7510:7501,udp/7500") as guest:
        for family in FAMILIES:
            for proto, port, name in (("tcp", 7500, "guest"), ("tcp", 7510, "guest"), ("udp", 7500, "guest"),
                                      ("tcp", 25, "smtp")):
                mail.wait_answer(proto, port, name, family=family)
            assert mail.elements(family, "tcp")[7510] == f"{mail.inner('smtp', family)} 7501"
        wait_until(lambda: guest in {row["container"] for row in status(mail)["exposures"]}, 10, "status shows the guest")
        assert guest not in {row["container"] for row in status(mail)["problems"]}
    for family in FAMILIES:
        mail.wait_refused("tcp", 7500, family=family)
        mail.wait_answer("tcp", 25, "smtp", family=family)


def test_a_network_that_comes_and_goes_changes_nothing_for_egress(lab, mail):
    """SA-2: docker network connect and disconnect succeed, and the way out stays."""
    name = f"{mail.name}-foreign"
    lab.docker("network", "create", name)
    try:
        for _ in range(2):
            lab.docker("network", "connect", name, mail.container(anchor_of("smtp")))
            assert all(mail.leads_to_anchor("smtp", family) and leaves_as_project(mail, "smtp", family)
                       for family in FAMILIES)
            lab.docker("network", "disconnect", name, mail.container(anchor_of("smtp")))
            assert all(leaves_as_project(mail, "smtp", family) for family in FAMILIES)
    finally:
        lab.docker("network", "rm", name)


def test_a_plain_start_counts_one_change_of_the_route(fragile):
    """SPEC 7: of each family, by each service-anchor and by the network-anchor; and the histogram's bounds are written as
    Prometheus's own client writes them."""
    for name in (ANCHOR, anchor_of("smtp"), anchor_of("web")):
        for family in FAMILIES:
            assert leaves_as_project(fragile, "smtp", family)
            assert fragile.metric(name, f'anchord_gateway_route_replaces_total{{family="v{family}"}}') == 1, name
    page = fragile.http(ANCHOR, "/metrics")
    bounds = set(re.findall(r'_bucket\{le="([^"]+)"', page))
    assert "1" in bounds and not [bound for bound in bounds if re.fullmatch(r".*\.[0-9]*0|[0-9]+\.", bound)], bounds


def test_a_recreated_anchor_with_another_address_is_followed(lab, fragile, figure):
    """SA-5: every service answers again within the interval and a second, and nobody else was touched."""
    names = [each for name in ("smtp", "web", "dns") for each in (name, anchor_of(name))]
    before, old = started_at(fragile, *names), fragile.address(ANCHOR, "transit")
    # Somebody else takes the anchor's address while it is away.
    fragile.compose("rm", "--stop", "--force", ANCHOR)
    lab.docker("run", "--detach", "--name", f"{fragile.name}-thief", "--network", f"{fragile.name}_transit", "--ip", old,
               images.SERVICES, "services", "--name", "thief")
    try:
        fragile.up(ANCHOR, "--no-deps")
        start = fragile.wait_record("anchord ready") and time.monotonic()
        for family in FAMILIES:
            for name in ("smtp", "web", "dns"):
                wait_until(lambda: leaves_as_project(fragile, name, family), 10, f"{name} leaves by IPv{family}")
        seconds = time.monotonic() - start
        figure(f"healed {seconds:.1f} s after the new anchor was ready")
        assert fragile.address(ANCHOR, "transit") != old
        assert seconds < INTERVAL_SECONDS + 2  # and a second for six probes of half a second
        assert started_at(fragile, *names) == before
    finally:
        lab.docker("rm", "--force", f"{fragile.name}-thief")


@pytest.mark.parametrize("name", ("anchord-way", "anchord-resolver", "anchord-control", "anchord"))
def test_a_killed_process_of_a_service_anchor_costs_no_packet(lab, mail, name, figure):
    """SA-2, NAT-14: kill -9; routes and rules stay, and the successor changes nothing."""
    anchor = anchor_of("smtp")
    before = mail.processes(anchor)
    counts = [mail.metric(anchor, f'anchord_gateway_route_replaces_total{{family="v{family}"}}') for family in FAMILIES]
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(lab.lanhost1.connect(mail.at(family), 25)) for family in FAMILIES]
        outward = [stack.enter_context(mail.namespace("smtp").connect(address, OUTSIDE_PORT))
                   for address in lab.outside.addresses]
        pinger = stack.enter_context(mail.namespace("smtp").udp_pinger(lab.outside.ipv4, OUTSIDE_PORT, rate=100))
        wait_until(lambda: pinger.replies, 5, "first answer")
        start = time.monotonic()
        os.kill(before[name], signal.SIGKILL)
        wait_until(lambda: mail.processes(anchor).get(name) not in (None, before[name]), 15, f"a new {name}")
        figure(f"new process after {(time.monotonic() - start) * 1000:.0f} ms")
        wait_until(lambda: mail.exec(anchor, "anchord", "healthcheck", check=False).returncode == 0, 15, "healthy again")
        assert all(connection.alive() for connection in (*connections, *outward))
        sent = pinger.sent
        wait_until(lambda: pinger.replies[-1][0] >= sent, 5, "answer to the latest datagram")
        assert {sequence for sequence, _, _ in list(pinger.replies)} >= set(range(sent))
        assert pinger.errors == []
    assert all(leaves_as_project(mail, "smtp", family) for family in FAMILIES)
    assert counts == [mail.metric(anchor, f'anchord_gateway_route_replaces_total{{family="v{family}"}}')
                      for family in FAMILIES]


def test_without_the_anchor_nothing_leaves_another_way(lab, fragile):
    """SA-2: fail closed; what the host would forward is looked for on its way out."""
    outside = {lab.outside.ipv4, lab.outside.ipv6}
    with lab.host("engine").capture("uplink") as seen:
        fragile.compose("stop", ANCHOR)
        for family in FAMILIES:
            assert not leaves_as_project(fragile, "smtp", family)
        lab.docker("network", "create", f"{fragile.name}-foreign")
        lab.docker("network", "connect", f"{fragile.name}-foreign", fragile.container(anchor_of("smtp")))
        for family in FAMILIES:
            assert not leaves_as_project(fragile, "smtp", family)
        lab.docker("network", "disconnect", f"{fragile.name}-foreign", fragile.container(anchor_of("smtp")))
        lab.docker("network", "rm", f"{fragile.name}-foreign")
    assert not [packet for packet in seen.packets if packet.destination in outside]


def test_a_stop_gives_dockers_routes_back(fragile):
    """SA-4, in a joined namespace."""
    own = fragile.namespace("web")
    fragile.signal(anchor_of("web"), "SIGTERM")
    wait_until(lambda: fragile.state(anchor_of("web")) != "running", 5, "the service-anchor has ended")
    for family in FAMILIES:
        rules = own.run(["ip", f"-{family}", "rule"]).stdout
        assert "24942" not in rules and "suppress_prefixlength" not in rules


@pytest.fixture
def wrapped(request, lab, fragile):
    """A container of another project on fragile's transit, joined by a service-anchor: `container:`."""
    name = f"{fragile.name}-target"
    joined = f"{fragile.name}-joined"
    lab.docker("run", "--detach", "--name", name, "--network", f"{fragile.name}_transit", images.SERVICES, "services",
               "--name", "target", "--tcp", "7100")
    lab.docker("run", "--detach", "--name", joined, "--network", f"container:{name}", "--restart", "unless-stopped",
               "--cap-drop", "ALL", *(word for capability in service_anchor()["cap_add"]
                                      for word in ("--cap-add", capability)),
               "--env", f"ANCHORD_GATEWAY_RESOLVE_INTERVAL={INTERVAL_SECONDS}s", service_anchor()["image"],
               "service-anchor")
    yield lab, fragile, name, joined
    for container in (joined, name):
        if request.session.testsfailed:
            print(container, lab.docker("logs", container, check=False).stdout)
        lab.docker("rm", "--force", container)


def target_leaves(lab, mail, name):
    try:
        answers = [lab.container_namespace(name).probe("tcp", address, OUTSIDE_PORT, timeout=0.5).split()
                   for address in lab.outside.addresses]
    except Exception:  # it has no namespace while it starts
        return False
    return [answer[1:2] for answer in answers] == [[mail.at(family)] for family in FAMILIES]


def test_a_joined_namespace(wrapped):
    """SA-3, SA-4: the target leaves with the project's address; SIGTERM gives Docker's routes back at once."""
    lab, mail, name, joined = wrapped
    wait_until(lambda: target_leaves(lab, mail, name), 10, "the target leaves with the project's address")
    lab.docker("stop", joined)
    rules = lab.container_namespace(name).run(["ip", "rule"]).stdout
    assert "24942" not in rules
    assert json.loads(lab.docker("inspect", joined).stdout)[0]["State"]["ExitCode"] == 0


@pytest.mark.parametrize("deed", (["restart"], ["stop", "start"]), ids=" ".join)
def test_a_restarted_target_is_joined_again(wrapped, deed, figure):
    """SA-6: exit 75, the restart policy joins the right namespace, without a hand."""
    lab, mail, name, joined = wrapped
    wait_until(lambda: target_leaves(lab, mail, name), 10, "the target leaves with the project's address")
    for word in deed:
        lab.docker(word, *(["--time", "0"] if word != "start" else []), name)
    start = time.monotonic()
    wait_until(lambda: target_leaves(lab, mail, name), 15, "the target leaves with the project's address again")
    figure(f"healed {time.monotonic() - start:.1f} s after docker {' and '.join(deed)}")


def test_the_services_wait_for_their_way_out(mail):
    """SPEC §8: depends_on with condition service_healthy; the application starts after its anchor is ready."""
    for name in ("smtp", "web", "dns"):
        health = mail.inspect(anchor_of(name))["State"]["Health"]
        assert health["Status"] == "healthy"
        ready = mail.records("anchord ready", service=anchor_of(name))[0]["time"]
        assert mail.inspect(name)["State"]["StartedAt"][:19] >= ready[:19]


def test_the_example_as_shipped(lab, project, anchord_image):
    """compose/example-service-anchors.yaml: both services answer on the one address and leave with it."""
    example = project(CHECKOUT / "compose" / "example-service-anchors.yaml", name="anchored")
    for family, address in zip(FAMILIES, ("10.99.0.20", "fd99::20")):
        for port in (80, 8081):
            wait_until(lambda: lab.lanhost1.scan_tcp(address, [port]).open == {port}, 20, f"{address} port {port}")
        outside = lab.outside.addresses[FAMILIES.index(family)]
        for name in ("web", "files"):
            assert example.probe(name, "tcp", outside, OUTSIDE_PORT).split()[1] == address
