/* Unit tests of daemon/supervise/docker_socket: which group opens Docker's socket (DESIGN §6). */
#include "daemon/supervise/docker_socket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct docker_socket judge(mode_t mode, gid_t group)
{
    struct stat status = {.st_mode = mode, .st_uid = 7, .st_gid = group};

    return docker_socket_judge(&status);
}

static void takes_the_group_that_may_write(void **state)
{
    struct docker_socket socket = judge(S_IFSOCK | 0660, 998);

    (void)state;
    assert_int_equal(socket.verdict, DOCKER_SOCKET_BY_GROUP);
    assert_int_equal(socket.group, 998);
    assert_false(socket.group_is_root);
    assert_true(judge(S_IFSOCK | 0660, 0).group_is_root);
    assert_int_equal(judge(S_IFSOCK | 0660, 0).verdict, DOCKER_SOCKET_BY_GROUP);
    assert_int_equal(judge(S_IFSOCK | 0620, 998).verdict, DOCKER_SOCKET_BY_GROUP);
}

static void needs_no_group_where_all_may_connect(void **state)
{
    (void)state;
    assert_int_equal(judge(S_IFSOCK | 0666, 998).verdict, DOCKER_SOCKET_OPEN_TO_ALL);
    assert_int_equal(judge(S_IFSOCK | 0666, 65534).verdict, DOCKER_SOCKET_OPEN_TO_ALL);
}

static void refuses_what_only_root_could_open(void **state)
{
    static const struct {
        mode_t mode;
        gid_t group;
    } closed[] = {
        {S_IFSOCK | 0600, 998}, {S_IFSOCK | 0640, 998}, {S_IFSOCK | 0660, 65534},
        {S_IFDIR | 0777, 0},    {S_IFREG | 0666, 998},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(closed) / sizeof(closed[0]); i++) {
        struct docker_socket socket = judge(closed[i].mode, closed[i].group);

        assert_int_equal(socket.verdict, DOCKER_SOCKET_REFUSED);
        assert_non_null(socket.remedy);
        assert_int_equal(socket.mode, closed[i].mode & 07777);
        assert_int_equal(socket.owner, 7);
    }
}

static void tells_absent_from_remote(void **state)
{
    (void)state;
    assert_int_equal(docker_socket_examine("tcp://proxy:2375").verdict, DOCKER_SOCKET_REMOTE);
    assert_int_equal(docker_socket_examine("unix:///no/such/docker.sock").verdict, DOCKER_SOCKET_ABSENT);
    assert_string_equal(docker_socket_examine("unix:///no/such/docker.sock").path, "/no/such/docker.sock");
    assert_int_equal(docker_socket_examine("unix:///dev/null").verdict, DOCKER_SOCKET_REFUSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_the_group_that_may_write),
        cmocka_unit_test(needs_no_group_where_all_may_connect),
        cmocka_unit_test(refuses_what_only_root_could_open),
        cmocka_unit_test(tells_absent_from_remote),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
