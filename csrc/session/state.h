/* How a session stands: what a user is shown. */
#ifndef GAECHANNEL_SESSION_STATE_H
#define GAECHANNEL_SESSION_STATE_H

#include "internal.h"

/* Look how the session stands; `next` is what it wants done. */
void state_update(session *self, const session_action *next, int64_t now_ms);

#endif
