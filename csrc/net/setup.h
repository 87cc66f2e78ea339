/* What libcurl's handles are told before a request, but for the transfer's callbacks. */
#ifndef GAECHANNEL_NET_SETUP_H
#define GAECHANNEL_NET_SETUP_H

#include "net/internal.h"

/* False, of each of these: memory ran out. */

/* Make the transfer's handle, and tell it what is the same for all requests. The first goes to `url`. */
bool setup_handle(transfer *self, const char *url);

/* Tell it what the next request is. */
bool setup_request(transfer *self, const session_request *request);

/* The same method and body go to another URL. */
bool setup_url(transfer *self, const char *url);

#endif
