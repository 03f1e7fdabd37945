/* Starts anchord-look and reads what it tells; see host_look.h. Runs as whoever typed the command. */
#include "daemon/command/host_look.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "daemon/command/child_process.h"
#include "daemon/command/host_units.h"
#include "daemon/supervise/spawn.h"

#include <string.h>

#define PROGRAM        ANCHORD_WORKER_DIRECTORY "/anchord-look"
#define LIMIT_SECONDS  30
#define ADDRESSES_MAX  2
#define DEFAULT_DOCKER "unix:///var/run/docker.sock"

void host_look_release(struct host_look *look)
{
    free(look->bytes);
    *look = (struct host_look){0};
}

const char *host_look_docker_host(void)
{
    const char *host = getenv("DOCKER_HOST");

    return host && host[0] != '\0' ? host : DEFAULT_DOCKER;
}

static int fail(struct host_look *look, int error, const char *reason)
{
    text_copy_cut(look->reason, sizeof(look->reason), reason);
    return error;
}

/* The records of an output that is complete, the last of which says how it ended. */
static int take_records(struct host_look *look, struct child_output *output)
{
    const struct look_record *last;

    look->count = output->length / sizeof(*look->records);
    look->bytes = TAKE_POINTER(output->bytes); /* of malloc(3): aligned for whatever there is */
    look->records = (struct look_record *)(void *)look->bytes;
    for (size_t i = 0; i < look->count; i++) {
        if (!look_record_is_valid(&look->records[i]))
            look->count = 0;
    }
    if (look->count == 0 || output->length % sizeof(*look->records) != 0 ||
        look->records[look->count - 1].kind != LOOK_END)
        return fail(look, -EBADMSG, PROGRAM " ended before its end");
    last = &look->records[--look->count];
    return last->error < 0 ? fail(look, last->error, last->text[0] ? last->text : log_errno_text(last->error)) : 0;
}

static int run(const char *const *arguments, struct host_look *ret)
{
    static char *const no_environment[] = {NULL};
    CLEANUP(child_output_release) struct child_output output = {0};
    const struct child_process process = {
        .program = PROGRAM,
        .arguments = arguments,
        .environment = no_environment,
        .seconds = LIMIT_SECONDS,
    };
    int result;

    host_look_release(ret);
    if (access(PROGRAM, X_OK) < 0)
        return fail(ret, -errno, PROGRAM " is not there: install anchord (ninja -C build install)");
    result = child_process_run(&process, &output);
    return result < 0 ? fail(ret, result, log_errno_text(result)) : take_records(ret, &output);
}

static int add_unit(const struct look_record *half, void *userdata)
{
    struct host_look *look = userdata;
    struct look_record *records = reallocarray(look->records, look->count + 1, sizeof(*records));

    if (!records)
        return -ENOMEM;
    look->records = records;
    look->bytes = (char *)records;
    records[look->count++] = *half;
    return 0;
}

int host_look_docker(struct host_look *ret)
{
    const char *const arguments[] = {"anchord-look", "docker", host_look_docker_host(), NULL};
    int result = run(arguments, ret);

    if (result < 0)
        return result;
    result = host_units_each(add_unit, ret);
    return result < 0 ? fail(ret, result, "systemd does not tell of its units") : 0;
}

int host_look_lan(const char *parent, const struct ip_address *addresses, size_t count, struct host_look *ret)
{
    char texts[ADDRESSES_MAX][IP_ADDRESS_TEXT_SIZE];
    const char *arguments[3 + ADDRESSES_MAX + 1] = {"anchord-look", "lan", parent};

    for (size_t i = 0; i < count && i < ADDRESSES_MAX; i++) {
        (void)ip_address_format(&addresses[i], texts[i]);
        arguments[3 + i] = texts[i];
    }
    return run(arguments, ret);
}

const struct look_record *host_look_find_half(const struct host_look *look, const char *project, const char *service)
{
    const struct look_record *found = NULL;

    for (size_t i = 0; i < look->count; i++) {
        const struct look_record *record = &look->records[i];

        if (record->kind == LOOK_CONTAINER && strcmp(record->attached, project) == 0 &&
            strcmp(record->service, service) == 0 && (!found || record->is_running))
            found = record;
    }
    return found;
}
