/* The names of an identity's links; see link_names.h. Pure, in anchord-links. */
#include "workers/links/link_names.h"

#include "common/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DOCKER_PREFIX    "br-"
#define DOCKER_ID_DIGITS 12

const struct wire_bridge host_link = {.network_id = "host0", .network = "this host"};

void link_names_outer(char name[INTERFACE_NAME_SIZE], uint32_t tag, uint32_t number)
{
    if (number == HOST_LINK)
        (void)snprintf(name, INTERFACE_NAME_SIZE, "anc%08" PRIx32 "h", tag);
    else
        (void)snprintf(name, INTERFACE_NAME_SIZE, "anc%08" PRIx32 "b%u", tag, (unsigned int)(number % BRIDGES_MAX));
}

struct mac_address link_names_outer_mac(uint32_t tag, uint32_t number)
{
    return (struct mac_address){{0xfe, (uint8_t)(number == HOST_LINK ? 0x80 : 0xc0 + number % BRIDGES_MAX),
                                 (uint8_t)(tag >> 24), (uint8_t)(tag >> 16), (uint8_t)(tag >> 8), (uint8_t)tag}};
}

void link_names_inner(char name[INTERFACE_NAME_SIZE], uint32_t number)
{
    if (number == HOST_LINK)
        (void)snprintf(name, INTERFACE_NAME_SIZE, IDENTITY_HOST_LINK);
    else
        (void)snprintf(name, INTERFACE_NAME_SIZE, IDENTITY_SHARED_LINKS "%u", (unsigned int)(number % BRIDGES_MAX));
}

uint32_t link_names_number(const char *name, uint32_t tag)
{
    for (uint32_t number = 0; number <= HOST_LINK; number++) {
        char wanted[INTERFACE_NAME_SIZE];

        link_names_outer(wanted, tag, number);
        if (strcmp(name, wanted) == 0)
            return number;
    }
    return NO_LINK;
}

void link_names_alias(char alias[LINK_ALIAS_SIZE], const char *project, const struct wire_bridge *bridge)
{
    char text[LINK_ALIAS_SIZE + NAME_SIZE + CONTAINER_ID_SIZE];

    (void)snprintf(text, sizeof(text), "anchord %s %s %s", project, bridge->network_id, bridge->network);
    text_copy_cut(alias, LINK_ALIAS_SIZE, text);
}

bool link_names_alias_is_of(const char *alias, const char *project, const char *network_id)
{
    static const char ours[] = "anchord ";
    size_t length = strlen(project);

    if (strncmp(alias, ours, sizeof(ours) - 1) != 0)
        return false;
    alias += sizeof(ours) - 1;
    if (strncmp(alias, project, length) != 0 || alias[length] != ' ')
        return false;
    return !network_id || strncmp(alias + length + 1, network_id, strlen(network_id)) == 0;
}

bool link_names_is_dockers(const struct wire_bridge *bridge)
{
    static const size_t prefix = sizeof(DOCKER_PREFIX) - 1;

    return strncmp(bridge->bridge, DOCKER_PREFIX, prefix) == 0 &&
           strncmp(bridge->bridge + prefix, bridge->network_id, DOCKER_ID_DIGITS) == 0 &&
           bridge->bridge[prefix + DOCKER_ID_DIGITS] == '\0';
}
