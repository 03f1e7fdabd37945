/* `anchord status` as people and as programs read it; see status_output.h. Runs in the command. */
#include "daemon/command/status_output.h"

#include "common/clock.h"
#include "common/text.h"
#include "daemon/command/json_output.h"
#include "protocol/messages.h"

#include <stdio.h>
#include <string.h>

#define CELL_SIZE  192
#define WIDE_TABLE 5 /* columns of the widest table of text */

/* --- text ---------------------------------------------------------------------------------------------- */

enum colour { COLOUR_NONE, COLOUR_GOOD, COLOUR_BAD, COLOUR_TITLE };

static void print_coloured(enum colour colour, const char *text)
{
    /* ECMA-48 §8.3.117, select graphic rendition */
    static const char *const starts[] = {"", "\033[32m", "\033[31m", "\033[1m"};
    bool is_plain = colour == COLOUR_NONE || !isatty(STDOUT_FILENO);

    (void)printf("%s%s%s", is_plain ? "" : starts[colour], text, is_plain ? "" : "\033[0m");
}

/* The control characters of ISO 6429 in UTF-8: C0, DEL, and C1, which is 0xc2 and 0x80 to 0x9f. Returns their bytes. */
static size_t control_length(const char *text)
{
    const unsigned char *bytes = (const unsigned char *)text;

    if (bytes[0] < ' ' || bytes[0] == 0x7f)
        return 1;
    return bytes[0] == 0xc2 && bytes[1] >= 0x80 && bytes[1] <= 0x9f ? 2 : 0;
}

/* All of it comes from a worker, and names from Docker: what is not printable becomes question marks. */
static void make_printable(char text[CELL_SIZE])
{
    for (; *text; text++)
        memset(text, '?', control_length(text));
}

static void print_foreign(const char *text)
{
    while (*text) {
        size_t length = control_length(text);

        (void)putchar(length > 0 ? '?' : *text);
        if (length == 2)
            (void)putchar('?');
        text += length == 2 ? 2 : 1;
    }
}

static void copy_cell(char target[CELL_SIZE], const char *text)
{
    text_copy_cut(target, CELL_SIZE, text);
}

/* Rows of text that end_rows() aligns. */
struct text_rows {
    char (*cells)[WIDE_TABLE][CELL_SIZE];
    size_t count;
};

static bool begin_rows(struct text_rows *rows, const struct status *status, enum status_list list, const char *title)
{
    rows->count = status->lists[list].row_count;
    rows->cells = rows->count > 0 ? calloc(rows->count, sizeof(*rows->cells)) : NULL;
    if (!rows->cells)
        return false;
    print_coloured(COLOUR_TITLE, title);
    (void)puts("");
    return true;
}

static void end_rows(struct text_rows *rows)
{
    int widths[WIDE_TABLE] = {0};

    for (size_t i = 0; i < rows->count; i++) {
        for (size_t j = 0; j < WIDE_TABLE; j++) {
            int width;

            make_printable(rows->cells[i][j]);
            width = (int)strlen(rows->cells[i][j]);
            widths[j] = width > widths[j] ? width : widths[j];
        }
    }
    for (size_t i = 0; i < rows->count; i++) {
        size_t last = WIDE_TABLE - 1;

        while (last > 0 && rows->cells[i][last][0] == '\0')
            last--;
        for (size_t j = 0; j < last; j++)
            (void)printf("  %-*s", widths[j], rows->cells[i][j]);
        (void)printf("  %s\n", rows->cells[i][last]);
    }
    free(rows->cells);
}

/* tcp/25 or udp/10000-20000 */
static void format_ports(const struct control_client_cell *row, char text[CELL_SIZE])
{
    if (row[2].number == row[1].number)
        (void)snprintf(text, CELL_SIZE, "%s/%u", row[0].text, (unsigned int)row[1].number);
    else
        (void)snprintf(text, CELL_SIZE, "%s/%u-%u", row[0].text, (unsigned int)row[1].number,
                       (unsigned int)row[2].number);
}

static void format_backend(const char *address, const struct control_client_cell *row, char text[CELL_SIZE])
{
    bool is_v6 = strchr(address, ':') != NULL;

    if (address[0] == '\0')
        return;
    (void)snprintf(text, CELL_SIZE, is_v6 ? "[%s]:%u" : "%s:%u", address, (unsigned int)row[3].number);
}

static void print_exposures(const struct status *status)
{
    struct text_rows rows;

    if (!begin_rows(&rows, status, STATUS_EXPOSURES, "Exposed ports"))
        return;
    for (size_t i = 0; i < rows.count; i++) {
        const struct control_client_cell *row = control_client_cell(status, STATUS_EXPOSURES, i, 0);

        format_ports(row, rows.cells[i][0]);
        copy_cell(rows.cells[i][1], row[4].text);
        format_backend(row[5].text, row, rows.cells[i][2]);
        format_backend(row[6].text, row, rows.cells[i][3]);
        copy_cell(rows.cells[i][4], row[7].text);
    }
    end_rows(&rows);
}

/* 1234 B, 12.3 kB, … of 1000 */
static void format_bytes(uint64_t bytes, char text[CELL_SIZE])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
    double number = (double)bytes;
    size_t unit = 0;

    while (number >= 10000 && unit < ARRAY_LENGTH(units) - 1) {
        number /= 1000;
        unit++;
    }
    (void)snprintf(text, CELL_SIZE, unit == 0 ? "%.0f %s" : "%.1f %s", number, units[unit]);
}

/* What went through the exposed ports, as last read. */
static void print_traffic(const struct status *status)
{
    struct text_rows rows;

    if (status->lists[STATUS_EXPOSURES].row_count > 0 && status->lists[STATUS_REFUSED].row_count > 0 &&
        status->lists[STATUS_PORTS].row_count == 0) {
        print_coloured(COLOUR_TITLE, "Traffic ");
        (void)puts("  not known: this kernel does not count by port");
        return;
    }
    if (!begin_rows(&rows, status, STATUS_PORTS, "Traffic"))
        return;
    for (size_t i = 0; i < rows.count; i++) {
        const struct control_client_cell *row = control_client_cell(status, STATUS_PORTS, i, 0);

        format_ports(row, rows.cells[i][0]);
        (void)snprintf(rows.cells[i][1], CELL_SIZE, "%llu flows", (unsigned long long)row[3].number);
        (void)snprintf(rows.cells[i][2], CELL_SIZE, "%llu packets", (unsigned long long)row[4].number);
        format_bytes(row[5].number, rows.cells[i][3]);
    }
    end_rows(&rows);
}

/* One line, and none where nothing was refused. */
static void print_refused(const struct status *status)
{
    size_t printed = 0;

    for (size_t i = 0; i < status->lists[STATUS_REFUSED].row_count; i++) {
        const struct control_client_cell *row = control_client_cell(status, STATUS_REFUSED, i, 0);

        if (row[1].number == 0)
            continue;
        if (printed++ == 0)
            print_coloured(COLOUR_TITLE, "Refused ");
        (void)printf("%s ", printed > 1 ? "," : " ");
        print_foreign(row[0].text);
        (void)printf(" %llu", (unsigned long long)row[1].number);
    }
    if (printed > 0)
        (void)puts(" packets");
}

static void print_links(const struct status *status)
{
    struct text_rows rows;

    if (!begin_rows(&rows, status, STATUS_SHARED_LINKS, "Links into networks"))
        return;
    for (size_t i = 0; i < rows.count; i++) {
        for (size_t j = 0; j < strlen(status_lists[STATUS_SHARED_LINKS].types); j++)
            copy_cell(rows.cells[i][j], control_client_cell(status, STATUS_SHARED_LINKS, i, 0)[j].text);
    }
    end_rows(&rows);
}

static enum colour colour_of(const char *severity)
{
    return strcmp(severity, "error") == 0 ? COLOUR_BAD : COLOUR_NONE;
}

static void print_padded(const char *text, size_t width)
{
    print_foreign(text);
    (void)printf("%*s  ", (int)(width - strlen(text)), "");
}

/* ANC0105 warning  web-1  what is wrong, and below it what to do. No cells, which would cut the reason. */
static void print_problem(const struct control_client_cell *row, size_t width)
{
    char code[CELL_SIZE], severity[CELL_SIZE];

    copy_cell(code, row[2].text);
    copy_cell(severity, row[3].text);
    make_printable(code);
    make_printable(severity);
    (void)fputs("  ", stdout);
    print_coloured(colour_of(row[3].text), code);
    (void)printf(" %-7s  ", severity);
    print_padded(row[0].text, width);
    print_foreign(row[1].text);
    (void)puts("");
    if (row[5].text[0]) {
        (void)fputs("    do: ", stdout);
        print_foreign(row[5].text);
        (void)puts("");
    }
}

static void print_problems(const struct status *status)
{
    size_t count = status->lists[STATUS_PROBLEMS].row_count;
    size_t width = 0;

    if (count == 0)
        return;
    print_coloured(COLOUR_TITLE, "Problems");
    (void)puts("");
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(control_client_cell(status, STATUS_PROBLEMS, i, 0)->text);

        width = length > width ? length : width;
    }
    for (size_t i = 0; i < count; i++)
        print_problem(control_client_cell(status, STATUS_PROBLEMS, i, 0), width);
}

static void print_workers(const struct status *status)
{
    struct text_rows rows;

    if (!begin_rows(&rows, status, STATUS_WORKERS, "Workers"))
        return;
    for (size_t i = 0; i < rows.count; i++) {
        const struct control_client_cell *row = control_client_cell(status, STATUS_WORKERS, i, 0);
        char since[CLOCK_TEXT_SIZE];

        clock_format(row[4].number * 1000, since);
        copy_cell(rows.cells[i][0], row[0].text);
        copy_cell(rows.cells[i][1], row[1].text);
        if (row[2].number)
            (void)snprintf(rows.cells[i][2], CELL_SIZE, "pid %u", (unsigned int)row[2].number);
        (void)snprintf(rows.cells[i][3], CELL_SIZE, "%llu restarts", (unsigned long long)row[3].number);
        if (row[4].number)
            (void)snprintf(rows.cells[i][4], CELL_SIZE, "since %.19sZ", since);
    }
    end_rows(&rows);
}

static void print_network(const struct status *status, const char *title, enum status_list network,
                          enum status_list addresses)
{
    const struct control_client_cell *names = control_client_cell(status, network, 0, 0);

    print_coloured(COLOUR_TITLE, title);
    (void)printf("  ");
    if (names[1].text[0] == '\0') {
        (void)puts(names[0].text[0] ? "interface not there" : "not known yet");
        return;
    }
    print_foreign(names[1].text);
    if (names[0].text[0]) {
        (void)printf(" (");
        print_foreign(names[0].text);
        (void)printf(")");
    }
    for (size_t i = 0; i < status->lists[addresses].row_count; i++) {
        const struct control_client_cell *row = control_client_cell(status, addresses, i, 0);

        (void)printf("%s ", i > 0 ? "," : " ");
        print_foreign(row[0].text);
        (void)printf("/%u ", (unsigned int)row[1].number);
        print_foreign(row[2].text);
    }
    (void)puts("");
}

static void print_gateways(const struct status *status)
{
    print_coloured(COLOUR_TITLE, "Gateway ");
    for (size_t i = 0; i < status->lists[STATUS_GATEWAYS].row_count; i++) {
        const struct control_client_cell *row = control_client_cell(status, STATUS_GATEWAYS, i, 0);

        (void)printf("%s ", i > 0 ? "," : " ");
        print_foreign(row[0].text);
        (void)printf(" ");
        print_foreign(row[1].text[0] ? row[1].text : "none");
        if (row[1].text[0]) {
            (void)printf(" ");
            print_foreign(row[2].text);
        }
    }
    (void)puts("");
}

/* " refused 172.30.0.77/24 (in a subnet of the shared network, asked again in 9 s)" */
static void print_refusal(const struct control_client_cell *row)
{
    (void)printf("refused ");
    if (row[2].text[0])
        (void)printf("%s/%u ", row[2].text, (unsigned int)row[3].number);
    (void)printf("(");
    print_foreign(row[6].text);
    if (row[7].number > 0)
        (void)printf(", asked again in %llu s", (unsigned long long)row[7].number);
    (void)printf(")");
}

/* One line, and none where no DHCP client is to run. */
static void print_leases(const struct status *status)
{
    size_t printed = 0;

    for (size_t i = 0; i < status->lists[STATUS_LEASES].row_count; i++) {
        const struct control_client_cell *row = control_client_cell(status, STATUS_LEASES, i, 0);

        if (strcmp(row[1].text, "off") == 0)
            continue;
        if (printed++ == 0)
            print_coloured(COLOUR_TITLE, "Lease   ");
        (void)printf("%s %s ", printed > 1 ? "," : " ", row[0].text);
        if (row[6].text[0]) {
            print_refusal(row);
            continue;
        }
        if (row[2].text[0] == '\0') {
            (void)printf("%s", row[1].text);
            continue;
        }
        (void)printf("%s/%u", row[2].text, (unsigned int)row[3].number);
        if (row[4].text[0])
            (void)printf(" from %s", row[4].text);
        if (row[5].number == LEASE_SECONDS_FOREVER)
            (void)printf(" for ever");
        else
            (void)printf(" for %llu s", (unsigned long long)row[5].number);
    }
    if (printed > 0)
        (void)puts("");
}

/* A rebinder has nothing to do with it, a service-anchor no external network, an attached project links in place of a
 * shared one. */
static void print_way_out(const struct status *status)
{
    if (strstr(status->role, "-rebinder"))
        return;
    if (strcmp(status->role, "service-anchor") != 0)
        print_network(status, "External", STATUS_EXTERNAL, STATUS_EXTERNAL_ADDRESSES);
    if (strcmp(status->role, "attach") != 0)
        print_network(status, "Shared  ", STATUS_SHARED, STATUS_SHARED_ADDRESSES);
    print_gateways(status);
}

void status_output_text(const struct status *status)
{
    (void)printf("anchord ");
    print_foreign(status->version);
    (void)printf("  ");
    print_foreign(status->role);
    (void)printf("  ");
    print_foreign(status->project);
    (void)printf("  ");
    print_coloured(status->is_ready ? COLOUR_GOOD : COLOUR_BAD, status->is_ready ? "ready" : "not ready");
    for (size_t i = 0; i < status->lists[STATUS_UNMET_CONDITIONS].row_count; i++) {
        (void)printf("%s ", i > 0 ? "," : " ");
        print_foreign(control_client_cell(status, STATUS_UNMET_CONDITIONS, i, 0)->text);
        (void)printf(": false");
    }
    (void)puts("");
    print_way_out(status);
    print_leases(status);
    print_links(status);
    print_exposures(status);
    print_traffic(status);
    print_refused(status);
    print_problems(status);
    print_workers(status);
}

/* --- JSON ---------------------------------------------------------------------------------------------- */

static void put_row(yajl_gen generator, const struct status *status, enum status_list list, size_t row)
{
    const struct status_list_definition *definition = &status_lists[list];

    (void)yajl_gen_map_open(generator);
    for (size_t column = 0; definition->types[column]; column++) {
        const struct control_client_cell *cell = control_client_cell(status, list, row, column);

        json_text(generator, definition->columns[column]);
        if (!cell->text)
            (void)yajl_gen_integer(generator, (long long)cell->number);
        else if (cell->text[0] == '\0')
            (void)yajl_gen_null(generator);
        else
            json_text(generator, cell->text);
    }
    (void)yajl_gen_map_close(generator);
}

static void put_list(yajl_gen generator, const struct status *status, enum status_list list)
{
    json_text(generator, status_lists[list].key);
    if (list == STATUS_EXTERNAL || list == STATUS_SHARED) {
        put_row(generator, status, list, 0);
        return;
    }
    (void)yajl_gen_array_open(generator);
    for (size_t row = 0; row < status->lists[list].row_count; row++) {
        if (list == STATUS_UNMET_CONDITIONS)
            json_text(generator, control_client_cell(status, list, row, 0)->text);
        else
            put_row(generator, status, list, row);
    }
    (void)yajl_gen_array_close(generator);
}

int status_output_json(const struct status *status)
{
    CLEANUP(yajl_gen_freep) yajl_gen generator = yajl_gen_alloc(NULL);
    const unsigned char *text = NULL;
    size_t length = 0;

    if (!generator)
        return -ENOMEM;
    (void)yajl_gen_config(generator, yajl_gen_beautify, 1);
    (void)yajl_gen_config(generator, yajl_gen_indent_string, "  ");
    (void)yajl_gen_map_open(generator);
    json_text(generator, "version");
    json_text(generator, status->version);
    json_text(generator, "role");
    json_text(generator, status->role);
    json_text(generator, "project");
    json_text(generator, status->project);
    json_text(generator, "ready");
    (void)yajl_gen_bool(generator, status->is_ready);
    for (size_t list = 0; list < STATUS_LIST_MAX_; list++)
        put_list(generator, status, (enum status_list)list);
    (void)yajl_gen_map_close(generator);
    if (yajl_gen_get_buf(generator, &text, &length) != yajl_gen_status_ok)
        return -ENOMEM;
    (void)fwrite(text, 1, length, stdout);
    return 0;
}
