/* Another client with our identifier; see dhcp_twin.h. Runs in the supervisor, as root. */
#include "daemon/dhcp/dhcp_twin.h"

#include "common/clock.h"
#include "common/log.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netpacket/packet.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

/* In a frame that begins with its Ethernet header; the IPv4 header has no options, as dhcpcd sends it. */
enum {
    OFFSET_ETHERTYPE = 12,
    OFFSET_IP_VERSION = 14,
    OFFSET_FRAGMENT = 20,
    OFFSET_PROTOCOL = 23,
    OFFSET_PORT = 36,
    OFFSET_OPERATION = 42, /* RFC 2131 §2 */
    OFFSET_MAC = OFFSET_OPERATION + 28,
    OFFSET_COOKIE = OFFSET_OPERATION + 236,
    OFFSET_OPTIONS = OFFSET_COOKIE + 4,
    LENGTH_LOOKED_AT = OFFSET_MAC + 6,
};

#define FRAGMENT_MASK     0x1fff
#define SERVER_PORT       67
#define REQUEST           1
#define COOKIE            UINT32_C(0x63825363)
#define OPTION_IDENTIFIER 61
/* Options that are looked at: in all that a client sends, the identifier is among the first ones (dhcpcd: the sixth at
 * the latest). */
#define OPTIONS_LOOKED_AT     12
#define INSTRUCTIONS_PER_STEP 6

/* A flood costs a part of the processor and no more. */
#define TURN_INTERVAL      (200 * MICROSECONDS_PER_MILLISECOND)
#define TURNS_PER_INTERVAL 20

struct dhcp_twin {
    int fd;
    sd_event_source *source;
    dhcp_twin_handler on_heard;
    void *userdata;
};

/* --- the filter ---------------------------------------------------------------------------------------- */

static void add(struct dhcp_twin_filter *filter, struct sock_filter instruction)
{
    if (filter->length < DHCP_TWIN_FILTER_MAX)
        filter->instructions[filter->length++] = instruction;
}

/* `where`: BPF_ABS, or BPF_IND for an offset from X. A frame that is too short for a load is dropped, too. */
static void want(struct dhcp_twin_filter *filter, unsigned int where, uint32_t offset, uint32_t value)
{
    add(filter, (struct sock_filter)BPF_STMT((unsigned short)(BPF_LD | where), offset));
    if (offset == OFFSET_FRAGMENT)
        add(filter, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, FRAGMENT_MASK));
    add(filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 1, 0));
    add(filter, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0));
}

/*
 *     X = the first option
 *     code at X == 61?                         done
 *     X = X + length at X + 1 + 2              and again
 *     drop
 */
static void find_identifier(struct dhcp_twin_filter *filter)
{
    add(filter, (struct sock_filter)BPF_STMT(BPF_LDX | BPF_IMM, OFFSET_OPTIONS));
    for (unsigned int left = OPTIONS_LOOKED_AT; left > 0; left--) {
        add(filter, (struct sock_filter)BPF_STMT(BPF_LD | BPF_IND | BPF_B, 0));
        add(filter, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OPTION_IDENTIFIER,
                                                 (uint8_t)(left * INSTRUCTIONS_PER_STEP - 1), 0));
        add(filter, (struct sock_filter)BPF_STMT(BPF_LD | BPF_IND | BPF_B, 1));
        add(filter, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0));
        add(filter, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 2));
        add(filter, (struct sock_filter)BPF_STMT(BPF_MISC | BPF_TAX, 0));
    }
    add(filter, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0));
}

void dhcp_twin_filter_make(const char *host_name, struct dhcp_twin_filter *ret)
{
    size_t length = strlen(host_name);
    uint32_t offset = 3; /* behind the option's code, its length and the identifier's type */

    ret->length = 0;
    want(ret, BPF_ABS | BPF_H, OFFSET_ETHERTYPE, 0x0800);
    want(ret, BPF_ABS | BPF_B, OFFSET_IP_VERSION, 0x45);
    want(ret, BPF_ABS | BPF_H, OFFSET_FRAGMENT, 0);
    want(ret, BPF_ABS | BPF_B, OFFSET_PROTOCOL, IPPROTO_UDP);
    want(ret, BPF_ABS | BPF_H, OFFSET_PORT, SERVER_PORT);
    want(ret, BPF_ABS | BPF_B, OFFSET_OPERATION, REQUEST);
    want(ret, BPF_ABS | BPF_W, OFFSET_COOKIE, COOKIE);
    find_identifier(ret);
    want(ret, BPF_IND | BPF_B, 1, (uint32_t)length + 1);
    want(ret, BPF_IND | BPF_B, 2, 0); /* the type, then the name (ADDR-5) */
    for (; length >= sizeof(uint32_t); length -= sizeof(uint32_t), host_name += sizeof(uint32_t)) {
        uint32_t word;

        memcpy(&word, host_name, sizeof(word));
        want(ret, BPF_IND | BPF_W, offset, ntohl(word));
        offset += sizeof(word);
    }
    for (; length > 0; length--)
        want(ret, BPF_IND | BPF_B, offset++, (uint8_t)*host_name++);
    add(ret, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, LENGTH_LOOKED_AT));
}

int dhcp_twin_open(const char *host_name, int *ret)
{
    CLEANUP_FD int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct dhcp_twin_filter filter;
    struct sock_fprog program;

    if (fd < 0)
        return -errno;
    dhcp_twin_filter_make(host_name, &filter);
    program = (struct sock_fprog){.len = filter.length, .filter = filter.instructions};
    if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0)
        return -errno;
    *ret = TAKE_FD(fd);
    return 0;
}

/* --- listening ----------------------------------------------------------------------------------------- */

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct dhcp_twin *twin = userdata;
    uint8_t frame[LENGTH_LOOKED_AT];
    struct mac_address mac;

    (void)source;
    (void)events;
    if (recv(fd, frame, sizeof(frame), MSG_DONTWAIT) != sizeof(frame)) /* also the link's end, once */
        return 0;
    memcpy(mac.bytes, frame + OFFSET_MAC, sizeof(mac.bytes));
    if (mac_address_is_host(&mac))
        twin->on_heard(&mac, twin->userdata);
    return 0;
}

/* With a protocol of its own a packet socket sees nothing of what leaves: whoever is heard is somebody else. */
void dhcp_twin_set_link(struct dhcp_twin *twin, uint32_t index)
{
    struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_ifindex = (int)index, .sll_protocol = htons(0x0800)};

    if (!twin)
        return;
    if (index == 0)
        address.sll_protocol = 0;
    if (bind(twin->fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        log_warn("cannot listen for other DHCP clients with our name", LOG_NUMBER("index", index), LOG_ERROR(-errno));
}

struct dhcp_twin *dhcp_twin_free(struct dhcp_twin *twin)
{
    if (!twin)
        return NULL;
    sd_event_source_disable_unref(twin->source);
    free(twin);
    return NULL;
}

int dhcp_twin_new(sd_event *event, int fd, dhcp_twin_handler on_heard, void *userdata, struct dhcp_twin **ret)
{
    CLEANUP(dhcp_twin_freep) struct dhcp_twin *twin = calloc(1, sizeof(*twin));
    int result;

    if (!twin)
        return -ENOMEM;
    *twin = (struct dhcp_twin){.fd = fd, .on_heard = on_heard, .userdata = userdata};
    result = sd_event_add_io(event, &twin->source, fd, EPOLLIN, on_readable, twin);
    if (result == 0)
        result = sd_event_source_set_ratelimit(twin->source, TURN_INTERVAL, TURNS_PER_INTERVAL);
    if (result < 0)
        return result;
    *ret = TAKE_POINTER(twin);
    return 0;
}
