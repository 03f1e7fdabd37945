/*
 * What anchord-look tells the commands attach, detach and list: records of one size, one behind the other, on its
 * standard output (HOST-1). It reads what Docker and the LAN say, without any privilege; the commands, which run as
 * root, read nothing of that but these.
 */
#pragma once

#include "common/text.h"
#include "protocol/messages_parts.h"

#define LOOK_TEXT_SIZE 256

enum look_kind {
    LOOK_CONTAINER = 1, /* one that Docker has, in any state: name, project, service, attached, is_running, pid */
    LOOK_ENDPOINT,      /* what a container has on one network: name, project, addresses */
    LOOK_HOLDER,        /* who has an address on the LAN: address4 or address6, mac (zero: it did not say) */
    LOOK_ENGINE,        /* what answers, where that is not Docker Engine: name */
    LOOK_END,           /* the last one: error, text; without it not everything was seen */
    LOOK_KIND_MAX_,
};

struct look_record {
    uint32_t kind; /* enum look_kind */
    int32_t error; /* 0 or a negative errno */
    uint32_t pid;  /* of an attachment's container that runs: its first process on this host; else 0 */
    uint8_t is_running;
    uint8_t reserved;
    struct mac_address mac;
    char name[NAME_SIZE];
    char project[NAME_SIZE]; /* the Compose project that it belongs to; empty: none */
    char service[NAME_SIZE];
    char attached[NAME_SIZE]; /* the project that it attaches to the LAN, by its label; empty: none */
    struct wire_address address4;
    struct wire_address address6;
    char text[LOOK_TEXT_SIZE]; /* for people: what failed, and why */
};

static inline bool look_record_is_valid(const struct look_record *record)
{
    return record->kind > 0 && record->kind < LOOK_KIND_MAX_ && record->pid <= INT32_MAX && record->error <= 0 &&
           text_is_terminated(record->name, NAME_SIZE) && text_is_terminated(record->project, NAME_SIZE) &&
           text_is_terminated(record->service, NAME_SIZE) && text_is_terminated(record->attached, NAME_SIZE) &&
           text_is_terminated(record->text, LOOK_TEXT_SIZE);
}

/* The label of compose/attach.yaml by which its containers are known: whom they attach. */
#define LOOK_LABEL_ATTACHED "anchord.attach"

/* What its services are called, by which its two halves are told apart; the units of a host have the same. */
#define HALF_HOST     "host"
#define HALF_IDENTITY "identity"
