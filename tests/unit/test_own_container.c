/* Unit tests of daemon/role/own_container: the container's ID from its mounts (ADDR-10). */
#include "daemon/role/own_container.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define ID "8dfa8dfa8dfa8dfa8dfa8dfa8dfa8dfa8dfa8dfa8dfa8dfa8dfa8dfa8dfa8dfa"

static char id[CONTAINER_ID_SIZE];

static void engines_mount_files_of_the_containers_own_directory(void **state)
{
    static const char *const lines[] = {
        "611 590 254:1 /var/lib/docker/containers/" ID
        "/resolv.conf /etc/resolv.conf rw,relatime - ext4 /dev/vda1 rw\n",
        "612 590 0:40 /docker/containers/" ID "/hostname /etc/hostname rw,relatime shared:7 - zfs pool rw\n",
        "612 590 0:27 /containers/overlay-containers/" ID "/userdata/hosts /etc/hosts rw,nosuid - tmpfs tmpfs rw\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        memset(id, 0, sizeof(id));
        assert_true(own_container_read_line(lines[i], id));
        assert_string_equal(id, ID);
    }
}

static void other_mounts_tell_nothing(void **state)
{
    static const char *const lines[] = {
        "",
        "612 590 0:40\n",
        "612 590 0:40 /etc/hostname /etc/hostname rw,relatime - ext4 /dev/vda1 rw\n",
        "612 590 0:40 /docker/containers/" ID "/data /data rw,relatime - ext4 /dev/vda1 rw\n",
        "612 590 0:40 /docker/containers/" ID "0/hostname /etc/hostname rw,relatime - ext4 /dev/vda1 rw\n",
        "6 5 0:40 /docker/containers/8DFA8dfa8dfa8dfa8dfa8dfa8dfa8dfa8dfa8dfa8dfa8dfa8dfa8dfa8dfa8dfa/hosts /h\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        assert_false(own_container_read_line(lines[i], id));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(engines_mount_files_of_the_containers_own_directory),
        cmocka_unit_test(other_mounts_tell_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
