/* What is pinned of a request; see scope.h. Pure, runs without any privilege. */
#include "workers/gate/scope.h"

#include "common/cleanup.h"
#include "common/text.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define PROJECT_LABEL "com.docker.compose.project"
#define SERVICE_LABEL "com.docker.compose.service"

struct writer {
    char *text;
    size_t size;
    size_t length;
    bool is_full;
};

static void put(struct writer *writer, const char *bytes, size_t length)
{
    if (writer->is_full || writer->size - writer->length <= length) {
        writer->is_full = true;
        return;
    }
    memcpy(writer->text + writer->length, bytes, length);
    writer->length += length;
    writer->text[writer->length] = '\0';
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

static void put_scope(struct writer *writer, const struct message_configure_gate *configuration)
{
    struct label_selector selector = {0};
    struct label_selector_error error;

    put_text(writer, "\"label\":[");
    if (configuration->label_selector[0] == '\0')
        put_label(writer, true, PROJECT_LABEL, configuration->project);
    else if (label_selector_parse(configuration->label_selector, &selector, &error) < 0)
        writer->is_full = true; /* the protocol's check has refused such a one */
    for (size_t i = 0; i < selector.count; i++)
        put_label(writer, i == 0, label_selector_key(&selector, i), label_selector_value(&selector, i));
    put_text(writer, "]");
}

static void put_own(struct writer *writer, const char *id)
{
    put_text(writer, id[0] != '\0' ? "{\"id\":[\"" : "{");
    put_text(writer, id);
    put_text(writer, id[0] != '\0' ? "\"]}" : "}");
}

/* As the keeper asks for the service that it follows (workers/keeper/follow.c). */
static void put_follow(struct writer *writer, const struct message_configure_gate *configuration)
{
    put_text(writer, "\"label\":[");
    put_label(writer, true, PROJECT_LABEL, configuration->project);
    put_label(writer, false, SERVICE_LABEL, configuration->follow_target);
    put_text(writer, "]");
}

int scope_make(const struct message_configure_gate *configuration, struct scope *ret)
{
    struct writer writers[] = {
        {ret->labels, sizeof(ret->labels), 0, false},
        {ret->own, sizeof(ret->own), 0, false},
        {ret->follow_labels, sizeof(ret->follow_labels), 0, false},
        {ret->follow_network, sizeof(ret->follow_network), 0, false},
        {ret->follow_network_path, sizeof(ret->follow_network_path), 0, false},
        {ret->follow_target_path, sizeof(ret->follow_target_path), 0, false},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(writers); i++)
        writers[i].text[0] = '\0'; /* not all of it: what is never written costs no memory */
    put_scope(&writers[0], configuration);
    put_own(&writers[1], configuration->own_id);
    put_follow(&writers[2], configuration);
    put_json(&writers[3], configuration->follow_network);
    put_text(&writers[4], configuration->follow_network);
    put_text(&writers[5], configuration->follow_target);
    for (size_t i = 0; i < ARRAY_LENGTH(writers); i++) {
        if (writers[i].is_full)
            return -ENAMETOOLONG;
    }
    return 0;
}
