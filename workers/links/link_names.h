/*
 * What the links of an identity are called, by which a successor and an undo know them (HOST-8, WALL-9). Pure.
 *
 * Called by links.c in anchord-links.
 *
 *     anc0123abcdb7      on the host's side: the project's tag, the number of the pair
 *     ancin7             its other end, in the identity
 *     ancext             the macvlan, in the identity
 *     anc0123abcdh       on the host's side: host0, the pair between host and identity (HOST-7)
 *     anchost            its other end, in the identity
 *     alias              anchord PROJECT NETWORK-ID NETWORK-NAME: whose pair it is, on the host's side; of host0
 *                        anchord PROJECT host0
 */
#pragma once

#include "protocol/messages.h"

#include <stdbool.h>

#define LINK_ALIAS_SIZE 256 /* IFALIASZ, linux/if.h */

/* The number of host0, the pair between host and identity (HOST-7), behind those of the networks; none of both. */
#define HOST_LINK BRIDGES_MAX
#define NO_LINK   (BRIDGES_MAX + 1)

/* In the place of a network: host0 has none. */
extern const struct wire_bridge host_link;

void link_names_outer(char name[INTERFACE_NAME_SIZE], uint32_t tag, uint32_t number);
/* The MAC address of an outer end. A bridge without one of its own takes the lowest of its ports'
 * (net/bridge/br_stp_if.c), so ours is higher than nearly all. */
struct mac_address link_names_outer_mac(uint32_t tag, uint32_t number);
void link_names_inner(char name[INTERFACE_NAME_SIZE], uint32_t number);

/* The number of a pair by the name of its outer end; NO_LINK when it is none of this project's. */
uint32_t link_names_number(const char *name, uint32_t tag);

void link_names_alias(char alias[LINK_ALIAS_SIZE], const char *project, const struct wire_bridge *bridge);

/* Whether an alias says this project, and, unless `network_id` is NULL, that network; its name may have changed. */
bool link_names_alias_is_of(const char *alias, const char *project, const char *network_id);

/* Whether Docker calls the bridge so by itself: br- and the first twelve digits of the network's ID. */
bool link_names_is_dockers(const struct wire_bridge *bridge);
