/*
 * Unit tests of the parts of a JSON document as they stand in it (workers/docker/json_slice.c): white space, escapes,
 * what is no JSON, and that nothing behind the last byte is read (LIFE-7).
 */
#include "workers/docker/json_slice.h"

#include "common/cleanup.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static struct json_slice slice_of(const char *text)
{
    return json_slice_of(text, strlen(text));
}

static void expect(struct json_slice slice, const char *text)
{
    if (!json_slice_equals(slice, text))
        fail_msg("%.*s, expected %s", (int)slice.length, slice.text ? slice.text : "", text);
}

/* All that yajl skips. */
#define BLANKS " \t\n\v\f\r"

static void white_space_is_no_part_of_a_value(void **state)
{
    struct json_slice document =
        slice_of(BLANKS "{" BLANKS "\"a\"" BLANKS ":" BLANKS "17" BLANKS "," BLANKS "\"b\":[" BLANKS "true" BLANKS
                        ",\"x y\"" BLANKS "]" BLANKS "}" BLANKS);
    struct json_slice list = json_slice_member(document, "b");
    struct json_walk walk = json_walk_array(list);
    struct json_slice value;
    uint64_t number = 0;

    (void)state;
    assert_true(json_slice_is_object(document));
    expect(json_slice_member(document, "a"), "17");
    assert_int_equal(json_slice_number(json_slice_member(document, "a"), 17, &number), 0);
    assert_int_equal(number, 17);
    assert_true(json_slice_is_array(list));
    assert_true(json_walk_element(&walk, &value));
    expect(value, "true");
    assert_true(json_walk_element(&walk, &value));
    expect(value, "\"x y\"");
    assert_false(json_walk_element(&walk, &value));
    expect(slice_of("17 x"), "17");
    assert_true(json_slice_is_empty(slice_of("{" BLANKS "}")));
    assert_false(json_slice_is_empty(list));
}

static void escapes_and_brackets_in_strings_end_nothing(void **state)
{
    struct json_slice document = slice_of("{\"a\\\"\":[\"]\\\"}\",{\"b\":\"\\\\\"}],\"c\":\"d\\u00e9\"}");
    struct json_walk walk = json_walk_object(document);
    struct json_slice key, value;
    char text[4];

    (void)state;
    assert_true(json_walk_member(&walk, &key, &value));
    expect(key, "\"a\\\"\"");
    expect(value, "[\"]\\\"}\",{\"b\":\"\\\\\"}]");
    assert_true(json_walk_member(&walk, &key, &value));
    expect(key, "\"c\"");
    assert_int_equal(json_slice_copy(value, text, sizeof(text)), 0);
    assert_string_equal(text, "d\xc3\xa9");
    assert_int_equal(json_slice_copy(value, text, sizeof(text) - 1), -ENAMETOOLONG);
    assert_int_equal(json_slice_copy(slice_of("17"), text, sizeof(text)), -EINVAL);
    assert_false(json_walk_member(&walk, &key, &value));
}

static void half_a_pair_of_brackets_is_nothing(void **state)
{
    (void)state;
    assert_false(json_slice_is_object((struct json_slice){"{", 1}));
    assert_false(json_slice_is_array((struct json_slice){"[", 1}));
    assert_false(json_slice_is_string((struct json_slice){"\"", 1}));
    assert_true(json_slice_is_object(slice_of("{}")));
    assert_true(json_slice_is_array(slice_of("[]")));
    assert_true(json_slice_is_string(slice_of("\"\"")));
    assert_true(json_slice_is_none(slice_of("")));
    assert_true(json_slice_is_none(slice_of("null")));
    assert_false(json_slice_is_none(slice_of("0")));
    assert_null(json_slice_member(slice_of("{\"a\":null}"), "a").text);
}

static void what_is_no_json_has_no_members(void **state)
{
    static const char *const objects[] = {"{\"a\"1}", "{\"a\"12}", "{\"a\":}",  "{\"a\":,}",
                                          "{\"a\"}",  "{a:1}",     "[\"a\",1]", "1"};
    static const char *const arrays[] = {"[,,1]", "[]", "{\"a\":1}", "1"};
    struct json_slice key, value;

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(objects); i++) {
        struct json_walk walk = json_walk_object(slice_of(objects[i]));

        assert_false(json_walk_member(&walk, &key, &value));
    }
    for (size_t i = 0; i < ARRAY_LENGTH(arrays); i++) {
        struct json_walk walk = json_walk_array(slice_of(arrays[i]));

        assert_false(json_walk_element(&walk, &value));
    }
    assert_int_equal(slice_of("} 1").length, 0);
    assert_int_equal(slice_of("] [").length, 0);
}

/* Everything that can be asked of a value, to its innermost. */
static void walk_all(struct json_slice slice)
{
    struct json_walk members = json_walk_object(slice);
    struct json_walk elements = json_walk_array(slice);
    struct json_slice key, value;
    uint64_t number;
    char text[64];

    (void)json_slice_is_empty(slice);
    (void)json_slice_member(slice, "a");
    assert_true(json_slice_number(slice, UINT32_MAX, &number) <= 0);
    assert_true(json_slice_copy(slice, text, sizeof(text)) <= 0);
    while (json_walk_member(&members, &key, &value)) {
        walk_all(key);
        walk_all(value);
    }
    while (json_walk_element(&elements, &value))
        walk_all(value);
}

/* Each beginning of the document, in front of a page that nobody may read. */
static void nothing_behind_the_last_byte_is_read(void **state)
{
    static const char document[] = " {\"a\" : [1, {\"b\\\"\": \"\\\\\"} , [ ] ], \"c\" :null,\"d\": {} , \"e\":true } ";
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)state;
    assert_ptr_not_equal(pages, MAP_FAILED);
    assert_int_equal(mprotect(pages + page, page, PROT_NONE), 0);
    for (size_t skipped = 0; skipped < strlen(document); skipped++) {
        for (size_t length = 0; skipped + length <= strlen(document); length++) {
            char *text = pages + page - length;

            memcpy(text, document + skipped, length);
            walk_all(json_slice_of(text, length));
        }
    }
    assert_int_equal(munmap(pages, 2 * page), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(white_space_is_no_part_of_a_value),
        cmocka_unit_test(escapes_and_brackets_in_strings_end_nothing),
        cmocka_unit_test(half_a_pair_of_brackets_is_nothing),
        cmocka_unit_test(what_is_no_json_has_no_members),
        cmocka_unit_test(nothing_behind_the_last_byte_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
