/*
 * Fuzz target: what `anchord status` makes of the control worker's answer (daemon/command/control_client,
 * status_output, status_html). The bytes are properties with their values, right or of another type; D-Bus's own
 * encoding is libsystemd's. No control character of a hostile worker gets into root's terminal, the JSON is JSON, and
 * no name is an element of the page.
 */
#include "daemon/command/status_html.h"
#include "daemon/command/status_output.h"
#include "protocol/control_interface.h"
#include "tests/fuzz/target.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <yajl/yajl_parse.h>

#define PROPERTIES_MAX 32
#define ROWS_MAX       40
#define TEXT_MAX       200
#define FILLER         40

struct input {
    const uint8_t *bytes;
    size_t length;
};

static sd_bus_message *answer;

int __wrap_isatty(int fd);
int __wrap_sd_bus_call_method(sd_bus *bus, const char *destination, const char *path, const char *interface,
                              const char *member, sd_bus_error *ret_error, sd_bus_message **reply, const char *types,
                              ...);

/* Without colours: then no escape sequence is ours. */
int __wrap_isatty(int fd)
{
    (void)fd;
    return 0;
}

int __wrap_sd_bus_call_method(sd_bus *bus, const char *destination, const char *path, const char *interface,
                              const char *member, sd_bus_error *ret_error, sd_bus_message **reply, const char *types,
                              ...)
{
    (void)bus;
    (void)destination;
    (void)path;
    (void)interface;
    (void)ret_error;
    if (strcmp(member, "GetAll") != 0 || strcmp(types, "s") != 0)
        abort();
    *reply = sd_bus_message_ref(answer);
    return 0;
}

static unsigned int take(struct input *input)
{
    if (input->length == 0)
        return 0;
    input->length--;
    return *input->bytes++;
}

static void check(int result)
{
    if (result < 0)
        abort();
}

/* --- the answer ---------------------------------------------------------------------------------------- */

/* Some text as it stands; a length above TEXT_MAX makes a long one of it. */
static void append_text(sd_bus_message *message, struct input *input)
{
    char text[TEXT_MAX + (UINT8_MAX - TEXT_MAX) * FILLER + 1];
    size_t choice = take(input);
    size_t length = choice > TEXT_MAX ? TEXT_MAX : choice;
    size_t filler = choice > TEXT_MAX ? (choice - TEXT_MAX) * FILLER : 0;

    if (length > input->length)
        length = input->length;
    memcpy(text, input->bytes, length);
    memset(text + length, 'x', filler);
    text[length + filler] = '\0';
    input->bytes += length;
    input->length -= length;
    /* libsystemd sends no text that is not UTF-8, and takes none. */
    if (sd_bus_message_append_basic(message, SD_BUS_TYPE_STRING, text) < 0)
        check(sd_bus_message_append_basic(message, SD_BUS_TYPE_STRING, "?"));
}

static void append_cell(sd_bus_message *message, char type, struct input *input)
{
    uint64_t number = 0;
    int truth;

    if (type == SD_BUS_TYPE_STRING) {
        append_text(message, input);
        return;
    }
    for (size_t i = take(input) % (sizeof(number) + 1); i > 0; i--)
        number = number << 8 | take(input);
    truth = (number & 1) != 0;
    /* Little-endian: the smaller types are its first bytes. */
    check(sd_bus_message_append_basic(message, type, type == SD_BUS_TYPE_BOOLEAN ? (void *)&truth : (void *)&number));
}

static void append_row(sd_bus_message *message, const char *types, struct input *input)
{
    if (types[1])
        check(sd_bus_message_open_container(message, SD_BUS_TYPE_STRUCT, types));
    for (; *types; types++)
        append_cell(message, *types, input);
}

static void append_rows(sd_bus_message *message, const char *types, struct input *input, bool is_array)
{
    size_t count = is_array ? take(input) % (ROWS_MAX + 1) : 1;
    bool is_structure = types[1] != '\0';
    char element[STATUS_COLUMNS_MAX + 3];
    char type[STATUS_COLUMNS_MAX + 4];

    (void)snprintf(element, sizeof(element), is_structure ? "(%s)" : "%s", types);
    (void)snprintf(type, sizeof(type), "%s%s", is_array ? "a" : "", element);
    check(sd_bus_message_open_container(message, SD_BUS_TYPE_VARIANT, type));
    if (is_array)
        check(sd_bus_message_open_container(message, SD_BUS_TYPE_ARRAY, element));
    for (size_t i = 0; i < count; i++) {
        append_row(message, types, input);
        if (is_structure)
            check(sd_bus_message_close_container(message));
    }
    if (is_array)
        check(sd_bus_message_close_container(message));
    check(sd_bus_message_close_container(message));
}

/* The types of one list under the name of any property, mostly its own. */
static void append_property(sd_bus_message *message, struct input *input)
{
    static const struct {
        const char *name;
        const char *type;
    } others[] = {{"Version", "s"}, {"Role", "s"}, {"Project", "s"}, {"Ready", "b"}, {"Other", "t"}};
    size_t choice = take(input) % (ARRAY_LENGTH(others) + STATUS_LIST_MAX_);
    unsigned int shape = take(input);
    const struct status_list_definition *list = &status_lists[choice % STATUS_LIST_MAX_];
    bool is_array = list != &status_lists[STATUS_EXTERNAL] && list != &status_lists[STATUS_SHARED];

    check(sd_bus_message_open_container(message, SD_BUS_TYPE_DICT_ENTRY, "sv"));
    if (choice < STATUS_LIST_MAX_) {
        check(sd_bus_message_append_basic(message, SD_BUS_TYPE_STRING, list->property));
        append_rows(message, shape == 255 ? status_lists[take(input) % STATUS_LIST_MAX_].types : list->types, input,
                    is_array != (shape == 254));
    } else {
        check(sd_bus_message_append_basic(message, SD_BUS_TYPE_STRING, others[choice - STATUS_LIST_MAX_].name));
        append_rows(message, shape == 255 ? "y" : others[choice - STATUS_LIST_MAX_].type, input, shape == 254);
    }
    check(sd_bus_message_close_container(message));
}

static sd_bus_message *make_answer(sd_bus *bus, struct input *input)
{
    sd_bus_message *message = NULL;

    check(sd_bus_message_new_signal(bus, &message, CONTROL_OBJECT, CONTROL_INTERFACE, "Answer"));
    check(sd_bus_message_open_container(message, SD_BUS_TYPE_ARRAY, "{sv}"));
    for (size_t i = 0; i < PROPERTIES_MAX && input->length > 0; i++)
        append_property(message, input);
    check(sd_bus_message_close_container(message));
    check(sd_bus_message_seal(message, 1, 0));
    check(sd_bus_message_rewind(message, 1));
    return message;
}

/* --- what is printed ----------------------------------------------------------------------------------- */

static void check_text(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)text[i];

        if ((byte < ' ' && byte != '\n') || byte == 0x7f ||
            (byte == 0xc2 && (unsigned char)text[i + 1] >= 0x80 && (unsigned char)text[i + 1] <= 0x9f))
            abort();
    }
}

static void check_json(const char *text, size_t length)
{
    yajl_handle parser = yajl_alloc(NULL, NULL, NULL);

    if (!parser || yajl_parse(parser, (const unsigned char *)text, length) != yajl_status_ok ||
        yajl_complete_parse(parser) != yajl_status_ok)
        abort();
    yajl_free(parser);
}

/* Of a page: every element is one that it is made of, whatever the names are. */
static void check_page(const char *text, size_t length)
{
    static const char *const elements[] = {"!DOCTYPE html>",
                                           "html",
                                           "head",
                                           "meta ",
                                           "title",
                                           "style",
                                           "body",
                                           "h1",
                                           "h2",
                                           "h3",
                                           "p",
                                           "bdi",
                                           "article",
                                           "strong",
                                           "pre",
                                           "dl",
                                           "dt",
                                           "dd",
                                           "br",
                                           "table",
                                           "thead",
                                           "tbody",
                                           "tr",
                                           "th",
                                           "td",
                                           "span"};

    check_text(text, length);
    for (const char *element = text; (element = strchr(element, '<'));) {
        bool is_known = false;

        element++;
        element += *element == '/';
        for (size_t i = 0; i < sizeof(elements) / sizeof(elements[0]); i++) {
            size_t name = strlen(elements[i]);

            is_known |= strncmp(element, elements[i], name) == 0 && (element[-1] != '/' || element[name] == '>');
        }
        if (!is_known)
            abort();
    }
}

enum form { TEXT, JSON, PAGE };

static void print(const struct status *status, enum form form)
{
    FILE *terminal = stdout;
    char *text = NULL;
    size_t length = 0;

    stdout = open_memstream(&text, &length);
    if (!stdout)
        abort();
    if (form == TEXT)
        status_output_text(status);
    else
        check(form == JSON ? status_output_json(status) : status_html_print(status, 0));
    (void)fclose(stdout);
    stdout = terminal;
    if (form == JSON)
        check_json(text, length);
    else if (form == PAGE)
        check_page(text, length);
    else
        check_text(text, length);
    free(text);
}

static sd_bus *open_bus(void)
{
    sd_bus *bus = NULL;
    int ends[2];

    check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
    check(sd_bus_new(&bus));
    check(sd_bus_set_fd(bus, ends[0], ends[0]));
    check(sd_bus_start(bus));
    return bus;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static sd_bus *bus;
    struct input input = {bytes, length};
    struct status status = {0};

    if (!bus)
        bus = open_bus();
    answer = make_answer(bus, &input);
    if (control_client_read(bus, &status) == 0) {
        print(&status, TEXT);
        print(&status, JSON);
        print(&status, PAGE);
    }
    control_client_clear(&status);
    sd_bus_message_unref(answer);
    return 0;
}
