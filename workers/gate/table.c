/* What may be asked; see table.h. Pure, runs without any privilege. */
#include "workers/gate/table.h"

#include "common/cleanup.h"
#include "common/text.h"

#include <string.h>

#define WATCHER  (1 << GATE_CLIENT_WATCHER)
#define KEEPER   (1 << GATE_CLIENT_KEEPER)
#define MANAGING (1 << GATE_CLIENT_KEEPER_MANAGING)
#define WRAP     (1 << GATE_CLIENT_KEEPER_WRAP)
#define FOLLOW   (1 << GATE_CLIENT_KEEPER_FOLLOW)
#define MAKERS   (MANAGING | WRAP)

#define LIST      "GET /v1.<api>/containers/json?filters="
#define CONTAINER "/v1.<api>/containers/<id>"
#define EVENTS(types_)                                                                                                \
    "GET /v1.<api>/events?since=<second>.<nanosecond>&filters={'type':[" types_ "],'event':['start','restart','die'," \
    "'stop','destroy','pause','unpause','rename','update','connect','disconnect','health_status','create']"

/*
 * In a line the seven characters ' { } [ ] , : stand for themselves percent-encoded, ' for a quotation mark of JSON;
 * all others are letters to be found as they are. <…> is a value, see values[]. Before | the line may end. '<id>'* may
 * stand there again and again, behind a comma.
 *
 * No row has a slash, a percent sign or a blank in a value, a query that is not here, `size`, `since` of a list,
 * archive, export, logs, attach, exec, top, stats or an image.
 */
static const struct row {
    unsigned int clients;
    enum gate_body body;
    const char *line;
} rows[] = {
    {WATCHER | KEEPER | MAKERS | FOLLOW, GATE_BODY_NOT_SAID, "GET /version"},

    /* The client asks for everybody, to find itself; the gate asks for the container that we run in (ADDR-10). */
    {WATCHER, GATE_BODY_NOT_SAID, LIST "{<own>}"},
    {WATCHER | KEEPER | WRAP | FOLLOW, GATE_BODY_NOT_SAID, LIST "{<labels>}|&all=true"},
    {WATCHER, GATE_BODY_NOT_SAID, LIST "{<labels>,'id':['<id>'*]}|&all=true"},
    /* Of a paused container the list hides its health, but is filtered by it (DISC-7). Nothing is inspected. */
    {WATCHER, GATE_BODY_NOT_SAID, LIST "{<labels>,'id':['<id>'],'health':['healthy']}"},
    /* Service-anchors that a keeper made, and those of a project that wraps another one: they carry no label of the
     * scope that they serve (DISC-8, LIFE-2). */
    {WATCHER, GATE_BODY_NOT_SAID, LIST "{'label':['anchord.managed-by%3Df45']}"},
    {WATCHER, GATE_BODY_NOT_SAID, LIST "{'label':['anchord.target']}"},
    /* Who knows its ID has heard of it from a container in scope; it names who is attached (DISC-5, DISC-8). */
    {WATCHER, GATE_BODY_NOT_SAID, "GET /v1.<api>/networks/<id>"},
    {WATCHER, GATE_BODY_NOT_SAID, "GET /v1.<api>/networks?filters={<labels>}"}, /* of the project (HOST-6) */
    {WATCHER | KEEPER, GATE_BODY_NOT_SAID, EVENTS("'container'") ",<event_labels>}"},
    {WATCHER, GATE_BODY_NOT_SAID, EVENTS("'network'") ",'network':['<id>'*]}"},

    /* Whom a container in scope has joined has any labels; list and inspection of that one name it (LIFE-1). */
    {KEEPER, GATE_BODY_NOT_SAID, EVENTS("'container'") ",'container':['<id>'*]}"},
    {KEEPER | FOLLOW, GATE_BODY_NOT_SAID, "GET " CONTAINER "/json"},
    /* Who may create any container is root anyway: pinning what he reads would close nothing. */
    {MAKERS | FOLLOW, GATE_BODY_NOT_SAID, EVENTS("'container','network'") "}"},
    {MAKERS, GATE_BODY_NOT_SAID, "GET /v1.<api>/containers/<name>/json"},
    {MANAGING, GATE_BODY_NOT_SAID, LIST "{}|&all=true"},
    {MANAGING, GATE_BODY_NOT_SAID, LIST "{'network':['<name>']}"},
    {KEEPER | MAKERS | FOLLOW, GATE_BODY_NONE, "POST " CONTAINER "/start"},
    {MAKERS | FOLLOW, GATE_BODY_NONE, "POST " CONTAINER "/restart?t=<timeout>"},
    {MAKERS, GATE_BODY_NONE, "POST " CONTAINER "/stop?t=<timeout>"},
    {MAKERS, GATE_BODY_NONE, "POST " CONTAINER "/rename?name=<name>"},
    {MAKERS, GATE_BODY_JSON, "POST " CONTAINER "/update"},
    {MAKERS, GATE_BODY_JSON, "POST /v1.<api>/containers/create?name=<name>"},
    {MAKERS, GATE_BODY_NONE, "DELETE " CONTAINER "?force=true&v=false"},

    {FOLLOW, GATE_BODY_NOT_SAID, LIST "{'network':['<follow_network>']}|&all=true"},
    {FOLLOW, GATE_BODY_NOT_SAID, "GET /v1.<api>/containers/<follow_target>/json"},
    {FOLLOW, GATE_BODY_NOT_SAID, "GET /v1.<api>/networks/<follow_network_path>"},
    {FOLLOW, GATE_BODY_JSON, "POST /v1.<api>/networks/<id>/connect"},
    {FOLLOW, GATE_BODY_JSON, "POST /v1.<api>/networks/<id>/disconnect"},
};

#define REPEATED    "'<id>'*"
#define DIGITS      "0123456789"
#define PINNED(of_) 0, 0, NULL, offsetof(struct message_configure_gate, of_)

/* A value is so many characters of a set, not sorted before `from`; or a text of the scope. */
static const struct value {
    const char *name;
    const char *set;
    size_t minimum, maximum;
    const char *from;
    size_t pinned; /* 0: it is none of the scope */
} values[] = {
    {"api>", DIGITS, 2, 2, "41", 0}, /* from Engine 20.10 on, to what later ones will speak */
    {"id>", DIGITS "abcdef", 64, 64, "", 0},
    {"nanosecond>", DIGITS, 9, 9, "", 0},
    {"second>", DIGITS, 1, 12, "", 0},
    {"timeout>", DIGITS, 1, 7, "", 0},
    /* A name or an ID as Docker makes them: one segment, and neither `.` nor `..`; dot and hyphen sort before `0`. */
    {"name>", DIGITS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_.-", 1, NAME_SIZE - 1, "0", 0},
    {"labels>", NULL, PINNED(labels)},
    {"event_labels>", NULL, PINNED(event_labels)},
    {"own>", "", PINNED(own)}, /* the client names nothing there */
    {"follow_network>", NULL, PINNED(follow_network)},
    {"follow_network_path>", NULL, PINNED(follow_network_path)},
    {"follow_target>", NULL, PINNED(follow_target_path)},
};

struct cursor {
    const struct message_configure_gate *scope;
    const char *text; /* what is left of the client's line; CR LF stops every comparison */
    struct gate_buffer *written;
};

static bool put(struct cursor *cursor, const char *bytes, size_t length)
{
    struct gate_buffer *written = cursor->written;

    if (length > sizeof(written->bytes) - written->end)
        return false;
    memcpy(written->bytes + written->end, bytes, length);
    written->end += length;
    return true;
}

static bool read_letters(struct cursor *cursor, const char *letters, size_t length)
{
    if (strncmp(cursor->text, letters, length) != 0)
        return false;
    cursor->text += length;
    return put(cursor, letters, length);
}

static bool read_literal(struct cursor *cursor, const char *wanted)
{
    return read_letters(cursor, wanted, strlen(wanted));
}

static bool read_value(struct cursor *cursor, const struct value *value)
{
    const char *begin = cursor->text;
    const char *pinned = (const char *)cursor->scope + value->pinned;
    size_t length;

    if (value->pinned > 0) {
        pinned = *pinned ? pinned : cursor->scope->labels;
        return value->set ? put(cursor, pinned, strlen(pinned)) : read_literal(cursor, pinned);
    }
    length = strspn(begin, value->set);
    cursor->text += length;
    return length >= value->minimum && length <= value->maximum &&
           strncmp(begin, value->from, strlen(value->from)) >= 0 && put(cursor, begin, length);
}

/* Reads what `*template` begins with, and moves both on. */
static bool read_step(struct cursor *cursor, const char **template)
{
    static const char encoded[] = "'{}[],:";
    static const char *const codes[] = {"%22", "%7B", "%7D", "%5B", "%5D", "%2C", "%3A"};
    const char *begin = *template, *code = strchr(encoded, *begin);
    size_t letters = strcspn(begin, "'{}[],:|*<");

    *template += letters > 0 ? letters : 1;
    if (letters > 0)
        return read_letters(cursor, begin, letters);
    if (*begin == '|' || *begin == '*') {
        if (*begin == '|' && *cursor->text == ' ')
            *template = "";
        if (*begin == '*' && read_literal(cursor, "%2C"))
            *template -= strlen(REPEATED);
        return true;
    }
    if (*begin != '<')
        return code && read_literal(cursor, codes[code - encoded]);
    for (size_t i = 0; i < ARRAY_LENGTH(values); i++) {
        if (text_skip(template, values[i].name))
            return read_value(cursor, &values[i]);
    }
    return false; /* a mistake in the table opens nothing */
}

static bool match_row(const struct row *row, const struct message_configure_gate *scope, const char *line,
                      struct gate_buffer *ret)
{
    struct cursor cursor = {scope, line, ret};
    const char *template = row->line;

    ret->begin = ret->end = 0;
    while (*template) {
        if (!read_step(&cursor, &template))
            return false;
    }
    return read_literal(&cursor, " HTTP/1.1\r\n");
}

bool table_match(enum gate_client client, const struct message_configure_gate *scope, const char *line,
                 struct gate_buffer *ret, enum gate_body *ret_body)
{
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        *ret_body = rows[i].body;
        if ((rows[i].clients & (1U << client)) && match_row(&rows[i], scope, line, ret))
            return true;
    }
    return false;
}
