/*
 * What `anchord doctor files` finds in finished Compose files (SEE-2): in compose_files/bad exactly the mistakes that
 * are made there, in compose_files/good none. They are what `docker compose config --format json` of Compose 2.40
 * printed.
 */
#include "common/cleanup.h"
#include "tests/unit/lab/doctor_files.h"
#include "workers/commands/doctor/files_examine.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Where compose_files/ is: the only argument. */
static const char *directory;

struct outcome {
    char found[8192]; /* "ANC0101 services.web.labels", a line each */
    struct json_tree_error error;
    int result;
};

static void on_found(void *userdata, enum problem problem, const char *object, const char *sentence, const char *why,
                     const char *remedy)
{
    struct outcome *outcome = userdata;
    size_t length = strlen(outcome->found);
    size_t index;

    assert_return_code(problem_find(problem, &index), 0);
    assert_true(*object && *sentence && *why && *remedy);
    assert_null(strchr(sentence, '\n'));
    /* what an answer of doctor can carry (protocol/check_answer.h) */
    assert_true(strlen(object) < 128 && strlen(sentence) < 384 && strlen(why) < 512 && strlen(remedy) < 1024);
    (void)snprintf(outcome->found + length, sizeof(outcome->found) - length, "ANC%04u %s\n", (unsigned int)problem,
                   object);
}

static void examine(const char *bytes, size_t length, struct outcome *outcome)
{
    CLEANUP(arena_release) struct arena arena = {NULL, 0};
    struct files_report report = {on_found, outcome};

    outcome->found[0] = '\0';
    outcome->error.text[0] = '\0';
    outcome->result = files_examine(&arena, bytes, length, &report, &outcome->error);
}

static void examine_text(const char *text, struct outcome *outcome)
{
    examine(text, strlen(text), outcome);
}

static void examine_file(const char *kind, const char *name, struct outcome *outcome)
{
    static char bytes[256 * 1024];
    char path[4096];
    size_t length;
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/%s/%s", directory, kind, name);
    file = fopen(path, "re");
    assert_non_null(file);
    length = fread(bytes, 1, sizeof(bytes), file);
    (void)fclose(file);
    assert_in_range(length, 1, sizeof(bytes) - 1);
    examine(bytes, length, outcome);
}

static void exactly_what_is_wrong_is_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(bad_files); i++) {
        struct outcome outcome;

        examine_file("bad", bad_files[i].name, &outcome);
        assert_true(outcome.result > 0);
        if (strcmp(outcome.found, bad_files[i].expected) != 0)
            fail_msg("%s: found\n%sin place of\n%s", bad_files[i].name, outcome.found, bad_files[i].expected);
    }
}

static size_t each_file(const char *kind, void (*visit)(const char *kind, const char *name))
{
    char path[4096];
    size_t count = 0;
    DIR *files;

    (void)snprintf(path, sizeof(path), "%s/%s", directory, kind);
    files = opendir(path);
    assert_non_null(files);
    for (const struct dirent *each = readdir(files); each; each = readdir(files)) {
        if (each->d_name[0] == '.')
            continue;
        visit(kind, each->d_name);
        count++;
    }
    (void)closedir(files);
    return count;
}

static void expect_nothing(const char *kind, const char *name)
{
    struct outcome outcome;

    examine_file(kind, name, &outcome);
    assert_true(outcome.result > 0);
    if (outcome.found[0])
        fail_msg("%s: found\n%s", name, outcome.found);
}

static void nothing_is_wrong_with_what_works(void **state)
{
    (void)state;
    assert_in_range(each_file("good", expect_nothing), 10, 1000);
}

static void expect_listed(const char *kind, const char *name)
{
    size_t at = 0;

    (void)kind;
    while (at < ARRAY_LENGTH(bad_files) && strcmp(bad_files[at].name, name) != 0)
        at++;
    assert_in_range(at, 0, ARRAY_LENGTH(bad_files) - 1);
}

static void no_file_is_left_out(void **state)
{
    (void)state;
    assert_int_equal(each_file("bad", expect_listed), ARRAY_LENGTH(bad_files));
}

/* A rule that nothing trips over may be wrong for ever. */
static void every_code_of_files_is_shown(void **state)
{
    (void)state;
    for (size_t i = 0; i < PROBLEM_INDEX_MAX_; i++) {
        char line[PROBLEM_CODE_SIZE + 1];
        enum problem problem = problem_definition(i)->problem;
        bool is_shown = false;

        if (problem < 701 || problem > 799)
            continue;
        (void)snprintf(line, sizeof(line), "ANC%04u ", (unsigned int)problem % 10000U);
        for (size_t k = 0; k < ARRAY_LENGTH(bad_files); k++)
            is_shown |= strstr(bad_files[k].expected, line) != NULL;
        if (!is_shown)
            fail_msg("nothing shows %s", line);
    }
}

static void what_is_no_compose_file_is_told_where(void **state)
{
    static const struct {
        const char *text;
        const char *words;
    } cases[] = {
        {"", "it is empty"},
        {"services:\n  web: {}\n", "is it YAML?"},
        {"[]", "no JSON object"},
        {"{", "parse error"},
        {"{\"services\": {}}", "the project's name is missing"},
        {"{\"name\": \"x\"}", "no services"},
        {"{\"name\": \"x\", \"services\": {\"a\": {\"ports\": [\"80:80\"]}}}", "services.a.ports[0]"},
        {"{\"name\": \"x\", \"services\": {\"a\": {\"networks\": {\"n\": null}}}}", "services.a.networks.n"},
        {"{\"name\": \"x\",\n\"services\": {\"a\": {\"privileged\": 1}}}", "line 2, column"},
        {"{\"name\": \"x\", \"services\": {\"a\": {\"labels\": [\"anchord.expose=tcp/80\"]}}}", "services.a.labels"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct outcome outcome;

        examine_text(cases[i].text, &outcome);
        assert_int_equal(outcome.result, -EBADMSG);
        if (!strstr(outcome.error.text, cases[i].words))
            fail_msg("\"%s\": %s", cases[i].text, outcome.error.text);
    }
}

/* What a container is joined to by its name, and dollars that Compose has doubled. */
static void what_compose_writes_is_read_as_docker_reads_it(void **state)
{
    struct outcome outcome;

    (void)state;
    examine_text("{\"name\": \"x\", \"services\": {"
                 "\"a\": {\"image\": \"anchord:1\", \"command\": [\"service-anchor\"], \"restart\": \"always\","
                 " \"cap_add\": [\"CAP_NET_ADMIN\"], \"network_mode\": \"container:x-b-1\","
                 " \"environment\": {\"ANCHORD_GATEWAY_IP\": \"10.0.0.2\", \"ANCHORD_LOG_LEVEL\": \"$$x\"}},"
                 "\"b\": {\"networks\": {\"default\": null}}},"
                 "\"networks\": {\"default\": {\"name\": \"x_default\"}}}",
                 &outcome);
    assert_int_equal(outcome.result, 2);
    assert_string_equal(outcome.found, "ANC0747 services.a.environment.ANCHORD_LOG_LEVEL\n");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exactly_what_is_wrong_is_found),
        cmocka_unit_test(nothing_is_wrong_with_what_works),
        cmocka_unit_test(no_file_is_left_out),
        cmocka_unit_test(every_code_of_files_is_shown),
        cmocka_unit_test(what_is_no_compose_file_is_told_where),
        cmocka_unit_test(what_compose_writes_is_read_as_docker_reads_it),
    };

    if (argc != 2)
        return 2;
    directory = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
