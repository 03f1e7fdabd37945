/*
 * What the commands `anchord status` and `anchord healthcheck` read from a running anchord, over the control socket.
 *
 * Used by the commands, as whoever types them: root, since nobody else may connect. Not part of the supervisor.
 */
#pragma once

#include "common/cleanup.h"

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

DEFINE_POINTER_CLEANUP(sd_bus, (void)sd_bus_flush_close_unref, control_client_closep);

/*
 * Connects. Returns 0, or a negative errno: -ENOENT and -ECONNREFUSED when nothing runs here, -EACCES when only
 * another user may ask.
 */
int control_client_open(sd_bus **ret) __attribute__((warn_unused_result));
/* By a socket that is connected already; takes it over, also on failure. */
int control_client_open_connected(int connected, sd_bus **ret) __attribute__((warn_unused_result));

struct control_client_cell {
    const char *text; /* NULL: it is a number */
    uint64_t number;
};

/* Rows of cells, all of the same columns. */
struct status_table {
    struct control_client_cell *cells;
    size_t row_count;
    size_t row_capacity;
};

enum status_list {
    STATUS_EXTERNAL, /* one row: Docker network, interface */
    STATUS_SHARED,
    STATUS_SHARED_LINKS, /* attach's: one into each network of the project's containers */
    STATUS_EXTERNAL_ADDRESSES,
    STATUS_SHARED_ADDRESSES,
    STATUS_GATEWAYS,
    STATUS_LEASES,
    STATUS_EXPOSURES,
    STATUS_PORTS,   /* what went through those exposures */
    STATUS_REFUSED, /* packets, by reason */
    STATUS_CONFLICTS,
    STATUS_PROBLEMS,
    STATUS_MAP_ELEMENTS,
    STATUS_WORKERS,
    STATUS_UNMET_CONDITIONS,
    STATUS_LIST_MAX_,
};

#define STATUS_COLUMNS_MAX 8

/* The columns of each list, in D-Bus's order; the keys of `anchord status --json`. */
struct status_list_definition {
    const char *property;
    const char *key;
    const char *types; /* D-Bus signature of a row; one letter a column */
    const char *columns[STATUS_COLUMNS_MAX];
};
extern const struct status_list_definition status_lists[STATUS_LIST_MAX_];

/* All strings live as long as the reply. */
struct status {
    sd_bus_message *reply;
    const char *version;
    const char *role;
    const char *project;
    bool is_ready;
    struct status_table lists[STATUS_LIST_MAX_];
};

/* Asks for everything. *ret must be zero and is the caller's to clear, also on failure. Returns 0 or a negative errno.
 */
int control_client_read(sd_bus *bus, struct status *ret) __attribute__((warn_unused_result));
void control_client_clear(struct status *status);

/* Has the counters read before control_client_read() shows them; nobody who cannot need know. */
void control_client_read_counters(sd_bus *bus);

/* The cell of a list; row and column must exist. */
const struct control_client_cell *control_client_cell(const struct status *status, enum status_list list, size_t row,
                                                      size_t column);
