/* What may be asked; see table.h. Pure, runs without any privilege. */
#include "workers/gate/table.h"

#include "common/cleanup.h"

#include <string.h>

#define ID_DIGITS       64
#define IDS_MAX         64 /* DOCKER_FILTER_IDS_MAX of the clients */
#define NAME_LENGTH_MAX (NAME_SIZE - 1)

#define WATCHER  (1 << GATE_CLIENT_WATCHER)
#define KEEPER   (1 << GATE_CLIENT_KEEPER)
#define MANAGING (1 << GATE_CLIENT_KEEPER_MANAGING)
#define WRAP     (1 << GATE_CLIENT_KEEPER_WRAP)
#define FOLLOW   (1 << GATE_CLIENT_KEEPER_FOLLOW)
#define KEEPERS  (KEEPER | MANAGING | WRAP)
#define MAKERS   (MANAGING | WRAP)

#define EVENTS                                                                                                      \
    "'event':['start','restart','die','stop','destroy','pause','unpause','rename','update','connect','disconnect'," \
    "'health_status','create']"

/*
 * In a path the seven characters ' { } [ ] , : stand for themselves percent-encoded, ' for a quotation mark of JSON;
 * all others are letters to be found as they are. <…> is a value, see values[].
 *
 * No row has a slash, a percent sign or a blank in a value, a query that is not here, `size`, `since` of a list,
 * archive, export, logs, attach, exec, top, stats or an image.
 */
static const struct row {
    unsigned int clients;
    bool has_body;
    const char *method;
    const char *path;
} rows[] = {
    {WATCHER | KEEPERS | FOLLOW, false, "GET", "/version"},

    /* The client asks for everybody, to find itself; the gate asks for the container that we run in (ADDR-10). */
    {WATCHER, false, "GET", "/v1.<api>/containers/json?filters=<own>"},
    {WATCHER | KEEPER | WRAP, false, "GET", "/v1.<api>/containers/json?filters={<labels>}<all>"},
    {WATCHER, false, "GET", "/v1.<api>/containers/json?filters={<labels>,'id':[<ids>]}<all>"},
    /* Of a paused container the list hides its health, but is filtered by it (DISC-7). Nothing is inspected. */
    {WATCHER, false, "GET", "/v1.<api>/containers/json?filters={<labels>,'id':['<id>'],'health':['healthy']}"},
    /* Service-anchors that a keeper made, and those of a project that wraps another one: they carry no label of the
     * scope that they serve (DISC-8, LIFE-2). */
    {WATCHER, false, "GET", "/v1.<api>/containers/json?filters={'label':['anchord.managed-by%3Df45']}"},
    {WATCHER, false, "GET", "/v1.<api>/containers/json?filters={'label':['anchord.target']}"},
    /* Who knows its ID has heard of it from a container in scope; it names who is attached (DISC-5, DISC-8). */
    {WATCHER, false, "GET", "/v1.<api>/networks/<id>"},
    {WATCHER | KEEPER, false, "GET",
     "/v1.<api>/events?since=<time>&filters={'type':['container']," EVENTS ",<event_labels>}"},
    {WATCHER, false, "GET", "/v1.<api>/events?since=<time>&filters={'type':['network']," EVENTS ",'network':[<ids>]}"},

    /* Whom a container in scope has joined has any labels; list and inspection of that one name it (LIFE-1). */
    {KEEPER, false, "GET",
     "/v1.<api>/events?since=<time>&filters={'type':['container']," EVENTS ",'container':[<ids>]}"},
    {KEEPER | FOLLOW, false, "GET", "/v1.<api>/containers/<id>/json"},
    /* Who may create any container is root anyway: pinning what he reads would close nothing. */
    {MAKERS | FOLLOW, false, "GET",
     "/v1.<api>/events?since=<time>&filters={'type':['container','network']," EVENTS "}"},
    {MANAGING, false, "GET", "/v1.<api>/containers/json?filters={}<all>"},
    {MANAGING, false, "GET", "/v1.<api>/containers/json?filters={'network':['<name>']}"},
    {MAKERS, false, "GET", "/v1.<api>/containers/<name>/json"},
    {KEEPERS | FOLLOW, false, "POST", "/v1.<api>/containers/<id>/start"},
    {MAKERS | FOLLOW, false, "POST", "/v1.<api>/containers/<id>/restart?t=<seconds>"},
    {MAKERS, false, "POST", "/v1.<api>/containers/<id>/stop?t=<seconds>"},
    {MAKERS, false, "POST", "/v1.<api>/containers/<id>/rename?name=<name>"},
    {MAKERS, true, "POST", "/v1.<api>/containers/<id>/update"},
    {MAKERS, true, "POST", "/v1.<api>/containers/create?name=<name>"},
    {MAKERS, false, "DELETE", "/v1.<api>/containers/<id>?force=true&v=false"},

    {FOLLOW, false, "GET", "/v1.<api>/containers/json?filters={<follow_labels>}<all>"},
    {FOLLOW, false, "GET", "/v1.<api>/containers/json?filters={'network':['<follow_network>']}<all>"},
    {FOLLOW, false, "GET", "/v1.<api>/containers/<follow_target>/json"},
    {FOLLOW, false, "GET", "/v1.<api>/networks/<follow_network_path>"},
    {FOLLOW, true, "POST", "/v1.<api>/networks/<id>/connect"},
    {FOLLOW, true, "POST", "/v1.<api>/networks/<id>/disconnect"},
};

struct cursor {
    const struct message_configure_gate *scope;
    const char *text; /* what is left of the client's path */
    const char *end;
    struct gate_match *match;
};

/* Each reads one value at the cursor, writes it and moves on; false when there is none. */
typedef bool (*value_reader)(struct cursor *cursor);

static bool put(struct cursor *cursor, const char *bytes, size_t length)
{
    if (length > sizeof(cursor->match->path) - cursor->match->length)
        return false;
    memcpy(cursor->match->path + cursor->match->length, bytes, length);
    cursor->match->length += length;
    return true;
}

/* Finds `wanted` and writes `instead` of it. */
static bool replace(struct cursor *cursor, const char *wanted, const char *instead)
{
    size_t length = strlen(wanted);

    if ((size_t)(cursor->end - cursor->text) < length || memcmp(cursor->text, wanted, length) != 0)
        return false;
    cursor->text += length;
    return put(cursor, instead, strlen(instead));
}

static bool read_letters(struct cursor *cursor, const char *letters, size_t length)
{
    if ((size_t)(cursor->end - cursor->text) < length || memcmp(cursor->text, letters, length) != 0)
        return false;
    cursor->text += length;
    return put(cursor, letters, length);
}

static bool read_literal(struct cursor *cursor, const char *wanted)
{
    return read_letters(cursor, wanted, strlen(wanted));
}

/* `minimum` to `maximum` characters of a set; one more is no value. */
static bool read_characters(struct cursor *cursor, const char *set, size_t minimum, size_t maximum)
{
    const char *begin = cursor->text;
    size_t length = 0;

    while (begin + length < cursor->end && begin[length] != '\0' && strchr(set, begin[length]))
        length++;
    if (length < minimum || length > maximum)
        return false;
    cursor->text += length;
    return put(cursor, begin, length);
}

static bool read_digits(struct cursor *cursor, size_t minimum, size_t maximum)
{
    return read_characters(cursor, "0123456789", minimum, maximum);
}

/* 41 … 99: from Engine 20.10 on, to what later ones will speak. */
static bool read_api(struct cursor *cursor)
{
    return cursor->end - cursor->text >= 2 && memcmp(cursor->text, "41", 2) >= 0 && read_digits(cursor, 2, 2);
}

static bool read_id(struct cursor *cursor)
{
    return read_characters(cursor, "0123456789abcdef", ID_DIGITS, ID_DIGITS);
}

static bool read_ids(struct cursor *cursor)
{
    for (size_t count = 0; count < IDS_MAX; count++) {
        if (count > 0 && !read_literal(cursor, "%2C"))
            return true;
        if (!read_literal(cursor, "%22") || !read_id(cursor) || !read_literal(cursor, "%22"))
            return false;
    }
    return true;
}

/* A name or an ID as Docker makes them: one segment, and neither `.` nor `..`, since it begins with no dot. */
static bool read_name(struct cursor *cursor)
{
    static const char characters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

    return cursor->text < cursor->end && *cursor->text != '.' && *cursor->text != '-' &&
           read_characters(cursor, characters, 1, NAME_LENGTH_MAX);
}

static bool read_time(struct cursor *cursor)
{
    return read_digits(cursor, 1, 12) && read_literal(cursor, ".") && read_digits(cursor, 9, 9);
}

static bool read_seconds(struct cursor *cursor)
{
    return read_digits(cursor, 1, 7);
}

static bool read_all(struct cursor *cursor)
{
    return cursor->text == cursor->end || read_literal(cursor, "&all=true");
}

/* While our own ID is not known, those in scope: Compose has put us into its project. */
static bool read_own(struct cursor *cursor)
{
    const char *id = cursor->scope->own_id;

    if (id[0] == '\0')
        return replace(cursor, "%7B%7D", "%7B") && replace(cursor, "", cursor->scope->labels) &&
               replace(cursor, "", "%7D");
    return replace(cursor, "%7B%7D", "%7B%22id%22%3A%5B%22") && replace(cursor, "", id) &&
           replace(cursor, "", "%22%5D%7D");
}

static bool read_labels(struct cursor *cursor)
{
    return read_literal(cursor, cursor->scope->labels);
}

/* Those of the scope, unless Docker loses them in events: then each container that exposes something. */
static bool read_event_labels(struct cursor *cursor)
{
    return cursor->scope->are_events_unnamed ? read_literal(cursor, "%22label%22%3A%5B%22anchord.expose%22%5D")
                                             : read_labels(cursor);
}

static bool read_follow_labels(struct cursor *cursor)
{
    return read_literal(cursor, cursor->scope->follow_labels);
}

static bool read_follow_network(struct cursor *cursor)
{
    return read_literal(cursor, cursor->scope->follow_network);
}

static bool read_follow_network_path(struct cursor *cursor)
{
    return read_literal(cursor, cursor->scope->follow_network_path);
}

static bool read_follow_target(struct cursor *cursor)
{
    return read_literal(cursor, cursor->scope->follow_target_path);
}

static const struct {
    const char *name;
    value_reader read;
} values[] = {
    {"<all>", read_all},
    {"<api>", read_api},
    {"<event_labels>", read_event_labels},
    {"<follow_labels>", read_follow_labels},
    {"<follow_network>", read_follow_network},
    {"<follow_network_path>", read_follow_network_path},
    {"<follow_target>", read_follow_target},
    {"<id>", read_id},
    {"<ids>", read_ids},
    {"<labels>", read_labels},
    {"<name>", read_name},
    {"<own>", read_own},
    {"<seconds>", read_seconds},
    {"<time>", read_time},
};

/* Reads what `*template` begins with, a value, an encoded character or letters, and moves both on. */
static bool read_step(struct cursor *cursor, const char **template)
{
    static const char encoded[] = "'{}[],:";
    static const char *const codes[] = {"%22", "%7B", "%7D", "%5B", "%5D", "%2C", "%3A"};
    const char *begin = *template;
    const char *code = strchr(encoded, *begin);
    size_t letters = strcspn(begin, "'{}[],:<");

    if (*begin != '<') {
        *template += code ? 1 : letters;
        return code ? read_literal(cursor, codes[code - encoded]) : read_letters(cursor, begin, letters);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(values); i++) {
        size_t length = strlen(values[i].name);

        if (strncmp(*template, values[i].name, length) == 0) {
            *template += length;
            return values[i].read(cursor);
        }
    }
    return false; /* a mistake in the table opens nothing */
}

static bool match_row(const struct row *row, const struct message_configure_gate *scope, const char *path,
                      size_t path_length, struct gate_match *match)
{
    struct cursor cursor = {scope, path, path + path_length, match};
    const char *template = row->path;

    match->length = 0;
    match->has_body = row->has_body;
    while (*template) {
        if (!read_step(&cursor, &template))
            return false;
    }
    return cursor.text == cursor.end;
}

bool table_match(enum gate_client client, const struct message_configure_gate *scope, const char *method,
                 size_t method_length, const char *path, size_t path_length, struct gate_match *ret)
{
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        if ((rows[i].clients & (1U << client)) && strlen(rows[i].method) == method_length &&
            memcmp(rows[i].method, method, method_length) == 0 && match_row(&rows[i], scope, path, path_length, ret))
            return true;
    }
    return false;
}
