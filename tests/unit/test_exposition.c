/*
 * Unit tests of what the exporter writes (workers/exporter/exposition): every series letter for letter as SPEC §7 has
 * it, in both formats, the largest values, readiness, and what a client asks for.
 *
 * The golden texts are files beside this one; arguments: their directory.
 */
#include "workers/exporter/exposition.h"

#include "common/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct metrics_page pages[METRICS_WRITER_MAX_];
static struct metrics_view view;
static char text[EXPOSITION_SIZE];
static const char *directory;

static int fill_view(void **state)
{
    (void)state;
    memset(pages, 0, sizeof(pages));
    for (size_t i = 0; i < METRICS_WRITER_MAX_; i++)
        view.pages[i] = &pages[i];
    view.now = 0;
    return 0;
}

static void fill_cells(uint64_t value)
{
    for (size_t i = 0; i < METRICS_WRITER_MAX_; i++) {
        for (size_t cell = 0; cell < METRICS_CELLS_MAX; cell++)
            pages[i].cells[cell] = value;
        pages[i].port_count = COUNTED_PORTS_MAX;
        for (size_t port = 0; port < COUNTED_PORTS_MAX; port++)
            pages[i].ports[port] =
                (struct metrics_port){UINT16_MAX - 1, UINT16_MAX, PROTOCOL_INDEX_UDP, value, value, value};
    }
}

/* Without the line that names the build. */
static void compare_with_file(const char *name)
{
    static char golden[EXPOSITION_SIZE];
    char path[4096];
    const char *build;
    FILE *file;
    size_t length;

    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    file = fopen(path, "re");
    assert_non_null(file);
    length = fread(golden, 1, sizeof(golden) - 1, file);
    (void)fclose(file);
    golden[length] = '\0';
    build = strstr(text, "anchord_build_info{version=\"");
    assert_non_null(build);
    memmove(strstr(text, "anchord_build_info{version=\""), strchr(build, '\n') + 1, strlen(strchr(build, '\n')));
    assert_string_equal(text, golden);
}

static void everything_is_there_with_zero(void **state)
{
    (void)state;
    assert_true(exposition_write_metrics(&view, EXPOSITION_TEXT, text, sizeof(text)) > 0);
    compare_with_file("metrics.txt");
    assert_true(exposition_write_metrics(&view, EXPOSITION_OPENMETRICS, text, sizeof(text)) > 0);
    compare_with_file("metrics.openmetrics");
}

static void pages_that_are_missing_are_zero(void **state)
{
    (void)state;
    for (size_t i = 0; i < METRICS_WRITER_MAX_; i++)
        view.pages[i] = NULL;
    assert_true(exposition_write_metrics(&view, EXPOSITION_TEXT, text, sizeof(text)) > 0);
    compare_with_file("metrics.txt");
}

static void the_largest_values_fit(void **state)
{
    (void)state;
    fill_cells(UINT64_MAX);
    assert_true(exposition_write_metrics(&view, EXPOSITION_OPENMETRICS, text, sizeof(text)) > 0);
    assert_int_equal(exposition_write_metrics(&view, EXPOSITION_OPENMETRICS, text, 4096), -ENOBUFS);
}

static void values_are_shown_in_their_units(void **state)
{
    (void)state;
    fill_cells(2500001);
    view.now = 1000001;
    assert_true(exposition_write_metrics(&view, EXPOSITION_TEXT, text, sizeof(text)) > 0);
    assert_non_null(strstr(text, "\nanchord_dhcp_lease_remaining_seconds{family=\"v4\"} 1.5\n"));
    assert_non_null(strstr(text, "\nanchord_reconcile_duration_seconds_sum 2.500001\n"));
    assert_non_null(strstr(text, "\nanchord_reconcile_duration_seconds_bucket{le=\"0.0025\"} 7500003\n"));
    assert_non_null(strstr(text, "\nanchord_reconcile_duration_seconds_bucket{le=\"+Inf\"} 35000014\n"));
    assert_non_null(strstr(text, "\nanchord_reconcile_duration_seconds_count 35000014\n"));
    assert_non_null(strstr(text, "\nprocess_resident_memory_bytes{worker=\"netadmin\"} 2500001\n"));
    assert_non_null(strstr(text, "\nanchord_problem{code=\"ANC0101\"} 2500000\n")); /* 0 is: not known */
}

static void each_exposed_port_or_range_is_one_series(void **state)
{
    struct metrics_page *page = &pages[METRICS_WRITER_NETADMIN];

    (void)state;
    page->ports[0] = (struct metrics_port){443, 443, PROTOCOL_INDEX_TCP, 1, 2, 3};
    page->ports[1] = (struct metrics_port){10000, 20000, PROTOCOL_INDEX_UDP, 4, 5, UINT64_MAX};
    page->ports[2] = (struct metrics_port){1, 1, PROTOCOL_INDEX_MAX_, 0, 0, 0}; /* of nobody */
    page->port_count = 3;
    pages[METRICS_WRITER_WATCHER].ports[0] = page->ports[0];
    pages[METRICS_WRITER_WATCHER].port_count = 1;
    assert_true(exposition_write_metrics(&view, EXPOSITION_TEXT, text, sizeof(text)) > 0);
    assert_non_null(strstr(text, "anchord_port_flows_total counter\n"
                                 "anchord_port_flows_total{proto=\"tcp\",port=\"443\"} 1\n"
                                 "anchord_port_flows_total{proto=\"udp\",port=\"10000-20000\"} 4\n#"));
    assert_non_null(strstr(text, "\nanchord_port_packets_total{proto=\"tcp\",port=\"443\"} 2\n"));
    assert_non_null(strstr(text, "{proto=\"udp\",port=\"10000-20000\"} 18446744073709551615\n"));
    page->port_count = COUNTED_PORTS_MAX + 1; /* no writer of ours */
    assert_true(exposition_write_metrics(&view, EXPOSITION_TEXT, text, sizeof(text)) > 0);
    assert_null(strstr(text, "port=\""));
}

static void a_lease_that_ran_out_is_never_below_zero(void **state)
{
    (void)state;
    fill_cells(5);
    view.now = 6;
    assert_true(exposition_write_metrics(&view, EXPOSITION_TEXT, text, sizeof(text)) > 0);
    assert_non_null(strstr(text, "\nanchord_dhcp_lease_remaining_seconds{family=\"v6\"} 0.0\n"));
}

static void readiness_names_each_unmet_condition(void **state)
{
    const uint64_t required = READINESS_TABLES_INSTALLED | READINESS_RECONCILED;

    (void)state;
    assert_false(exposition_write_readiness(NULL, text, sizeof(text)));
    pages[0].readiness = required << 32;
    assert_false(exposition_write_readiness(&pages[0], text, sizeof(text)));
    assert_string_equal(text, "tables_installed: false\nreconciled: false\n");
    pages[0].readiness = required << 32 | READINESS_TABLES_INSTALLED;
    assert_false(exposition_write_readiness(&pages[0], text, sizeof(text)));
    assert_string_equal(text, "reconciled: false\n");
    pages[0].readiness = required << 32 | required;
    assert_true(exposition_write_readiness(&pages[0], text, sizeof(text)));
    assert_string_equal(text, "ready\n");
    pages[0].readiness = (uint64_t)READINESS_ROUTE_INSTALLED << 32 | required;
    assert_false(exposition_write_readiness(&pages[0], text, sizeof(text)));
    assert_string_equal(text, "route_installed: false\n");
    pages[0].readiness = (uint64_t)READINESS_DOCKER_CONNECTED << 32;
    assert_false(exposition_write_readiness(&pages[0], text, sizeof(text)));
    assert_string_equal(text, "docker_connected: false\n");
}

static void openmetrics_comes_only_when_asked_for(void **state)
{
    static const struct {
        const char *accept;
        enum exposition wanted;
    } cases[] = {
        {NULL, EXPOSITION_TEXT},
        {"", EXPOSITION_TEXT},
        {"*/*", EXPOSITION_TEXT},
        {"text/plain", EXPOSITION_TEXT},
        {"application/openmetrics-text", EXPOSITION_OPENMETRICS},
        {"APPLICATION/OpenMetrics-Text; version=1.0.0", EXPOSITION_OPENMETRICS},
        /* Prometheus 2.42 */
        {"application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
         "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
         EXPOSITION_OPENMETRICS},
        {"text/plain, application/openmetrics-text;q=0.9", EXPOSITION_TEXT},
        {"text/plain;q=0.5 , application/openmetrics-text ; q=0.51", EXPOSITION_OPENMETRICS},
        {"application/openmetrics-text;q=0", EXPOSITION_TEXT},
        {"application/openmetrics-text;q=0.000", EXPOSITION_TEXT},
        {"application/openmetrics-textual", EXPOSITION_TEXT},
        {";;;,,,q=,;q", EXPOSITION_TEXT},
        {"application/openmetrics-text;q", EXPOSITION_OPENMETRICS},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        assert_int_equal(exposition_negotiate(cases[i].accept), cases[i].wanted);
}

#define WITH_VIEW(test) cmocka_unit_test_setup(test, fill_view)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        WITH_VIEW(everything_is_there_with_zero),
        WITH_VIEW(pages_that_are_missing_are_zero),
        WITH_VIEW(the_largest_values_fit),
        WITH_VIEW(values_are_shown_in_their_units),
        WITH_VIEW(each_exposed_port_or_range_is_one_series),
        WITH_VIEW(a_lease_that_ran_out_is_never_below_zero),
        WITH_VIEW(readiness_names_each_unmet_condition),
        WITH_VIEW(openmetrics_comes_only_when_asked_for),
    };

    if (argc != 2)
        return 1;
    directory = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
