/* All checks; see check_table.h. */
#include "workers/commands/doctor/check_table.h"

#include "common/cleanup.h"
#include "workers/commands/doctor/address_checks.h"
#include "workers/commands/doctor/files_check.h"
#include "workers/commands/doctor/kernel_checks.h"
#include "workers/commands/doctor/path_group.h"
#include "workers/commands/doctor/platform_checks.h"
#include "workers/commands/doctor/rule_checks.h"
#include "workers/commands/doctor/worker_checks.h"

#define OF_ANCHOR   CHECK_OF_ANCHOR
#define WITH_STATUS (CHECK_OF_ANCHOR | CHECK_READS_STATUS)
#define WITH_RULES  (CHECK_OF_ANCHOR | CHECK_READS_RULES)

const struct check check_table[] = {
    {GROUP_PLATFORM, "kernel", "the kernel has what anchord asks of it", CHECK_OWN_ANSWERS, 0, NULL, kernel_check},
    {GROUP_PLATFORM, "compose-version", "Docker Compose is new enough", CHECK_ON_HOST, 0, compose_prepare,
     compose_check},
    {GROUP_PLATFORM, "engine", "Docker answers, and is new enough", CHECK_OWN_ANSWERS, 0, NULL, platform_check_engine},
    {GROUP_PLATFORM, "engine-setup", "Docker is set up so that containers reach the LAN", CHECK_READS_DOCKER, 0, NULL,
     platform_check_setup},
    {GROUP_PLATFORM, "bridge-nf", "the host does not drop what its bridges carry", CHECK_READS_DOCKER | CHECK_ON_HOST,
     0, NULL, platform_check_bridge_nf},
    {GROUP_PLATFORM, "firewall", "the host's firewall stops no anchor", CHECK_ON_HOST, 0, platform_prepare_legacy,
     platform_check_firewall},
    {GROUP_PLATFORM, "capabilities", "the container was given what anchord needs", OF_ANCHOR, 0, NULL,
     platform_check_capabilities},
    {GROUP_PLATFORM, "macvlan-gateway", "the network on the LAN has a gateway", WITH_STATUS | CHECK_READS_DOCKER, 0,
     NULL, platform_check_macvlan_gateway},
    {GROUP_PLATFORM, "transit", "the project's network is no way out by the host", WITH_STATUS | CHECK_READS_DOCKER, 0,
     NULL, platform_check_transit},
    {GROUP_FILES, "compose", "a finished Compose file says what anchord needs", CHECK_OF_FILE | CHECK_WHEN_NAMED, 0,
     files_check_prepare, files_check},
    {GROUP_ADDRESS, "link", "the interface on the LAN is there and up", WITH_STATUS, 0, NULL, address_check_link},
    {GROUP_ADDRESS, "addresses", "the project has an address on the LAN", WITH_STATUS, 0, NULL,
     address_check_addresses},
    {GROUP_ADDRESS, "lease", "the lease is renewed in time", WITH_STATUS, 0, NULL, address_check_lease},
    {GROUP_ADDRESS, "duplicate", "no other host has an address of the project's", WITH_STATUS, 0, address_prepare_lan,
     address_check_duplicate},
    {GROUP_ADDRESS, "gateway", "the gateways answer", WITH_STATUS, 0, address_prepare_lan, address_check_gateway},
    {GROUP_ADDRESS, "advertisements", "routers' advertisements are heard where they are needed", WITH_STATUS, 0, NULL,
     address_check_advertisements},
    {GROUP_RULES, "tables", "anchord's tables are in the kernel, whole", WITH_RULES | CHECK_LOOKS_TWICE, 0, NULL,
     rule_check_tables},
    {GROUP_RULES, "foreign-tables", "nobody else's table drops what anchord lets pass", WITH_RULES, 0, NULL,
     rule_check_foreign},
    {GROUP_RULES, "forwarding", "the kernel forwards", WITH_STATUS, 0, NULL, rule_check_forwarding},
    {GROUP_RULES, "routes", "no default route leads past the LAN", WITH_STATUS, 0, NULL, rule_check_routing},
    {GROUP_PATH, "path", "what is exposed is reached, and its replies come back",
     OF_ANCHOR | CHECK_OWN_ANSWERS | CHECK_KEEPS_RIGHTS | CHECK_STAYS_OUTSIDE, 14, NULL, path_group_check},
    {GROUP_WORKERS, "answers", "the anchor answers", OF_ANCHOR | CHECK_OWN_ANSWERS, 0, NULL, worker_check_answers},
    {GROUP_WORKERS, "ready", "it is ready", WITH_STATUS, 0, NULL, worker_check_ready},
    {GROUP_WORKERS, "problems", "it knows of no problem", WITH_STATUS, 0, NULL, worker_check_problems},
    {GROUP_WORKERS, "privileges", "its processes may do what they need, and nothing else", OF_ANCHOR, 0, NULL,
     worker_check_privileges},
    {GROUP_WORKERS, "restarts", "none of its processes dies again and again", WITH_STATUS, 0, NULL,
     worker_check_restarts},
    {GROUP_WORKERS, "stopped", "every anchord runs, and what it exposes", CHECK_READS_DOCKER, 0, NULL,
     worker_check_stopped},
};
const size_t check_count = ARRAY_LENGTH(check_table);
