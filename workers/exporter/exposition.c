/* The pages as text; see exposition.h. Runs in anchord-exporter without any privilege. */
#include "workers/exporter/exposition.h"

#include "common/cleanup.h"
#include "common/clock.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define TOTAL "_total"

static const char *const content_types[] = {
    [EXPOSITION_TEXT] = "text/plain; version=0.0.4; charset=utf-8",
    [EXPOSITION_OPENMETRICS] = "application/openmetrics-text; version=1.0.0; charset=utf-8",
};

static const char *const type_names[] = {
    [METRIC_COUNTER] = "counter",
    [METRIC_GAUGE] = "gauge",
    [METRIC_HISTOGRAM] = "histogram",
};

static const char *const unit_names[] = {
    [METRIC_UNIT_NONE] = NULL,          [METRIC_UNIT_BYTES] = "bytes", [METRIC_UNIT_SECONDS] = "seconds",
    [METRIC_UNIT_DEADLINE] = "seconds", [METRIC_UNIT_KNOWN] = NULL,
};

const char *exposition_content_type(enum exposition exposition)
{
    return content_types[exposition];
}

/* --- text ----------------------------------------------------------------------------------------------- */

struct writer {
    char *text;
    size_t size;
    size_t length;
    bool is_full;
};

__attribute__((format(printf, 2, 3))) static void put(struct writer *writer, const char *format, ...)
{
    va_list arguments;
    size_t left = writer->size - writer->length;
    int length;

    if (writer->is_full)
        return;
    va_start(arguments, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): the analyzer loses the va_start above */
    length = vsnprintf(writer->text + writer->length, left, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= left)
        writer->is_full = true;
    else
        writer->length += (size_t)length;
}

/* Always with a decimal point and without needless zeros: the canonical form of OpenMetrics, fit for both. */
static void put_seconds(struct writer *writer, uint64_t microseconds)
{
    char fraction[8];
    size_t digits;

    (void)snprintf(fraction, sizeof(fraction), "%06u", (unsigned int)(microseconds % MICROSECONDS_PER_SECOND));
    for (digits = strlen(fraction); digits > 1 && fraction[digits - 1] == '0'; digits--)
        fraction[digits - 1] = '\0';
    put(writer, "%" PRIu64 ".%s", microseconds / MICROSECONDS_PER_SECOND, fraction);
}

/* A bucket's bound, as Prometheus's own client library for Go writes it: `1` in its text format, `1.0` in OpenMetrics.
 */
static void put_bound(struct writer *writer, enum exposition exposition, uint64_t microseconds)
{
    if (exposition == EXPOSITION_TEXT && microseconds % MICROSECONDS_PER_SECOND == 0)
        put(writer, "%" PRIu64, microseconds / MICROSECONDS_PER_SECOND);
    else
        put_seconds(writer, microseconds);
}

static void put_value(struct writer *writer, const struct metrics_view *view, enum metric_unit unit, uint64_t cell)
{
    switch (unit) {
    case METRIC_UNIT_SECONDS:
        put_seconds(writer, cell);
        break;
    case METRIC_UNIT_DEADLINE:
        put_seconds(writer, cell > view->now ? cell - view->now : 0);
        break;
    case METRIC_UNIT_KNOWN:
        put(writer, "%" PRIu64, cell - 1);
        break;
    case METRIC_UNIT_NONE:
    case METRIC_UNIT_BYTES:
        put(writer, "%" PRIu64, cell);
        break;
    }
    put(writer, "\n");
}

/* --- one metric ----------------------------------------------------------------------------------------- */

/* A page that nobody writes holds zeros. */
static uint64_t cell_of(const struct metrics_view *view, enum metrics_writer writer, enum metric metric, size_t cell)
{
    return view->pages[writer] ? metrics_read(view->pages[writer], metric, cell) : 0;
}

static void put_histogram(struct writer *writer, const struct metrics_view *view, enum exposition exposition,
                          enum metric metric)
{
    const struct metric_definition *definition = metric_definition(metric);
    uint64_t count = 0;

    for (size_t bucket = 0; bucket < METRIC_BUCKET_BOUNDS_COUNT; bucket++) {
        count += cell_of(view, definition->writer, metric, bucket);
        put(writer, "%s_bucket{le=\"", definition->name);
        put_bound(writer, exposition, metric_bucket_bounds[bucket]);
        put(writer, "\"} %" PRIu64 "\n", count);
    }
    count += cell_of(view, definition->writer, metric, METRIC_BUCKET_BOUNDS_COUNT);
    put(writer, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", definition->name, count);
    put(writer, "%s_sum ", definition->name);
    put_seconds(writer, cell_of(view, definition->writer, metric, METRIC_HISTOGRAM_SUM));
    put(writer, "\n%s_count %" PRIu64 "\n", definition->name, count);
}

/* The labels of the sample at `cell`; the last label counts fastest. */
static void put_labels(struct writer *writer, const struct metric_definition *definition, size_t cell)
{
    const struct metric_label *first = definition->labels[0], *second = definition->labels[1];
    size_t inner = second ? second->count : 1;

    if (first)
        put(writer, "{%s=\"%s\"", first->name, first->values[cell / inner]);
    if (second)
        put(writer, ",%s=\"%s\"", second->name, second->values[cell % inner]);
    put(writer, first ? "} " : " ");
}

static void put_samples(struct writer *writer, const struct metrics_view *view, enum metric metric)
{
    const struct metric_definition *definition = metric_definition(metric);
    bool is_of_each = definition->writer == METRICS_WRITER_MAX_;
    size_t count = 1;

    for (size_t i = 0; i < METRIC_LABELS_MAX && definition->labels[i]; i++)
        count *= definition->labels[i]->count;
    for (size_t cell = 0; cell < count; cell++) {
        uint64_t value = is_of_each ? cell_of(view, (enum metrics_writer)cell, metric, 0)
                                    : cell_of(view, definition->writer, metric, cell);

        if (definition->stand_in < METRICS_WRITER_MAX_ && value == 0)
            value = cell_of(view, definition->stand_in, metric, cell);
        if (definition->unit == METRIC_UNIT_KNOWN && value == 0)
            continue;
        put(writer, "%s", definition->name);
        put_labels(writer, definition, cell);
        put_value(writer, view, definition->unit, value);
    }
}

static uint64_t value_of(const struct metrics_port *port, enum metric metric)
{
    return metric == METRIC_PORT_FLOWS ? port->flows : metric == METRIC_PORT_PACKETS ? port->packets : port->bytes;
}

/* anchord_port_flows_total{proto="udp",port="10000-20000"} 7 */
static void put_ports(struct writer *writer, const struct metrics_port *ports, size_t count, enum metric metric)
{
    const struct metric_definition *definition = metric_definition(metric);
    const struct metric_label *protocol = definition->labels[0];

    for (size_t i = 0; i < count; i++) {
        if (ports[i].protocol >= protocol->count)
            continue;
        put(writer, "%s{%s=\"%s\",%s=\"%u", definition->name, protocol->name, protocol->values[ports[i].protocol],
            definition->labels[1]->name, (unsigned int)ports[i].first);
        if (ports[i].last != ports[i].first)
            put(writer, "-%u", (unsigned int)ports[i].last);
        put(writer, "\"} %" PRIu64 "\n", value_of(&ports[i], metric));
    }
}

/* OpenMetrics names a counter's family without the ending of its sample. */
static void put_head(struct writer *writer, const struct metric_definition *definition, enum exposition exposition)
{
    const char *unit = unit_names[definition->unit];
    size_t length = strlen(definition->name);

    if (exposition == EXPOSITION_TEXT) {
        put(writer, "# HELP %s %s\n# TYPE %s %s\n", definition->name, definition->help, definition->name,
            type_names[definition->type]);
        return;
    }
    if (definition->type == METRIC_COUNTER)
        length -= strlen(TOTAL);
    put(writer, "# TYPE %.*s %s\n", (int)length, definition->name, type_names[definition->type]);
    if (unit)
        put(writer, "# UNIT %.*s %s\n", (int)length, definition->name, unit);
    put(writer, "# HELP %.*s %s\n", (int)length, definition->name, definition->help);
}

int exposition_write_metrics(const struct metrics_view *view, enum exposition exposition, char *text, size_t size)
{
    static struct metrics_port ports[COUNTED_PORTS_MAX]; /* one thread */
    const struct metrics_page *page = view->pages[METRICS_WRITER_NETADMIN];
    size_t port_count = page ? metrics_read_ports(page, ports) : 0;
    struct writer writer = {.text = text, .size = size};

    for (enum metric metric = 0; metric < METRIC_MAX_; metric++) {
        const struct metric_definition *definition = metric_definition(metric);

        put_head(&writer, definition, exposition);
        if (definition->type == METRIC_HISTOGRAM)
            put_histogram(&writer, view, exposition, metric);
        else if (metric_is_of_ports(metric))
            put_ports(&writer, ports, port_count, metric);
        else
            put_samples(&writer, view, metric);
    }
    if (exposition == EXPOSITION_OPENMETRICS)
        put(&writer, "# EOF\n");
    return writer.is_full ? -ENOBUFS : (int)writer.length;
}

/* --- readiness ------------------------------------------------------------------------------------------ */

bool exposition_write_readiness(const struct metrics_page *supervisor, char *text, size_t size)
{
    uint64_t readiness = supervisor ? atomic_load_explicit(&supervisor->readiness, memory_order_acquire) : 0;
    uint32_t required = (uint32_t)(readiness >> 32);
    uint32_t unmet = required & ~(uint32_t)readiness;
    struct writer writer = {.text = text, .size = size};

    for (uint32_t condition = 1; condition & READINESS_ALL_; condition <<= 1) {
        if (unmet & condition)
            put(&writer, "%s: false\n", readiness_condition_to_string(condition));
    }
    if (required != 0 && unmet == 0)
        put(&writer, "ready\n");
    return required != 0 && unmet == 0;
}

/* --- Accept --------------------------------------------------------------------------------------------- */

/* The weight 0 … 1000 of one member of the list, 1000 without one; parameters after `q` are extensions. */
static unsigned int weight_of(const char *parameters, size_t length)
{
    for (const char *position = parameters;
         (position = memchr(position, ';', length - (size_t)(position - parameters)));) {
        unsigned int whole = 0, thousandths = 0, scale = 100;

        position++;
        position += strspn(position, " \t");
        if ((*position != 'q' && *position != 'Q') || position[1] != '=')
            continue;
        whole = position[2] == '1';
        if (position[2] != '\0' && position[3] == '.') {
            for (const char *digit = position + 4; *digit >= '0' && *digit <= '9' && scale > 0; digit++, scale /= 10)
                thousandths += (unsigned int)(*digit - '0') * scale;
        }
        return whole ? 1000 : thousandths;
    }
    return 1000;
}

enum exposition exposition_negotiate(const char *accept)
{
    static const char openmetrics[] = "application/openmetrics-text", text[] = "text/plain";
    unsigned int openmetrics_weight = 0, text_weight = 0;

    for (const char *member = accept; member && *member; member += *member == ',') {
        size_t length, name_length;
        unsigned int weight;

        member += strspn(member, " \t");
        length = strcspn(member, ",");
        name_length = strcspn(member, ";, \t");
        weight = weight_of(member, length);
        if (name_length == strlen(openmetrics) && strncasecmp(member, openmetrics, name_length) == 0 &&
            weight > openmetrics_weight)
            openmetrics_weight = weight;
        if (name_length == strlen(text) && strncasecmp(member, text, name_length) == 0 && weight > text_weight)
            text_weight = weight;
        member += length;
    }
    return openmetrics_weight > 0 && openmetrics_weight >= text_weight ? EXPOSITION_OPENMETRICS : EXPOSITION_TEXT;
}
