/* Unit tests of daemon/supervise/attached_identity: what an attached project is known by (HOST-2). */
#include "common/cleanup.h"
#include "daemon/supervise/attached_identity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define PROJECTS 2000

static const uint8_t machine[MACHINE_ID_LENGTH] = {1, 2, 3};
static const uint8_t another_machine[MACHINE_ID_LENGTH] = {1, 2, 4};

/* At a change of these every address, reservation and link of every attached project changes. */
static void is_the_same_for_good(void **state)
{
    struct attached_identity identity;

    (void)state;
    attached_identity_make(machine, "immich", &identity);
    assert_int_equal(identity.tag, UINT32_C(0xe2baa35a));
    assert_string_equal(MAC_ADDRESS_TEXT(&identity.external_mac), "36:f4:c7:f8:3a:c3");
    assert_string_equal(MAC_ADDRESS_TEXT(&identity.inner_mac), "2e:71:b9:6b:e0:2b");
    assert_string_equal(IP_ADDRESS_TEXT(&identity.next_hop), "169.254.45.208");
    assert_int_equal(identity.client_hash[0], UINT32_C(0xb5b9d1c8));
    assert_int_equal(identity.client_hash[1], UINT32_C(0x4fcf22c6));
}

/* Two machines run a project of one name, one machine runs two projects of similar names. */
static void differs_by_machine_and_by_project(void **state)
{
    struct attached_identity one, other, third;

    (void)state;
    attached_identity_make(machine, "immich", &one);
    attached_identity_make(another_machine, "immich", &other);
    attached_identity_make(machine, "immich2", &third);
    assert_false(mac_address_equal(&one.external_mac, &other.external_mac));
    assert_false(mac_address_equal(&one.external_mac, &third.external_mac));
    assert_false(mac_address_equal(&one.external_mac, &one.inner_mac));
    assert_false(ip_address_equal(&one.next_hop, &other.next_hop));
    assert_false(ip_address_equal(&one.next_hop, &third.next_hop));
    assert_int_not_equal(one.tag, other.tag);
    assert_int_not_equal(one.tag, third.tag);
    assert_memory_not_equal(one.client_hash, other.client_hash, sizeof(one.client_hash));
    assert_memory_not_equal(one.client_hash, third.client_hash, sizeof(one.client_hash));
}

static int compare_tags(const void *one, const void *other)
{
    uint32_t a = *(const uint32_t *)one, b = *(const uint32_t *)other;

    return a < b ? -1 : a > b;
}

/* IEEE 802-2014 §8.2, RFC 3927 §2.1, HOST-2. */
static void is_always_one_that_can_be(void **state)
{
    static uint32_t tags[PROJECTS];
    bool networks[256] = {false};
    size_t network_count = 0;

    (void)state;
    for (size_t i = 0; i < PROJECTS; i++) {
        struct attached_identity identity;
        const uint8_t *hop = identity.next_hop.bytes;
        char name[16];

        (void)snprintf(name, sizeof(name), "project%zu", i);
        attached_identity_make(machine, name, &identity);
        assert_int_equal(identity.external_mac.bytes[0] & 3, 2);
        assert_int_equal(identity.inner_mac.bytes[0] & 3, 2);
        assert_true(hop[0] == 169 && hop[1] == 254 && hop[2] >= 1 && hop[2] <= 254 && hop[2] != 169 && hop[2] != 170);
        network_count += networks[hop[2]] ? 0 : 1;
        networks[hop[2]] = true;
        tags[i] = identity.tag;
    }
    assert_true(network_count > 240); /* of 252: all of the range is used */
    qsort(tags, PROJECTS, sizeof(tags[0]), compare_tags);
    for (size_t i = 1; i < PROJECTS; i++)
        assert_int_not_equal(tags[i - 1], tags[i]);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_the_same_for_good),
        cmocka_unit_test(differs_by_machine_and_by_project),
        cmocka_unit_test(is_always_one_that_can_be),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
