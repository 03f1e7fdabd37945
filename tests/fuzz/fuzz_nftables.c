/*
 * Fuzz target: what netadmin reads of netfilter: its tables, the verdict on a batch, conntrack entries; and what the
 * command `anchord ruleset` reads of the tables. The first byte chooses, the rest is a tape of answers (fake_kernel.h).
 *
 * libnftnl ends the process when an attribute has another length than the kernel's interface says (its src/utils.c,
 * __abi_breakage). That is its decision, so such a tape is tried once before, without looking for leaks, and left out.
 */
#include "tests/fuzz/fake_kernel.h"
#include "tests/fuzz/target.h"
#include "workers/commands/ruleset/table_text.h"
#include "workers/netadmin/conntrack/conntrack.h"
#include "workers/netadmin/nft/nft_dump.h"

#include <netinet/in.h> /* before linux/netfilter.h, which then leaves its types alone */

#include <dlfcn.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of the first byte. */
#define SHOW 0x80

static void check_content(const struct nft_table_content *content)
{
    if (content->intruder_count > content->intruder_capacity || content->external_count > content->external_capacity)
        abort();
    for (size_t i = 0; i < content->intruder_count; i++) {
        if (!memchr(content->intruders[i].name, '\0', sizeof(content->intruders[i].name)))
            abort();
    }
    for (size_t i = 0; i < PROTOCOL_INDEX_MAX_; i++) {
        for (size_t j = 1; j < content->maps[i].count; j++) {
            if (content->maps[i].elements[j - 1].port > content->maps[i].elements[j].port)
                abort();
        }
    }
}

/* As a caller may leave it: nothing is held, and nothing is said to be there. */
static bool is_clear(const struct nft_table_content *content)
{
    for (size_t i = 0; i < PROTOCOL_INDEX_MAX_; i++) {
        if (content->maps[i].elements || content->traffic[i].elements)
            return false;
    }
    return !content->exists && !content->has_skeleton && content->layout == 0 && !content->intruders &&
           !content->external && content->guests.count == 0 && content->values.count == 0;
}

static void read_table(struct nfnl_socket *socket, size_t family)
{
    CLEANUP(nft_table_content_clearp) struct nft_table_content *content = calloc(1, sizeof(*content));

    if (!content)
        abort();
    if (nft_dump_table(socket, &nft_families[family], content) == 0)
        check_content(content);
    else if (!is_clear(content))
        abort();
    nft_table_content_clear(content);
    free(TAKE_POINTER(content));
}

/* Whatever answers come, a failure names an operation of the batch or its beginning. */
static void commit_batch(struct nfnl_socket *socket)
{
    struct nft_batch batch = {0};
    struct nft_failure failure = {0};
    int result;

    for (unsigned int i = 0; i < 3; i++)
        (void)nft_batch_add(&batch, NFT_MSG_NEWTABLE, nft_families[FAMILY_INDEX_4].nfproto, 0, "add table ip number_%u",
                            i);
    result = nfnl_socket_commit(socket, &batch, &failure);
    if (result > 0 || (result < 0 && result != failure.error) ||
        (result < 0 && !memchr(failure.operation, '\0', sizeof(failure.operation))) ||
        (result < 0 && failure.operation[0] == '\0'))
        abort();
    nft_batch_clear(&batch);
}

static void sweep_flows(struct nfnl_socket *socket, uint8_t family)
{
    /* The addresses of the recorded flows in the corpus. */
    const struct ip_address external =
        family == IP_FAMILY_4
            ? (struct ip_address){.family = IP_FAMILY_4, .bytes = {10, 99, 0, 50}}
            : (struct ip_address){.family = IP_FAMILY_6, .bytes = {0x20, 0x01, 0x0d, 0xb8, 0, 0x99, [15] = 0x50}};
    struct map_element element = {.port = 80, .backend_port = 8080, .backend = {172, 30, 0, 5}};
    struct conntrack_change change = {
        .family_index = (uint8_t)family_index_from_family(family),
        .protocol_index = PROTOCOL_INDEX_TCP,
        .element = element,
    };
    struct conntrack_changes changes = {.items = &change, .count = 1};
    struct desired_state current = {0};
    uint32_t flushed[FAMILY_INDEX_MAX_] = {0};
    struct nft_failure failure;

    if (conntrack_changes_give_up(&changes, &(struct ip_address){.family = family, .bytes = {192, 0, 2, 11}}) < 0 ||
        conntrack_sweep(socket, &changes, &current, &external, 1, flushed, &failure) > 0 ||
        flushed[FAMILY_INDEX_4] + flushed[FAMILY_INDEX_6] > fake_kernel_requests())
        abort();
    free(changes.given_up);
}

/* anchord ruleset: another reader of the same answers, which prints them. */
static void show_table(void)
{
    static bool is_silenced;
    struct mnl_socket *socket = mnl_socket_open2(NETLINK_NETFILTER, 0);
    struct table table = {.nfproto = NFPROTO_IPV4, .family = "ip", .name = "anchord_v4"};

    if (!is_silenced && !freopen("/dev/null", "w", stdout))
        abort();
    is_silenced = true;
    table_text_be_exact();
    if (table_read(socket, &table) == 0)
        table_text_print(&table);
    table_clear(&table);
    (void)mnl_socket_close(socket);
}

static void read_answers(const uint8_t *bytes, size_t length)
{
    CLEANUP(nfnl_socket_freep) struct nfnl_socket *socket = NULL;

    fake_kernel_start(bytes + 1, length - 1);
    if (bytes[0] & SHOW) {
        show_table();
        return;
    }
    if (nfnl_socket_new(&socket) < 0)
        abort();
    switch (bytes[0] % 5) {
    case 0:
        read_table(socket, FAMILY_INDEX_4);
        break;
    case 1:
        read_table(socket, FAMILY_INDEX_6);
        break;
    case 2:
        commit_batch(socket);
        break;
    case 3:
        sweep_flows(socket, IP_FAMILY_4);
        break;
    default:
        sweep_flows(socket, IP_FAMILY_6);
    }
}

/* --- libnftnl's exit() --------------------------------------------------------------------------------- */

/* Of the sanitizer, when there is one. */
extern void __lsan_disable(void) __attribute__((weak));
extern void __lsan_enable(void) __attribute__((weak));

extern int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
                                                     void (*on_free)(const volatile void *)) __attribute__((weak));

static jmp_buf before_trial;
static bool is_trial;

/* What a trial has allocated and not freed: one that ends in the middle of libnftnl leaves it behind. More is lost. */
static const volatile void *trial_memory[4096];
static size_t trial_memory_count;

static void note_allocation(const volatile void *memory, size_t size)
{
    (void)size;
    if (is_trial && trial_memory_count < ARRAY_LENGTH(trial_memory))
        trial_memory[trial_memory_count++] = memory;
}

static void note_release(const volatile void *memory)
{
    for (size_t i = is_trial ? trial_memory_count : 0; i > 0; i--) {
        if (trial_memory[i - 1] != memory)
            continue;
        trial_memory[i - 1] = trial_memory[--trial_memory_count];
        return;
    }
}

static void release_trial_memory(void)
{
    is_trial = false; /* before the first is freed */
    while (trial_memory_count > 0)
        free((void *)(uintptr_t)trial_memory[--trial_memory_count]);
}

/* Without a sanitizer nothing is noted, and nothing of it is missed in the few tapes of the corpus. */
static void watch_memory(void)
{
    static bool is_watched;

    if (!is_watched && __sanitizer_install_malloc_and_free_hooks)
        (void)__sanitizer_install_malloc_and_free_hooks(note_allocation, note_release);
    is_watched = true;
}

/* In place of libc's for the whole program, the library's calls included. */
_Noreturn void exit(int status)
{
    void (*original)(int) = NULL;

    if (is_trial)
        longjmp(before_trial, 1);
    *(void **)&original = dlsym(RTLD_NEXT, "exit");
    original(status);
    abort();
}

/* Whether libnftnl survives this tape. */
static bool try_answers(const uint8_t *bytes, size_t length)
{
    volatile bool survives = false;

    watch_memory();
    if (__lsan_disable)
        __lsan_disable();
    is_trial = true;
    if (setjmp(before_trial) == 0) {
        read_answers(bytes, length);
        survives = true;
    }
    release_trial_memory();
    if (__lsan_enable)
        __lsan_enable();
    return survives;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    if (length < 1 || ((bytes[0] & SHOW || (bytes[0] % 5) < 2) && !try_answers(bytes, length)))
        return 0;
    read_answers(bytes, length);
    return 0;
}
