/* Has a project changed since its override was made? See check.h. Runs in anchord-wrap, pure. */
#include "workers/commands/wrap/check.h"

#include "common/cleanup.h"
#include "workers/commands/wrap/override.h"
#include "workers/commands/wrap/yaml.h"

#include <string.h>

struct record {
    const char *service;
    const char *text;
    bool is_met;
};

struct records {
    struct record *records;
    size_t count;
};

/* `# wrapped "NAME": TEXT`; cuts the line. */
static bool parse_record(char *line, struct record *ret)
{
    char *middle;

    if (strncmp(line, OVERRIDE_RECORD_START, strlen(OVERRIDE_RECORD_START)) != 0)
        return false;
    ret->service = line + strlen(OVERRIDE_RECORD_START);
    middle = strstr(ret->service, OVERRIDE_RECORD_MIDDLE);
    if (!middle)
        return false;
    *middle = '\0';
    ret->text = middle + strlen(OVERRIDE_RECORD_MIDDLE);
    return true;
}

static int read_records(struct arena *arena, char *file, struct records *ret)
{
    size_t lines = 1;

    for (const char *end = strchr(file, '\n'); end; end = strchr(end + 1, '\n'))
        lines++;
    ret->records = arena_allocate(arena, lines, sizeof(*ret->records));
    if (!ret->records)
        return -ENOMEM;
    for (char *line = file; line;) {
        char *next = strchr(line, '\n');

        if (next)
            *next++ = '\0';
        line[strcspn(line, "\r")] = '\0';
        ret->count += parse_record(line, &ret->records[ret->count]);
        line = next;
    }
    return ret->count > 0 ? 0 : -ENODATA;
}

static struct record *find(struct records *records, const char *service)
{
    for (size_t i = 0; i < records->count; i++) {
        if (strcmp(records->records[i].service, service) == 0)
            return &records->records[i];
    }
    return NULL;
}

/* Returns how many differences it wrote, or -ENOMEM. */
static int compare_service(const struct plan *plan, const struct planned_service *planned, struct records *records,
                           FILE *stream)
{
    const char *text = override_record(plan, planned);
    struct record *record = find(records, planned->service->name);

    if (!text)
        return -ENOMEM;
    if (!record) {
        (void)fprintf(stream, "%s: is new: %s\n", planned->service->name, text);
        return 1;
    }
    record->is_met = true;
    if (strcmp(record->text, text) == 0)
        return 0;
    (void)fprintf(stream, "%s: has changed: it was \"", planned->service->name);
    yaml_write_plain(stream, record->text);
    (void)fprintf(stream, "\", it is \"%s\"\n", text);
    return 1;
}

int check_compare(const struct plan *plan, char *file, FILE *stream)
{
    struct records records = {0};
    int differences = 0;
    int result;

    if (plan->is_wrapped)
        return -EEXIST;
    result = read_records(plan->arena, file, &records);
    if (result < 0)
        return result;
    for (size_t i = 0; i < plan->service_count; i++) {
        result = compare_service(plan, &plan->services[i], &records, stream);
        if (result < 0)
            return result;
        differences += result;
    }
    for (size_t i = 0; i < records.count; i++) {
        if (records.records[i].is_met)
            continue;
        yaml_write_plain(stream, records.records[i].service);
        (void)fputs(": is gone\n", stream);
        differences++;
    }
    return differences;
}
