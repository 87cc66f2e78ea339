/* What a request that has failed means: try again, begin anew, or give up. */
#ifndef GAECHANNEL_SESSION_FAILED_H
#define GAECHANNEL_SESSION_FAILED_H

#include "internal.h"

/* Each of these ends the session with an error, unless the failure can be mended: then it says when the next
 * try may be. */

/* The connection broke, with the carrier's code and words. */
void failed_broken(session *self, exchange *ex, int code, const char *words, int64_t now_ms);
/* A redirect to elsewhere, a certificate that is not the server's. */
void failed_foreign(session *self, exchange *ex, int code, const char *words, int64_t now_ms);
/* The carrier waited for too long. `dead`: for a connection that had worked, and fell silent. */
void failed_timed_out(session *self, exchange *ex, bool dead, int code, const char *words, int64_t now_ms);
/* The session did. */
void failed_silent(session *self, exchange *ex, exchange_slot slot, bool dead, int64_t now_ms);
/* The body is no run of chunks of arrays. */
void failed_corrupt(session *self, exchange *ex, int64_t now_ms);
/* A 200 that is not what was asked for: somebody else's, a proxy's, a login page. */
void failed_answer(session *self, exchange *ex, const char *words, int64_t now_ms);
/* The same in the place of a forward reply. Only that confirms maps; all else that has the status 200 is
 * somebody else's, and the try has failed. So it is for a channel that never worked: it has a session, which
 * somebody has opened. */
void failed_confirmation(session *self, exchange *ex, int64_t now_ms);
/* A status that is not 200. */
void failed_status(session *self, exchange *ex, int64_t now_ms);

/* Whether the server has said that it does not know the session. */
bool failed_is_of_lost_session(const session *self, const exchange *ex);

#endif
