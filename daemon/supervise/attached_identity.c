/* What an attached project is known by; see attached_identity.h. Pure, runs in the supervisor and in commands. */
#include "daemon/supervise/attached_identity.h"

#include "common/stable_hash.h"

/* RFC 3927 §2.1 leaves out the first and the last 256 addresses; cloud platforms have services in two more networks. */
#define NEXT_HOP_NETWORKS    254
#define METADATA_NETWORK     169 /* and the one behind it */
#define NETWORKS_LEFT_OUT    2
#define ADDRESSES_OF_NETWORK 256

/* What it is for comes last, so that all of it has gone through many rounds. */
static stable_hash hash_for(const uint8_t machine[MACHINE_ID_LENGTH], const char *project, const char *purpose)
{
    stable_hash hash = stable_hash_bytes(STABLE_HASH_BASIS, machine, MACHINE_ID_LENGTH);

    hash = stable_hash_bytes(hash, project, strlen(project) + 1);
    return stable_hash_text(hash, purpose);
}

/* IEEE 802-2014 §8.2: no group, locally administered. */
static struct mac_address mac_from(stable_hash hash)
{
    struct mac_address mac;

    for (size_t i = 0; i < sizeof(mac.bytes); i++)
        mac.bytes[i] = (uint8_t)(hash >> (8 * i));
    mac.bytes[0] = (uint8_t)((mac.bytes[0] & 0xfc) | 0x02);
    return mac;
}

static struct ip_address next_hop_from(stable_hash hash)
{
    uint32_t number = (uint32_t)(hash % ((NEXT_HOP_NETWORKS - NETWORKS_LEFT_OUT) * ADDRESSES_OF_NETWORK));
    uint8_t network = (uint8_t)(1 + number / ADDRESSES_OF_NETWORK);
    uint8_t bytes[4] = {169, 254, network, (uint8_t)(number % ADDRESSES_OF_NETWORK)};

    if (network >= METADATA_NETWORK)
        bytes[2] = (uint8_t)(network + NETWORKS_LEFT_OUT);
    return ip_address_from_bytes(IP_FAMILY_4, bytes);
}

void attached_identity_make(const uint8_t machine[MACHINE_ID_LENGTH], const char *project,
                            struct attached_identity *ret)
{
    stable_hash client = hash_for(machine, project, "dhcp client");

    *ret = (struct attached_identity){
        .tag = (uint32_t)hash_for(machine, project, "tag"),
        .external_mac = mac_from(hash_for(machine, project, "external link")),
        .inner_mac = mac_from(hash_for(machine, project, "inner links")),
        .next_hop = next_hop_from(hash_for(machine, project, "next hop")),
        .client_hash = {(uint32_t)client, (uint32_t)(client >> 32)},
    };
}
