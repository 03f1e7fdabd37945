/* The command `anchord ban`; see ban_command.h. Runs as whoever types it. */
#include "daemon/command/ban_command.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/sandbox.h"
#include "common/text.h"
#include "daemon/command/ban_client.h"
#include "daemon/command/command_words.h"
#include "daemon/command/control_client.h"
#include "daemon/command/json_output.h"
#include "daemon/configuration/configuration_parse.h"

#include <stdio.h>
#include <string.h>

#define HELP                                                                                                    \
    "Usage: anchord ban add [--for TIME] [--reason TEXT] [--new-only] [--force] ADDRESS[/PREFIX]…\n"          \
    "       anchord ban del ADDRESS[/PREFIX]…\n"                                                              \
    "       anchord ban list [--json]\n"                                                                        \
    "       anchord ban flush\n"                                                                                \
    "\n"                                                                                                        \
    "Nothing comes in from who is banned, and open connections end; inside and between containers nothing\n"    \
    "changes. An IPv6 address stands for its /64, unless /128 is said. The shortest prefixes are /8 and /16.\n" \
    "\n"                                                                                                        \
    "  --for TIME      until then: 10m, 4h, 1h30m, or plain seconds (for good)\n"                               \
    "  --reason TEXT   for ban list; 63 characters\n"                                                           \
    "  --new-only      what is open may go on\n"                                                                \
    "  --force         also the gateway, or an address of the project itself (root, here)\n"                    \
    "  --json          as a JSON array\n"                                                                       \
    "  --socket PATH   another ban socket (ANCHORD_BAN_SOCKET; else that in /run/anchord)\n"                    \
    "\n"                                                                                                        \
    "Exit status 0; 1: something is wrong, said with the address; 3: none runs here."

struct options {
    enum ban_operation operation;
    const char *socket;
    const char *reason;
    uint64_t seconds;
    bool is_new_only;
    bool is_forced;
    bool as_json;
    char **addresses;
    int address_count;
};

static int complain(const char *object, const char *text)
{
    return command_complain("ban", object, text);
}

static int complain_of_connection(int error)
{
    bool nothing_runs = error == -ENOENT || error == -ECONNREFUSED;
    const char *text = nothing_runs ? "anchord does not run here, or cannot ban (see its log)"
                       : error == -EACCES || error == -EPERM
                           ? "may not be opened: root may, and the group of ANCHORD_BAN_SOCKET's directory"
                       : error == -ETIMEDOUT ? "no answer: it is written down, and holds as soon as anchord works again"
                       : error == -EBADMSG   ? "another version of anchord answers"
                                             : log_errno_text(error);

    (void)fprintf(stderr, "anchord ban: %s\n", text);
    return nothing_runs ? EXIT_STATUS_NOTHING_RUNS : EXIT_STATUS_CONFIGURATION;
}

/* --- what is typed ------------------------------------------------------------------------------------------- */

static const char *parse_duration(const char *text, uint64_t *ret_seconds)
{
    uint64_t milliseconds;

    if (configuration_parse_duration(text, &milliseconds) < 0 || milliseconds == 0)
        return "is no time: 30s, 10m, 4h, 1h30m, or plain seconds";
    *ret_seconds = (milliseconds + 999) / 1000;
    return *ret_seconds > BAN_SECONDS_MAX ? "is longer than ten years: leave it out" : NULL;
}

static int parse_operation(const char *word, enum ban_operation *ret)
{
    static const char *const words[] = {
        [BAN_OPERATION_ADD] = "add",
        [BAN_OPERATION_DELETE] = "del",
        [BAN_OPERATION_FLUSH] = "flush",
        [BAN_OPERATION_LIST] = "list",
    };

    for (size_t i = BAN_OPERATION_ADD; word && i < ARRAY_LENGTH(words); i++) {
        if (strcmp(word, words[i]) == 0) {
            *ret = (enum ban_operation)i;
            return 0;
        }
    }
    return complain(word ? word : "what", "is none of add, del, list, flush; see anchord ban --help");
}

/* Takes one option, with its value. Returns how many words that were, if nothing is wrong. */
static int parse_option(char **words, int count, struct options *ret, const char **ret_wrong)
{
    struct {
        const char *name;
        bool *flag;
        const char **value;
    } known[] = {
        {"--new-only", &ret->is_new_only, NULL}, {"--force", &ret->is_forced, NULL}, {"--json", &ret->as_json, NULL},
        {"--reason", NULL, &ret->reason},        {"--socket", NULL, &ret->socket},   {"--for", NULL, NULL},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(known); i++) {
        if (strcmp(words[0], known[i].name) != 0)
            continue;
        if (known[i].flag) {
            *known[i].flag = true;
            return 1;
        }
        *ret_wrong = count < 2 ? "wants a value behind it" : NULL;
        if (*ret_wrong)
            return 1;
        if (known[i].value)
            *known[i].value = words[1];
        else
            *ret_wrong = parse_duration(words[1], &ret->seconds);
        return 2;
    }
    *ret_wrong = "unknown option; see anchord ban --help";
    return 1;
}

/* Addresses and options in any order. */
static int parse(int argc, char **argv, struct options *ret)
{
    int result = parse_operation(argc > 0 ? argv[0] : NULL, &ret->operation);

    ret->addresses = argv;
    for (int i = 1; i < argc && result == 0;) {
        const char *wrong = NULL;
        int words;

        if (argv[i][0] != '-') {
            ret->addresses[ret->address_count++] = argv[i++];
            continue;
        }
        words = parse_option(&argv[i], argc - i, ret, &wrong);
        if (wrong)
            return complain(argv[i], wrong);
        i += words;
    }
    if (result == 0 && ret->reason && strlen(ret->reason) >= BAN_REASON_SIZE)
        return complain("--reason", "is longer than 63 characters");
    return result;
}

/* ADDRESS, or ADDRESS/PREFIX with host bits zero. */
static const char *parse_ban(const char *text, struct wire_ban *ret)
{
    struct ip_subnet subnet = {0};
    struct ip_address first;

    if (ip_address_parse(text, &subnet.address) == 0)
        subnet.prefix_length = subnet.address.family == IP_FAMILY_4 ? 32 : BAN_NETWORK6;
    else if (ip_subnet_parse(text, &subnet) < 0)
        return "is no IP address, and no ADDRESS/PREFIX";
    if (subnet.prefix_length < (subnet.address.family == IP_FAMILY_4 ? BAN_PREFIX4_LEAST : BAN_PREFIX6_LEAST))
        return "would ban a good part of the world; the shortest prefixes are /8, and /16 of IPv6. To let in only "
               "some there is the label anchord.allow";
    first = ip_subnet_first(&subnet);
    if (ip_address_is_loopback(&first) || ip_address_is_multicast(&first))
        return "is no address that anybody comes from";
    *ret = (struct wire_ban){.family = first.family, .prefix_length = subnet.prefix_length};
    memcpy(ret->bytes, first.bytes, sizeof(ret->bytes));
    return NULL;
}

/* --- what should not be banned ------------------------------------------------------------------------------- */

static bool is_in(const struct wire_ban *ban, const char *text)
{
    struct wire_ban other = {0};
    struct ip_address address;

    if (!text || ip_address_parse(text, &address) < 0)
        return false;
    other.family = address.family;
    other.prefix_length = ip_family_bits(address.family);
    memcpy(other.bytes, address.bytes, sizeof(other.bytes));
    return wire_ban_contains(ban, &other);
}

static bool one_is_in(const struct wire_ban *ban, const struct status *status, enum status_list list, size_t column)
{
    for (size_t i = 0; i < status->lists[list].row_count; i++) {
        if (is_in(ban, control_client_cell(status, list, i, column)->text))
            return true;
    }
    return false;
}

/* As far as the anchord that runs here says what these are; anchord-bans looks, too, and says it in fewer words. */
static const char *judge(const struct wire_ban *ban, const struct status *status)
{
    if (one_is_in(ban, status, STATUS_GATEWAYS, 1))
        return "has the gateway in it: what it sends itself (DHCP, DNS, forwarded ports of a router that rewrites "
               "them) would be dropped; --force bans it all the same";
    if (one_is_in(ban, status, STATUS_EXTERNAL_ADDRESSES, 0))
        return "has the project's own address in it: of a neighbour in the same network ban ADDRESS/32, or /128 of "
               "IPv6, alone; --force bans it all the same";
    return NULL;
}

/* --- the operations ------------------------------------------------------------------------------------------ */

static int change_one(struct ban_client *client, const struct options *options, const struct status *status,
                      const char *text)
{
    struct message_ban_request request = {
        .header = message_header_make(MESSAGE_BAN_REQUEST, sizeof(request), 0),
        .operation = options->operation,
    };
    struct message_ban_answer answer;
    const char *wrong = parse_ban(text, &request.ban);
    int result;

    if (!wrong && options->operation == BAN_OPERATION_ADD && !options->is_forced)
        wrong = judge(&request.ban, status);
    if (wrong)
        return complain(text, wrong);
    if (options->operation == BAN_OPERATION_ADD && options->is_forced)
        request.operation = BAN_OPERATION_ADD_FORCED;
    request.ban.kind = options->is_new_only ? BAN_NEW_ONLY : BAN_ALL;
    request.seconds = options->seconds;
    text_copy_cut(request.reason, sizeof(request.reason), options->reason ? options->reason : "");
    result = ban_client_ask(client, &request, &answer);
    if (result < 0)
        return complain_of_connection(result);
    if (answer.error < 0)
        return complain(text, answer.reason);
    if (!answer.is_lasting && options->operation == BAN_OPERATION_ADD)
        (void)fputs(
            "anchord ban: it holds until this container ends; with a volume at /var/lib/anchord it would last\n",
            stderr);
    return EXIT_STATUS_CLEAN;
}

/* Each of them, whatever becomes of the others. */
static int change(struct ban_client *client, const struct options *options)
{
    CLEANUP(control_client_closep) sd_bus *bus = NULL;
    CLEANUP(control_client_clear) struct status status = {0};
    int status_of_all = EXIT_STATUS_CLEAN;

    if (options->address_count == 0)
        return complain("ADDRESS", "is missing; see anchord ban --help");
    if (options->operation == BAN_OPERATION_ADD && !options->is_forced && !options->socket &&
        control_client_open(&bus) == 0 && control_client_read(bus, &status) < 0)
        control_client_clear(&status);
    for (int i = 0; i < options->address_count; i++) {
        int result = change_one(client, options, &status, options->addresses[i]);

        status_of_all = result != EXIT_STATUS_CLEAN ? result : status_of_all;
    }
    return status_of_all;
}

static int flush(struct ban_client *client)
{
    struct message_ban_request request = {
        .header = message_header_make(MESSAGE_BAN_REQUEST, sizeof(request), 0),
        .operation = BAN_OPERATION_FLUSH,
    };
    struct message_ban_answer answer;
    int result = ban_client_ask(client, &request, &answer);

    if (result < 0)
        return complain_of_connection(result);
    if (answer.error < 0)
        return complain("flush", answer.reason);
    (void)printf("%u bans removed\n", answer.count);
    return EXIT_STATUS_CLEAN;
}

/* --- list ---------------------------------------------------------------------------------------------------- */

/* An address as people wrote it: without what it stands for anyway. */
static const char *format_place(const struct wire_ban *ban, char text[IP_SUBNET_TEXT_SIZE])
{
    struct ip_subnet subnet = wire_ban_subnet(ban);

    return ban->family == IP_FAMILY_4 && ban->prefix_length == 32 ? ip_address_format(&subnet.address, text)
                                                                  : ip_subnet_format(&subnet, text);
}

static const char *format_time(uint64_t seconds, char text[CLOCK_TEXT_SIZE])
{
    clock_format(seconds * NANOSECONDS_PER_SECOND, text);
    memcpy(text + sizeof("2026-11-30T00:00:00") - 1, "Z", sizeof("Z")); /* without microseconds */
    return text;
}

static void print_ban(const struct wire_listed_ban *listed, void *userdata)
{
    char place[IP_SUBNET_TEXT_SIZE];
    char until[CLOCK_TEXT_SIZE];

    (void)userdata;
    (void)printf("%-40s %-20s %-8s ", format_place(&listed->ban, place),
                 listed->until ? format_time(listed->until, until) : "for good",
                 listed->ban.kind == BAN_NEW_ONLY ? "new-only" : "");
    (void)text_print_escaped(stdout, listed->reason);
    (void)fputc('\n', stdout);
}

static void print_buffer(yajl_gen generator)
{
    const unsigned char *text = NULL;
    size_t length = 0;

    if (yajl_gen_get_buf(generator, &text, &length) == yajl_gen_status_ok)
        (void)printf("%.*s", (int)length, (const char *)text);
    yajl_gen_clear(generator);
}

static void generate_ban(const struct wire_listed_ban *listed, void *userdata)
{
    yajl_gen generator = userdata;
    char place[IP_SUBNET_TEXT_SIZE];
    char added[CLOCK_TEXT_SIZE];
    char until[CLOCK_TEXT_SIZE];

    (void)yajl_gen_map_open(generator);
    json_member(generator, "address", format_place(&listed->ban, place));
    json_member(generator, "added", format_time(listed->added, added));
    json_member(generator, "until", listed->until ? format_time(listed->until, until) : NULL);
    json_member(generator, "reason", listed->reason);
    json_text(generator, "new_only");
    (void)yajl_gen_bool(generator, listed->ban.kind == BAN_NEW_ONLY);
    (void)yajl_gen_map_close(generator);
    print_buffer(generator);
}

static int list(struct ban_client *client, bool as_json)
{
    CLEANUP(yajl_gen_freep) yajl_gen generator = as_json ? yajl_gen_alloc(NULL) : NULL;
    int result = 0;

    if (as_json && !generator)
        return complain("list", log_errno_text(-ENOMEM));
    if (generator) {
        (void)yajl_gen_config(generator, yajl_gen_validate_utf8, 0);
        (void)yajl_gen_array_open(generator);
    }
    result = ban_client_list(client, generator ? generate_ban : print_ban, generator);
    if (generator) {
        (void)yajl_gen_array_close(generator);
        print_buffer(generator);
        (void)fputc('\n', stdout);
    }
    return result < 0 ? complain_of_connection(result) : EXIT_STATUS_CLEAN;
}

int ban_command(int argc, char **argv)
{
    CLEANUP(ban_client_close) struct ban_client client = {.fd = -1};
    struct options options = {0};
    int result;

    if (argc > 0 && strcmp(argv[argc - 1], "--help") == 0)
        return puts(HELP) < 0 ? EXIT_STATUS_CRASH : EXIT_STATUS_CLEAN;
    result = parse(argc, argv, &options);
    if (result != 0)
        return EXIT_STATUS_CONFIGURATION;
    result = ban_client_open(options.socket, &client);
    if (result < 0)
        return complain_of_connection(result);
    switch (options.operation) {
    case BAN_OPERATION_ADD:
    case BAN_OPERATION_DELETE:
        return change(&client, &options);
    case BAN_OPERATION_FLUSH:
        return flush(&client);
    case BAN_OPERATION_LIST:
    case BAN_OPERATION_ADD_FORCED:
    case BAN_OPERATION_MAX_:
        break;
    }
    return list(&client, options.as_json);
}
