/* Goes through what anchord-ruleset printed; see heard_tables.h. Without privilege, pure. */
#include "workers/commands/doctor/heard_tables.h"

#include <stdio.h>
#include <string.h>

/* "\tmap dnat_tcp {" */
static bool begins(struct table_walk *walk, const char *line, const char *kind)
{
    size_t length = strlen(kind);
    const char *name = line + 1 + length;

    if (line[0] != '\t' || strncmp(line + 1, kind, length) != 0)
        return false;
    (void)snprintf(walk->line.object, sizeof(walk->line.object), "%.*s", (int)strcspn(name, " "), name);
    return true;
}

/* "80 counter packets 3 bytes 180 : 172.30.0.5 . 8080" without what is counted. */
static void cut_counter(char *text)
{
    char *counter = strstr(text, " counter ");
    const char *value = counter ? strstr(counter, " : ") : NULL;

    if (value)
        memmove(counter, value, strlen(value) + 1);
    else if (counter)
        *counter = '\0';
}

static void take_text(struct table_walk *walk, enum table_line_kind kind, const char *text)
{
    walk->line.kind = kind;
    text_copy_cut(walk->line.text, sizeof(walk->line.text), text);
}

/* "\t\telements = { X," or "\t\t\t     X }" */
static bool is_element(struct table_walk *walk, const char *line)
{
    static const char first[] = "\t\telements = { ", other[] = "\t\t\t     ";
    const char *begin = strncmp(line, first, strlen(first)) == 0   ? line + strlen(first)
                        : strncmp(line, other, strlen(other)) == 0 ? line + strlen(other)
                                                                   : NULL;
    char *end;

    if (!begin)
        return false;
    take_text(walk, TABLE_LINE_ELEMENT, begin);
    end = walk->line.text + strlen(walk->line.text);
    while (end > walk->line.text && strchr(" ,}", end[-1]))
        *--end = '\0';
    cut_counter(walk->line.text);
    return true;
}

/* False: it tells nothing. */
static bool take_line(struct table_walk *walk, const char *line)
{
    const char *text = line + strspn(line, "\t");

    if (strncmp(line, "table ", strlen("table ")) == 0) {
        (void)snprintf(walk->line.table, sizeof(walk->line.table), "%.*s", (int)strcspn(line + 6, "{") - 1, line + 6);
        walk->line.object[0] = '\0';
        return false;
    }
    if (begins(walk, line, "chain ")) {
        walk->is_in_chain = true;
        take_text(walk, TABLE_LINE_CHAIN, "");
        return true;
    }
    if (begins(walk, line, "set ") || begins(walk, line, "map ")) {
        take_text(walk, TABLE_LINE_SET, "");
        return true;
    }
    if (begins(walk, line, "counter "))
        return false;
    if (strcmp(line, "\t}") == 0) {
        walk->is_in_chain = false;
        walk->line.object[0] = '\0';
    }
    if (strncmp(text, "#= ", strlen("#= ")) == 0) {
        take_text(walk, TABLE_LINE_EXACT, text + strlen("#= "));
        return true;
    }
    if (text[0] == '#') {
        take_text(walk, TABLE_LINE_STRANGER, text + 1 + strspn(text + 1, " "));
        return true;
    }
    if (is_element(walk, line))
        return true;
    if (!walk->is_in_chain || strncmp(line, "\t\t", 2) != 0)
        return false;
    take_text(walk, strncmp(text, "type ", strlen("type ")) == 0 ? TABLE_LINE_HOOK : TABLE_LINE_RULE, text);
    return true;
}

bool heard_next_table_line(struct table_walk *walk)
{
    while (walk->place < walk->rules->length) {
        const char *begin = walk->rules->bytes + walk->place;
        const char *end = memchr(begin, '\n', walk->rules->length - walk->place);
        char line[TABLE_TEXT_SIZE];

        if (!end)
            return false;
        walk->place += (size_t)(end - begin) + 1;
        (void)snprintf(line, sizeof(line), "%.*s", (int)(end - begin), begin);
        if (take_line(walk, line))
            return true;
    }
    return false;
}
