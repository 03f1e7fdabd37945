/* An attachment's last words; see attach_report.h. Runs as root, in the command. */
#include "daemon/command/attach_report.h"

#include "common/text.h"
#include "daemon/command/command_words.h"

#include <stdio.h>
#include <string.h>

#define TEXT_SIZE 768

static const struct control_client_cell *row_of(const struct attached_status *status, enum status_list list, size_t row)
{
    return control_client_cell(&status->status, list, row, 0);
}

/* tcp/25 or udp/10000-20000 */
static void format_ports(const struct control_client_cell *row, char *text, size_t size)
{
    if (row[1].number == row[2].number)
        (void)snprintf(text, size, "%s/%u", row[0].text, (unsigned int)row[1].number);
    else
        (void)snprintf(text, size, "%s/%u-%u", row[0].text, (unsigned int)row[1].number, (unsigned int)row[2].number);
}

static void print_line(const char *what, const char *rest)
{
    (void)printf("  %-16s ", what);
    (void)text_print_escaped(stdout, rest);
    (void)fputc('\n', stdout);
}

static void print_exposures(const struct attached_status *status)
{
    char ports[32], text[TEXT_SIZE];

    if (status->status.lists[STATUS_EXPOSURES].row_count == 0)
        (void)puts("  no port: no container publishes one, nor has the label anchord.expose");
    for (size_t i = 0; i < status->status.lists[STATUS_EXPOSURES].row_count; i++) {
        const struct control_client_cell *row = row_of(status, STATUS_EXPOSURES, i);

        format_ports(row, ports, sizeof(ports));
        (void)snprintf(text, sizeof(text), "%s, port %u", row[4].text, (unsigned int)row[3].number);
        print_line(ports, text);
    }
}

/* Conflicts are among the problems. */
static void print_problems(const struct attached_status *status)
{
    size_t count = status->status.lists[STATUS_PROBLEMS].row_count;
    char text[TEXT_SIZE];

    if (count > 0)
        (void)puts("Not done:");
    for (size_t i = 0; i < count; i++) {
        const struct control_client_cell *row = row_of(status, STATUS_PROBLEMS, i);

        (void)snprintf(text, sizeof(text), "%s (%s)", row[1].text, row[2].text);
        print_line(row[0].text, text);
        if (row[5].text[0] != '\0')
            (void)printf("    do: %s\n", row[5].text);
    }
}

void attach_report_print(const char *project, bool is_units, const struct attached_status *status)
{
    char addresses[TEXT_SIZE];

    (void)attached_status_addresses(status, addresses, sizeof(addresses));
    (void)printf("\n%s is on the LAN at %s:\n", project, addresses);
    print_exposures(status);
    print_problems(status);
    (void)printf(is_units ? "\nMore of it: anchord --project %s status."
                          : "\nMore of it: docker exec anchord-%s-identity-1 anchord status.",
                 project);
    (void)printf(" Undone by: anchord detach %s\n", project);
    (void)fflush(stdout);
}

/* What has to be there before a condition can hold. */
static const char *remedy_of(const char *condition, bool is_units)
{
    static const struct {
        const char *condition, *remedy, *of_units; /* NULL: the same */
    } remedies[] = {
        {"links_made", "the links on the host are not made: docker logs of its half on the host says why",
         "the links on the host are not made: journalctl --unit 'anchord-host@*' says why"},
        {"ways_installed", "the containers' way out is not installed yet", NULL},
        {"tables_installed", "its rules are not installed: docker logs of its other half says why",
         "its rules are not installed: journalctl --unit 'anchord@*' says why"},
        {"reconciled", "Docker has not told of the containers: may its socket be read?", NULL},
    };

    for (size_t i = 0; i < sizeof(remedies) / sizeof(remedies[0]); i++) {
        if (strcmp(remedies[i].condition, condition) == 0)
            return is_units && remedies[i].of_units ? remedies[i].of_units : remedies[i].remedy;
    }
    return "is not so";
}

void attach_report_unmet(const struct attached_status *status, bool is_units, bool has_dhcp)
{
    char addresses[TEXT_SIZE];

    if (!status->bus) {
        (void)command_complain("attach", "its other half",
                               is_units ? "does not answer: journalctl says why"
                                        : "does not answer: docker logs says why");
        return;
    }
    for (size_t i = 0; i < status->status.lists[STATUS_UNMET_CONDITIONS].row_count; i++) {
        const char *condition = row_of(status, STATUS_UNMET_CONDITIONS, i)[0].text;

        (void)command_complain("attach", condition, remedy_of(condition, is_units));
    }
    if (attached_status_addresses(status, addresses, sizeof(addresses)) == 0)
        (void)command_complain("attach", "no address",
                               has_dhcp
                                   ? "no DHCP server has given one: is there one on that interface's network? Else "
                                     "--address ADDRESS/PREFIX"
                                   : "it was not to be had: see the next lines, or another --address");
    for (size_t i = 0; i < status->status.lists[STATUS_LEASES].row_count; i++) {
        const struct control_client_cell *row = row_of(status, STATUS_LEASES, i);

        if (row[6].text[0] != '\0')
            (void)command_complain("attach", row[0].text, row[6].text);
    }
    for (size_t i = 0; i < status->status.lists[STATUS_PROBLEMS].row_count; i++) {
        const struct control_client_cell *row = row_of(status, STATUS_PROBLEMS, i);
        char text[TEXT_SIZE];

        (void)snprintf(text, sizeof(text), "%s (%s)%s%s", row[1].text, row[2].text, row[5].text[0] ? "; " : "",
                       row[5].text);
        (void)command_complain("attach", row[0].text, text);
    }
}
