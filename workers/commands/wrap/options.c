/* The command line of `anchord wrap`; see options.h. Runs in anchord-wrap, before it seals itself. */
#include "workers/commands/wrap/options.h"

#include "common/cleanup.h"
#include "common/text.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

/* Docker's image references and network names (github.com/distribution/reference; moby, RestrictedNameChars). */
#define NAME_CHARACTERS  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
#define IMAGE_CHARACTERS NAME_CHARACTERS "/:@"
#define WORD_LENGTH_MAX  255

/* Room for the bridge, the gateway and some containers. */
#define SUBNET_HOST_BITS_MIN 4

void wrap_options_help(void)
{
    (void)puts("Usage: docker compose config --format json | anchord wrap [OPTION]...\n"
               "\n"
               "Prints a Compose override that puts the project on standard input behind anchord, as one machine on\n"
               "the LAN: its ports: become labels. Needs Compose 2.24. What cannot be done is said on standard error\n"
               "and in the file. Nothing is changed anywhere.\n"
               "\n"
               "  --address IPV4[,IPV6]  the project's addresses on the LAN (without: Docker chooses); of IPv4 alone:\n"
               "                         nothing of IPv6 is written, unless --subnet names some\n"
               "  --bridge NETWORK       this external network is a bridge with a way out (may be repeated)\n"
               "  --check FILE           FILE was made before: say what the project has changed since\n"
               "  --dhcp                 a DHCP server gives the address\n"
               "  --engine VERSION       write what that version of Docker Engine takes\n"
               "  --help                 this text\n"
               "  --host-address ADDRESS expose what is bound to this address of the host, too (may be repeated)\n"
               "  --image IMAGE          anchord's image (without: ${ANCHORD_IMAGE:-anchord:dev})\n"
               "  --lan NETWORK          Docker's macvlan network on the LAN (without: lan)\n"
               "  --output FILE          write there; FILE stays as it is when the input is bad\n"
               "  --ports-only           what services without ports: send leaves with the host's address\n"
               "  --subnet IPV4[,IPV6]   the transit network's subnets (without: chosen by the project's name)\n"
               "\n"
               "Exit status: 0 all done, or nothing has changed; 1 something could not be done, or has changed;\n"
               "2 wrong usage or input.");
}

static int fail(const char *option, const char *word, const char *reason)
{
    (void)fprintf(stderr, "anchord wrap: %s %s: %s\n", option, word, reason);
    return -EINVAL;
}

static int check_word(const char *option, const char *word, const char *allowed)
{
    size_t length = strlen(word);

    if (length == 0 || length > WORD_LENGTH_MAX || strspn(word, allowed) != length)
        return fail(option, word, "letters, digits and . _ - are allowed here, in an image's name also / : @");
    return 0;
}

/* Splits "a[,b]" at its comma into `first`; *ret_second is "b" or NULL. */
static int split(const char *list, char first[IP_SUBNET_TEXT_SIZE], const char **ret_second)
{
    size_t length = strcspn(list, ",");

    if (length >= IP_SUBNET_TEXT_SIZE)
        return -EINVAL;
    memcpy(first, list, length);
    first[length] = '\0';
    *ret_second = list[length] == ',' ? list + length + 1 : NULL;
    return 0;
}

static size_t family_index(const struct ip_address *address)
{
    return address->family == IP_FAMILY_4 ? OPTIONS_IPV4 : OPTIONS_IPV6;
}

static int add_address(struct wrap_options *options, const char *text)
{
    struct ip_address address;

    if (ip_address_parse(text, &address) < 0 || !ip_address_is_host(&address) || ip_address_is_link_local(&address))
        return fail("--address", text, "not an address that a machine on a LAN can have");
    if (options->addresses[family_index(&address)].family)
        return fail("--address", text, "two addresses of one family");
    options->addresses[family_index(&address)] = address;
    return 0;
}

static int add_subnet(struct wrap_options *options, const char *text)
{
    struct ip_subnet subnet;

    if (ip_subnet_parse(text, &subnet) < 0)
        return fail("--subnet", text, "not a subnet like 10.31.7.0/24 or fd31:7::/64");
    if (subnet.prefix_length > ip_family_bits(subnet.address.family) - SUBNET_HOST_BITS_MIN)
        return fail("--subnet", text, "too small: a /28 or a /124 is the smallest");
    if (options->subnets[family_index(&subnet.address)].address.family)
        return fail("--subnet", text, "two subnets of one family");
    subnet.address = ip_subnet_first(&subnet);
    options->subnets[family_index(&subnet.address)] = subnet;
    return 0;
}

static int add_host_address(struct wrap_options *options, const char *text)
{
    struct ip_address *address = &options->host_addresses[options->host_address_count];

    if (options->host_address_count == OPTIONS_LIST_MAX)
        return fail("--host-address", text, "too many");
    if (ip_address_parse(text, address) < 0 || !ip_address_is_host(address))
        return fail("--host-address", text, "not an address that a host can have on a network");
    options->host_address_count++;
    return 0;
}

static int add_bridge(struct wrap_options *options, const char *name)
{
    if (options->bridge_count == OPTIONS_LIST_MAX)
        return fail("--bridge", name, "too many");
    options->bridges[options->bridge_count++] = name;
    return check_word("--bridge", name, NAME_CHARACTERS);
}

/* "28", "28.5", "20.10.24+dfsg1" */
static int set_engine(struct wrap_options *options, const char *text)
{
    size_t length = strcspn(text, ".");
    uint64_t major = 0;
    uint64_t minor = 0;
    bool is_valid = text_to_number(text, length, UINT16_MAX, &major) == 0 && major > 0;

    if (is_valid && text[length] == '.')
        is_valid = text_to_number(text + length + 1, strspn(text + length + 1, "0123456789"), UINT16_MAX, &minor) == 0;
    if (!is_valid)
        return fail("--engine", text, "not a version like 28.5");
    options->engine[0] = (uint16_t)major;
    options->engine[1] = (uint16_t)minor;
    return 0;
}

bool options_engine_is_before(const struct wrap_options *options, unsigned int major, unsigned int minor)
{
    if (options->engine[0] == 0)
        return false;
    return options->engine[0] < major || (options->engine[0] == major && options->engine[1] < minor);
}

static int add_list(struct wrap_options *options, const char *list,
                    int (*add)(struct wrap_options *options, const char *text))
{
    char first[IP_SUBNET_TEXT_SIZE];
    const char *second;
    int result;

    if (split(list, first, &second) < 0)
        return fail("wrap", list, "too long");
    result = add(options, first);
    return result == 0 && second ? add(options, second) : result;
}

static int take(struct wrap_options *options, int option)
{
    switch (option) {
    case 'a':
        return add_list(options, optarg, add_address);
    case 'b':
        return add_bridge(options, optarg);
    case 'c':
        options->check = optarg;
        return 0;
    case 'd':
        options->use_dhcp = true;
        return 0;
    case 'e':
        return set_engine(options, optarg);
    case 'h':
        options->show_help = true;
        return 0;
    case 'H':
        return add_host_address(options, optarg);
    case 'i':
        options->image = optarg;
        return check_word("--image", optarg, IMAGE_CHARACTERS);
    case 'l':
        options->lan = optarg;
        return check_word("--lan", optarg, NAME_CHARACTERS);
    case 'o':
        options->output = optarg;
        return 0;
    case 'p':
        options->ports_only = true;
        return 0;
    case 's':
        return add_list(options, optarg, add_subnet);
    default:
        return -EINVAL; /* getopt has said why */
    }
}

static int check_together(const struct wrap_options *options)
{
    if (options->check && options->output)
        return fail("--check", options->check, "prints no override, so --output has no meaning with it");
    for (size_t i = 0; i < OPTIONS_FAMILIES; i++) {
        char text[IP_ADDRESS_TEXT_SIZE];

        if (options->addresses[i].family && ip_subnet_contains(&options->subnets[i], &options->addresses[i]))
            return fail("--address", ip_address_format(&options->addresses[i], text),
                        "lies in the transit network's subnet; it belongs to the LAN");
    }
    return 0;
}

int wrap_options_parse(int argc, char **argv, struct wrap_options *ret)
{
    static const struct option known[] = {
        {"address", required_argument, NULL, 'a'},
        {"bridge", required_argument, NULL, 'b'},
        {"check", required_argument, NULL, 'c'},
        {"dhcp", no_argument, NULL, 'd'},
        {"engine", required_argument, NULL, 'e'},
        {"help", no_argument, NULL, 'h'},
        {"host-address", required_argument, NULL, 'H'},
        {"image", required_argument, NULL, 'i'},
        {"lan", required_argument, NULL, 'l'},
        {"output", required_argument, NULL, 'o'},
        {"ports-only", no_argument, NULL, 'p'},
        {"subnet", required_argument, NULL, 's'},
        {NULL, 0, NULL, 0},
    };
    static char name[] = "anchord wrap"; /* for getopt's own messages */
    int option;

    argv[0] = argc > 0 ? name : argv[0];
    *ret = (struct wrap_options){.lan = "lan"};
    optind = 0; /* glibc: start over */
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        int result = take(ret, option);

        if (result < 0)
            return result;
    }
    if (optind < argc)
        return fail("argument", argv[optind], "unknown; see anchord wrap --help");
    return check_together(ret);
}
