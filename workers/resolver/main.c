/*
 * anchord-resolver: finds the gateway of a service-anchor by its name (SA-1).
 *
 * Started by the supervisor with a user of its own, no capability and one socket, descriptor 3. It talks DNS and
 * nothing else; what it finds is judged by way, which alone may change the network (DESIGN §1).
 */
#include "protocol/supervised.h"
#include "workers/resolver/resolver.h"

static int run(sd_event *event)
{
    CLEANUP(resolver_freep) struct resolver *resolver = NULL;

    if (resolver_new(event, &resolver) < 0)
        return EXIT_STATUS_CRASH;
    return supervised_loop(event);
}

int main(void)
{
    return supervised_main("resolver", 0, NULL, run);
}
