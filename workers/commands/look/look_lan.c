/* Looks at the LAN; see look_lan.h. Opens two raw sockets, then runs without any privilege. */
#include "workers/commands/look/look_lan.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "common/sandbox.h"
#include "workers/commands/look/look_report.h"
#include "workers/neighbours/holder_search.h"

#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define ADDRESSES_MAX  2 /* one of each family */
#define OPEN_FILES_MAX 8

static int find_parent(struct holder_search *search, const char *parent)
{
    CLEANUP_FD int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {0};

    if (fd < 0 || text_copy(request.ifr_name, sizeof(request.ifr_name), parent) < 0 ||
        ioctl(fd, SIOCGIFHWADDR, &request) < 0)
        return -errno;
    if (request.ifr_hwaddr.sa_family != ARPHRD_ETHER)
        return -EMEDIUMTYPE;
    memcpy(search->mac.bytes, request.ifr_hwaddr.sa_data, sizeof(search->mac.bytes));
    search->index = if_nametoindex(parent);
    return search->index == 0 ? -errno : 0;
}

static int report_holders(const struct holder_search *search)
{
    int result = 0;

    for (size_t i = 0; i < search->count && result == 0; i++) {
        struct look_record record = {.kind = LOOK_HOLDER, .mac = search->holders[i]};

        if (!search->is_held[i])
            continue;
        if (search->addresses[i].family == IP_FAMILY_4)
            record.address4 = wire_address_from(&search->addresses[i]);
        else
            record.address6 = wire_address_from(&search->addresses[i]);
        result = look_report(&record);
    }
    return result;
}

int look_lan(const char *parent, char *const *addresses, size_t count)
{
    static const struct sandbox_profile profile = {.open_files = OPEN_FILES_MAX};
    CLEANUP(holder_search_close) struct holder_search search = {.arp = -1, .icmp6 = -1};
    const char *step = "the arguments";
    int result = count > ADDRESSES_MAX ? -E2BIG : 0;

    for (; search.count < count && result == 0; search.count++)
        result = ip_address_parse(addresses[search.count], &search.addresses[search.count]);
    if (result == 0) {
        step = parent;
        result = find_parent(&search, parent);
    }
    if (result == 0) {
        step = "the raw sockets";
        result = holder_search_open(&search);
    }
    if (result == 0)
        result = holder_search_begin(&search);
    if (result == 0)
        result = sandbox_drop_privileges(&step);
    if (result == 0)
        result = sandbox_seal(&profile, &step);
    if (result == 0) {
        step = parent;
        result = holder_search_run(&search);
    }
    if (result == 0)
        result = report_holders(&search);
    return look_report_end(result, result < 0 ? step : "");
}
