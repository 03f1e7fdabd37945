/* Unit tests of the pure parts of `anchord doctor stale-netns`: what is read, who is judged dead, the commands (SPEC
 * 9). */
#include "common/shell_word.h"
#include "common/text.h"
#include "workers/commands/doctor/remedy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static int read_text(const char *text, struct container *ret)
{
    CLEANUP_FREE char *bytes = strdup(text);
    const struct docker_document document = {bytes, strlen(bytes)};
    const char *reason = NULL;
    int result = container_read(&document, ret, &reason);

    assert_true(result == 0 || reason);
    return result;
}

static void what_is_read_of_a_container(void **state)
{
    struct container container;

    (void)state;
    assert_int_equal(
        read_text("{\"Id\":\"ab\",\"Name\":\"/mail-web-1\",\"State\":{\"Status\":\"running\",\"Running\":true,"
                  "\"StartedAt\":\"2025-11-22T15:40:00Z\"},\"HostConfig\":{\"NetworkMode\":\"container:cafe\"},"
                  "\"Config\":{\"Env\":[\"SECRET=x\"],\"Labels\":{\"com.docker.compose.project\":\"mail\","
                  "\"com.docker.compose.service\":\"web\",\"com.docker.compose.project.working_dir\":\"/srv\","
                  "\"com.docker.compose.project.config_files\":\"/srv/a.yaml,/srv/b.yaml\","
                  "\"com.docker.compose.project.environment_file\":\"/srv/.env\"}}}",
                  &container),
        0);
    assert_string_equal(container.id, "ab");
    assert_string_equal(container.name, "mail-web-1");
    assert_string_equal(container.joined, "cafe");
    assert_true(container.is_running && container.should_run && container.started > 0);
    assert_string_equal(container.origin.project, "mail");
    assert_string_equal(container.origin.service, "web");
    assert_string_equal(container.origin.files, "/srv/a.yaml,/srv/b.yaml");
    assert_string_equal(container.origin.environment_files, "/srv/.env");
}

static void what_a_container_should_do_follows_from_its_state(void **state)
{
    struct container container;

    (void)state;
    assert_int_equal(read_text("{\"Id\":\"ab\",\"Name\":\"/n\",\"State\":{\"Status\":\"created\"}}", &container), 0);
    assert_true(container.should_run && !container.is_running);
    assert_int_equal(
        read_text("{\"Id\":\"ab\",\"Name\":\"/n\",\"State\":{\"Status\":\"exited\",\"Error\":\"no such container\"}}",
                  &container),
        0);
    assert_true(container.should_run);
    assert_int_equal(
        read_text("{\"Id\":\"ab\",\"Name\":\"/n\",\"State\":{\"Status\":\"exited\",\"Error\":\"\"}}", &container), 0);
    assert_false(container.should_run); /* somebody stopped it */
    assert_string_equal(container.joined, "");
}

static void an_odd_container_is_refused_with_a_reason(void **state)
{
    static const char *const texts[] = {
        "{}",
        "{\"Id\":\"ab\"}",
        "{\"Id\":\"x y\",\"Name\":\"/n\"}",
        "{\"Id\":\"ab\",\"Name\":\"/n\",\"State\":{\"Running\":true,\"StartedAt\":\"yesterday\"}}",
    };
    struct container container;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        assert_int_equal(read_text(texts[i], &container), -EBADMSG);
}

/* A label is anybody's: what Compose would not take for a name is none, and no option of a command. */
static void labels_that_compose_did_not_write_do_not_count(void **state)
{
    static const char *const labels[] = {
        "\"com.docker.compose.project\":\"mail\"",
        "\"com.docker.compose.project\":\"mail\",\"com.docker.compose.service\":\"--volumes\"",
        "\"com.docker.compose.project\":\"m;reboot\",\"com.docker.compose.service\":\"web\"",
        ("\"com.docker.compose.project\":\"mail\",\"com.docker.compose.service\":\"web\","
         "\"com.docker.compose.oneoff\":\"True\""),
    };
    char text[512];
    struct container container;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(labels); i++) {
        (void)snprintf(text, sizeof(text), "{\"Id\":\"ab\",\"Name\":\"/n\",\"Config\":{\"Labels\":{%s}}}", labels[i]);
        assert_int_equal(read_text(text, &container), 0);
        assert_string_equal(container.origin.project, "");
    }
}

static void who_is_in_a_dead_namespace(void **state)
{
    const struct container alone = {.is_running = true};
    const struct container dependent = {.is_running = true, .started = 10, .joined = "cafe"};
    const struct container resting = {.joined = "cafe"};
    const struct container earlier = {.is_running = true, .started = 9};
    const struct container later = {.is_running = true, .started = 11};
    const struct container stopped = {.started = 9};

    (void)state;
    assert_int_equal(container_judge(&alone, NULL, 20), NAMESPACE_ALIVE);
    assert_int_equal(container_judge(&dependent, &earlier, 20), NAMESPACE_ALIVE);
    assert_int_equal(container_judge(&dependent, NULL, 20), NAMESPACE_GONE);
    assert_int_equal(container_judge(&dependent, &stopped, 20), NAMESPACE_STOPPED);
    assert_int_equal(container_judge(&dependent, &later, 20), NAMESPACE_RESTARTED);
    assert_int_equal(container_judge(&dependent, &later, 11), NAMESPACE_RESTARTED);
    assert_int_equal(container_judge(&dependent, &later, 10), NAMESPACE_UNKNOWN); /* the clock was set back */
    assert_int_equal(container_judge(&dependent, &earlier, 9), NAMESPACE_UNKNOWN);
    assert_int_equal(container_judge(&dependent, NULL, 9), NAMESPACE_GONE);
    assert_int_equal(container_judge(&resting, &later, 20), NAMESPACE_ALIVE); /* joins anew when it starts */
    assert_int_equal(container_judge(&resting, NULL, 20), NAMESPACE_GONE);    /* can never start again */
}

static struct container composed(const char *project, const char *service, bool should_run)
{
    struct container container = {.id = "ab", .is_running = should_run, .should_run = should_run, .joined = "cafe"};

    (void)snprintf(container.name, sizeof(container.name), "%s-%s-1", project, service);
    text_copy_cut(container.origin.project, sizeof(container.origin.project), project);
    text_copy_cut(container.origin.service, sizeof(container.origin.service), service);
    text_copy_cut(container.origin.files, sizeof(container.origin.files), "/srv/a.yaml,/srv/b c.yaml");
    text_copy_cut(container.origin.working_directory, sizeof(container.origin.working_directory), "/srv");
    return container;
}

/* `expected` ends with NULL. */
static void assert_commands(const struct owner_findings *owner, const char *const expected[])
{
    CLEANUP(remedies_release) struct remedies remedies = {0};
    size_t count = 0;

    assert_int_equal(remedies_make(owner, &remedies), 0);
    while (expected[count])
        count++;
    assert_int_equal(remedies.count, count);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(remedies.list[i].command, expected[i]);
}

static void one_command_for_each_project_and_one_for_the_others(void **state)
{
    struct container dependents[] = {
        composed("mail", "web", true),
        {.id = "ab", .name = "batch", .is_running = true, .joined = "cafe"},
        composed("shop", "db", true),
        composed("mail", "imap", true),
        composed("mail", "web", true),   /* its second replica */
        composed("mail", "cron", false), /* somebody stopped it: it stays so */
        {.id = "cd", .name = "-v", .joined = "cafe"},
    };
    const struct owner_findings owner = {"cafe", NULL, NAMESPACE_GONE, dependents, ARRAY_LENGTH(dependents)};
    static const char *const expected[] = {
        "docker compose -p mail --project-directory /srv -f /srv/a.yaml -f '/srv/b c.yaml' up -d --no-deps "
        "--force-recreate web imap",
        "docker compose -p shop --project-directory /srv -f /srv/a.yaml -f '/srv/b c.yaml' up -d --no-deps "
        "--force-recreate db",
        "docker compose -p mail --project-directory /srv -f /srv/a.yaml -f '/srv/b c.yaml' up --no-start --no-deps "
        "--force-recreate cron",
        "docker rm --force batch cd",
        NULL,
    };

    (void)state;
    assert_commands(&owner, expected);
}

static void a_project_without_a_file_is_said_to_have_none(void **state)
{
    struct container dependent = composed("mail", "web", true);
    const struct owner_findings owner = {"cafe", NULL, NAMESPACE_GONE, &dependent, 1};
    static const char *const expected[] = {
        "docker compose -p mail --project-directory /srv --env-file /srv/x.env up -d --no-deps --force-recreate web",
        NULL,
    };
    CLEANUP(remedies_release) struct remedies remedies = {0};

    (void)state;
    text_copy_cut(dependent.origin.files, sizeof(dependent.origin.files), "-");
    text_copy_cut(dependent.origin.environment_files, sizeof(dependent.origin.environment_files), "/srv/x.env");
    assert_commands(&owner, expected);
    assert_int_equal(remedies_make(&owner, &remedies), 0);
    assert_non_null(strstr(remedies.list[0].note, "add -f FILE"));
}

static void an_owner_that_is_still_there_needs_a_restart_only(void **state)
{
    struct container there = {.id = "ef", .name = "owner"};
    struct container dependents[] = {composed("mail", "web", true), {.id = "ab", .name = "batch"}};
    struct owner_findings owner = {"cafe", &there, NAMESPACE_RESTARTED, dependents, ARRAY_LENGTH(dependents)};
    static const char *const restart[] = {"docker restart mail-web-1 batch", NULL};
    static const char *const start[] = {"docker start owner && docker restart mail-web-1 batch", NULL};

    (void)state;
    assert_commands(&owner, restart);
    owner.fate = NAMESPACE_STOPPED;
    assert_commands(&owner, start);
}

static void a_word_is_quoted_when_it_has_to_be(void **state)
{
    static const struct {
        const char *text;
        const char *word;
    } cases[] = {
        {"plain-1.2_3/:@%+,", "plain-1.2_3/:@%+,"},
        {"", "''"},
        {"a b", "'a b'"},
        {"$(reboot)`x`\"\\", "'$(reboot)`x`\"\\'"},
        {"it's", "'it'\\''s'"},
        {"~", "'~'"},
        {"a\nb", "$'a\\012b'"},
        {"\033[2J'\\", "$'\\033[2J\\'\\\\'"},
        {"\u00fc9", "$'\\303\\2749'"},
        {"\u202e", "$'\\342\\200\\256'"}, /* right-to-left override: a command must be what it looks like */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        CLEANUP_FREE char *text = NULL;
        size_t length = 0;
        FILE *stream = open_memstream(&text, &length);

        assert_non_null(stream);
        shell_word_write(stream, cases[i].text);
        assert_int_equal(fclose(stream), 0);
        assert_string_equal(text, cases[i].word);
        assert_string_equal(SHELL_WORD(cases[i].text), cases[i].word);
    }
}

static void a_word_is_whole_and_no_option(void **state)
{
    char text[SHELL_WORD_SIZE] = {0};

    (void)state;
    assert_string_equal(SHELL_WORD("-v/:/host"), "''");
    memset(text, ' ', sizeof(text) - 2);
    assert_string_equal(SHELL_WORD(text), "''");
    text[sizeof(text) - 3] = '\0';
    assert_int_equal(strlen(SHELL_WORD(text)), sizeof(text) - 1);
    memset(text, '-', sizeof(text) - 1);
    text[0] = 'a';
    assert_string_equal(SHELL_WORD(text), text);
}

static void findings_are_kept_by_owner(void **state)
{
    CLEANUP(findings_release) struct findings findings = {0};
    const struct container there = {.id = "ef", .name = "owner"};
    const struct container dependent = {.id = "ab", .name = "n", .joined = "cafe"};

    (void)state;
    assert_null(findings_find_owner(&findings, "cafe"));
    assert_int_equal(findings_add_owner(&findings, "cafe", NULL), 0);
    assert_int_equal(findings_add_owner(&findings, "ef", &there), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(findings_add(&findings, findings_find_owner(&findings, "cafe"), &dependent, NAMESPACE_GONE),
                         0);
    assert_int_equal(findings.dependent_count, 3);
    assert_int_equal(findings.owners[0].dependent_count, 3);
    assert_int_equal(findings.owners[1].dependent_count, 0);
    assert_string_equal(findings_find_owner(&findings, "ef")->owner->name, "owner");
    assert_int_equal(findings_add_unread(&findings, "n", "r"), 0);
    assert_string_equal(findings.unread[0].reason, "r");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_read_of_a_container),
        cmocka_unit_test(what_a_container_should_do_follows_from_its_state),
        cmocka_unit_test(an_odd_container_is_refused_with_a_reason),
        cmocka_unit_test(labels_that_compose_did_not_write_do_not_count),
        cmocka_unit_test(who_is_in_a_dead_namespace),
        cmocka_unit_test(one_command_for_each_project_and_one_for_the_others),
        cmocka_unit_test(a_project_without_a_file_is_said_to_have_none),
        cmocka_unit_test(an_owner_that_is_still_there_needs_a_restart_only),
        cmocka_unit_test(a_word_is_quoted_when_it_has_to_be),
        cmocka_unit_test(a_word_is_whole_and_no_option),
        cmocka_unit_test(findings_are_kept_by_owner),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
