/* Chance, waits, and whether a request that failed is sent again. */
#ifndef GAECHANNEL_SESSION_RETRY_H
#define GAECHANNEL_SESSION_RETRY_H

#include "internal.h"

uint64_t session_random(session *self);
/* The wait after the n-th failure in a row, in ms: 1 s, 2 s, 4 s … */
int64_t session_backoff_ms(const session *self, int failures);
/* The same, less up to half of it at random. */
int64_t session_jittered_backoff(session *self, int failures);

/* Whether a failure may be mended. */
bool session_may_retry(const session *self, const exchange *ex);

/* Count a failure that another try may mend, and say when that may be. False when there is to be none. */
bool session_retry(session *self, exchange *ex, int64_t now_ms);
/* The same, and no later than `most_ms` from now, unless the server says so. */
bool session_retry_within(session *self, exchange *ex, int64_t most_ms, int64_t now_ms);

/* Before a session is open there is nothing yet to be kept alive: the caller had better know. */
bool session_is_worth_mending(const session *self);

/* The server has not looked at the request: to send it again, soon, is no failure. False when that happens
 * too often. */
bool session_send_again(session *self, exchange *ex, int64_t now_ms);

/* What may be somebody else's on the way, a portal's, a proxy's, and not the server's, for a channel that has
 * worked: as session_retry(), five times or for a minute, whichever is longer. False after that, and for a
 * channel that never worked. */
bool session_outlast(session *self, exchange *ex, int64_t now_ms);

/* The request has done what it was for. */
void session_went_well(exchange *ex);

#endif
