/* What the session asks: the URLs and bodies of its requests. */
#ifndef GAECHANNEL_SESSION_REQUESTS_H
#define GAECHANNEL_SESSION_REQUESTS_H

#include "internal.h"

/* Whether the request that ends the session is a POST: with a form, or where the server refuses a GET. */
bool session_terminates_by_post(const session *self);

/* Make URL and body of the exchange's next request. False when memory ran out. */
bool session_write_request(session *self, exchange *ex);

#endif
