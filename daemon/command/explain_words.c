/* The words of `anchord explain`; see explain_words.h. */
#include "daemon/command/explain_words.h"

#include "common/text.h"
#include "daemon/command/command_words.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define LIVE_SECONDS     10
#define LIVE_SECONDS_MAX 3600
#define WORDS_MAX        8

#define HELP                                                                                              \
    "Usage: anchord explain in PROTOCOL/PORT [from ADDRESS] [to ADDRESS]\n"                               \
    "       anchord explain out CONTAINER to [PROTOCOL/]ADDRESS:PORT\n"                                   \
    "       anchord explain container NAME\n"                                                             \
    "\n"                                                                                                  \
    "Why a connection reaches what it is meant for, or what stops it first: step by step from the wire\n" \
    "to the application, by what anchord knows of labels and by what the kernel does. CONTAINER is one\n" \
    "of which a port is exposed, or an address on transit.\n"                                             \
    "\n"                                                                                                  \
    "  --json            the same as one JSON object (docs/explain.md)\n"                                 \
    "  --live [SECONDS]  then follows such packets through the kernel's tables (10 s): make one\n"        \
    "\n"                                                                                                  \
    "Exit status 0: it reaches; 1: it is stopped; 2: wrong usage; 3: not all could be looked at."

static bool wrong(const char *word, const char *why)
{
    (void)command_complain("explain", word, why);
    return false;
}

static bool parse_port(const char *text, uint16_t *ret)
{
    uint64_t port;

    if (text_to_number(text, strlen(text), UINT16_MAX, &port) < 0 || port == 0)
        return false;
    *ret = (uint16_t)port;
    return true;
}

static bool skip_protocol(const char **text, uint8_t *ret)
{
    if (text_skip(text, "tcp/"))
        *ret = IPPROTO_TCP;
    else if (text_skip(text, "udp/"))
        *ret = IPPROTO_UDP;
    else
        return false;
    return true;
}

/* False, after it was said: of such an address nothing comes, and nothing goes there. */
static bool is_place(const char *word, const struct ip_address *address)
{
    return ip_address_is_host(address) || wrong(word, "is no address that a host on a network can have");
}

/* Of what comes with loopback as its source there is something to tell: it is forged. */
static bool is_source(const char *word, const struct ip_address *address)
{
    return ip_address_is_loopback(address) || is_place(word, address);
}

/* As logs of servers that listen on both families write an IPv4 client: ::ffff:192.0.2.1 (RFC 4291 §2.5.5.2). */
static struct ip_address without_mapping(const struct ip_address *address)
{
    static const struct ip_subnet mapped = {{IP_FAMILY_6, {[10] = 0xff, [11] = 0xff}}, 96};

    return ip_subnet_contains(&mapped, address) ? ip_address_from_bytes(IP_FAMILY_4, address->bytes + 12) : *address;
}

static bool parse_address(const char *keyword, const char *word, struct ip_address *ret)
{
    if (ret->family != IP_FAMILY_NONE)
        return wrong(keyword, "stands there twice");
    if (ip_address_parse(word, ret) < 0)
        return wrong(word, "is no IP address");
    *ret = without_mapping(ret);
    return true;
}

static bool parse_container_name(const char *word, const char **ret)
{
    *ret = word;
    return word[0] != '\0' || wrong("CONTAINER", "is empty");
}

/* 192.0.2.1:443, [2001:db8::1]:443, with a protocol before it. */
static bool parse_place(const char *word, struct explain_words *words)
{
    const char *rest = word;
    const char *colon;
    char address[IP_ADDRESS_TEXT_SIZE];
    size_t length;
    bool has_brackets;

    words->protocol = IPPROTO_TCP;
    (void)skip_protocol(&rest, &words->protocol);
    colon = strrchr(rest, ':');
    has_brackets = rest[0] == '[' && colon && colon > rest && colon[-1] == ']';
    length = colon ? (size_t)(colon - rest) - (has_brackets ? 2U : 0U) : sizeof(address);
    if (length >= sizeof(address))
        return wrong(word, "is no ADDRESS:PORT, such as 192.0.2.1:443, [2001:db8::1]:443, udp/192.0.2.1:53");
    memcpy(address, rest + (has_brackets ? 1 : 0), length);
    address[length] = '\0';
    if (ip_address_parse(address, &words->to) < 0 || !parse_port(colon + 1, &words->port))
        return wrong(word, "is no ADDRESS:PORT, such as 192.0.2.1:443, [2001:db8::1]:443, udp/192.0.2.1:53");
    return is_place(address, &words->to);
}

static bool parse_in(const char *const *words, size_t count, struct explain_words *ret)
{
    const char *port = count > 0 ? words[0] : "";

    ret->kind = EXPLAIN_WORDS_IN;
    if (!skip_protocol(&port, &ret->protocol) || !parse_port(port, &ret->port))
        return wrong(count > 0 ? words[0] : "in", "needs PROTOCOL/PORT, such as tcp/25 or udp/53");
    for (size_t i = 1; i < count; i += 2) {
        bool is_from = strcmp(words[i], "from") == 0;

        if ((!is_from && strcmp(words[i], "to") != 0) || i + 1 == count)
            return wrong(words[i], "is none of from ADDRESS, to ADDRESS");
        if (!parse_address(words[i], words[i + 1], is_from ? &ret->from : &ret->to) ||
            !(is_from ? is_source(words[i + 1], &ret->from) : is_place(words[i + 1], &ret->to)))
            return false;
    }
    return ret->from.family == IP_FAMILY_NONE || ret->to.family == IP_FAMILY_NONE ||
           ret->from.family == ret->to.family || wrong("from, to", "are addresses of two families");
}

static bool parse_out(const char *const *words, size_t count, struct explain_words *ret)
{
    struct ip_address address;

    ret->kind = EXPLAIN_WORDS_OUT;
    if (count != 3 || strcmp(words[1], "to") != 0)
        return wrong("out", "needs CONTAINER to ADDRESS:PORT");
    if (!parse_container_name(words[0], &ret->container) || !parse_place(words[2], ret))
        return false;
    if (ip_address_parse(words[0], &address) < 0)
        return true;
    return is_place(words[0], &address) &&
           (address.family == ret->to.family || wrong("out, to", "are addresses of two families"));
}

static bool parse_container(const char *const *words, size_t count, struct explain_words *ret)
{
    ret->kind = EXPLAIN_WORDS_CONTAINER;
    if (count != 1)
        return wrong("container", "needs one NAME");
    return parse_container_name(words[0], &ret->container);
}

static bool is_number(const char *word)
{
    return word[0] != '\0' && word[strspn(word, "0123456789")] == '\0';
}

/* Returns how many words it took; 0: it is no option; -1: it is a wrong one, which was said. */
static int take_option(int count, char **words, struct explain_words *ret)
{
    uint64_t seconds;

    if (strcmp(words[0], "--json") == 0) {
        ret->as_json = true;
        return 1;
    }
    if (strcmp(words[0], "--live") != 0)
        return 0;
    ret->seconds = LIVE_SECONDS;
    if (count < 2 || !is_number(words[1]))
        return 1;
    if (text_to_number(words[1], strlen(words[1]), LIVE_SECONDS_MAX, &seconds) < 0 || seconds == 0) {
        (void)wrong(words[1], "--live takes 1 to 3600 seconds");
        return -1;
    }
    ret->seconds = (unsigned int)seconds;
    return 2;
}

bool explain_words_parse(int argc, char **argv, struct explain_words *ret)
{
    const char *words[WORDS_MAX] = {NULL};
    size_t count = 0;

    *ret = (struct explain_words){.container = ""};
    for (int i = 0; i < argc;) {
        int taken = take_option(argc - i, argv + i, ret);

        if (taken < 0)
            return false;
        i += taken;
        if (taken > 0)
            continue;
        if (strcmp(argv[i], "--help") == 0) {
            (void)puts(HELP);
            ret->wants_help = true;
            return true;
        }
        if (argv[i][0] == '-' || count == WORDS_MAX)
            return wrong(argv[i], "unknown; see anchord explain --help");
        words[count++] = argv[i++];
    }
    if (count > 0 && strcmp(words[0], "in") == 0)
        return parse_in(words + 1, count - 1, ret);
    if (count > 0 && strcmp(words[0], "out") == 0)
        return parse_out(words + 1, count - 1, ret);
    if (count > 0 && strcmp(words[0], "container") == 0)
        return parse_container(words + 1, count - 1, ret);
    return wrong(count > 0 ? words[0] : "what", "is none of in, out, container; see anchord explain --help");
}
