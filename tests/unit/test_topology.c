/*
 * Unit tests of who and where we are: own container by MAC (ADDR-10), external network (ADDR-9), the choice of the
 * shared one (DISC-4), and what keeps IPv6 from working (ADDR-14).
 */
#include "workers/watcher/topology.h"

#include "common/cleanup.h"
#include "common/text.h"
#include "workers/watcher/ipv6_advice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct mac_address mac(uint8_t last)
{
    return (struct mac_address){{2, 0, 0, 0, 0, last}};
}

/* Links eth0 … with the MACs 1 … `count`. */
static struct link_table make_links(uint8_t count)
{
    struct link_table table = {.count = count};

    for (uint8_t i = 0; i < count; i++) {
        table.links[i].index = i + 2U;
        table.links[i].mac = mac((uint8_t)(i + 1));
        (void)snprintf(table.links[i].name, INTERFACE_NAME_SIZE, "eth%u", i);
    }
    return table;
}

static void attach(struct docker_container *container, const char *network, uint8_t last)
{
    struct docker_endpoint *endpoint = &container->endpoints[container->endpoint_count++];

    *endpoint = (struct docker_endpoint){.network_id = "ab"};
    assert_int_equal(text_copy(endpoint->network, sizeof(endpoint->network), network), 0);
    if (last)
        endpoint->mac = mac(last);
}

static struct docker_container *make_container(const char *id)
{
    struct docker_container *container = calloc(1, sizeof(*container));

    assert_non_null(container);
    container->is_running = true;
    assert_int_equal(text_copy(container->id, sizeof(container->id), id), 0);
    return container;
}

static void own_container_is_the_one_with_our_macs(void **state)
{
    CLEANUP_FREE struct docker_container *own = make_container("aa");
    CLEANUP_FREE struct docker_container *stranger = make_container("bb");
    CLEANUP_FREE struct docker_container *joined = make_container("cc"); /* network_mode: container:… has no MAC */
    CLEANUP_FREE struct docker_container *half = make_container("dd");
    struct own_container_search search = {0};
    struct link_table links = make_links(2);

    (void)state;
    attach(own, "dmz", 1);
    attach(own, "transit", 2);
    attach(stranger, "transit", 9);
    attach(joined, "transit", 0);
    attach(half, "transit", 2);
    attach(half, "other", 9);
    own_container_consider(&search, stranger, &links);
    own_container_consider(&search, joined, &links);
    own_container_consider(&search, half, &links);
    assert_string_equal(search.best.id, "");
    own_container_consider(&search, own, &links);
    assert_string_equal(search.best.id, "aa");
    assert_int_equal(search.best.network_count, 2);
    assert_false(search.is_ambiguous);
}

static void a_stopped_container_is_not_us(void **state)
{
    CLEANUP_FREE struct docker_container *stopped = make_container("aa");
    struct own_container_search search = {0};
    struct link_table links = make_links(2);

    (void)state;
    attach(stopped, "dmz", 1);
    stopped->is_running = false;
    own_container_consider(&search, stopped, &links);
    assert_string_equal(search.best.id, "");
}

static void the_better_match_wins_and_equal_ones_are_ambiguous(void **state)
{
    CLEANUP_FREE struct docker_container *one = make_container("aa");
    CLEANUP_FREE struct docker_container *both = make_container("bb");
    CLEANUP_FREE struct docker_container *twin = make_container("cc");
    struct own_container_search search = {0};
    struct link_table links = make_links(2);

    (void)state;
    attach(one, "n", 1);
    attach(both, "n", 1);
    attach(both, "m", 2);
    attach(twin, "n", 1);
    attach(twin, "m", 2);
    own_container_consider(&search, one, &links);
    own_container_consider(&search, both, &links);
    own_container_consider(&search, one, &links);
    assert_string_equal(search.best.id, "bb");
    assert_false(search.is_ambiguous);
    own_container_consider(&search, twin, &links);
    assert_true(search.is_ambiguous);
}

/* Own networks with the MACs 1, 2 … by name. */
static struct own_container make_own(size_t count, const char *const names[])
{
    struct own_container own = {.network_count = count};

    for (size_t i = 0; i < count; i++) {
        assert_int_equal(text_copy(own.networks[i].name, sizeof(own.networks[i].name), names[i]), 0);
        own.networks[i].mac = mac((uint8_t)(i + 1));
    }
    return own;
}

static void external_is_found_by_network_or_interface(void **state)
{
    static const char *const names[] = {"transit", "dmz"};
    struct own_container own = make_own(2, names);
    struct link_table links = make_links(3);
    struct message_configure_watcher configuration = {.external_network = "dmz", .external_interface = "eth0"};
    struct topology_external external;

    (void)state;
    assert_int_equal(topology_find_external(&configuration, &own, &links, &external), 0);
    assert_string_equal(external.interface, "eth1"); /* the network wins */
    assert_int_equal(external.network, 1);
    configuration.external_network[0] = '\0';
    assert_int_equal(topology_find_external(&configuration, &own, &links, &external), 0);
    assert_int_equal(external.network, 0);
    text_copy_cut(configuration.external_interface, INTERFACE_NAME_SIZE, "eth2");
    assert_int_equal(topology_find_external(&configuration, &own, &links, &external), 0);
    assert_int_equal(external.network, -1); /* no network of Docker's */
    text_copy_cut(configuration.external_interface, INTERFACE_NAME_SIZE, "eth7");
    assert_int_equal(topology_find_external(&configuration, &own, &links, &external), -ENOENT);
    text_copy_cut(configuration.external_network, NAME_SIZE, "lan");
    assert_int_equal(topology_find_external(&configuration, &own, &links, &external), -ENOENT);
    links.count = 1; /* attached, but the link has not come yet */
    text_copy_cut(configuration.external_network, NAME_SIZE, "dmz");
    assert_int_equal(topology_find_external(&configuration, &own, &links, &external), -ENOENT);
}

static void shared_is_chosen_by_backends_name_and_alphabet(void **state)
{
    static const char *const names[] = {"dmz", "zebra", "My-TRANSIT", "apple"};
    static const struct {
        size_t backends[4];
        const char *pinned;
        int chosen;
    } cases[] = {
        {{9, 0, 0, 0}, "", 2}, /* the external one never; then the name */
        {{0, 1, 0, 0}, "", 1}, /* most backends */
        {{0, 1, 2, 3}, "", 3},          {{0, 1, 1, 1}, "", 2},
        {{0, 1, 0, 1}, "", 3},      /* the alphabet */
        {{0, 0, 5, 0}, "zebra", 1}, /* pinned */
        {{0, 0, 0, 0}, "dmz", -ENOENT}, {{0, 0, 0, 0}, "elsewhere", -ENOENT},
    };
    struct own_container own = make_own(4, names);
    struct link_table links = make_links(4);
    const struct topology_external external = {.mac = mac(1), .network = 0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        assert_int_equal(topology_choose_shared(&own, &external, &links, cases[i].pinned, cases[i].backends),
                         cases[i].chosen);
    links.count = 3; /* a network whose link is missing is no candidate */
    assert_int_equal(topology_choose_shared(&own, &external, &links, "apple", cases[2].backends), -ENOENT);
    own.network_count = 1;
    assert_int_equal(topology_choose_shared(&own, &external, &links, "", cases[0].backends), -ENOENT);
}

/* WALL-5: what is the host's must be known to be refused. */
static void a_bridge_in_a_range_has_its_first_address(void **state)
{
    static const struct {
        const char *subnet, *range, *gateway, *wanted;
    } cases[] = {
        {"10.39.0.0/24", "10.39.0.128/25", NULL, "10.39.0.128"}, {"10.39.0.0/24", "10.39.0.0/25", NULL, "10.39.0.1"},
        {"10.39.0.0/24", "10.39.0.128/25", "10.39.0.9", "-"},    {"10.39.0.0/24", NULL, NULL, "-"},
        {"fd39::/64", "fd39::8:0/112", NULL, "fd39::8:0"},       {"fd39::/64", "fd39::/112", NULL, "fd39::1"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct docker_network inspected = {.subnet_count = 1};
        struct docker_subnet *subnet = &inspected.subnets[0];
        struct wire_network shared = {.subnet_count = 1};
        char text[IP_ADDRESS_TEXT_SIZE];
        struct ip_address found;

        assert_int_equal(ip_subnet_parse(cases[i].subnet, &subnet->subnet), 0);
        if (cases[i].range)
            assert_int_equal(ip_subnet_parse(cases[i].range, &subnet->range), 0);
        if (cases[i].gateway)
            assert_int_equal(ip_address_parse(cases[i].gateway, &subnet->gateway), 0);
        topology_work_out_bridge(&shared, &inspected);
        found = wire_address_to(&shared.subnets[0].gateway);
        assert_string_equal(ip_address_format(&found, text), cases[i].wanted);
    }
}

static void errors_name_the_attached_networks(void **state)
{
    static const char *const names[] = {"dmz", "transit"};
    struct own_container own = make_own(2, names);
    char text[NETWORK_NAMES_SIZE];

    (void)state;
    assert_string_equal(topology_network_names(&own, text), "dmz, transit");
    own.network_count = 0;
    assert_string_equal(topology_network_names(&own, text), "none");
}

static void ipv6_faults_come_with_the_line_for_the_engine(void **state)
{
    struct wire_network network = {.name = "dmz", .subnet_count = 1};
    struct wire_link link = {.name = "eth1"};
    char text[REMEDY_SIZE];

    (void)state;
    network.subnets[0].address.family = IP_FAMILY_4;
    link.ipv6_flags = LINK_IPV6_FORWARDS | LINK_IPV6_ACCEPTS_RA;
    assert_int_equal(ipv6_fault_find(&link, &network), IPV6_FAULT_IS_ROUTER);
    assert_int_equal(ipv6_fault_level(IPV6_FAULT_IS_ROUTER, 46), LOG_LEVEL_WARN);
    assert_int_equal(ipv6_fault_level(IPV6_FAULT_IS_ROUTER, 45), LOG_LEVEL_INFO);
    assert_int_equal(ipv6_fault_level(IPV6_FAULT_IGNORES_RA, 45), LOG_LEVEL_ERROR);
    link.ipv6_flags = LINK_IPV6_FORWARDS;
    assert_int_equal(ipv6_fault_find(&link, &network), IPV6_FAULT_IGNORES_RA);
    link.ipv6_flags = LINK_IPV6_ACCEPTS_RA;
    assert_int_equal(ipv6_fault_find(&link, &network),
                     IPV6_FAULT_NONE); /* a host; that nothing forwards is netadmin's to report */
    link.ipv6_flags = LINK_IPV6_DISABLED;
    assert_int_equal(ipv6_fault_find(&link, &network), IPV6_FAULT_NONE); /* a network without IPv6 */
    link.ipv6_flags = LINK_IPV6_DISABLED | LINK_IPV6_IS_ASKED;
    assert_int_equal(ipv6_fault_find(&link, &network), IPV6_FAULT_DISABLED); /* and yet SLAAC is wanted */
    link.ipv6_flags = LINK_IPV6_DISABLED;
    network.subnets[0].address.family = IP_FAMILY_6;
    assert_int_equal(ipv6_fault_find(&link, &network), IPV6_FAULT_DISABLED);

    assert_string_equal(ipv6_fault_remedy(IPV6_FAULT_IGNORES_RA, 45, "eth1", "dmz", text),
                        "sysctls: {net.ipv6.conf.eth1.accept_ra: \"2\"}");
    assert_string_equal(ipv6_fault_remedy(IPV6_FAULT_IGNORES_RA, 46, "eth1", "dmz", text),
                        "networks: {dmz: {driver_opts: {com.docker.network.endpoint.sysctls: "
                        "\"net.ipv6.conf.IFNAME.forwarding=0,net.ipv6.conf.IFNAME.accept_ra=2\"}}}");
    assert_string_equal(ipv6_fault_remedy(IPV6_FAULT_IS_ROUTER, 46, "eth1", "dmz", text),
                        "networks: {dmz: {driver_opts: {com.docker.network.endpoint.sysctls: "
                        "\"net.ipv6.conf.IFNAME.forwarding=0,net.ipv6.conf.IFNAME.accept_ra=2\"}}}");
    assert_non_null(strstr(ipv6_fault_remedy(IPV6_FAULT_IS_ROUTER, 45, "eth1", "dmz", text), "none before Engine 27"));
    assert_string_equal(ipv6_fault_remedy(IPV6_FAULT_DISABLED, 41, "eth1", "dmz", text),
                        "sysctls: {net.ipv6.conf.eth1.disable_ipv6: \"0\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_container_is_the_one_with_our_macs),
        cmocka_unit_test(a_stopped_container_is_not_us),
        cmocka_unit_test(the_better_match_wins_and_equal_ones_are_ambiguous),
        cmocka_unit_test(external_is_found_by_network_or_interface),
        cmocka_unit_test(shared_is_chosen_by_backends_name_and_alphabet),
        cmocka_unit_test(a_bridge_in_a_range_has_its_first_address),
        cmocka_unit_test(errors_name_the_attached_networks),
        cmocka_unit_test(ipv6_faults_come_with_the_line_for_the_engine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
