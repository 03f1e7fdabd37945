/* `anchord status --html`; see status_html.h. Runs in the command. */
#include "daemon/command/status_html.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/text.h"
#include "protocol/messages.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The policy names the style by the SHA-256 of its text, so that no other is applied; a test computes it anew. */
#define STYLE_HASH "RW278z+/7UAaAzDm/Hab7N9Rgffx4cgqU17O/3U6gRY="
static const char style[] =
    ":root{color-scheme:light dark;--text:#1b1f24;--paper:#fff;--quiet:#57606a;--line:#d0d7de;--card:#f6f8fa;"
    "--good:#1a7f37;--bad:#b3261e;--warn:#8a5a00}\n"
    "@media(prefers-color-scheme:dark){:root{--text:#e6edf3;--paper:#0d1117;--quiet:#9aa4af;--line:#30363d;"
    "--card:#161b22;--good:#4ac26b;--bad:#ff7b72;--warn:#e3b341}}\n"
    "body{margin:0 auto;padding:1.5rem 1rem;max-width:70rem;font:16px/1.45 system-ui,sans-serif;color:var(--text);"
    "background:var(--paper)}\n"
    "h1{margin:0;font-size:1.6rem;overflow-wrap:anywhere}\n"
    "h2{margin:2rem 0 .5rem;font-size:1.15rem}\n"
    "h3{margin:0 0 .3rem;font-size:1rem}\n"
    "p{margin:.3rem 0}\n"
    "td,dd,p,pre{overflow-wrap:anywhere}\n"
    ".quiet,th,dt{color:var(--quiet)}\n"
    ".good{color:var(--good)}\n"
    ".bad,.error h3{color:var(--bad)}\n"
    ".warning h3{color:var(--warn)}\n"
    ".state{font-weight:600}\n"
    "article{margin:.6rem 0;padding:.7rem 1rem;border:1px solid "
    "var(--line);border-left-width:.35rem;border-radius:.4rem;"
    "background:var(--card);break-inside:avoid}\n"
    ".error{border-left-color:var(--bad)}\n"
    ".warning{border-left-color:var(--warn)}\n"
    "pre{margin:.4rem 0 0;white-space:pre-wrap;font:.9rem/1.4 ui-monospace,monospace}\n"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem;margin:.5rem 0}\n"
    "dd{margin:0}\n"
    "table{width:100%;border-collapse:collapse}\n"
    "th,td{padding:.35rem .6rem .35rem 0;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}\n"
    "th{font-weight:500}\n"
    "tr{break-inside:avoid}\n"
    "@media(max-width:40rem){thead{display:none}tr{display:block;padding:.4rem 0;border-bottom:1px solid var(--line)}"
    "td{display:flex;gap:1rem;padding:.1rem 0;border:0}"
    "td::before{content:attr(data-label);flex:0 0 8rem;color:var(--quiet)}}\n"
    "@media "
    "print{:root{--text:#000;--paper:#fff;--quiet:#444;--line:#999;--card:#fff;--good:#000;--bad:#000;--warn:#000}"
    "body{max-width:none;padding:0;font-size:10pt}}\n";

/* --- text ---------------------------------------------------------------------------------------------- */

/* Fit for elements and for attributes in quotes. Control characters are shown by their numbers. */
static void put_text(const char *text)
{
    char character[TEXT_ESCAPED_SIZE];

    while (*text) {
        text = text_escape_first(text, character);
        switch (character[0]) {
        case '&':
            (void)fputs("&amp;", stdout);
            break;
        case '<':
            (void)fputs("&lt;", stdout);
            break;
        case '>':
            (void)fputs("&gt;", stdout);
            break;
        case '"':
            (void)fputs("&quot;", stdout);
            break;
        case '\'':
            (void)fputs("&#39;", stdout);
            break;
        default:
            (void)fputs(character, stdout);
        }
    }
}

/* A name that is written from right to left, or says so, changes the order of nothing around it. */
static void put_foreign(const char *text)
{
    (void)fputs("<bdi>", stdout);
    put_text(text);
    (void)fputs("</bdi>", stdout);
}

static const char *text_of(const struct status *status, enum status_list list, size_t row, size_t column)
{
    return control_client_cell(status, list, row, column)->text;
}

/* --- tables -------------------------------------------------------------------------------------------- */

#define HIDDEN "" /* what another column of the table shows, too */

/* A list as a table: its title and the heads of its columns; one without a head has the key that --json has. */
struct view {
    enum status_list list;
    const char *title;
    const char *heads[STATUS_COLUMNS_MAX];
};

static const struct view networks[] = {
    {STATUS_GATEWAYS, "Gateways", {"Family", "Address", "From"}},
    {STATUS_LEASES, "Leases", {"Family", "State", "Address", HIDDEN, "Server", "Ends in", "Why", "Asked again in"}},
    {STATUS_SHARED_LINKS, "Links into networks", {"Network", "Interface", "State", "Why"}},
};
static const struct view ports[] = {
    {STATUS_EXPOSURES,
     "Exposed ports",
     {"Port", HIDDEN, HIDDEN, HIDDEN, "Container", "IPv4", "IPv6", "Who may come in"}},
    {STATUS_PORTS, "Traffic", {"Port", HIDDEN, HIDDEN, "New flows", "Packets", "Bytes"}},
    {STATUS_REFUSED, "Refused packets", {"Reason", "Packets"}},
    {STATUS_CONFLICTS, "Refused ports", {"Port", HIDDEN, HIDDEN, "Refused", "Held by"}},
};
static const struct view kernel[] = {
    {STATUS_MAP_ELEMENTS, "Elements in the kernel", {"Family", "Protocol", "Number"}},
    {STATUS_WORKERS, "Workers", {"Name", "State", "PID", "Restarts", "Since"}},
};

static const char *head_of(const struct view *view, size_t column)
{
    return view->heads[column] ? view->heads[column] : status_lists[view->list].columns[column];
}

/* tcp/25 or udp/10000-20000 */
static void put_ports(const struct control_client_cell *row)
{
    put_text(row[0].text);
    (void)printf("/%" PRIu64, row[1].number);
    if (row[2].number != row[1].number)
        (void)printf("-%" PRIu64, row[2].number);
}

static void put_backend(const char *address, uint64_t port)
{
    bool is_v6 = strchr(address, ':') != NULL;

    (void)fputs(is_v6 ? "[" : "", stdout);
    put_text(address);
    (void)printf("%s:%" PRIu64, is_v6 ? "]" : "", port);
}

static void put_prefix(const char *address, uint64_t length)
{
    put_text(address);
    (void)printf("/%" PRIu64, length);
}

static void put_seconds(uint64_t seconds)
{
    if (seconds == LEASE_SECONDS_FOREVER)
        (void)fputs("never", stdout);
    else
        (void)printf("%" PRIu64 " s", seconds);
}

static void put_time(uint64_t microseconds)
{
    char text[CLOCK_TEXT_SIZE];

    clock_format(microseconds * 1000, text);
    (void)printf("%.19sZ", text);
}

/* What stands in a cell by its meaning; false: it is what it is. */
static bool put_special(enum status_list list, const struct control_client_cell *row, size_t column)
{
    const char *key = status_lists[list].columns[column];

    if (strcmp(key, "proto") == 0 && list != STATUS_MAP_ELEMENTS)
        put_ports(row);
    else if (list == STATUS_EXPOSURES && (strcmp(key, "address4") == 0 || strcmp(key, "address6") == 0))
        put_backend(row[column].text, row[3].number);
    else if (list == STATUS_LEASES && strcmp(key, "address") == 0)
        put_prefix(row[column].text, row[column + 1].number);
    else if (strcmp(key, "remaining_seconds") == 0 || strcmp(key, "retry_seconds") == 0)
        put_seconds(row[column].number);
    else if (strcmp(key, "since_us") == 0)
        put_time(row[column].number);
    else
        return false;
    return true;
}

/* Nothing: there is none, or it is not known. Numbers are that where 0 is none that could be. */
static bool is_nothing(enum status_list list, const struct control_client_cell *row, size_t column)
{
    static const char *const never_zero[] = {"pid", "since_us", "remaining_seconds", "retry_seconds"};

    if (row[column].text)
        return row[column].text[0] == '\0';
    for (size_t i = 0; i < ARRAY_LENGTH(never_zero); i++) {
        if (row[column].number == 0 && strcmp(status_lists[list].columns[column], never_zero[i]) == 0)
            return true;
    }
    return false;
}

static void put_cell(enum status_list list, const struct control_client_cell *row, size_t column)
{
    if (list == STATUS_EXPOSURES && strcmp(status_lists[list].columns[column], "guests") == 0 &&
        row[column].text[0] == '\0')
        (void)fputs("everybody", stdout);
    else if (is_nothing(list, row, column))
        (void)fputs("<span class=\"quiet\">–</span>", stdout);
    else if (put_special(list, row, column))
        return;
    else if (row[column].text)
        put_foreign(row[column].text);
    else
        (void)printf("%" PRIu64, row[column].number);
}

static void put_table(const struct status *status, const struct view *view)
{
    size_t columns = strlen(status_lists[view->list].types);

    if (status->lists[view->list].row_count == 0)
        return;
    (void)printf("<h2>%s</h2>\n<table>\n<thead><tr>", view->title);
    for (size_t i = 0; i < columns; i++) {
        if (head_of(view, i)[0])
            (void)printf("<th scope=\"col\">%s</th>", head_of(view, i));
    }
    (void)fputs("</tr></thead>\n<tbody>\n", stdout);
    for (size_t row = 0; row < status->lists[view->list].row_count; row++) {
        (void)fputs("<tr>", stdout);
        for (size_t i = 0; i < columns; i++) {
            if (!head_of(view, i)[0])
                continue;
            (void)printf("<td data-label=\"%s\"><span>", head_of(view, i));
            put_cell(view->list, control_client_cell(status, view->list, row, 0), i);
            (void)fputs("</span></td>", stdout);
        }
        (void)fputs("</tr>\n", stdout);
    }
    (void)fputs("</tbody>\n</table>\n", stdout);
}

static void put_tables(const struct status *status, const struct view *views, size_t count)
{
    for (size_t i = 0; i < count; i++)
        put_table(status, &views[i]);
}

/* --- what is no table ---------------------------------------------------------------------------------- */

static void put_problem(const struct status *status, size_t row)
{
    const char *severity = text_of(status, STATUS_PROBLEMS, row, 3);
    bool is_known = strcmp(severity, "error") == 0 || strcmp(severity, "warning") == 0;

    (void)printf("<article class=\"%s\">\n<h3>", is_known ? severity : "info");
    put_foreign(text_of(status, STATUS_PROBLEMS, row, 2));
    (void)fputs(" ", stdout);
    put_foreign(severity);
    (void)fputs(": ", stdout);
    put_foreign(text_of(status, STATUS_PROBLEMS, row, 4));
    (void)fputs("</h3>\n<p><strong>", stdout);
    put_foreign(text_of(status, STATUS_PROBLEMS, row, 0));
    (void)fputs("</strong> ", stdout);
    put_foreign(text_of(status, STATUS_PROBLEMS, row, 1));
    (void)fputs("</p>\n", stdout);
    if (text_of(status, STATUS_PROBLEMS, row, 5)[0]) {
        (void)fputs("<pre>", stdout);
        put_foreign(text_of(status, STATUS_PROBLEMS, row, 5));
        (void)fputs("</pre>\n", stdout);
    }
    (void)fputs("</article>\n", stdout);
}

static void put_problems(const struct status *status)
{
    size_t count = status->lists[STATUS_PROBLEMS].row_count;

    (void)fputs("<h2>Problems</h2>\n", stdout);
    for (size_t i = 0; i < count; i++)
        put_problem(status, i);
    if (count == 0)
        (void)fputs("<p class=\"quiet\">anchord tells of none.</p>\n", stdout);
}

static void put_network(const struct status *status, const char *title, enum status_list network,
                        enum status_list addresses)
{
    const char *name = text_of(status, network, 0, 0), *interface = text_of(status, network, 0, 1);

    (void)printf("<dt>%s</dt><dd>", title);
    if (interface[0])
        put_foreign(interface);
    else
        (void)fputs(name[0] ? "<span class=\"bad\">interface not there</span>" : "not known yet", stdout);
    if (name[0]) {
        (void)fputs(" (", stdout);
        put_foreign(name);
        (void)fputs(")", stdout);
    }
    for (size_t i = 0; i < status->lists[addresses].row_count; i++) {
        (void)fputs("<br>", stdout);
        put_prefix(text_of(status, addresses, i, 0), control_client_cell(status, addresses, i, 1)->number);
        (void)fputs(" ", stdout);
        put_foreign(text_of(status, addresses, i, 2));
    }
    (void)fputs("</dd>\n", stdout);
}

static void put_head(const struct status *status, uint64_t now)
{
    (void)fputs(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-" STYLE_HASH
        "'; base-uri 'none'; form-action 'none'\">\n"
        "<meta name=\"referrer\" content=\"no-referrer\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
        "<meta name=\"color-scheme\" content=\"light dark\">\n<title>anchord: ",
        stdout);
    put_text(status->project);
    (void)printf("</title>\n<style>%s</style>\n</head>\n<body>\n<h1>", style);
    put_foreign(status->project);
    (void)printf("</h1>\n<p class=\"state %s\">%s", status->is_ready ? "good" : "bad",
                 status->is_ready ? "ready" : "not ready");
    for (size_t i = 0; i < status->lists[STATUS_UNMET_CONDITIONS].row_count; i++) {
        (void)fputs(i > 0 ? ", " : ": ", stdout);
        put_foreign(text_of(status, STATUS_UNMET_CONDITIONS, i, 0));
        (void)fputs(" is false", stdout);
    }
    (void)fputs("</p>\n<p class=\"quiet\">", stdout);
    put_foreign(status->role);
    (void)fputs(", anchord ", stdout);
    put_foreign(status->version);
    (void)fputs(", as of ", stdout);
    put_time(now / 1000);
    (void)fputs("</p>\n", stdout);
}

int status_html_print(const struct status *status, uint64_t now)
{
    bool has_network = !strstr(status->role, "-rebinder");

    put_head(status, now);
    put_problems(status);
    if (has_network) {
        (void)fputs("<h2>Networks</h2>\n<dl>\n", stdout);
        if (strcmp(status->role, "service-anchor") != 0)
            put_network(status, "External", STATUS_EXTERNAL, STATUS_EXTERNAL_ADDRESSES);
        if (strcmp(status->role, "attach") != 0)
            put_network(status, "Shared", STATUS_SHARED, STATUS_SHARED_ADDRESSES);
        (void)fputs("</dl>\n", stdout);
    }
    put_tables(status, ports, ARRAY_LENGTH(ports));
    if (status->lists[STATUS_EXPOSURES].row_count > 0 && status->lists[STATUS_REFUSED].row_count > 0 &&
        status->lists[STATUS_PORTS].row_count == 0)
        (void)fputs("<p class=\"quiet\">Traffic by port is not known: this kernel does not count it.</p>\n", stdout);
    if (has_network)
        put_tables(status, networks, ARRAY_LENGTH(networks));
    put_tables(status, kernel, ARRAY_LENGTH(kernel));
    (void)fputs("</body>\n</html>\n", stdout);
    if (fflush(stdout) != 0 || ferror(stdout))
        return errno > 0 ? -errno : -EIO;
    return 0;
}
