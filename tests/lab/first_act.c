/*
 * What a container does as its first act: from its first instruction on it asks a server outside, by TCP once and by
 * UDP every millisecond, until both have answered.
 *
 *     first_act ADDRESS PORT
 *
 * Prints "lost A udp B tcp C peer D": how many datagrams were sent before the first that came back, when that one came
 * and when the connection stood, both in milliseconds since the first instruction, and who we are to the server.
 * Linked statically, so that nothing is loaded before; run in the lab's containers by tests/e2e/attach_starts.py. No
 * privilege.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MILLISECONDS 15000

static int milliseconds_since(const struct timespec *start)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int)((now.tv_sec - start->tv_sec) * 1000 + (now.tv_nsec - start->tv_nsec) / 1000000);
}

static int begin(int kind, const struct sockaddr_in *server)
{
    int fd = socket(AF_INET, kind | SOCK_NONBLOCK, 0);

    if (fd >= 0 && connect(fd, (const struct sockaddr *)server, sizeof(*server)) < 0 && errno != EINPROGRESS)
        fprintf(stderr, "connect: %s\n", strerror(errno));
    return fd;
}

int main(int argc, char **argv)
{
    struct sockaddr_in server = {.sin_family = AF_INET};
    char text[256], peer[64] = "-";
    int udp, tcp, sent = 0, lost = -1, answered = -1, connected = -1;
    struct timespec start;

    clock_gettime(CLOCK_MONOTONIC, &start);
    if (argc != 3 || inet_pton(AF_INET, argv[1], &server.sin_addr) != 1)
        return 2;
    server.sin_port = htons((unsigned short)atoi(argv[2]));
    tcp = begin(SOCK_STREAM, &server);
    udp = begin(SOCK_DGRAM, &server);
    while ((answered < 0 || connected < 0) && milliseconds_since(&start) < PATIENCE_MILLISECONDS) {
        struct pollfd waited[] = {{.fd = answered < 0 ? udp : -1, .events = POLLIN},
                                  {.fd = connected < 0 ? tcp : -1, .events = POLLIN}};
        int length = snprintf(text, sizeof(text), "%d", sent++);

        if (answered < 0)
            (void)!send(udp, text, (size_t)length, 0); /* one that cannot be sent is one without an answer */
        (void)poll(waited, 2, 1);
        if (answered < 0 && (length = (int)recv(udp, text, sizeof(text) - 1, 0)) > 0) {
            text[length] = '\0';
            answered = milliseconds_since(&start);
            (void)sscanf(text, "%*s %63s %*s %d", peer, &lost); /* "outside ADDRESS PORT", and what was sent */
        }
        if (connected < 0 && recv(tcp, text, sizeof(text), 0) > 0)
            connected = milliseconds_since(&start);
    }
    printf("lost %d udp %d tcp %d peer %s\n", lost, answered, connected, peer);
    return 0;
}
