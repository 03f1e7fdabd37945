/* What is pinned of a request; see gate_scope.h. Pure, runs in the supervisor. */
#include "daemon/role/gate_scope.h"

#include "common/cleanup.h"

#include <stdio.h>
#include <string.h>

#define PROJECT_LABEL "com.docker.compose.project"
#define SERVICE_LABEL "com.docker.compose.service"

struct writer {
    char *text;
    size_t size;
    size_t length;
};

/* GATE_TEXT_SIZE has room for the longest; a text that ended early would be no query that anybody asks. */
static void put(struct writer *writer, const char *bytes, size_t length)
{
    if (writer->size - writer->length <= length)
        return;
    memcpy(writer->text + writer->length, bytes, length);
    writer->length += length;
}

/* RFC 3986 §2.3: all but the unreserved characters, as curl_easy_escape(3) does. */
static void put_encoded(struct writer *writer, const char *bytes, size_t length)
{
    static const char unreserved[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";

    for (size_t i = 0; i < length; i++) {
        char code[4];

        if (strchr(unreserved, bytes[i])) {
            put(writer, &bytes[i], 1);
            continue;
        }
        (void)snprintf(code, sizeof(code), "%%%02X", (unsigned int)(unsigned char)bytes[i]);
        put(writer, code, 3);
    }
}

static void put_text(struct writer *writer, const char *text)
{
    put_encoded(writer, text, strlen(text));
}

/* The inside of a JSON string as yajl writes it (RFC 8259 §7). */
static void put_json(struct writer *writer, const char *text)
{
    static const char specials[] = "\b\f\n\r\t\"\\";
    static const char letters[] = "bfnrt\"\\";

    for (const char *byte = text; *byte; byte++) {
        const char *special = strchr(specials, *byte);
        char escape[8] = {*byte, '\0'};

        if (special)
            (void)snprintf(escape, sizeof(escape), "\\%c", letters[special - specials]);
        else if ((unsigned char)*byte < 0x20)
            (void)snprintf(escape, sizeof(escape), "\\u%04X", (unsigned int)(unsigned char)*byte);
        put_text(writer, escape);
    }
}

/* "key=value", or "key" where the value is to be empty, as docker_label_filter() writes it. */
static void put_label(struct writer *writer, bool is_first, const char *key, const char *value)
{
    put_text(writer, is_first ? "\"" : ",\"");
    put_json(writer, key);
    if (value[0] != '\0')
        put_text(writer, "=");
    put_json(writer, value);
    put_text(writer, "\"");
}

static void put_scope(struct writer *labels, struct writer *event_labels, const struct configuration *configuration)
{
    struct label_selector selector = {0};
    struct label_selector_error error;

    /* The key alone would let every project through; the gate takes no empty scope. */
    if (configuration->label_selector[0] == '\0' && configuration->project[0] == '\0')
        return;
    if (configuration->label_selector[0] != '\0' &&
        label_selector_parse(configuration->label_selector, &selector, &error) < 0)
        return; /* the configuration has refused such a one */
    put_text(labels, "\"label\":[");
    if (selector.count == 0)
        put_label(labels, true, PROJECT_LABEL, configuration->project);
    for (size_t i = 0; i < selector.count; i++)
        put_label(labels, i == 0, label_selector_key(&selector, i), label_selector_value(&selector, i));
    put_text(labels, "]");
    if (label_selector_is_lost_in_events(&selector))
        put_text(event_labels, "\"label\":[\"" LABEL_SELECTOR_INSTEAD "\"]");
}

/* As the keeper asks for the service that it follows (workers/keeper/follow.c). */
static void put_follow(struct writer *writer, const struct configuration *configuration)
{
    put_text(writer, "\"label\":[");
    put_label(writer, true, PROJECT_LABEL, configuration->project);
    put_label(writer, false, SERVICE_LABEL, configuration->follow_target);
    put_text(writer, "]");
}

#define WRITER(text_) ((struct writer){(text_), sizeof(text_), 0})

void gate_scope_write(const struct configuration *configuration, const char *own_id, struct message_configure_gate *ret)
{
    struct writer labels = WRITER(ret->labels), event_labels = WRITER(ret->event_labels), own = WRITER(ret->own);
    struct writer network = WRITER(ret->follow_network), network_path = WRITER(ret->follow_network_path);
    struct writer target = WRITER(ret->follow_target_path);

    if (own_id[0] != '\0') {
        put_text(&own, "\"id\":[\"");
        put_text(&own, own_id);
        put_text(&own, "\"]");
    }
    if (configuration->role != ROLE_EXTERNAL_REBINDER) {
        put_scope(&labels, &event_labels, configuration);
        return;
    }
    put_follow(&labels, configuration);
    put_json(&network, configuration->follow_network);
    put_text(&network_path, configuration->follow_network);
    put_text(&target, configuration->follow_target);
}
