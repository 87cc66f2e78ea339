/* The arrays in a response's body, on their way into the session. */
#ifndef GAECHANNEL_SESSION_INTAKE_H
#define GAECHANNEL_SESSION_INTAKE_H

#include "internal.h"

/* Take the arrays of a chunk; nothing of it counts if it is corrupt. False then, with ex->corruption set. */
bool session_take_payload(session *self, exchange *ex, const uint8_t *payload, size_t length, int64_t now_ms);
/* Whether the array that cannot be read is the one that could not be read the last time: one that the server
 * sends again and again must not keep back all behind it, and counts as received then. */
bool session_is_poison(session *self, exchange *ex, int64_t id);

#endif
