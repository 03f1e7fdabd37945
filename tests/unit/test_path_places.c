/* Unit tests of where the group `path` of anchord doctor tries connections from. */
#include "daemon/command/path_places.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>

#include <cmocka.h>

/* SEE-2: an anchor says which addresses its containers have. With one of the host's own it would have root try what
 * only the host reaches. */
static void the_host_is_no_place(void **state)
{
    struct path_places places = {0};
    struct stat own;

    (void)state;
    assert_int_equal(stat("/proc/self/ns/net", &own), 0);
    assert_int_equal(path_places_read(&places), 0);
    for (size_t i = 0; i < places.count; i++)
        assert_true(places.places[i].inode != own.st_ino);
    path_places_release(&places);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_host_is_no_place)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
