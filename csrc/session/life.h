/* How a session begins, is lost, and is begun anew. */
#ifndef GAECHANNEL_SESSION_LIFE_H
#define GAECHANNEL_SESSION_LIFE_H

#include "internal.h"

/* The exchange's response has opened the session. */
void session_opened(session *self, exchange *ex);
/* Keep what tells the server which session the next one replaces. False, and the session has failed, when
 * memory ran out: nothing else has changed then. */
bool session_remember_lost(session *self);

/* The server does not know the session any more, which is remembered: begin a new one. Maps that were not
 * confirmed go to it, except a dialect's own first one. */
void session_restart(session *self, int64_t now_ms);

#endif
