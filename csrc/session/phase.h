/* How far a session has come, and whether it goes on: asked here, by all who want to know. */
#ifndef GAECHANNEL_SESSION_PHASE_H
#define GAECHANNEL_SESSION_PHASE_H

#include "internal.h"

/* clid and gsessionid are known, or the dialect has none. */
bool session_is_initialized(const session *self);
/* There is a SID. */
bool session_is_open(const session *self);
/* The back channel's first request is to open the session: webchannel's fast handshake. */
bool session_opens_on_back(const session *self);
/* What the server has given is void: the SID, and the count of its arrays. The next request opens a session.
 */
void session_forget_sid(session *self);

#endif
