/* What dhcpcd finds on disk; see dhcp_files.h. Runs in the supervisor, as root, before it is limited. */
#include "daemon/dhcp/dhcp_files.h"

#include "daemon/dhcp/lease_socket.h"
#include "daemon/supervise/runtime_directory.h"
#include "daemon/supervise/users.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Compiled into dhcpcd: PID files and control sockets. Its leases go to /var/lib/dhcpcd, which the image has as a link
 * to the directory `dhcpcd` in ours. */
#define DHCPCD_DIRECTORY "/run/dhcpcd"

/* A volume that somebody mounted, or a unit's StateDirectory: what is there outlives the container, so that a successor
 * asks for the same lease (KEEP-1, RFC 2131 §3.2). */
#define STATE_DIRECTORY      "/var/lib/anchord"
#define KEPT_LEASE_DIRECTORY STATE_DIRECTORY "/dhcpcd"

/*
 * dhcpcd 10 knows how to go on using an address that others claim (RFC 5227 §2.4 c); 9.4.1 does not, would end if this
 * stood on its command line, and says here that it does not know the word. dhcp_family.c sees to that version.
 */
static const char configuration[] = "arp_persistdefence\n";

const char *dhcp_files_configuration(void)
{
    static char path[PATH_MAX];

    (void)snprintf(path, sizeof(path), "%s/dhcpcd.conf", runtime_directory_path());
    return path;
}

static int make_configuration(void)
{
    CLEANUP_FD int fd = open(dhcp_files_configuration(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    ssize_t written = fd < 0 || fchmod(fd, 0644) < 0 ? -1 : write(fd, configuration, sizeof(configuration) - 1);

    if (written < 0)
        return -errno;
    return (size_t)written == sizeof(configuration) - 1 ? 0 : -ENOSPC;
}

/* One that exists must be a predecessor's: that of a dhcpcd of the host belongs to root. */
static int make_directory(const char *path)
{
    struct stat status;

    if (mkdir(path, 0700) == 0)
        return lchown(path, DHCP_USER, DHCP_USER) < 0 ? -errno : 0;
    if (errno != EEXIST || lstat(path, &status) < 0)
        return -errno;
    return S_ISDIR(status.st_mode) && status.st_uid == DHCP_USER ? 0 : -EEXIST;
}

/* The lease directory, in our own or, by a link, in the one that is kept. */
static int make_lease_directory(const char *path, const char **ret_path)
{
    char target[sizeof(KEPT_LEASE_DIRECTORY)] = "";
    struct stat status;
    int result;

    if (stat(STATE_DIRECTORY, &status) < 0 || !S_ISDIR(status.st_mode))
        return make_directory(path);
    *ret_path = KEPT_LEASE_DIRECTORY;
    result = make_directory(KEPT_LEASE_DIRECTORY);
    if (result < 0)
        return result;
    *ret_path = path;
    if (symlink(KEPT_LEASE_DIRECTORY, path) == 0)
        return 0;
    if (errno != EEXIST)
        return -errno;
    /* A predecessor's in this container. */
    return readlink(path, target, sizeof(target)) == sizeof(target) - 1 &&
                   strncmp(target, KEPT_LEASE_DIRECTORY, sizeof(target) - 1) == 0
               ? 0
               : -EEXIST;
}

static int make_directories(const char **ret_path)
{
    static char lease_directory[PATH_MAX];
    const char *directory = runtime_directory_path();
    int result;

    *ret_path = directory;
    if (chmod(directory, 0711) < 0) /* dhcpcd's user passes through; what is in it stays shut */
        return -errno;
    *ret_path = dhcp_files_configuration();
    result = make_configuration();
    if (result < 0)
        return result;
    *ret_path = lease_directory;
    (void)snprintf(lease_directory, sizeof(lease_directory), "%s/dhcpcd", directory);
    result = make_lease_directory(lease_directory, ret_path);
    if (result < 0)
        return result;
    *ret_path = DHCPCD_DIRECTORY;
    return make_directory(DHCPCD_DIRECTORY);
}

int dhcp_files_make(bool is_supervised, int *ret_listener, const char **ret_path)
{
    int result = runtime_directory_make();

    *ret_path = runtime_directory_path();
    if (result == 0 && is_supervised)
        result = make_directories(ret_path);
    if (result < 0)
        return result;
    *ret_path = LEASE_SOCKET_NAME;
    return lease_socket_listen(is_supervised ? DHCP_USER : 0, ret_listener);
}
