/* One request; see request.h. Pure, reads foreign bytes, runs without any privilege. */
#include "workers/gate/request.h"

#include "common/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define END_OF_LINE "\r\n"
#define END_OF_HEAD END_OF_LINE END_OF_LINE

/* What is refused is shown to the end of its line, as far as it is printable and harms no JSON. */
static enum request_verdict refuse(char reason[GATE_REASON_SIZE], const char *why, const char *shown, const char *end)
{
    size_t length = (size_t)snprintf(reason, GATE_REASON_SIZE, "%s: ", why);

    for (; shown < end && *shown != '\r' && length < GATE_REASON_SIZE - 1; shown++) {
        reason[length] = *shown;
        if (*shown < 0x20 || *shown > 0x7e || *shown == '"' || *shown == '\\')
            reason[length] = '?';
        length++;
    }
    reason[length] = '\0';
    return REQUEST_REFUSED;
}

/* Also of what has no end yet: a line feed stands behind a carriage return, everything else is printable. */
static bool is_plain(const char *bytes, const char *end)
{
    for (const char *byte = bytes; byte < end; byte++) {
        bool is_line_feed = *byte == '\n' && byte > bytes && byte[-1] == '\r';

        if ((*byte < 0x20 || *byte > 0x7e) && *byte != '\r' && !is_line_feed)
            return false;
    }
    return true;
}

enum { FIELD_HOST, FIELD_ACCEPT, FIELD_TYPE, FIELD_LENGTH, FIELD_MAX_ };

/* What a client says besides the request line; none of it is passed on. */
static const char *const fields[FIELD_MAX_] = {
    [FIELD_HOST] = "Host: docker" END_OF_LINE,
    [FIELD_ACCEPT] = "Accept: */*" END_OF_LINE,
    [FIELD_TYPE] = "Content-Type: application/json" END_OF_LINE,
    [FIELD_LENGTH] = "Content-Length: ",
};

/* Decimal without sign, leading zero or blank, at most GATE_BODY_MAX, and the end of the line. */
static bool read_length(const char **text, uint64_t *ret)
{
    const char *begin = *text;
    size_t digits = strspn(begin, "0123456789");

    *text += digits;
    return (*begin != '0' || digits == 1) && text_to_number(begin, digits, GATE_BODY_MAX, ret) == 0 &&
           text_skip(text, END_OF_LINE);
}

/* Each field at most once. NULL, or what is wrong at *text. */
static const char *read_fields(const char **text, unsigned int *seen, uint64_t *body_length)
{
    while (!text_skip(text, END_OF_LINE)) {
        const char *next = *text;
        unsigned int field = 0;

        while (field < FIELD_MAX_ && !text_skip(&next, fields[field]))
            field++;
        if (field == FIELD_MAX_)
            return "a header that is not asked for";
        if (field == FIELD_LENGTH && !read_length(&next, body_length))
            return "a Content-Length that is no plain number, or too large";
        if (*seen & (1U << field))
            return "a header twice";
        *seen |= 1U << field;
        *text = next;
    }
    return *seen & (1U << FIELD_HOST) ? NULL : "no Host";
}

/* Behind the request line, which is ours already. */
static bool write_fields(enum gate_body body, struct gate_request *request)
{
    size_t room = sizeof(request->bytes.bytes) - request->bytes.end;
    char length[64] = "";
    int written;

    if (body != GATE_BODY_NOT_SAID)
        (void)snprintf(length, sizeof(length), "%s%" PRIu64 END_OF_LINE, fields[FIELD_LENGTH], request->body_length);
    written = snprintf(request->bytes.bytes + request->bytes.end, room, "%s%s%s" END_OF_LINE, fields[FIELD_HOST],
                       body == GATE_BODY_JSON ? fields[FIELD_TYPE] : "", length);
    request->bytes.end += (size_t)written;
    return (size_t)written < room;
}

enum request_verdict request_read(enum gate_client client, const struct message_configure_gate *scope,
                                  const char *bytes, size_t length, struct gate_request *ret,
                                  char reason[GATE_REASON_SIZE])
{
    const char *end = memmem(bytes, length, END_OF_HEAD, strlen(END_OF_HEAD));
    const char *behind = end ? end + strlen(END_OF_HEAD) : bytes + length;
    const char *text = bytes, *why;
    unsigned int seen = 0;
    enum gate_body body;

    if (!is_plain(bytes, behind))
        return refuse(reason, "a byte that is no printable ASCII, or a line that does not end in CR LF", bytes, behind);
    if (!end)
        return length < GATE_BUFFER_SIZE ? REQUEST_INCOMPLETE
                                         : refuse(reason, "a head that does not end", bytes, behind);
    ret->body_length = 0;
    ret->taken = (size_t)(behind - bytes);
    text += strcspn(bytes, END_OF_LINE) + strlen(END_OF_LINE);
    why = read_fields(&text, &seen, &ret->body_length);
    if (why)
        return refuse(reason, why, text, behind);
    if (!table_match(client, scope, bytes, &ret->bytes, &body))
        return refuse(reason, "not in its table", bytes, behind);
    if (body == GATE_BODY_JSON ? ret->body_length == 0 || !(seen & (1U << FIELD_TYPE)) : ret->body_length > 0)
        return refuse(reason, "a body where none belongs, or none where one does", bytes, behind);
    return write_fields(body, ret) ? REQUEST_ALLOWED : refuse(reason, "a head that is too long", bytes, behind);
}
