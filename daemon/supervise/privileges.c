/* Who may do what; see privileges.h. Runs in the supervisor and in its children before exec, as root. */
#include "daemon/supervise/privileges.h"

#include "common/cleanup.h"
#include "daemon/supervise/system_call_filter.h"

#include <grp.h>
#include <linux/securebits.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define SECUREBITS_SUPERVISOR (SECBIT_NOROOT | SECBIT_NOROOT_LOCKED)
/* A worker's program can get nothing back by a user ID, by exec or by ambient capabilities of its own. */
#define SECUREBITS_WORKER                                                                            \
    (SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP | SECBIT_NO_SETUID_FIXUP_LOCKED | \
     SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED)

static const cap_value_t supervisor_capabilities[] = {
    CAP_SETUID,
    CAP_SETGID,
    CAP_SETPCAP,
    CAP_KILL,
};
/* With a DHCP client: what it inherits; and what makes its directories, which is given up with the others. */
static const cap_value_t dhcp_capabilities[] = {CAP_NET_RAW, CAP_NET_BIND_SERVICE};
#define STARTING_CAPABILITIES_DHCP CAPABILITY_BIT(CAP_CHOWN)

static void free_capabilities(cap_t *capabilities)
{
    if (*capabilities)
        (void)cap_free(*capabilities);
}

/* What the supervisor keeps for good. */
static uint64_t kept_capabilities(struct supervisor_needs needs)
{
    uint64_t mask = needs.net_admin ? CAPABILITY_BIT(CAP_NET_ADMIN) : 0;

    if (needs.namespaces)
        mask |= CAPABILITY_BIT(CAP_SYS_ADMIN) | CAPABILITY_BIT(CAP_SYS_PTRACE);
    for (size_t i = 0; i < ARRAY_LENGTH(supervisor_capabilities); i++)
        mask |= CAPABILITY_BIT(supervisor_capabilities[i]);
    for (size_t i = 0; i < ARRAY_LENGTH(dhcp_capabilities) && needs.dhcp_client; i++)
        mask |= CAPABILITY_BIT(dhcp_capabilities[i]);
    return mask;
}

uint64_t privileges_missing(struct supervisor_needs needs)
{
    uint64_t required = kept_capabilities(needs) | (needs.dhcp_client ? STARTING_CAPABILITIES_DHCP : 0);
    CLEANUP(free_capabilities) cap_t held = cap_get_proc();
    uint64_t missing = 0;

    for (cap_value_t capability = 0; capability < (cap_value_t)cap_max_bits(); capability++) {
        cap_flag_value_t value = CAP_CLEAR;

        if (!held || cap_get_flag(held, capability, CAP_PERMITTED, &value) < 0 || value == CAP_CLEAR)
            missing |= required & CAPABILITY_BIT(capability);
    }
    return missing;
}

/* Replaces the three sets of this process by masks; what is not in a mask is gone. */
static int set_capabilities(uint64_t permitted, uint64_t effective, uint64_t inheritable)
{
    CLEANUP(free_capabilities) cap_t wanted = cap_init();

    if (!wanted)
        return -ENOMEM;
    for (cap_value_t capability = 0; capability < (cap_value_t)cap_max_bits(); capability++) {
        const struct {
            cap_flag_t flag;
            uint64_t mask;
        } sets[] = {{CAP_PERMITTED, permitted}, {CAP_EFFECTIVE, effective}, {CAP_INHERITABLE, inheritable}};

        for (size_t i = 0; i < ARRAY_LENGTH(sets); i++) {
            if ((sets[i].mask & CAPABILITY_BIT(capability)) &&
                cap_set_flag(wanted, sets[i].flag, 1, &capability, CAP_SET) < 0)
                return -errno;
        }
    }
    if (cap_set_proc(wanted) < 0)
        return -errno;
    return 0;
}

/* Removes all but `kept` from the bounding set; needs CAP_SETPCAP. */
static int limit_bounding_set(uint64_t kept)
{
    for (cap_value_t capability = 0; capability < (cap_value_t)cap_max_bits(); capability++) {
        if (!(kept & CAPABILITY_BIT(capability)) && cap_get_bound(capability) > 0 && cap_drop_bound(capability) < 0)
            return -errno;
    }
    return 0;
}

int privileges_restrict_supervisor(struct supervisor_needs needs, const char **ret_step)
{
    uint64_t required = kept_capabilities(needs);
    int result;

    *ret_step = "capabilities";
    result = set_capabilities(required, CAPABILITY_BIT(CAP_SETPCAP), 0);
    if (result < 0)
        return result;
    *ret_step = "bounding set";
    result = limit_bounding_set(required);
    if (result < 0)
        return result;
    *ret_step = "securebits";
    if (cap_set_secbits(SECUREBITS_SUPERVISOR) < 0)
        return -errno;
    *ret_step = "effective capabilities";
    result = set_capabilities(required, CAPABILITY_BIT(CAP_KILL), 0);
    if (result < 0)
        return result;
    *ret_step = "no_new_privs";
    if (prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) < 0)
        return -errno;
    *ret_step = "dumpable";
    if (prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L) < 0)
        return -errno;
    *ret_step = "resource limits";
    if (setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}) < 0)
        return -errno;
    *ret_step = "seccomp";
    return system_call_filter_load(needs.dhcp_client, needs.namespaces);
}

int privileges_use_net_admin(bool is_used)
{
    CLEANUP(free_capabilities) cap_t held = cap_get_proc();
    const cap_value_t capability = CAP_NET_ADMIN;

    if (!held || cap_set_flag(held, CAP_EFFECTIVE, 1, &capability, is_used ? CAP_SET : CAP_CLEAR) < 0 ||
        cap_set_proc(held) < 0)
        return -errno;
    return 0;
}

/* Gives up root; what is permitted survives the change of user (keepcaps) and is trimmed afterwards. */
static int change_user(const struct worker_privileges *privileges, const char **ret_step)
{
    *ret_step = "supplementary groups";
    if (setgroups(privileges->supplementary_group_count, privileges->supplementary_groups) < 0)
        return -errno;
    *ret_step = "group";
    if (setresgid(privileges->group, privileges->group, privileges->group) < 0)
        return -errno;
    *ret_step = "keepcaps";
    if (prctl(PR_SET_KEEPCAPS, 1L, 0L, 0L, 0L) < 0)
        return -errno;
    *ret_step = "user";
    if (setresuid(privileges->user, privileges->user, privileges->user) < 0)
        return -errno;
    return 0;
}

/* The ambient set crosses exec without the bounding set's consent; it needs permitted and inheritable ones. */
static int hand_over_capabilities(uint64_t capabilities, const char **ret_step)
{
    int result;

    *ret_step = "capabilities of the new user";
    result = set_capabilities(capabilities | CAPABILITY_BIT(CAP_SETPCAP), capabilities | CAPABILITY_BIT(CAP_SETPCAP),
                              capabilities);
    if (result < 0)
        return result;
    *ret_step = "ambient capabilities";
    for (cap_value_t capability = 0; capability < (cap_value_t)cap_max_bits(); capability++) {
        if ((capabilities & CAPABILITY_BIT(capability)) && cap_set_ambient(capability, CAP_SET) < 0)
            return -errno;
    }
    *ret_step = "securebits";
    if (cap_set_secbits(SECUREBITS_WORKER) < 0)
        return -errno;
    *ret_step = "capabilities";
    return set_capabilities(capabilities, capabilities, capabilities);
}

/* Set after the last change of user and capabilities, since those clear it; then the race is closed by a look. */
static int die_with_parent(int death_signal, pid_t parent)
{
    if (prctl(PR_SET_PDEATHSIG, (unsigned long)death_signal, 0L, 0L, 0L) < 0)
        return -errno;
    return getppid() == parent ? 0 : -ESRCH;
}

int privileges_become_worker(const struct worker_privileges *privileges, pid_t parent, const char **ret_step)
{
    uint64_t to_step_down = CAPABILITY_BIT(CAP_SETUID) | CAPABILITY_BIT(CAP_SETGID) | CAPABILITY_BIT(CAP_SETPCAP);
    uint64_t capabilities = privileges->capabilities;
    int result;

    /* Inheritable ones must be set while the bounding set still has them (capset(2)). */
    *ret_step = "capabilities to step down";
    result = set_capabilities(capabilities | to_step_down, to_step_down, capabilities);
    if (result < 0)
        return result;
    *ret_step = "bounding set";
    result = limit_bounding_set(0);
    if (result < 0)
        return result;
    result = change_user(privileges, ret_step);
    if (result < 0)
        return result;
    result = hand_over_capabilities(capabilities, ret_step);
    if (result < 0)
        return result;
    *ret_step = "parent death signal";
    return die_with_parent(privileges->death_signal, parent);
}
