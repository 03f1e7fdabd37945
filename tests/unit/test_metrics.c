/*
 * Unit tests of the metrics pages (protocol/metrics): layout, one writer's view of its own page, the reader's checks.
 */
#include "protocol/metrics.h"

#include "common/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

static int page = -1;
static const struct metrics_page *view;

static int again(void)
{
    int copy = dup(page);

    assert_true(copy >= 0);
    return copy;
}

static int make_page(void **state)
{
    (void)state;
    page = memfd_create("page", MFD_CLOEXEC);
    if (page < 0 || ftruncate(page, METRICS_PAGE_SIZE) < 0 || metrics_open(dup(page), METRICS_WRITER_NETADMIN) < 0)
        return -1;
    return metrics_map(dup(page), METRICS_WRITER_NETADMIN, &view);
}

static int drop_page(void **state)
{
    (void)state;
    close_fd(&page);
    return 0;
}

static void all_cells_begin_with_zero(void **state)
{
    (void)state;
    for (enum metric metric = 0; metric < METRIC_MAX_; metric++)
        assert_int_equal(metrics_read(view, metric, 0), 0);
}

static void no_two_metrics_share_a_cell(void **state)
{
    (void)state;
    for (enum metric metric = 0; metric < METRIC_MAX_; metric++) {
        if (!metric_is_of_ports(metric))
            metrics_set(metric, 0, 1000 + (uint64_t)metric);
    }
    for (enum metric metric = 0; metric < METRIC_MAX_; metric++)
        assert_true(metric_is_of_ports(metric) || metrics_read(view, metric, 0) == 1000 + (uint64_t)metric);
}

static void cells_of_two_labels_count_the_second_first(void **state)
{
    (void)state;
    metrics_set(METRIC_DNAT_ENTRIES, metric_cell(FAMILY_INDEX_4, PROTOCOL_INDEX_UDP), 1);
    metrics_set(METRIC_DNAT_ENTRIES, metric_cell(FAMILY_INDEX_6, PROTOCOL_INDEX_TCP), 2);
    assert_int_equal(metrics_read(view, METRIC_DNAT_ENTRIES, 1), 1);
    assert_int_equal(metrics_read(view, METRIC_DNAT_ENTRIES, 2), 2);
}

static void ports_stand_on_the_page_as_they_were_told(void **state)
{
    static struct metrics_port ports[COUNTED_PORTS_MAX], seen[COUNTED_PORTS_MAX];

    (void)state;
    assert_int_equal(metrics_read_ports(view, seen), 0);
    for (size_t i = 0; i < COUNTED_PORTS_MAX; i++)
        ports[i] = (struct metrics_port){(uint16_t)i, (uint16_t)i, PROTOCOL_INDEX_UDP, i, 2 * i, 3 * i};
    metrics_set_ports(ports, COUNTED_PORTS_MAX);
    assert_int_equal(metrics_read_ports(view, seen), COUNTED_PORTS_MAX);
    assert_memory_equal(seen, ports, sizeof(ports));
    assert_int_equal(metrics_open(again(), METRICS_WRITER_NETADMIN), 0);
    assert_int_equal(metrics_own_ports(seen), COUNTED_PORTS_MAX);
    metrics_set_ports(NULL, 0);
    assert_int_equal(metrics_read_ports(view, seen), 0);
}

/* A writer that died in the middle: nothing is told until its successor writes. */
static void half_written_ports_are_not_read(void **state)
{
    static struct metrics_port port = {80, 80, PROTOCOL_INDEX_TCP, 1, 2, 3}, seen[COUNTED_PORTS_MAX];
    struct metrics_page *raw = mmap(NULL, METRICS_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, page, 0);

    (void)state;
    assert_true(raw != MAP_FAILED);
    metrics_set_ports(&port, 1);
    raw->ports_version++;
    assert_int_equal(metrics_read_ports(view, seen), 0);
    metrics_set_ports(&port, 1);
    assert_int_equal(metrics_read_ports(view, seen), 1);
    (void)munmap(raw, METRICS_PAGE_SIZE);
}

static void an_observation_counts_in_its_bucket_alone(void **state)
{
    (void)state;
    metrics_observe(METRIC_EVENT_TO_MAP, 500); /* the bound itself belongs to the bucket */
    metrics_observe(METRIC_EVENT_TO_MAP, 501);
    metrics_observe(METRIC_EVENT_TO_MAP, 5000001);
    assert_int_equal(metrics_read(view, METRIC_EVENT_TO_MAP, 0), 1);
    assert_int_equal(metrics_read(view, METRIC_EVENT_TO_MAP, 1), 1);
    assert_int_equal(metrics_read(view, METRIC_EVENT_TO_MAP, METRIC_BUCKET_BOUNDS_COUNT), 1);
    assert_int_equal(metrics_read(view, METRIC_EVENT_TO_MAP, METRIC_HISTOGRAM_SUM), 500 + 501 + 5000001);
    assert_int_equal(metrics_read(view, METRIC_PORT_CONFLICTS, 0), 0); /* its neighbour */
}

static void a_successor_goes_on_counting(void **state)
{
    (void)state;
    metrics_add(METRIC_CONNTRACK_FLUSHES, FAMILY_INDEX_6, 3);
    assert_int_equal(metrics_open(again(), METRICS_WRITER_NETADMIN), 0);
    metrics_add(METRIC_CONNTRACK_FLUSHES, FAMILY_INDEX_6, 4);
    assert_int_equal(metrics_read(view, METRIC_CONNTRACK_FLUSHES, FAMILY_INDEX_6), 7);
}

static void a_page_of_another_layout_is_cleared_by_its_writer_and_refused_by_the_reader(void **state)
{
    const struct metrics_page *other = NULL;
    struct metrics_page *raw = mmap(NULL, METRICS_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, page, 0);
    uint32_t *const fields[] = {&raw->magic, &raw->version, &raw->writer, &raw->cell_count};

    (void)state;
    assert_true(raw != MAP_FAILED);
    for (size_t i = 0; i < ARRAY_LENGTH(fields); i++) {
        metrics_set(METRIC_DNAT_ENTRIES, 0, 9);
        *fields[i] += 1;
        assert_int_equal(metrics_map(again(), METRICS_WRITER_NETADMIN, &other), -EBADF);
        assert_null(other);
        assert_int_equal(metrics_open(again(), METRICS_WRITER_NETADMIN), 0);
        assert_int_equal(metrics_read(view, METRIC_DNAT_ENTRIES, 0), 0);
    }
    assert_int_equal(metrics_map(again(), METRICS_WRITER_WATCHER, &other), -EBADF);
    (void)munmap(raw, METRICS_PAGE_SIZE);
}

static void a_process_reports_what_it_uses(void **state)
{
    (void)state;
    metrics_accept(&(const struct message_metrics_page){.writer = METRICS_WRITER_NETADMIN}.header, again());
    assert_true(metrics_read(view, METRIC_PROCESS_RESIDENT_MEMORY, 0) > UINT64_C(100) * 1024);
    assert_true(metrics_read(view, METRIC_PROCESS_OPEN_FDS, 0) >= 4);
    assert_true(metrics_read(view, METRIC_PROCESS_START_TIME, 0) > UINT64_C(1600000000) * 1000000);
    assert_true(metrics_read(view, METRIC_PROCESS_CPU, 0) > 0);
}

static void readiness_is_one_word(void **state)
{
    (void)state;
    metrics_set_readiness(READINESS_TABLES_INSTALLED | READINESS_RECONCILED, READINESS_RECONCILED);
    assert_int_equal(view->readiness, UINT64_C(3) << 32 | 2);
}

#define WITH_PAGE(test) cmocka_unit_test_setup_teardown(test, make_page, drop_page)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PAGE(all_cells_begin_with_zero),
        WITH_PAGE(no_two_metrics_share_a_cell),
        WITH_PAGE(ports_stand_on_the_page_as_they_were_told),
        WITH_PAGE(half_written_ports_are_not_read),
        WITH_PAGE(cells_of_two_labels_count_the_second_first),
        WITH_PAGE(an_observation_counts_in_its_bucket_alone),
        WITH_PAGE(a_successor_goes_on_counting),
        WITH_PAGE(a_page_of_another_layout_is_cleared_by_its_writer_and_refused_by_the_reader),
        WITH_PAGE(a_process_reports_what_it_uses),
        WITH_PAGE(readiness_is_one_word),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
