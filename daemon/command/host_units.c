/* Asks systemd; see host_units.h. Runs as whoever typed the command. */
#include "daemon/command/host_units.h"

#include "common/cleanup.h"
#include "common/clock.h"

#include <string.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-daemon.h>

#define SYSTEMD            "org.freedesktop.systemd1"
#define SYSTEMD_PATH       "/org/freedesktop/systemd1"
#define SYSTEMD_MANAGER    "org.freedesktop.systemd1.Manager"
#define SYSTEMD_SERVICE    "org.freedesktop.systemd1.Service"
#define ANSWER_TIMEOUT     (5 * MICROSECONDS_PER_SECOND)
#define LISTED_UNIT_FORMAT "(ssssssouso)" /* org.freedesktop.systemd1(5), ListUnitsByPatterns() */

static const char *const unit_files[] = {"/etc/systemd/system/anchord@.service",
                                         "/usr/local/lib/systemd/system/anchord@.service",
                                         "/usr/lib/systemd/system/anchord@.service"};

/* Which half a unit is. */
static const struct half {
    const char *prefix, *service;
} halves[] = {{UNIT_HOST_PREFIX, HALF_HOST}, {UNIT_IDENTITY_PREFIX, HALF_IDENTITY}};

bool host_units_are_installed(void)
{
    if (sd_booted() <= 0)
        return false;
    for (size_t i = 0; i < ARRAY_LENGTH(unit_files); i++) {
        if (access(unit_files[i], F_OK) == 0)
            return true;
    }
    return false;
}

bool host_units_is_unit(const struct look_record *half)
{
    size_t length = strlen(half->name);

    return length > strlen(UNIT_SUFFIX) && strcmp(half->name + length - strlen(UNIT_SUFFIX), UNIT_SUFFIX) == 0 &&
           strchr(half->name, '@'); /* which no container's name has */
}

/* Whose half it is. Returns whether it is one. */
static bool read_name(const char *name, struct look_record *ret)
{
    for (size_t i = 0; i < ARRAY_LENGTH(halves); i++) {
        size_t begin = strlen(halves[i].prefix), length = strlen(name);

        if (strncmp(name, halves[i].prefix, begin) != 0 || length <= begin + strlen(UNIT_SUFFIX) ||
            length >= sizeof(ret->name))
            continue;
        text_copy_cut(ret->name, sizeof(ret->name), name);
        text_copy_cut(ret->service, sizeof(ret->service), halves[i].service);
        (void)snprintf(ret->attached, sizeof(ret->attached), "%.*s", (int)(length - begin - strlen(UNIT_SUFFIX)),
                       name + begin);
        return true;
    }
    return false;
}

/* Who is to hear of each. */
struct hearer {
    host_units_handler handler;
    void *userdata;
};

/* One that has ended and is not to come back is none: its name alone is known still. */
static int take_unit(sd_bus *bus, const char *name, const char *state, const char *path, const struct hearer *hearer)
{
    struct look_record record = {.kind = LOOK_CONTAINER};
    uint32_t pid = 0;

    if (strcmp(state, "inactive") == 0 || !read_name(name, &record))
        return 0;
    if (strcmp(state, "failed") != 0 &&
        sd_bus_get_property_trivial(bus, SYSTEMD, path, SYSTEMD_SERVICE, "MainPID", NULL, 'u', &pid) >= 0)
        record.pid = pid;
    record.is_running = record.pid > 0; /* between two starts it does not */
    return hearer->handler(&record, hearer->userdata);
}

static int take_units(sd_bus *bus, sd_bus_message *answer, const struct hearer *hearer)
{
    int result = sd_bus_message_enter_container(answer, 'a', LISTED_UNIT_FORMAT);

    while (result >= 0) {
        const char *name, *state, *path;

        result = sd_bus_message_read(answer, LISTED_UNIT_FORMAT, &name, NULL, NULL, &state, NULL, NULL, &path, NULL,
                                     NULL, NULL);
        if (result <= 0)
            break;
        result = take_unit(bus, name, state, path, hearer);
    }
    return result;
}

static void unref_message(sd_bus_message **message)
{
    (void)sd_bus_message_unref(*message);
}

static void close_bus(sd_bus **bus)
{
    (void)sd_bus_close_unref(*bus);
}

int host_units_each(host_units_handler handler, void *userdata)
{
    const struct hearer hearer = {handler, userdata};
    CLEANUP(close_bus) sd_bus *bus = NULL;
    CLEANUP(unref_message) sd_bus_message *question = NULL;
    CLEANUP(unref_message) sd_bus_message *answer = NULL;
    int result = host_units_are_installed() ? sd_bus_open_system(&bus) : 0;

    if (!bus)
        return result;
    result =
        sd_bus_message_new_method_call(bus, &question, SYSTEMD, SYSTEMD_PATH, SYSTEMD_MANAGER, "ListUnitsByPatterns");
    if (result >= 0) /* in whatever state */
        result = sd_bus_message_append(question, "asas", 0, 2, UNIT_HOST_PREFIX "*" UNIT_SUFFIX,
                                       UNIT_IDENTITY_PREFIX "*" UNIT_SUFFIX);
    if (result >= 0)
        result = sd_bus_call(bus, question, ANSWER_TIMEOUT, NULL, &answer);
    if (result >= 0)
        result = take_units(bus, answer, &hearer);
    return result < 0 ? result : 0;
}
