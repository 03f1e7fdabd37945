/* One request; see request.h. Pure, reads foreign bytes, runs without any privilege. */
#include "workers/gate/request.h"

#include "common/cleanup.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define END_OF_LINE "\r\n"
#define PROTOCOL    " HTTP/1.1"

struct part {
    const char *bytes;
    size_t length;
};

/* What is refused is shown, as far as it is printable and harms no JSON. */
static enum request_verdict refuse(char reason[GATE_REASON_SIZE], const char *why, struct part shown)
{
    size_t length = (size_t)snprintf(reason, GATE_REASON_SIZE, "%s%s", why, shown.length > 0 ? ": " : "");

    for (size_t i = 0; i < shown.length && length < GATE_REASON_SIZE - 1; i++) {
        char byte = shown.bytes[i];

        if (byte < 0x20 || byte > 0x7e || byte == '"' || byte == '\\')
            byte = '?';
        reason[length++] = byte;
    }
    reason[length < GATE_REASON_SIZE ? length : GATE_REASON_SIZE - 1] = '\0';
    return REQUEST_REFUSED;
}

/* Lines end in CR LF and hold only printable ASCII. NULL, or what is wrong, also when the end has not come yet. */
static const char *find_odd_byte(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        bool is_end = bytes[i] == '\r' && (i + 1 == length || bytes[i + 1] == '\n');

        if (bytes[i] == '\n' && (i == 0 || bytes[i - 1] != '\r'))
            return "a line feed without a carriage return";
        if (bytes[i] == '\r' && !is_end)
            return "a carriage return without a line feed";
        if (bytes[i] != '\r' && bytes[i] != '\n' && (bytes[i] < 0x20 || bytes[i] > 0x7e))
            return "a byte that is no printable ASCII";
    }
    return NULL;
}

static struct part take_line(struct part *rest)
{
    const char *end = memmem(rest->bytes, rest->length, END_OF_LINE, strlen(END_OF_LINE));
    struct part line = {rest->bytes, end ? (size_t)(end - rest->bytes) : rest->length};
    size_t taken = line.length + (end ? strlen(END_OF_LINE) : 0);

    rest->bytes += taken;
    rest->length -= taken;
    return line;
}

/* Decimal without sign, leading zero or blank, at most GATE_BODY_MAX. */
static bool read_length(struct part value, uint64_t *ret)
{
    uint64_t number = 0;

    if (value.length == 0 || value.length > 7 || (value.bytes[0] == '0' && value.length > 1))
        return false;
    for (size_t i = 0; i < value.length; i++) {
        if (value.bytes[i] < '0' || value.bytes[i] > '9')
            return false;
        number = number * 10 + (uint64_t)(value.bytes[i] - '0');
    }
    *ret = number;
    return number <= GATE_BODY_MAX;
}

enum field { FIELD_HOST, FIELD_ACCEPT, FIELD_USER_AGENT, FIELD_CONTENT_TYPE, FIELD_CONTENT_LENGTH, FIELD_MAX_ };

/* What a client may say besides the request line; none of it is passed on. */
static const char *const field_names[FIELD_MAX_] = {
    [FIELD_HOST] = "Host",
    [FIELD_ACCEPT] = "Accept",
    [FIELD_USER_AGENT] = "User-Agent",
    [FIELD_CONTENT_TYPE] = "Content-Type",
    [FIELD_CONTENT_LENGTH] = "Content-Length",
};

/* "Name: value", each known field at most once. NULL, or what is wrong. */
static const char *read_field(struct part line, unsigned int *seen, uint64_t *body_length)
{
    static const char json[] = "application/json";
    const char *colon = memmem(line.bytes, line.length, ": ", 2);
    struct part value;

    if (!colon)
        return "a header that is no `Name: value`";
    value = (struct part){colon + 2, line.length - (size_t)(colon + 2 - line.bytes)};
    for (unsigned int field = 0; field < FIELD_MAX_; field++) {
        size_t length = strlen(field_names[field]);

        if ((size_t)(colon - line.bytes) != length || strncasecmp(line.bytes, field_names[field], length) != 0)
            continue;
        if (*seen & (1U << field))
            return "a header twice";
        *seen |= 1U << field;
        if (field == FIELD_CONTENT_LENGTH && !read_length(value, body_length))
            return "a Content-Length that is no plain number, or too large";
        if (field == FIELD_CONTENT_TYPE &&
            (value.length != strlen(json) || memcmp(value.bytes, json, value.length) != 0))
            return "a Content-Type that is not application/json";
        return NULL;
    }
    return "a header that is not asked for";
}

/* The head for Docker; every byte comes from the table, the matched path, or a number. */
static bool write_head(struct part method, const struct gate_match *match, struct gate_request *request)
{
    bool is_get = method.length == 3; /* GET; the others are POST and DELETE, which say how long nothing is */
    char body[96] = "";
    int length;

    if (!is_get)
        (void)snprintf(body, sizeof(body), "%sContent-Length: %" PRIu64 END_OF_LINE,
                       match->has_body ? "Content-Type: application/json" END_OF_LINE : "", request->body_length);
    length = snprintf(request->head, sizeof(request->head),
                      "%.*s %.*s" PROTOCOL END_OF_LINE "Host: docker" END_OF_LINE "%s" END_OF_LINE, (int)method.length,
                      method.bytes, (int)match->length, match->path, body);
    request->head_length = (size_t)length;
    return length > 0 && (size_t)length < sizeof(request->head);
}

/* METHOD SP path SP HTTP/1.1 */
static bool split_request_line(struct part line, struct part *method, struct part *path)
{
    size_t suffix = strlen(PROTOCOL);
    const char *blank = memchr(line.bytes, ' ', line.length);

    if (!blank || line.length < suffix || memcmp(line.bytes + line.length - suffix, PROTOCOL, suffix) != 0)
        return false;
    *method = (struct part){line.bytes, (size_t)(blank - line.bytes)};
    if (line.length < method->length + 1 + suffix)
        return false;
    *path = (struct part){blank + 1, line.length - method->length - 1 - suffix};
    return true;
}

enum request_verdict request_read(enum gate_client client, const struct message_configure_gate *scope,
                                  const char *bytes, size_t length, struct gate_request *ret,
                                  char reason[GATE_REASON_SIZE])
{
    static struct gate_match match; /* one thread, never re-entered; too large for a stack */
    const char *end = memmem(bytes, length, END_OF_LINE END_OF_LINE, 2 * strlen(END_OF_LINE));
    size_t head_length = end ? (size_t)(end - bytes) + strlen(END_OF_LINE) : length;
    struct part rest = {bytes, head_length}, method, path, nothing = {"", 0};
    const char *odd = find_odd_byte(bytes, head_length);
    struct part line = take_line(&rest);
    unsigned int seen = 0;

    if (odd)
        return refuse(reason, odd, line);
    if (!end)
        return length < GATE_HEAD_MAX ? REQUEST_INCOMPLETE : refuse(reason, "a head that does not end", line);
    ret->body_length = 0;
    while (rest.length > 0 && !odd) {
        struct part field = take_line(&rest);

        odd = read_field(field, &seen, &ret->body_length);
        if (odd)
            return refuse(reason, odd, field);
    }
    if (!(seen & (1U << FIELD_HOST)))
        return refuse(reason, "no Host", line);
    if (!split_request_line(line, &method, &path) ||
        !table_match(client, scope, method.bytes, method.length, path.bytes, path.length, &match))
        return refuse(reason, "not in its table", line);
    if (match.has_body != (ret->body_length > 0) || (match.has_body && !(seen & (1U << FIELD_CONTENT_TYPE))))
        return refuse(reason, "a body where none belongs, or none where one does", line);
    ret->taken = head_length + strlen(END_OF_LINE);
    return write_head(method, &match, ret) ? REQUEST_ALLOWED : refuse(reason, "a head that is too long", nothing);
}
