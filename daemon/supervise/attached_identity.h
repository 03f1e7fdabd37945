/*
 * What names and numbers an attached project has on the LAN and on its host, so that they are the same at each start,
 * and others on every other host (HOST-2): two machines that run a project of the same name are ordinary.
 *
 * Used by attach_host.c, in the supervisor, and by the command `anchord detach`; pure.
 */
#pragma once

#include "common/address.h"

#define MACHINE_ID_LENGTH 16

struct attached_identity {
    uint32_t tag; /* in the names of links and tables on the host */
    struct mac_address external_mac;
    struct mac_address inner_mac; /* of all inner ends */
    struct ip_address next_hop;   /* of the project's containers */
    uint32_t client_hash[2];      /* what DHCP servers tell it from others by */
};

void attached_identity_make(const uint8_t machine[MACHINE_ID_LENGTH], const char *project,
                            struct attached_identity *ret);
