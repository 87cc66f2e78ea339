/* What the session asks: the URLs and bodies of its requests. */
#ifndef GAECHANNEL_SESSION_REQUESTS_H
#define GAECHANNEL_SESSION_REQUESTS_H

#include "internal.h"

/* Whether the request that ends the session is a POST: with a form, or where the server refuses a GET. */
bool session_terminates_by_post(const session *self);

/* Make the URL of the exchange's next request, unless that is asked of somebody. False when memory ran out.
 */
bool session_write_url(session *self, exchange *ex);
/* The same of its body, when it is about to be sent: until then maps may be taken back. */
bool session_write_body(session *self, exchange *ex);

#endif
