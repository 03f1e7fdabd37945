/* Compares exposures with elements; see exposed_elements.h. What it reads are others' words. */
#include "workers/commands/doctor/exposed_elements.h"

#include "common/cleanup.h"
#include "workers/commands/doctor/heard.h"
#include "workers/commands/doctor/heard_tables.h"
#include "workers/commands/doctor/words.h"

#include <string.h>

/* More are the work of one hand. */
#define DIFFERENCES_MAX 16

/* Each exposed port of a status, at each of the container's addresses. */
struct exposed_walk {
    struct json_walk rows;
    struct json_slice row;
    size_t address_index;
    bool is_in_row;
    uint64_t port; /* the next one */
    /* Of the one that was found: */
    char proto[HEARD_TEXT_SIZE], container[HEARD_TEXT_SIZE], address[HEARD_TEXT_SIZE];
    uint64_t found;
    const char *word; /* "ip anchord_v4 dnat_tcp 80 : 172.30.0.10 . 8080": as read_elements() has it, too */
};

static struct exposed_walk exposed_walk(const struct said *status)
{
    return (struct exposed_walk){.rows = heard_list(heard(status), "exposures")};
}

/* To the next row, or address in it; false: there is no more. */
static bool next_address(struct exposed_walk *walk)
{
    static const char *const keys[] = {"address4", "address6"};

    if (walk->is_in_row && walk->address_index + 1 < ARRAY_LENGTH(keys)) {
        walk->address_index++;
    } else {
        walk->is_in_row = json_walk_element(&walk->rows, &walk->row);
        walk->address_index = 0;
    }
    heard_text(walk->row, "proto", walk->proto);
    heard_text(walk->row, "container", walk->container);
    heard_text(walk->row, keys[walk->address_index], walk->address);
    walk->port = heard_number(walk->row, "port_first");
    return walk->is_in_row;
}

static bool next_exposed(struct exposed_walk *walk)
{
    while (!walk->is_in_row || walk->address[0] == '\0' || walk->port > heard_number(walk->row, "port_last") ||
           walk->port > UINT16_MAX) {
        if (!next_address(walk))
            return false;
    }
    walk->found = walk->port++;
    walk->word =
        check_text("%s dnat_%s %llu : %s . %llu", strchr(walk->address, ':') ? "ip6 anchord_v6" : "ip anchord_v4",
                   walk->proto, (unsigned long long)walk->found, walk->address,
                   (unsigned long long)(heard_number(walk->row, "backend_port_first") + walk->found -
                                        heard_number(walk->row, "port_first")));
    return true;
}

/* What a status exposes; sorted. */
static bool read_exposed(const struct said *status, struct words *ret)
{
    struct exposed_walk walk = exposed_walk(status);

    while (next_exposed(&walk)) {
        if (!words_add(ret, walk.word))
            return false;
    }
    words_sort(ret);
    return true;
}

/* Of the two maps; sorted. */
static bool read_elements(const struct said *rules, struct words *ret)
{
    struct table_walk walk = {.rules = rules};

    while (heard_next_table_line(&walk)) {
        if (walk.line.kind == TABLE_LINE_ELEMENT && strncmp(walk.line.object, "dnat_", strlen("dnat_")) == 0 &&
            !words_add(ret, check_text("%s %s %s", walk.line.table, walk.line.object, walk.line.text)))
            return false;
    }
    words_sort(ret);
    return true;
}

/* What the kernel held at both looks, or at one of them, and what was exposed before and after them. */
struct looks {
    struct words first, second, wanted, after;
};

static void looks_release(struct looks *looks)
{
    words_release(&looks->first);
    words_release(&looks->second);
    words_release(&looks->wanted);
    words_release(&looks->after);
}

/* Of one container's address, one after the other. */
struct loss {
    char proto[HEARD_TEXT_SIZE], container[HEARD_TEXT_SIZE], address[HEARD_TEXT_SIZE];
    uint64_t first;
    size_t count;
};

static void tell_loss(struct check_run *run, const struct loss *loss)
{
    if (loss->count == 0)
        return;
    check_found(run, PROBLEM_ELEMENT_MISSING,
                &(struct finding_texts){
                    .object = loss->container,
                    .sentence = check_text("%s/%llu%s of %s is not in the kernel's map: nothing reaches it",
                                           loss->proto, (unsigned long long)loss->first,
                                           loss->count > 1 ? check_text(" and %zu more", loss->count - 1) : "",
                                           loss->address)});
}

/* What is exposed before and after both looks, and was in the kernel at none. Returns how many. */
static size_t tell_missing(struct check_run *run, const struct looks *looks)
{
    struct exposed_walk walk = exposed_walk(&run->anchor->status);
    struct loss loss = {0};
    size_t missing = 0;

    while (next_exposed(&walk)) {
        if (words_have(&looks->first, walk.word) || words_have(&looks->second, walk.word) ||
            !words_have(&looks->after, walk.word))
            continue;
        missing++;
        if (loss.count > 0 && strcmp(loss.proto, walk.proto) == 0 && strcmp(loss.container, walk.container) == 0 &&
            strcmp(loss.address, walk.address) == 0) {
            loss.count++;
            continue;
        }
        tell_loss(run, &loss);
        loss = (struct loss){.first = walk.found, .count = 1};
        memcpy(loss.proto, walk.proto, sizeof(loss.proto));
        memcpy(loss.container, walk.container, sizeof(loss.container));
        memcpy(loss.address, walk.address, sizeof(loss.address));
    }
    tell_loss(run, &loss);
    return missing;
}

/* An element at both looks that nobody exposes, neither before nor after them. */
static size_t tell_strangers(struct check_run *run, const struct looks *looks)
{
    size_t strangers = 0;

    for (size_t i = 0; i < looks->first.count; i++) {
        const char *word = looks->first.items[i];

        if (words_have(&looks->wanted, word) || words_have(&looks->after, word) || !words_have(&looks->second, word) ||
            strangers++ >= DIFFERENCES_MAX)
            continue;
        check_found(run, PROBLEM_TABLES_EDITED,
                    &(struct finding_texts){.sentence = check_text("nobody exposes what a map has: %s", word)});
    }
    return strangers;
}

size_t exposed_elements_compare(struct check_run *run, size_t *ret_seen)
{
    CLEANUP(looks_release) struct looks looks = {0};
    const struct anchor *anchor = run->anchor;

    if (!read_elements(&anchor->rules, &looks.first) || !read_elements(&anchor->again, &looks.second) ||
        !read_exposed(&anchor->status, &looks.wanted) ||
        !read_exposed(anchor->after.bytes ? &anchor->after : &anchor->status, &looks.after))
        return 0;
    *ret_seen = looks.wanted.count;
    return tell_missing(run, &looks) + tell_strangers(run, &looks);
}
