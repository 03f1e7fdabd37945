/* The grammars of the variables' values; see configuration_parse.h. Pure, no privilege. */
#include "daemon/configuration/configuration_parse.h"

#include "common/cleanup.h"
#include "common/text.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

#define HOST_LABEL_MAX      63
#define FRACTION_DIGITS_MAX 9

const char *configuration_parse_role(const char *text, void *target)
{
    enum role *ret_role = target;

    for (size_t i = 0; i < ROLE_MAX_; i++) {
        if (strcmp(text, configuration_role_to_string((enum role)i)) != 0)
            continue;
        *ret_role = (enum role)i;
        return NULL;
    }
    return "is no role: there are network-anchor, service-anchor, external-rebinder, wrap-rebinder, attach, "
           "attach-host";
}

const char *configuration_parse_name(const char *text, void *target)
{
    for (const char *character = text; *character; character++) {
        if (isspace((unsigned char)*character) || iscntrl((unsigned char)*character))
            return "must not contain white space or control characters";
    }
    return text_copy(target, NAME_SIZE, text) < 0 ? "is too long: 127 characters at most" : NULL;
}

const char *configuration_parse_padded_name(const char *text, void *target)
{
    const char *start = text + strspn(text, TEXT_BLANKS);
    size_t length = strlen(start);
    char name[NAME_SIZE];

    while (length > 0 && strchr(TEXT_BLANKS, start[length - 1]))
        length--;
    if (length >= sizeof(name))
        return "is too long: 127 characters at most";
    memcpy(name, start, length);
    name[length] = '\0';
    return configuration_parse_name(name, target);
}

const char *configuration_parse_directory(const char *text, void *target)
{
    if (text[0] != '/')
        return "is no absolute path";
    return text_copy(target, DOCKER_HOST_SIZE, text) < 0 ? "is too long: 255 characters at most" : NULL;
}

/* unix(7): a socket's path is short. */
const char *configuration_parse_socket(const char *text, void *target)
{
    if (text[0] != '/' || text[strlen(text) - 1] == '/')
        return "is no absolute path of a socket";
    if (strlen(text) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
        return "is too long: 107 characters at most";
    return text_copy(target, DOCKER_HOST_SIZE, text) < 0 ? "is too long" : NULL;
}

/* What is wrong with an entry is said with its name, by the rules about the scope. */
const char *configuration_parse_label_selector(const char *text, void *target)
{
    text_copy_cut(target, LABEL_SELECTOR_SIZE, text);
    return NULL;
}

static bool is_letter(char character)
{
    return isalnum((unsigned char)character) || character == '_';
}

/* Letters, digits and hyphens (RFC 1123 §2.1), and the underscore that Compose puts into names; labels of RFC 1035
 * §2.3.4. */
const char *configuration_parse_host_name(const char *text, void *target)
{
    size_t label = 0;

    for (const char *character = text; *character; character++) {
        if (*character == '.' && label > 0)
            label = 0;
        else if (isalnum((unsigned char)*character) || *character == '-' || *character == '_')
            label++;
        else
            return "is no host name";
        if (label > HOST_LABEL_MAX)
            return "is no host name: a part between two dots has 63 characters at most";
    }
    return text_copy(target, HOST_NAME_SIZE, text) < 0 ? "is too long: 253 characters at most" : NULL;
}

/*
 * RFC 1123 §2.1: letters, digits and hyphens, the latter not at an end of a label; labels of RFC 1035 §2.3.4. The
 * underscore counts as a letter, since Compose's names have it: a server is told a hyphen instead
 * (configuration_parse_make_dhcp_host_name()).
 */
const char *configuration_parse_dhcp_name(const char *text, void *target)
{
    static const char wrong[] = "is no host name: letters, digits, underscores and, not at an end, hyphens";
    size_t label = 0;

    for (const char *character = text; *character; character++) {
        bool is_inner = is_letter(character[1]) || character[1] == '-';

        if (*character == '.' && label > 0 && is_letter(character[1]))
            label = 0;
        else if (is_letter(*character) || (*character == '-' && label > 0 && is_inner))
            label++;
        else
            return wrong;
    }
    return text_copy(target, DHCP_NAME_SIZE, text) < 0 ? "is too long: 47 characters at most" : NULL;
}

const char *configuration_parse_dhcp_client(const char *text, void *target)
{
    enum dhcp_client_kind *ret_kind = target;
    bool is_host = strcmp(text, "host") == 0;

    if (!is_host && strcmp(text, "supervised") != 0)
        return "must be supervised or host";
    *ret_kind = is_host ? DHCP_CLIENT_HOST : DHCP_CLIENT_SUPERVISED;
    return NULL;
}

const char *configuration_parse_on_stop(const char *text, void *target)
{
    enum on_stop *ret_on_stop = target;
    bool keeps = strcmp(text, "keep") == 0;

    if (!keeps && strcmp(text, "remove") != 0)
        return "must be remove or keep";
    *ret_on_stop = keeps ? ON_STOP_KEEP : ON_STOP_REMOVE;
    return NULL;
}

bool configuration_parse_make_dhcp_name(const char *text, char ret[DHCP_NAME_SIZE])
{
    bool is_whole = strlen(text) < DHCP_NAME_SIZE;
    size_t length = 0;

    for (; *text && length < DHCP_NAME_SIZE - 1; text++) {
        bool is_kept = *text >= ' ' && *text <= '~' && *text != '"' && *text != '\\';

        is_whole = is_whole && is_kept;
        ret[length++] = (char)(is_kept ? *text : '-');
    }
    ret[length] = '\0';
    return is_whole;
}

void configuration_parse_make_dhcp_host_name(const char *text, char ret[DHCP_NAME_SIZE])
{
    size_t length = 0;

    for (; *text && length < DHCP_NAME_SIZE - 1; text++) {
        bool is_dot = *text == '.' && length > 0 && ret[length - 1] != '-' && isalnum((unsigned char)text[1]);
        bool is_kept = isalnum((unsigned char)*text) || is_dot;

        if (is_kept || length > 0)
            ret[length++] = (char)(is_kept ? *text : '-');
    }
    while (length > 0 && (ret[length - 1] == '-' || ret[length - 1] == '.'))
        length--;
    ret[length] = '\0';
    if (length == 0)
        text_copy_cut(ret, DHCP_NAME_SIZE, "anchord");
}

/* What the kernel takes as the name of a link: net/core/dev.c, dev_valid_name(). */
const char *configuration_parse_interface(const char *text, void *target)
{
    if (strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
        return "is no interface name";
    for (const char *character = text; *character; character++) {
        if (*character == '/' || *character == ':' || !isgraph((unsigned char)*character))
            return "is no interface name";
    }
    return text_copy(target, INTERFACE_NAME_SIZE, text) < 0 ? "is too long: 15 characters at most" : NULL;
}

const char *configuration_parse_address_mode(const char *text, void *target)
{
    static const struct {
        const char *name;
        enum address_mode mode;
    } modes[] = {
        {"bootstrap", ADDRESS_MODE_BOOTSTRAP},
        {"dhcp-refresh", ADDRESS_MODE_DHCP_REFRESH},
        {"slaac-ra-only", ADDRESS_MODE_SLAAC_RA_ONLY},
    };
    enum address_mode *ret_mode = target;

    for (size_t i = 0; i < ARRAY_LENGTH(modes); i++) {
        if (strcmp(text, modes[i].name) == 0) {
            *ret_mode = modes[i].mode;
            return NULL;
        }
    }
    return "is no address mode: there are bootstrap, dhcp-refresh, slaac-ra-only";
}

/* The next item of a comma-separated list without the white space around it; false: longer than `size`. */
static bool take_item(const char **position, char *item, size_t size)
{
    const char *start = *position + strspn(*position, " \t");
    const char *comma = strchrnul(start, ',');
    size_t length = (size_t)(comma - start);

    while (length > 0 && (start[length - 1] == ' ' || start[length - 1] == '\t'))
        length--;
    *position = *comma ? comma + 1 : NULL;
    if (length >= size)
        return false;
    memcpy(item, start, length);
    item[length] = '\0';
    return true;
}

const char *configuration_parse_gateways(const char *text, void *target)
{
    struct configuration_gateways gateways = {0};

    for (const char *position = text; position;) {
        char item[IP_ADDRESS_TEXT_SIZE];
        struct ip_address address, *place;

        if (!take_item(&position, item, sizeof(item)) || ip_address_parse(item, &address) < 0)
            return "is no IP address, or one IPv4 and one IPv6 address with a comma between them";
        if (!ip_address_is_host(&address))
            return "has an address that no gateway can have";
        place = address.family == IP_FAMILY_4 ? &gateways.v4 : &gateways.v6;
        if (place->family != IP_FAMILY_NONE)
            return "has two addresses of one family";
        *place = address;
    }
    memcpy(target, &gateways, sizeof(gateways));
    return NULL;
}

const char *configuration_parse_boolean(const char *text, void *target)
{
    bool *ret_value = target;
    bool is_true = strcasecmp(text, "true") == 0 || strcmp(text, "1") == 0;

    if (!is_true && strcasecmp(text, "false") != 0 && strcmp(text, "0") != 0)
        return "must be true, false, 1 or 0";
    *ret_value = is_true;
    return NULL;
}

const char *configuration_parse_auto_or_off(const char *text, void *target)
{
    bool *ret_enabled = target;

    if (strcasecmp(text, "auto") != 0 && strcasecmp(text, "off") != 0)
        return "must be auto or off";
    *ret_enabled = strcasecmp(text, "auto") == 0;
    return NULL;
}

const char *configuration_parse_listener(const char *text, void *target)
{
    static const char wrong[] = "must be address:port, [IPv6 address]:port, or :port for every address";
    struct configuration_listener listener = {.is_enabled = true};
    const char *colon = strrchr(text, ':');
    size_t length = colon ? (size_t)(colon - text) : 0;
    bool is_bracketed = length > 2 && text[0] == '[' && text[length - 1] == ']';
    char address[IP_ADDRESS_TEXT_SIZE + 2];
    uint64_t port;

    if (*text == '\0') {
        memset(target, 0, sizeof(listener));
        return NULL;
    }
    if (!colon || length >= sizeof(address) || text_to_number(colon + 1, strlen(colon + 1), UINT16_MAX, &port) < 0 ||
        port == 0)
        return wrong;
    memcpy(address, text, length);
    address[is_bracketed ? length - 1 : length] = '\0';
    if (length > 0 && (ip_address_parse(address + is_bracketed, &listener.address) < 0 ||
                       is_bracketed != (listener.address.family == IP_FAMILY_6)))
        return wrong;
    listener.port = (uint16_t)port;
    memcpy(target, &listener, sizeof(listener));
    return NULL;
}

/* In the order in which they may follow each other. */
static const struct {
    const char *name;
    uint64_t milliseconds;
} duration_units[] = {{"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};

/* The index of the unit that is all of the `length` letters at `text`, or -EINVAL. */
static int find_unit(const char *text, size_t length)
{
    for (size_t i = 0; i < ARRAY_LENGTH(duration_units); i++) {
        if (strlen(duration_units[i].name) == length && strncmp(text, duration_units[i].name, length) == 0)
            return (int)i;
    }
    return -EINVAL;
}

/* What `digits` behind a decimal point are of a unit, whole milliseconds: "5" of a second is 500. */
static uint64_t fraction_of(const char *digits, size_t count, uint64_t unit)
{
    uint64_t numerator = 0, denominator = 1;

    for (size_t i = 0; i < count && i < FRACTION_DIGITS_MAX; i++) {
        numerator = numerator * 10 + (uint64_t)(digits[i] - '0');
        denominator *= 10;
    }
    return numerator * unit / denominator; /* 10^9 hours of milliseconds at most: no overflow */
}

int configuration_parse_duration(const char *text, uint64_t *ret_milliseconds)
{
    static const char digits[] = "0123456789";
    const char *position = text;
    uint64_t total = 0;
    int last_unit = -1;

    do {
        size_t digit_count = strspn(position, digits);
        const char *fraction = position + digit_count + (position[digit_count] == '.');
        size_t fraction_count = position[digit_count] == '.' ? strspn(fraction, digits) : 0;
        const char *letters = fraction + fraction_count;
        size_t letter_count = strcspn(letters, digits);
        bool is_plain_seconds = letter_count == 0 && position == text;
        int unit = is_plain_seconds ? 2 : find_unit(letters, letter_count);
        uint64_t number;
        int result;

        if (unit <= last_unit || (fraction != position + digit_count && fraction_count == 0))
            return -EINVAL;
        result = text_to_number(position, digit_count, UINT32_MAX, &number);
        if (result < 0)
            return result;
        total += number * duration_units[unit].milliseconds; /* four times 2^32 hours at most: no overflow */
        total += fraction_of(fraction, fraction_count, duration_units[unit].milliseconds);
        last_unit = unit;
        position = letters + letter_count;
    } while (*position);
    *ret_milliseconds = total;
    return 0;
}

const char *configuration_parse_delay(const char *text, void *target)
{
    uint64_t *ret_milliseconds = target;
    uint64_t milliseconds;
    int result = configuration_parse_duration(text, &milliseconds);

    if (result == -EINVAL)
        return "is no duration: 30s, 5m, 1h30m, 1.5s, 500ms or plain seconds";
    if (result < 0 || milliseconds > UINT32_MAX)
        return "is too long: 49 days at most";
    *ret_milliseconds = milliseconds;
    return NULL;
}

const char *configuration_parse_interval(const char *text, void *target)
{
    uint64_t milliseconds;
    const char *wrong = configuration_parse_delay(text, &milliseconds);

    if (wrong)
        return wrong;
    if (milliseconds == 0)
        return "must be more than 0";
    memcpy(target, &milliseconds, sizeof(milliseconds));
    return NULL;
}

const char *configuration_parse_log_level(const char *text, void *target)
{
    return log_level_parse(text, target) < 0 ? "must be DEBUG, INFO, WARN or ERROR" : NULL;
}

const char *configuration_parse_log_format(const char *text, void *target)
{
    return log_format_parse(text, target) < 0 ? "must be auto, json or text" : NULL;
}

static const char *check_unix_path(const char *path)
{
    if (path[0] != '/')
        return "needs an absolute path: unix:///var/run/docker.sock";
    return strlen(path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path)
               ? "has a path longer than a unix socket can have: 107 characters"
               : NULL;
}

/* `name:port` or `[v6 address]:port`, nothing before or after. */
static const char *check_tcp_authority(const char *authority)
{
    static const char wrong[] = "must be tcp://name:port";
    const char *colon = strrchr(authority, ':');
    size_t host_length = colon ? (size_t)(colon - authority) : 0;
    bool is_bracketed = host_length > 2 && authority[0] == '[' && authority[host_length - 1] == ']';
    uint64_t port;

    if (host_length == 0 || text_to_number(colon + 1, strlen(colon + 1), UINT16_MAX, &port) < 0 || port == 0)
        return wrong;
    for (size_t i = 0; i < host_length; i++) {
        bool is_bracket = is_bracketed && (i == 0 || i == host_length - 1);

        if (!is_bracket && !isalnum((unsigned char)authority[i]) && !strchr(is_bracketed ? ":." : "-_.", authority[i]))
            return wrong;
    }
    return NULL;
}

const char *configuration_parse_docker_host(const char *text, void *target)
{
    const char *wrong = "must be unix:///path or tcp://name:port";

    if (strncmp(text, DOCKER_HOST_UNIX, strlen(DOCKER_HOST_UNIX)) == 0)
        wrong = check_unix_path(text + strlen(DOCKER_HOST_UNIX));
    else if (strncmp(text, DOCKER_HOST_TCP, strlen(DOCKER_HOST_TCP)) == 0)
        wrong = check_tcp_authority(text + strlen(DOCKER_HOST_TCP));
    if (wrong)
        return wrong;
    return text_copy(target, DOCKER_HOST_SIZE, text) < 0 ? "is too long: 255 characters at most" : NULL;
}
