/* Unit tests of what anchord-namespaces reads in /proc (workers/namespaces/process_text), HOST-10. */
#include "workers/namespaces/process_text.h"

#include "common/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define ID    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OTHER "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"

static bool is_of(const char *text)
{
    char exact[1024]; /* nothing stands behind the text */

    memcpy(exact, text, strlen(text));
    memset(exact + strlen(text), 'x', sizeof(exact) - strlen(text));
    return process_text_is_of_container(exact, strlen(text), ID);
}

static void host10_the_first_id_of_a_line_is_the_containers(void **state)
{
    static const char *const good[] = {
        "0::/docker/" ID "\n",
        "0::/docker/" ID,
        "0::/../" ID "\n",
        "0::/" ID "\n",
        "0::/system.slice/docker-" ID ".scope\n",
        "0::/machine.slice/libpod-" ID ".scope/container\n",
        "0::/libpod_parent/libpod-" ID "\n",
        "12:pids:/docker/" ID "\n11:name=systemd:/docker/" ID "\n0::/system.slice/containerd.service\n",
        "0::/docker/" ID "/docker/" OTHER "\n",
        "0::/docker/" ID "/a:b/init.scope\n",
        "0::/anchord-lab-x/" ID "\n",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
        if (!is_of(good[i]))
            fail_msg("not of the container: %s", good[i]);
    }
}

static void host10_whatever_else_is_no_container_of_that_id(void **state)
{
    static const char *const bad[] = {
        "",
        "\n",
        "0",
        "0:",
        "0::",
        "0::/",
        "0::/\n",
        ID "\n",
        "0:" ID ":/\n",
        "0:" ID "\n",
        "0::" ID "\n",
        "0::/docker/" OTHER "\n",
        "0::/docker/" OTHER "/docker/" ID "\n",
        "0::/docker/" ID "\n1:pids:/docker/" OTHER "\n",
        "1:pids:/docker/" OTHER "\n0::/docker/" ID "\n",
        "0::/docker/" ID "0\n",
        "0::/docker/0" ID "\n",
        "0::/docker/" ID " (deleted)\n",
        "0::/docker-" ID "\n",
        "0::/" ID ".scope\n",
        "0::/evil-" ID ".scope\n",
        "0::/machine.slice/libpod-conmon-" ID ".scope\n",
        "0::/docker/0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef\n",
        "0::/docker/0123456789abcdef\n",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        if (is_of(bad[i]))
            fail_msg("of the container: %s", bad[i]);
    }
}

static int start_time(const char *text, uint64_t *ret)
{
    return process_text_start_time(text, strlen(text), ret);
}

static void the_start_time_stands_behind_a_name_that_may_hold_anything(void **state)
{
    uint64_t found = 7;

    (void)state;
    assert_int_equal(start_time("17 (sleep) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20 21\n", &found), 0);
    assert_int_equal(found, 4711);
    assert_int_equal(
        start_time("17 (a) S 1 2 3 (b) 9) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4712 20\n", &found), 0);
    assert_int_equal(found, 4712);
    assert_int_equal(start_time("", &found), -EBADMSG);
    assert_int_equal(start_time("17 (sleep", &found), -EBADMSG);
    assert_int_equal(start_time("17 (sleep)", &found), -EBADMSG);
    assert_int_equal(start_time("17 (sleep) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18", &found), -EBADMSG);
    assert_int_equal(start_time("17 (sleep) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711", &found), -EBADMSG);
    assert_int_equal(start_time("17 (sleep) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 -1 20", &found), -EBADMSG);
    assert_int_equal(found, 4712);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(host10_the_first_id_of_a_line_is_the_containers),
        cmocka_unit_test(host10_whatever_else_is_no_container_of_that_id),
        cmocka_unit_test(the_start_time_stands_behind_a_name_that_may_hold_anything),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
