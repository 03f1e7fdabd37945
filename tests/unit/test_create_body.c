/*
 * Unit tests of what a container is created anew from (LIFE-7), against inspections that real engines gave: golden
 * texts in inspections/, whose directory is the argument.
 */
#include "workers/keeper/create_body.h"
#include "workers/keeper/mount_path.h"
#include "workers/keeper/references.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char *directory;

static char *read_file(const char *name, size_t *ret_length)
{
    char path[512];
    FILE *file;
    char *text = calloc(1, 65536);

    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    file = fopen(path, "re");
    assert_non_null(file);
    assert_non_null(text);
    *ret_length = fread(text, 1, 65535, file);
    assert_int_equal(fclose(file), 0);
    return text;
}

static void check_engine(const char *inspected, const char *wanted)
{
    CLEANUP(inspection_release) struct inspection old = {0};
    CLEANUP_FREE char *body = NULL;
    CLEANUP_FREE char *golden = NULL;
    const char *reason = NULL;
    size_t length = 0;

    old.document.bytes = read_file(inspected, &old.document.length);
    assert_int_equal(inspection_read(&old, &reason), 0);
    assert_string_equal(old.name, "mail-rich-1");
    assert_string_equal(old.project, "mail");
    assert_string_equal(old.service, "rich");
    assert_string_equal(old.target_name, "mail-target-1");
    assert_string_equal(old.policy.name, "on-failure");
    assert_int_equal(old.policy.maximum_retries, 3);
    assert_true(old.is_running && !old.is_paused && !old.is_created && !old.removes_itself && !old.is_rebinder);
    assert_int_equal(strlen(old.joined), 64);
    golden = read_file(wanted, &length);
    assert_int_equal(create_body_make(&old, "mail-target-1", false, &reason, &body), 0);
    golden[strcspn(golden, "\n")] = '\0';
    assert_string_equal(body, golden);
}

static void every_field_of_an_engines_inspection_travels(void **state)
{
    (void)state;
    check_engine("engine-28.5.json", "engine-28.5.body.json");
    check_engine("engine-20.10.json", "engine-20.10.body.json");
    /* USE-7: made by hand from that of 28.5, less the addresses and the MAC address outside of its networks. */
    check_engine("engine-29.built.json", "engine-28.5.body.json");
}

/* Makes a body of `text` and compares it, or the reason why there is none. */
static void check(const char *text, bool use_image_id, const char *wanted, const char *wanted_reason)
{
    CLEANUP(inspection_release) struct inspection old = {0};
    CLEANUP_FREE char *body = NULL;
    const char *reason = NULL;
    int result;

    old.document.bytes = strdup(text);
    old.document.length = strlen(text);
    assert_int_equal(inspection_read(&old, &reason), 0);
    result = create_body_make(&old, "x", use_image_id, &reason, &body);
    if (wanted_reason) {
        assert_int_equal(result, -EBADMSG);
        assert_non_null(strstr(reason, wanted_reason));
        return;
    }
    assert_int_equal(result, 0);
    assert_string_equal(body, wanted);
}

static void check_text(const char *text, bool use_image_id, const char *wanted)
{
    check(text, use_image_id, wanted, NULL);
}

/* `rest`: the members of the inspection besides its identity. */
static void check_refused(const char *rest, const char *reason)
{
    char text[512];

    (void)snprintf(text, sizeof(text), "{\"Id\":\"ab\",\"Name\":\"/n\",%s}", rest);
    check(text, false, NULL, reason);
}

#define CAFE     "cafecafecafecafecafecafecafecafecafecafecafecafecafecafecafecafe"
#define REPLACES "\"anchord.replaces\":\"ab\""

static void what_docker_refuses_in_anothers_namespace_is_left_out(void **state)
{
    (void)state;
    check_text(
        "{\"Id\":\"ab\",\"Name\":\"/n\",\"Config\":{\"Hostname\":\"ab\",\"Domainname\":\"d\",\"New\":[1, 2e3],"
        "\"MacAddress\":\"02:00:00:00:00:01\",\"ExposedPorts\":{\"80/tcp\":{}},\"Image\":\"i\",\"Labels\":null},"
        "\"HostConfig\":{\"PortBindings\":{\"80/tcp\":[]},\"PublishAllPorts\":true,\"NetworkMode\":\"container:c\"}}",
        false,
        "{\"New\":[1, 2e3],\"Image\":\"i\",\"Labels\":{" REPLACES "},"
        "\"HostConfig\":{\"Binds\":[],\"NetworkMode\":\"container:x\"}}");
}

static void the_image_may_be_named_by_its_id(void **state)
{
    (void)state;
    check_text(
        "{\"Id\":\"ab\",\"Name\":\"/n\",\"Image\":\"sha256:1\",\"Config\":{\"Image\":\"i\",\"Labels\":{\"a\":\"b\","
        "\"anchord.replaces\":\"0\"}},\"HostConfig\":{\"Binds\":null}}",
        true,
        "{\"Image\":\"sha256:1\",\"Labels\":{\"a\":\"b\"," REPLACES "},"
        "\"HostConfig\":{\"Binds\":[],\"NetworkMode\":\"container:x\"}}");
}

/* Those of the image (VOLUME) stand in Mounts alone; read-only ones stay so; what is bound by name stays as it is. */
static void anonymous_volumes_are_named(void **state)
{
    (void)state;
    check_text(
        "{\"Id\":\"ab\",\"Name\":\"/n\",\"Config\":{},\"HostConfig\":{\"Binds\":[\"named:/named:z\",\"/etc:/e\"],"
        "\"Mounts\":[{\"Type\":\"volume\",\"Source\":\"\",\"Target\":\"/m\",\"ReadOnly\":true},"
        "{\"Type\":\"volume\",\"Source\":\"s\",\"Target\":\"/s\"}]},"
        "\"Mounts\":[{\"Type\":\"volume\",\"Name\":\"1\",\"Destination\":\"/data\",\"RW\":true},"
        "{\"Type\":\"volume\",\"Name\":\"2\",\"Destination\":\"/ro\",\"RW\":false},"
        "{\"Type\":\"volume\",\"Name\":\"3\",\"Destination\":\"/m\",\"RW\":false},"
        "{\"Type\":\"volume\",\"Name\":\"s\",\"Destination\":\"/s\",\"RW\":true},"
        "{\"Type\":\"bind\",\"Source\":\"/etc\",\"Destination\":\"/e\",\"RW\":true},"
        "{\"Type\":\"volume\",\"Name\":\"named\",\"Destination\":\"/named\",\"RW\":true}]}",
        false,
        "{\"Labels\":{" REPLACES "},\"HostConfig\":{"
        "\"Mounts\":[{\"Type\":\"volume\",\"Target\":\"/m\",\"ReadOnly\":true,\"Source\":\"3\"},"
        "{\"Type\":\"volume\",\"Source\":\"s\",\"Target\":\"/s\"}],"
        "\"Binds\":[\"named:/named:z\",\"/etc:/e\",\"1:/data\",\"2:/ro:ro\"],\"NetworkMode\":\"container:x\"}}");
}

/* Docker keeps the place as it was asked for in HostConfig, and cleaned in Mounts. */
static void places_are_compared_as_docker_cleans_them(void **state)
{
    (void)state;
    check_text("{\"Id\":\"ab\",\"Name\":\"/n\",\"Config\":{},\"HostConfig\":{"
               "\"Binds\":[\"data:/data/\",\"other:/a//b/./c/../d:ro\",\"/alone/\",\"/unknown\"],"
               "\"Mounts\":[{\"Type\":\"volume\",\"Target\":\"/m/"
               "\"},{\"Type\":\"volume\",\"Source\":\"\",\"Target\":\"//n\"}]},"
               "\"Mounts\":[{\"Type\":\"volume\",\"Name\":\"data\",\"Destination\":\"/data\",\"RW\":true},"
               "{\"Type\":\"volume\",\"Name\":\"other\",\"Destination\":\"/a/b/d\",\"RW\":false},"
               "{\"Type\":\"volume\",\"Name\":\"1\",\"Destination\":\"/alone\",\"RW\":true},"
               "{\"Type\":\"volume\",\"Name\":\"2\",\"Destination\":\"/m\",\"RW\":true},"
               "{\"Type\":\"volume\",\"Name\":\"3\",\"Destination\":\"/n\",\"RW\":true}]}",
               false,
               "{\"Labels\":{" REPLACES "},\"HostConfig\":{"
               "\"Mounts\":[{\"Type\":\"volume\",\"Target\":\"/m/\",\"Source\":\"2\"},"
               "{\"Type\":\"volume\",\"Target\":\"//n\",\"Source\":\"3\"}],"
               "\"Binds\":[\"data:/data/\",\"other:/a//b/./c/../d:ro\",\"/unknown\",\"1:/alone\"],"
               "\"NetworkMode\":\"container:x\"}}");
}

/* One place is as long as the other, begins with it, or ends with it: still two volumes. */
static void places_that_look_alike_are_different_ones(void **state)
{
    (void)state;
    check_text("{\"Id\":\"ab\",\"Name\":\"/n\",\"Config\":{},\"HostConfig\":{\"Binds\":[\"b:/data/b\",\"c:/datb\"],"
               "\"Mounts\":[{\"Type\":\"volume\",\"Source\":\"m\",\"Target\":\"/datc\"},"
               "{\"Type\":\"volume\",\"Source\":\"n\",\"Target\":\"/data/c\"}]},"
               "\"Mounts\":[{\"Type\":\"volume\",\"Name\":\"1\",\"Destination\":\"/data\",\"RW\":true},"
               "{\"Type\":\"bind\",\"Name\":\"2\",\"Destination\":\"/bind\",\"RW\":true}]}",
               false,
               "{\"Labels\":{" REPLACES "},\"HostConfig\":{"
               "\"Mounts\":[{\"Type\":\"volume\",\"Source\":\"m\",\"Target\":\"/datc\"},"
               "{\"Type\":\"volume\",\"Source\":\"n\",\"Target\":\"/data/c\"}],"
               "\"Binds\":[\"b:/data/b\",\"c:/datb\",\"1:/data\"],\"NetworkMode\":\"container:x\"}}");
}

static bool is_same_place(const char *one, const char *other)
{
    return mount_path_is_same(json_slice_of(one, strlen(one)), json_slice_of(other, strlen(other)));
}

static void a_place_is_cleaned_as_go_does(void **state)
{
    char longest[PATH_MAX] = "/";
    char too_long[PATH_MAX + 1] = "/";

    (void)state;
    assert_true(is_same_place("/a", "/a/"));
    assert_true(is_same_place("/a/b", "//a/./b/."));
    assert_true(is_same_place("/a/c", "/a/b/../c"));
    assert_true(is_same_place("/", "/a/.."));
    assert_true(is_same_place("/a", "/../a"));
    assert_true(is_same_place("/...", "/.../"));
    assert_false(is_same_place("/a", "/ab"));
    assert_false(is_same_place("/ab", "/ac"));
    assert_false(is_same_place("/a/b", "/ab"));
    assert_false(is_same_place("/a", "/.a"));
    assert_false(is_same_place("/", "/..."));
    assert_false(is_same_place("a", "a")); /* no place in a container */
    assert_false(is_same_place("", ""));
    memset(longest + 1, 'a', sizeof(longest) - 2);
    assert_true(is_same_place(longest, longest));
    memset(too_long + 1, 'a', sizeof(too_long) - 2);
    assert_false(is_same_place(too_long, too_long));
}

/* `host`: what HostConfig refers to; `wanted`: the same in the body. The old one was in the namespace of "cafe...". */
static void check_references(const char *host, const char *wanted, const char *wanted_left)
{
    CLEANUP(inspection_release) struct inspection old = {0};
    CLEANUP_FREE char *body = NULL;
    struct references left;
    const char *reason = NULL;
    char text[2048], all[256] = "";

    (void)snprintf(text, sizeof(text),
                   "{\"Id\":\"ab\",\"Name\":\"/n\",\"Config\":{},\"HostConfig\":{\"NetworkMode\":\"container:" CAFE
                   "\",%s}}",
                   host);
    old.document.bytes = strdup(text);
    old.document.length = strlen(text);
    assert_int_equal(inspection_read(&old, &reason), 0);
    assert_int_equal(create_body_make(&old, "x", false, &reason, &body), 0);
    (void)snprintf(text, sizeof(text),
                   "{\"Labels\":{" REPLACES "},\"HostConfig\":{%s,\"Binds\":[],\"NetworkMode\":\"container:x\"}}",
                   wanted);
    assert_string_equal(body, text);
    assert_int_equal(references_read(&old, &left, &reason), 0);
    for (size_t i = 0; i < left.count; i++)
        (void)snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s %s%s,", left.items[i].part,
                       left.items[i].container, left.items[i].must_run ? "!" : "");
    assert_string_equal(all, wanted_left);
}

/* LIFE-7: as NetworkMode does, they go on to the target; what names others stays, and has to be there. */
static void references_to_the_old_target_follow_it(void **state)
{
    (void)state;
    check_references("\"PidMode\":\"container:" CAFE "\",\"IpcMode\":\"container:cafecafecafe\","
                     "\"VolumesFrom\":[\"" CAFE ":ro\",\"" CAFE "\",\"data:rw\"]",
                     "\"PidMode\":\"container:x\",\"IpcMode\":\"container:x\","
                     "\"VolumesFrom\":[\"x:ro\",\"x\",\"data:rw\"]",
                     "VolumesFrom data,");
    check_references("\"PidMode\":\"host\",\"IpcMode\":\"private\",\"VolumesFrom\":null",
                     "\"PidMode\":\"host\",\"IpcMode\":\"private\",\"VolumesFrom\":null", "");
    check_references(
        "\"PidMode\":\"container:other\",\"IpcMode\":\"container:cafecafecafd\",\"VolumesFrom\":[\"cafe\"]",
        "\"PidMode\":\"container:other\",\"IpcMode\":\"container:cafecafecafd\",\"VolumesFrom\":[\"cafe\"]",
        "PidMode other!,IpcMode cafecafecafd!,VolumesFrom cafe,");
}

static void odd_references_are_refused(void **state)
{
    static const char *const odd[] = {"\"PidMode\":\"container:\\u0000\"", "\"IpcMode\":\"container:\"",
                                      "\"VolumesFrom\":[1]", "\"VolumesFrom\":[\":ro\"]"};
    CLEANUP(inspection_release) struct inspection old = {0};
    struct references left;
    const char *reason = NULL;
    char text[1024];

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(odd); i++) {
        inspection_release(&old);
        (void)snprintf(text, sizeof(text), "{\"Id\":\"ab\",\"Name\":\"/n\",\"HostConfig\":{%s}}", odd[i]);
        old.document.bytes = strdup(text);
        old.document.length = strlen(text);
        assert_int_equal(inspection_read(&old, &reason), 0);
        assert_int_equal(references_read(&old, &left, &reason), -EBADMSG);
        assert_non_null(strstr(reason, "oddly"));
    }
    for (size_t count = REFERENCES_MAX; count <= REFERENCES_MAX + 1; count++) {
        inspection_release(&old);
        (void)snprintf(text, sizeof(text), "{\"Id\":\"ab\",\"Name\":\"/n\",\"HostConfig\":{\"VolumesFrom\":[");
        for (size_t i = 0; i < count; i++)
            (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s\"c%zu\"", i > 0 ? "," : "", i);
        (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "]}}");
        old.document.bytes = strdup(text);
        old.document.length = strlen(text);
        assert_int_equal(inspection_read(&old, &reason), 0);
        assert_int_equal(references_read(&old, &left, &reason), count == REFERENCES_MAX ? 0 : -EBADMSG);
    }
    assert_string_equal(reason, "it refers to more than 32 other containers");
}

/* What would end its string is in no name and no ID; the letters next to those that are refused are. */
static void only_plain_names_and_ids_are_written(void **state)
{
    static const char *const refused[] = {"a\"b", "a\\b", "a\nb", "a\x1f", "\x01"};
    static const char *const taken[] = {"a b", "a!b", "a#b", "a[b", "a]b", "\x7f"};
    CLEANUP(inspection_release) struct inspection old = {0};
    const char *reason = NULL;

    (void)state;
    old.document.bytes = strdup("{\"Id\":\"ab\",\"Name\":\"/n\",\"Config\":{},\"HostConfig\":{}}");
    old.document.length = strlen(old.document.bytes);
    assert_int_equal(inspection_read(&old, &reason), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(refused); i++) {
        CLEANUP_FREE char *body = NULL;

        assert_int_equal(create_body_make(&old, refused[i], false, &reason, &body), -EBADMSG);
        assert_null(body);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(taken); i++) {
        CLEANUP_FREE char *body = NULL;

        assert_int_equal(create_body_make(&old, taken[i], false, &reason, &body), 0);
        assert_non_null(strstr(body, taken[i]));
    }
}

static void what_is_not_what_the_api_says_is_refused(void **state)
{
    (void)state;
    check_refused("\"Config\":null,\"HostConfig\":{}", "Config is no object");
    check_refused("\"Config\":{}", "HostConfig is no object");
    check_refused("\"Config\":{\"Labels\":[\"a\",1]},\"HostConfig\":{}", "Config.Labels is no object");
    check_refused("\"Config\":{},\"HostConfig\":{\"Binds\":{\"a\":1}}", "HostConfig.Binds is no array");
    check_refused("\"Config\":{},\"HostConfig\":{\"Mounts\":{\"a\":1}}", "HostConfig.Mounts is no array");
    check_refused("\"Config\":{},\"HostConfig\":{},\"Mounts\":{\"a\":1}", "Mounts is no array");
    check_refused(
        "\"Config\":{},\"HostConfig\":{},\"Mounts\":[{\"Type\":\"volume\",\"Name\":1,\"Destination\":\"/a\"}]",
        "no Name or no Destination");
    check_refused("\"Config\":{},\"HostConfig\":{},\"Mounts\":[{\"Type\":\"volume\",\"Name\":\"v\"}]",
                  "no Name or no Destination");
    check_refused(
        "\"Config\":{},\"HostConfig\":{},\"Mounts\":[{\"Type\":\"volume\",\"Name\":\"\",\"Destination\":\"/a\"}]",
        "no Name or no Destination");
    check_refused("\"Image\":\"a\\\\b\",\"Config\":{},\"HostConfig\":{}", "the ID of its image");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_of_an_engines_inspection_travels),
        cmocka_unit_test(what_docker_refuses_in_anothers_namespace_is_left_out),
        cmocka_unit_test(the_image_may_be_named_by_its_id),
        cmocka_unit_test(anonymous_volumes_are_named),
        cmocka_unit_test(places_are_compared_as_docker_cleans_them),
        cmocka_unit_test(places_that_look_alike_are_different_ones),
        cmocka_unit_test(a_place_is_cleaned_as_go_does),
        cmocka_unit_test(references_to_the_old_target_follow_it),
        cmocka_unit_test(odd_references_are_refused),
        cmocka_unit_test(only_plain_names_and_ids_are_written),
        cmocka_unit_test(what_is_not_what_the_api_says_is_refused),
    };

    if (argc != 2)
        return 2;
    directory = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
