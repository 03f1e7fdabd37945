/* Reading from a running anchord; see control_client.h. Runs in the commands, as whoever types them. */
#include "daemon/command/control_client.h"

#include "common/array.h"
#include "common/clock.h"
#include "daemon/supervise/control_socket.h"
#include "protocol/control_interface.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define ANSWER_TIMEOUT (5 * MICROSECONDS_PER_SECOND)

const struct status_list_definition status_lists[STATUS_LIST_MAX_] = {
    [STATUS_EXTERNAL] = {"ExternalNetwork", "external", "ss", {"network", "interface"}},
    [STATUS_SHARED] = {"SharedNetwork", "shared", "ss", {"network", "interface"}},
    [STATUS_SHARED_LINKS] = {"SharedLinks", "shared_links", "ssss", {"network", "interface", "state", "reason"}},
    [STATUS_EXTERNAL_ADDRESSES] = {"ExternalAddresses",
                                   "external_addresses",
                                   "sys",
                                   {"address", "prefix_length", "origin"}},
    [STATUS_SHARED_ADDRESSES] = {"SharedAddresses", "shared_addresses", "sys", {"address", "prefix_length", "origin"}},
    [STATUS_GATEWAYS] = {"Gateways", "gateways", "sss", {"family", "address", "source"}},
    [STATUS_LEASES] = {"Leases",
                       "leases",
                       "sssystst",
                       {"family", "state", "address", "prefix_length", "server", "remaining_seconds", "reason",
                        "retry_seconds"}},
    [STATUS_EXPOSURES] = {"Exposures",
                          "exposures",
                          "sqqqssss",
                          {"proto", "port_first", "port_last", "backend_port_first", "container", "address4",
                           "address6", "guests"}},
    [STATUS_PORTS] = {"Ports", "ports", "sqqttt", {"proto", "port_first", "port_last", "flows", "packets", "bytes"}},
    [STATUS_REFUSED] = {"Refused", "refused", "st", {"reason", "packets"}},
    [STATUS_CONFLICTS] = {"Conflicts",
                          "conflicts",
                          "sqqss",
                          {"proto", "port_first", "port_last", "container", "holder"}},
    [STATUS_PROBLEMS] = {"Problems",
                         "problems",
                         "ssssss",
                         {"container", "reason", "code", "severity", "title", "remedy"}},
    [STATUS_MAP_ELEMENTS] = {"MapElements", "map_elements", "ssu", {"family", "proto", "count"}},
    [STATUS_WORKERS] = {"Workers", "workers", "ssutt", {"name", "state", "pid", "restarts", "since_us"}},
    [STATUS_UNMET_CONDITIONS] = {"UnmetConditions", "unmet_conditions", "s", {"condition"}},
};

int control_client_open(sd_bus **ret)
{
    struct sockaddr_un address;
    CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int result = fd < 0 ? -errno : control_socket_address(&address);

    if (result < 0)
        return result;
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        return -errno;
    return control_client_open_connected(TAKE_FD(fd), ret);
}

int control_client_open_connected(int connected, sd_bus **ret)
{
    CLEANUP(control_client_closep) sd_bus *bus = NULL;
    CLEANUP_FD int fd = connected;
    int result;

    result = sd_bus_new(&bus);
    if (result < 0)
        return result;
    result = sd_bus_set_fd(bus, fd, fd);
    if (result < 0)
        return result;
    TAKE_FD(fd); /* the bus closes it */
    result = sd_bus_start(bus);
    if (result >= 0)
        result = sd_bus_set_method_call_timeout(bus, ANSWER_TIMEOUT);
    if (result < 0)
        return result;
    *ret = TAKE_POINTER(bus);
    return 0;
}

const struct control_client_cell *control_client_cell(const struct status *status, enum status_list list, size_t row,
                                                      size_t column)
{
    return &status->lists[list].cells[row * strlen(status_lists[list].types) + column];
}

void control_client_read_counters(sd_bus *bus)
{
    (void)sd_bus_call_method(bus, NULL, CONTROL_OBJECT, CONTROL_INTERFACE, "ReadCounters", NULL, NULL, "");
}

void control_client_clear(struct status *status)
{
    for (size_t i = 0; i < STATUS_LIST_MAX_; i++)
        free(status->lists[i].cells);
    sd_bus_message_unref(status->reply);
    *status = (struct status){0};
}

static int read_cell(sd_bus_message *message, char type, struct control_client_cell *ret)
{
    union {
        uint8_t y;
        uint16_t q;
        uint32_t u;
        uint64_t t;
    } number = {0};
    int result;

    *ret = (struct control_client_cell){0};
    if (type == SD_BUS_TYPE_STRING)
        return sd_bus_message_read_basic(message, type, &ret->text);
    result = sd_bus_message_read_basic(message, type, &number);
    ret->number = type == SD_BUS_TYPE_BYTE     ? number.y
                  : type == SD_BUS_TYPE_UINT16 ? number.q
                  : type == SD_BUS_TYPE_UINT32 ? number.u
                                               : number.t;
    return result;
}

static int read_row(sd_bus_message *message, const char *types, struct status_table *table)
{
    size_t columns = strlen(types);
    struct control_client_cell *row;

    row = array_grow(table->cells, table->row_count, &table->row_capacity, columns * sizeof(*row));
    if (!row)
        return -ENOMEM;
    table->cells = row;
    row = &table->cells[table->row_count * columns];
    for (size_t i = 0; i < columns; i++) {
        int result = read_cell(message, types[i], &row[i]);

        if (result < 0)
            return result;
    }
    table->row_count++;
    return 0;
}

/* A row that is a structure, or, with one column, a plain value. Returns 0 at the end of an array, 1 after a row. */
static int read_structure(sd_bus_message *message, const char *types, struct status_table *table)
{
    bool is_plain = types[1] == '\0';
    int result = is_plain ? sd_bus_message_at_end(message, 0) == 0
                          : sd_bus_message_enter_container(message, SD_BUS_TYPE_STRUCT, types);

    if (result <= 0)
        return result;
    result = read_row(message, types, table);
    if (result >= 0 && !is_plain)
        result = sd_bus_message_exit_container(message);
    return result < 0 ? result : 1;
}

static int read_list(sd_bus_message *message, enum status_list list, struct status_table *table)
{
    const char *types = status_lists[list].types;
    char element[STATUS_COLUMNS_MAX + 3];
    int result;

    if (list == STATUS_EXTERNAL || list == STATUS_SHARED)
        return read_structure(message, types, table);
    (void)snprintf(element, sizeof(element), types[1] ? "(%s)" : "%s", types);
    result = sd_bus_message_enter_container(message, SD_BUS_TYPE_ARRAY, element);
    if (result < 0)
        return result;
    while ((result = read_structure(message, types, table)) > 0)
        continue;
    return result < 0 ? result : sd_bus_message_exit_container(message);
}

static int read_value(sd_bus_message *message, const char *name, struct status *status)
{
    int ready = 0;
    int result;

    if (strcmp(name, "Version") == 0)
        return sd_bus_message_read(message, "s", &status->version);
    if (strcmp(name, "Role") == 0)
        return sd_bus_message_read(message, "s", &status->role);
    if (strcmp(name, "Project") == 0)
        return sd_bus_message_read(message, "s", &status->project);
    if (strcmp(name, "Ready") == 0) {
        result = sd_bus_message_read(message, "b", &ready);
        status->is_ready = ready != 0;
        return result;
    }
    for (size_t i = 0; i < STATUS_LIST_MAX_; i++) {
        if (strcmp(name, status_lists[i].property) == 0)
            return read_list(message, (enum status_list)i, &status->lists[i]);
    }
    return -EBADMSG; /* all programs come from one build */
}

/* One entry of a{sv}. Returns 0 at the end, 1 after an entry. */
static int read_property(sd_bus_message *message, struct status *status)
{
    const char *name = NULL;
    const char *type = NULL;
    int result = sd_bus_message_enter_container(message, SD_BUS_TYPE_DICT_ENTRY, "sv");

    if (result <= 0)
        return result;
    result = sd_bus_message_read(message, "s", &name);
    if (result >= 0)
        result = sd_bus_message_peek_type(message, NULL, &type);
    if (result >= 0)
        result = sd_bus_message_enter_container(message, SD_BUS_TYPE_VARIANT, type);
    if (result >= 0)
        result = read_value(message, name, status);
    if (result >= 0)
        result = sd_bus_message_exit_container(message);
    if (result >= 0)
        result = sd_bus_message_exit_container(message);
    return result < 0 ? result : 1;
}

int control_client_read(sd_bus *bus, struct status *ret)
{
    int result = sd_bus_call_method(bus, NULL, CONTROL_OBJECT, "org.freedesktop.DBus.Properties", "GetAll", NULL,
                                    &ret->reply, "s", CONTROL_INTERFACE);

    if (result >= 0)
        result = sd_bus_message_enter_container(ret->reply, SD_BUS_TYPE_ARRAY, "{sv}");
    while (result >= 0 && (result = read_property(ret->reply, ret)) > 0)
        continue;
    if (result < 0)
        return result;
    return ret->version && ret->role && ret->project && ret->lists[STATUS_EXTERNAL].row_count > 0 &&
                   ret->lists[STATUS_SHARED].row_count > 0
               ? 0
               : -EBADMSG;
}
