/*
 * HTTP to Docker on the event loop: libcurl's multi interface behind sd-event.
 *
 * Called by client.c. Talks to Docker or a socket proxy; runs without any privilege. No threads, no signals, no
 * host name ever reaches curl unresolved, no file is opened after transport_new().
 */
#pragma once

#include "common/cleanup.h"
#include "workers/docker/host.h"

#include <systemd/sd-event.h>

/* A request that takes longer has failed; the event stream has no such limit. */
#define TRANSPORT_TIMEOUT_MILLISECONDS UINT32_C(10000)
#define TRANSPORT_TEXT_SIZE            384

struct transport;
struct transport_call;

/* Part of the body of a 2xx answer. Non-zero ends the call with that error. Must not start or cancel calls. */
typedef int (*transport_body_handler)(void *userdata, const void *bytes, size_t length);
/*
 * The call is over; it is freed already. `error` is 0 or a negative errno, `status` the HTTP status or 0, `text`
 * says what failed and why (method, path, status, Docker's message). May start and cancel calls.
 */
typedef void (*transport_done_handler)(void *userdata, int error, long status, const char *text);

/*
 * Makes another request of what would be a GET: sets options of `easy`, a CURL *. Called
 * before transport_send() returns. False: without memory. The only one is the keeper's (workers/keeper/command.c);
 * nobody else can write.
 */
typedef bool (*transport_arrangement)(void *easy, void *userdata);

struct transport_request {
    const char *path;   /* with query, from the slash on */
    const char *method; /* as `arrange` makes it, static; NULL: GET */
    transport_arrangement arrange;
    void *arrange_userdata;
    uint32_t timeout_milliseconds; /* 0: TRANSPORT_TIMEOUT_MILLISECONDS */
    bool is_stream;                /* no time limit; a dead peer is noticed by TCP keep-alive */
    transport_body_handler on_body;
    transport_done_handler on_done;
    void *userdata;
};

int transport_new(sd_event *event, const struct docker_host *host, struct transport **ret)
    __attribute__((warn_unused_result));
/* Cancels all calls. */
struct transport *transport_free(struct transport *transport);
DEFINE_POINTER_CLEANUP(struct transport, (void)transport_free, transport_freep);

/* The addresses of the host's name, as CURLOPT_RESOLVE takes them; for all calls from now on. */
int transport_set_addresses(struct transport *transport, const char *addresses) __attribute__((warn_unused_result));

/* Sends the request. Returns 0 or a negative errno; then on_done does not come. */
int transport_send(struct transport *transport, const struct transport_request *request, struct transport_call **ret)
    __attribute__((warn_unused_result));

/* Ends the call at once; on_done does not come. NULL is fine. Returns NULL. */
struct transport_call *transport_cancel(struct transport_call *call);

/* Percent-encodes `text` for a query (RFC 3986 §2.1); the caller frees. NULL without memory. */
char *transport_escape(const char *text);
